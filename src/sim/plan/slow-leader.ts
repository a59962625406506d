/** A leader whose process does not keep up: in which runs, when, and how slow. */
import { createSeededRandom } from "../../adapters/memory/random.js";
import type { Plan } from "./plan.js";
import { chance, pick } from "./setup.js";

/** Runs in which a leader's process is slow. */
const SLOW_RUNS = 0.06;
/** It begins when a cluster had time to come up. */
const BEGIN_MS = 600;
/** Long enough for the readings that make a process slow, and for an election. */
const SLOW_MS = 9000;

/** The leader's process is slow for a while. Drawn apart, so that other draws do not change. */
export function withSlowLeader(plan: Plan): Plan {
  const random = createSeededRandom(`slow ${plan.seed}`);
  if (!chance(random, SLOW_RUNS)) return plan;
  const lagMs = pick(random, [550, 800, 1200]);
  const atMs = BEGIN_MS + random.integer(1000);
  const slow = { atMs, fault: { kind: "slow", lagMs, forMs: SLOW_MS } } as const;
  const faults = [...plan.faults, slow].sort((a, b) => a.atMs - b.atMs);
  return { ...plan, faults, calmMs: Math.max(plan.calmMs, atMs + SLOW_MS) };
}
