/**
 * Goal: the acceptor's life around its promises: it is objected to before it serves, silent while
 * its disk is full, and knows when it heard the leader.
 * Method: as in acceptor.test.ts: for each transition, the next state and the exact effects.
 */
import { describe, expect, it } from "vitest";
import { acceptorMachine } from "../../actors/acceptor/machine.js";
import { readVotes } from "../../actors/acceptor/services.js";
import { count, type Effect, send } from "../../src/kernel/effect.js";
import type { RoleInput } from "../../src/kernel/role.js";
import type { Accept, Prepare } from "../../src/paxos/wire/messages.js";
import type { StoreRecord } from "../../src/paxos/wire/record.js";
import {
  Bench,
  ballot,
  heard,
  roleInput,
  START_MS,
  sender,
  testCluster,
  timerCancelled,
  timerSet,
  vote,
} from "../support/steps.js";

const p1 = sender("proposer", "p1");
const p2 = sender("proposer", "p2");
const learner = sender("learner", "l1");
const { limits } = testCluster();
const openings = [{ incarnation: 1, writeNumber: 0 }];
const witness = timerSet("witnessTime", "acceptor.recovering", limits.witnessMs);
const recheck = timerSet("recheckTime", "acceptor.refusing", limits.recheckMs);
const noRecheck = timerCancelled("recheckTime", "acceptor.refusing");
const hello: Effect = {
  kind: "broadcast",
  role: "acceptor",
  message: { type: "hello", openings },
};
const prepare: Prepare = { type: "prepare", ballot: ballot(1), fromSlot: 0 };
const accept: Accept = {
  type: "accept",
  ballot: ballot(2),
  firstSlot: 0,
  digests: [vote(ballot(2), "x").digest],
  values: [vote(ballot(2), "x").value],
  chosenWatermark: 0,
  chosen: [],
};
const promised2: StoreRecord = { kind: "promise", ballot: ballot(2) };

function starting(rest: Partial<RoleInput> = {}): Bench {
  return new Bench(acceptorMachine, roleInput({ id: "a1", openings, ...rest }));
}

function serving(records: readonly StoreRecord[] = []): Bench {
  const bench = starting({ records });
  bench.fire("witnessTime");
  return bench;
}

describe("recovering", () => {
  it("says hello, and waits for objections", () => {
    const bench = starting();
    expect(bench.state).toBe("recovering");
    expect(bench.effects).toEqual([hello, witness]);
  });

  it("answers nobody", () => {
    const bench = starting();
    const events = [
      heard(prepare, p1),
      heard(accept, p1),
      heard({ type: "ask-leader", question: 1 } as const, p1),
    ];
    for (const event of events) {
      expect(bench.take(event)).toEqual([]);
      expect(bench.heard).toBe(false);
    }
    expect(bench.state).toBe("recovering");
  });

  it("serves when the time for objections is over", () => {
    const bench = starting();
    expect(bench.fire("witnessTime")).toEqual([
      timerCancelled("witnessTime", "acceptor.recovering"),
    ]);
    expect(bench.state).toBe("serving");
    expect(bench.timers).toEqual([]);
  });

  it("refuses at once if the disk was full at the last commit", () => {
    const bench = starting({ diskFull: "no space left on /data" });
    expect(bench.state).toBe("refusing");
    expect(bench.effects).toEqual([
      hello,
      witness,
      timerCancelled("witnessTime", "acceptor.recovering"),
      recheck,
    ]);
  });
});

describe("refusing", () => {
  it("looks for room again and again, and answers nobody", () => {
    const bench = starting({ diskFull: "full" });
    for (let round = 0; round < 3; round++) {
      expect(bench.fire("recheckTime")).toEqual([noRecheck, { kind: "checkDisk" }, recheck]);
      expect(bench.take(heard(prepare, p1))).toEqual([]);
      expect(bench.state).toBe("refusing");
    }
  });

  it("serves again when there is room", () => {
    const bench = starting({ diskFull: "full" });
    expect(bench.take({ type: "disk.room", nowMs: START_MS })).toEqual([noRecheck]);
    expect(bench.state).toBe("serving");
    expect(bench.snapshot.context.diskFull).toBeNull();
    expect(bench.take(heard(prepare, p1))).toHaveLength(2);
  });
});

