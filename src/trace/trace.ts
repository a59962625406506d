/**
 * The tracer: an observer that writes down what roles do as ptrace/1, so that checkers written by
 * others can judge a run. README.md has the format.
 *
 * It knows the messages, not the charts: what a role did is what left it. Pure; where lines go and
 * what the time is are given to it.
 */
import type { Effect } from "../kernel/effect.js";
import type { ObservedRole, Observer } from "../kernel/observer.js";
import type { RoleEvent } from "../kernel/role.js";
import type { Step } from "../kernel/step.js";
import { AcceptorTrace } from "./acceptor.js";
import type { TraceOptions } from "./file.js";
import { LearnerTrace } from "./learner.js";
import { ProposerTrace } from "./proposer.js";
import type { RoleTrace } from "./role.js";
import { SynodProposerTrace } from "./synod-proposer.js";

/**
 * Makes a tracer for any number of hosts that share a clock.
 *
 * A runner that it meets for the first time is a new incarnation of its role: the counters go on
 * from the last line of the role's file.
 */
export function createTracer(options: TraceOptions): Observer {
  const traces = new WeakMap<ObservedRole, RoleTrace>();
  const traceOf = (runner: ObservedRole): RoleTrace => {
    const known = traces.get(runner);
    if (known !== undefined) return known;
    const made = makeTrace(options, runner);
    traces.set(runner, made);
    return made;
  };
  return {
    stepped(runner: ObservedRole, instance: string, event: RoleEvent | null, step: Step): void {
      traceOf(runner).stepped?.(instance, event, step);
    },
    // Whatever was kept or refused shows in what leaves after it.
    committed: () => undefined,
    refused: () => undefined,
    leaves(runner: ObservedRole, effect: Effect): void {
      const trace = traceOf(runner);
      if (effect.kind === "send" || effect.kind === "broadcast") trace.says?.(effect.message);
      else trace.leaves?.(effect);
    },
  };
}

function makeTrace(options: TraceOptions, runner: ObservedRole): RoleTrace {
  const { name, learned } = runner.definition;
  if (name === "acceptor") return new AcceptorTrace(options, runner);
  if (name === "proposer") return new ProposerTrace(options, runner);
  if (name === "synod-proposer") return new SynodProposerTrace(options, runner);
  if (learned !== undefined) return new LearnerTrace(options, runner, learned);
  return {};
}
