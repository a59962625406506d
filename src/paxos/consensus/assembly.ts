/** A promise on its way to a proposer: in parts, and complete. */
import type { Promise1b } from "../wire/messages.js";
import type { BasisPromise } from "./basis.js";

/** A promise that is complete: every part of one answer has come. */
export interface CompletePromise extends BasisPromise {
  readonly trimmed: number;
}

/** Parts of one answer that have come. */
export interface Assembly {
  readonly incarnation: number;
  readonly answer: number;
  readonly parts: Map<number, Promise1b>;
}
