/**
 * Goal: without faults every request stands in the log once, however slow disks and network are.
 * Method: the simulator's fault-free runs, with slow disks and slow messages, and its own judge.
 */
import { describe, expect, it } from "vitest";
import { drawPlan } from "../../src/sim/plan/draw.js";
import { CALM, type Plan } from "../../src/sim/plan/plan.js";
import { runPlan } from "../../src/sim/run/run.js";

/** When clients begin to ask: electing the first leader takes some slow syncs. */
const ELECTED_MS = 15_000;

/** A plan of the seed in which nothing goes wrong, on slow disks and a slow network. */
function slowPlan(seed: number, syncMs: number, latencyMs: number): Plan {
  const plan = drawPlan(seed);
  // Callers of the public door repeat a slow request themselves, through other gateways.
  const own = plan.requests.filter(({ request }) => request.kind !== "propose");
  const requests = own.map((one) => ({ ...one, atMs: one.atMs + ELECTED_MS }));
  return {
    ...{ ...plan, requests, calmMs: plan.calmMs + ELECTED_MS, syncMs, latencyMs },
    ...{
      setup: { ...plan.setup, limits: {}, rates: {} },
      weather: CALM,
      faults: [],
      ending: "healed",
    },
  };
}

describe("a request stands in the log once", () => {
  it.each([
    ["with syncs of up to 1.5 s", 1500, 2],
    ["with messages of up to 100 ms", 3, 100],
    ["with both", 600, 60],
  ])(
    "%s",
    (_, syncMs, latencyMs) => {
      let requests = 0;
      for (let seed = 1; seed <= 3; seed++) {
        const { violation, coverage } = runPlan(slowPlan(seed, syncMs, latencyMs));
        expect(violation, `seed ${seed}`).toBeNull();
        requests += coverage.counts.get("requests that took effect") ?? 0;
      }
      expect(requests).toBeGreaterThan(15);
    },
    120_000,
  );
});
