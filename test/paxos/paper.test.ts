/**
 * Goal: the sentences of Paxos Made Simple, sections 2.1 and 2.2, hold for our rules.
 * Method: one test a sentence, named by it; where we differ on purpose the test says "Differs:" and
 * shows how. The two phases of 2.2 and sections 2.3 to 2.5 are in paper-algorithm.test.ts, section
 * 3 is in paper-log.test.ts.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nextBallot, sameBallot } from "../../src/paxos/ballot.js";
import { acceptorIds } from "../../src/paxos/cluster.js";
import { chosenProposals } from "../../src/paxos/proof/evidence.js";
import * as inv from "../../src/paxos/proof/invariants.js";
import { isPhase1Quorum, isPhase2Quorum } from "../../src/paxos/quorum.js";
import { subsets } from "../support/naive.js";
import {
  cast,
  chosenIn,
  digestOf,
  nothing,
  numbered,
  OneAcceptor,
  voteOf,
  world,
} from "../support/paper.js";
import { KEY, makeCluster, SynodWorld } from "../support/synod-world.js";

describe("2.1 The Problem", () => {
  it("Only a value that has been proposed may be chosen", () => {
    const run = world("x", "y");
    expect([digestOf("x"), digestOf("y")]).toContain(run.heal(0, 1));
    expect(inv.validity(run.evidence)).toBeNull();
    const votes = ["a0", "a1"].map((id) => cast(id, 1, "invented"));
    expect(inv.validity({ ...run.evidence, votes })).toMatch(/^validity: .*nobody wished/);
  });

  it("If no value is proposed, then no value should be chosen", () => {
    const run = world(null);
    expect(run.heal(0, 3)).toBeNull();
    expect(run.evidence.proposals).toEqual([]);
    expect(chosenIn(run)).toEqual([]);
  });

  it("Only a single value is chosen", () => {
    const run = world("x", "y");
    run.begin(0);
    run.begin(1);
    run.drain();
    run.heal(0, 5);
    run.heal(1, 5);
    expect(new Set(run.evidence.learned.map((learned) => learned.digest)).size).toBe(1);
    const learned = [{ ...cast("", 9, "z"), by: "p1" }, ...run.evidence.learned];
    expect(inv.agreement({ ...run.evidence, learned })).toMatch(/^agreement: .* two values/);
  });

  it("A process never learns that a value has been chosen unless it actually has", () => {
    const run = world("x");
    run.begin(0);
    run.phase("a0", "a1");
    run.phase("a0");
    expect(run.evidence.learned).toEqual([]);
    run.begin(0);
    run.drain();
    expect(run.evidence.learned).not.toEqual([]);
    expect(inv.learnedIsChosen(run.evidence)).toBeNull();
    const votes = run.evidence.votes.filter(({ acceptor }) => acceptor === "a0");
    expect(inv.learnedIsChosen({ ...run.evidence, votes })).toMatch(/voters are \{a0/);
  });

  it("Agents operate at arbitrary speed, may fail by stopping, and may restart", () => {
    const run = world("x", "y");
    run.begin(0);
    run.phase("a0", "a1");
    run.phase("a0", "a1");
    for (const id of ["a0", "a1", "a2"]) run.crashAcceptor(id);
    run.crashProposer(0);
    run.crashProposer(1);
    expect(run.heal(1, 5)).toBe(digestOf("x"));
    expect(inv.firstViolation(run.evidence)).toBeNull();
  });

  it("Messages can … be duplicated, and can be lost", () => {
    const run = world("x");
    run.begin(0);
    run.step({ kind: "lose", pick: 2 });
    for (let i = 0; i < 8; i++) run.step({ kind: "repeat", pick: 0 });
    run.drain();
    expect(chosenIn(run)).toEqual([digestOf("x")]);
    expect(new Set(run.evidence.votes.map(({ acceptor }) => acceptor)).size).toBe(3);
    expect(inv.firstViolation(run.evidence)).toBeNull();
  });
});

describe("2.2 Choosing a Value: acceptance", () => {
  it("any two majorities have at least one acceptor in common", () => {
    const ids = acceptorIds(makeCluster(5));
    const majority = { kind: "majority" } as const;
    const ones = subsets(ids).filter((set) => isPhase1Quorum(majority, ids, set));
    const twos = subsets(ids).filter((set) => isPhase2Quorum(majority, ids, set));
    expect([ones.length, twos.length]).toEqual([16, 16]);
    for (const one of ones) for (const two of twos) expect(ids.some(inBoth(one, two))).toBe(true);
  });

  it("P1. An acceptor must accept the first proposal that it receives", () => {
    expect(new OneAcceptor().accept(7, "x")).toBe("accepted");
    const refused = { acceptor: "a0", key: KEY, request: "accept", ballot: numbered(7) } as const;
    expect(inv.p1({ ...nothing, requests: [{ ...refused, answer: "yes" }] })).toBeNull();
    expect(inv.p1({ ...nothing, requests: [{ ...refused, answer: "stale" }] })).toMatch(/^P1: a0/);
  });

  it("an acceptor must be allowed to accept more than one proposal", () => {
    const acceptor = new OneAcceptor();
    expect([acceptor.accept(1, "x"), acceptor.accept(2, "y")]).toEqual(["accepted", "accepted"]);
    expect(acceptor.vote).toEqual(voteOf(2, "y"));
  });

  it("we require that different proposals have different numbers", () => {
    const one = nextBallot("p1.0000000000000000", 4);
    expect(sameBallot(one, nextBallot("p1.0000000000000001", 4))).toBe(false);
    expect(sameBallot(one, nextBallot("p2.0000000000000000", 4))).toBe(false);
    const proposals = [cast("", 1, "x"), cast("", 1, "y")].map((p) => ({ ...p, reports: null }));
    expect(inv.oneValuePerBallot({ ...nothing, proposals })).toMatch(/^one value: ballot 1/);
    const acceptor = new OneAcceptor();
    acceptor.accept(1, "x");
    expect(acceptor.accept(1, "y")).toBe("second_digest");
  });

  it("A value is chosen when a single proposal … has been accepted by a majority", () => {
    const twice = [cast("a0", 1, "x"), cast("a1", 2, "x")];
    expect(chosenProposals({ ...nothing, votes: twice })).toEqual([]);
    const votes = [...twice, cast("a2", 2, "x")];
    const [chosen] = chosenProposals({ ...nothing, votes });
    expect([chosen?.ballot, chosen?.voters]).toEqual([numbered(2), new Set(["a1", "a2"])]);
  });

  it("We can allow multiple proposals to be chosen", () => {
    const run = world("x", "y");
    run.heal(0, 1);
    run.begin(1);
    run.phase("a0", "a1");
    expect(run.proposers[1]?.learned).toBe(digestOf("x")); // it saw a majority, and stopped
    const again = world("x", "y");
    again.begin(0);
    again.phase("a0", "a1");
    again.phase("a0", "a1");
    again.begin(1);
    again.phase("a1", "a2"); // it sees one vote only, and finishes the round
    again.drain();
    expect(chosenIn(again)).toEqual([digestOf("x"), digestOf("x")]);
    expect(inv.p2(again.evidence)).toBeNull();
  });
});

function inBoth(one: ReadonlySet<string>, two: ReadonlySet<string>) {
  return (id: string) => one.has(id) && two.has(id);
}

/** x is chosen at 1 by a0 and a1. */
const chosen = [cast("a0", 1, "x"), cast("a1", 1, "x")];
const issued = (n: number, text: string) => ({ ...cast("", n, text), reports: null });

