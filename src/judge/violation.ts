/** What contradicts the model. */
import type { HistoryCall } from "./call.js";

/** Calls that no order explains. */
export interface Violation {
  /** null: it is about no key alone. */
  readonly key: string | null;
  readonly why: string;
  /** The last line that it takes. */
  readonly line: number;
  /** Whether the lines before that one, of this key, have an order. */
  readonly isShortest: boolean;
  /** Whether the calls contradict each other, whatever all others did; else they are a hint. */
  readonly isCore: boolean;
  readonly calls: readonly HistoryCall[];
  /** How many calls of the key had begun beside these; null if that was not looked at. */
  readonly others: number | null;
}
