import type { Msg, NatsConnection, Subscription } from "nats";
import type { Answer, Denied, Incoming } from "../../kernel/ports.js";
import { isNoResponders, NatsIncoming } from "./incoming.js";

type Done = (answer: Answer) => void;

interface Pending {
  /** The subject asked. */
  readonly subject: string;
  readonly done: Done;
  readonly timer: NodeJS.Timeout;
}

/** The longest delay a Node timer takes; a longer one would fire at once. */
const timerMsMax = 2_147_483_647;

/**
 * Requests that await their answer, over one subscription per connection.
 *
 * Why not the client's `request`: it answers by promise, a turn later, and while disconnected it
 * says `timeout`.
 */
export class Requests {
  readonly #newInbox: () => string;
  readonly #pending = new Map<string, Pending>();
  #count = 0;
  #inbox = "";
  #subscription: Subscription | undefined;

  readonly #unread: (message: Incoming, error: unknown) => void;

  /** @param unread hears of an answer that the client refuses to read */
  constructor(newInbox: () => string, unread: (message: Incoming, error: unknown) => void) {
    this.#newInbox = newInbox;
    this.#unread = unread;
  }

  /** Awaits one answer. @returns the subject for it */
  expect(connection: NatsConnection, subject: string, timeoutMs: number, done: Done): string {
    this.#open(connection);
    this.#count += 1;
    const token = this.#count.toString(36);
    const delay = Math.min(Math.max(timeoutMs, 1), timerMsMax);
    const timer = setTimeout(() => this.#answer(token, { kind: "timeout" }), delay);
    this.#pending.set(token, { subject, done, timer });
    return `${this.#inbox}.${token}`;
  }

  /** Ends all requests: their connection is gone. */
  disconnected(): void {
    for (const token of [...this.#pending.keys()]) {
      this.#answer(token, { kind: "disconnected" });
    }
  }

  /** Ends what the server forbids: requests of a subject, or all if it forbids their inbox. */
  denied(denied: Denied): void {
    const isInbox = denied.operation === "subscribe" && denied.subject === `${this.#inbox}.*`;
    if (isInbox) {
      this.#subscription = undefined;
    }
    for (const [token, { subject }] of [...this.#pending]) {
      if (isInbox || (denied.operation === "publish" && denied.subject === subject)) {
        this.#answer(token, denied);
      }
    }
  }

  /** Ends the subscription; the next request makes another. */
  close(): void {
    this.disconnected();
    this.#subscription?.unsubscribe();
    this.#subscription = undefined;
  }

  #open(connection: NatsConnection): void {
    if (this.#subscription !== undefined) {
      return;
    }
    this.#inbox = this.#newInbox();
    this.#subscription = connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        // Of one that is denied the status tells, too.
        if (error === null) {
          this.#read(message);
        }
      },
    });
  }

  /** Reads an answer. One that cannot be read is none: its request runs into its time. */
  #read(message: Msg): void {
    const incoming = new NatsIncoming(message);
    let answer: Answer;
    try {
      incoming.decode();
      answer = isNoResponders(message)
        ? { kind: "no_responders" }
        : { kind: "answer", message: incoming };
    } catch (error) {
      this.#unread(incoming, error);
      return;
    }
    this.#answer(message.subject.slice(this.#inbox.length + 1), answer);
  }

  #answer(token: string, answer: Answer): void {
    const pending = this.#pending.get(token);
    if (pending === undefined) {
      return;
    }
    this.#pending.delete(token);
    clearTimeout(pending.timer);
    outsideReader(() => pending.done(answer));
  }
}

/**
 * Calls somebody who is no reader of messages so that a throw does not end the client's reader.
 *
 * Why: the client would print "reader closed" to standard output and then hear nothing more, while
 * it looks connected. A throw here is a bug of the listener: it ends the process, as it should.
 */
export function outsideReader(call: () => void): void {
  try {
    call();
  } catch (error) {
    setImmediate(() => {
      throw error;
    });
  }
}
