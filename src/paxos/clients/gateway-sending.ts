/**
 * The gateway's sending: what goes to the leader, in which order, and when it goes again.
 *
 * Nothing is sent again while it may be on its way: a slow leader would be sent all of it again
 * while it works on it, every copy would be chosen, and it would be slower still.
 */
import { Fifo } from "../fifo.js";
import type { Limits } from "../limits.js";
import type { Propose } from "../wire/messages.js";
import { commandFits } from "../wire/payload.js";
import { giveUpTooLarge, type TooLarge, takeBack } from "./gateway-gaps.js";
import type { ClientSession, GatewayState, Pending } from "./gateway-state.js";

/** Least and most wait before what has no outcome is sent again, in `retryDelayMs`. */
const OVERDUE_DELAYS_MIN = 4;
const OVERDUE_DELAYS_MAX = 32;

/** What goes to the leader, and what cannot. */
export interface Proposals {
  readonly messages: readonly Propose[];
  /** No message that the server takes now can carry them. */
  readonly tooLarge: readonly TooLarge[];
}

/**
 * Takes what may go to the leader now, in order, within its credit.
 *
 * Cost: O(commands taken), and those that wait for their session's opening; not O(backlog).
 *
 * @param limits those of this moment, of this server and of the leader's
 */
export function takeProposals(state: GatewayState, limits: Limits, nowMs: number): Proposals {
  const over: Pending[] = [];
  const messages: { type: "propose"; commands: Uint8Array[] }[] = [];
  const kept: Pending[] = [];
  let bytes = 0;
  for (let pending = state.toSend.first; pending !== undefined; pending = state.toSend.first) {
    if (pending.sentMs === null && commandFits(pending.blob, limits)) {
      pending.dueMs ??= nowMs;
      if (!hasCredit(state, pending)) break;
    }
    state.toSend.shift();
    if (pending.sentMs !== null) continue; // sent meanwhile, or settled
    if (!commandFits(pending.blob, limits)) {
      over.push(pending);
      continue;
    }
    if (waitsForOpening(state, pending)) {
      kept.push(pending);
      continue;
    }
    noteSent(state, pending, nowMs);
    const size = pending.blob.length;
    const last = messages[messages.length - 1];
    const fits =
      last !== undefined &&
      bytes + size <= limits.partBytesMax &&
      last.commands.length < limits.batchCommandsMax;
    if (fits) {
      last.commands.push(pending.blob);
      bytes += size;
    } else {
      messages.push({ type: "propose", commands: [pending.blob] });
      bytes = size;
    }
  }
  state.toSend.prepend(kept);
  return { messages, tooLarge: over.flatMap((pending) => giveUpTooLarge(state, pending) ?? []) };
}

function hasCredit(state: GatewayState, { blob }: Pending): boolean {
  return state.underWayBytes === 0 || state.underWayBytes + blob.length <= state.creditBytes;
}

function noteSent(state: GatewayState, pending: Pending, nowMs: number): void {
  pending.sentMs = nowMs;
  pending.firstSentMs ??= nowMs;
  pending.wasSent = true;
  pending.wasEarly = false;
  state.underWayBytes += pending.blob.length;
}

/** A request that overtook its session's opening would be told that the session is unknown. */
function waitsForOpening(state: GatewayState, pending: Pending): boolean {
  return pending.number > 0 && state.sessions.get(pending.session)?.pending.has(0) === true;
}

/** Has everything sent again, in order: another leads, or a silence was too long. */
export function sendAllAgain(state: GatewayState): void {
  state.toSend = new Fifo();
  state.underWayBytes = 0;
  for (const session of state.sessions.values()) {
    for (const pending of session.pending.values()) {
      pending.sentMs = null;
      pending.firstSentMs = null; // another leader: another latency
      state.toSend.push(pending);
    }
  }
}

/**
 * Says whether some session's commands have been on the way without any outcome for longer than
 * outcomes usually take.
 */
export function isOverdue(state: GatewayState, nowMs: number, limits: Limits): boolean {
  const bounds = overdueBounds(state, limits);
  for (const session of state.sessions.values()) {
    if (sessionIsOverdue(session, nowMs, bounds)) return true;
  }
  return false;
}

/**
 * Has the commands of overdue sessions sent again, in order.
 *
 * Why not while outcomes come, and ever more patiently: a slow leader would be sent all of it again
 * while it works on it.
 */
