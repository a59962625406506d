/**
 * Goal: what was lost is sent again, at the right time and no more often than it helps: copies of
 * what a slow leader still has would only make it slower.
 * Method: the real gateway's rules against the real rules of the log, with a clock of our own.
 */
import { describe, expect, it } from "vitest";
import { createSeededRandom } from "../../src/adapters/memory/random.js";
import type { Outcome, Propose } from "../../src/paxos/wire/messages.js";
import { GatewayBench, opened, sessionId } from "../support/gateway-world.js";

describe("a lost message", () => {
  /** Four are sent each in a message of its own; the first is lost. */
  function lossy(): { bench: GatewayBench; early: Outcome[] } {
    const { bench, session } = opened(new GatewayBench({ batchCommandsMax: 1 }));
    bench.hold(session, 1, 2, 3, 4);
    const [, ...rest] = bench.take();
    bench.nowMs += 1;
    const early = bench.choose(...rest);
    expect(early.map(({ kind }) => kind)).toEqual(["early", "early", "early"]);
    return { bench, early };
  }

  it("is sent again at the first early outcome, and behind it each that came too early", () => {
    const { bench, early } = lossy();
    bench.hear(early[0] as Outcome);
    const again = bench.take();
    expect(again).toHaveLength(2); // 3 and 4 are on their way, for all it knows
    bench.hear(...early.slice(1));
    again.push(...bench.take());
    expect(again).toHaveLength(4);
    expect(bench.isOverdue()).toBe(false); // no timer was needed
    const { results } = bench.hear(...bench.choose(...again));
    expect(results.get(sessionId("s"))?.map(({ number }) => number)).toEqual([1, 2, 3, 4]);
    expect(bench.bodies()).toEqual(["7300/1", "7300/2", "7300/3", "7300/4"]);
  });

  it("is sent again even without credit for more", () => {
    const { bench, early } = lossy();
    bench.state.creditBytes = 1;
    bench.hear(...early);
    expect(bench.sent()).toEqual(["1"]);
  });

  it("of a burst is sent again with the whole burst, not one a round trip", () => {
    const { bench, session } = opened(new GatewayBench({ batchCommandsMax: 1 }));
    const numbers = Array.from({ length: 60 }, (_, at) => at + 1);
    bench.hold(session, ...numbers);
    let queue = bench.take().slice(50);
    let sent = 0;
    for (let rounds = 0; bench.bodies().length < numbers.length; rounds++) {
      expect(rounds).toBeLessThan(4); // one more for each that was lost: 50
      bench.nowMs += bench.limits.retryDelayMs;
      bench.hear(...bench.choose(...queue));
      queue = bench.take();
      sent += queue.length;
    }
    expect(sent).toBeLessThan(3 * numbers.length);
  });

  it("goes before what the session asks later", () => {
    const { bench, early } = lossy();
    bench.hold(sessionId("s"), 5);
    bench.hear(...early);
    expect(bench.sent()).toEqual(["1", "2", "3", "4", "5"]);
  });

  it("twice for one gap is answered again after a while", () => {
    const { bench, early } = lossy();
    bench.hear(...early);
    const [, ...rest] = bench.take(); // lost again
    const [second, third, fourth] = bench.choose(...rest) as [Outcome, Outcome, Outcome];
    bench.nowMs += bench.limits.retryDelayMs - 1;
    bench.hear(second);
    expect(bench.sent()).toEqual([]);
    bench.nowMs += 1;
    bench.hear(third);
    expect(bench.sent()).toEqual(["1", "2", "3"]);
    bench.hear(fourth);
    expect(bench.sent()).toEqual(["4"]);
  });

  it("for another gap is answered at once", () => {
    const { bench, early } = lossy();
    bench.hear(...early);
    const [first, , third, fourth] = bench.take();
    bench.nowMs += 1;
    const [done, ...late] = bench.choose(...[first, third, fourth].flatMap((one) => one ?? []));
    bench.hear(done as Outcome, ...late); // now 2 is missing
    expect(bench.sent()).toEqual(["2", "3", "4"]);
  });

  it("without a successor shows as overdue", () => {
    const { bench, session } = opened();
    bench.hold(session, 1);
    bench.take();
    bench.nowMs += 4 * bench.limits.retryDelayMs;
    expect(bench.isOverdue()).toBe(true);
    bench.sendAllAgain();
    expect(bench.sent()).toEqual(["1"]);
    expect(bench.isOverdue()).toBe(false);
  });

  it("is not overdue while outcomes of its session come", () => {
    const { bench, session } = opened(new GatewayBench({ batchCommandsMax: 1 }));
    bench.hold(session, 1, 2);
    const [first] = bench.take();
    bench.nowMs += 4 * bench.limits.retryDelayMs - 1;
    bench.hear(...bench.choose(...(first === undefined ? [] : [first])));
    bench.nowMs += 1;
    expect(bench.isOverdue()).toBe(false); // the second waits in a slow leader's queue
    bench.nowMs += 8 * bench.limits.retryDelayMs;
    expect(bench.isOverdue()).toBe(true);
  });

  it("is not overdue before outcomes usually come", () => {
    const { bench, session } = opened();
    const takesMs = 6 * bench.limits.retryDelayMs;
    bench.hold(session, 1);
    for (let number = 1; number <= 30; number++) {
      const taken = bench.take();
      bench.nowMs += takesMs - 1;
      if (number > 2) expect(bench.isOverdue()).toBe(false);
      bench.nowMs += 1;
      bench.hear(...bench.choose(...taken));
      bench.hold(session, number + 1);
    }
    bench.take();
    bench.nowMs += 2 * takesMs; // the deviation is next to nothing by now
    expect(bench.isOverdue()).toBe(true);
  });

  it("is sent again ever more patiently, until an outcome comes", () => {
    const { bench, session } = opened();
    bench.hold(session, 1);
    bench.take();
    const waits: number[] = [];
    for (let sent = 0; sent < 5; sent++) {
      const from = bench.nowMs;
      while (!bench.isOverdue()) bench.nowMs += bench.limits.retryDelayMs;
      waits.push((bench.nowMs - from) / bench.limits.retryDelayMs);
      bench.sendOverdueAgain();
      const again = bench.take();
      if (sent === 4) bench.hear(...bench.choose(...again));
    }
    expect(waits).toEqual([4, 8, 16, 32, 32]);
    bench.hold(session, 2);
    bench.take();
    bench.nowMs += 32 * bench.limits.retryDelayMs; // the last outcome was long in coming
    expect(bench.isOverdue()).toBe(true);
  });

  it("of an opening shows as overdue, though a request was held before it", () => {
    const bench = new GatewayBench();
    bench.hold(sessionId("s"), 1);
    bench.open("s");
    expect(bench.sent()).toEqual(["open"]);
    bench.nowMs += 4 * bench.limits.retryDelayMs;
    expect(bench.isOverdue()).toBe(true);
  });

  it("is not answered by copy after copy where messages overtake each other", () => {
    const { bench, session } = opened(new GatewayBench({ batchCommandsMax: 1 }));
    bench.hold(session, ...Array.from({ length: 40 }, (_, at) => at + 1));
    const random = createSeededRandom(1);
    const pool = bench.take();
    let sent = pool.length;
    while (bench.bodies().length < 40) {
      bench.nowMs += 5;
      if (bench.isOverdue()) bench.sendOverdueAgain();
      const [message] = pool.splice(random.integer(Math.max(1, pool.length)), 1);
      if (message !== undefined) bench.hear(...bench.choose(message));
      const again = bench.take();
      sent += again.length;
      pool.push(...again);
    }
    expect(sent).toBeLessThan(600); // 498; with copies of what was on its way 788
  });

  it("holds nothing up for long, gap after gap, while the leader drops copies", () => {
    const { bench, session } = opened(new GatewayBench({ batchCommandsMax: 1 }));
    const requests = 100;
    bench.hold(session, ...Array.from({ length: requests }, (_, at) => at + 1));
    const random = createSeededRandom(1);
    const queue = new Map<string, Propose>();
    const fromMs = bench.nowMs;
    while (bench.bodies().length < requests) {
      bench.nowMs += 1;
      if (bench.isOverdue()) bench.sendOverdueAgain();
      for (const message of bench.take()) {
        if (random.next() > 0.05) queue.set(String(message.commands[0]), message);
      }
      const [next] = queue;
      if (next === undefined) continue;
      queue.delete(next[0]);
      bench.hear(...bench.choose(next[1]));
    }
    expect(bench.nowMs - fromMs).toBeLessThan(1000); // 442; while dropped copies held it up 2685
  });

  it("costs few copies in a long queue whose order was lost", () => {
    const { bench, session } = opened(new GatewayBench({ batchCommandsMax: 1 }));
    const requests = 100;
    bench.hold(session, ...Array.from({ length: requests }, (_, at) => at + 1));
    const random = createSeededRandom(1);
    const queue = new Map<string, Propose>();
    const enter = (message: Propose) => queue.set(String(message.commands[0]), message);
    const pool = [...bench.take()];
    while (pool.length > 0) {
      for (const one of pool.splice(random.integer(pool.length), 1)) enter(one);
    }
    let slots = 0;
    for (; bench.bodies().length < requests; slots++) {
      bench.nowMs += 50;
      if (bench.isOverdue()) bench.sendOverdueAgain();
      for (const message of bench.take()) {
        const name = String(message.commands[0]);
        if (!queue.has(name)) enter(message); // the leader keeps the oldest copy
      }
      const [next] = queue;
      if (next === undefined) continue;
      queue.delete(next[0]);
      bench.hear(...bench.choose(next[1]));
    }
    expect(slots).toBeLessThan(5 * requests); // 323; where each went again as it came 2039
  });
});
