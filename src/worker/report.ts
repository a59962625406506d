/**
 * Reports: what one process says of its roles when it is asked for `status` or `why`.
 */

import type { Denial } from "../kernel/bus/server-errors.js";
import { type Bound, type RoleStatus, stateName, type Wait } from "../kernel/role.js";
import type { Runner } from "../kernel/runner.js";
import type { HealthReading } from "../paxos/health.js";
import type { Distance } from "../paxos/progress.js";
import type { BoundedRole } from "./bounds.js";

/** One role of one process; null where it does not apply, or the role does not know it. */
export interface RoleReport {
  readonly role: string;
  readonly id: string;
  readonly pid: number;
  /** The folder of its store. */
  readonly data: string | null;
  readonly incarnation: number | null;
  readonly state: string;
  /** Why it has halted, or which of its messages is over the server's limit. */
  readonly why: string | null;
  readonly promised: string | null;
  readonly ballot: string | null;
  readonly leader: string | null;
  readonly chosenWatermark: number | null;
  readonly appliedWatermark: number | null;
  /** How far a learner is behind, while slots that are, or may be, chosen are missing. */
  readonly catchingUp: Distance | null;
  readonly firstRetained: number | null;
  /** Decided single-decree keys that a learner knows. */
  readonly keys: number | null;
  readonly stateHash: string | null;
  readonly elections: number;
  readonly nacks: number;
  /** Synced transactions of its store in this life. */
  readonly syncs: number;
  /** How full what ends a service is; `diskBytes` of a role with a store. */
  readonly bounds: readonly Bound[];
  /** What its process dropped or refused, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
}

/** What one process answers to `status`. */
export interface ProcessStatus {
  /** 16 hexadecimal digits, drawn when it started. */
  readonly process: string;
  readonly pid: number;
  readonly cluster: string;
  /** What tells its descriptor from another under the same name. */
  readonly clusterId: string;
  readonly epoch: number;
  readonly configurationHash: string;
  readonly server: string;
  /** The largest message that the server takes at the moment. */
  readonly payloadBytesMax: number;
  /** Servers that it dialled and that never answered it. */
  readonly silentServers: readonly string[];
  /** The longest time for which its event loop stood within the last second. */
  readonly loopLagMs: number;
  readonly heapUsedBytes: number;
  readonly heapBytesMax: number;
  readonly roles: readonly RoleReport[];
  readonly dropped: Readonly<Record<string, number>>;
}

/** What one role waits for. */
export interface RoleWaits {
  readonly role: string;
  readonly id: string;
  readonly waits: readonly Wait[];
}

/** What one process answers to `why`. */
export interface ProcessWaits {
  readonly process: string;
  readonly pid: number;
  readonly roles: readonly RoleWaits[];
}

/** A role that could not be started: its process answers for it. */
export interface Corpse {
  readonly role: string;
  readonly id: string;
  readonly data: string | null;
  readonly why: string;
}

/** Most waits of one role that are told: a proposer of single keys may have thousands. */
const waitsMax = 64;

/** Reports a running (or halted) role. */
export function reportRole(
  runner: Runner,
  data: string | null,
  dropped: Readonly<Record<string, number>>,
  overLimit: readonly Wait[],
): RoleReport {
  const { definition, store, halted } = runner;
  const snapshots = [...runner.snapshots().values()];
  const statuses = snapshots.map((snapshot) => definition.status(snapshot));
  const meta = store?.meta;
  const opening = meta?.openings.at(-1)?.writeNumber ?? 0;
  const one: RoleStatus = (definition.instances === undefined ? statuses[0] : undefined) ?? {};
  return {
    role: definition.name,
    id: runner.id,
    pid: process.pid,
    data,
    incarnation: meta?.incarnation ?? null,
    state: halted === null ? stateOf(runner) : "halted",
    why: halted ?? overLimit[0]?.reason ?? null,
    promised: one.promised ?? null,
    ballot: one.ballot ?? null,
    leader: one.leader ?? null,
    chosenWatermark: one.chosenWatermark ?? null,
    appliedWatermark: one.appliedWatermark ?? null,
    catchingUp: one.catchingUp ?? null,
    firstRetained: one.firstRetained ?? null,
    keys: one.keys ?? null,
    stateHash: one.stateHash ?? null,
    elections: one.elections ?? 0,
    nacks: statuses.reduce((sum, { nacks = 0 }) => sum + nacks, 0),
    syncs: store === null ? 0 : Math.max(0, store.durableWriteNumber - opening),
    bounds: boundsOf(runner),
    dropped,
  };
}

/** How full the bounds of a role are; none of one that has halted. */
function boundsOf(runner: Runner): readonly Bound[] {
  const { definition, store, halted } = runner;
  if (halted !== null) return [];
  const [snapshot] = runner.snapshots().values();
  const isOne = definition.instances === undefined && snapshot !== undefined;
  const own = isOne ? (definition.status(snapshot).bounds ?? []) : [];
  if (store === null) return own;
  const { usedBytes: used, bytesMax: limit } = store.room();
  return Number.isFinite(limit) ? [...own, { name: "diskBytes", used, limit }] : own;
}

/** A role, and how full its bounds are. */
export function boundedRole(runner: Runner): BoundedRole {
  return { role: runner.definition.name, id: runner.id, bounds: boundsOf(runner) };
}

/** The heap of this process as a bound of it. */
export function boundedHeap({
  heapUsedBytes: used,
  heapBytesMax: limit,
}: HealthReading): BoundedRole {
  return { role: "process", id: `${process.pid}`, bounds: [{ name: "heapBytes", used, limit }] };
}

/** Reports a role that could not be started. */
export function reportCorpse(
  { role, id, data, why }: Corpse,
  dropped: Readonly<Record<string, number>>,
): RoleReport {
  const nothing = {
    incarnation: null,
    promised: null,
    ballot: null,
    leader: null,
    chosenWatermark: null,
    appliedWatermark: null,
    catchingUp: null,
    firstRetained: null,
    keys: null,
    stateHash: null,
  };
  const none = { elections: 0, nacks: 0, syncs: 0, bounds: [], dropped };
  return { role, id, pid: process.pid, data, state: "halted", why, ...nothing, ...none };
}

/** The state, or for a role with an instance a key how many keys it works on. */
function stateOf(runner: Runner): string {
  const snapshots = [...runner.snapshots().values()];
  if (runner.definition.instances === undefined) {
    const first = snapshots[0];
    return first === undefined ? "starting" : stateName(first);
  }
  return snapshots.length === 0 ? "idle" : `working on ${snapshots.length}`;
}

/** Reports what a role waits for: first what keeps it from being heard, whatever its state. */
export function reportWaits(runner: Runner, nowMs: number, first: readonly Wait[] = []): RoleWaits {
  const { definition, id, halted } = runner;
  const waits =
    halted === null
      ? [...runner.snapshots().values()].flatMap((snapshot) => definition.waits(snapshot, nowMs))
      : [waitForOperator(halted)];
  return { role: definition.name, id, waits: [...first, ...waits].slice(0, waitsMax) };
}

/** Most subjects that are named of those that a server forbids. */
const subjectsMax = 3;

/** What every role of a process waits for while the server forbids the process some subjects. */
export function waitForRights(denials: readonly Denial[], nowMs: number): readonly Wait[] {
  if (denials.length === 0) return [];
  const named = denials
    .slice(0, subjectsMax)
    .map(({ operation, subject }) => `${operation} ${subject}`);
  const more = denials.length - named.length;
  const rest = more === 0 ? "" : ` and ${more} more`;
  const since = Math.min(...denials.map(({ sinceMs }) => sinceMs));
  return [
    {
      for: denials.length === 1 ? "a right" : `${denials.length} rights`,
      from: ["the NATS server"],
      have: 0,
      need: denials.length,
      sinceMs: Math.max(0, Math.round(nowMs - since)),
      reason: `the server's permissions forbid this process to ${named.join(", ")}${rest}`,
    },
  ];
}

/** What a role waits for that stopped for good. */
export function waitForOperator(why: string): Wait {
  return { for: "an operator", from: [], have: 0, need: 1, sinceMs: 0, reason: why };
}
