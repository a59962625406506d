/**
 * Goal: the elector's chart does what its picture says: whom it suspects, when it is sure, and whom
 * it names; for each transition, the next state and the exact effects.
 * Method: the machine is stepped as the host does, under a clock that the test writes down.
 */
import { describe, expect, it } from "vitest";
import { electorMachine } from "../../actors/elector/machine.js";
import { ping } from "../../actors/elector/services.js";
import { roles } from "../../actors/index.js";
import { broadcast, type Effect } from "../../src/kernel/effect.js";
import type { RoleInput } from "../../src/kernel/role.js";
import type { Ballot } from "../../src/paxos/ballot.js";
import { draw } from "../../src/paxos/consensus/backoff.js";
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
} from "../support/steps.js";

const { limits } = testCluster();
const { beaconMs, suspectMs, silenceMs } = limits;
const CONFIRM_MS = Math.round(limits.confirmMs * (1 + draw(1).value));

const noTick = timerCancelled("nextPing", "elector.watching");
const tick = timerSet("nextPing", "elector.watching", beaconMs);
/** After a beacon. */
const quiet = timerSet("nextPing", "elector.watching", silenceMs);
const noPause = timerCancelled("confirmPause", "elector.suspecting");
const noTime = timerCancelled("suspicionTime", "elector.confirming");
const noHint = timerCancelled("hintPause", "elector.presiding");
const nextHint = timerSet("hintPause", "elector.presiding", 4 * beaconMs);
const pings = (proposer: string): Effect => ping(proposer, suspectMs);
const names = (candidate: string, suspects: Ballot | null): Effect =>
  broadcast("proposer", { type: "hint", candidate, suspects });

const beacon = (round: number, from = "p1", nowMs = START_MS) =>
  heard(
    {
      type: "beacon",
      ballot: ballot(round, from),
      nextSlot: 0,
      chosenWatermark: 0,
      creditBytes: 1,
      payloadBytesMax: null,
      gateway: null,
    },
    sender("proposer", from),
    nowMs,
  );
const noPong = (reason = "no_responders", proposer = "p1", nowMs = START_MS) => ({
  type: "no-pong",
  proposer,
  reason,
  nowMs,
});
const pong = { type: "pong", proposer: "p1", nowMs: START_MS };
const up = (nowMs: number) => ({ type: "connection.up", nowMs });
const down = (nowMs: number) => ({ type: "connection.down", nowMs });
const alarm = (delay: string, state: string, nowMs: number) => ({
  type: `xstate.after.${delay}.elector.${state}`,
  nowMs,
});
const tickAt = (nowMs: number) => alarm("nextPing", "watching", nowMs);

const fresh = (rest: Partial<RoleInput> = {}) => new Bench(electorMachine, roleInput(rest));

function watching(): Bench {
  const bench = fresh();
  bench.take(beacon(3));
  return bench;
}

function suspecting(): Bench {
  const bench = watching();
  bench.take(noPong());
  expect(bench.state).toBe("suspecting");
  return bench;
}

function confirming(): Bench {
  const bench = suspecting();
  bench.fire("confirmPause");
  expect(bench.state).toBe("confirming");
  return bench;
}

function presiding(): Bench {
  const bench = confirming();
  bench.take(noPong());
  expect(bench.state).toBe("presiding");
  return bench;
}

/**
 * Lets ticks come on time, until and without one at a time: the first after a beacon, each
 * `beaconMs` after the last. @returns when the last one came
 */
function tickUntil(bench: Bench, fromMs: number, untilMs: number): number {
  let nowMs = fromMs;
  const { waitMs } = bench.snapshot.context;
  if (waitMs > beaconMs) {
    nowMs += waitMs;
    bench.take(tickAt(nowMs));
  }
  for (; nowMs + beaconMs < untilMs; nowMs += beaconMs) bench.take(tickAt(nowMs + beaconMs));
  return nowMs;
}