describe("2.2 Choosing a Value: P2 and what implies it", () => {
  it("P2. … every higher-numbered proposal that is chosen has value v", () => {
    const more = (text: string) => [cast("a1", 2, text), cast("a2", 2, text)];
    expect(inv.p2({ ...nothing, votes: [...chosen, ...more("x")] })).toBeNull();
    expect(inv.p2({ ...nothing, votes: [...chosen, ...more("y")] })).toMatch(/^P2: .*\{a0, a1\}/);
  });

  it("P2a. … every higher-numbered proposal accepted by any acceptor has value v", () => {
    expect(inv.p2a({ ...nothing, votes: [...chosen, cast("a2", 2, "x")] })).toBeNull();
    expect(inv.p2a({ ...nothing, votes: [cast("a2", 0, "y"), ...chosen] })).toBeNull();
    expect(inv.p2a({ ...nothing, votes: [...chosen, cast("a2", 2, "y")] })).toMatch(/^P2a: /);
  });

  it("P2b. … every higher-numbered proposal issued by any proposer has value v", () => {
    const evidence = { ...nothing, votes: chosen };
    expect(inv.p2b({ ...evidence, proposals: [issued(0, "y"), issued(2, "x")] })).toBeNull();
    expect(inv.p2b({ ...evidence, proposals: [issued(2, "y")] })).toMatch(/^P2b: /);
    const run = world("x", "y");
    run.heal(0, 1);
    run.begin(1);
    run.phase("a1", "a2");
    run.begin(1);
    run.drain();
    expect(inv.p2b(run.evidence)).toBeNull();
  });

  it("P2b implies P2a, which in turn implies P2", () => {
    const votes = fc.array(
      fc.tuple(fc.constantFrom("a0", "a1", "a2"), fc.nat({ max: 3 }), fc.constantFrom("x", "y")),
      { maxLength: 8 },
    );
    let broken = 0;
    fc.assert(
      fc.property(votes, (facts) => {
        // One value for each number, as 2.2 requires, and nothing accepted that was not issued.
        const values = new Map(facts.map(([, n, text]) => [n, text]));
        const evidence = {
          ...nothing,
          votes: facts.map(([id, n]) => cast(id, n, values.get(n) as string)),
          proposals: [...values].map(([n, text]) => issued(n, text)),
        };
        if (inv.p2b(evidence) === null) expect(inv.p2a(evidence)).toBeNull();
        if (inv.p2a(evidence) === null) expect(inv.p2(evidence)).toBeNull();
        if (inv.p2(evidence) === null) expect(inv.agreement(evidence)).toBeNull();
        else broken++;
      }),
      { numRuns: 1000 },
    );
    expect(broken).toBeGreaterThan(0);
  });

  it("P2c. … there is a set S consisting of a majority of acceptors such that either", () => {
    const free = { ...nothing, votes: [cast("a0", 1, "x")], proposals: [issued(2, "y")] };
    expect(inv.p2c(free)).toBeNull(); // (a): a1 and a2 accepted nothing
    const bound = { ...nothing, votes: [cast("a0", 1, "x"), cast("a1", 2, "y")] };
    expect(inv.p2c({ ...bound, proposals: [issued(3, "y")] })).toBeNull(); // (b)
    expect(inv.p2c({ ...bound, proposals: [issued(3, "x")] })).toBeNull(); // (b), by a0 and a2
    expect(inv.p2c({ ...bound, proposals: [issued(3, "z")] })).toMatch(/^P2c: /);
    expect(inv.p2c({ ...nothing, votes: chosen, proposals: [issued(2, "y")] })).toMatch(/^P2c: /);
    expect(inv.p2c({ ...nothing, votes: chosen, proposals: [issued(1, "x")] })).toBeNull();
  });
});

