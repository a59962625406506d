/**
 * Questions to the cluster: a message with a place for answers, and whoever answers there.
 *
 * Why not `Transport.request`: its first answer may come from something else that listens, such as
 * a JetStream stream over our subjects. Answers without `Synod-Reply` are counted and passed over.
 */
import type {
  Clock,
  Denied,
  Headers,
  Incoming,
  Transport,
  TransportStatus,
} from "../kernel/ports.js";
import { connectionClosed, INBOX_ADVICE, notPermitted, type SynodError } from "./errors.js";

/**
 * Why no answer came.
 * - `no_responders`: nobody listens there, so nobody got it;
 * - `unsent`: there was no connection.
 */
export type Silence = "no_responders" | "unsent" | "timeout" | "disconnected";

/**
 * What a question brought. `failed`: the server forbids it, or the connection is closed for good;
 * `wasSent` says whether somebody may have it all the same.
 */
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
  /** Called for each answer, and once if no (further) one can come. */
  readonly heard: (reply: Reply) => void;
}

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
      const done = (reply: Reply) => {
        cancel();
        forget();
        resolve(reply);
      };
      const forget = this.#put(payload, { subject, heard: done });
      cancel = this.#ports.clock.setTimer(timeoutMs, () => done({ kind: "timeout" }));
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
      const { clock } = this.#ports;
      const answers: Uint8Array[] = [];
      let cancel = () => {};
      const done = (reply?: Reply) => {
        cancel();
        forget();
        if (reply?.kind === "failed" && answers.length === 0) reject(reply.error);
        else resolve(answers);
      };
      const heard = (reply: Reply) => {
        if (reply.kind !== "answer") {
          done(reply);
          return;
        }
        answers.push(reply.payload);
        cancel();
        cancel = clock.setTimer(quietMsAfter(answers), () => done());
      };
      const forget = this.#put(question, { subject, heard });
      cancel = clock.setTimer(waitMs, () => done());
    });
  }

  /** Ends every question; nothing is heard any more. */
  close(): void {
    for (const end of this.#endings) end();
    this.#end({ kind: "disconnected" });
  }

  /** Publishes a question, unless no answer can come. @returns forgets it */
  #put(payload: Uint8Array, question: Question): () => void {
    const { transport, clock } = this.#ports;
    const reply = `${this.#inbox}.${++this.#asked}`;
    this.#open.set(reply, question);
    const error = this.#failure;
    if (transport.connected && error === null) {
      transport.publish(question.subject, payload, { reply });
    } else {
      const unsent: Reply =
        error === null ? { kind: "unsent" } : { kind: "failed", error, wasSent: false };
      clock.soon(() => {
        if (this.#open.delete(reply)) question.heard(unsent);
      });
    }
    return () => void this.#open.delete(reply);
  }

  #hear({ subject, payload, headers }: Incoming): void {
    const question = this.#open.get(subject);
    if (question === undefined) return;
    if (headers?.["Synod-Reply"] === "1") {
      question.heard({ kind: "answer", headers, payload });
    } else if (payload.length === 0 && headers?.["Status"] === "503") {
      question.heard({ kind: "no_responders" });
    } else this.#ports.count("foreign_reply");
  }

  #notice(status: TransportStatus): void {
    switch (status.kind) {
      case "connected":
        this.#failure = null;
        break;
      case "granted":
        if (status.subject === `${this.#inbox}.*`) this.#failure = null;
        break;
      case "disconnected":
        this.#end({ kind: "disconnected" });
        break;
      case "closed":
        this.#fail(connectionClosed(status.reason));
        break;
      case "denied":
        this.#denied(status);
        break;
    }
  }

  #denied(denied: Denied): void {
    const { subject } = denied;
    if (denied.operation === "publish") {
      const open = [...this.#open.values()].filter((question) => question.subject === subject);
      // Of several one may have been sent before the right was taken away.
      const wasSent = open.length > 1;
      this.#end({ kind: "failed", error: notPermitted(denied), wasSent }, subject);
    } else if (subject === `${this.#inbox}.*`) {
      this.#fail(notPermitted(denied, INBOX_ADVICE));
    }
  }

  /** Ends what is open with an error, and what is asked later until that is over. */
  #fail(error: SynodError): void {
    this.#failure = error;
    this.#end({ kind: "failed", error, wasSent: true });
  }

  /** Ends what is open; of one subject, if one is given. */
  #end(reply: Reply, subject?: string): void {
    for (const [inbox, question] of [...this.#open]) {
      if (subject !== undefined && question.subject !== subject) continue;
      this.#open.delete(inbox);
      question.heard(reply);
    }
  }
}
