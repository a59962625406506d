/**
 * The gateway's rules: hold clients' commands until their outcome is known, pass them on in order,
 * and pass them on again when that may be needed.
 *
 * Order: the commands of one session go to the leader in the order of their numbers; a lost message
 * shows as `early` outcomes. What was lost is sent again, and behind it what came too early.
 */
import { encodeCommand } from "../command.js";
import { digest } from "../digest.js";
import type { Limits } from "../limits.js";
import type { ClientRequests, EndSession, Outcome } from "../wire/messages.js";
import {
  closeGap,
  forget,
  forgetSession,
  leaveOut,
  noteAnswered,
  noteOpened,
  takeBack,
} from "./gateway-gaps.js";
import type { Done } from "./gateway-results.js";
import { askedAgain, missedFrom, noteEarly } from "./gateway-sending.js";
import type { ClientSession, GatewayState, Pending } from "./gateway-state.js";

/** Times the usual wait after which the cluster counts as out of reach, not slow. */
const SLOW_PATIENCE_MAX = 2;
/** Stands for the slot of an opening that is still to be told: what is held does not grow by it. */
const UNTOLD = 0;

/** Says who is told what after outcomes came. */
export interface Settled {
  readonly results: ReadonlyMap<string, Done[]>;
  /**
   * The client of each session that had an outcome: the session may be gone by now, expired or
   * ended by a later outcome.
   */
  readonly clients: ReadonlyMap<string, string>;
  readonly opened: readonly { readonly session: string; readonly openedIn: number }[];
  readonly expired: readonly {
    readonly session: string;
    readonly client: string | null;
    readonly last: number | null;
  }[];
  /** Public requests that the gateway's expired session did not bring in: another one may. */
  readonly undone: readonly Pending[];
  readonly receipts: readonly {
    readonly token: string;
    readonly outcome: Done;
  }[];
  /** Doors whose request's session is gone: nobody knows what became of it. */
  readonly lost: readonly string[];
}

function serve(state: GatewayState, client: string | null, id: string): ClientSession {
  const known = state.sessions.get(id);
  const pending = known?.pending ?? new Map<number, Pending>();
  const session = {
    client,
    openedIn: known === undefined ? UNTOLD : known.openedIn,
    pending,
    highest: known?.highest ?? 0,
    resent: null,
    passed: null,
    heardMs: known?.heardMs ?? 0,
    patience: known?.patience ?? 1,
    answeredBelow: known?.answeredBelow ?? 1,
    gaps: known?.gaps ?? new Set<number>(),
  };
  state.sessions.set(id, session);
  return session;
}

/** Holds a command, to be sent behind all that is held. */
export function add(
  state: GatewayState,
  session: ClientSession,
  command: Omit<Pending, "sentMs" | "firstSentMs" | "wasSent" | "wasEarly" | "dueMs">,
): Pending {
  const pending: Pending = {
    session: command.session,
    number: command.number,
    blob: command.blob,
    tokens: command.tokens,
    id: command.id,
    sentMs: null,
    wasSent: false,
    firstSentMs: null,
    wasEarly: false,
    dueMs: null,
  };
  session.pending.set(pending.number, pending);
  session.highest = Math.max(session.highest, pending.number);
  state.heldBytes += pending.blob.length;
  state.toSend.push(pending);
  return pending;
}

/** Puts what was held late in its place. */
function putInOrder(session: ClientSession): void {
  const inOrder = [...session.pending].sort(([a], [b]) => a - b);
  session.pending.clear();
  for (const [number, pending] of inOrder) session.pending.set(number, pending);
}

/**
 * Begins the gateway's own session, for proposals that come without one.
 *
 * Why a new id each time: copies of what an earlier one asked may still reach the log, under the
 * same numbers.
 */
export function openOwnSession(state: GatewayState, gateway: string, nonce: string): void {
  const name = `${gateway}.${nonce}.${state.ownSessions++}`;
  state.ownSession = digest(new TextEncoder().encode(name));
  state.ownNumber = 0;
  openSession(state, null, state.ownSession, gateway);
}

