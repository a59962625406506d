/**
 * Goal: what seed 433857 found stays mended: liveness. It was broken thus:
 * healed: 1 requests have no answer.
 * Method: the plan to which the seed was shrunk, run again; this is what happened:
 *
 *   55307  p1 → a1 a2 a3       accept 2.p1' slot 71 ⟨c1-56⟩
 * 55307.8  a3                  has synced: vote 2.p1' slot 71 ⟨c1-56⟩
 * 55307.8  a3 → p1             accepted 2.p1' slot 71 ⟨c1-56⟩
 * 55307.9  a2                  has synced: vote 2.p1' slot 71 ⟨c1-56⟩
 * 55307.9  CHOSEN              slot 71 ⟨c1-56⟩ at 2.p1', voted by a2 a3
 * 55307.9  a2 → p1             accepted 2.p1' slot 71 ⟨c1-56⟩
 *   55308  a1                  has synced: vote 2.p1' slot 71 ⟨c1-56⟩
 *   55308  a1 → p1             accepted 2.p1' slot 71 ⟨c1-56⟩
 * 55308.3  p1 → l1 l2 l3       chosen: slot 71 at 2.p1'
 * 55308.3  l1                  learns slot 71 ⟨c1-56⟩
 * 55308.4  l3                  learns slot 71 ⟨c1-56⟩
 * 55309.3  l2                  learns slot 71 ⟨c1-56⟩
 * 59304.7  p1 → a1 a2 a3       accept 2.p1' slot 72 ⟨c1-56⟩
 * 59304.9  a1                  has synced: vote 2.p1' slot 72 ⟨c1-56⟩
 * 59304.9  a1 → p1             accepted 2.p1' slot 72 ⟨c1-56⟩
 * 59305.6  a2                  has synced: vote 2.p1' slot 72 ⟨c1-56⟩
 * 59305.6  CHOSEN              slot 72 ⟨c1-56⟩ at 2.p1', voted by a1 a2
 * 59305.6  a2 → p1             accepted 2.p1' slot 72 ⟨c1-56⟩
 * 59305.6  a3                  has synced: vote 2.p1' slot 72 ⟨c1-56⟩
 * 59305.6  a3 → p1             accepted 2.p1' slot 72 ⟨c1-56⟩
 * 59305.8  p1 → l1 l2 l3       chosen: slot 72 at 2.p1'
 * 59305.8  l1                  learns slot 72 ⟨c1-56⟩
 * 59306.3  l3                  learns slot 72 ⟨c1-56⟩
 * 59306.5  l2                  learns slot 72 ⟨c1-56⟩
 * 59306.7  p1 → a1 a2 a3       accept 2.p1' slot 73 ⟨c1-56⟩
 * 59307.3  a2                  has synced: vote 2.p1' slot 73 ⟨c1-56⟩
 * 59307.3  a2 → p1             accepted 2.p1' slot 73 ⟨c1-56⟩
 * 59307.4  a1                  has synced: vote 2.p1' slot 73 ⟨c1-56⟩
 * 59307.4  CHOSEN              slot 73 ⟨c1-56⟩ at 2.p1', voted by a1 a2
 * 59307.4  a1 → p1             accepted 2.p1' slot 73 ⟨c1-56⟩
 * 59308.2  a3                  has synced: vote 2.p1' slot 73 ⟨c1-56⟩
 * 59308.2  a3 → p1             accepted 2.p1' slot 73 ⟨c1-56⟩
 * 59308.2  p1 → l1 l2 l3       chosen: slot 73 at 2.p1'
 * 59308.2  l1                  learns slot 73 ⟨c1-56⟩
 * 59309.1  l2                  learns slot 73 ⟨c1-56⟩
 * 59309.1  l3                  learns slot 73 ⟨c1-56⟩
 * 61540.2  p1 → a1 a2 a3       accept 2.p1' slot 74 ⟨c1-56⟩
 * 61541.1  a1                  has synced: vote 2.p1' slot 74 ⟨c1-56⟩
 * 61541.1  a1 → p1             accepted 2.p1' slot 74 ⟨c1-56⟩
 * 61541.3  a2                  has synced: vote 2.p1' slot 74 ⟨c1-56⟩
 * 61541.3  CHOSEN              slot 74 ⟨c1-56⟩ at 2.p1', voted by a1 a2
 * 61541.3  a2 → p1             accepted 2.p1' slot 74 ⟨c1-56⟩
 * 61541.4  a3                  has synced: vote 2.p1' slot 74 ⟨c1-56⟩
 * 61541.4  a3 → p1             accepted 2.p1' slot 74 ⟨c1-56⟩
 * 61541.7  p1 → l1 l2 l3       chosen: slot 74 at 2.p1'
 * 61541.7  l1                  learns slot 74 ⟨c1-56⟩
 * 61541.7  p1 → a1 a2 a3       accept 2.p1' slot 75 ⟨c1-56⟩
 * 61541.8  a1                  has synced: vote 2.p1' slot 75 ⟨c1-56⟩
 * 61541.8  a1 → p1             accepted 2.p1' slot 75 ⟨c1-56⟩
 * 61542.4  l3                  learns slot 74 ⟨c1-56⟩
 * 61542.5  l2                  learns slot 74 ⟨c1-56⟩
 * 61543.1  a2                  has synced: vote 2.p1' slot 75 ⟨c1-56⟩
 * 61543.1  CHOSEN              slot 75 ⟨c1-56⟩ at 2.p1', voted by a1 a2
 * 61543.1  a2 → p1             accepted 2.p1' slot 75 ⟨c1-56⟩
 * 61543.2  a3                  has synced: vote 2.p1' slot 75 ⟨c1-56⟩
 * 61543.2  a3 → p1             accepted 2.p1' slot 75 ⟨c1-56⟩
 * 61543.2  p1 → l1 l2 l3       chosen: slot 75 at 2.p1'
 * 61543.2  l1                  learns slot 75 ⟨c1-56⟩
 * 61543.4  l2                  learns slot 75 ⟨c1-56⟩
 * 61544.2  l3                  learns slot 75 ⟨c1-56⟩
 */
