/**
 * Goal: single-decree Synod keeps the invariants under any schedule, chooses a value once left in
 * peace, and a broken rule is found out.
 * Method: the small world of test/support/synod-world.ts, judged after every step; then the
 * same world with one rule broken by hand, which the invariant that names the fault must catch.
 */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { suspendAssertions } from "../../src/paxos/assert.js";
import { compareBallots } from "../../src/paxos/ballot.js";
import type { Cluster } from "../../src/paxos/cluster.js";
import { AcceptorState, recoverAcceptor } from "../../src/paxos/consensus/acceptor.js";
import { chosenProposals } from "../../src/paxos/proof/evidence.js";
import { firstViolation } from "../../src/paxos/proof/invariants.js";
import type { QuorumSystem } from "../../src/paxos/quorum.js";
import { pickValue, type SynodAttempt } from "../../src/paxos/single/synod.js";
import type { Vote } from "../../src/paxos/wire/messages.js";
import { makeCluster, type Rules, type Step, SynodWorld } from "../support/synod-world.js";

function stepOf(kind: Step["kind"]): fc.Arbitrary<Step> {
  const pick = fc.oneof(fc.nat({ max: 60 }), fc.nat({ max: 4 }));
  return fc.record({ kind: fc.constant(kind), pick });
}

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 30, arbitrary: stepOf("deliver") },
  { weight: 2, arbitrary: stepOf("begin") },
  { weight: 1, arbitrary: stepOf("lose") },
  { weight: 1, arbitrary: stepOf("repeat") },
  { weight: 1, arbitrary: stepOf("crashAcceptor") },
  { weight: 1, arbitrary: stepOf("crashProposer") },
);

/** One begins; after that the schedule says. */
const schedules = fc.array(step, { minLength: 30, maxLength: 100 });

interface WorldShape {
  readonly acceptors: number;
  readonly wishes: readonly (string | null)[];
  readonly quorums?: QuorumSystem;
  readonly rules?: Partial<Rules>;
}

function countFacts({ evidence }: SynodWorld): number {
  const { proposals, requests, looks, learned } = evidence;
  return proposals.length + requests.length + looks.length + learned.length;
}

/** Runs a schedule, judging after every step; returns the world, or throws the violation. */
function run(shape: WorldShape, schedule: readonly Step[]): SynodWorld {
  const world = new SynodWorld(
    makeCluster(shape.acceptors, shape.quorums),
    shape.wishes,
    shape.rules,
  );
  world.begin(0);
  for (const one of schedule) {
    const known = countFacts(world);
    world.step(one);
    if (countFacts(world) === known) continue;
    const violation = firstViolation(world.evidence);
    if (violation !== null) throw new Error(violation);
  }
  return world;
}

/** Looks for a schedule that breaks an invariant. @returns the shortest violation found */
function findViolation(shape: WorldShape, numRuns: number): string | null {
  let violation: string | null = null;
  const details = fc.check(
    fc.property(schedules, (schedule) => {
      try {
        run(shape, schedule);
      } catch (error) {
        violation = (error as Error).message;
        return false;
      }
      return true;
    }),
    { numRuns, seed: 1, endOnFailure: true },
  );
  return details.failed ? violation : null;
}

const shapes: readonly (readonly [string, WorldShape])[] = [
  ["3 acceptors, 2 proposers", { acceptors: 3, wishes: ["x", "y"] }],
  ["3 acceptors, 3 proposers and a reader", { acceptors: 3, wishes: ["x", "y", "z", null] }],
  ["5 acceptors, 3 proposers", { acceptors: 5, wishes: ["x", "y", "z"] }],
  [
    "4 acceptors, flexible quorums of 3 and 2",
    {
      acceptors: 4,
      wishes: ["x", "y"],
      quorums: { kind: "flexible", phase1: 3, phase2: 2 },
    },
  ],
  [
    "a grid of 2 rows",
    {
      acceptors: 4,
      wishes: ["x", "y"],
      quorums: {
        kind: "grid",
        rows: [
          ["a0", "a1"],
          ["a2", "a3"],
        ],
      },
    },
  ],
];

describe("a small world under any schedule", () => {
  it.each(shapes)("keeps every invariant: %s", (_name, shape) => {
    let chosen = 0;
    let refused = 0;
    let adopted = 0;
    fc.assert(
      fc.property(schedules, (schedule) => {
        const { evidence } = run(shape, schedule);
        chosen += chosenProposals(evidence).length;
        refused += evidence.requests.filter(({ answer }) => answer === "stale").length;
        adopted += evidence.proposals.filter(({ reports }) => reports?.some((r) => r.vote)).length;
      }),
      { numRuns: 120 },
    );
    expect({ chosen, refused, adopted }).toEqual({
      chosen: expect.toSatisfy((count: number) => count > 0),
      refused: expect.toSatisfy((count: number) => count > 0),
      adopted: expect.toSatisfy((count: number) => count > 0),
    });
  });

  it.each(shapes)("chooses a value once it is healed, and it stays: %s", (_name, shape) => {
    fc.assert(
      fc.property(schedules, (schedule) => {
        const world = run(shape, schedule);
        const before = chosenProposals(world.evidence)[0]?.digest;
        const learned = world.heal(0, 100);
        expect(learned).not.toBeNull();
        expect(learned).toBe(before ?? learned);
        for (const index of shape.wishes.keys()) expect(world.heal(index, 100)).toBe(learned);
        expect(firstViolation(world.evidence)).toBeNull();
      }),
      { numRuns: 60 },
    );
  });
});

