/**
 * Goal: the acceptor's chart does what its picture says: for each transition, the next state and
 * the exact effects.
 * Method: the machine is stepped as the host does; its life apart from promises and votes is in
 * acceptor-life.test.ts, single-decree keys are in acceptor-keys.test.ts.
 */
import { describe, expect, it } from "vitest";
import { acceptorMachine } from "../../actors/acceptor/machine.js";
import { roles } from "../../actors/index.js";
import { count, type Effect, send } from "../../src/kernel/effect.js";
import { VOTE_OVERHEAD_BYTES } from "../../src/paxos/consensus/acceptor.js";
import type { Accept, Nack, Prepare, Promise1b } from "../../src/paxos/wire/messages.js";
import type { StoreRecord } from "../../src/paxos/wire/record.js";
import {
  Bench,
  ballot,
  heard,
  heardTogether,
  persist,
  roleInput,
  sender,
  testCluster,
  value,
  vote,
} from "../support/steps.js";

const p1 = sender("proposer", "p1");
const p2 = sender("proposer", "p2");
const { limits } = testCluster();

/** An acceptor that serves, with what its store held. */
function serving(records: readonly StoreRecord[] = [], cluster = testCluster()): Bench {
  const bench = new Bench(acceptorMachine, roleInput({ id: "a1", records, cluster }));
  bench.fire("witnessTime");
  expect(bench.state).toBe("serving");
  return bench;
}

function prepare(round: number, fromSlot = 0, proposer = "p1"): Prepare {
  return { type: "prepare", ballot: ballot(round, proposer), fromSlot };
}

function promise(round: number, rest: Partial<Promise1b> = {}): Promise1b {
  const whole = { answer: 0, part: 0, parts: 1, trimmed: 0, chosenWatermark: 0, votes: [] };
  return { type: "promise", ballot: ballot(round), ...whole, ...rest };
}

function accept(round: number, firstSlot: number, texts: string[], chosenWatermark = 0): Accept {
  const votes = texts.map((text) => vote(ballot(round), text));
  return {
    type: "accept",
    ballot: ballot(round),
    firstSlot,
    digests: votes.map(({ digest }) => digest),
    values: votes.map((one) => one.value),
    chosenWatermark,
    chosen: [],
  };
}

function nack(round: number, rest: Partial<Nack>): Nack {
  const none = { promised: null, slot: null, reason: "stale" as const };
  return { type: "nack", ballot: ballot(round), ...none, ...rest };
}

const promiseRecord = (round: number): StoreRecord => ({ kind: "promise", ballot: ballot(round) });
const voteRecord = (round: number, slot: number, text: string): StoreRecord => ({
  kind: "vote",
  slot,
  ...vote(ballot(round), text),
});
const marks = (chosenWatermark: number, trimmed: number, highestVoted: number): StoreRecord => ({
  kind: "marks",
  chosenWatermark,
  trimmed,
  highestVoted,
});
const accepted = (round: number, votes: readonly (readonly [number, string])[]): Effect =>
  send("proposer", "p1", {
    type: "accepted",
    ballot: ballot(round),
    votes: votes.map(([slot, text]) => ({ slot, digest: vote(ballot(round), text).digest })),
  });

