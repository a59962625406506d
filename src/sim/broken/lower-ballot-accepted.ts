/** An acceptor that votes for any ballot. */
import { type Broken, type Guard, realGuard, replaceIn } from "./broken.js";

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
};
