/** Keys with values and revisions: what a register is, and more. */

import { type HistoryCall, revisionOf, writtenBy } from "./call.js";
import type { HistoryOperations } from "./format.js";
import type { Model } from "./model.js";

/** One key. */
export interface KvState {
  /** null: absent. */
  readonly value: string | null;
  /** The revision of the last write, if an answer told it. */
  readonly revision: number | null;
  /** The lowest that it may be. */
  readonly lowest: number;
  /** What it is not, though it may be as high. */
  readonly not: readonly number[];
  /** How many of the answers that saw this value have had their effect. */
  readonly seen: number;
}

type Operation = HistoryOperations["kv"];
type Of<Op extends Operation["op"]> = Extract<Operation, { readonly op: Op }>;

/** Makes the model of one key for its calls. @param init its start value */
export function kvModel(calls: readonly HistoryCall[], init: string | null = null): Model<KvState> {
  return new KvModel(calls, init);
}

class KvModel implements Model<KvState> {
  readonly initial: KvState;
  /** Whether a value comes once and, overwritten, never again. */
  readonly #isUnique: boolean;
  /** How many answers need the key to hold a value. */
  readonly #sightings = new Map<string, number>();
  /** Values that any call names beside its writer. */
  readonly #named = new Set<string>();
  /** Whether any call or answer is about revisions: else they are not kept. */
  readonly #hasRevisions: boolean;

  constructor(calls: readonly HistoryCall[], init: string | null) {
    const lowest = init === null ? 0 : 1;
    this.initial = { value: init, revision: null, lowest, not: [], seen: 0 };
    const written = calls.flatMap((call) => writtenBy(call) ?? []);
    if (init !== null) written.push(init);
    this.#isUnique =
      new Set(written).size === written.length &&
      calls.every(({ operation }) => operation.op !== "append");
    this.#hasRevisions = calls.some(
      (call) => revisionOf(call) !== undefined || "ifrev" in call.operation,
    );
    for (const call of calls) this.#learn(call);
  }

  #learn(call: HistoryCall): void {
    const operation = call.operation as Operation;
    if (operation.op === "cas" && operation.expect !== null) this.#named.add(operation.expect);
    const sight = sightOf(call);
    if (sight === undefined) return;
    this.#named.add(sight);
    this.#sightings.set(sight, (this.#sightings.get(sight) ?? 0) + 1);
  }

  step(state: KvState, call: HistoryCall): KvState | null {
    const operation = call.operation as Operation;
    switch (operation.op) {
      case "get":
        return this.#get(state, call);
      case "put":
        return this.#put(state, call, operation);
      case "append": {
        const value = (state.value ?? "") + operation.value;
        const isToldOther = typeof call.out === "string" && call.out !== value;
        return isToldOther ? null : this.#write(state, value);
      }
      case "cas": {
        const { expect, value } = operation;
        if (call.out === false) return state.value === expect ? null : state;
        return state.value === expect ? this.#write(saw(state, expect), value) : null;
      }
      case "delete":
        return this.#delete(state, call, operation);
    }
  }

  keyOf({ value, revision, not }: KvState): string {
    const shown = value === null ? "" : JSON.stringify(value);
    return this.#hasRevisions ? `${revision}/${not.join()}/${shown}` : shown;
  }

  rankOf({ lowest }: KvState): number {
    return lowest;
  }

  settles({ operation }: HistoryCall): boolean {
    // A get may tell a revision, which then is that of this one time the key held the value.
    return operation.op === "get" && this.#isUnique;
  }

  likeOf({ operation }: HistoryCall): string | undefined {
    const { op, ifrev } = operation as Of<"put">;
    if (op === ("delete" as string)) return `delete ${ifrev}`;
    if (op !== "put" || !this.#isUnique) return undefined;
    return this.#named.has((operation as Of<"put">).value) ? undefined : `put ${ifrev}`;
  }

  #get(state: KvState, call: HistoryCall): KvState | null {
    if (state.value !== (sightOf(call) ?? null)) return null;
    const revision = revisionOf(call);
    const told = revision === undefined ? state : pin(state, revision);
    return told === null ? null : saw(told, state.value);
  }

  #put(state: KvState, call: HistoryCall, { value, ifrev }: Of<"put">): KvState | null {
    if (ifrev === undefined) return this.#write(state, value, revisionOf(call));
    if (isRefused(call)) return differs(state, ifrev);
    const held = matches(state, ifrev);
    return held && this.#write(held, value, revisionOf(call));
  }

  #delete(state: KvState, call: HistoryCall, { ifrev }: Of<"delete">): KvState | null {
    if (ifrev !== undefined) {
      if (isRefused(call)) return differs(state, ifrev);
      const held = matches(state, ifrev);
      return held === null || held.value === null ? held : this.#write(held, null);
    }
    if (call.out === false) return state.value === null ? state : null;
    return state.value === null ? null : this.#write(state, null);
  }

  /** Writes, unless the value that goes has yet to be seen. */
  #write(state: KvState, value: string | null, revision?: number): KvState | null {
    if (this.#isUnique && state.value !== null) {
      if (state.seen < (this.#sightings.get(state.value) ?? 0)) return null;
    }
    const next = { value, not: [], seen: 0 };
    if (!this.#hasRevisions) return { ...next, revision: null, lowest: 0 };
    const lowest = state.lowest + 1;
    if (revision === undefined) return { ...next, revision: null, lowest };
    return revision < lowest ? null : { ...next, revision, lowest: revision };
  }
}

/** The value that an answer says the key held, if it held one. */
function sightOf({ operation, out }: HistoryCall): string | undefined {
  if (operation.op === "cas") return out === true ? (operation.expect ?? undefined) : undefined;
  if (operation.op !== "get" || out === null || out === undefined) return undefined;
  return typeof out === "string" ? out : (out as { readonly value: string }).value;
}

function isRefused({ out }: HistoryCall): boolean {
  return (out as { readonly ok?: boolean } | undefined)?.ok === false;
}

function saw(state: KvState, value: string | null): KvState {
  return value === null ? state : { ...state, seen: state.seen + 1 };
}

/** The state if its revision is this one. */
function pin(state: KvState, revision: number): KvState | null {
  if (state.revision !== null) return state.revision === revision ? state : null;
  if (revision < state.lowest || state.not.includes(revision)) return null;
  return { ...state, revision, lowest: revision, not: [] };
}

/** The state if `ifrev` holds of it; 0 is absence. */
function matches(state: KvState, ifrev: number): KvState | null {
  if (ifrev === 0) return state.value === null ? state : null;
  return state.value === null ? null : pin(state, ifrev);
}

/** The state if `ifrev` does not hold of it. */
function differs(state: KvState, ifrev: number): KvState | null {
  if (state.value === null) return ifrev === 0 ? null : state;
  if (state.revision !== null) return state.revision === ifrev ? null : state;
  const isOpen = ifrev >= state.lowest && !state.not.includes(ifrev);
  return isOpen ? { ...state, not: [...state.not, ifrev] } : state;
}
