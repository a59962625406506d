/**
 * Goal: what seed 3000082 found stays mended: phase2a. It was broken thus:
 * proposer p2 (p2, 7) proposes ⟨1000003.p2, ⟨c1-34⟩⟩ in slot 19; whole promises it heard are {a4:
 * no vote}.
 * The proposer was right: the book of promises took a promise with a wrong watermark for none.
 * Method: the plan to which the seed was shrunk, run again; this is what happened:
 *
 *     801  FAULT               weather for 300 ms: 0.5 % lost, 0 % repeated, 40 % overtaken, 0.2 %…
 *    1992  FAULT               somebody signs as an elector and lies for 1 ms
 *    2333  FAULT               somebody signs as an elector and lies for 500 ms
 *  2484.8  p2                  has synced: round 2
 *  2486.4  p2                  leads at 2.p2
 *  2636.9  p2                  steps down
 *    2732  FAULT               60 % of the watermarks and rounds arrive wrong for 130 ms
 *  2784.8  p2                  has synced: round 1000003
 *  2784.8  p2 → a1 a2 a3 a4 a5  prepare 1000003.p2 for every slot from 19 on
 *  2785.3  a3                  has synced: promise 1000003.p2
 *  2785.3  a3 → ✗              promise 1000003.p2: no votes; all below slot 11 is chosen   ✗ lost:…
 *  2785.5  a2                  has synced: promise 1000003.p2
 *  2785.5  a2 → ✗              promise 1000003.p2: no votes; all below slot 11 is chosen   ✗ lost:…
 *  2785.7  a5                  has synced: promise 1000003.p2
 *  2785.7  a5 → ✗              promise 1000003.p2: no votes; all below slot 11 is chosen   ✗ lost:…
 *  2785.8  a4                  has synced: promise 1000003.p2
 *  2785.8  a4 → p2             promise 1000003.p2: no votes; all below slot 11 is chosen
 *  2786.2  a1                  has synced: promise 1000003.p2
 *  2786.2  a1 → ✗              promise 1000003.p2: no votes; all below slot 11 is chosen   ✗ lost:…
 *  2786.3  l1 → a1 a2 a3 a4 a5  repair: what of slots 19 to 26?
 *  2786.5  p2                  leads at 1000003.p2
 *  2786.5  a4 → l1             votes: none
 *  2786.8  a5 → l1             votes: none
 *  2786.9  a2 → l1             votes: none
 *    2787  a3 → l1             votes: none
 *  2787.1  a1 → l1             votes: none
 *  2837.3  l3 → a1 a2 a3 a4 a5  repair: what of slots 19 to 50?
 *  2837.4  l2 → a1 a2 a3 a4 a5  repair: what of slots 19 to 50?
 *  2837.5  a4 → l2             votes: none
 *  2837.7  a1 → l3             votes: none
 *    2838  a3 → l3             votes: none
 *  2838.1  a2 → l3             votes: none
 *  2838.1  a5 → l2             votes: none
 *    2909  c1                  wants ⟨c1-34⟩ in the log
 *    2909  c1 → g1             request 18 ⟨c1-34⟩
 *  2909.4  g1 → p2             propose ⟨c1-34⟩
 *    2910  p2 → a1 a2 a3 a4 a5  accept 1000003.p2 slot 19 ⟨c1-34⟩
 */
import { expect, it } from "vitest";
import type { Plan } from "../../../src/sim/plan/plan.js";
import { runPlan } from "../../../src/sim/run/run.js";

const plan: Plan = {
  seed: 3000082,
  setup: {
    family: "log",
    acceptors: 5,
    proposers: 2,
    quorums: { kind: "majority" },
    learn: { kind: "leader" },
    placement: "separated",
    limits: { windowMax: 8, silenceMs: 1 },
    rates: {},
  },
  weather: { loss: 0, repeat: 0, reorder: 0, late: 0, flip: 0 },
  latencyMs: 1,
  syncMs: 1,
  faults: [
    {
      atMs: 801,
      fault: {
        kind: "weather",
        weather: { loss: 0.005, repeat: 0, reorder: 0.4, late: 0.002 },
        forMs: 300,
      },
    },
    { atMs: 1992, fault: { kind: "lie", everyMs: 2, forMs: 1 } },
    { atMs: 2333, fault: { kind: "lie", everyMs: 150, forMs: 500 } },
    { atMs: 2732, fault: { kind: "wrongNumbers", share: 0.6, forMs: 130 } },
  ],
  requests: [
    { atMs: 623, client: "c1", request: { kind: "submit", value: "c1-1" } },
    { atMs: 684, client: "c1", request: { kind: "submit", value: "c1-2" } },
    { atMs: 780, client: "c1", request: { kind: "submit", value: "c1-3" } },
    { atMs: 825, client: "c1", request: { kind: "submit", value: "c1-4" } },
    { atMs: 905, client: "c1", request: { kind: "submit", value: "c1-5" } },
    { atMs: 1331, client: "c1", request: { kind: "submit", value: "c1-11" } },
    { atMs: 1450, client: "c1", request: { kind: "submit", value: "c1-13" } },
    { atMs: 1621, client: "c1", request: { kind: "submit", value: "c1-16" } },
    { atMs: 1644, client: "c1", request: { kind: "submit", value: "c1-17" } },
    { atMs: 1857, client: "c1", request: { kind: "submit", value: "c1-20" } },
    { atMs: 1967, client: "c1", request: { kind: "submit", value: "c1-23" } },
    { atMs: 2117, client: "c1", request: { kind: "submit", value: "c1-26" } },
    { atMs: 2227, client: "c1", request: { kind: "submit", value: "c1-27" } },
    { atMs: 2320, client: "c1", request: { kind: "submit", value: "c1-28" } },
    { atMs: 2391, client: "c1", request: { kind: "submit", value: "c1-29" } },
    { atMs: 2493, client: "c1", request: { kind: "submit", value: "c1-30" } },
    { atMs: 2613, client: "c1", request: { kind: "submit", value: "c1-31" } },
    { atMs: 2909, client: "c1", request: { kind: "submit", value: "c1-34" } },
  ],
  calmMs: 2910,
  ending: "healed",
  restMs: 0,
  closesSessions: false,
};

it("seed 3000082 breaks nothing", () => {
  expect(runPlan(plan).violation).toBeNull();
});
