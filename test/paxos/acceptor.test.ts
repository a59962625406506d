/**
 * Goal: the acceptor's rules do what the paper says an acceptor does, whatever arrives and whenever
 * it crashes.
 * Method: random sequences of requests, repeats and crashes, held after each step against the naive
 * acceptor of test/support/naive.ts, which forgets nothing and has no disk. The real one keeps its
 * records as encoded bytes under their keys, and a crash reads them back.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Ballot, sameBallot } from "../../src/paxos/ballot.js";
import {
  type AcceptorState,
  castVotes,
  judgeBallot,
  judgeKey,
  nackKey,
  promise,
  promiseKey,
  recoverAcceptor,
  VOTE_OVERHEAD_BYTES,
  voteForKey,
} from "../../src/paxos/consensus/acceptor.js";
import { digest } from "../../src/paxos/digest.js";
import { DEFAULT_LIMITS, type Limits } from "../../src/paxos/limits.js";
import type { AcceptorLook, CastVote, JudgedRequest } from "../../src/paxos/proof/evidence.js";
import { firstViolation } from "../../src/paxos/proof/invariants.js";
import type { Accept, Prepare, Promise1b, Vote } from "../../src/paxos/wire/messages.js";
import { NaiveAcceptor, NaiveDisk } from "../support/naive.js";

/** Small enough that windows are left, parts are cut and keys run out. */
const limits: Limits = { ...DEFAULT_LIMITS, windowMax: 2, partBytesMax: 600, decideKeysMax: 2 };

const ballots = fc.record({
  round: fc.integer({ min: 1, max: 6 }),
  owner: fc.constantFrom("p0.a", "p1.b"),
});
const slots = fc.nat({ max: 9 });

type Request =
  | { readonly kind: "prepare"; readonly ballot: Ballot; readonly fromSlot: number }
  | {
      readonly kind: "accept";
      readonly ballot: Ballot;
      readonly runs: readonly { firstSlot: number; count: number; other: boolean }[];
    }
  | { readonly kind: "crash" };

const request: fc.Arbitrary<Request> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("prepare"), ballot: ballots, fromSlot: slots }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("accept"),
      ballot: ballots,
      runs: fc.array(
        fc.record({
          firstSlot: slots,
          count: fc.integer({ min: 1, max: 3 }),
          other: fc.boolean(),
        }),
        { minLength: 1, maxLength: 3 },
      ),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("crash") }) },
);

/** The value of a ballot in a slot; `other` is one that no sane proposer sends. */
function valueFor(ballot: Ballot, slot: number, other: boolean): Uint8Array {
  return new TextEncoder().encode(`${ballot.round}${ballot.owner[1]}${slot}${other ? "!" : ""}`);
}

/** The acceptor under test, its model, and the evidence of both. */
class Run {
  readonly disk = new NaiveDisk();
  readonly naive = new NaiveAcceptor();
  state = recoverAcceptor([], 0, limits);
  /** Every slot below must be chosen, as its votes show. */
  watermark = 0;
  readonly requests: JudgedRequest[] = [];
  readonly votes: CastVote[] = [];
  readonly looks: AcceptorLook[] = [];

  step(one: Request): void {
    if (one.kind === "prepare") this.prepare(one.ballot, one.fromSlot);
    else if (one.kind === "accept") this.accept(one);
    else this.state = this.disk.recover(limits);
    this.look();
  }

  /** Judges as the chart does, and as the naive acceptor does. @returns whether it goes ahead */
  judge(asked: "prepare" | "accept", ballot: Ballot): boolean {
    const verdict = judgeBallot(this.state.promised, ballot, limits.roundJumpMax);
    expect(verdict).toBe(this.naive.mayAccept(ballot) ? null : "stale");
    const answer = verdict === null ? "yes" : "stale";
    this.requests.push({ acceptor: "a", key: null, request: asked, ballot, answer });
    return verdict === null;
  }

  prepare(ballot: Ballot, fromSlot: number): void {
    if (!this.judge("prepare", ballot)) return;
    const repeated = sameBallot(this.naive.promised(), ballot);
    const message: Prepare = { type: "prepare", ballot, fromSlot };
    const { records, answers } = promise(this.state, message, limits);
    expect(records).toEqual(repeated ? [] : [{ kind: "promise", ballot }]);
    this.disk.keep(records);
    this.naive.prepare(ballot);
    this.checkAnswer(message, answers);
  }

