/** Ballots that are rounds alone: two proposers use the same one. */
import { assign } from "xstate";
import { type Broken, type Roles, realAssign, replaceIn } from "./broken.js";
import { keyScene } from "./scenes.js";

interface Owned {
  readonly owner: string;
}

/** Begins ballots in nobody's name. */
function nameless(real: Roles): Roles {
  const begin = realAssign<Owned, unknown>(real, "proposer", "beginBallot");
  const attempt = realAssign<Owned, unknown>(real, "synod-proposer", "beginAttempt");
  const owner = `p.${"0".repeat(16)}`;
  const anonymous = (assignment: typeof begin) =>
    assign(({ context, event }: { context: Owned; event: unknown }) =>
      assignment({ context: { ...context, owner }, event }),
    );
  const both = replaceIn(real, "proposer", { actions: { beginBallot: anonymous(begin) } });
  return replaceIn(both, "synod-proposer", { actions: { beginAttempt: anonymous(attempt) } });
}

export const ballotShared: Broken = {
  name: "ballot-shared",
  what: "ballots are rounds alone, so that two processes use one ballot",
  roles: nameless,
  hunt: {
    plan: keyScene({ setup: { placement: "colocated" } }),
    seedsMax: 5,
    catches: ["noBallotTwice", "oneValuePerBallot"],
  },
};
