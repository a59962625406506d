/** Proposers that adopt a vote that was reported, but not that of the highest ballot. */
import { assign } from "xstate";
import { compareBallots } from "../../paxos/ballot.js";
import type { Vote } from "../../paxos/messages.js";
import type { SynodAttempt } from "../../paxos/synod.js";
import { type Broken, type Roles, realAssign, replaceIn } from "./broken.js";
import { duels } from "./scenes.js";

interface Context {
  readonly attempt: SynodAttempt;
}

/** Hides from the rule all votes but the lowest. */
function pickLowest(real: Roles) {
  const pick = realAssign<Context, unknown>(real, "synod-proposer", "pickValue");
  return assign(({ context, event }: { context: Context; event: unknown }) => {
    let lowest: Vote | null = null;
    for (const vote of context.attempt.promises.values()) {
      if (vote === null) continue;
      if (lowest === null || compareBallots(vote.ballot, lowest.ballot) < 0) lowest = vote;
    }
    const promises = new Map([...context.attempt.promises.keys()].map((id) => [id, lowest]));
    return pick({ context: { ...context, attempt: { ...context.attempt, promises } }, event });
  });
}

export const lowestVoteAdopted: Broken = {
  name: "lowest-vote-adopted",
  what: "a proposer takes a vote that was reported, but not the one of the highest ballot",
  roles: (real) => replaceIn(real, "synod-proposer", { actions: { pickValue: pickLowest(real) } }),
  hunt: { plan: duels, seedsMax: 20, catches: ["phase2a", "P2b", "P2c"] },
};
