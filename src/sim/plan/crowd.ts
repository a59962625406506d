/** Plans in which clients lose their sessions often. */
import { createSeededRandom } from "../../adapters/memory/random.js";
import type { Plan, TimedFault } from "./plan.js";
import { chance } from "./setup.js";

/** Runs in which crowds evict everybody again and again, and the sessions that the log holds. */
const CROWDED_RUNS = 0.1;
const CROWDED_SESSIONS_MAX = 12;

/** Some runs are crowded. Drawn apart from the other draws. */
export function withCrowds(plan: Plan, beginMs: number): Plan {
  const random = createSeededRandom(`crowds ${plan.seed}`);
  return chance(random, CROWDED_RUNS) ? crowded(plan, beginMs) : plan;
}

/** Crowds evict everybody, again and again. */
export function crowded(plan: Plan, beginMs: number): Plan {
  const random = createSeededRandom(`crowded ${plan.seed}`);
  const crowds = Array.from({ length: 4 + random.integer(8) }, (): TimedFault => {
    const atMs = beginMs + random.integer(plan.calmMs - beginMs);
    return { atMs, fault: { kind: "crowd", sessions: 4 + random.integer(20) } };
  });
  const faults = [...plan.faults, ...crowds].sort((a, b) => a.atMs - b.atMs);
  const limits = { ...plan.setup.limits, sessionsMax: CROWDED_SESSIONS_MAX };
  return { ...plan, setup: { ...plan.setup, limits }, faults };
}
