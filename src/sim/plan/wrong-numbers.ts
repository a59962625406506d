/** Runs in which watermarks and rounds arrive wrong for some time. */
import { createSeededRandom } from "../../adapters/memory/random.js";
import type { Plan, TimedFault } from "./plan.js";
import { chance, pick } from "./setup.js";

/** The share of such runs. */
const FALSE_RUNS = 0.3;

/** For some time messages arrive with wrong numbers. Drawn apart: other plans stay as they are. */
export function withWrongNumbers(plan: Plan): Plan {
  const random = createSeededRandom(`wrong numbers ${plan.seed}`);
  if (!chance(random, FALSE_RUNS)) return plan;
  const times = Array.from({ length: 1 + random.integer(3) }, (): TimedFault => {
    const atMs = random.integer(plan.calmMs);
    const share = pick(random, [0.1, 0.3, 0.6]);
    return { atMs, fault: { kind: "wrongNumbers", share, forMs: 100 + random.integer(1000) } };
  });
  return { ...plan, faults: [...plan.faults, ...times].sort((a, b) => a.atMs - b.atMs) };
}
