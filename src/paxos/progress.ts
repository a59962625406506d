/**
 * Progress: how far a learner has come in the log, whether it may speak of the log's end, and which
 * learner is furthest on.
 *
 * A learner that starts reads the log from slot 0, so for a while its end is not the log's end.
 * What it has learned is true all the same: only questions about the end wait until then.
 */

/** What a learner that started has to reach. One owner; changed only by the functions below. */
export class CatchUp {
  /** Every slot below was proposed when a leader spoke; null until one did. */
  goal: number | null = null;
  isDone = false;
}

/**
 * Takes the first slot that a leader has not proposed to. The lowest counts: a leader's number only
 * grows, and a later leader may know of fewer proposals.
 */
export function noteGoal(catchUp: CatchUp, nextSlot: number): void {
  catchUp.goal = Math.min(catchUp.goal ?? nextSlot, nextSlot);
}

/** Notes that every slot below `applied` is applied. Once a learner has caught up, it has. */
export function noteApplied(catchUp: CatchUp, applied: number): void {
  if (catchUp.goal !== null && applied >= catchUp.goal) catchUp.isDone = true;
}

/** A learner that tells a gateway outcomes, as the gateway knows it. */
export interface FollowedLearner {
  readonly id: string;
  /** It has applied every slot below. */
  readonly applied: number;
  /** It runs in the gateway's process: what it tells costs no message. */
  readonly isHere: boolean;
  readonly heardMs: number;
}

/**
 * Chooses the learner that a gateway follows: the one that is furthest on. Those that are at most
 * `slack` slots behind it count as equal; of these the gateway prefers its process's own, then the
 * one that it follows.
 *
 * @param known   the learner that it follows, or null
 * @param learners those that answered lately
 */
export function furthestLearner(
  known: FollowedLearner | null,
  learners: Iterable<FollowedLearner>,
  slack: number,
): FollowedLearner | null {
  const all = [...(known === null ? [] : [known]), ...learners];
  const furthest = Math.max(...all.map(({ applied }) => applied));
  const near = all.filter(({ applied }) => applied + slack >= furthest);
  const here = near.filter(({ isHere }) => isHere);
  return here.at(-1) ?? near.filter(({ id }) => id === known?.id).at(-1) ?? near[0] ?? null;
}