/** Holds the command that opens a client's session, unless it is held already. */
export function openSession(
  state: GatewayState,
  client: string | null,
  session: string,
  gateway: string,
): void {
  const held = serve(state, client, session);
  if (held.pending.has(0)) return;
  const blob = encodeCommand({ kind: "open", session, gateway });
  add(state, held, { session, number: 0, blob, tokens: [], id: "" });
  putInOrder(held);
}

/** Serves a session that was opened elsewhere; its requests tell whether it is still known. */
export function attachSession(state: GatewayState, client: string, session: string): void {
  serve(state, client, session);
}

/** What became of requests that a client sent. */
export interface Held {
  /** The first number that was refused for lack of room, or null. */
  readonly overloaded: number | null;
  /** Numbers of values that the server does not take now. */
  readonly tooLarge: readonly number[];
  /**
   * Some were held already, and are not long overdue: the client must not take a slow cluster for a
   * dead gateway. Of a gateway that gets nothing out of the cluster it may.
   */
  readonly isUnderWay: boolean;
  /** The results of those that are known. */
  readonly results: readonly Done[];
}

/**
 * Holds the requests of a session, as far as there is room; repeats are held once, and one whose
 * result is known is not held again: a copy of it would only fill the log.
 *
 * Holds: between what its client has the results of and what is held, no number is missing. Why:
 * what comes behind a gap is early, and if its client dies before it fills the gap, it stays early.
 * A number that was refused as too large is no gap: the client gives it up.
 */
export function holdRequests(
  state: GatewayState,
  client: string,
  message: ClientRequests,
  gateway: string,
  limits: Limits,
): Held {
  if (!state.sessions.has(message.session)) attachSession(state, client, message.session);
  const session = state.sessions.get(message.session) as ClientSession;
  state.results.forget(message.session, session.answeredBelow, message.answeredBelow);
  noteAnswered(state, session, message.answeredBelow);
  const isLate = message.requests.some(({ number }) => number < session.highest);
  const results: Done[] = [];
  const tooLarge: number[] = [];
  let overloaded: number | null = null;
  let isUnderWay = false;
  for (const request of message.requests) {
    const result = state.results.of(message.session, request.number);
    if (result !== undefined) results.push(result);
    if (result !== undefined) continue;
    if (session.pending.has(request.number)) {
      isUnderWay = session.patience <= SLOW_PATIENCE_MAX;
      continue;
    }
    const isBehindGap = request.number > Math.max(message.answeredBelow, session.highest + 1);
    if (isBehindGap) break; // its client asks for all of it again after a while
    if (request.body.length > limits.valueBytesMax) {
      tooLarge.push(request.number);
      leaveOut(session, request.number);
      continue;
    }
    if (state.heldBytes + request.body.length > limits.holdBytesMax) {
      overloaded = request.number;
      break;
    }
    const { number, id, valueType: type, body } = request;
    const { answeredBelow, openedIn } = message;
    const blob = encodeCommand({
      kind: "request",
      session: message.session,
      openedIn,
      number,
      answeredBelow,
      gateway,
      id,
      type,
      body,
    });
    add(state, session, { session: message.session, number, blob, tokens: [], id: "" });
  }
  if (isLate) putInOrder(session);
  closeGap(state, session);
  return { overloaded, tooLarge, isUnderWay, results };
}

/**
 * Holds the end of a session behind what is held of it. One that comes behind a gap, or for which
 * there is no room, is dropped: then the session stays in the log's table until it is evicted.
 */
export function holdEnd(
  state: GatewayState,
  client: string,
  { session: id, openedIn, number, answeredBelow }: EndSession,
  gateway: string,
  limits: Limits,
): void {
  if (!state.sessions.has(id)) attachSession(state, client, id);
  const session = state.sessions.get(id) as ClientSession;
  const isBehindGap = number > Math.max(answeredBelow, session.highest + 1);
  if (isBehindGap || session.pending.has(number)) return;
  const blob = encodeCommand({ kind: "end", session: id, openedIn, number, gateway });
  if (state.heldBytes + blob.length > limits.holdBytesMax) return;
  add(state, session, { session: id, number, blob, tokens: [], id: "" });
}

