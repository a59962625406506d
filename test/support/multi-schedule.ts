/** Schedules of the small world of the log, and how a run is judged. */
import fc from "fast-check";
import type { QuorumSystem } from "../../src/paxos/quorum.js";
import type { Hearing, LogRules } from "./multi-rules.js";
import { type LogStep, MultiWorld } from "./multi-world.js";
import { makeCluster } from "./synod-world.js";

/** What a world is made of. */
export interface LogShape {
  readonly acceptors: number;
  readonly proposers: number;
  readonly hearing: Hearing;
  readonly quorums?: QuorumSystem;
  readonly rules?: Partial<LogRules>;
}

/** Small bounds, so that a short run meets them: one vote a part, one slot a message, α of 3. */
const SMALL = {
  windowMax: 3,
  pipelineSlotsMax: 3,
  batchCommandsMax: 1,
  partBytesMax: 300,
  batchBytesMax: 20,
  retryDelayMs: 1,
} as const;

function stepOf(kind: LogStep["kind"]): fc.Arbitrary<LogStep> {
  // Mostly what is oldest: a world where nothing arrives in time shows little.
  const pick = fc.oneof(fc.nat({ max: 6 }), fc.nat({ max: 40 }));
  return fc.record({ kind: fc.constant(kind), pick });
}

const step: fc.Arbitrary<LogStep> = fc.oneof(
  { weight: 60, arbitrary: stepOf("deliver") },
  { weight: 12, arbitrary: stepOf("burst") },
  { weight: 4, arbitrary: stepOf("write") },
  { weight: 3, arbitrary: stepOf("lose") },
  { weight: 4, arbitrary: stepOf("loseAll") },
  { weight: 2, arbitrary: stepOf("repeat") },
  { weight: 4, arbitrary: stepOf("begin") },
  { weight: 9, arbitrary: stepOf("propose") },
  { weight: 3, arbitrary: stepOf("tick") },
  { weight: 3, arbitrary: stepOf("repair") },
  { weight: 1, arbitrary: stepOf("crashAcceptor") },
  { weight: 1, arbitrary: stepOf("crashProposer") },
  { weight: 1, arbitrary: stepOf("crashLearner") },
);

/** What happens in a run, one step after another. */
export const schedules = fc.array(step, { minLength: 80, maxLength: 240 });

/** Makes a world of this shape, with small bounds. */
export function logWorld(shape: LogShape): MultiWorld {
  const cluster = makeCluster(shape.acceptors, shape.quorums, SMALL);
  return new MultiWorld(cluster, shape.proposers, shape.hearing, shape.rules);
}

/** Runs a schedule, judging after every step; returns the world, or throws the violation. */
export function runLog(shape: LogShape, schedule: readonly LogStep[]): MultiWorld {
  const world = logWorld(shape);
  world.begin("p0");
  for (const one of schedule) {
    world.step(one);
    const violation = world.facts.violation();
    if (violation !== null) throw new Error(violation);
  }
  return world;
}

/** Looks for a schedule that breaks an invariant. @returns the violation found, or null */
export function findLogViolation(shape: LogShape, numRuns: number): string | null {
  let violation: string | null = null;
  const details = fc.check(
    fc.property(schedules, (schedule) => {
      try {
        runLog(shape, schedule);
      } catch (error) {
        violation = (error as Error).message;
        return false;
      }
      return true;
    }),
    { numRuns, seed: 1, endOnFailure: true },
  );
  return details.failed ? violation : null;
}
