/**
 * Goal: the chain (1) ⇐ (2) ⇐ (3) says what the evidence shows, no more: what is missing is named,
 * and so is whatever contradicts it.
 * Method: evidence written by hand, one thing changed in each.
 */
import { describe, expect, it } from "vitest";
import type { BallotValue } from "../../src/paxos/proof/evidence.js";
import {
  type HeldBasis,
  type Learned,
  type ProofEvidence,
  prove,
  type StoredVote,
} from "../../src/paxos/proof/proof.js";
import { testCluster } from "../support/steps.js";

const cluster = testCluster();
const bal = (round: number) => ({ round, owner: `p${round}.0123456789abcdef` });
const at = (round: number, digest = "v"): BallotValue => ({ ballot: bal(round), digest });

function stored(n: number, vote: BallotValue | null, promised = 5, trimmed = 0): StoredVote {
  const life = { incarnation: 1, writeNumber: 7, promised: bal(promised), trimmed };
  return { acceptor: `a${n}`, ...life, vote };
}

function learned(syncedBy: readonly number[], vote = at(5), n = 1): Learned {
  return { learner: `l${n}`, ...vote, syncedBy: syncedBy.map((one) => `a${one}`) };
}

function basis(
  votes: readonly (readonly [number, BallotValue | null])[],
  rest: Partial<HeldBasis> = {},
): HeldBasis {
  const promises = votes.map(([n, vote]) => {
    return { acceptor: `a${n}`, incarnation: 1, answer: 0, vote };
  });
  return { ballot: bal(5), keptBy: "learner l1", start: 0, cutAt: null, promises, ...rest };
}

const good: ProofEvidence = {
  slot: 3,
  learned: [learned([1, 2])],
  stored: [stored(1, at(5)), stored(2, at(5)), stored(3, null)],
  bases: [
    basis([
      [1, null],
      [2, null],
    ]),
  ],
};
const proofOf = (change: Partial<ProofEvidence> = {}) => prove({ ...good, ...change }, cluster);
const standings = (change: Partial<ProofEvidence>) =>
  proofOf(change).votes.map(({ standing }) => standing);

describe("a chain with all its evidence", () => {
  it("is shown from the stores, and its leader was free", () => {
    expect(proofOf()).toMatchObject({
      ...{ slot: 3, ballot: bal(5), digest: "v", votesFrom: "stores", highest: null },
      ...{ missing: [], contradictions: [] },
    });
    expect(standings({})).toEqual(["voted", "voted", "not"]);
  });

  it("names the highest vote that was reported, which is for its value", () => {
    const bases = [
      basis([
        [1, at(2, "w")],
        [2, at(4)],
      ]),
    ];
    expect(proofOf({ bases })).toMatchObject({ highest: at(4), contradictions: [] });
  });

  it("is told at the highest ballot at which stores hold a quorum", () => {
    const later = [stored(1, at(7), 7), stored(2, at(7), 7), stored(3, at(5), 7)];
    const proof = proofOf({
      stored: later,
      bases: [
        basis(
          [
            [1, at(5)],
            [2, at(5)],
          ],
          { ballot: bal(7) },
        ),
      ],
    });
    expect(proof).toMatchObject({ ballot: bal(7), votesFrom: "stores", highest: at(5) });
    expect(proof.votes.map(({ standing }) => standing)).toEqual(["voted", "voted", "before"]);
    expect(proof.contradictions).toEqual([]);
  });
});

it("tells the highest ballot of several at which stores hold a quorum", () => {
  const one = testCluster({}, { quorums: { kind: "flexible", phase1: 3, phase2: 1 } });
  const some = [stored(1, at(5), 7), stored(2, at(7), 7), stored(3, at(6), 7)];
  expect(prove({ ...good, stored: some }, one).ballot).toEqual(bal(7));
});

describe("evidence that is missing", () => {
  it("votes that later ones replaced, or whose stores are silent: the tally tells of them", () => {
    const some = [stored(1, at(7), 7), stored(3, null)];
    expect(standings({ stored: some })).toEqual(["again", "silent", "not"]);
    expect(proofOf({ stored: some })).toMatchObject({ votesFrom: "tally", ballot: bal(5) });
  });

  it("a quorum of votes", () => {
    const proof = proofOf({ learned: [learned([1])], stored: [stored(1, at(5))] });
    expect(proof.votesFrom).toBeNull();
    expect(proof.missing[0]).toMatch(/votes of a phase-2 quorum .*: a2, a3 did not answer/);
  });

  it("a quorum of votes, where a learner names voters of several ballots", () => {
    const mixed = { learned: [learned([1, 2])], stored: [stored(1, at(5)), stored(2, at(4))] };
    expect(proofOf(mixed)).toMatchObject({ votesFrom: null, contradictions: [] });
  });

  it("votes that are trimmed", () => {
    const trimmed = [1, 2, 3].map((n) => stored(n, null, 5, 4));
    expect(standings({ stored: trimmed })).toEqual(["forgotten", "forgotten", "forgotten"]);
    expect(proofOf({ stored: trimmed })).toMatchObject({ votesFrom: "tally", contradictions: [] });
  });

  it("the promises of the ballot, or their votes of the slot", () => {
    const others = [
      basis(
        [
          [1, null],
          [2, null],
        ],
        { ballot: bal(4) },
      ),
    ];
    const none = proofOf({ bases: others });
    expect(none.basis).toBeNull();
    expect(none.missing[0]).toMatch(/^the promises of ballot 5\.p5.* are not kept any more/);
    const cut = proofOf({
      bases: [
        basis(
          [
            [1, null],
            [2, null],
          ],
          { cutAt: 3 },
        ),
      ],
    });
    expect(cut.missing[0]).toMatch(/too many to be kept/);
  });
});

describe("what contradicts the chain", () => {
  it.each<[string, Partial<ProofEvidence>, RegExp]>([
    [
      "another value at a ballot that is not lower",
      { stored: [stored(1, at(5)), stored(2, at(5)), stored(3, at(6, "w"), 6)] },
      /^a3 voted for another value at ballot 6/,
    ],
    [
      "another value that is learned",
      { learned: [learned([1, 2]), learned([2, 3], at(6, "w"), 2)] },
      /^l2 takes another value for chosen: w/,
    ],
    [
      "a vote that is counted, and was never kept",
      { learned: [learned([1, 3])] },
      /^a3 is said to have voted for it, but its store holds no vote/,
    ],
    [
      "a promise that is forgotten",
      { stored: [stored(1, at(5)), stored(2, at(5), 4), stored(3, null)] },
      /^a2 promised ballot 5.*, but its store forgot it/,
    ],
    ["promises that are no quorum", { bases: [basis([[1, null]])] }, /no phase-1 quorum/],
    [
      "a highest vote for another value",
      {
        bases: [
          basis([
            [1, at(4, "w")],
            [2, at(3)],
          ]),
        ],
      },
      /^the highest vote reported .* is for another value, at 4/,
    ],
    [
      "a slot that the ballot may not propose in",
      {
        bases: [
          basis(
            [
              [1, null],
              [2, null],
            ],
            { start: 4 },
          ),
        ],
      },
      /may propose from slot 4 on only/,
    ],
  ])("%s", (_name, change, words) => {
    const { contradictions } = proofOf(change);
    expect(contradictions).toEqual([expect.stringMatching(words)]);
  });

  it("not a vote for another value at a lower ballot", () => {
    const old = [stored(1, at(5)), stored(2, at(5)), stored(3, at(4, "w"))];
    expect(proofOf({ stored: old }).contradictions).toEqual([]);
  });
});
