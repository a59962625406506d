/** A process that does not keep up: it stands, goes on for a moment, and stands again. */

import { HealthWatch } from "../../kernel/health.js";
import type { Logger } from "../../kernel/ports.js";
import type { Fault } from "../plan/plan.js";
import type { Coverage } from "../world/coverage.js";
import type { SimProcess } from "../world/process.js";
import { leaderOf, type World } from "../world/world.js";

/** Milliseconds for which it goes on between two stands. */
const AWAKE_MS = 40;
const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} };

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
