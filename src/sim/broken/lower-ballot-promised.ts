/** An acceptor that promises whatever it is asked to. */
import { type Broken, type Guard, realGuard, replaceIn } from "./broken.js";
import { keyScene } from "./scenes.js";

export const lowerBallotPromised: Broken = {
  name: "lower-ballot-promised",
  what: "an acceptor promises a ballot below the one it promised before",
  roles: (real) => {
    const unlessPrepare =
      (guard: Guard): Guard =>
      (args) =>
        !/prepare$/.test(args.event.type) && guard(args);
    return replaceIn(real, "acceptor", {
      guards: {
        ballotIsRefused: unlessPrepare(realGuard(real, "acceptor", "ballotIsRefused")),
        keyIsRefused: unlessPrepare(realGuard(real, "acceptor", "keyIsRefused")),
      },
    });
  },
  hunt: {
    plan: keyScene({ setup: { placement: "colocated" }, weather: { reorder: 0.3 } }),
    seedsMax: 5,
    catches: ["promisesNeverFall"],
  },
};
