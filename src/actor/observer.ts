/**
 * An observer sees what the roles of one process do: for traces, monitors and the simulator.
 *
 * Free where nobody observes. What it is shown must not be changed, and is valid during the call.
 */

import type { Effect } from "./effect.js";
import type { DiskError } from "./ports.js";
import type { RoleEvent } from "./role.js";
import type { Runner } from "./runner.js";
import type { Step } from "./step.js";
import type { StoreBatch } from "./store.js";

/** Hears of everything, in the order in which it happens. */
export interface Observer {
  /** A machine took an event; `event` is null for the start of an instance. */
  stepped(runner: Runner, instance: string, event: RoleEvent | null, step: Step): void;
  /** A batch is on stable storage; what waited for it leaves after this. */
  committed(runner: Runner, batch: StoreBatch): void;
  /** A batch was refused: nothing that waited for it leaves. */
  refused(runner: Runner, error: DiskError): void;
  /** An effect leaves the role and is carried out next: all it waited for is durable. */
  leaves(runner: Runner, effect: Effect): void;
}
