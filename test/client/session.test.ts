/**
 * Goal: what is proposed takes effect once, in order, whatever the bus and the gateways do, and
 * each call is told the truth about it.
 * Method: the real client against gateways that apply the real rules of sessions, on a memory bus
 * that loses, repeats and reorders.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSeededRandom } from "../../src/adapters/memory/random.js";
import type { Client } from "../../src/client/client.js";
import {
  InvalidError,
  NotPermittedError,
  OutcomeUnknownError,
  OverloadedError,
  SessionExpiredError,
  StoppedError,
  TooLargeError,
  UnavailableError,
} from "../../src/client/errors.js";
import type { Receipt } from "../../src/paxos/receipt.js";
import { testCluster } from "../support/steps.js";
import { Bench, FakeGateway, FakeLog, Watched } from "./bench.js";

interface Stage {
  readonly bench: Bench;
  readonly log: FakeLog;
  readonly gateways: readonly [FakeGateway, FakeGateway];
  readonly client: Client;
}

/** A client and two gateways that share a log. */
async function stage(options: Parameters<Bench["open"]>[0] = {}): Promise<Stage> {
  const bench = new Bench();
  const log = new FakeLog(bench.cluster);
  const gateways = [new FakeGateway(bench, "g1", log), new FakeGateway(bench, "g2", log)] as const;
  return { bench, log, gateways, client: await bench.open(options) };
}

const text = (body: Uint8Array) => new TextDecoder().decode(body);
const range = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `value ${from + index}`);

/** The gateway that serves, and the other. */
function sorted({ gateways }: Stage): readonly [FakeGateway, FakeGateway] {
  const [a, b] = gateways;
  return a.heard.length > 0 ? [a, b] : [b, a];
}

describe("propose", () => {
  it("tells where a value was chosen, and in the order of the calls", async () => {
    const { bench, log, client } = await stage();
    const calls = range(0, 50).map((value) => client.propose(value));
    const receipts = await bench.run(Promise.all(calls));
    expect(log.bodies.map(text)).toEqual(range(0, 50));
    expect(receipts.map(({ position }) => position)).toEqual(
      Array.from({ length: 50 }, (_, index) => index + 1),
    );
    expect(receipts[0]).toEqual({
      position: 1,
      slot: 0,
      ballot: { round: 1, owner: "p1.0123456789abcdef" },
      syncedBy: ["a1", "a2"],
    });
    await bench.run(client.close());
  });

  it("puts calls of one turn into one message, and opens no session before the first", async () => {
    const { bench, gateways, client } = await stage();
    await bench.wait(5000);
    expect(gateways.map(({ opened }) => opened)).toEqual([0, 0]);
    let messages = 0;
    bench.bus.intercept(({ message }) => {
      if (message.subject.includes(".gateway.request.")) messages++;
      return undefined;
    });
    const body = new Uint8Array(10);
    const calls = Array.from({ length: 4000 }, () => client.proposeRaw(body, "bytes"));
    await bench.run(Promise.all(calls));
    expect(messages).toBe(1);
  });

  it("under an id takes effect once, even in another session", async () => {
    const { bench, log, client } = await stage();
    const first = await bench.run(client.propose("a", { id: "order 1" }));
    const other = await bench.open();
    expect(await bench.run(other.propose("a", { id: "order 1" }))).toEqual(first);
    expect(log.bodies.length).toBe(1);
  });

  it.each([
    ["a value that is none", () => [new Map()] as const, InvalidError],
    ["a value over the limit", () => ["x".repeat(512 * 1024 + 1)] as const, TooLargeError],
    ["an id that is too long", () => ["a", { id: "x".repeat(256) }] as const, InvalidError],
    ["an impossible timeout", () => ["a", { timeoutMs: Number.NaN }] as const, InvalidError],
    ["an aborted signal", () => ["a", { signal: AbortSignal.abort() }] as const, StoppedError],
  ])("refuses %s before it is sent", async (_, args, Class) => {
    const { bench, gateways, client } = await stage();
    const [value, options] = args();
    const call = new Watched(client.propose(value, options as never));
    await bench.wait(1000);
    expect(call.error).toBeInstanceOf(Class);
    expect(call.error).toMatchObject({ mayHaveHappened: false });
    expect(gateways.map(({ opened }) => opened)).toEqual([0, 0]);
  });

  it("of exactly the limit goes through", async () => {
    const { bench, log, client } = await stage();
    const value = new Uint8Array(512 * 1024).fill(3);
    await bench.run(Promise.all([client.propose(value), client.propose(new Uint8Array(0))]));
    expect(log.bodies).toEqual([value, new Uint8Array(0)]);
  });
});

