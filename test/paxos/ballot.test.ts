/** Goal: ballots are totally ordered and never repeat. Method: fast-check over few ballots. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Ballot,
  ballotOwner,
  ballotProposer,
  compareBallots,
  formatBallot,
  higherBallot,
  isLower,
  nextBallot,
  sameBallot,
} from "../../src/paxos/ballot.js";

const rounds = fc.oneof(
  fc.integer({ min: 1, max: 4 }),
  fc.integer({ min: Number.MAX_SAFE_INTEGER - 2, max: Number.MAX_SAFE_INTEGER }),
);
const id = fc.string({
  unit: fc.constantFrom("a", "b", "9", "_", "-"),
  minLength: 1,
  maxLength: 3,
});
const nonce = fc.constantFrom("0".repeat(16), `${"0".repeat(15)}1`, "f".repeat(16));
const owners = fc.tuple(id, nonce).map(([proposer, text]) => ballotOwner(proposer, text));
const ballots = fc.record({ round: rounds, owner: owners });
const maybe = fc.option(ballots, { freq: 4 });

/** Round, then the owner's bytes, said another way. */
function naiveSign(a: Ballot, b: Ballot): number {
  if (a.round !== b.round) return a.round < b.round ? -1 : 1;
  return Math.sign(Buffer.compare(Buffer.from(a.owner), Buffer.from(b.owner)));
}

describe("ballots", () => {
  it("are ordered by round, then by the owner's bytes", () => {
    fc.assert(
      fc.property(ballots, ballots, (a, b) => {
        expect(Math.sign(compareBallots(a, b))).toBe(naiveSign(a, b));
      }),
    );
  });

  it("are totally ordered: antisymmetric, transitive, equal only to themselves", () => {
    fc.assert(
      fc.property(ballots, ballots, ballots, (a, b, c) => {
        expect(Math.sign(compareBallots(a, b))).toBe(-Math.sign(compareBallots(b, a)) + 0);
        const [low, middle, high] = [a, b, c].sort(compareBallots) as [Ballot, Ballot, Ballot];
        expect(compareBallots(low, middle)).toBeLessThanOrEqual(0);
        expect(compareBallots(middle, high)).toBeLessThanOrEqual(0);
        expect(compareBallots(low, high)).toBeLessThanOrEqual(0);
        expect(sameBallot(a, b)).toBe(compareBallots(a, b) === 0);
        expect(sameBallot(a, b)).toBe(formatBallot(a) === formatBallot(b));
      }),
    );
  });

  it("stand above no ballot at all", () => {
    fc.assert(
      fc.property(maybe, maybe, (a, b) => {
        expect([isLower(a, b), sameBallot(a, b), isLower(b, a)].filter(Boolean)).toHaveLength(1);
        if (b !== null) expect(isLower(null, b)).toBe(true);
        expect(isLower(a, null)).toBe(false);
        const higher = higherBallot(a, b);
        expect(isLower(higher, a) || isLower(higher, b)).toBe(false);
        expect(sameBallot(higher, a) || sameBallot(higher, b)).toBe(true);
      }),
    );
  });

  it("that come next are above every round seen, and never those of another owner", () => {
    fc.assert(
      fc.property(ballots, owners, owners, (seen, one, other) => {
        fc.pre(seen.round < Number.MAX_SAFE_INTEGER);
        const next = nextBallot(one, seen.round);
        expect(isLower(seen, next)).toBe(true);
        expect(sameBallot(next, nextBallot(other, seen.round))).toBe(one === other);
      }),
    );
  });

  it("name the proposer that owns them", () => {
    fc.assert(
      fc.property(id, nonce, (proposer, text) => {
        expect(ballotProposer(nextBallot(ballotOwner(proposer, text), 0))).toBe(proposer);
      }),
    );
    expect(ballotProposer({ round: 1, owner: "p1" })).toBe("p1");
    expect(formatBallot({ round: 7, owner: "p1.00ff" })).toBe("7.p1.00ff");
  });
});
