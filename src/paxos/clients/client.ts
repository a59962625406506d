/**
 * The client's rules: number what is submitted, send it in order, and send it again under the same
 * number until its result is known.
 *
 * Numbers are given when a request is first sent: one that never left can be withdrawn, and leaves
 * no gap that would keep its successors waiting for ever.
 *
 * Paper: none; the client's half of `session.ts`.
 */
import { invariant } from "../assert.js";
import type { BodyType } from "../command.js";
import { LatencyEstimate } from "../latency.js";
import type { Limits } from "../limits.js";
import type { Receipt } from "../receipt.js";
import type { ClientRequests, EndSession, Results } from "../wire/messages.js";

/** What a client asks the log to hold. */
export interface Submission {
  /** Names it in this process; never reused. */
  readonly token: number;
  /** Idempotency id; "" for none. */
  readonly id: string;
  readonly valueType: BodyType;
  readonly body: Uint8Array;
}

/** A submission that has a number. */
export interface OpenRequest extends Submission {
  readonly number: number;
  /** How often it was sent and not refused: 0 means that no copy is on its way. */
  copies: number;
  /** When it was sent first. */
  readonly sentMs: number;
}

/** The result of a request that is not open any more. */
export interface Completed extends Receipt {
  readonly token: number;
}

/** Bounds of one session, which are the client's own affair. */
export const CLIENT_BOUNDS = {
  /** Requests of one message. */
  messageRequestsMax: 4096,
  /** From the lowest unanswered number to the highest sent one. */
  windowRequestsMax: 4096,
  /** Values that were sent and are unanswered. */
  windowBytesMax: 4 * 1024 * 1024,
  /** Requests that are held, sent or not. */
  pendingRequestsMax: 65_536,
  /** Values that are held, sent or not. */
  pendingBytesMax: 64 * 1024 * 1024,
} as const;

/** The bytes that a request takes in a message beside its value, about. */
const OVERHEAD_BYTES = 24;

/** What a session has submitted and not got the result of. One owner. */
export class ClientState {
  /** 32 hexadecimal digits. */
  readonly session: string;
  /** The slot in which it was opened, as the gateway that opened it said; null: it did not say. */
  openedIn: number | null = null;
  /** Submitted and without a number, by token, in order. */
  waiting = new Map<number, Submission>();
  waitingBytes = 0;
  /** Numbered and unanswered, by number, in order. */
  open = new Map<number, OpenRequest>();
  openBytes = 0;
  nextNumber = 1;
  /** The client waits for no request of a lower number. */
  answeredBelow = 1;
  /** Every open request below was sent since the last {@link rewind}. */
  sentBelow = 1;
  /** Numbers that were given up, and of which nothing that was sent says so yet. */
  givenUp = new Set<number>();
  /** From the first copy of a request to its result. */
  resultLatency = new LatencyEstimate();

  constructor(session: string) {
    this.session = session;
  }

  /** Makes a copy that shares no changeable part. */
  clone(): ClientState {
    const copy = new ClientState(this.session);
    copy.openedIn = this.openedIn;
    copy.waiting = new Map(this.waiting);
    copy.waitingBytes = this.waitingBytes;
    copy.open = new Map([...this.open].map(([number, request]) => [number, { ...request }]));
    copy.openBytes = this.openBytes;
    copy.nextNumber = this.nextNumber;
    copy.answeredBelow = this.answeredBelow;
    copy.sentBelow = this.sentBelow;
    copy.givenUp = new Set(this.givenUp);
    copy.resultLatency = this.resultLatency.clone();
    return copy;
  }

  /** Says in a few words what is held. */
  describe(): string {
    const { waiting, open, nextNumber, answeredBelow, sentBelow } = this;
    const numbers = `answered below ${answeredBelow}, sent below ${sentBelow}`;
    return `${open.size} open (${numbers}, next ${nextNumber}), ${waiting.size} waiting`;
  }
}

/** Moves `answeredBelow` past what is not open any more. */
function passAnswered(state: ClientState): void {
  while (state.answeredBelow < state.nextNumber && !state.open.has(state.answeredBelow)) {
    state.answeredBelow++;
  }
}

/**
 * Takes submissions in, as many as may be held.
 *
 * @returns those that are turned away
 */