  checkAnswer({ ballot, fromSlot }: Prepare, parts: readonly Promise1b[]): void {
    const [first] = parts as [Promise1b];
    const watermark = first.chosenWatermark;
    expect(watermark).toBe(this.watermark);
    expect(watermark).toBeGreaterThanOrEqual(first.trimmed);
    const from = Math.max(fromSlot, watermark);
    const expected = this.naive.slots().filter((slot) => slot >= from);
    const reported = parts.flatMap(({ votes }) => votes);
    expect(reported).toEqual(
      expected.map((slot) => ({ slot, ...this.naive.highestAccepted(slot) })),
    );
    parts.forEach((part, index) => {
      expect(part).toMatchObject({ type: "promise", ballot, answer: first.answer, part: index });
      expect(part.parts).toBe(parts.length);
      const sizes = part.votes.map(({ value }) => value.length + VOTE_OVERHEAD_BYTES);
      const bytes = sizes.reduce((sum, size) => sum + size, 0);
      expect(bytes <= limits.partBytesMax || part.votes.length === 1).toBe(true);
    });
  }

  accept({ ballot, runs }: Extract<Request, { kind: "accept" }>): void {
    if (!this.judge("accept", ballot)) return;
    const accepts = runs.map(({ firstSlot, count, other }): Accept => {
      const values = Array.from({ length: count }, (_, index) =>
        this.valueAt(ballot, firstSlot + index, other),
      );
      const digests = values.map(digest);
      return { type: "accept", ballot, firstSlot, values, digests, chosenWatermark: 0, chosen: [] };
    });
    // What they say of chosen slots is a lie as often as not.
    const told = accepts.map((one, index) => ({ ...one, chosenWatermark: index * 40 }));
    const { records, voted, refused } = castVotes(this.state, told, limits);
    this.disk.keep(records);
    const expected = accepts.flatMap((message) => this.naiveVotes(message));
    expect(voted).toEqual(expected.filter(({ reason }) => reason === null).map(named));
    expect(refused).toEqual(expected.filter(({ reason }) => reason !== null).map(refusedFor));
    for (const { slot, digest } of voted) {
      this.votes.push({ acceptor: "a", key: null, slot, ballot, digest });
      this.watermark = Math.max(this.watermark, slot + 1 - limits.windowMax);
    }
  }

  /** A value to propose: what was voted for, if the slot is chosen; else a wild one if asked to. */
  valueAt(ballot: Ballot, slot: number, other: boolean): Uint8Array {
    if (slot >= this.watermark) return valueFor(ballot, slot, other);
    const held = this.naive.accepted.find(
      (one) => one.slot === slot && sameBallot(one.vote.ballot, ballot),
    );
    return held?.vote.value ?? valueFor(ballot, slot, false);
  }

  /** What the naive acceptor makes of an accept, slot by slot. */
  naiveVotes({ ballot, firstSlot, values, digests }: Accept) {
    return values.map((value, index) => {
      const vote: Vote = { ballot, digest: digests[index] as string, value };
      const slot = firstSlot + index;
      const second = this.naive.heldOtherwise(slot, ballot, vote.digest);
      if (!second) this.naive.accept(slot, vote);
      return { slot, digest: vote.digest, reason: second ? ("second_digest" as const) : null };
    });
  }

  /** What a crash now would leave must be what the naive acceptor knows. */
  look(): void {
    const { promised, votes, highestVoted } = this.disk.recover(limits);
    expect(promised).toEqual(this.naive.promised());
    const all = this.naive.slots();
    expect([...votes.keys()].sort((a, b) => a - b)).toEqual(all);
    for (const slot of all) expect(votes.get(slot)).toEqual(this.naive.highestAccepted(slot));
    expect(highestVoted).toBe(all.at(-1) ?? -1);
    const held = [...votes].map(([slot, vote]) => ({ slot, ...vote }));
    this.looks.push({ acceptor: "a", key: null, promised, votesFrom: 0, votes: held });
  }