describe("watching", () => {
  it("begins with a clock, and pings nobody as long as it knows nobody", () => {
    const bench = fresh();
    expect([bench.state, bench.effects]).toEqual(["watching", [tick]]);
    expect(bench.take(tickAt(START_MS + beaconMs))).toEqual([noTick, tick]);
  });

  it("pings no leader whose beacons come", () => {
    const bench = fresh();
    for (const nth of [1, 2, 3]) {
      expect(bench.take(beacon(3, "p1", START_MS + nth * beaconMs))).toEqual([noTick, quiet]);
    }
  });

  it("pings a silent leader at each tick, whether or not the last ping was answered", () => {
    const bench = watching();
    for (const nth of [0, 1, 2]) {
      const nowMs = START_MS + silenceMs + nth * beaconMs;
      expect(bench.take(tickAt(nowMs))).toEqual([noTick, pings("p1"), tick]);
      expect(bench.state).toBe("watching");
    }
    expect([bench.take(pong), bench.heard, bench.state]).toEqual([[], true, "watching"]);
  });

  it("pings as soon as acceptors may let another prepare, and before it suspects a hang", () => {
    const waits = (change: Partial<typeof limits>) => {
      const bench = fresh({ cluster: testCluster(change) });
      bench.take(beacon(3));
      return bench.snapshot.context.waitMs;
    };
    expect(waits({ silenceMs: 400 })).toBe(400);
    expect(waits({ silenceMs: 1 })).toBe(beaconMs);
    expect(waits({ silenceMs: suspectMs + 1 })).toBe(suspectMs);
  });

  it("follows the highest ballot: a beacon of a replaced leader is stale", () => {
    const bench = watching();
    expect(bench.take(beacon(4, "p2"))).toEqual([noTick, quiet]);
    expect(roles.elector?.status(bench.snapshot)).toMatchObject({ leader: "p2" });
    expect([bench.take(beacon(3)), bench.heard]).toEqual([[], false]);
    expect(roles.elector?.status(bench.snapshot)).toMatchObject({ leader: "p2" });
  });

  it("suspects the leader when the server knows of no such process", () => {
    expect(watching().take(noPong())).toEqual([
      noTick,
      timerSet("confirmPause", "elector.suspecting", CONFIRM_MS),
    ]);
  });

  it.each([
    ["timeout", "p1"],
    ["disconnected", "p1"],
    ["no_responders", "p2"],
  ])("takes no offence at a ping that ended by %s, of %s", (reason, proposer) => {
    const bench = watching();
    expect(bench.take(noPong(reason, proposer))).toEqual([]);
    expect([bench.state, bench.heard]).toEqual(["watching", false]);
  });
});

describe("a silent leader", () => {
  it("is given up after `suspectMs`, not before: the next is named", () => {
    const bench = watching();
    const last = tickUntil(bench, START_MS, START_MS + suspectMs + 1);
    expect([bench.state, last]).toEqual(["watching", START_MS + suspectMs]);
    expect(bench.take(tickAt(last + beaconMs))).toEqual([noTick, names("p2", ballot(3)), nextHint]);
    expect(bench.state).toBe("presiding");
    expect(roles.elector?.status(bench.snapshot)).toMatchObject({ elections: 1 });
  });

  it("is not silent while its beacons come", () => {
    const bench = watching();
    const last = tickUntil(bench, START_MS, START_MS + suspectMs + 1);
    bench.take(beacon(3, "p1", last));
    expect(bench.take(tickAt(last + silenceMs))).toEqual([noTick, pings("p1"), tick]);
  });

  it("is forgiven what this process itself came late", () => {
    const bench = watching();
    bench.take(tickAt(START_MS + silenceMs + 700));
    const last = tickUntil(bench, START_MS + silenceMs + 700, START_MS + 700 + suspectMs + 1);
    expect([bench.state, last]).toEqual(["watching", START_MS + 700 + suspectMs]);
    bench.take(tickAt(last + beaconMs));
    expect(bench.state).toBe("presiding");
  });

  it("is forgiven a pause of this process that is longer than its patience", () => {
    const bench = watching();
    const late = START_MS + 10 * suspectMs;
    expect(bench.take(tickAt(late))).toEqual([noTick, pings("p1"), tick]);
    expect(bench.state).toBe("watching");
  });
});

