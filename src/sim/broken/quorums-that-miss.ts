/** Quorums without a common acceptor: what `quorumProblems` refuses at every start. */
import type { Broken } from "./broken.js";
import { oldVotes } from "./scenes.js";

export const quorumsThatMiss: Broken = {
  name: "quorums-that-miss",
  what: "two acceptors promise, but one vote is enough to choose",
  world: "decide-2",
  cluster: (real) => ({ ...real, quorums: { kind: "flexible", phase1: 2, phase2: 1 } }),
  hunt: {
    plan: oldVotes,
    seedsMax: 10,
    catches: ["P2a", "P2b", "agreement", "learnedIsChosen"],
  },
};
