/**
 * Goal: what seed 304584 found stays mended: liveness. It was broken thus:
 * one proposer connected: learner l1 has applied 0 slots of the 3 that are chosen.
 * Method: the plan to which the seed was shrunk, run again; this is what happened:
 *
 *     439  a3 → p1             accepted 1.p1 slot 1 ⟨open g2's session⟩
 *   439.7  a2                  has synced: vote 1.p1 slot 1 ⟨open g2's session⟩
 *   439.7  a2 → p1             accepted 1.p1 slot 1 ⟨open g2's session⟩
 *     442  l3                  learns slot 0 ⟨open g1's session⟩
 *   442.7  l2                  learns slot 0 ⟨open g1's session⟩
 *   443.2  a2                  has synced: vote 1.p1 slot 2 ⟨open g3's session⟩
 *   443.2  CHOSEN              slot 2 ⟨open g3's session⟩ at 1.p1, voted by a1 a2
 *   443.2  a2 → p1             accepted 1.p1 slot 2 ⟨open g3's session⟩
 *   444.2  p1 → l1 l2 l3       chosen: slot 1 at 1.p1
 *   444.2  l1                  learns slot 1 ⟨open g2's session⟩
 *   444.3  a3                  has synced: vote 1.p1 slot 2 ⟨open g3's session⟩
 *   444.3  a3 → p1             accepted 1.p1 slot 2 ⟨open g3's session⟩
 *   445.5  l3                  learns slot 1 ⟨open g2's session⟩
 *   447.5  l2                  learns slot 1 ⟨open g2's session⟩
 *   447.5  l2 → g2             outcomes: g2's session is open
 *   447.9  p1 → l1 l2 l3       chosen: slot 2 at 1.p1
 *   447.9  l1                  learns slot 2 ⟨open g3's session⟩
 *   457.1  l3                  learns slot 2 ⟨open g3's session⟩
 *   457.1  l3 → g3             outcomes: g3's session is open
 *   457.4  l2                  learns slot 2 ⟨open g3's session⟩
 *    2692  FAULT               n2 is to crash; unsynced: lost; back in 500 ms
 *    2692  n2 (6 roles)        is killed
 *    3069  FAULT               n1 is to crash while it writes; unsynced: lost; back in 1 ms
 *    3113  FAULT               the broker is down for 75 ms
 *    3169  n1 (6 roles)        is killed
 *    3170  n1 (6 roles)        starts again
 *    3184  n2 (6 roles)        starts again
 *    3422  a1                  serves
 *  3435.6  a2                  serves
 *    3584  e1                  takes the leader for gone
 *    3584  e1 → p1 p2 p3       hint: p1 should lead
 *    3584  p1 → a1             who has heard the leader?   ✗ lost: a1 a2 a3
 *    3584  a1 → p1             I have not heard a leader
 *  3585.6  e2                  takes the leader for gone
 *  3585.6  e2 → p1 p2 p3       hint: p1 should lead
 *    3684  p1 → a1             who has heard the leader?   ✗ lost: a1 a2 a3
 *    3684  a1 → p1             I have not heard a leader
 *    3984  e1 → p1 p2 p3       hint: p2 should lead
 *  3985.6  e2 → p1 p2 p3       hint: p2 should lead
 *  3985.6  p2 → a2             who has heard the leader?   ✗ lost: a1 a2 a3
 *  3985.6  a2 → p2             I have not heard a leader
 *    4384  e1 → p1 p2 p3       hint: p3 should lead
 *  4385.6  e2 → p1 p2 p3       hint: p3 should lead
 *    4784  e1 → p1 p2 p3       hint: p1 should lead
 *    4784  e3                  takes the leader for gone
 *    4784  e3 → p1 p2 p3       hint: p2 should lead
 *  4785.6  e2 → p1 p2 p3       hint: p1 should lead
 *  4786.7  p2 → a2             who has heard the leader?   ✗ lost: a1 a2 a3
 *  4786.7  a2 → p2             I have not heard a leader
 *  4793.9  p1 → a1             who has heard the leader?   ✗ lost: a1 a2 a3
 *  4793.9  a1 → p1             I have not heard a leader
 *    5184  e1 → p1 p2 p3       hint: p2 should lead
 *    5184  e3 → p1 p2 p3       hint: p3 should lead
 *    5184  p3 → a1 a2 a3       who has heard the leader?
 *    5184  a3 → p3             I have not heard a leader
 *  5185.6  e2 → p1 p2 p3       hint: p2 should lead
 *    5584  e1 → p1 p2 p3       hint: p3 should lead
 *    5584  e3 → p1 p2 p3       hint: p1 should lead
 *  5585.6  e2 → p1 p2 p3       hint: p3 should lead
 *    5984  e1 → p1 p2 p3       hint: p1 should lead
 */
import { expect, it } from "vitest";
import type { Plan } from "../../../src/sim/plan/plan.js";
import { runPlan } from "../../../src/sim/run/run.js";

const plan: Plan = {
  seed: 304584,
  setup: {
    family: "log",
    acceptors: 3,
    proposers: 3,
    quorums: { kind: "majority" },
    learn: { kind: "leader" },
    placement: "colocated",
    limits: {},
    rates: {},
  },
  weather: { loss: 0, repeat: 0, reorder: 0, late: 0 },
  latencyMs: 10,
  syncMs: 1,
  faults: [
    {
      atMs: 2692,
      fault: { kind: "crash", process: "n2", fate: "lost", atWrite: false, downMs: 500 },
    },
    { atMs: 3069, fault: { kind: "crash", process: "n1", fate: "lost", atWrite: true, downMs: 1 } },
    { atMs: 3113, fault: { kind: "broker", forMs: 75 } },
  ],
  requests: [],
  calmMs: 3184,
  ending: "one proposer connected",
};

it("seed 304584 breaks nothing", () => {
  expect(runPlan(plan).violation).toBeNull();
});