describe("a cold start", () => {
  it("looks around for three beacons, then names the first", () => {
    const bench = fresh();
    const last = tickUntil(bench, START_MS, START_MS + 3 * beaconMs + 1);
    expect([bench.state, last]).toEqual(["watching", START_MS + 3 * beaconMs]);
    expect(bench.take(tickAt(last + beaconMs))).toEqual([noTick, names("p1", null), nextHint]);
  });

  it("names nobody if a leader shows meanwhile", () => {
    const bench = fresh();
    const last = tickUntil(bench, START_MS, START_MS + 3 * beaconMs + 1);
    bench.take(beacon(1, "p2", last));
    expect(bench.take(tickAt(last + silenceMs))).toEqual([noTick, pings("p2"), tick]);
  });
});

describe("suspecting and confirming: two pings find nobody", () => {
  it("asks a second time after a pause of its own", () => {
    const bench = suspecting();
    expect(bench.fire("confirmPause")).toEqual([
      noPause,
      pings("p1"),
      timerSet("suspicionTime", "elector.confirming", suspectMs),
    ]);
    const pauses = [1, 2, 3, 4].map((seed) => {
      const other = fresh({ seed });
      other.take(beacon(3));
      other.take(noPong());
      return other.snapshot.context.confirmMs as number;
    });
    expect(new Set(pauses).size).toBeGreaterThan(1);
    for (const ms of pauses) {
      expect(ms).toBeGreaterThanOrEqual(limits.confirmMs);
      expect(ms).toBeLessThanOrEqual(2 * limits.confirmMs);
    }
  });

  it("is not confirmed by another ping that was out before", () => {
    const bench = suspecting();
    expect(bench.take(noPong())).toEqual([]);
    expect([bench.state, bench.heard]).toEqual(["suspecting", true]);
  });

  it("is confirmed by the second: the next is named", () => {
    const bench = confirming();
    expect(bench.take(noPong())).toEqual([noTime, names("p2", ballot(3)), nextHint]);
    expect(bench.state).toBe("presiding");
    expect(roles.elector?.status(bench.snapshot)).toMatchObject({ elections: 1, leader: "p1" });
  });

  it.each([
    ["timeout", "p1"],
    ["disconnected", "p1"],
    ["no_responders", "p2"],
  ])("is not confirmed by a ping that ended by %s, of %s", (reason, proposer) => {
    const bench = confirming();
    expect([bench.take(noPong(reason, proposer)), bench.state]).toEqual([[], "confirming"]);
  });

  it("ends in time if nothing confirms it", () => {
    const bench = confirming();
    expect(bench.fire("suspicionTime")).toEqual([noTime, tick]);
    expect(bench.state).toBe("watching");
  });

  it.each([
    ["a pong", pong, tick],
    ["a beacon", beacon(3), quiet],
    ["a new leader's beacon", beacon(4, "p2"), quiet],
  ])("ends by %s in between", (_, event, next) => {
    for (const [bench, before] of [
      [suspecting(), noPause],
      [confirming(), noTime],
    ] as const) {
      expect(bench.take(event)).toEqual([before, next]);
      expect(bench.state).toBe("watching");
    }
  });

  it("does not end by a stale beacon", () => {
    for (const bench of [suspecting(), confirming(), presiding()]) {
      const { state } = bench;
      expect([bench.take(beacon(2, "p2")), bench.state, bench.heard]).toEqual([[], state, false]);
    }
  });

  it("says what it waits for", () => {
    const why = (bench: Bench) => roles.elector?.waits(bench.snapshot, START_MS + 30)[0];
    expect(why(watching())).toBeUndefined();
    expect(why(suspecting())).toMatchObject({ for: "a sign of the leader", from: ["p1"] });
    expect(why(confirming())).toMatchObject({ for: "a sign of the leader", from: ["p1"] });
    expect(why(presiding())).toMatchObject({ for: "a leader's beacon", from: ["p2"] });
  });

  it("says that a leader is silent before it is suspected", () => {
    const why = (ms: number) => roles.elector?.waits(watching().snapshot, START_MS + ms)[0];
    const { beaconMs } = testCluster().limits;
    expect(why(3 * beaconMs - 1)).toBeUndefined();
    const silent = { for: "a leader's beacon", from: ["p1"], sinceMs: 3 * beaconMs };
    expect(why(3 * beaconMs)).toMatchObject(silent);
  });
});

