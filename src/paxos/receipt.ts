/**
 * Receipts: where and how a command took effect.
 */
import type { Ballot } from "./ballot.js";

/** The one statement of what took effect; everything that reports it extends this. */
export interface Receipt {
  /** Integer ≥ 1: the dense count of the commands that took effect, this one included. */
  readonly position: number;
  /** Integer ≥ 0. */
  readonly slot: number;
  /** The ballot at which the value of the slot was chosen. */
  readonly ballot: Ballot;
  /** The acceptors known to have it synced, by id. */
  readonly syncedBy: readonly string[];
}
