/**
 * What a gateway lets go of: commands that are settled, sessions that are over or idle, and
 * commands that are given up because they are too large to be sent. A number that is given up
 * leaves a gap, and the session table lets a request pass it only if that request says that nobody
 * waits for what is missing.
 */

import { type Command, decodeCommand, encodeCommand } from "../command.js";
import type { Limits } from "../limits.js";
import { passGaps } from "./client.js";
import type { ClientSession, GatewayState, Pending } from "./gateway-state.js";

/** Drops a command that is settled or given up. */
export function forget(state: GatewayState, session: ClientSession, pending: Pending): void {
  session.pending.delete(pending.number);
  if (state.byId.get(pending.id) === pending) state.byId.delete(pending.id);
  state.heldBytes -= pending.blob.length;
  if (pending.sentMs !== null) {
    state.underWayBytes = Math.max(0, state.underWayBytes - pending.blob.length);
  }
  pending.sentMs ??= 0; // if it still stands in `toSend`, it is passed over
}

/** Drops a session that expired or ended, with all that is held of it. */
export function forgetSession(state: GatewayState, id: string, session: ClientSession): void {
  for (const pending of [...session.pending.values()]) forget(state, session, pending);
  state.sessions.delete(id);
}

/** Forgets the sessions known longest that await nothing, beyond what the log's table holds. */
export function forgetIdle(state: GatewayState, limits: Limits): void {
  let surplus = state.sessions.size - limits.sessionsMax;
  for (const [id, session] of state.sessions) {
    if (surplus <= 0) return;
    if (id === state.ownSession || session.pending.size > 0) continue;
    state.sessions.delete(id);
    surplus--;
  }
}

/** Puts those sent commands of a session that `isMeant` picks back to be sent, in order. */
export function takeBack(
  state: GatewayState,
  session: ClientSession,
  isMeant: (pending: Pending) => boolean,
): void {
  const again: Pending[] = [];
  for (const pending of session.pending.values()) {
    if (pending.sentMs === null || !isMeant(pending)) continue; // null: stands in `toSend` already
    state.underWayBytes = Math.max(0, state.underWayBytes - pending.blob.length);
    pending.sentMs = null;
    again.push(pending);
  }
  if (again.length === 0) return;
  // Before what the session asks for the first time, in order with what it asks again already.
  for (let first = state.toSend.first; first !== undefined; first = state.toSend.first) {
    if (session.pending.get(first.number) !== first || !first.wasSent) break;
    again.push(first);
    state.toSend.shift();
  }
  again.sort((one, other) => one.number - other.number);
  state.toSend.prepend(again);
}

/** Lets go of what its client does not wait for any more: answered elsewhere, or given up. */
export function noteAnswered(
  state: GatewayState,
  session: ClientSession,
  answeredBelow: number,
): void {
  if (answeredBelow <= session.answeredBelow) return;
  session.answeredBelow = answeredBelow;
  for (const pending of [...session.pending.values()]) {
    if (pending.number === 0 || pending.number >= answeredBelow) continue;
    forget(state, session, pending);
    leaveOut(session, pending.number);
  }
}

/** Notes that a number will not be sent. */
export function leaveOut(session: ClientSession, number: number): void {
  session.highest = Math.max(session.highest, number);
  session.gaps.add(number);
}

/**
 * Has the first command behind a gap say that nobody waits for what is missing, as soon as its
 * client has said so; it and those behind it are sent again.
 */
export function closeGap(state: GatewayState, session: ClientSession): void {
  if (session.gaps.size === 0) return;
  const first = [...session.pending.values()].find(({ number }) => number > 0);
  if (first === undefined) return;
  // Of its own session it waits for all the results itself.
  const answeredBelow = session.client === null ? first.number : session.answeredBelow;
  if (!passGaps(session.gaps, Math.min(first.number, answeredBelow))) return;
  takeBack(state, session, ({ number }) => number >= first.number);
  const command = decodeCommand(first.blob);
  if (command.kind === "request") reencode(state, first, { ...command, answeredBelow });
}

/** Puts the slot of the opening into what was held for the gateway's own session meanwhile. */
export function noteOpened(state: GatewayState, session: ClientSession, openedIn: number): void {
  session.openedIn = openedIn;
  for (const pending of session.pending.values()) {
    const command = decodeCommand(pending.blob);
    if (command.kind !== "request") continue;
    reencode(state, pending, { ...command, openedIn });
  }
}

/** Puts another command in the place of one that is held. */
function reencode(state: GatewayState, pending: Pending, command: Command): void {
  state.heldBytes -= pending.blob.length;
  pending.blob = encodeCommand(command);
  state.heldBytes += pending.blob.length;
}

/**
 * Gives up a command that no message to the leader can carry now.
 *
 * @returns whom to tell; a copy that was sent earlier may be chosen yet
 */
export function giveUpTooLarge(state: GatewayState, pending: Pending): TooLarge | null {
  const session = state.sessions.get(pending.session);
  if (session === undefined) return null;
  forget(state, session, pending);
  leaveOut(session, pending.number);
  closeGap(state, session);
  const { number, tokens, wasSent } = pending;
  return { session: pending.session, client: session.client, number, tokens, wasSent };
}

/** A command that was given up as too large. */
export interface TooLarge {
  readonly session: string;
  readonly client: string | null;
  readonly number: number;
  readonly tokens: readonly string[];
  readonly wasSent: boolean;
}
