/** The traces of a run: what its roles did, in the format ptrace/1, a file a role. */
import type { ObservedRole, Observer } from "../../kernel/observer.js";
import { createTracer } from "../../trace/trace.js";
import type { Run } from "./run.js";

/**
 * Begins to trace a run; call it before the run goes.
 *
 * @returns the lines of each file, which grow while it goes
 */
export function traceRun({ world, monitor }: Run): ReadonlyMap<string, readonly string[]> {
  const files = new Map<string, string[]>();
  let lines = 0;
  const tracer = createTracer({
    cluster: world.cluster,
    lc: () => ++lines,
    sink: (file, line) => {
      const known = files.get(file);
      if (known === undefined) files.set(file, [line]);
      else known.push(line);
    },
    last: (file) => files.get(file)?.at(-1),
  });
  const observe = (isDead: () => boolean): Observer => {
    // An acceptor that is tried on an older copy of its store is not the acceptor that spoke.
    const isSeen = (runner: ObservedRole) => !isDead() && !monitor.isMuted(runner.id);
    return {
      stepped: (runner, ...rest) => isSeen(runner) && tracer.stepped(runner, ...rest),
      committed: (runner, ...rest) => isSeen(runner) && tracer.committed(runner, ...rest),
      refused: (runner, ...rest) => isSeen(runner) && tracer.refused(runner, ...rest),
      leaves: (runner, ...rest) => isSeen(runner) && tracer.leaves(runner, ...rest),
    };
  };
  world.watchers.push({
    observe: ({ gate }) => observe(() => gate.isDead),
    started: () => undefined,
    killed: () => undefined,
    refused: () => undefined,
    halted: () => undefined,
  });
  return files;
}
