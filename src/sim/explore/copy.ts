/**
 * Copies of what a machine knows: a step consumes its snapshot, and the explorer needs it again.
 */

import type { RoleSnapshot } from "../../kernel/role.js";
import { Fifo } from "../../paxos/fifo.js";
import { LatencyEstimate } from "../../paxos/latency.js";

/** New names for some ids; others stay. */
export type Names = ReadonlyMap<string, string>;

const NO_NAMES: Names = new Map();

/**
 * Makes a snapshot that may be stepped while this one is kept: bulk data by its own `clone()`,
 * where it has one.
 */
export function fork(snapshot: RoleSnapshot): RoleSnapshot {
  const context = snapshot.context as { data?: { clone?: () => unknown } };
  if (context.data === undefined) return snapshot;
  const data = context.data.clone?.() ?? copy(context.data, NO_NAMES);
  return { ...snapshot, context: { ...context, data } } as RoleSnapshot;
}

/** Makes the snapshot that the machine would have if ids had been given otherwise. */
export function renamed(snapshot: RoleSnapshot, names: Names): RoleSnapshot {
  const { cluster, ...rest } = snapshot.context as Record<string, unknown>;
  const context = { ...(copy(rest, names) as object), cluster };
  return { ...snapshot, context } as RoleSnapshot;
}

/** Copies data structurally. Bytes are shared: nobody changes them. */
function copy(data: unknown, names: Names): unknown {
  if (typeof data === "string") return names.get(data) ?? data;
  if (typeof data !== "object" || data === null || data instanceof Uint8Array) return data;
  if (Array.isArray(data)) return data.map((item) => copy(item, names));
  if (data instanceof Set) return new Set([...data].map((item) => copy(item, names)));
  if (data instanceof Map) {
    return new Map([...data].map(([key, item]) => [copy(key, names), copy(item, names)]));
  }
  // Their fields are private, and no name stands in them.
  if (data instanceof Fifo || data instanceof LatencyEstimate) return data.clone();
  const made: Record<string, unknown> = Object.create(Object.getPrototypeOf(data));
  for (const [name, item] of Object.entries(data)) made[name] = copy(item, names);
  return made;
}
