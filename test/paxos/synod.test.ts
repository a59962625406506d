/**
 * Goal: the single-decree proposer's rules agree with the paper said naively.
 * Method: fast-check, each rule alone against test/support/naive.ts. How they work together is the
 * business of synod-world.test.ts.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Ballot, ballotOwner } from "../../src/paxos/ballot.js";
import { acceptorIds } from "../../src/paxos/cluster.js";
import { digest } from "../../src/paxos/digest.js";
import {
  alreadyChosen,
  beginAttempt,
  countPromise,
  countVote,
  isPreempted,
  pickValue,
  promisesFormQuorum,
  type SynodAttempt,
  votesFormQuorum,
} from "../../src/paxos/single/synod.js";
import type { KeyNack, Vote } from "../../src/paxos/wire/messages.js";
import { naiveMajority, naivePick } from "../support/naive.js";
import { KEY, makeCluster } from "../support/synod-world.js";

const five = makeCluster(5);

/** Ballots so few that they meet. */
const ballots = fc.record({
  round: fc.integer({ min: 1, max: 5 }),
  owner: fc.constantFrom(ballotOwner("p0", "0".repeat(16)), ballotOwner("p1", "0".repeat(16))),
});

/** Votes of a sane run: one value for each ballot. */
const votes = ballots.map((ballot): Vote => {
  const value = new TextEncoder().encode(`${ballot.round}${ballot.owner}`);
  return { ballot, value, digest: digest(value) };
});

const reports = fc.array(fc.tuple(fc.constantFrom(...acceptorIds(five)), fc.option(votes)), {
  maxLength: 8,
});

function attemptWith(
  ballot: Ballot,
  promises: readonly (readonly [string, Vote | null])[],
): SynodAttempt {
  const begun: SynodAttempt = { ...beginAttempt("", 0, new Set()), ballot };
  return promises.reduce(
    (attempt, [acceptor, vote]) =>
      countPromise(attempt, acceptor, { type: "key-promise", key: KEY, ballot, vote }),
    begun,
  );
}

describe("the proposer's rules", () => {
  it("pick the value that the naive proposer picks", () => {
    fc.assert(
      fc.property(
        ballots,
        reports,
        fc.option(fc.uint8Array({ maxLength: 4 })),
        (ballot, got, own) => {
          const attempt = attemptWith(ballot, got);
          const expected = naivePick([...new Map(got).values()], own);
          fc.pre(promisesFormQuorum(attempt, five));
          const picked = pickValue(attempt, own, five);
          expect(picked?.value ?? null).toEqual(expected);
          if (picked === null) return;
          expect(picked.ballot).toEqual(ballot);
          expect(picked.digest).toBe(digest(picked.value));
        },
      ),
    );
  });

  it("count each acceptor once, and a majority as fingers do", () => {
    fc.assert(
      fc.property(ballots, reports, (ballot, got) => {
        const attempt = attemptWith(ballot, got);
        const present = new Set(got.map(([acceptor]) => acceptor));
        expect(promisesFormQuorum(attempt, five)).toBe(naiveMajority(acceptorIds(five), present));
      }),
    );
  });

  it("count no promise and no vote of another ballot or value", () => {
    fc.assert(
      fc.property(ballots, votes, fc.constantFrom("right", "wrong"), (ballot, vote, hash) => {
        const before = { ...attemptWith(ballot, []), proposed: { ...vote, ballot } };
        const sameNumber = vote.ballot.round === ballot.round && vote.ballot.owner === ballot.owner;
        const promised = countPromise(before, "a0", {
          ...vote,
          type: "key-promise",
          key: KEY,
          vote,
        });
        expect(promised.promises.has("a0")).toBe(sameNumber);
        const named = hash === "right" ? vote.digest : digest(new Uint8Array());
        const accepted = { ...vote, type: "key-accepted", key: KEY, digest: named } as const;
        const counted = countVote(before, "a0", accepted);
        expect(counted.voters.has("a0")).toBe(sameNumber && hash === "right");
        expect(before.voters.size + before.promises.size).toBe(0);
      }),
    );
  });

  it("need a majority of votes", () => {
    fc.assert(
      fc.property(ballots, fc.uniqueArray(fc.constantFrom(...acceptorIds(five))), (ballot, ids) => {
        const proposed = { ballot, value: new Uint8Array(), digest: digest(new Uint8Array()) };
        const accepted = { type: "key-accepted", key: KEY, ...proposed } as const;
        const begun: SynodAttempt = { ...attemptWith(ballot, []), proposed };
        const attempt = ids.reduce((counted, id) => countVote(counted, id, accepted), begun);
        expect(votesFormQuorum(attempt, five)).toBe(ids.length >= 3);
      }),
    );
  });

  it("take for chosen already only what a majority reports at one ballot, the highest", () => {
    fc.assert(
      fc.property(ballots, reports, (ballot, got) => {
        const known = alreadyChosen(attemptWith(ballot, got), five);
        const held = [...new Map(got)].flatMap(([id, vote]) =>
          vote === null ? [] : [{ id, vote }],
        );
        const value = naivePick(
          held.map(({ vote }) => vote),
          null,
        );
        const by = held.filter(({ vote }) => vote.value === value || equal(vote.value, value));
        const majority = naiveMajority(acceptorIds(five), new Set(by.map(({ id }) => id)));
        expect(known?.vote.value ?? null).toEqual(majority ? value : null);
        if (known !== null)
          expect(new Set(known.syncedBy)).toEqual(new Set(by.map(({ id }) => id)));
      }),
      { numRuns: 500 },
    );
  });

  it("give up for a higher promise and for nothing else", () => {
    const attempt = attemptWith({ round: 3, owner: "p1" }, []);
    const refusal = (ballot: Ballot, promised: Ballot | null): KeyNack => {
      return { type: "key-nack", key: KEY, ballot, promised, reason: "stale" };
    };
    const mine = attempt.ballot;
    expect(isPreempted(attempt, refusal(mine, { round: 3, owner: "p2" }))).toBe(true);
    expect(isPreempted(attempt, refusal(mine, { round: 4, owner: "p0" }))).toBe(true);
    expect(isPreempted(attempt, refusal(mine, mine))).toBe(false);
    expect(isPreempted(attempt, refusal(mine, { round: 3, owner: "p0" }))).toBe(false);
    expect(isPreempted(attempt, refusal(mine, null))).toBe(false);
    const other = refusal({ round: 2, owner: "p1" }, { round: 4, owner: "p0" });
    expect(isPreempted(attempt, other)).toBe(false);
  });
});

function equal(a: Uint8Array, b: Uint8Array | null): boolean {
  return b !== null && a.join() === b.join();
}
