/**
 * Goal: what the checker calls sound is sound, and what it refuses it refuses for a reason.
 * Method: brute force over all pairs of subsets of up to 7 acceptors.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  describeQuorums,
  findDisjointQuorums,
  isPhase1Quorum,
  isPhase2Quorum,
  type QuorumSystem,
  quorumProblems,
} from "../../src/paxos/quorum.js";
import { naiveMajority, subsets } from "../support/naive.js";

const members = (count: number): string[] => Array.from({ length: count }, (_, i) => `a${i}`);

/** Both kinds of quorums, as bit masks over the acceptors. */
function quorumMasks(system: QuorumSystem, acceptors: readonly string[]) {
  const all = subsets(acceptors);
  const masks = all.map((_, mask) => mask);
  return {
    phase1: masks.filter((mask) => isPhase1Quorum(system, acceptors, all[mask] as Set<string>)),
    phase2: masks.filter((mask) => isPhase2Quorum(system, acceptors, all[mask] as Set<string>)),
  };
}

function everyPairMeets(system: QuorumSystem, acceptors: readonly string[]): boolean {
  const { phase1, phase2 } = quorumMasks(system, acceptors);
  return phase1.every((one) => phase2.every((two) => (one & two) !== 0));
}

/** Every majority and flexible system of up to 7 acceptors, sizes out of range included. */
const counted: (readonly [QuorumSystem, string[]])[] = [1, 2, 3, 4, 5, 6, 7].flatMap((count) => {
  const sizes = Array.from({ length: count + 2 }, (_, size) => size);
  const systems: QuorumSystem[] = [
    { kind: "majority" },
    ...sizes.flatMap((phase1) =>
      sizes.map((phase2) => ({ kind: "flexible", phase1, phase2 }) as const),
    ),
  ];
  return systems.map((system) => [system, members(count)] as const);
});

/** Grids of some acceptors, each in some row. */
const grids = fc.integer({ min: 1, max: 7 }).chain((count) =>
  fc.array(fc.nat({ max: 3 }), { minLength: count, maxLength: count }).map((rowOf) => {
    const acceptors = members(count);
    const rows = [0, 1, 2, 3].map((row) => acceptors.filter((_, index) => rowOf[index] === row));
    return { acceptors, rows: rows.filter((row) => row.length > 0) };
  }),
);

describe("quorum systems", () => {
  it("that count are called sound exactly if every pair meets and both kinds exist", () => {
    let sound = 0;
    for (const [system, acceptors] of counted) {
      const { phase1, phase2 } = quorumMasks(system, acceptors);
      const useful = phase1.length > 0 && phase2.length > 0 && !phase1.includes(0);
      const expected = useful && !phase2.includes(0) && everyPairMeets(system, acceptors);
      const problems = quorumProblems(system, acceptors);
      expect([describeQuorums(system, acceptors), problems.length === 0]).toEqual([
        describeQuorums(system, acceptors),
        expected,
      ]);
      if (expected) sound++;
    }
    expect(sound).toBeGreaterThan(7);
  });

  it("that miss each other are shown by two disjoint quorums", () => {
    let refused = 0;
    for (const [system, acceptors] of counted) {
      const found = findDisjointQuorums(system, acceptors);
      if (found === null) {
        expect(everyPairMeets(system, acceptors)).toBe(true);
        continue;
      }
      expect(isPhase1Quorum(system, acceptors, new Set(found.phase1))).toBe(true);
      expect(isPhase2Quorum(system, acceptors, new Set(found.phase2))).toBe(true);
      expect(found.phase1.filter((one) => found.phase2.includes(one))).toEqual([]);
      refused++;
    }
    expect(refused).toBeGreaterThan(0);
    const [problem] = quorumProblems({ kind: "flexible", phase1: 2, phase2: 1 }, members(3));
    expect(problem).toMatch(/\{a0, a1\} \(phase 1\) and \{a2\} \(phase 2\).*greater than 3/);
  });

  it("never count a stranger, and never lose a quorum by one more answer", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...counted),
        fc.nat({ max: 127 }),
        ([system, acceptors], mask) => {
          const present = new Set(acceptors.filter((_, bit) => (mask >> bit) & 1));
          for (const isQuorum of [isPhase1Quorum, isPhase2Quorum]) {
            const before = isQuorum(system, acceptors, present);
            expect(isQuorum(system, acceptors, new Set([...present, "stranger"]))).toBe(before);
            for (const more of acceptors) {
              if (before)
                expect(isQuorum(system, acceptors, new Set([...present, more]))).toBe(true);
            }
          }
        },
      ),
    );
  });

  it("of majorities are majorities, counted on fingers", () => {
    for (const count of [1, 2, 3, 4, 5, 6, 7]) {
      for (const present of subsets(members(count))) {
        const expected = naiveMajority(members(count), present);
        expect(isPhase1Quorum({ kind: "majority" }, members(count), present)).toBe(expected);
        expect(isPhase2Quorum({ kind: "majority" }, members(count), present)).toBe(expected);
      }
    }
  });

  it("refuse a size that is no whole number", () => {
    const system: QuorumSystem = { kind: "flexible", phase1: 1.5, phase2: Number.NaN };
    expect(quorumProblems(system, members(3))).toHaveLength(2);
  });
});

