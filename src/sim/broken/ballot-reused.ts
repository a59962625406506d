/** A proposer that draws the same digits at every start, so that its ballots begin anew. */
import type { Broken } from "./broken.js";
import { crash, keyScene } from "./scenes.js";

export const ballotReused: Broken = {
  name: "ballot-reused",
  what: "a restarted proposer uses the ballots of its earlier life again",
  world: "decide-restart",
  nonce: () => "0".repeat(16),
  hunt: {
    plan: keyScene({ fault: (random) => crash(random, "g1"), faults: 6 }),
    seedsMax: 10,
    catches: ["noBallotTwice", "oneValuePerBallot"],
  },
};
