/** A proposer that takes what a promise reports for a vote at its own ballot. */
import { assign } from "xstate";
import type { SynodAttempt } from "../../paxos/single/synod.js";
import { type Broken, type Roles, realAssign, replaceIn } from "./broken.js";
import { duels } from "./scenes.js";

interface Context {
  readonly attempt: SynodAttempt;
}

/** Begins phase 2 with the acceptors that have voted for that value before. */
function countReports(real: Roles) {
  const pick = realAssign<Context, unknown>(real, "synod-proposer", "pickValue");
  return assign((args: { context: Context; event: unknown }) => {
    const { attempt = args.context.attempt } = pick(args);
    const reports = [...attempt.promises];
    const same = reports.filter(([, vote]) => vote?.digest === attempt.proposed?.digest);
    return { attempt: { ...attempt, voters: new Set(same.map(([acceptor]) => acceptor)) } };
  });
}

export const reportedVoteCounted: Broken = {
  name: "reported-vote-counted",
  what: "a vote of an earlier ballot that a promise reports counts for the present one",
  roles: (real) =>
    replaceIn(real, "synod-proposer", { actions: { pickValue: countReports(real) } }),
  hunt: {
    plan: duels,
    seedsMax: 10,
    catches: ["learnedIsChosen"],
  },
};