describe("grids", () => {
  it("are sound if every acceptor stands in them once", () => {
    fc.assert(
      fc.property(grids, ({ acceptors, rows }) => {
        const system: QuorumSystem = { kind: "grid", rows };
        expect(quorumProblems(system, acceptors)).toEqual([]);
        expect(findDisjointQuorums(system, acceptors)).toBeNull();
        expect(everyPairMeets(system, acceptors)).toBe(true);
        const all = new Set(acceptors);
        expect(isPhase1Quorum(system, acceptors, all)).toBe(true);
        expect(isPhase2Quorum(system, acceptors, all)).toBe(true);
      }),
    );
  });

  it("take one whole row in phase 1, one of every row in phase 2", () => {
    fc.assert(
      fc.property(grids, fc.nat({ max: 127 }), ({ acceptors, rows }, mask) => {
        const system: QuorumSystem = { kind: "grid", rows };
        const present = new Set(acceptors.filter((_, bit) => (mask >> bit) & 1));
        const absentOf = rows.map((row) => row.filter((one) => !present.has(one)).length);
        const whole = absentOf.some((absent) => absent === 0);
        const touched = absentOf.every((absent, row) => absent < (rows[row]?.length ?? 0));
        expect(isPhase1Quorum(system, acceptors, present)).toBe(whole);
        expect(isPhase2Quorum(system, acceptors, present)).toBe(touched);
      }),
    );
  });

  it.each<[string, string[][], RegExp]>([
    ["has no row", [], /at least one row/],
    ["has an empty row", [["a0", "a1", "a2"], []], /every row at least one acceptor/],
    ["leaves one out", [["a0", "a1"]], /a2 stands 0 times/],
    [
      "names one twice",
      [
        ["a0", "a1"],
        ["a1", "a2"],
      ],
      /a1 stands 2 times/,
    ],
    ["names a stranger", [["a0", "a1", "a2"], ["b0"]], /names b0, which is not an acceptor/],
  ])("are refused if one %s", (_name, rows, problem) => {
    expect(quorumProblems({ kind: "grid", rows }, members(3)).join("; ")).toMatch(problem);
  });

  it("with an empty row would lead without a promise and choose nothing: why it is refused", () => {
    expect(everyPairMeets({ kind: "grid", rows: [["a0"], []] }, members(1))).toBe(true);
    const { phase1, phase2 } = quorumMasks({ kind: "grid", rows: [["a0"], []] }, members(1));
    expect([phase1.includes(0), phase2]).toEqual([true, []]);
  });
});
