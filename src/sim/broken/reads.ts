/** Reads of keys that say too soon that nothing is decided. */

import type { SeededRandom } from "../../adapters/memory/random.js";
import type { Effect } from "../../kernel/effect.js";
import type { SynodAttempt } from "../../paxos/single/synod.js";
import type { Request } from "../plan/plan.js";
import { type Broken, replaceIn } from "./broken.js";
import { keyScene } from "./scenes.js";

interface Args {
  readonly context: {
    readonly attempt: SynodAttempt;
    readonly wish: Uint8Array | null;
    readonly tokens: readonly string[];
  };
}

/** Mostly questions, about many keys. */
const ask = (random: SeededRandom, value: string): Request => ({
  kind: "decide",
  key: `k${1 + random.integer(20)}`,
  value: random.next() < 0.3 ? value : null,
});

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
      request: ask,
      requests: 120,
    }),
    seedsMax: 15,
    catches: ["decidedIsForEver"],
  },
};

/** Answers whoever waits. */
const replyToAll = ({ context: { tokens } }: Args): Effect[] =>
  tokens.map((token) => ({ kind: "reply", token, answer: { kind: "undecided" } }));

export const earlierPromisesAnswer: Broken = {
  name: "earlier-promises-answer",
  what: "a key counts as undecided for whoever asks while promises come that were given before",
  roles: (real) =>
    replaceIn(real, "synod-proposer", {
      guards: { laterAskersWait: () => false },
      actions: { replyUndecided: replyToAll },
    }),
  hunt: {
    plan: keyScene({
      setup: {
        placement: "colocated",
        limits: { decideLingerMs: 5, retryDelayMs: 1500, backoffMinMs: 1, backoffMaxMs: 4 },
      },
      weather: { loss: 0.1, reorder: 0.2, late: 0.3 },
      latencyMs: 10,
      syncMs: 10,
      request: ask,
      requests: 300,
      clients: 6,
      calmMs: 1000,
    }),
    seedsMax: 40,
    catches: ["decidedIsForEver"],
  },
};
