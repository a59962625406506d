/** A read that asks one acceptor. */
import type { SynodAttempt } from "../../paxos/synod.js";
import { type Broken, replaceIn } from "./broken.js";
import { keyScene } from "./scenes.js";

interface Args {
  readonly context: { readonly attempt: SynodAttempt; readonly wish: Uint8Array | null };
}

/** Takes one acceptor's word that it has no vote. */
const firstHasNoVote = ({ context: { attempt, wish } }: Args) => {
  const votes = [...attempt.promises.values()];
  return wish === null && votes.length > 0 && votes.every((vote) => vote === null);
};

export const undecidedByOne: Broken = {
  name: "undecided-by-one",
  what: "a key counts as undecided as soon as one acceptor has no vote for it",
  roles: (real) =>
    replaceIn(real, "synod-proposer", { guards: { nothingToPropose: firstHasNoVote } }),
  hunt: {
    plan: keyScene({
      setup: { limits: { decideLingerMs: 5 } },
      weather: { loss: 0.3 },
      request: (random, value) => ({
        kind: "decide",
        key: `k${1 + random.integer(8)}`,
        value: random.next() < 0.3 ? value : null,
      }),
      requests: 120,
    }),
    seedsMax: 5,
    catches: ["decidedIsForEver"],
  },
};