/** Takes outcomes in, and says whom to tell. A repeat of one that was told is passed over. */
export function settle(
  state: GatewayState,
  outcomes: readonly Outcome[],
  limits: Limits,
  nowMs: number,
): Settled {
  const results = new Map<string, Done[]>();
  const receipts: { token: string; outcome: Done }[] = [];
  const opened: { session: string; openedIn: number }[] = [];
  const expired: { session: string; client: string | null; last: number | null }[] = [];
  const undone: Pending[] = [];
  const lost: string[] = [];
  const clients = new Map<string, string>();
  const again = new Map<ClientSession, Set<Pending>>();
  /** Sessions with early outcomes, and the number that the last of them awaits. */
  const early = new Map<ClientSession, number>();
  for (const outcome of outcomes) {
    const session = state.sessions.get(outcome.session);
    if (session === undefined) continue;
    if (session.client !== null) clients.set(outcome.session, session.client);
    if (outcome.kind === "early") {
      noteEarly(session, outcome.number);
      early.set(session, outcome.expected);
      continue;
    }
    if (outcome.kind === "expired") {
      const { last } = outcome;
      for (const pending of session.pending.values()) {
        if (last !== null && pending.number > last) undone.push(pending);
        else lost.push(...pending.tokens);
      }
      forgetSession(state, outcome.session, session);
      expired.push({ session: outcome.session, client: session.client, last });
      continue;
    }
    if (outcome.kind === "ended") {
      forgetSession(state, outcome.session, session);
      continue;
    }
    const pending = session.pending.get(outcome.kind === "opened" ? 0 : outcome.number);
    if (pending === undefined) continue;
    if (pending.firstSentMs !== null) state.outcomeLatency.add(nowMs - pending.firstSentMs);
    forget(state, session, pending);
    if (session.pending.get(pending.number + 1)?.wasEarly === true) {
      sendToo(again, session, missedFrom(state, session, pending.number + 1, limits, nowMs));
    }
    session.heardMs = nowMs;
    session.patience = 1;
    closeGap(state, session);
    // The client has its result from another gateway: nobody here waits for it.
    if (outcome.kind === "answered") continue;
    if (outcome.kind === "opened") {
      if (session.client === null) noteOpened(state, session, outcome.openedIn);
      opened.push(outcome);
    } else if (pending.tokens.length > 0) {
      for (const token of pending.tokens) receipts.push({ token, outcome });
    } else if (session.client !== null) {
      state.results.keep(outcome);
      const told = results.get(outcome.session);
      if (told === undefined) results.set(outcome.session, [outcome]);
      else told.push(outcome);
    }
  }
  for (const [session, expected] of early) {
    sendToo(again, session, askedAgain(state, session, expected, limits, nowMs));
  }
  for (const [session, meant] of again) takeBack(state, session, (one) => meant.has(one));
  return { results, clients, opened, expired, undone, receipts, lost };
}

/** Adds to what goes again of a session. */
function sendToo(
  again: Map<ClientSession, Set<Pending>>,
  session: ClientSession,
  pendings: readonly Pending[],
): void {
  again.set(session, new Set([...(again.get(session) ?? []), ...pendings]));
}

/** Says how many outcomes are awaited, and since when the one awaited longest. */
export function awaited(state: GatewayState): { readonly count: number; readonly sinceMs: number } {
  let count = 0;
  let sinceMs = Number.POSITIVE_INFINITY;
  for (const { pending } of state.sessions.values()) {
    count += pending.size;
    const [oldest] = pending.values();
    sinceMs = Math.min(sinceMs, oldest?.dueMs ?? sinceMs);
  }
  return { count, sinceMs };
}

/** The client that a session is served for; null if none is known. */
export function clientOf(state: GatewayState, session: string): string | null {
  return state.sessions.get(session)?.client ?? null;
}
