/** A proposer that counts votes for its value, at whatever ballot they were cast. */
import { assign } from "xstate";
import type { Inbound } from "../../kernel/role.js";
import { countVote, type SynodAttempt } from "../../paxos/single/synod.js";
import type { KeyAccepted } from "../../paxos/wire/messages.js";
import { type Broken, replaceIn } from "./broken.js";
import { duels } from "./scenes.js";

interface Args {
  readonly context: { readonly attempt: SynodAttempt };
  readonly event: Inbound<KeyAccepted>;
}

const countAnyBallot = assign(({ context, event }: Args) => {
  const { ballot } = context.attempt;
  const attempt = event.received.reduce(
    (counted, { from, message }) => countVote(counted, from.id, { ...message, ballot }),
    context.attempt,
  );
  return { attempt };
});

export const ballotsCountedTogether: Broken = {
  name: "ballots-counted-together",
  what: "a proposer counts votes of its earlier ballots for its present one",
  world: "decide-retry",
  roles: (real) => replaceIn(real, "synod-proposer", { actions: { countVote: countAnyBallot } }),
  hunt: {
    plan: duels,
    firstSeed: 61,
    seedsMax: 60,
    catches: ["learnedIsChosen"],
  },
};
