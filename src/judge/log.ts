/** A list that only grows. */

import type { HistoryCall } from "./call.js";
import type { HistoryOperations } from "./format.js";
import type { Model } from "./model.js";

/** A log as its last entry and what was before it; equal logs are the same object. */
export interface LogState {
  readonly id: number;
  readonly length: number;
  readonly value: string;
  readonly before: LogState | null;
}

type Operation = HistoryOperations["log"];

/** Makes the model of one log for its calls. @param base the index of its first entry */
export function logModel(calls: readonly HistoryCall[], base = 1): Model<LogState> {
  return new LogModel(calls, base);
}

class LogModel implements Model<LogState> {
  readonly initial: LogState = { id: 0, length: 0, value: "", before: null };
  readonly #base: number;
  readonly #states = new Map<string, LogState>();
  /** What answers say about where values are. */
  readonly #valueAt = new Map<number, string>();
  readonly #indexOf = new Map<string, number>();

  constructor(calls: readonly HistoryCall[], base: number) {
    this.#base = base;
    for (const { operation, out } of calls) {
      const { op, value, index } = operation as { op: string; value: string; index: number };
      if (op === "append" && typeof out === "number") this.#place(out, value);
      if (op === "read" && typeof out === "string") this.#place(index, out);
      if (op !== "list") continue;
      for (const [i, listed] of ((out as readonly string[]) ?? []).entries()) {
        this.#place(base + i, listed);
      }
    }
  }

  #place(index: number, value: string): void {
    // Answers that disagree are found when one of them finds no place in the order.
    if (!this.#valueAt.has(index)) this.#valueAt.set(index, value);
    if (!this.#indexOf.has(value)) this.#indexOf.set(value, index);
  }

  step(state: LogState, { operation, out, isPending }: HistoryCall): LogState | null {
    const asked = operation as Operation;
    const end = this.#base + state.length;
    switch (asked.op) {
      case "append": {
        const fits = isPending ? this.#mayBe(asked.value, end) : out === end;
        return fits ? this.#append(state, asked.value) : null;
      }
      case "read":
        return at(state, asked.index - this.#base) === out ? state : null;
      case "len":
        return out === state.length ? state : null;
      case "list":
        return isList(state, out as readonly string[]) ? state : null;
    }
  }

  keyOf({ id }: LogState): string {
    return String(id);
  }

  rankOf(): number {
    return 0;
  }

  settles(): boolean {
    return false; // what only looks leaves the state the same object
  }

  likeOf({ operation }: HistoryCall): string | undefined {
    const { value } = operation as Extract<Operation, { op: "append" }>;
    return this.#indexOf.has(value) ? undefined : "append";
  }

  /** Whether no answer says that a value is elsewhere, or that another one is there. */
  #mayBe(value: string, index: number): boolean {
    return (
      (this.#indexOf.get(value) ?? index) === index && (this.#valueAt.get(index) ?? value) === value
    );
  }

  #append(before: LogState, value: string): LogState {
    const name = `${before.id} ${value}`;
    const known = this.#states.get(name);
    if (known !== undefined) return known;
    const state = { id: this.#states.size + 1, length: before.length + 1, value, before };
    this.#states.set(name, state);
    return state;
  }
}

function at(state: LogState, offset: number): string | null {
  if (offset < 0 || offset >= state.length) return null;
  let entry = state;
  while (entry.length > offset + 1 && entry.before !== null) entry = entry.before;
  return entry.value;
}

function isList(state: LogState, values: readonly string[]): boolean {
  if (values.length !== state.length) return false;
  let entry = state;
  for (let i = values.length - 1; i >= 0 && entry.before !== null; i--) {
    if (values[i] !== entry.value) return false;
    entry = entry.before;
  }
  return true;
}