describe("presiding", () => {
  it("names each in turn, the suspected one last, until one leads", () => {
    const bench = presiding();
    for (const candidate of ["p1", "p2", "p1"]) {
      expect(bench.fire("hintPause")).toEqual([noHint, names(candidate, ballot(3)), nextHint]);
      expect(bench.state).toBe("presiding");
    }
    expect(bench.take(beacon(4, "p2"))).toEqual([noHint, quiet]);
    expect(bench.state).toBe("watching");
  });

  it("begins with the first candidate the next time", () => {
    const bench = presiding();
    bench.fire("hintPause");
    bench.take(beacon(4, "p2"));
    bench.take(noPong("no_responders", "p2"));
    bench.fire("confirmPause");
    expect(bench.take(noPong("no_responders", "p2"))).toContainEqual(names("p1", ballot(4, "p2")));
  });

  it("goes round: a third has its turn when two fail one after the other", () => {
    const members = ["p1", "p2", "p3"].map((id) => ({ id, storeId: `b${id}` }));
    const bench = fresh({ cluster: testCluster({}, { proposers: members }) });
    const fails = (round: number, leader: string) => {
      bench.take(beacon(round, leader));
      bench.take(noPong("no_responders", leader));
      bench.fire("confirmPause");
      return bench.take(noPong("no_responders", leader));
    };
    expect(fails(3, "p1")).toContainEqual(names("p2", ballot(3)));
    expect(fails(4, "p2")).toContainEqual(names("p3", ballot(4, "p2")));
    expect(fails(5, "p3")).toContainEqual(names("p1", ballot(5, "p3")));
  });

  it("with one proposer names that one", () => {
    const cluster = testCluster({}, { proposers: [{ id: "p1", storeId: "b1" }] });
    const bench = fresh({ cluster });
    bench.take(beacon(3));
    bench.take(noPong());
    bench.fire("confirmPause");
    expect(bench.take(noPong())).toContainEqual(names("p1", ballot(3)));
    expect(bench.fire("hintPause")).toContainEqual(names("p1", ballot(3)));
  });

  it("hears no ping's answer: a process that lives may still not lead", () => {
    const bench = presiding();
    expect([bench.take(pong), bench.state, bench.heard]).toEqual([[], "presiding", false]);
  });
});

describe("the connection", () => {
  const makers = [
    ["watching", watching, noTick],
    ["suspecting", suspecting, noPause],
    ["confirming", confirming, noTime],
    ["presiding", presiding, noHint],
  ] as const;

  it.each(makers)("that is lost ends all suspicion: from %s", (_, make, before) => {
    const bench = make();
    expect(bench.take(down(START_MS))).toEqual([before, tick]);
    expect(bench.state).toBe("watching");
  });

  it.each(makers)("that is back is no reason for suspicion: from %s", (_, make, before) => {
    const bench = make();
    const backMs = START_MS + 9 * suspectMs;
    expect(bench.take(up(backMs))).toEqual([before, tick]);
    expect(bench.state).toBe("watching");
    const last = tickUntil(bench, backMs, backMs + suspectMs + 1);
    expect([bench.state, last]).toEqual(["watching", backMs + suspectMs]);
  });
});
