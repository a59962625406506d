/**
 * Goal: one signal may be handed to any number of calls, and nothing of it is left when they end;
 * a descriptor that comes off the wire gives no limit that is no number.
 * Method: the real client on the memory bus; listeners are counted by Node itself.
 */
import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { StoppedError } from "../../src/client/errors.js";
import { DEFAULT_LIMITS } from "../../src/paxos/limits.js";
import { testCluster } from "../support/steps.js";
import { Bench, FakeGateway, FakeLog } from "./bench.js";

async function stage() {
  const bench = new Bench();
  const log = new FakeLog(bench.cluster);
  return { bench, gateway: new FakeGateway(bench, "g1", log), client: await bench.open() };
}

describe("one signal for 1,000 calls", () => {
  it("has one listener while they wait and none afterwards; Node warns of nothing", async () => {
    const warnings: Error[] = [];
    const warn = (warning: Error) => void warnings.push(warning);
    process.on("warning", warn);
    const { bench, client } = await stage();
    const { signal } = new AbortController();
    const calls = Array.from({ length: 1000 }, (_, at) => client.propose(`v${at}`, { signal }));
    const feed = client.chosen({ signal });
    expect(getEventListeners(signal, "abort").length).toBe(1);
    await bench.run(Promise.all(calls));
    expect(getEventListeners(signal, "abort").length).toBe(1);
    await feed.return?.();
    expect(getEventListeners(signal, "abort").length).toBe(0);
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", warn);
    expect(warnings).toEqual([]);
    await bench.run(client.close());
  });

  it("ends every one of them", async () => {
    const { bench, gateway, client } = await stage();
    gateway.refuses = () => "silent";
    const controller = new AbortController();
    const { signal } = controller;
    const calls = [
      ...Array.from({ length: 500 }, (_, at) => client.propose(`v${at}`, { signal })),
      ...Array.from({ length: 500 }, (_, at) => client.decide(`k${at}`, "v", { signal })),
    ].map((call) => call.then(() => null).catch((error: unknown) => error));
    await bench.wait(20);
    expect(getEventListeners(signal, "abort").length).toBe(1);
    controller.abort("enough");
    const ends = await bench.run(Promise.all(calls));
    expect(ends.filter((error) => error instanceof StoppedError).length).toBe(1000);
    expect(getEventListeners(signal, "abort").length).toBe(0);
  });
});

describe("limits off the wire", () => {
  it("that an older worker does not know are the defaults", async () => {
    const { retryDelayMs: _unknown, ...older } = testCluster().limits;
    const bench = new Bench(testCluster());
    bench.answer("cluster", () => ({ ...testCluster(), limits: older }));
    const client = await bench.run(bench.dial());
    expect(client.cluster.limits.retryDelayMs).toBe(DEFAULT_LIMITS.retryDelayMs);
  });

  it.each([
    ["a text", "250"],
    ["a list", [250]],
    ["zero", 0],
    ["beyond whole numbers", 1e300],
    ["not whole", 2.5],
  ])("are not taken if one is %s", async (_, retryDelayMs) => {
    const bench = new Bench(testCluster());
    const limits = { ...testCluster().limits, retryDelayMs };
    bench.answer("cluster", () => ({ ...testCluster(), limits }));
    const dialled = bench.run(bench.dial({ timeoutMs: 2000 }));
    await expect(dialled).rejects.toMatchObject({ code: "unavailable" });
  });
});
