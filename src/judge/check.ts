/** Judges a history of hist/1: is there an order of its calls that explains every answer? */

import { type HistoryCall, keyOf, type ReadHistory } from "./call.js";
import { decideModel } from "./decide.js";
import type { HistoryModel } from "./format.js";
import { judgeKey, type ModelFor } from "./judge.js";
import { kvModel } from "./kv.js";
import { lockModel } from "./lock.js";
import { logModel } from "./log.js";
import { checkPositions } from "./propose.js";
import { MalformedHistory, readHistory } from "./read.js";
import { checkRevisions } from "./revisions.js";
import type { Violation } from "./violation.js";

/** How to judge. */
export interface CheckOptions {
  /** States that the search may visit, all keys together; 1,000,000 if left out. */
  readonly statesMax?: number | undefined;
  /**
   * Whether every proposal of the log is in the file: then a position that none of them can have
   * taken is a violation (model `propose`).
   */
  readonly isComplete?: boolean | undefined;
}

/** What was looked at. */
export interface Counts {
  readonly model: HistoryModel;
  readonly keys: number;
  /** Calls that were answered, whose end is unknown, and that certainly did not happen. */
  readonly answered: number;
  readonly pending: number;
  readonly failed: number;
  /** States that the search visited. */
  readonly states: number;
  /** What a reader should know: a torn last line, nothing to judge, holes. */
  readonly notes: readonly string[];
}

/** What came of it. */
export type Verdict =
  /** Every answer is explained. */
  | ({ readonly kind: "linearizable" } & Counts)
  | ({ readonly kind: "violation"; readonly violations: readonly Violation[] } & Counts)
  /** No violation was found, and the search of some keys ran out of states. */
  | ({ readonly kind: "undecided"; readonly undecided: readonly string[] } & Counts)
  /** It is no history. */
  | { readonly kind: "malformed"; readonly line: number; readonly message: string };

const STATES_MAX = 1_000_000;

/**
 * Judges a history.
 *
 * @param text the file, or its lines
 */
export function checkHistory(
  text: string | readonly string[],
  options: CheckOptions = {},
): Verdict {
  let history: ReadHistory;
  try {
    history = readHistory(text);
  } catch (error) {
    if (!(error instanceof MalformedHistory)) throw error;
    return { kind: "malformed", line: error.line, message: error.message };
  }
  return new Court(history, options).verdict();
}

class Court {
  readonly #history: ReadHistory;
  readonly #options: CheckOptions;
  readonly #statesMax: number;
  readonly #budget: { states: number };
  readonly #violations: Violation[] = [];
  readonly #undecided: string[] = [];
  readonly #notes: string[] = [];
  #keys = 0;

  constructor(history: ReadHistory, options: CheckOptions) {
    this.#history = history;
    this.#options = options;
    this.#statesMax = options.statesMax ?? STATES_MAX;
    this.#budget = { states: this.#statesMax };
  }

  verdict(): Verdict {
    const { header, calls, failed, isTorn } = this.#history;
    const pending = calls.filter(({ isPending }) => isPending).length;
    const answered = calls.length - pending;
    if (isTorn) this.#notes.push("the last line is cut off and was left out");
    if (answered === 0) this.#notes.push("no call was answered: there was nothing to judge");
    if (header.model === "propose") this.#judgePositions(calls);
    else this.#judgeKeys(calls);
    const states = Math.round(this.#statesMax - Math.max(0, this.#budget.states));
    const looked = { model: header.model, keys: this.#keys, answered, pending, failed, states };
    const counts = { ...looked, notes: this.#notes };
    const violations = this.#violations;
    if (violations.length > 0) return { kind: "violation", ...counts, violations };
    if (this.#undecided.length === 0) return { kind: "linearizable", ...counts };
    return { kind: "undecided", ...counts, undecided: this.#undecided };
  }

  #judgeKeys(calls: readonly HistoryCall[]): void {
    const byKey = new Map<string, HistoryCall[]>();
    for (const call of calls) {
      const list = byKey.get(keyOf(call));
      if (list === undefined) byKey.set(keyOf(call), [call]);
      else list.push(call);
    }
    this.#keys = byKey.size;
    // Keys with few calls first: one that is beyond the budget leaves the others judged.
    const order = [...byKey].sort(([, one], [, other]) => one.length - other.length);
    for (const [key, list] of order) {
      const found = judgeKey(key, list, this.#modelOf(key), this.#budget);
      if (found === "budget") this.#undecided.push(key);
      else if (found !== null) this.#violations.push(found);
      if (this.#budget.states < 0) this.#budget.states = 0;
    }
    if (this.#history.header.model === "kv" && this.#violations.length === 0) {
      const found = checkRevisions(calls, this.#history.header.init);
      if (found !== null) this.#violations.push(found);
    }
  }

  #modelOf(key: string): ModelFor {
    const { model, init, base, lease } = this.#history.header;
    const start = Object.hasOwn(init, key) ? (init[key] ?? null) : null;
    switch (model) {
      case "kv":
        return (calls) => kvModel(calls, start) as ReturnType<ModelFor>;
      case "log":
        return (calls) => logModel(calls, base) as ReturnType<ModelFor>;
      case "lock":
        return (calls) => lockModel(calls, lease) as ReturnType<ModelFor>;
      default:
        return (calls) => decideModel(calls, start) as ReturnType<ModelFor>;
    }
  }

  #judgePositions(calls: readonly HistoryCall[]): void {
    this.#keys = 1;
    const { violation, holes } = checkPositions(calls, this.#history.header.base);
    if (violation !== null) this.#violations.push(violation);
    const [first] = holes;
    if (first === undefined) return;
    const why = `position ${first} was taken by no call of this history`;
    if (this.#options.isComplete !== true) {
      this.#notes.push(`${holes.length} holes: ${why}, so by others, or it is lost`);
    } else if (violation === null) this.#violations.push(hole(why, calls, first));
  }
}

/** A hole shows when a higher position is told. */
function hole(why: string, calls: readonly HistoryCall[], position: number): Violation {
  const placed = (call: HistoryCall) =>
    (call.out as { readonly position: number } | undefined)?.position ?? 0;
  const above = calls.filter((call) => placed(call) > position);
  const call = above.reduce((one, other) => (other.to < one.to ? other : one));
  const line = call.toLine ?? call.fromLine;
  return { key: null, why, line, isShortest: false, isCore: true, calls: [call], others: null };
}