export function addSubmissions(
  state: ClientState,
  submissions: readonly Submission[],
): readonly Submission[] {
  const { pendingRequestsMax, pendingBytesMax } = CLIENT_BOUNDS;
  return submissions.filter((submission) => {
    const bytes = state.waitingBytes + state.openBytes + submission.body.length;
    const isFull = state.waiting.size + state.open.size >= pendingRequestsMax;
    if (isFull || bytes > pendingBytesMax) return true;
    state.waiting.set(submission.token, submission);
    state.waitingBytes += submission.body.length;
    return false;
  });
}

/** Gives a submission up. @returns false if it was numbered: it may be in the log, or will be */
export function withdraw(state: ClientState, token: number): boolean {
  const submission = state.waiting.get(token);
  if (submission === undefined) return false;
  state.waiting.delete(token);
  state.waitingBytes -= submission.body.length;
  return true;
}

/** Has every open request from a number on sent again. */
export function rewind(state: ClientState, from: number): void {
  state.sentBelow = Math.min(state.sentBelow, Math.max(from, state.answeredBelow));
}

/** Notes that the gateway did not pass on this copy of the requests from a number on. */
export function noteRefusal(state: ClientState, from: number): void {
  for (const request of state.open.values()) {
    // Of several copies an earlier one may have been passed on, so only a single one is forgotten.
    if (request.number >= from && request.copies === 1) request.copies = 0;
  }
  rewind(state, from);
}

/**
 * Gives up a request that cannot pass. Its number is spent: the next request says that nobody waits
 * for it (`answeredBelow`), and then the log goes on without it.
 *
 * @returns what was given up, null if it is not open
 */
export function giveUpOne(state: ClientState, number: number): GivenUp | null {
  const request = state.open.get(number);
  if (request === undefined) return null;
  state.open.delete(number);
  state.openBytes -= request.body.length;
  state.givenUp.add(number);
  passAnswered(state);
  rewind(state, number);
  return { token: request.token, mayHaveHappened: request.copies > 0 };
}

/** Drops the numbers below. @returns whether there were any */
export function passGaps(gaps: Set<number>, below: number): boolean {
  if (gaps.size === 0) return false;
  const passed = [...gaps].filter((number) => number < below);
  for (const number of passed) gaps.delete(number);
  return passed.length > 0;
}

/** A submission that was given up, and whether it may be in the log. */
export interface GivenUp {
  readonly token: number;
  readonly mayHaveHappened: boolean;
}

/** What goes out, and what cannot. */
export interface Taken {
  readonly messages: readonly ClientRequests[];
  /** Over `valueBytesMax`: no server takes them now. */
  readonly tooLarge: readonly GivenUp[];
}

/**
 * Takes what may be sent now: open requests not sent since the last rewind, then new ones as far as
 * the window allows. Messages are in order, and the numbers of one are without gaps.
 *
 * Holds: numbers sent span less than the results that the table keeps of one session; a repeat of a
 * request whose result was evicted would never be answered.
 *
 * @param limits those of this moment: a value that passed when it was submitted may pass no more
 * @param mayBegin whether new ones may be sent
 */
export function takeRequests(
  state: ClientState,
  limits: Limits,
  nowMs: number,
  mayBegin = true,
): Taken {
  const tooLarge = giveUpTooLarge(state, limits);
  const { answeredBelow } = state;
  // All that follows a given-up number is sent now, and says so.
  passGaps(state.givenUp, answeredBelow);
  const batches = new Batches(state, limits);
  for (let number = state.sentBelow; number < state.nextNumber; number++) {
    const request = state.open.get(number);
    if (request !== undefined) batches.add(request);
  }
  const { windowRequestsMax, windowBytesMax } = CLIENT_BOUNDS;
  const span = Math.min(windowRequestsMax, Math.ceil(limits.sessionResultsMax / 2));
  for (const { token, id, valueType, body } of mayBegin ? state.waiting.values() : []) {
    if (body.length > limits.valueBytesMax) {
      withdraw(state, token);
      tooLarge.push({ token, mayHaveHappened: false });
      continue;
    }
    if (state.nextNumber - answeredBelow >= span) break;
    if (state.open.size > 0 && state.openBytes + body.length > windowBytesMax) break;
    withdraw(state, token);
    const number = state.nextNumber++;
    const request = { token, id, valueType, body, number, copies: 0, sentMs: nowMs };
    state.open.set(number, request);
    state.openBytes += body.length;
    batches.add(request);
    const isKept = number - answeredBelow < limits.sessionResultsMax;
    invariant(isKept, "the table keeps the result of every request that is sent again");
  }
  state.sentBelow = state.nextNumber;
  return { messages: batches.messages, tooLarge };
}

