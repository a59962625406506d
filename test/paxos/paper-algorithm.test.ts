/**
 * Goal: the sentences of Paxos Made Simple: the algorithm of 2.2, and 2.3 to 2.5.
 * Method: as in paper.test.ts.
 */
import { describe, expect, it } from "vitest";
import { compareBallots, formatBallot, isLower, nextBallot } from "../../src/paxos/ballot.js";
import { drawBackoff } from "../../src/paxos/consensus/backoff.js";
import * as inv from "../../src/paxos/proof/invariants.js";
import {
  KeyLearnerState,
  noteKeyChosen,
  noteKeyValue,
  noteKeyVote,
} from "../../src/paxos/single/key-learner.js";
import {
  alreadyChosen,
  countPromise,
  countVote,
  pickValue,
  promisesFormQuorum,
  type SynodAttempt,
  votesFormQuorum,
} from "../../src/paxos/single/synod.js";
import { chosenIn, digestOf, numbered, OneAcceptor, voteOf, world } from "../support/paper.js";
import { KEY, makeCluster, type SynodWorld } from "../support/synod-world.js";

describe("2.2 Choosing a Value: the algorithm", () => {
  it("Phase 1 (a) … sends a prepare request with number n to a majority", () => {
    const run = world("x");
    run.begin(0);
    expect(run.network.map(({ to }) => to)).toEqual(["a0", "a1", "a2"]); // all of them
    expect(run.network).toMatchObject([{ request: { ballot: { round: 1 } } }, {}, {}]);
  });

  it("Phase 1 (b) … with a promise … and with the highest-numbered proposal", () => {
    const acceptor = new OneAcceptor();
    acceptor.accept(1, "x");
    const answer = acceptor.prepare(2);
    expect(answer).toEqual({
      type: "key-promise",
      key: KEY,
      ballot: numbered(2),
      vote: voteOf(1, "x"),
    });
    expect([acceptor.promised, acceptor.kept.length]).toEqual([numbered(2), 1]);
  });

  it("Phase 2 (a) … v is the value of the highest-numbered proposal among the responses", () => {
    const cluster = makeCluster(3);
    const begun = {
      ballot: numbered(5),
      promises: new Map(),
      proposed: null,
      voters: new Set(""),
      jumpRefusals: new Map(),
    };
    const promise = { type: "key-promise", key: KEY, ballot: numbered(5) } as const;
    const one = countPromise(begun, "a0", { ...promise, vote: voteOf(2, "y") });
    expect(promisesFormQuorum(one, cluster)).toBe(false);
    const two = countPromise(one, "a1", { ...promise, vote: voteOf(1, "x") });
    expect(promisesFormQuorum(two, cluster)).toBe(true);
    const own = new TextEncoder().encode("z");
    expect(pickValue(two, own, cluster)).toEqual({ ...voteOf(2, "y"), ballot: numbered(5) });
    const free = ["a0", "a1"].reduce(
      (attempt, acceptor) => countPromise(attempt, acceptor, { ...promise, vote: null }),
      begun as SynodAttempt,
    );
    expect(pickValue(free, own, cluster)).toEqual(voteOf(5, "z")); // "or is any value"
  });

  it("Phase 2 (b) … accepts the proposal unless it has already responded to a prepare", () => {
    const acceptor = new OneAcceptor();
    acceptor.prepare(2);
    expect(acceptor.accept(1, "x")).toBe("stale");
    expect(acceptor.accept(3, "x")).toBe("accepted");
    // Differs: accepting 3 promises it, too, as in Lamport's Paxos.tla.
    expect([acceptor.promised, acceptor.prepare(2)]).toEqual([numbered(3), "stale"]);
  });

  it("A proposer can make multiple proposals, so long as it follows the algorithm", () => {
    const run = world("x");
    for (const round of [1, 2, 3]) {
      run.begin(0);
      run.phase("a0", "a1");
      expect(run.evidence.proposals.at(-1)?.ballot.round).toBe(round);
      run.step({ kind: "deliver", pick: round % 3 });
      run.network.length = 0;
    }
    run.begin(0);
    run.drain();
    expect(new Set(chosenIn(run))).toEqual(new Set([digestOf("x")]));
    expect(inv.firstViolation(run.evidence)).toBeNull();
  });

  it("responses … may arrive … long after the proposal was abandoned", () => {
    const run = world("x");
    run.begin(0);
    const late = run.network.splice(0);
    run.begin(0);
    run.phase("a0");
    run.network.push(...late);
    run.drain(); // promises of ballot 1 come from a1 and a2: they do not count for ballot 2
    expect(run.evidence.proposals).toEqual([]);
    expect(inv.firstViolation(run.evidence)).toBeNull();
  });

  it("it should probably inform the proposer, who should then abandon its proposal", () => {
    const run = world("x", "y");
    run.begin(0);
    run.phase("a0", "a1");
    const late = run.network.splice(0);
    run.begin(1);
    run.phase("a1", "a2");
    run.network.push(...late);
    run.phase("a1"); // the accept of p0 comes after the promise to p1
    expect(run.proposers[0]).toMatchObject({ attempt: null, highestRound: 1 });
    const overtaken = run.proposers[1]?.attempt?.ballot ?? null;
    run.begin(0);
    expect(isLower(overtaken, run.proposers[0]?.attempt?.ballot ?? null)).toBe(true);
  });
});

