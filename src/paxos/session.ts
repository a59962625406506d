/**
 * Sessions: how a request takes effect once, in order, whoever leads and however often it is sent.
 *
 * A session is told apart by the slot that opened it: an `open` that comes late may bring back the
 * id of a session that was evicted, and requests of the evicted one must not take effect in it.
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
import type { Ballot } from "./ballot.js";
import type { End, Request } from "./command.js";
import type { Limits } from "./limits.js";

/** What a request that took effect was told. */
export interface Result {
  readonly position: number;
  readonly slot: number;
  readonly ballot: Ballot;
  /** Acceptors known to have it synced. */
  readonly by: readonly string[];
}

/** What the table says of a request. */
export type Verdict =
  | { readonly kind: "effect" }
  | { readonly kind: "repeat"; readonly result: Result | null }
  | { readonly kind: "early"; readonly expected: number }
  | { readonly kind: "expired" };

/** What the table says of the end of a session. */
export type EndVerdict =
  | { readonly kind: "ended" }
  | Extract<Verdict, { readonly kind: "early" | "expired" }>;

interface Session {
  /** The slot in which it was opened. */
  readonly openedIn: number;
  last: number;
  readonly results: Map<number, Result>;
}

/** The replicated table of sessions and of idempotency ids. */
export class SessionTable {
  /** In order of use, the longest unused first. */
  #sessions = new Map<string, Session>();
  /** In order of arrival. */
  #ids = new Map<string, Result>();
  readonly #limits: Limits;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Sessions in the table. */
  get size(): number {
    return this.#sessions.size;
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
    const [oldest] = this.#sessions.keys();
    if (oldest !== undefined && this.#sessions.size > this.#limits.sessionsMax) {
      this.#sessions.delete(oldest);
    }
    return session.openedIn;
  }

  /**
   * Ends a session, after all of its requests. A later copy of one of them finds it expired, as it
   * does when the session was evicted.
   */
  end({ session: id, openedIn, number }: End): EndVerdict {
    const session = this.#sessions.get(id);
    if (session === undefined || session.openedIn !== openedIn) return { kind: "expired" };
    if (number > session.last + 1) return { kind: "early", expected: session.last + 1 };
    this.#sessions.delete(id);
    return { kind: "ended" };
  }

  #use(id: string, session: Session): void {
    this.#sessions.delete(id);
    this.#sessions.set(id, session);
  }

  /** Judges a request. Every learner calls this once for each request of the log, in log order. */
  judge(request: Request): Verdict {
    const session = this.#sessions.get(request.session);
    if (session === undefined) return { kind: "expired" };
    if (request.openedIn !== null && request.openedIn !== session.openedIn) {
      return { kind: "expired" };
    }
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
  record(request: Request, result: Result): void {
    const session = this.#sessions.get(request.session);
    if (session === undefined) return;
    this.#keep(session, request.number, result);
    if (request.id === "") return;
    this.#ids.set(request.id, result);
    if (this.#ids.size <= this.#limits.idsMax) return;
    const [oldest] = this.#ids.keys();
    if (oldest !== undefined) this.#ids.delete(oldest);
  }

  #keep(session: Session, number: number, result: Result): void {
    session.last = number;
    session.results.set(number, result);
    if (session.results.size <= this.#limits.sessionResultsMax) return;
    const [oldest] = session.results.keys();
    if (oldest !== undefined) session.results.delete(oldest);
  }
}