/** Gives up what would be sent again now and is over the limit. */
function giveUpTooLarge(state: ClientState, { valueBytesMax }: Limits): GivenUp[] {
  const tooLarge: GivenUp[] = [];
  for (let number = state.sentBelow; number < state.nextNumber; number++) {
    const request = state.open.get(number);
    if (request === undefined || request.body.length <= valueBytesMax) continue;
    const givenUp = giveUpOne(state, number);
    if (givenUp !== null) tooLarge.push(givenUp);
  }
  return tooLarge;
}

/** Fills messages with requests. */
class Batches {
  readonly messages: ClientRequests[] = [];
  readonly #state: ClientState;
  readonly #bytesMax: number;
  #requests: ClientRequests["requests"][number][] = [];
  #bytes = 0;

  constructor(state: ClientState, limits: Limits) {
    this.#state = state;
    this.#bytesMax = limits.partBytesMax;
  }

  add(request: OpenRequest): void {
    request.copies++;
    const { messageRequestsMax } = CLIENT_BOUNDS;
    const size = request.body.length + request.id.length + OVERHEAD_BYTES;
    const last = this.#requests[this.#requests.length - 1];
    const fits =
      last !== undefined &&
      last.number + 1 === request.number &&
      this.#bytes + size <= this.#bytesMax &&
      this.#requests.length < messageRequestsMax;
    if (!fits) this.#begin();
    const { number, id, valueType, body } = request;
    this.#requests.push({ number, id, valueType, body });
    this.#bytes += size;
  }

  #begin(): void {
    this.#requests = [];
    this.#bytes = 0;
    this.messages.push({
      type: "request",
      session: this.#state.session,
      answeredBelow: this.#state.answeredBelow,
      requests: this.#requests,
      openedIn: this.#state.openedIn,
    });
  }
}

/** Says what ends the session in the log; null if the log has not opened it, as far as is known. */
export function endOf(state: ClientState): EndSession | null {
  const { session, openedIn, answeredBelow, nextNumber: number } = state;
  if (openedIn === null) return null;
  return { type: "end-session", session, answeredBelow, number, openedIn };
}

/** Closes the requests whose results came; a repeat of one that is closed is passed over. */
export function complete(state: ClientState, message: Results, nowMs: number): Completed[] {
  const completed: Completed[] = [];
  for (const { number, position, slot, ballot, syncedBy } of message.results) {
    const request = state.open.get(number);
    if (request === undefined) continue;
    state.open.delete(number);
    state.openBytes -= request.body.length;
    state.resultLatency.add(nowMs - request.sentMs);
    completed.push({ token: request.token, position, slot, ballot, syncedBy });
  }
  passAnswered(state);
  // What was sent behind a given-up number waits for it until a request says that nobody does.
  if (passGaps(state.givenUp, state.answeredBelow)) rewind(state, state.answeredBelow);
  return completed;
}

/**
 * Ends the session: everything held is given up.
 *
 * @param last of a session that expired: no request with a higher number took effect or ever does.
 *   Null if that is not known; then what counts is whether a copy was sent.
 * @returns each token, with `number` null if it never had one, and whether it may be in the log
 */
export function giveUp(
  state: ClientState,
  last: number | null = null,
): { readonly token: number; readonly number: number | null; readonly mayHaveHappened: boolean }[] {
  const ended = [
    ...[...state.open.values()].map(({ token, number, copies }) => ({
      token,
      number,
      mayHaveHappened: last === null || state.openedIn === null ? copies > 0 : number <= last,
    })),
    ...[...state.waiting.keys()].map((token) => ({ token, number: null, mayHaveHappened: false })),
  ];
  state.open.clear();
  state.waiting.clear();
  passAnswered(state);
  state.openBytes = 0;
  state.waitingBytes = 0;
  return ended;
}