describe("2.3 Learning a Chosen Value", () => {
  it("a learner must find out that a proposal has been accepted by a majority", () => {
    const cluster = makeCluster(3);
    const proposed = voteOf(1, "x");
    const begun: SynodAttempt = {
      ballot: numbered(1),
      promises: new Map(),
      proposed,
      voters: new Set(),
      jumpRefusals: new Map(),
    };
    const accepted = { type: "key-accepted", key: KEY, ...proposed } as const;
    const one = countVote(countVote(begun, "a0", accepted), "a0", accepted);
    expect(votesFormQuorum(one, cluster)).toBe(false);
    expect(votesFormQuorum(countVote(one, "stranger", accepted), cluster)).toBe(false);
    expect(votesFormQuorum(countVote(one, "a1", accepted), cluster)).toBe(true);
  });

  it("respond to all learners, sending them the proposal. Differs: its number and digest", () => {
    const run = world("x");
    run.begin(0);
    run.phase("a0", "a1");
    run.step({ kind: "deliver", pick: 0 });
    const told = run.network.flatMap((letter) => ("answer" in letter ? [letter.answer] : []));
    const ballot = run.proposers[0]?.attempt?.ballot;
    expect(told).toEqual([{ type: "key-accepted", key: KEY, ballot, digest: digestOf("x") }]);
  });

  it("distinguished learners, each of which can then inform all the learners", () => {
    const cluster = makeCluster(3);
    const [proposed, distinguished] = [voteOf(1, "x"), [1, 2].map(() => new KeyLearnerState())];
    const announced = distinguished.map((learner, at) => {
      noteKeyValue(learner, { type: "key-accept", key: KEY, ...proposed }, cluster);
      const accepted = { type: "key-accepted", key: KEY, ...proposed } as const;
      expect(noteKeyVote(learner, "a0", accepted, cluster).chosen).toBeNull();
      return noteKeyVote(learner, `a${at + 1}`, accepted, cluster).chosen;
    });
    expect(announced.map((chosen) => chosen?.syncedBy)).toEqual([
      ["a0", "a1"],
      ["a0", "a2"],
    ]);
    for (const chosen of announced) {
      const other = new KeyLearnerState(); // heard one of them, and no acceptor
      if (chosen !== null) noteKeyChosen(other, chosen, cluster);
      expect(other.decided.get(KEY)).toMatchObject(proposed);
    }
  });

  it("Because of message loss, a value could be chosen with no learner ever finding out", () => {
    const run = chosenUnheard();
    expect([chosenIn(run), run.evidence.learned]).toEqual([[digestOf("x")], []]);
    run.crashProposer(0);
    // "it can have a proposer issue a proposal": one that only asks is enough.
    run.begin(1);
    run.phase("a1", "a2");
    expect(run.proposers[1]?.learned).toBeNull();
    run.drain();
    expect(run.proposers[1]?.learned).toBe(digestOf("x"));
  });

  it("impossible to know whether or not a majority had accepted a particular proposal", () => {
    const run = chosenUnheard();
    run.begin(1);
    run.phase("a1", "a2"); // a0 has failed, and a2 never voted
    const attempt = run.proposers[1]?.attempt as SynodAttempt;
    expect(alreadyChosen(attempt, run.cluster)).toBeNull();
    run.begin(1);
    run.phase("a0", "a1"); // with a0 it is plain to see
    expect(run.proposers[1]?.learned).toBe(digestOf("x"));
  });
});

/** x is chosen by a0 and a1, and nobody hears of it; p1 only asks. */
function chosenUnheard(): SynodWorld {
  const run = world("x", null);
  run.begin(0);
  run.phase("a0", "a1");
  run.step({ kind: "deliver", pick: 0 });
  run.step({ kind: "deliver", pick: 0 });
  run.network.length = 0;
  return run;
}