export function sendOverdueAgain(state: GatewayState, nowMs: number, limits: Limits): void {
  const bounds = overdueBounds(state, limits);
  for (const session of state.sessions.values()) {
    if (!sessionIsOverdue(session, nowMs, bounds)) continue;
    session.patience *= 2;
    takeBack(state, session, () => true);
  }
}

interface OverdueBounds {
  /** How long outcomes usually take at most. */
  readonly usualMs: number;
  readonly mostMs: number;
}

function overdueBounds(state: GatewayState, { retryDelayMs }: Limits): OverdueBounds {
  const mostMs = OVERDUE_DELAYS_MAX * retryDelayMs;
  const leastMs = OVERDUE_DELAYS_MIN * retryDelayMs;
  return { usualMs: state.outcomeLatency.waitMs(leastMs, mostMs), mostMs };
}

function sessionIsOverdue(
  { pending, heardMs, patience }: ClientSession,
  nowMs: number,
  { usualMs, mostMs }: OverdueBounds,
): boolean {
  const [oldest] = pending.values();
  if (oldest === undefined || oldest.sentMs === null) return false;
  return nowMs - Math.max(oldest.sentMs, heardMs) >= Math.min(mostMs, usualMs * patience);
}

/** Notes that a copy of a command came too early to take effect. */
export function noteEarly(session: ClientSession, number: number): void {
  const early = session.pending.get(number);
  if (early === undefined) return;
  early.wasEarly = true;
  early.firstSentMs = null; // this copy has its outcome: the time of the next one counts
  if (early.sentMs !== null) session.passed = { number, sentMs: early.sentMs };
}

/**
 * Lists what is to be sent again of a session that had early outcomes, in order: the number
 * awaited, at most once in `retryDelayMs`, and behind it what came too early.
 *
 * @param expected the number awaited, as the last early outcome says
 */
export function askedAgain(
  state: GatewayState,
  session: ClientSession,
  expected: number,
  limits: Limits,
  nowMs: number,
): readonly Pending[] {
  const { resent } = session;
  const isKnown = resent?.expected === expected && nowMs - resent.atMs < limits.retryDelayMs;
  if (isKnown) return missedFrom(state, session, expected, limits, nowMs, resent.atMs);
  session.resent = { expected, atMs: nowMs };
  return missedFrom(state, session, expected, limits, nowMs);
}

/**
 * Lists what is to be sent again from a number on, in order: that number, and what came too early
 * or was lost, up to the first that may be on its way. Of what is behind that, one goes again: it
 * tells whether that one came; the others would only be early again.
 *
 * Why not the rest: in a long queue whose order was lost, what came too early would stand in front
 * of lower numbers again, and each round through the queue would bring one command further.
 *
 * What was sent since the number awaited went again stands in order behind it, and holds up
 * nothing. What was sent before something that has an outcome, and has none itself, was lost or
 * overtaken: it counts as lost after the time that an outcome usually takes, `retryDelayMs` at
 * least. Otherwise a burst that was lost at once would be filled one number a round trip, each with
 * copies of all that waits behind it.
 */
export function missedFrom(
  state: GatewayState,
  { pending, passed, resent }: ClientSession,
  from: number,
  { retryDelayMs }: Limits,
  nowMs: number,
  sentBeforeMs = Number.POSITIVE_INFINITY,
): readonly Pending[] {
  const lostMs = state.outcomeLatency.waitMs(retryDelayMs, OVERDUE_DELAYS_MAX * retryDelayMs);
  const missed: Pending[] = [];
  let mayBeComing = false;
  for (const one of pending.values()) {
    if (one.number < from || one.sentMs === null) continue; // null: stands in `toSend` already
    const isPassed = passed !== null && one.number < passed.number && one.sentMs <= passed.sentMs;
    const isLost = isPassed && nowMs - one.sentMs >= lostMs;
    const isOld = one.sentMs < sentBeforeMs;
    const isDue = isOld && (one.number === from || one.wasEarly || isLost);
    if (isDue) missed.push(one);
    if (isDue && mayBeComing) break;
    const isInOrder = resent !== null && one.sentMs >= resent.atMs && !one.wasEarly;
    if (isInOrder && mayBeComing) break; // it tells already
    mayBeComing ||= !isDue && !isInOrder;
  }
  return missed;
}