import { expect, it } from "vitest";
import type { Plan } from "../../../src/sim/plan/plan.js";
import { runPlan } from "../../../src/sim/run/run.js";

const plan: Plan = {
  seed: 433857,
  setup: {
    family: "log",
    acceptors: 3,
    proposers: 1,
    quorums: { kind: "flexible", phase1: 3, phase2: 2 },
    learn: { kind: "leader" },
    placement: "colocated",
    limits: { sessionsMax: 9 },
    rates: {},
  },
  weather: { loss: 0, repeat: 0, reorder: 0, late: 0 },
  latencyMs: 1,
  syncMs: 1,
  faults: [
    { atMs: 757, fault: { kind: "cut", process: "n1", forMs: 500 } },
    { atMs: 905, fault: { kind: "crowd", sessions: 15 } },
    { atMs: 1017, fault: { kind: "crowd", sessions: 14 } },
    { atMs: 1308, fault: { kind: "crowd", sessions: 14 } },
    { atMs: 1413, fault: { kind: "behead", forMs: 1, downMs: 2000 } },
  ],
  requests: [
    { atMs: 881, client: "c1", request: { kind: "submit", value: "c1-2" } },
    { atMs: 973, client: "c2", request: { kind: "propose", value: "c2-1", hasId: false } },
    { atMs: 1327, client: "c2", request: { kind: "propose", value: "c2-2", hasId: true } },
    { atMs: 1674, client: "c1", request: { kind: "submit", value: "c1-56" } },
  ],
  calmMs: 3092,
  ending: "healed",
};

it("seed 433857 breaks nothing", () => {
  expect(runPlan(plan).violation).toBeNull();
});
