/** A lock with fencing tokens, which grow with every acquisition. */

import type { HistoryCall } from "./call.js";
import type { HistoryOperations } from "./format.js";
import type { Model } from "./model.js";

/** One lock. */
export interface LockState {
  readonly holder: string | null;
  /** The token of the last acquisition, if an answer told it. */
  readonly token: number | null;
  /** The lowest that it may be; −1 before the first. */
  readonly lowest: number;
  /** What it is not, though it may be as high. */
  readonly not: readonly number[];
}

type Operation = HistoryOperations["lock"];
type Release = Extract<Operation, { readonly op: "release" }>;

/**
 * Makes the model of a lock. It is not reentrant.
 *
 * @param lease whether whoever holds it may lose it at any time, to its time to live
 */
export function lockModel(calls: readonly HistoryCall[], lease = false): Model<LockState> {
  const released = new Set<string>();
  for (const { operation } of calls) {
    if (operation.op === "release") released.add(operation.owner);
  }
  return {
    initial: { holder: null, token: null, lowest: -1, not: [] },
    step: (state, call) => {
      const operation = call.operation as Operation;
      if (operation.op === "release") return release(state, call, operation, lease);
      return acquire(state, call, operation.owner, lease);
    },
    keyOf: ({ holder, token, not }) => JSON.stringify([holder, token, not]),
    rankOf: ({ lowest }) => lowest,
    settles: () => false,
    likeOf: ({ operation }) => {
      const { op, owner, token } = operation as Release;
      if (op === "release") return JSON.stringify([owner, token]);
      return released.has(owner) ? undefined : "acquire";
    },
  };
}

function acquire(
  state: LockState,
  { out, isPending }: HistoryCall,
  owner: string,
  lease: boolean,
): LockState | null {
  const isHeld = state.holder !== null;
  const { ok, token } = (out ?? {}) as { readonly ok?: boolean; readonly token?: number };
  if (!isPending && ok !== true) return isHeld ? state : null;
  if (isHeld && !lease) return null;
  const lowest = state.lowest + 1;
  if (token === undefined) return { holder: owner, token: null, lowest, not: [] };
  return token < lowest ? null : { holder: owner, token, lowest: token, not: [] };
}

function release(
  state: LockState,
  { out, isPending }: HistoryCall,
  { owner, token }: Release,
  lease: boolean,
): LockState | null {
  const isUntold = token !== undefined && state.token === null;
  const mayBe = token === undefined || (state.token ?? token) === token;
  const isExcluded = isUntold && (token < state.lowest || state.not.includes(token));
  const fits = state.holder === owner && mayBe && !isExcluded;
  if (isPending || out === true) {
    if (!fits) return null;
    if (!isUntold) return { ...state, holder: null };
    return { holder: null, token, lowest: token, not: [] };
  }
  if (!fits) return state;
  // It had been lost; or the token, which no answer told, is another one.
  if (lease) return { ...state, holder: null };
  return isUntold ? { ...state, not: [...state.not, token] } : null;
}
