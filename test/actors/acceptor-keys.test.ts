/**
 * Goal: for a single-decree key the acceptor does what the paper's section 2 says, and each key is
 * apart from the others and from the log.
 * Method: as in acceptor.test.ts: for each transition, the next state and the exact effects.
 */
import { describe, expect, it } from "vitest";
import { acceptorMachine } from "../../actors/acceptor/machine.js";
import { count, type Effect, send } from "../../src/kernel/effect.js";
import type { KeyAccept, KeyNack, KeyPrepare, Vote } from "../../src/paxos/wire/messages.js";
import type { StoreRecord } from "../../src/paxos/wire/record.js";
import {
  Bench,
  ballot,
  heard,
  persist,
  roleInput,
  sender,
  testCluster,
  value,
  vote,
} from "../support/steps.js";

const s1 = sender("synod-proposer", "s1");
const s2 = sender("synod-proposer", "s2");
const KEY = "lock";

function serving(records: readonly StoreRecord[] = [], cluster = testCluster()): Bench {
  const bench = new Bench(acceptorMachine, roleInput({ id: "a1", records, cluster }));
  bench.fire("witnessTime");
  return bench;
}

function prepare(round: number, key = KEY): KeyPrepare {
  return { type: "key-prepare", key, ballot: ballot(round, "s1") };
}

function accept(round: number, text: string, key = KEY): KeyAccept {
  return { type: "key-accept", key, ...vote(ballot(round, "s1"), text) };
}

function record(promised: number, held: Vote | null = null, key = KEY): StoreRecord {
  return { kind: "key", key, promised: ballot(promised, "s1"), vote: held };
}

function promised(round: number, held: Vote | null = null, key = KEY): Effect {
  const message = { type: "key-promise", key, ballot: ballot(round, "s1"), vote: held } as const;
  return send("synod-proposer", "s1", message);
}

function accepted(round: number, text: string, key = KEY): Effect {
  const { ballot: at, digest } = vote(ballot(round, "s1"), text);
  return send("synod-proposer", "s1", { type: "key-accepted", key, ballot: at, digest });
}

function refused(round: number, rest: Partial<KeyNack>): Effect[] {
  const refusal = { type: "key-nack", key: KEY, ballot: ballot(round, "s1") } as const;
  const none = { promised: null, reason: "stale" as const };
  const message: KeyNack = { ...refusal, ...none, ...rest };
  return [send("synod-proposer", "s1", message), count(`refused_${message.reason}`)];
}

const voted = (round: number, text: string): Vote => vote(ballot(round, "s1"), text);

describe("key-prepare (PMS §2.2, phase 1b)", () => {
  it("is promised after its sync, without a vote if there is none", () => {
    expect(serving().take(heard(prepare(1), s1))).toEqual([persist(record(1)), promised(1)]);
  });

  it("of the promised ballot is answered again, with nothing to sync", () => {
    const bench = serving();
    bench.take(heard(prepare(1), s1));
    expect(bench.take(heard(prepare(1), s1))).toEqual([promised(1)]);
  });

  it("is answered with the vote, which stays on disk with the new promise", () => {
    const bench = serving([record(1, voted(1, "x"))]);
    expect(bench.take(heard(prepare(2), s1))).toEqual([
      persist(record(2, voted(1, "x"))),
      promised(2, voted(1, "x")),
    ]);
  });

  it("below the promised ballot is refused, also after a restart", () => {
    const bench = serving([record(5)]);
    expect(bench.take(heard(prepare(4), s1))).toEqual(refused(4, { promised: ballot(5, "s1") }));
    expect(bench.state).toBe("serving");
  });

  it("of the same round is decided by the owner", () => {
    const bench = serving();
    const other: KeyPrepare = { ...prepare(1), ballot: ballot(1, "s2") };
    bench.take(heard(other, s2));
    expect(bench.take(heard(prepare(1), s1))).toEqual(refused(1, { promised: ballot(1, "s2") }));
  });

  it("far above the promised round is refused", () => {
    const round = testCluster().limits.roundJumpMax + 1;
    expect(serving().take(heard(prepare(round), s1))).toEqual(
      refused(round, { reason: "round_jump" }),
    );
  });

  it("promises for that key alone", () => {
    const bench = serving([record(5), { kind: "promise", ballot: ballot(9) }]);
    expect(bench.take(heard(prepare(1, "other"), s1))).toEqual([
      persist(record(1, null, "other")),
      promised(1, null, "other"),
    ]);
    expect(bench.snapshot.context.data.promised).toEqual(ballot(9));
  });
});

