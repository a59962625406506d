/**
 * Progress: how far a learner has come in the log and how fast, whether it may speak of the log's
 * end, and which learner is furthest on.
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

/** Least time over which a pace is measured. */
const PACE_MS = 1000;

/** How fast a learner catches up. One owner; changed only by {@link notePace}. */
export class Pace {
  /** Slots applied a second, measured last; null until a second has passed. */
  slotsPerSecond: number | null = null;
  /** What is being measured; null while nothing is missing. */
  from: { readonly ms: number; readonly applied: number } | null = null;
}

/**
 * Measures how fast a learner comes on, from its own clock and what it applied.
 *
 * @param applied every slot below is applied
 * @param behind  slots that are, or may be, chosen and are not applied; 0: it has caught up
 */
export function notePace(pace: Pace, applied: number, behind: number, nowMs: number): void {
  const here = { ms: nowMs, applied };
  const { from } = pace;
  if (behind === 0) {
    pace.from = null;
    pace.slotsPerSecond = null;
  } else if (from === null) pace.from = here;
  else if (nowMs - from.ms >= PACE_MS) {
    pace.slotsPerSecond = Math.round((1000 * (applied - from.applied)) / (nowMs - from.ms));
    pace.from = here;
  }
}

/** How far a learner has to go. */
export interface Distance {
  readonly behindSlots: number;
  /** Slots applied a second; null until it has been measured. */
  readonly slotsPerSecond: number | null;
}

/** Says a distance: "catching up: 12,345 slots behind, 3,400 a second". */
export function describeDistance({ behindSlots, slotsPerSecond }: Distance): string {
  const number = (count: number) => count.toLocaleString("en-US");
  const slots = `${number(behindSlots)} ${behindSlots === 1 ? "slot" : "slots"}`;
  const pace = slotsPerSecond === null ? "" : `, ${number(slotsPerSecond)} a second`;
  return `catching up: ${slots} behind${pace}`;
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
