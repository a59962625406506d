/** A hunt: many seeds, one after the other, and what they saw together. */
import type { Violation } from "../monitor/ledger.js";
import { drawPlan } from "../plan/draw.js";
import type { Plan } from "../plan/plan.js";
import { type RunOptions, type RunResult, runPlan } from "./run.js";

/** What some seeds came to. Plain data, so that it can cross from one thread to another. */
export interface Catch {
  readonly from: number;
  /** Exclusive; below what was asked for if a violation ended it. */
  readonly to: number;
  readonly counts: readonly (readonly [string, number])[];
  readonly virtualMs: number;
  readonly found: { readonly plan: Plan; readonly violation: Violation } | null;
}

/** Something that a hunt does differently: a negative control. */
export interface HuntOptions extends RunOptions {
  /** Changes each plan, so that what is hunted can show itself. */
  readonly narrow?: ((plan: Plan) => Plan) | undefined;
}

/** Runs the seeds from ≤ seed < to, up to the first violation. */
export function hunt(from: number, to: number, options: HuntOptions = {}): Catch {
  const counts = new Map<string, number>();
  let virtualMs = 0;
  for (let seed = from; seed < to; seed++) {
    const drawn = drawPlan(seed);
    const plan = options.narrow?.(drawn) ?? drawn;
    const result = runSeed(plan, options);
    virtualMs += result.virtualMs;
    for (const [what, by] of result.coverage.counts) {
      counts.set(what, (counts.get(what) ?? 0) + by);
    }
    const { violation } = result;
    if (violation !== null) {
      return { from, to: seed + 1, counts: [...counts], virtualMs, found: { plan, violation } };
    }
  }
  return { from, to, counts: [...counts], virtualMs, found: null };
}

/** @throws Error of the simulator itself; it names the seed, so that it can be run again */
function runSeed(plan: Plan, options: RunOptions): RunResult {
  try {
    return runPlan(plan, options);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`the simulator failed at seed ${plan.seed}: ${why}`, { cause: error });
  }
}
