/** A key that is decided once: the first value wins. */

import type { HistoryCall } from "./call.js";
import type { HistoryOperations } from "./format.js";
import type { Model } from "./model.js";

/** What a key holds. */
export interface DecideState {
  readonly value: string | null;
}

type Operation = HistoryOperations["decide"];

/** Makes the model of one key for its calls. @param init its start value */
export function decideModel(
  calls: readonly HistoryCall[],
  init: string | null = null,
): Model<DecideState> {
  // Whatever an answer tells is what the key holds; a pending wish for another value did nothing.
  const told = calls.map(({ out }) => out).find((out) => typeof out === "string");
  return {
    initial: { value: init },
    step: (state, { operation, out, isPending }) => {
      const asked = operation as Operation;
      if (asked.op === "get") return out === state.value ? state : null;
      if (isPending) {
        if (state.value !== null || (told ?? asked.value) !== asked.value) return null;
        return { value: asked.value };
      }
      if (state.value !== null) return out === state.value ? state : null;
      return out === asked.value ? { value: asked.value } : null;
    },
    keyOf: ({ value }) => JSON.stringify(value),
    rankOf: () => 0,
    settles: () => false,
    likeOf: ({ operation }) => {
      return (operation as { readonly value: string }).value === told ? undefined : "decide";
    },
  };
}
