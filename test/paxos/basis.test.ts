/**
 * Goal: what is kept of a ballot's promises is what they said, within its bounds, and says where
 * it ends.
 */
import { describe, expect, it } from "vitest";
import {
  BASES_MAX,
  BASIS_VOTES_MAX,
  type Bases,
  type BasisPromise,
  hasBasis,
  makeBasis,
  noteBasis,
} from "../../src/paxos/consensus/basis.js";
import type { SlotVote } from "../../src/paxos/wire/messages.js";
import { voted } from "../support/log-messages.js";

const ballot = { round: 7, owner: "p1.aa" };
const low = { round: 3, owner: "p2.bb" };

function promise(votes: readonly SlotVote[]): BasisPromise {
  return { incarnation: 2, answer: 5, chosenWatermark: 4, votes };
}

describe("the basis of a ballot", () => {
  it("names each promise and what it reported from the first slot on, without values", () => {
    const votes = [voted(3, low, "below"), voted(4, low, "x")];
    const basis = makeBasis(
      ballot,
      4,
      new Map([
        ["a1", promise(votes)],
        ["a3", promise([])],
      ]),
    );
    const { digest } = voted(4, low, "x");
    const held = { incarnation: 2, answer: 5, chosenWatermark: 4 };
    expect(basis).toEqual({
      ...{ type: "basis", ballot, start: 4, cutAt: null },
      promises: [
        { acceptor: "a1", ...held, votes: [{ slot: 4, ballot: low, digest }] },
        { acceptor: "a3", ...held, votes: [] },
      ],
    });
  });

  it("leaves out the highest slots when they are too many, for all promises alike", () => {
    const many = Array.from({ length: BASIS_VOTES_MAX }, (_, slot) => voted(slot, low, "x"));
    const all = makeBasis(ballot, 0, new Map([["a1", promise(many)]]));
    expect(all.cutAt).toBeNull();
    const both = new Map([
      ["a1", promise(many)],
      ["a2", promise(many)],
    ]);
    const cut = makeBasis(ballot, 0, both);
    expect(cut.cutAt).toBe(BASIS_VOTES_MAX / 2);
    expect(cut.promises.map(({ votes }) => votes.length)).toEqual([512, 512]);
  });
});

describe("bases that a learner keeps", () => {
  const basisOf = (round: number, start = 0) => {
    return makeBasis({ round, owner: "p1.aa" }, start, new Map([["a1", promise([])]]));
  };

  it("are taken from the owner of the ballot, once", () => {
    const bases: Bases = new Map();
    noteBasis(bases, "p2", basisOf(1));
    expect(hasBasis(bases, basisOf(1).ballot)).toBe(false);
    noteBasis(bases, "p1", basisOf(1, 3));
    noteBasis(bases, "p1", basisOf(1, 9));
    expect([...bases.values()].map(({ start }) => start)).toEqual([3]);
  });

  it("are so many at most; the one heard of first goes first", () => {
    const bases: Bases = new Map();
    for (let round = 1; round <= BASES_MAX + 2; round++) noteBasis(bases, "p1", basisOf(round));
    expect(bases.size).toBe(BASES_MAX);
    expect(hasBasis(bases, basisOf(2).ballot)).toBe(false);
    expect(hasBasis(bases, basisOf(3).ballot)).toBe(true);
  });
});
