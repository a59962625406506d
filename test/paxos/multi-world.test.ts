/**
 * Goal: the log keeps the invariants under any schedule, chooses everything once left in peace, and
 * learners apply one log, however they hear of it.
 * Method: the small world of test/support/multi-world.ts, judged after every step. The broken rules
 * that it must catch are in multi-broken.test.ts.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type LogShape, runLog, schedules } from "../support/multi-schedule.js";

const grid = [
  ["a0", "a1"],
  ["a2", "a3"],
];

const shapes: readonly (readonly [string, LogShape])[] = [
  ["majority of 3, announcements", { acceptors: 3, proposers: 2, hearing: "announcements" }],
  ["majority of 3, tallies", { acceptors: 3, proposers: 3, hearing: "tallies" }],
  ["majority of 3, repair only", { acceptors: 3, proposers: 2, hearing: "repair" }],
  ["majority of 5, announcements", { acceptors: 5, proposers: 3, hearing: "announcements" }],
  ["majority of 5, repair only", { acceptors: 5, proposers: 2, hearing: "repair" }],
  [
    "flexible quorums of 4 and 2, tallies",
    {
      acceptors: 5,
      proposers: 2,
      hearing: "tallies",
      quorums: { kind: "flexible", phase1: 4, phase2: 2 },
    },
  ],
  [
    "flexible quorums of 2 and 3, repair only",
    {
      acceptors: 4,
      proposers: 2,
      hearing: "repair",
      quorums: { kind: "flexible", phase1: 2, phase2: 3 },
    },
  ],
  [
    "a grid of 2 rows, announcements",
    {
      acceptors: 4,
      proposers: 2,
      hearing: "announcements",
      quorums: { kind: "grid", rows: grid },
    },
  ],
];

describe("a small world of the log under any schedule", () => {
  it.each(shapes)("keeps every invariant and heals: %s", (_name, shape) => {
    const total: Record<string, number> = {};
    fc.assert(
      fc.property(schedules, (schedule) => {
        const world = runLog(shape, schedule);
        const before = new Map(
          [...world.facts.slots.keys()].map((slot) => [slot, world.chosenIn(slot)]),
        );
        expect(world.heal("p0")).toBeNull();
        expect(world.facts.violation()).toBeNull();
        expect(world.facts.finalViolation()).toBeNull();
        for (const [slot, digest] of before) {
          if (digest !== null) expect(world.chosenIn(slot)).toBe(digest);
        }
        for (const [name, count] of Object.entries(world.counted)) {
          total[name] = (total[name] ?? 0) + count;
        }
      }),
      { numRuns: 60 },
    );
    const idle = Object.entries(total).filter(([, count]) => count === 0);
    expect(idle).toEqual([]);
    expect(Object.keys(total)).toHaveLength(8);
  });
});
