/** A proposer that draws the same digits at every start, so that its ballots begin anew. */
import type { Broken } from "./broken.js";

export const ballotReused: Broken = {
  name: "ballot-reused",
  what: "a restarted proposer uses the ballots of its earlier life again",
  world: "decide-restart",
  nonce: () => "0".repeat(16),
};