  violation(): string | null {
    return firstViolation({
      quorums: { kind: "majority" },
      acceptors: ["a"],
      wishes: this.votes.map(({ digest }) => ({ key: null, digest })),
      proposals: this.votes.map((vote) => ({ ...vote, reports: null })),
      requests: this.requests,
      votes: [],
      looks: this.looks,
      learned: [],
    });
  }
}

function named({ slot, digest }: { slot: number; digest: string }) {
  return { slot, digest };
}

function refusedFor({ slot, reason }: { slot: number; reason: string | null }) {
  return { slot, reason };
}

describe("the acceptor of the log", () => {
  it("does what the naive acceptor does, whatever comes and whenever it crashes", () => {
    let crashes = 0;
    let seconds = 0;
    fc.assert(
      fc.property(fc.array(request, { maxLength: 30 }), (sequence) => {
        const run = new Run();
        for (const one of sequence) run.step(one);
        expect(run.violation()).toBeNull();
        crashes += sequence.filter(({ kind }) => kind === "crash").length;
        seconds += run.naive.accepted.length;
      }),
      { numRuns: 200 },
    );
    expect(Math.min(crashes, seconds)).toBeGreaterThan(0);
  });

  it.each([
    ["promise", /^promise: /],
    ["vote", /^vote: /],
  ])("is caught if a crash loses a %s", (kind, sentence) => {
    const disk = new NaiveDisk();
    const state = recoverAcceptor([], 0, limits);
    const ballot = { round: 1, owner: "p0" };
    const value = valueFor(ballot, 0, false);
    const { records } = castVotes(state, [acceptOf(ballot, 0, value)], limits);
    disk.keep(records);
    const before = look(disk.recover());
    const lossy = new NaiveDisk();
    lossy.keep(records.filter((record) => record.kind !== kind));
    const looks = [before, look(lossy.recover())];
    const evidence = { ...nothing, looks };
    expect(firstViolation({ ...nothing, looks: [before, before] })).toBeNull();
    expect(firstViolation(evidence)).toMatch(sentence);
  });

  it("refuses a round far above the promised one, and its own highest not at all", () => {
    fc.assert(
      fc.property(fc.nat({ max: 50 }), fc.integer({ min: 1, max: 150 }), (promised, round) => {
        const bound = promised === 0 ? null : { round: promised, owner: "p" };
        const verdict = judgeBallot(bound, { round, owner: "p" }, 90);
        const expected = round < promised ? "stale" : round > promised + 90 ? "round_jump" : null;
        expect(verdict).toBe(expected);
      }),
    );
  });

  it("keeps the votes of two windows below its watermark, and never counts to a slot", () => {
    const state = recoverAcceptor([], 0, limits);
    const ballot = { round: 1, owner: "p0" };
    const vote = (slot: number, chosenWatermark = 0) => {
      const accept = acceptOf(ballot, slot, valueFor(ballot, slot, false));
      castVotes(state, [{ ...accept, chosenWatermark }], limits);
    };
    for (let slot = 0; slot < 10; slot++) {
      vote(slot);
      expect([...state.votes.keys()]).toEqual(
        Array.from({ length: 11 }, (_, one) => one).filter((one) => one <= slot && one >= slot - 5),
      );
    }
    vote(Number.MAX_SAFE_INTEGER);
    expect(state.votes.size).toBe(1);
    expect(state.votesFrom).toBe(Number.MAX_SAFE_INTEGER + 1 - 2 - 4);
  });

  it("refuses what is below its trimmed mark, and says so", () => {
    const state = recoverAcceptor(
      [{ kind: "marks", chosenWatermark: 8, trimmed: 5, highestVoted: 9 }],
      0,
      limits,
    );
    const ballot = { round: 1, owner: "p0" };
    const accepts = [4, 5].map((slot) => acceptOf(ballot, slot, valueFor(ballot, slot, false)));
    const { voted, refused } = castVotes(state, accepts, limits);
    expect(voted.map(({ slot }) => slot)).toEqual([5]);
    expect(refused).toEqual([{ slot: 4, reason: "trimmed" }]);
    expect(state.highestVoted).toBe(9);
  });

  it("takes a copy of the bytes it votes for, and a clone shares nothing", () => {
    const state = recoverAcceptor([], 0, limits);
    const ballot = { round: 1, owner: "p0" };
    const value = valueFor(ballot, 0, false);
    castVotes(state, [acceptOf(ballot, 0, value)], limits);
    const copy = state.clone();
    value.fill(0);
    castVotes(state, [acceptOf(ballot, 1, value)], limits);
    expect(copy.votes.get(0)?.value).toEqual(valueFor(ballot, 0, false));
    expect(copy.votes.size).toBe(1);
  });
});