/** What the storms brought, all together. */
const weather = { lost: 0, repeated: 0, opened: 0 };

/** Runs calls over a bus of faults until all are answered. */
async function storm(seed: number, values: number): Promise<void> {
  const { bench, log, gateways, client } = await stage();
  const random = createSeededRandom(seed);
  let faults = true;
  let lost = 0;
  bench.bus.intercept(() => {
    if (!faults) return undefined;
    const drawn = random.next();
    if (drawn < 0.15) {
      lost++;
      return [];
    }
    if (drawn < 0.3) return [0, random.integer(400)];
    return drawn < 0.6 ? [random.integer(200)] : undefined;
  });
  for (const gateway of gateways) {
    gateway.refuses = () => {
      const drawn = faults ? random.next() : 1;
      if (drawn < 0.05) return "overloaded";
      return drawn < 0.07 ? "stopped" : drawn < 0.12 ? "silent" : null;
    };
  }
  const calls: Watched<Receipt>[] = [];
  for (let at = 0; at < values; at++) {
    calls.push(new Watched(client.propose(at, { timeoutMs: Number.POSITIVE_INFINITY })));
    if (random.next() < 0.7) await bench.wait(random.integer(150));
    if (random.next() < 0.02) {
      bench.link.disconnect();
      bench.clock.setTimer(random.integer(500), () => bench.link.reconnect());
    }
  }
  await bench.wait(20_000);
  faults = false;
  await bench.until(() => calls.every(({ isSettled }) => isSettled), 60_000);
  expect(calls.map(({ value }) => value?.position)).toEqual(calls.map((_, at) => at + 1));
  expect(log.bodies.length).toBe(values);
  const [g1, g2] = gateways;
  weather.lost += lost;
  weather.repeated += g1.heard.length + g2.heard.length - values;
  weather.opened += g1.opened + g2.opened;
  await bench.run(client.close());
}

describe("a bus that loses and reorders, gateways that refuse, stop and fall silent", () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "seed %i: all takes effect once, in order",
    (seed) => storm(seed, 200),
    30_000,
  );

  it("was a storm: messages were lost, requests repeated, sessions taken over", () => {
    expect(weather.lost).toBeGreaterThan(80);
    expect(weather.repeated).toBeGreaterThan(200);
    expect(weather.opened).toBeGreaterThan(16);
  });
});

describe("gateways that come and go", () => {
  it("the one that is killed is followed by the other", async () => {
    const run = await stage();
    const { bench, log, client } = run;
    await bench.run(client.propose("value 0"));
    const [serving, other] = sorted(run);
    serving.transport.vanish();
    await bench.run(Promise.all(range(1, 20).map((value) => client.propose(value))));
    expect(log.bodies.map(text)).toEqual(range(0, 20));
    expect(other.heard.length).toBeGreaterThan(0);
  });

  it("an overloaded one is left alone for as long as it asks", async () => {
    const run = await stage();
    const { bench, client } = run;
    await bench.run(client.propose("a"));
    const [serving] = sorted(run);
    let refusals = 0;
    serving.refuses = () => (++refusals <= 3 ? "overloaded" : null);
    const since = bench.clock.nowMs();
    await bench.run(client.propose("b"));
    expect(bench.clock.nowMs() - since).toBeGreaterThanOrEqual(150);
    expect(serving.opened).toBe(1);
  });
});

