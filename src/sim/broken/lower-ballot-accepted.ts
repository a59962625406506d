/** An acceptor that votes for any ballot. */
import { type Broken, type Guard, realGuard, replaceIn } from "./broken.js";
import { keyScene } from "./scenes.js";

export const lowerBallotAccepted: Broken = {
  name: "lower-ballot-accepted",
  what: "an acceptor votes for a ballot below the one it promised",
  world: "decide-2",
  roles: (real) => {
    const unlessAccept =
      (guard: Guard): Guard =>
      (args) =>
        !/accept$/.test(args.event.type) && guard(args);
    return replaceIn(real, "acceptor", {
      guards: {
        ballotIsRefused: unlessAccept(realGuard(real, "acceptor", "ballotIsRefused")),
        keyIsRefused: unlessAccept(realGuard(real, "acceptor", "keyIsRefused")),
      },
    });
  },
  hunt: {
    plan: keyScene({ setup: { placement: "colocated" }, weather: { late: 0.05, reorder: 0.3 } }),
    seedsMax: 15,
    catches: ["P1a", "promisesNeverFall", "votesNeverFall", "P2b"],
  },
};