function acceptOf(ballot: Ballot, firstSlot: number, value: Uint8Array): Accept {
  const digests = [digest(value)];
  const values = [value];
  return { type: "accept", ballot, firstSlot, values, digests, chosenWatermark: 0, chosen: [] };
}

const nothing = {
  quorums: { kind: "majority" },
  acceptors: ["a"],
  wishes: [],
  proposals: [],
  requests: [],
  votes: [],
  looks: [],
  learned: [],
} as const;

function look({ promised, votes }: AcceptorState): AcceptorLook {
  const held = [...votes].map(([slot, vote]) => ({ slot, ...vote }));
  return { acceptor: "a", key: null, promised, votesFrom: 0, votes: held };
}

// --- single-decree keys ----------------------------------------------------------------------

const keyRequest = fc.record({
  kind: fc.constantFrom("prepare", "accept", "crash"),
  key: fc.constantFrom("x", "y", "z"),
  ballot: ballots,
  other: fc.boolean(),
});

describe("the acceptor of keys", () => {
  it("does for each key what the naive acceptor does, and refuses a key too many", () => {
    fc.assert(
      fc.property(fc.array(keyRequest, { maxLength: 40 }), (sequence) => {
        const disk = new NaiveDisk();
        const models = new Map<string, NaiveAcceptor>();
        let state = recoverAcceptor([], 0, limits);
        for (const { kind, key, ballot, other } of sequence) {
          if (kind === "crash") state = disk.recover();
          else stepKey(state, disk, models, { kind, key, ballot, other });
          const recovered = disk.recover();
          expect(recovered.keys).toEqual(state.keys);
          for (const [name, model] of models) {
            expect(recovered.keys.get(name)?.promised).toEqual(model.promised());
            expect(recovered.keys.get(name)?.vote).toEqual(model.highestAccepted(0));
          }
        }
      }),
      { numRuns: 150 },
    );
  });
});

function stepKey(
  state: AcceptorState,
  disk: NaiveDisk,
  models: Map<string, NaiveAcceptor>,
  { kind, key, ballot, other }: { kind: string; key: string; ballot: Ballot; other: boolean },
): void {
  const model = models.get(key) ?? new NaiveAcceptor();
  const value = valueFor(ballot, 0, other);
  const vote: Vote = { ballot, digest: digest(value), value };
  const prepare = { type: "key-prepare", key, ballot } as const;
  const accept = { type: "key-accept", key, ...vote } as const;
  const message = kind === "prepare" ? prepare : accept;
  const second = kind === "accept" && model.heldOtherwise(0, ballot, vote.digest);
  const full = !models.has(key) && models.size === limits.decideKeysMax;
  const stale = !model.mayAccept(ballot);
  const reason = judgeKey(state, message, limits);
  expect(reason).toBe(full ? "too_many" : stale ? "stale" : second ? "second_digest" : null);
  if (reason !== null) {
    const promised = full ? null : model.promised();
    expect(nackKey(state, message, reason)).toMatchObject({ key, ballot, promised, reason });
    return;
  }
  if (kind === "prepare") {
    const { records, answers } = promiseKey(state, prepare);
    expect(records.length).toBe(sameBallot(model.promised(), ballot) ? 0 : 1);
    const reported = model.highestAccepted(0);
    expect(answers).toEqual([{ type: "key-promise", key, ballot, vote: reported }]);
    disk.keep(records);
    model.prepare(ballot);
  } else {
    disk.keep(voteForKey(state, accept));
    model.accept(0, vote);
  }
  models.set(key, model);
}