describe("a doubt about the store", () => {
  const objection = { type: "objection", incarnation: 3, writeNumber: 9 } as const;
  const older = heard({ ...objection, reason: "older_copy" }, learner);
  const inUse = heard({ ...objection, reason: "name_in_use" }, learner);
  const twin = { type: "twin.heard", nowMs: START_MS };
  const failed = { type: "disk.failed", reason: "EIO: i/o error", nowMs: START_MS };
  const noWitness = timerCancelled("witnessTime", "acceptor.recovering");
  const another = "another process answers under this name";
  const halts = (why: string) => ({ kind: "halt", why: expect.stringContaining(why) as unknown });

  it.each([
    ["a later life of it was seen", older, "incarnation 3, write 9"],
    ["another process has its name", inUse, another],
  ])("halts it while it recovers: %s", (_, event, why) => {
    const bench = starting();
    expect(bench.take(event)).toEqual([noWitness, halts(why)]);
    expect(bench.state).toBe("halted");
  });

  it("comes too late when it serves: a stranger's word stops nobody who works", () => {
    const bench = serving();
    expect(bench.take(older)).toEqual([]);
    expect([bench.state, bench.heard]).toEqual(["serving", true]);
  });

  it.each([
    ["recovering", () => starting(), [noWitness]],
    ["refusing", () => starting({ diskFull: "full" }), [noRecheck]],
    ["serving", () => serving(), []],
  ])("that its own host has halts it while %s", (state, make, before) => {
    for (const [event, why] of [
      [twin, another],
      [failed, "EIO: i/o error"],
    ] as const) {
      const bench = make();
      expect(bench.state).toBe(state);
      expect(bench.take(event)).toEqual([...before, halts(why)]);
      expect(bench.state).toBe("halted");
    }
  });

  it("is the end: nothing is answered, no timer runs", () => {
    const bench = serving();
    bench.take(failed);
    expect(bench.take(heard(prepare, p1))).toEqual([]);
    expect(bench.take({ type: "disk.room", nowMs: START_MS })).toEqual([]);
    expect([bench.state, bench.timers, bench.heard]).toEqual(["halted", [], false]);
  });
});

describe("the leader's signs of life", () => {
  const beacon = (round: number, chosenWatermark = 0) =>
    ({
      type: "beacon",
      ballot: ballot(round),
      nextSlot: 9,
      chosenWatermark,
      creditBytes: 1,
      payloadBytesMax: null,
      gateway: null,
    }) as const;
  const ask = heard({ type: "ask-leader", question: 4 }, p2, START_MS + 500);
  const lastHeard = (promised: number | null, agoMs: number | null) => [
    send("proposer", "p2", {
      type: "last-heard",
      question: 4,
      promised: promised === null ? null : ballot(promised),
      agoMs,
      chosenWatermark: 0,
    }),
  ];

  it("are none after a start, whatever the disk says", () => {
    expect(serving().take(ask)).toEqual(lastHeard(null, null));
    expect(serving([promised2]).take(ask)).toEqual(lastHeard(2, null));
  });

  it("are beacons of the promised ballot or a higher one; their watermark is not repeated", () => {
    const bench = serving([promised2]);
    expect(bench.take(heard(beacon(2, 7), p1, START_MS + 100))).toEqual([]);
    expect(bench.heard).toBe(true);
    expect(bench.take(ask)).toEqual(lastHeard(2, 400));
  });

  it("are not beacons of a ballot that is deposed; its leader is told", () => {
    const bench = serving([promised2]);
    const reason = { slot: null, reason: "stale" } as const;
    const refusal = { type: "nack", ballot: ballot(1), promised: ballot(2), ...reason } as const;
    expect(bench.take(heard(beacon(1, 7), p1))).toEqual([
      send("proposer", "p1", refusal),
      count("refused_stale"),
    ]);
    expect(bench.take(ask)).toEqual(lastHeard(2, null));
  });

  it("are accepts, and end with the promise of a higher ballot", () => {
    const bench = serving();
    bench.take(heard(accept, p1, START_MS + 480));
    expect(bench.take(ask)).toEqual(lastHeard(2, 20));
    bench.take(heard({ ...prepare, ballot: ballot(3) }, p1));
    expect(bench.take(ask)).toEqual(lastHeard(3, null));
  });
});

describe("repair", () => {
  const repair = (from: number, to: number, bytesMax: number) =>
    heard({ type: "repair", from, to, bytesMax } as const, learner);

  it("reads the votes that are asked for and not trimmed, in parts that fit the wire", () => {
    const bench = serving([{ kind: "marks", chosenWatermark: 6, trimmed: 4, highestVoted: 5 }]);
    const wanted = { to: { role: "learner", id: "l1" }, below: 9, trimmed: 4 } as const;
    expect(bench.take(repair(2, 9, 100))).toEqual([
      readVotes({ ...wanted, from: 4, bytesMax: 100 }),
    ]);
    expect(bench.take(repair(5, 9, 2 ** 40))).toEqual([
      readVotes({ ...wanted, from: 5, bytesMax: limits.partBytesMax }),
    ]);
  });
});
