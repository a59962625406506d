/**
 * Goal: what seed 656455 found stays mended: liveness. It was broken thus:
 * healed: learner l1 has applied 3 slots of the 4 that are chosen.
 * Method: the plan to which the seed was shrunk, run again; this is what happened:
 *
 *  1608.7  l3                  learns slot 1 ⟨open c1⟩
 *  1609.3  c1 → g1             request 1 ⟨c1-10⟩
 *  1609.6  g1 → p1             propose ⟨c1-10⟩
 *    1610  p1 → a1             accept 1.p1 slot 2 ⟨c1-10⟩
 *    1611  a1                  has synced: vote 1.p1 slot 2 ⟨c1-10⟩
 *    1611  CHOSEN              slot 2 ⟨c1-10⟩ at 1.p1, voted by a1
 *    1611  a1 → p1             accepted 1.p1 slot 2 ⟨c1-10⟩
 *  1611.8  p1 → l1 l2 l3       chosen: slot 2 at 1.p1
 *  1612.3  l1                  learns slot 2 ⟨c1-10⟩
 *  1612.3  l1                  publishes position 1 ⟨c1-10⟩
 *  1612.3  l1 → ✗              outcomes: c1 request 1 is at position 1   ✗ lost: g1
 *  1612.3  l3                  learns slot 2 ⟨c1-10⟩
 *  1612.3  l3                  publishes position 1 ⟨c1-10⟩
 *  1612.4  l2                  learns slot 2 ⟨c1-10⟩
 *  1612.4  l2                  publishes position 1 ⟨c1-10⟩
 *    2494  FAULT               the roles of p2 go to a1
 *    2494  a1 p2 e2            is killed
 *    2494  a1 (3 roles)        starts again
 *    2497  FAULT               bridge partition for 1250 ms: p1 ↛ a1, a1 ↛ p1, g1 ↛ p1
 *  2538.9  l1                  hears late of g1: follow: tell me the outcomes
 *  2744.7  a1                  serves
 *  2894.7  e2                  takes the leader for gone
 *  2894.7  e2 → p2             hint: p1 should lead   ✗ lost: p1 p2
 *  3294.7  e2 → p2             hint: p2 should lead   ✗ lost: p1
 *  3294.7  p2 → a1             who has heard the leader?
 *  3294.7  a1 → p2             I have not heard a leader
 *  3294.9  p2                  has synced: round 2
 *  3294.9  p2 → a1             prepare 2.p2' for every slot from 2 on
 *  3295.2  a1                  has synced: promise 2.p2'
 *  3295.2  a1 → p2             promise 2.p2': voted 1.p1 slot 2 ⟨c1-10⟩; all below slot 2 is chosen
 *  3295.2  p2 → a1             accept 2.p2' slot 2 ⟨c1-10⟩
 *  3295.7  a1                  has synced: vote 2.p2' slot 2 ⟨c1-10⟩
 *  3295.7  a1 → p2             accepted 2.p2' slot 2 ⟨c1-10⟩
 *  3295.7  p2                  leads at 2.p2'
 *  3295.7  p2 → l1 l2 l3       chosen: slot 2 at 2.p2'
 *  3296.4  p2 → a1             accept 2.p2' slot 3 ⟨c1-10⟩
 *  3296.5  a1                  has synced: vote 2.p2' slot 3 ⟨c1-10⟩
 *  3296.5  CHOSEN              slot 3 ⟨c1-10⟩ at 2.p2', voted by a1
 *  3296.5  a1 → p2             accepted 2.p2' slot 3 ⟨c1-10⟩
 *  3296.5  p2 → l1 l2 l3       chosen: slot 3 at 2.p2'
 *    3297  l3                  learns slot 3 ⟨c1-10⟩
 *  3297.2  l1                  learns slot 3 ⟨c1-10⟩
 *  3297.3  l2                  learns slot 3 ⟨c1-10⟩
 *    3298  g1 → c1             results: request 1 is at position 1
 *  3298.1  c1                  is told: ⟨c1-10⟩ is at position 1, slot 2
 *    3676  FAULT               the roles of l1 go to a1
 *    3676  a1 (3 roles) l1     is killed
 *    3676  a1 (4 roles)        starts again
 *  3753.5  l1 → a1             repair: what of slots 0 to 2?
 *  3926.6  a1                  serves
 *  4003.5  l1 → l1 l2 l3       repair: what of slots 0 to 2?
 *    4004  l2 → l1             chosen values: slot 0 ⟨open g1's session⟩, slot 1 ⟨open c1⟩, slot 2…
 *  4004.3  l3 → l1             chosen values: slot 0 ⟨open g1's session⟩, slot 1 ⟨open c1⟩, slot 2…
 *  4004.4  l1                  learns slot 0 ⟨open g1's session⟩
 *  4004.4  l1                  learns slot 1 ⟨open c1⟩
 *  4004.4  l1                  learns slot 2 ⟨c1-10⟩
 *  4004.4  l1                  publishes position 1 ⟨c1-10⟩
 *  4004.4  l1 → g1             outcomes: g1's session is open, c1 is open, c1 request 1 is at posi…
 */
import { expect, it } from "vitest";
import type { Plan } from "../../../src/sim/plan/plan.js";
import { runPlan } from "../../../src/sim/run/run.js";

const plan: Plan = {
  seed: 656455,
  setup: {
    family: "log",
    acceptors: 1,
    proposers: 2,
    quorums: { kind: "majority" },
    learn: { kind: "leader" },
    placement: "separated",
    limits: {},
    rates: {},
  },
  weather: { loss: 0.03, repeat: 0, reorder: 0, late: 0.002 },
  latencyMs: 1,
  syncMs: 0.5,
  faults: [
    { atMs: 2494, fault: { kind: "move", process: "p2", to: "a1" } },
    {
      atMs: 2497,
      fault: {
        kind: "partition",
        shape: "bridge",
        blocked: [
          ["p1", "a1"],
          ["a1", "p1"],
          ["g1", "p1"],
        ],
        forMs: 1250,
      },
    },
    { atMs: 3676, fault: { kind: "move", process: "l1", to: "a1" } },
  ],
  requests: [{ atMs: 1356, client: "c1", request: { kind: "submit", value: "c1-10" } }],
  calmMs: 3677,
  ending: "healed",
  restMs: 0,
};

it("seed 656455 breaks nothing", () => {
  expect(runPlan(plan).violation).toBeNull();
});
