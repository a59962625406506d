/** What the tracer of one role hears. */

import type { Effect } from "../kernel/effect.js";
import type { ObservedRole } from "../kernel/observer.js";
import type { RoleEvent } from "../kernel/role.js";
import type { Step } from "../kernel/step.js";
import type { Message, RoleName } from "../paxos/wire/messages.js";
import { TracedKeys, TraceFile, type TraceOptions, traceFileName, traceName } from "./file.js";

/** Traces one role for one incarnation of it. */
export interface RoleTrace {
  /** The machine took an event; null for the start of an instance. */
  stepped?(instance: string, event: RoleEvent | null, step: Step): void;
  /** A message leaves next: all it waited for is durable. */
  says?(message: Message): void;
  /** Any other effect leaves next. */
  leaves?(effect: Effect): void;
}

/** Opens the file of a role for the log. */
export function logFile(options: TraceOptions, { definition, id }: ObservedRole): TraceFile {
  const { name } = definition;
  return new TraceFile(options, "multi", traceFileName(name, id), traceName(name, id));
}

/** Keeps something for each key of a role, with a file of its own. */
export function keyFiles<K>(
  options: TraceOptions,
  { definition, id }: ObservedRole,
  make: (file: TraceFile, key: string) => K,
  max?: number,
): TracedKeys<K> {
  const role: RoleName = definition.name;
  const open = (key: string) =>
    new TraceFile(options, "synod", traceFileName(role, id, key), traceName(role, id));
  return new TracedKeys(open, make, max);
}

/** The messages of an event of one verb, with who sent them; none if it is another event. */
export function received<V extends Message["type"]>(
  event: RoleEvent | null,
  verb: V,
): readonly { readonly from: string; readonly message: Extract<Message, { type: V }> }[] {
  if (event === null || event.type !== verb || !("received" in event)) return [];
  return event.received.map(({ from, message }) => {
    return { from: from.id, message: message as Extract<Message, { type: V }> };
  });
}