describe("a session that the log has forgotten", () => {
  it("is followed by another, which takes what did not happen, sent or not", async () => {
    const run = await stage();
    const { bench, log, client } = run;
    await bench.run(client.propose("a"));
    const [serving, other] = sorted(run);
    for (let n = 0; n <= bench.cluster.limits.sessionsMax; n++) {
      log.table.open(n.toString(16).padStart(32, "0"), n);
    }
    const big = new Uint8Array(400 * 1024);
    const calls = Array.from({ length: 12 }, () => client.propose(big));
    const receipts = await bench.run(Promise.all(calls));
    expect(receipts.map(({ position }) => position)).toEqual(
      Array.from({ length: 12 }, (_, index) => index + 2),
    );
    expect(serving.opened + other.opened).toBe(2);
  });

  it("that the log forgot, too: what was sent may have happened", async () => {
    const run = await stage();
    const { bench, log, client } = run;
    await bench.run(client.propose("a"));
    for (let n = 0; n <= 6 * bench.cluster.limits.sessionsMax; n++) {
      log.table.open(n.toString(16).padStart(32, "0"), n);
    }
    const call = new Watched(client.propose("b"));
    await bench.until(() => call.isSettled);
    expect(call.error).toBeInstanceOf(SessionExpiredError);
    expect(call.error).toMatchObject({ code: "session_expired", mayHaveHappened: true });
    expect(await bench.run(client.propose("c"))).toMatchObject({ position: 2 });
  });

  it("says what took effect before it expired, and asks the others again", async () => {
    const run = await stage();
    const { bench, log, client } = run;
    await bench.run(client.propose("a"));
    const [serving] = sorted(run);
    serving.isMute = true;
    const done = new Watched(client.propose("b"));
    await bench.until(() => log.bodies.length === 2);
    for (let n = 0; n <= bench.cluster.limits.sessionsMax; n++) {
      log.table.open(n.toString(16).padStart(32, "0"), n);
    }
    serving.isMute = false;
    const next = new Watched(client.propose("c"));
    await bench.until(() => done.isSettled && next.isSettled);
    expect(done.error).toMatchObject({ code: "session_expired", mayHaveHappened: true });
    expect(next.value).toMatchObject({ position: 3 });
    expect(log.bodies.length).toBe(3);
  });
});

describe("without a connection", () => {
  it("calls wait, and go on under the same numbers when it is back", async () => {
    const { bench, log, client } = await stage();
    await bench.run(client.propose("value 0"));
    bench.link.disconnect();
    const calls = range(1, 10).map((value) => new Watched(client.propose(value)));
    await bench.wait(3000);
    expect(calls.some(({ isSettled }) => isSettled)).toBe(false);
    bench.link.reconnect();
    await bench.until(() => calls.every(({ value }) => value !== undefined));
    expect(log.bodies.map(text)).toEqual(range(0, 10));
  });

  it("what was never sent is dropped with its call, and certainly has not happened", async () => {
    const { bench, log, client } = await stage();
    bench.link.disconnect();
    const call = new Watched(client.propose("a", { timeoutMs: 1000 }));
    await bench.wait(2000);
    expect(call.error).toBeInstanceOf(UnavailableError);
    expect(call.error).toMatchObject({ mayHaveHappened: false });
    bench.link.reconnect();
    await bench.run(client.propose("b"));
    expect(log.bodies.map(text)).toEqual(["b"]);
  });

  it("no more calls wait than pendingMax", async () => {
    const { bench, client } = await stage({ session: { pendingMax: 2 } });
    bench.link.disconnect();
    const calls = ["a", "b", "c"].map((value) => new Watched(client.propose(value)));
    await bench.wait(10);
    expect(calls[2]?.error).toBeInstanceOf(OverloadedError);
    expect(calls[2]?.error).toMatchObject({ mayHaveHappened: false, retryAfterMs: 100 });
    bench.link.reconnect();
    await bench.until(() => calls.every(({ isSettled }) => isSettled));
    await bench.run(client.propose("d"));
  });
});

