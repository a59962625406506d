/** An acceptor that accepts nothing. */
import { type Broken, type Guard, realGuard, replaceIn } from "./broken.js";
import { keyScene } from "./scenes.js";

export const firstProposalRefused: Broken = {
  name: "first-proposal-refused",
  what: "an acceptor refuses every proposal, also that of the ballot it promised",
  world: "decide-2",
  roles: (real) => {
    const orAccept =
      (guard: Guard): Guard =>
      (args) =>
        /accept$/.test(args.event.type) || guard(args);
    return replaceIn(real, "acceptor", {
      guards: {
        ballotIsRefused: orAccept(realGuard(real, "acceptor", "ballotIsRefused")),
        keyIsRefused: orAccept(realGuard(real, "acceptor", "keyIsRefused")),
      },
    });
  },
  hunt: { plan: keyScene({}), seedsMax: 5, catches: ["P1"] },
};
