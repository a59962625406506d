/** Doubles: the same identity in two processes, on the same store or on a copy of it. */

import type { Fault } from "../plan/plan.js";
import type { Coverage } from "../world/coverage.js";
import type { Member } from "../world/process.js";
import type { World } from "../world/world.js";

/** How long a process lives that was started on copies, in milliseconds. */
const COPY_MS = 300;

/** A second process, and how long it lives. */
export interface Double {
  readonly forMs: number;
  readonly end: () => void;
}

/**
 * Starts one.
 *
 * @param members the roles of the process that is doubled
 * @returns null if it has no store, or does not live
 */
export function startDouble(
  world: World,
  fault: Extract<Fault, { kind: "twin" | "copy" }>,
  members: readonly Member[],
  coverage: Coverage,
): Double | null {
  const { kind, process } = fault;
  const files = new Map(
    members.flatMap(([role, id]) => {
      const file = world.files.get(`${role} ${id}`);
      return file === undefined ? [] : [[`${role} ${id}`, file.copy(`copy of ${role} ${id}`)]];
    }),
  );
  if (files.size === 0 || !world.processes.has(process)) return null;
  coverage.count(`started: ${kind}`);
  const name = `${process}-${kind}`;
  world.start(name, members, kind === "copy" ? { files } : {});
  return { forMs: fault.kind === "twin" ? fault.forMs : COPY_MS, end: () => world.kill(name) };
}