describe("prepare (PMS §2.2, phase 1b)", () => {
  it("is promised: the record first, then the answer", () => {
    const effects = serving().take(heard(prepare(1), p1));
    expect(effects).toEqual([persist(promiseRecord(1)), send("proposer", "p1", promise(1))]);
  });

  it("of the promised ballot is answered again, with nothing to sync", () => {
    const bench = serving();
    bench.take(heard(prepare(1), p1));
    const again = bench.take(heard(prepare(1), p1));
    expect(again).toEqual([send("proposer", "p1", promise(1, { answer: 1 }))]);
  });

  it("below the promised ballot is refused, and the promise stands", () => {
    const bench = serving([promiseRecord(5)]);
    const refusal = nack(4, { promised: ballot(5) });
    expect(bench.take(heard(prepare(4), p1))).toEqual([
      send("proposer", "p1", refusal),
      count("refused_stale"),
    ]);
    expect(bench.snapshot.context.data.promised).toEqual(ballot(5));
    expect(roles.acceptor?.status(bench.snapshot)).toMatchObject({ nacks: 1 });
  });

  it("of the same round is decided by the owner", () => {
    const bench = serving();
    bench.take(heard(prepare(1, 0, "p2"), p2));
    expect(bench.take(heard(prepare(1), p1))).toEqual([
      send("proposer", "p1", nack(1, { promised: ballot(1, "p2") })),
      count("refused_stale"),
    ]);
  });

  it("far above the promised round is refused, so that a hostile one ends nothing", () => {
    const round = 5 + limits.roundJumpMax + 1;
    const bench = serving([promiseRecord(5)]);
    expect(bench.take(heard(prepare(round), p1))).toEqual([
      send("proposer", "p1", nack(round, { promised: ballot(5), reason: "round_jump" })),
      count("refused_round_jump"),
    ]);
    expect(bench.take(heard(prepare(round - 1), p1))).toHaveLength(2);
    expect(bench.snapshot.context.data.promised).toEqual(ballot(round - 1));
  });

  it("far above the promised round is promised when asked for again: quorums may drift", () => {
    const round = 5 + 2 * limits.roundJumpMax;
    const bench = serving([promiseRecord(5)]);
    expect(bench.take(heard(prepare(round), p1))).toContainEqual(count("refused_round_jump"));
    expect(bench.take(heard(prepare(round), p1))).toContainEqual(persist(promiseRecord(round)));
  });

  it("reports the last window of votes from its slot on, whatever watermark the store held", () => {
    const bench = serving(
      [
        promiseRecord(3),
        ...[9, 7, 8].map((slot) => voteRecord(3, slot, `v${slot}`)),
        marks(67, 2, 9),
      ],
      testCluster({ windowMax: 2 }),
    );
    const reported = [8, 9].map((slot) => ({ slot, ...vote(ballot(3), `v${slot}`) }));
    expect(bench.take(heard(prepare(4, 5), p1))).toEqual([
      persist(promiseRecord(4)),
      send("proposer", "p1", promise(4, { trimmed: 2, chosenWatermark: 8, votes: reported })),
    ]);
    const later = bench.take(heard(prepare(4, 9), p1));
    const votes = reported.slice(1);
    expect(later).toEqual([
      send("proposer", "p1", promise(4, { answer: 1, trimmed: 2, chosenWatermark: 8, votes })),
    ]);
  });

  it("is answered in parts that fit the wire", () => {
    const partBytesMax = 2 * (10 + VOTE_OVERHEAD_BYTES) + 5;
    const records = [0, 1, 2].map((slot) => voteRecord(1, slot, "1234567890"));
    const bench = serving(records, testCluster({ partBytesMax }));
    const votes = [0, 1, 2].map((slot) => ({ slot, ...vote(ballot(1), "1234567890") }));
    expect(bench.take(heard(prepare(2), p1))).toEqual([
      persist(promiseRecord(2)),
      send("proposer", "p1", promise(2, { parts: 2, votes: votes.slice(0, 2) })),
      send("proposer", "p1", promise(2, { parts: 2, part: 1, votes: votes.slice(2) })),
    ]);
  });
});

