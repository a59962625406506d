/** Who plays what in chaos: the workers of each placement. */
import { type Crew, colocated, separated } from "../fleet.js";

/** Who is who in a fleet. */
export interface Casting {
  readonly crews: readonly Crew[];
  /** Has a disk of its own, which can be filled. */
  readonly small: string;
  /** Workers that are ended so that `l1` is the only learner. */
  readonly others: readonly string[];
  /** The worker of `l1`, and those that take over from it with nothing remembered. */
  readonly first: string;
  readonly anew: readonly string[];
}

/** What can be run, by placement. */
export const castings = {
  separated: {
    crews: separated,
    small: "a3",
    others: ["l2", "g1"],
    first: "l1",
    anew: ["l2"],
  },
  colocated: {
    crews: colocated,
    small: "node3",
    others: ["node2", "node3"],
    first: "node1",
    anew: ["node2", "node3"],
  },
} as const satisfies Record<string, Casting>;
