/** A machine of a role as its runner keeps it: its snapshot and its alarms. */
import type { RoleSnapshot } from "./role.js";

/** An alarm that is set. A fired one whose generation is not current any more is dropped. */
interface Alarm {
  readonly generation: number;
  readonly cancel: () => void;
  readonly event: { readonly type: string };
}

/** One machine of a role; a role without instances has one, whose key is empty. */
export interface Instance {
  readonly key: string;
  snapshot: RoleSnapshot;
  readonly timers: Map<string, Alarm>;
  finished: boolean;
}

/** Cancels every alarm of a machine. */
export function cancelTimers(instance: Instance): void {
  for (const { cancel } of instance.timers.values()) cancel();
  instance.timers.clear();
}
