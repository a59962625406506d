/** A process that does not keep up: it stands, goes on for a moment, and stands again. */

import { createSeededRandom } from "../../adapters/memory/random.js";
import { HealthWatch } from "../../kernel/health.js";
import type { Logger } from "../../kernel/ports.js";
import type { Fault, Plan } from "../plan/plan.js";
import { chance, pick } from "../plan/setup.js";
import type { Coverage } from "../world/coverage.js";
import { leaderOf, type SimProcess, type World } from "../world/world.js";

/** Runs in which a leader's process is slow. */
const SLOW_RUNS = 0.06;
/** It begins when a cluster had time to come up. */
const BEGIN_MS = 600;
/** Milliseconds for which it goes on between two stands. */
const AWAKE_MS = 40;
/** Long enough for the readings that make a process slow, and for an election. */
const SLOW_MS = 9000;

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} };

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

/** Slows the leader's process. @returns undoes it; nothing is done if nobody leads */
export function slowLeader(
  world: World,
  coverage: Coverage,
  { lagMs }: Extract<Fault, { kind: "slow" }>,
): () => void {
  const node = world.processes.get(leaderOf(world) ?? "");
  if (node === undefined) return () => {};
  coverage.count("processes slow");
  const { gate, clock, host } = node;
  const watch = new HealthWatch({
    meter: { read: () => ({ loopLagMs: lagMs, heapUsedBytes: 0, heapBytesMax: 1 }) },
    clock,
    logger: quiet,
    limits: world.cluster.limits,
    runners: host?.runners ?? [],
  });
  let isOver = false;
  let isCounted = false;
  const stand = () => {
    if (!isCounted && hasSteppedAside(node)) {
      coverage.count("leaders that stepped aside");
      isCounted = true;
    }
    if (isOver || gate.isDead) return;
    gate.stall();
    world.clock.setTimer(lagMs, () => {
      gate.resume();
      world.clock.setTimer(AWAKE_MS, stand);
    });
  };
  stand();
  return () => {
    isOver = true;
    watch.close();
    gate.resume();
  };
}

function hasSteppedAside({ host }: SimProcess): boolean {
  return (host?.runners ?? []).some((runner) => {
    const context: unknown = runner.snapshots().get("")?.context;
    const { steppedAsideMs = null } = (context ?? {}) as {
      readonly steppedAsideMs?: number | null;
    };
    return steppedAsideMs !== null;
  });
}
