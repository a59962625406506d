/**
 * Questions to the cluster: a message with a place for answers, and whoever answers there.
 *
 * Why not `Transport.request`: its first answer may come from something else that listens, such as
 * a JetStream stream over our subjects. Answers without `Synod-Reply` are counted and passed over.
 */
import type { Clock, Headers, Incoming, Random, Transport } from "../actor/ports.js";

/**
 * Why no answer came.
 * - `no_responders`: nobody listens there, so nobody got it;
 * - `unsent`: there was no connection.
 */
export type Silence = "no_responders" | "unsent" | "timeout" | "disconnected";

/** What a question brought. */
export type Reply =
  | { readonly kind: "answer"; readonly headers: Headers; readonly payload: Uint8Array }
  | { readonly kind: Silence };

/** What an asker is built from. */
export interface AskerPorts {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly count: (reason: string) => void;
}

interface Question {
  readonly answered: (reply: Reply & { readonly kind: "answer" }) => void;
  /** No (further) answer can come. */
  readonly silent: (why: Exclude<Silence, "timeout">) => void;
}

/** Asks, and hears answers over one subscription. */
export class Asker {
  readonly #ports: AskerPorts;
  readonly #inbox: string;
  readonly #open = new Map<string, Question>();
  readonly #endings: (() => void)[] = [];
  #asked = 0;

  constructor(ports: AskerPorts) {
    this.#ports = ports;
    this.#inbox = `_INBOX.synod-${ports.random.hex(8)}`;
    const { transport } = ports;
    this.#endings.push(
      transport.subscribe(`${this.#inbox}.*`, (incoming) => this.#hear(incoming)),
      transport.onStatus(({ kind }) => {
        if (kind === "disconnected" || kind === "closed") this.#lose();
      }),
    );
  }

  /** Asks for one answer. */
  ask(subject: string, payload: Uint8Array, timeoutMs: number): Promise<Reply> {
    return new Promise((resolve) => {
      let cancel = () => {};
      const end = this.#put(subject, payload, {
        answered: (reply) => done(reply),
        silent: (kind) => done({ kind }),
      });
      const done = (reply: Reply) => {
        cancel();
        end();
        resolve(reply);
      };
      cancel = this.#ports.clock.setTimer(timeoutMs, () => done({ kind: "timeout" }));
    });
  }

  /**
   * Asks everybody who listens, until `quietMs` pass without an answer.
   *
   * @param question the body
   * @param waitMs for the first answer
   * @param quietMsAfter says how long to wait after the answers so far
   */
  gather(
    subject: string,
    question: Uint8Array,
    waitMs: number,
    quietMsAfter: (answers: readonly Uint8Array[]) => number,
  ): Promise<readonly Uint8Array[]> {
    return new Promise((resolve) => {
      const answers: Uint8Array[] = [];
      let cancel = () => {};
      const end = this.#put(subject, question, {
        answered: ({ payload }) => {
          answers.push(payload);
          cancel();
          cancel = this.#ports.clock.setTimer(quietMsAfter(answers), done);
        },
        silent: () => done(),
      });
      const done = () => {
        cancel();
        end();
        resolve(answers);
      };
      cancel = this.#ports.clock.setTimer(waitMs, done);
    });
  }

  /** Ends every question; nothing is heard any more. */
  close(): void {
    for (const end of this.#endings) end();
    this.#lose();
  }

  /** Publishes a question. @returns forgets it */
  #put(subject: string, payload: Uint8Array, question: Question): () => void {
    const { transport, clock } = this.#ports;
    const reply = `${this.#inbox}.${++this.#asked}`;
    this.#open.set(reply, question);
    if (transport.connected) transport.publish(subject, payload, { reply });
    else {
      clock.soon(() => {
        if (this.#open.delete(reply)) question.silent("unsent");
      });
    }
    return () => void this.#open.delete(reply);
  }

  #hear({ subject, payload, headers }: Incoming): void {
    const question = this.#open.get(subject);
    if (question === undefined) return;
    if (headers?.["Synod-Reply"] === "1") {
      question.answered({ kind: "answer", headers, payload });
    } else if (payload.length === 0 && headers?.["Status"] === "503") {
      question.silent("no_responders");
    } else this.#ports.count("foreign_reply");
  }

  #lose(): void {
    const lost = [...this.#open.values()];
    this.#open.clear();
    for (const question of lost) question.silent("disconnected");
  }
}
