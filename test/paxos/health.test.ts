/** Goal: a process is slow after three readings in a row that say so, well after three others. */
import { describe, expect, it } from "vitest";
import { Health, mayStepAside, noteReading } from "../../src/paxos/health.js";
import { testCluster } from "../support/steps.js";

const { limits } = testCluster();
const well = { loopLagMs: 5 * limits.beaconMs - 1, heapUsedBytes: 89, heapBytesMax: 100 };
const stands = { ...well, loopLagMs: 5 * limits.beaconMs };
const full = { ...well, heapUsedBytes: 90 };

describe("a process", () => {
  it.each([
    ["stands", stands, "loop"],
    ["is full", full, "heap"],
  ] as const)("that %s is slow at the third reading in a row", (_what, bad, kind) => {
    const health = new Health();
    const readings = [bad, bad, well, bad, bad, bad, bad, well, well, bad, well, well, well];
    const slow = readings.map((reading, at) => noteReading(health, reading, limits, 1000 * at));
    expect(slow.map(Number).join("")).toBe("0000011111110");
    for (const at of [0, 1, 2]) noteReading(health, bad, limits, 20_000 + at);
    expect(health.trouble).toEqual({ kind, sinceMs: 20_002 });
  });
});

describe("the leader of a slow process", () => {
  it("steps aside once a minute, if there is another proposer", () => {
    expect(mayStepAside(null, 5, 2)).toBe(true);
    expect(mayStepAside(null, 5, 1)).toBe(false);
    expect([59_999, 60_000].map((ms) => mayStepAside(1000, 1000 + ms, 3))).toEqual([false, true]);
  });
});
