/** Proposers that draw the same digits at every start, so that their ballots begin anew. */
import { NOTHING } from "../../kernel/effect.js";
import { type Broken, replaceIn } from "./broken.js";
import { crash, keyScene, logScene } from "./scenes.js";

export const ballotReused: Broken = {
  name: "ballot-reused",
  what: "a restarted proposer uses the ballots of its earlier life again",
  world: "decide-restart",
  nonce: () => "0".repeat(16),
  hunt: {
    plan: keyScene({ fault: (random) => crash(random, "g1"), faults: 6 }),
    seedsMax: 5,
    catches: ["noBallotTwice", "oneValuePerBallot"],
  },
};

export const roundForgotten: Broken = {
  name: "round-forgotten",
  what: "a proposer of the log does not keep its round, and draws the same digits at every start",
  nonce: () => "0".repeat(16),
  roles: (real) => replaceIn(real, "proposer", { actions: { persistRound: () => NOTHING } }),
  hunt: {
    // It dies right after its prepare, which few acceptors have heard.
    plan: logScene({
      weather: { loss: 0.5 },
      fault: (random, n) => {
        const process = `p${1 + (n % 2)}`;
        return { kind: "crashSpeaking", process, messages: 1 + random.integer(4), downMs: 1 };
      },
      faults: 16,
    }),
    seedsMax: 50,
    catches: ["noBallotTwice", "oneValuePerBallot"],
  },
};