function expectViolation({ evidence }: SynodWorld, sentence: RegExp | null): void {
  if (sentence === null) expect(firstViolation(evidence)).toBeNull();
  else expect(firstViolation(evidence)).toMatch(sentence);
}

/** A wrong rule: takes the lowest vote reported. */
function pickLowest(attempt: SynodAttempt, own: Uint8Array | null, cluster: Cluster): Vote | null {
  const held = [...attempt.promises].filter(([, vote]) => vote !== null);
  const [lowest] = held.sort(([, a], [, b]) =>
    compareBallots((a as Vote).ballot, (b as Vote).ballot),
  );
  return pickValue({ ...attempt, promises: new Map(lowest && [lowest]) }, own, cluster);
}

describe("a broken rule is caught", () => {
  // The worlds must see the fault by themselves: with assertions a role stops before it does harm.
  let resumeAssertions = () => {};
  beforeEach(() => {
    resumeAssertions = suspendAssertions();
  });
  afterEach(() => resumeAssertions());

  const duel = { acceptors: 3, wishes: ["x", "y", "z"] };

  it("a proposer that ignores the votes reported to it", () => {
    const pickOwn: Rules["pickValue"] = (attempt, own, cluster) => {
      return pickValue({ ...attempt, promises: new Map() }, own, cluster);
    };
    expect(findViolation({ ...duel, rules: { pickValue: pickOwn } }, 500)).toMatch(/^phase 2a: /);
  });

  it.each([
    ["highest vote reported", pickValue, null],
    ["lowest", pickLowest, /^phase 2a: /],
  ])("a proposer that adopts the %s", (_name, pick, violation) => {
    const world = new SynodWorld(makeCluster(3), duel.wishes, { pickValue: pick });
    world.begin(0);
    world.phase("a0", "a1");
    world.phase("a0"); // a0 votes for x
    world.begin(1);
    world.phase("a1", "a2");
    world.phase("a1", "a2"); // y is chosen
    world.begin(2);
    world.phase("a0", "a1"); // both are reported
    expect(world.evidence.proposals).toHaveLength(3);
    expectViolation(world, violation);
  });

  it("a proposer that does not wait for a phase-1 quorum", () => {
    const rules = { promisesFormQuorum: () => true };
    expect(findViolation({ ...duel, rules }, 500)).toMatch(/^phase 2a: /);
  });

  it.each([
    ["draws a new name", undefined, null],
    ["uses its numbers twice", () => "0".repeat(16), /^one value: /],
  ])("a proposer that forgets a proposal and %s", (_name, nonce, violation) => {
    const world = new SynodWorld(makeCluster(3), ["x"], nonce && { nonce });
    world.begin(0);
    for (let step = 0; step < 6; step++) world.step({ kind: "deliver", pick: 0 });
    expect(world.evidence.proposals).toHaveLength(1);
    world.network.length = 0;
    world.crashProposer(0);
    world.begin(0);
    world.drain();
    expect(world.evidence.proposals).toHaveLength(2);
    expectViolation(world, violation);
  });

  it("a proposer that takes one vote for a quorum", () => {
    const rules: Partial<Rules> = { votesFormQuorum: ({ voters }) => voters.size > 0 };
    expect(findViolation({ ...duel, rules }, 500)).toMatch(/^learned: /);
  });

  it("a proposer that counts votes for other ballots", () => {
    const rules: Partial<Rules> = {
      countVote: (attempt, acceptor) => {
        return { ...attempt, voters: new Set(attempt.voters).add(acceptor) };
      },
    };
    expect(findViolation({ ...duel, rules }, 2000)).toMatch(/^learned: /);
  });

  it("an acceptor that accepts whatever comes", () => {
    const rules = { judgeKey: () => null };
    expect(findViolation({ ...duel, rules }, 500)).toMatch(/^(P1a|promise): /);
  });

  it("an acceptor that forgets its promise at a crash", () => {
    const forget: Rules["recoverAcceptor"] = (records, life, limits) => {
      return recoverAcceptor(
        records.flatMap((record) => {
          if (record.kind !== "key" || record.vote === null) return [];
          return [{ ...record, promised: record.vote.ballot }];
        }),
        life,
        limits,
      );
    };
    expect(findViolation({ ...duel, rules: { recoverAcceptor: forget } }, 2000)).toMatch(
      /^promise: /,
    );
  });

  it("an acceptor that forgets everything at a crash", () => {
    const rules = { recoverAcceptor: () => new AcceptorState() };
    expect(findViolation({ ...duel, rules }, 500)).toMatch(/^promise: /);
  });

  it("an acceptor that does not report its vote", () => {
    const rules: Partial<Rules> = {
      promiseKey: (state, { key, ballot }) => {
        const vote = state.keys.get(key)?.vote ?? null;
        state.keys.set(key, { promised: ballot, vote });
        const records = [{ kind: "key", key, promised: ballot, vote }] as const;
        return { records, answers: [{ type: "key-promise", key, ballot, vote: null }] };
      },
    };
    expect(findViolation({ ...duel, rules }, 2000)).toMatch(/^P2c: /);
  });

  it.each<QuorumSystem>([
    { kind: "flexible", phase1: 1, phase2: 2 },
    { kind: "flexible", phase1: 2, phase2: 1 },
  ])("quorums that miss each other: $phase1 and $phase2 of 3", (quorums) => {
    expect(findViolation({ ...duel, quorums }, 2000)).toMatch(/^(P2b|P2a|P2|agreement): /);
  });
});