describe("accept (PMS §2.2, phase 2b)", () => {
  it("of the promised ballot is voted for: the votes first, then the answer", () => {
    const bench = serving([promiseRecord(1)]);
    expect(bench.take(heard(accept(1, 4, ["x", "y"]), p1))).toEqual([
      persist(voteRecord(1, 4, "x"), voteRecord(1, 5, "y")),
      accepted(1, [
        [4, "x"],
        [5, "y"],
      ]),
    ]);
  });

  it("above the promised ballot raises the promise, too", () => {
    const bench = serving([promiseRecord(1)]);
    expect(bench.take(heard(accept(2, 0, ["x"]), p1))).toEqual([
      persist(promiseRecord(2), voteRecord(2, 0, "x")),
      accepted(2, [[0, "x"]]),
    ]);
  });

  it("of one drain and ballot is one sync and one answer", () => {
    const batch = heardTogether([
      [p1, accept(1, 0, ["x"])],
      [p1, accept(1, 1, ["y"])],
    ]);
    expect(serving().take(batch)).toEqual([
      persist(promiseRecord(1), voteRecord(1, 0, "x"), voteRecord(1, 1, "y")),
      accepted(1, [
        [0, "x"],
        [1, "y"],
      ]),
    ]);
  });

  it("keeps a copy of the value, not the network's buffer", () => {
    const bench = serving();
    const message = accept(1, 0, ["x"]);
    const effects = bench.take(heard(message, p1));
    message.values[0]?.fill(0);
    expect(effects[0]).toEqual(persist(promiseRecord(1), voteRecord(1, 0, "x")));
    expect(bench.snapshot.context.data.votes.get(0).value).toEqual(value("x"));
  });

  it("that is repeated is answered again, with nothing to sync, also after a restart", () => {
    const records = [promiseRecord(1), voteRecord(1, 0, "x")];
    const bench = serving(records);
    expect(bench.take(heard(accept(1, 0, ["x"]), p1))).toEqual([accepted(1, [[0, "x"]])]);
  });

  it("replaces the vote of a lower ballot", () => {
    const bench = serving([promiseRecord(1), voteRecord(1, 0, "x")]);
    expect(bench.take(heard(accept(2, 0, ["y"]), p1))).toEqual([
      persist(promiseRecord(2), voteRecord(2, 0, "y")),
      accepted(2, [[0, "y"]]),
    ]);
  });

  it("below the promised ballot is refused", () => {
    const bench = serving([promiseRecord(5)]);
    expect(bench.take(heard(accept(4, 7, ["x"]), p1))).toEqual([
      send("proposer", "p1", nack(4, { promised: ballot(5), slot: 7 })),
      count("refused_stale"),
    ]);
    expect(bench.snapshot.context.data.votes.size).toBe(0);
  });

  it("of a second value for one ⟨ballot, slot⟩ is refused and counted, the rest taken", () => {
    const bench = serving([promiseRecord(1), voteRecord(1, 0, "x")]);
    expect(bench.take(heard(accept(1, 0, ["z", "y"]), p1))).toEqual([
      persist(voteRecord(1, 1, "y")),
      accepted(1, [[1, "y"]]),
      send("proposer", "p1", nack(1, { promised: ballot(1), slot: 0, reason: "second_digest" })),
      count("refused_second_digest"),
    ]);
  });

  it("below `trimmed` is refused: that vote is forgotten", () => {
    const bench = serving([promiseRecord(1), marks(3, 3, 2)]);
    const refusal = { promised: ballot(1), slot: 2, reason: "trimmed" } as const;
    expect(bench.take(heard(accept(1, 2, ["x"], 3), p1))).toEqual([
      send("proposer", "p1", nack(1, refusal)),
      count("refused_trimmed"),
    ]);
  });

  it("that shows a slot a window below as chosen keeps that with it, and reports less", () => {
    const narrow = testCluster({ windowMax: 1 });
    const bench = serving([promiseRecord(1), voteRecord(1, 0, "x")], narrow);
    expect(bench.take(heard(accept(1, 1, ["y"]), p1))).toEqual([
      persist(voteRecord(1, 1, "y"), marks(1, 0, 1)),
      accepted(1, [[1, "y"]]),
    ]);
    const votes = [{ slot: 1, ...vote(ballot(1), "y") }];
    expect(bench.take(heard(prepare(2), p1))).toEqual([
      persist(promiseRecord(2)),
      send("proposer", "p1", promise(2, { chosenWatermark: 1, votes })),
    ]);
  });

  it.each([1, 67, Number.MAX_SAFE_INTEGER])("keeps no watermark %d that a message names", (at) => {
    const bench = serving([promiseRecord(1), voteRecord(1, 0, "x")]);
    const named = {
      nextSlot: at,
      chosenWatermark: at,
      creditBytes: 1,
      payloadBytesMax: null,
      gateway: null,
    };
    bench.take(heard({ type: "beacon" as const, ballot: ballot(1), ...named }, p1));
    const [kept] = bench.take(heard(accept(1, 1, ["y"], at), p1));
    expect(kept).toEqual(persist(voteRecord(1, 1, "y")));
    const votes = ["x", "y"].map((text, slot) => ({ slot, ...vote(ballot(1), text) }));
    const answer = send("proposer", "p1", promise(2, { votes }));
    expect(bench.take(heard(prepare(2), p1))).toEqual([persist(promiseRecord(2)), answer]);
  });

  it.each([
    ["every learner", { kind: "all" } as const, [["broadcast"]]],
    ["the distinguished ones", { kind: "some", learners: ["l1", "l2"] } as const, ["l1", "l2"]],
  ])("is told to %s too, if they tally", (_, learn, to) => {
    const bench = serving([promiseRecord(1)], testCluster({}, { learn }));
    const [stored, answer, ...told] = bench.take(heard(accept(1, 0, ["x"]), p1));
    expect([stored, answer]).toEqual([persist(voteRecord(1, 0, "x")), accepted(1, [[0, "x"]])]);
    const { message } = answer as Extract<Effect, { kind: "send" }>;
    const expected = to.map((id) =>
      typeof id === "string"
        ? send("learner", id, message)
        : { kind: "broadcast", role: "learner", message },
    );
    expect(told).toEqual(expected);
  });
});

describe("status", () => {
  it("says how far the log is only once its votes have shown it", () => {
    const bench = serving([], testCluster({ windowMax: 2 }));
    const shown = () => roles.acceptor?.status(bench.snapshot).chosenWatermark;
    bench.take(heard(accept(1, 0, ["x", "y"]), p1));
    expect(shown()).toBeUndefined();
    bench.take(heard(accept(1, 2, ["z"]), p1));
    expect(shown()).toBe(1);
  });
});