describe("key-accept (PMS §2.2, phase 2b)", () => {
  it("of the promised ballot is voted for: the vote first, then the answer", () => {
    const bench = serving([record(1)]);
    expect(bench.take(heard(accept(1, "x"), s1))).toEqual([
      persist(record(1, voted(1, "x"))),
      accepted(1, "x"),
    ]);
  });

  it("above the promised ballot raises the promise, too", () => {
    const bench = serving([record(1, voted(1, "x"))]);
    expect(bench.take(heard(accept(2, "y"), s1))).toEqual([
      persist(record(2, voted(2, "y"))),
      accepted(2, "y"),
    ]);
    expect(bench.take(heard(prepare(1), s1))).toEqual(refused(1, { promised: ballot(2, "s1") }));
  });

  it("needs no prepare before it", () => {
    expect(serving().take(heard(accept(1, "x"), s1))).toEqual([
      persist(record(1, voted(1, "x"))),
      accepted(1, "x"),
    ]);
  });

  it("that is repeated is answered again, with nothing to sync, also after a restart", () => {
    const bench = serving([record(1, voted(1, "x"))]);
    expect(bench.take(heard(accept(1, "x"), s1))).toEqual([accepted(1, "x")]);
  });

  it("below the promised ballot is refused, and the vote stands", () => {
    const bench = serving([record(5, voted(3, "x"))]);
    expect(bench.take(heard(accept(4, "y"), s1))).toEqual(
      refused(4, { promised: ballot(5, "s1") }),
    );
    expect(bench.take(heard(prepare(5), s1))).toEqual([promised(5, voted(3, "x"))]);
  });

  it("of a second value for one ballot is refused and counted", () => {
    const bench = serving([record(1, voted(1, "x"))]);
    expect(bench.take(heard(accept(1, "y"), s1))).toEqual(
      refused(1, { promised: ballot(1, "s1"), reason: "second_digest" }),
    );
    expect(bench.take(heard(prepare(1), s1))).toEqual([promised(1, voted(1, "x"))]);
  });

  it("keeps a copy of the value, not the network's buffer", () => {
    const bench = serving();
    const message = accept(1, "x");
    bench.take(heard(message, s1));
    message.value.fill(0);
    expect(bench.snapshot.context.data.keys.get(KEY).vote.value).toEqual(value("x"));
  });

  it("is told to the learners, too, if they tally", () => {
    const bench = serving([record(1)], testCluster({}, { learn: { kind: "all" } }));
    const [, answer, ...told] = bench.take(heard(accept(1, "x"), s1));
    const { message } = answer as Extract<Effect, { kind: "send" }>;
    expect(answer).toEqual(accepted(1, "x"));
    expect(told).toEqual([{ kind: "broadcast", role: "learner", message }]);
  });
});

describe("decideKeysMax", () => {
  const cluster = testCluster({ decideKeysMax: 1 });
  const tooMany = refused(1, { key: "other", reason: "too_many" });

  it("refuses a key that is new, whether prepared or accepted", () => {
    const bench = serving([record(1)], cluster);
    expect(bench.take(heard(prepare(1, "other"), s1))).toEqual(tooMany);
    expect(bench.take(heard(accept(1, "x", "other"), s1))).toEqual(tooMany);
  });

  it("goes on with the keys there are", () => {
    const bench = serving([record(1)], cluster);
    expect(bench.take(heard(accept(1, "x"), s1))).toEqual([
      persist(record(1, voted(1, "x"))),
      accepted(1, "x"),
    ]);
  });
});