describe("2.2 Choosing a Value: requests", () => {
  it("A promise never again to accept a proposal numbered less than n", () => {
    const acceptor = new OneAcceptor();
    acceptor.prepare(5);
    expect(acceptor.accept(4, "x")).toBe("stale");
    expect(acceptor.vote).toBeNull();
    expect(acceptor.accept(5, "x")).toBe("accepted");
  });

  it("The proposal with the highest number less than n that it has accepted, if any", () => {
    const acceptor = new OneAcceptor();
    expect(acceptor.prepare(1)).toMatchObject({ vote: null });
    acceptor.accept(1, "x");
    acceptor.accept(3, "y");
    expect(acceptor.prepare(5)).toMatchObject({ ballot: numbered(5), vote: voteOf(3, "y") });
  });

  it("This need not be the same set of acceptors that responded to the initial requests", () => {
    const run = world("x");
    run.begin(0);
    run.phase("a0", "a1");
    run.phase("a1", "a2");
    expect(chosenIn(run)).toEqual([digestOf("x")]);
  });

  it("An acceptor can ignore any request without compromising safety", () => {
    const run = world("x", "y");
    run.begin(0);
    run.phase("a0", "a1");
    run.network.length = 0;
    expect(run.heal(1, 3)).toBe(digestOf("y"));
    expect(inv.firstViolation(run.evidence)).toBeNull();
    const ignored = { acceptor: "a0", key: KEY, request: "accept", ballot: numbered(1) } as const;
    expect(inv.p1a({ ...nothing, requests: [{ ...ignored, answer: "ignored" }] })).toBeNull();
  });

  it("P1a. … iff it has not responded to a prepare request … greater than n", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5 })),
        fc.integer({ min: 1, max: 5 }),
        (ns, n) => {
          const acceptor = new OneAcceptor();
          for (const other of ns) acceptor.prepare(other);
          const greater = ns.some((other) => other > n);
          expect(acceptor.accept(n, "x")).toBe(greater ? "stale" : "accepted");
        },
      ),
    );
    const promised = { acceptor: "a0", key: KEY, request: "prepare", answer: "yes" } as const;
    const accepted = { ...promised, request: "accept", ballot: numbered(1) } as const;
    const requests = [{ ...promised, ballot: numbered(2) }, accepted];
    expect(inv.p1a({ ...nothing, requests })).toMatch(/^P1a: a0 accepted .* ballot 2/);
    const idle = [{ ...accepted, answer: "stale" }] as const;
    expect(inv.p1a({ ...nothing, requests: idle })).toMatch(/^P1a: a0 refused/);
  });

  it("Observe that P1a subsumes P1", () => {
    const first = { acceptor: "a0", key: KEY, request: "accept", ballot: numbered(1) } as const;
    for (const answer of ["yes", "stale", "ignored"] as const) {
      const evidence = { ...nothing, requests: [{ ...first, answer }] };
      expect(inv.p1(evidence) === null || inv.p1a(evidence) !== null).toBe(true);
    }
  });

  it("we have the acceptor ignore such a prepare request. Differs: it answers with a nack", () => {
    const run = world("x", "y");
    run.begin(1);
    run.drain();
    run.begin(0); // round 1 of p0 is lower than round 1 of p1
    run.drain();
    expect(run.evidence.requests.at(-1)).toMatchObject({ request: "prepare", answer: "stale" });
    expect(run.proposers[0]).toMatchObject({ attempt: null, highestRound: 1 });
  });

  it("ignore a prepare request for a proposal it has already accepted. Differs: repeats", () => {
    const acceptor = new OneAcceptor();
    const first = acceptor.prepare(1);
    expect([acceptor.prepare(1), acceptor.kept]).toEqual([first, []]); // its answer may be lost
    acceptor.accept(1, "x");
    expect(acceptor.prepare(1)).toMatchObject({ vote: voteOf(1, "x") });
    expect([acceptor.accept(1, "x"), acceptor.kept]).toEqual(["accepted", []]);
  });

  it("needs to remember only the highest-numbered proposal that it has ever accepted", () => {
    const acceptor = new OneAcceptor();
    for (const n of [1, 2, 3, 4]) {
      acceptor.prepare(n);
      acceptor.accept(n, `${n}`);
    }
    expect(acceptor.disk.records()).toEqual([
      { kind: "key", key: KEY, promised: numbered(4), vote: voteOf(4, "4") },
    ]);
  });

  it("must remember this information even if it fails and then restarts", () => {
    const acceptor = new OneAcceptor();
    acceptor.accept(1, "x");
    acceptor.prepare(3);
    acceptor.restart();
    expect([acceptor.accept(2, "y"), acceptor.vote]).toEqual(["stale", voteOf(1, "x")]);
    const bound = { acceptor: "a0", key: KEY, promised: numbered(3), votesFrom: 0, votes: [] };
    const looks = [bound, { ...bound, promised: null }];
    expect(inv.promisesNeverFall({ ...nothing, looks })).toMatch(/fell from ballot 3/);
  });

  it("the proposer can always abandon a proposal and forget all about it", () => {
    const run = world("x", "y");
    run.begin(0);
    run.phase("a0", "a1");
    run.phase("a0");
    run.crashProposer(0);
    expect(run.heal(0, 3)).toBe(digestOf("x")); // the next client's wish gives way
    expect(inv.firstViolation(run.evidence)).toBeNull();
  });

  it("as long as it never tries to issue another proposal with the same number", () => {
    const run = new SynodWorld(makeCluster(3), ["x", "y"], { nonce: () => "0".repeat(16) });
    run.begin(0);
    run.phase("a0", "a1");
    run.phase("a0"); // x at ballot 1, by a0
    run.crashProposer(0);
    run.begin(0); // the nonce of a restart is what prevents this: ballot 1 again
    run.phase("a1", "a2");
    run.phase("a1", "a2"); // another value at ballot 1, chosen
    expect(inv.oneValuePerBallot(run.evidence)).toMatch(/^one value: /);
    run.begin(1);
    run.phase("a0", "a1"); // both report ballot 1: which value is the highest-numbered?
    run.drain();
    expect(inv.agreement(run.evidence)).toMatch(/^agreement: /);
  });
});