describe("2.4 Progress", () => {
  it("two proposers each keep issuing a sequence of proposals with increasing numbers", () => {
    const run = duel(50);
    expect(run.evidence.proposals.length).toBe(50);
    expect(chosenIn(run)).toEqual([]);
    const issued = run.evidence.proposals.map(({ ballot }) => ballot);
    expect(issued).toEqual([...issued].sort(compareBallots));
  });

  it("a distinguished proposer must be selected as the only one to try issuing proposals", () => {
    const run = duel(50);
    expect(run.heal(0, 3)).not.toBeNull();
    expect(inv.firstViolation(run.evidence)).toBeNull();
  });

  it("the distinguished proposer will eventually choose a high enough proposal number", () => {
    const run = duel(50);
    run.crashProposer(0); // it knows of no number any more, and is told by the first nack
    run.begin(0);
    run.drain();
    expect(run.proposers[0]).toMatchObject({ learned: null, attempt: null });
    expect(run.proposers[0]?.highestRound).toBeGreaterThanOrEqual(25);
    run.begin(0);
    run.drain();
    expect(run.proposers[0]?.learned).not.toBeNull();
  });

  it("must use either randomness or real time", () => {
    // Two that met wait unequally soon: the one with the longer wait leaves room for a round.
    const roundMs = 20;
    for (let seed = 0; seed < 50; seed++) {
      const seeds = [seed, seed + 1000];
      const attempts = Array.from({ length: 12 }, (_, attempt) => attempt + 1);
      const apart = attempts.map((attempt) => {
        const waits = seeds.map((own, who) => {
          const drawn = drawBackoff(own, attempt, 20, 1000);
          seeds[who] = drawn.seed;
          return drawn.delayMs;
        });
        return Math.abs((waits[0] as number) - (waits[1] as number));
      });
      expect(apart.some((gapMs) => gapMs > roundMs)).toBe(true);
    }
  });

  it("safety is ensured regardless of the success or failure of the election", () => {
    const run = duel(20); // everybody thinks itself elected, for ever
    run.drain();
    expect(inv.firstViolation(run.evidence)).toBeNull();
  });
});

/** Each completes phase 1 before the other's accepts arrive, n times. */
function duel(times: number): SynodWorld {
  const run = world("x", "y");
  for (let time = 0; time < times; time++) {
    const late = run.network.splice(0);
    run.begin(time % 2);
    run.phase("a0", "a1", "a2");
    run.network.unshift(...late);
    for (const _ of late) run.step({ kind: "deliver", pick: 0 }); // "are ignored"
    const isNack = (letter: (typeof run.network)[0]) => "answer" in letter;
    for (let at = run.network.findIndex(isNack); at >= 0; at = run.network.findIndex(isNack)) {
      run.step({ kind: "deliver", pick: at });
    }
  }
  return run;
}

describe("2.5 The Implementation", () => {
  it("records its intended response in stable storage before actually sending the response", () => {
    const acceptor = new OneAcceptor();
    const requests = [
      () => acceptor.prepare(1),
      () => acceptor.accept(1, "x"),
      () => acceptor.prepare(4),
      () => acceptor.accept(5, "y"),
      () => acceptor.accept(4, "z"),
    ];
    for (const request of requests) {
      request();
      // What a crash right after the answer leaves is what the answer said.
      expect(acceptor.disk.recover().keys).toEqual(acceptor.state.keys);
    }
  });

  it("Different proposers choose their numbers from disjoint sets of numbers", () => {
    const rounds = Array.from({ length: 50 }, (_, round) => round);
    const owners = ["p1.00", "p1.01", "p2.00"];
    const all = owners.flatMap((owner) => rounds.map((round) => nextBallot(owner, round)));
    expect(new Set(all.map(formatBallot)).size).toBe(all.length);
  });

  it("a higher proposal number than any it has already used. Differs: or a new name", () => {
    const run = world("x");
    run.begin(0);
    const used = run.proposers[0]?.attempt?.ballot ?? null;
    run.begin(0);
    expect(isLower(used, run.proposers[0]?.attempt?.ballot ?? null)).toBe(true);
    run.crashProposer(0);
    run.begin(0);
    const again = run.proposers[0]?.attempt?.ballot;
    expect([again?.round, again?.owner === used?.owner]).toEqual([used?.round, false]);
  });
});
