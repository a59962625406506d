/**
 * Goal: a client that asks again is answered from what the gateway knows, and nothing of it fills
 * the log. Method: the real gateway's rules against the real rules of the log.
 */
import { describe, expect, it } from "vitest";
import type { Propose } from "../../src/paxos/wire/messages.js";
import { GatewayBench, opened } from "../support/gateway-world.js";

describe("a request that comes again", () => {
  it("tells the result of a request that comes again, without a copy in the log", () => {
    const { bench, session } = opened();
    bench.hold(session, 1, 2);
    bench.hear(...bench.choose(...bench.take()));
    const again = bench.ask(session, 1, 1, 2); // the answer to the client was lost
    expect(again.results.map(({ position }) => position)).toEqual([1, 2]);
    expect(bench.sent()).toEqual([]);
    bench.hold(session, 3);
    const { isUnderWay, results } = bench.ask(session, 3, 3);
    expect([isUnderWay, results]).toEqual([true, []]);
    expect(bench.state.results.size).toBe(0); // the client has them
  });

  it("does not say that requests are under way that nothing comes of", () => {
    const { bench, session } = opened();
    bench.hold(session, 1);
    for (const [times, isUnderWay] of [true, true, false].entries()) {
      bench.take();
      expect([times, bench.ask(session, 1, 1).isUnderWay]).toEqual([times, isUnderWay]);
      while (!bench.isOverdue()) bench.nowMs += bench.limits.retryDelayMs;
      bench.sendOverdueAgain();
    }
  });

  it("is not kept busy by a number off the wire", () => {
    const { bench, session } = opened();
    bench.hold(session, 1);
    bench.hear(...bench.choose(...bench.take()));
    bench.ask(session, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    expect(bench.state.results.size).toBe(0);
  });

  it("sends what came early again once its predecessor took effect", () => {
    const { bench, session } = opened(new GatewayBench({ batchCommandsMax: 1 }));
    bench.hold(session, 1, 2, 3);
    const [, second, third] = bench.take() as [Propose, Propose, Propose];
    bench.hear(...bench.choose(second)); // the first is lost: all three go again
    const [first] = bench.take() as [Propose];
    // The leader still had the third, and dropped its copy; that of the second it proposed.
    bench.hear(...bench.choose(third), ...bench.choose(first), ...bench.choose(second));
    expect(bench.sent()).toEqual(["3"]);
  });
});
