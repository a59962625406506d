/** Quorums without a common acceptor: what `quorumProblems` refuses at every start. */
import type { Broken } from "./broken.js";
import { leaveOldVotes, logScene } from "./scenes.js";

export const quorumsThatMiss: Broken = {
  name: "quorums-that-miss",
  what: "two acceptors promise, but one vote is enough to choose",
  world: "decide-2",
  cluster: (real) => ({ ...real, quorums: { kind: "flexible", phase1: 2, phase2: 1 } }),
  hunt: {
    plan: logScene({
      setup: { limits: { batchCommandsMax: 1, pipelineSlotsMax: 16 } },
      fault: leaveOldVotes,
      faults: 2,
      requests: 200,
      clients: 4,
    }),
    seedsMax: 10,
    catches: ["P2a", "P2b", "agreement", "learnedIsChosen"],
  },
};
