/** A watcher looks on at a whole world: what its processes do, and how they come and go. */

import type { Fate } from "../../adapters/memory/disk.js";
import type { Observer } from "../../kernel/observer.js";
import type { StoreRefused } from "../../kernel/store/refusal.js";
import type { Halt, SimProcess } from "./process.js";

/** Hears of everything in the order in which it happens. */
export interface Watcher {
  /** Asked once for each life of a process. */
  observe(node: SimProcess): Observer;
  /** A process begins; its stores are not open yet. */
  started(node: SimProcess): void;
  /** A process was ended; what became of each batch that was not synced. */
  killed(node: SimProcess, fates: readonly Fate[]): void;
  /** A store may not be used. */
  refused(node: SimProcess, id: string, refused: StoreRefused): void;
  /** A role stopped for good, not by being killed. */
  halted(node: SimProcess, halt: Halt): void;
}
