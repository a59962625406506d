/**
 * Questions to the cluster: a message with a place for answers, and whoever answers there.
 *
 * Why not `Transport.request`: its first answer may come from something else that listens, such as
 * a JetStream stream over our subjects. Answers without `Synod-Reply` are counted and passed over.
 */
import type { Clock, Headers, Incoming, Transport, TransportStatus } from "../actor/ports.js";
import { connectionClosed, NotPermittedError, type SynodError, wordsOfDenial } from "./errors.js";

/**
 * Why no answer came.
 * - `no_responders`: nobody listens there, so nobody got it;
 * - `unsent`: there was no connection.
 */
export type Silence = "no_responders" | "unsent" | "timeout" | "disconnected";

/** What a question brought. `failed`: asking again is useless; `wasSent`: somebody may have it. */
export type Reply =
  | { readonly kind: "answer"; readonly headers: Headers; readonly payload: Uint8Array }
  | { readonly kind: "failed"; readonly error: SynodError; readonly wasSent: boolean }
  | { readonly kind: Silence };

/** What an asker is built from. */
export interface AskerPorts {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly count: (reason: string) => void;
}

interface Question {
  readonly subject: string;
  readonly answered: (reply: Reply & { readonly kind: "answer" }) => void;
  /** No (further) answer can come. */
  readonly silent: (reply: Exclude<Reply, { readonly kind: "answer" | "timeout" }>) => void;
}

const INBOX_ADVICE =
  "name the prefix of inboxes that they allow (option inboxPrefix, inbox_prefix of a context, or " +
  "--inbox-prefix)";

/** Asks, and hears answers over one subscription. */
export class Asker {
  readonly #ports: AskerPorts;
  readonly #inbox: string;
  readonly #open = new Map<string, Question>();
  readonly #endings: (() => void)[] = [];
  #asked = 0;
  /** Set while the server forbids the inbox, and for good once the connection is closed. */
  #failure: SynodError | null = null;

  constructor(ports: AskerPorts) {
    this.#ports = ports;
    const { transport } = ports;
    this.#inbox = transport.newInbox();
    this.#endings.push(
      transport.subscribe(`${this.#inbox}.*`, (incoming) => this.#hear(incoming)),
      transport.onStatus((status) => this.#notice(status)),
    );
  }

  /** Asks for one answer. */
  ask(subject: string, payload: Uint8Array, timeoutMs: number): Promise<Reply> {
    return new Promise((resolve) => {
      let cancel = () => {};
      const end = this.#put(payload, {
        subject,
        answered: (reply) => done(reply),
        silent: (reply) => done(reply),
      });
      const done = (reply: Reply) => {
        cancel();
        end();
        resolve(reply);
      };
      cancel = this.#ports.clock.setTimer(timeoutMs, () => done(this.#timeout()));
    });
  }

  /**
   * Asks everybody who listens, until `quietMs` pass without an answer.
   *
   * @param question the body
   * @param waitMs for the first answer
   * @param quietMsAfter says how long to wait after the answers so far
   * @throws SynodError if the server forbids to ask, or the connection is closed for good
   */
  gather(
    subject: string,
    question: Uint8Array,
    waitMs: number,
    quietMsAfter: (answers: readonly Uint8Array[]) => number,
  ): Promise<readonly Uint8Array[]> {
    return new Promise((resolve, reject) => {
      const answers: Uint8Array[] = [];
      let cancel = () => {};
      const end = this.#put(question, {
        subject,
        answered: ({ payload }) => {
          answers.push(payload);
          cancel();
          cancel = this.#ports.clock.setTimer(quietMsAfter(answers), done);
        },
        silent: (reply) => done(reply),
      });
      const done = (reply?: Reply) => {
        cancel();
        end();
        if (reply?.kind === "failed" && answers.length === 0) reject(reply.error);
        else resolve(answers);
      };
      cancel = this.#ports.clock.setTimer(waitMs, () => done(this.#timeout()));
    });
  }

  /** Ends every question; nothing is heard any more. */
  close(): void {
    for (const end of this.#endings) end();
    this.#end({ kind: "disconnected" });
  }

  /** Publishes a question. @returns forgets it */
  #put(payload: Uint8Array, question: Question): () => void {
    const { transport, clock } = this.#ports;
    const reply = `${this.#inbox}.${++this.#asked}`;
    this.#open.set(reply, question);
    if (transport.connected) transport.publish(question.subject, payload, { reply });
    else {
      clock.soon(() => {
        if (this.#open.delete(reply)) question.silent(this.#failed(false) ?? { kind: "unsent" });
      });
    }
    return () => void this.#open.delete(reply);
  }

  #hear({ subject, payload, headers }: Incoming): void {
    if (this.#ports.transport.connected) this.#failure = null; // the inbox is not forbidden now
    const question = this.#open.get(subject);
    if (question === undefined) return;
    if (headers?.["Synod-Reply"] === "1") {
      question.answered({ kind: "answer", headers, payload });
    } else if (payload.length === 0 && headers?.["Status"] === "503") {
      question.silent({ kind: "no_responders" });
    } else this.#ports.count("foreign_reply");
  }

  #notice(status: TransportStatus): void {
    if (status.kind === "connected") this.#failure = null;
    else if (status.kind === "disconnected") this.#end({ kind: "disconnected" });
    else if (status.kind === "closed") this.#fail(connectionClosed(status.reason));
    else if (status.kind === "granted") {
      if (status.subject === `${this.#inbox}.*`) this.#failure = null;
    } else if (status.kind !== "denied") return;
    else if (status.operation === "publish") {
      const error = new NotPermittedError(wordsOfDenial(status));
      this.#end(
        { kind: "failed", error, wasSent: false },
        ({ subject }) => subject === status.subject,
      );
    } else if (status.subject === `${this.#inbox}.*`) {
      this.#fail(new NotPermittedError(`${wordsOfDenial(status)}: ${INBOX_ADVICE}`));
    }
  }

  /** Ends what is open with an error, and what is asked later until it is over. */
  #fail(error: SynodError): void {
    this.#failure = error;
    this.#end({ kind: "failed", error, wasSent: true });
  }

  #end(
    reply: Parameters<Question["silent"]>[0],
    concerns: (question: Question) => boolean = () => true,
  ): void {
    for (const [inbox, question] of [...this.#open]) {
      if (!concerns(question)) continue;
      this.#open.delete(inbox);
      question.silent(reply);
    }
  }

  #failed(wasSent: boolean): (Reply & { readonly kind: "failed" }) | undefined {
    return this.#failure === null ? undefined : { kind: "failed", error: this.#failure, wasSent };
  }

  #timeout(): Reply {
    return this.#failed(true) ?? { kind: "timeout" };
  }
}
