/**
 * Sessions: how a request takes effect once, in order, whoever leads and however often it is sent.
 *
 * A session is told apart by the slot that opened it: an `open` that comes late may bring back the
 * id of a session that was evicted, and requests of the evicted one must not take effect in it.
 *
 * An evicted opening never comes back, so its last number is final. The table keeps that number: of
 * the requests above it the client knows that no copy ever takes effect, and it may ask them again
 * in another session.
 *
 * A function of the log alone: every learner and replica that applies the same commands in the same
 * order has the same table, and evicts the same entries. No clock is read.
 *
 * A request that says that its client waits for nothing below it (`answeredBelow`) passes over what
 * never came: a client gives up a value that became too large for its server, and goes on. Whoever
 * skips nothing never says so before the log has it. What was given up and comes late is a repeat.
 *
 * Paper: none; PMS §3 leaves repeats to the state machine. The idea of a client table is that of
 * Viewstamped Replication Revisited §4.1, with pipelining added: number = last + 1 takes effect, a
 * lower one is a repeat, a higher one is early and has no effect.
 */
import type { End, Request } from "../command.js";
import type { Limits } from "../limits.js";
import type { Receipt } from "../receipt.js";

/** What the table says of a request. */
export type Verdict =
  | { readonly kind: "effect" }
  | { readonly kind: "repeat"; readonly result: Receipt | null }
  | { readonly kind: "early"; readonly expected: number }
  /** `last`: see {@link SessionTable.judge}. */
  | { readonly kind: "expired"; readonly last: number | null };

/** Evicted sessions whose last number the table keeps, in times the sessions that it holds. */
const EVICTED_PER_SESSION = 4;

/** What the table says of the end of a session. */
export type EndVerdict =
  | { readonly kind: "ended" }
  | Extract<Verdict, { readonly kind: "early" | "expired" }>;

interface Session {
  /** The slot in which it was opened. */
  readonly openedIn: number;
  last: number;
  readonly results: Map<number, Receipt>;
}

/** The replicated table of sessions and of idempotency ids. */
export class SessionTable {
  /** In order of use, the longest unused first. */
  #sessions = new Map<string, Session>();
  /**
   * The last number of evicted sessions by {@link openingOf}, in order of eviction. Sessions that
   * their clients ended leave none: such a client asks nothing more, and many of them would crowd
   * out those that may.
   */
  #evicted = new Map<string, number>();
  /** In order of arrival. */
  #ids = new Map<string, Receipt>();
  readonly #limits: Limits;
  /** The last of {@link #sessions}; "": not known. Commands of one session stand together. */
  #usedLast = "";

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Sessions in the table. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Idempotency ids that it holds. */
  get ids(): number {
    return this.#ids.size;
  }

  /** Makes a copy that shares no changeable part. */
  clone(): SessionTable {
    const copy = new SessionTable(this.#limits);
    copy.#sessions = new Map(
      [...this.#sessions].map(([id, session]) => [
        id,
        { ...session, results: new Map(session.results) },
      ]),
    );
    copy.#evicted = new Map(this.#evicted);
    copy.#ids = new Map(this.#ids);
    return copy;
  }

  /**
   * Opens a session; one that is open stays as it is. Evicts the longest unused for room.
   *
   * @returns the slot in which it was opened
   */
  open(id: string, slot: number): number {
    const session = this.#sessions.get(id) ?? { openedIn: slot, last: 0, results: new Map() };
    this.#use(id, session);
    if (this.#sessions.size > this.#limits.sessionsMax) this.#evictOldest();
    return session.openedIn;
  }

  #evictOldest(): void {
    const [oldest] = this.#sessions;
    if (oldest === undefined) return;
    const [id, { openedIn, last }] = oldest;
    this.#drop(id);
    const opening = openingOf(id, openedIn);
    this.#evicted.delete(opening);
    this.#evicted.set(opening, last);
    if (this.#evicted.size <= EVICTED_PER_SESSION * this.#limits.sessionsMax) return;
    const [longestGone] = this.#evicted.keys();
    if (longestGone !== undefined) this.#evicted.delete(longestGone);
  }

  #expired(id: string, openedIn: number | null): Extract<Verdict, { readonly kind: "expired" }> {
    // A request that names no opening might have taken effect in any of them.
    if (openedIn === null) return { kind: "expired", last: null };
    return { kind: "expired", last: this.#evicted.get(openingOf(id, openedIn)) ?? null };
  }

  /**
   * Ends a session, after all of its requests. A later copy of one of them finds it expired, as it
   * does when the session was evicted.
   */
  end({ session: id, openedIn, number }: End): EndVerdict {
    const session = this.#sessions.get(id);
    if (session === undefined || session.openedIn !== openedIn) return this.#expired(id, openedIn);
    if (number > session.last + 1) return { kind: "early", expected: session.last + 1 };
    this.#drop(id);
    return { kind: "ended" };
  }

  #drop(id: string): void {
    this.#sessions.delete(id);
    this.#usedLast = "";
  }

  #use(id: string, session: Session): void {
    if (id === this.#usedLast) return;
    this.#usedLast = id;
    this.#sessions.delete(id);
    this.#sessions.set(id, session);
  }

  /**
   * Judges a request. Every learner calls this once for each request of the log, in log order.
   *
   * @returns for an expired one `last`: the requests of that opening with numbers above it did not
   *   take effect and never do; null: not known, the eviction is too long ago
   */
  judge(request: Request): Verdict {
    const { session: id, openedIn } = request;
    const session = this.#sessions.get(id);
    const isOfThis = openedIn === null || openedIn === session?.openedIn;
    if (session === undefined || !isOfThis) return this.#expired(id, openedIn);
    this.#use(request.session, session);
    for (const number of session.results.keys()) {
      if (number >= request.answeredBelow) break;
      session.results.delete(number);
    }
    // Told by the slot that opened it, it cannot be a late request of an evicted session.
    if (request.openedIn !== null) {
      session.last = Math.max(session.last, request.answeredBelow - 1);
    }
    if (request.number <= session.last) {
      return { kind: "repeat", result: session.results.get(request.number) ?? null };
    }
    if (request.number > session.last + 1) return { kind: "early", expected: session.last + 1 };
    const before = request.id === "" ? undefined : this.#ids.get(request.id);
    if (before === undefined) return { kind: "effect" };
    // The id took effect earlier, perhaps under another session: this number is spent on its
    // result.
    this.#keep(session, request.number, before);
    return { kind: "repeat", result: before };
  }

  /** Notes the result of a request that {@link judge} let take effect. */
  record(request: Request, result: Receipt): void {
    const session = this.#sessions.get(request.session);
    if (session === undefined) return;
    this.#keep(session, request.number, result);
    if (request.id === "") return;
    this.#ids.set(request.id, result);
    if (this.#ids.size <= this.#limits.idsMax) return;
    const [oldest] = this.#ids.keys();
    if (oldest !== undefined) this.#ids.delete(oldest);
  }

  #keep(session: Session, number: number, result: Receipt): void {
    session.last = number;
    session.results.set(number, result);
    if (session.results.size <= this.#limits.sessionResultsMax) return;
    const [oldest] = session.results.keys();
    if (oldest !== undefined) session.results.delete(oldest);
  }
}

/** Names one opening of a session: an id may be opened again, in another slot. */
function openingOf(id: string, openedIn: number): string {
  return `${id}/${openedIn}`;
}
