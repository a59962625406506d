/** Changes of what a role does, as far as they matter to somebody who knows only the paper. */
import type { ObservedRole } from "../../kernel/observer.js";
import { stateName } from "../../kernel/role.js";
import type { Step } from "../../kernel/step.js";
import type { Ballot } from "../../paxos/ballot.js";
import type { Names } from "./names.js";

/**
 * Says how a role changed; null if it did not, or if nobody would want to know.
 *
 * @param states what the role's instances did before; changed
 */
export function stateChange(
  states: Map<string, string>,
  runner: ObservedRole,
  instance: string,
  step: Step,
  names: Names,
): string | null {
  const { name } = runner.definition;
  const now = stateName(step.snapshot).replace(/\..*/, "");
  const before = states.get(instance) ?? "";
  states.set(instance, now);
  if (now === before) return null;
  if (name === "acceptor") return acceptor(before, now);
  if (name === "proposer") {
    const { data } = step.snapshot.context as { readonly data: { readonly ballot: Ballot | null } };
    return proposer(before, now, names.ballot(data.ballot));
  }
  if (name === "synod-proposer" && now === "backingOff") return "backs off";
  if (name === "elector" && now === "presiding") return "takes the leader for gone";
  return null;
}

function acceptor(before: string, now: string): string | null {
  if (now === "serving") return before === "refusing" ? "serves again" : "serves";
  if (now === "refusing") return "refuses: says nothing until its disk has room";
  return null;
}

function proposer(before: string, now: string, ballot: string): string | null {
  if (now === "leading") return `leads at ${ballot}`;
  if (now === "preempted") return "is preempted: backs off";
  const isLeft = ["preparing", "adopting", "leading"].includes(before);
  return now === "standby" && isLeft ? "steps down" : null;
}