describe("the end of a wait is not the end of a request", () => {
  it("timeoutMs: the outcome is unknown, and the value may be chosen later", async () => {
    const { bench, log, gateways, client } = await stage();
    for (const gateway of gateways) gateway.refuses = () => "silent";
    const call = new Watched(client.propose("a", { timeoutMs: 700 }));
    await bench.wait(699);
    expect(call.isSettled).toBe(false);
    await bench.wait(10);
    expect(call.error).toBeInstanceOf(OutcomeUnknownError);
    expect(call.error).toMatchObject({ mayHaveHappened: true });
    for (const gateway of gateways) gateway.refuses = null;
    await bench.run(client.propose("b"));
    expect(log.bodies.map(text)).toEqual(["a", "b"]);
  });

  it("a signal: the call is stopped with its reason", async () => {
    const { bench, gateways, client } = await stage();
    for (const gateway of gateways) gateway.refuses = () => "silent";
    const controller = new AbortController();
    const reason = new Error("the user left");
    const call = new Watched(client.propose("a", { signal: controller.signal }));
    await bench.wait(100);
    controller.abort(reason);
    await bench.settle();
    expect(call.error).toBeInstanceOf(StoppedError);
    expect(call.error).toMatchObject({ mayHaveHappened: true, cause: reason });
  });

  it("a signal before anything left: it has not happened", async () => {
    const { bench, log, client } = await stage();
    const controller = new AbortController();
    const call = new Watched(client.propose("a", { signal: controller.signal }));
    controller.abort();
    await bench.wait(1000);
    expect(call.error).toMatchObject({ code: "stopped", mayHaveHappened: false });
    expect(log.bodies).toEqual([]);
  });

  it("close: says what may have happened, and takes nothing more", async () => {
    const { bench, gateways, client } = await stage();
    for (const gateway of gateways) gateway.refuses = () => "silent";
    const sent = new Watched(client.propose("a"));
    await bench.wait(100);
    const unsent = new Watched(client.propose("b"));
    await bench.run(client.close());
    expect(sent.error).toMatchObject({ code: "stopped", mayHaveHappened: true });
    expect(unsent.error).toMatchObject({ code: "stopped", mayHaveHappened: false });
    const late = new Watched(client.propose("c"));
    await bench.settle();
    expect(late.error).toMatchObject({ code: "stopped", mayHaveHappened: false });
    expect(bench.clock.timerCount).toBe(0);
    await bench.run(client.close());
  });
});

describe("permissions", () => {
  it("that forbid a client to propose are named", async () => {
    const bench = new Bench();
    const told = bench.answer("cluster", () => bench.cluster);
    bench.link = bench.bus.connect("client", {
      denies: (operation, subject) => operation === "publish" && subject.includes(".gateway."),
    });
    const client = await bench.run(bench.dial());
    const call = new Watched(client.propose("a", { timeoutMs: 500 }));
    await bench.wait(1000);
    expect(call.error).toBeInstanceOf(NotPermittedError);
    expect(String(call.error)).toContain("synod.test.gateway.open-session");
    await bench.run(told.drain());
  });
});

describe("numbers and windows", () => {
  it("hold for any sizes of values and any small table of results", async () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 600 * 1024 }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 2, max: 20 }), async (given, results) => {
        const limits = { sessionResultsMax: results, valueBytesMax: 700 * 1024 };
        const bench = new Bench(testCluster(limits));
        const log = new FakeLog(bench.cluster);
        const gateway = new FakeGateway(bench, "g1", log);
        const client = await bench.open();
        const calls = given.map((size) => client.proposeRaw(new Uint8Array(size), "bytes"));
        await bench.run(Promise.all(calls));
        expect(log.bodies.map(({ length }) => length)).toEqual(given);
        expect(gateway.heard).toEqual(given.map((_, at) => at + 1));
        // The table keeps twice as many results, so that a repeat is always answered.
        expect(gateway.widestSpan).toBeLessThanOrEqual(Math.ceil(results / 2));
      }),
      { numRuns: 15 },
    );
  });
});
