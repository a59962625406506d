/**
 * Whom a learner asks for slots that it lacks, one source after the other.
 *
 * Why a learner that helped is asked alone: it has the values, so one answer is enough. Acceptors
 * are asked together, because their votes count only together: a learner that read the whole log
 * from them would have each of them verify and send all of it, on the loop that syncs votes.
 */
import type { Limits } from "../limits.js";

/** Who may be asked; `id` null: all of the role. */
export type Source =
  | { readonly role: "learner"; readonly id: string | null }
  | { readonly role: "acceptor" | "proposer"; readonly id: null };

const LEARNERS: Source = { role: "learner", id: null };
const ACCEPTORS: Source = { role: "acceptor", id: null };
const LEADER: Source = { role: "proposer", id: null };

/**
 * Names who is asked in turn while a repair makes no progress: first who helped last, then learners
 * for values, acceptors for votes (twice: only the second answer is certain to be later than the
 * vote that shows what is chosen), and the leader, which proposes again what neither settles.
 *
 * A few slots are asked of the acceptors first: those are always there, while other learners may
 * have missed the same message.
 *
 * @param helper who brought the last progress of this repair; null if nobody has
 */
export function turnOf(
  helper: Source | null,
  missingSlots: number,
  { pipelineSlotsMax }: Limits,
): readonly Source[] {
  const areFew = helper === null && missingSlots <= pipelineSlotsMax;
  if (areFew || helper?.role === "acceptor") return [ACCEPTORS, LEARNERS, ACCEPTORS, LEADER];
  const turn = [LEARNERS, ACCEPTORS, ACCEPTORS, LEADER];
  return helper === null ? turn : [helper, ...turn];
}

/** Names the source that an answer makes a helper: a learner alone, or all acceptors. */
export function helperOf(answer: "entries" | "votes", from: string): Source {
  return answer === "votes" ? ACCEPTORS : { role: "learner", id: from };
}
