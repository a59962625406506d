/**
 * Goal: a role with instances runs one machine a key: begun by a wish alone, bounded, dropped when
 * it is finished.
 * Method: as in runner.test.ts, with messages that carry a key.
 */
import { describe, expect, it } from "vitest";
import type { Message } from "../../src/paxos/wire/messages.js";
import { sender } from "../support/steps.js";
import { obedientRole, RunnerBench } from "./running.js";

const keyed = obedientRole({
  name: "synod-proposer",
  instances: {
    keyOf: (message) => ("key" in message ? message.key : undefined),
    begins: ({ type }) => type === "decide",
    countMax: ({ decideOpenMax }) => decideOpenMax,
  },
});

/** Delivers messages in one drain. */
function hear(bench: RunnerBench, ...messages: readonly (readonly [string, string])[]): void {
  for (const [type, key] of messages) {
    const message = { type, key } as unknown as Message;
    bench.runner.deliver({ from: sender("session", "c1"), message, bytes: 1 });
  }
  bench.clock.turn();
}

const make = (decideOpenMax = 10) => new RunnerBench(keyed, { decideOpenMax }, false);
const keys = (bench: RunnerBench) => [...bench.runner.snapshots().keys()];

describe("an instance", () => {
  it("is begun by a wish for its key, and hears what is about that key", () => {
    const bench = make();
    expect(keys(bench)).toEqual([]);
    hear(bench, ["decide", "k1"], ["decide", "k2"], ["decide", "k1"], ["key-promise", "k2"]);
    expect(keys(bench)).toEqual(["k1", "k2"]);
    expect(bench.counts).toEqual(
      new Map([
        ["decide k1", 2],
        ["decide k2", 1],
        ["key-promise k2", 1],
      ]),
    );
  });

  it("is begun by nothing else: a late answer is nothing, an odd one is counted", () => {
    const bench = make();
    hear(bench, ["key-promise", "k1"]);
    expect([keys(bench), bench.counts]).toEqual([[], new Map()]);
    hear(bench, ["promise", "k1"]);
    expect([keys(bench), bench.counts]).toEqual([[], new Map([["unheard", 1]])]);
  });

  it("is dropped when it is finished, with its timers; the next wish begins another", () => {
    const bench = make();
    hear(bench, ["decide", "k1"]);
    const { nonce } = bench.input("k1");
    bench.runner.tell({ type: "arm" });
    bench.clock.turn();
    hear(bench, ["key-nack", "k1"], ["key-promise", "k1"]);
    expect([keys(bench), bench.counts.has("key-promise k1")]).toEqual([[], false]);
    expect(bench.clock.alarms.map(({ cancelled }) => cancelled)).toEqual([true]);
    bench.clock.alarms[0]?.fire();
    bench.clock.turn();
    expect(bench.counts.get("fired")).toBeUndefined();
    hear(bench, ["decide", "k1"]);
    expect(bench.input("k1")).toMatchObject({ instance: "k1" });
    expect(bench.input("k1").nonce).not.toBe(nonce);
  });

  it("has timers of its own: those of another key's instance do not reach it", () => {
    const bench = make();
    hear(bench, ["decide", "k1"], ["decide", "k2"]);
    bench.runner.tell({ type: "arm" });
    bench.clock.turn();
    bench.clock.alarms[0]?.fire();
    bench.clock.turn();
    expect([bench.snapshot("k1")?.value, bench.snapshot("k2")?.value]).toEqual(["idle", "armed"]);
  });

  it("finds no room beyond the bound, and finds it again when one is finished", () => {
    const bench = make(2);
    hear(bench, ["decide", "k1"], ["decide", "k2"], ["decide", "k3"]);
    expect([keys(bench), bench.counts.get("overloaded")]).toEqual([["k1", "k2"], 1]);
    hear(bench, ["decide", "k2"]);
    expect(bench.counts.get("decide k2")).toBe(2);
    hear(bench, ["key-nack", "k1"], ["decide", "k3"]);
    expect(keys(bench)).toEqual(["k2", "k3"]);
  });

  it("hears what the host tells every role", () => {
    const bench = make();
    hear(bench, ["decide", "k1"], ["decide", "k2"]);
    bench.do({ kind: "count", reason: "told" });
    expect(bench.counts.get("told")).toBe(2);
  });

  it("that throws stops the whole role", () => {
    const bench = make();
    hear(bench, ["decide", "k1"]);
    bench.runner.tell({ type: "throw" });
    bench.clock.turn();
    expect(bench.halts).toEqual(["threw: synod-proposer a1 stopped at throw: the step threw"]);
  });
});
