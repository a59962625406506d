import type { Answer, Clock, Incoming } from "../../kernel/ports.js";
import { isNoResponders } from "./bus.js";

interface Pending {
  readonly done: (answer: Answer) => void;
  readonly cancel: () => void;
}

/** Requests of one connection that await their answer, each at a subject of its own. */
export class Requests {
  readonly #inbox: string;
  readonly #clock: Pick<Clock, "setTimer">;
  readonly #later: (run: () => void) => void;
  readonly #pending = new Map<string, Pending>();
  #count = 0;

  /**
   * @param inbox the answers come to subjects under it
   * @param later runs something in a later turn
   */
  constructor(inbox: string, clock: Pick<Clock, "setTimer">, later: (run: () => void) => void) {
    this.#inbox = inbox;
    this.#clock = clock;
    this.#later = later;
  }

  /** Awaits one answer. @returns the subject for it */
  expect(timeoutMs: number, done: (answer: Answer) => void): string {
    this.#count += 1;
    const reply = `${this.#inbox}.${this.#count}`;
    const cancel = this.#clock.setTimer(timeoutMs, () => this.#end(reply, { kind: "timeout" }));
    this.#pending.set(reply, { done, cancel });
    return reply;
  }

  /** Reads a message to the inbox. */
  read(message: Incoming): void {
    const isRefusal = isNoResponders(message);
    this.#end(message.subject, isRefusal ? { kind: "no_responders" } : { kind: "answer", message });
  }

  /** Ends all of them, in a later turn. */
  disconnected(): void {
    for (const reply of [...this.#pending.keys()]) this.#end(reply, { kind: "disconnected" });
  }

  /** In the turn of an answer or timer, else in a later one. */
  #end(reply: string, answer: Answer): void {
    const pending = this.#pending.get(reply);
    if (pending === undefined) {
      return;
    }
    this.#pending.delete(reply);
    pending.cancel();
    if (answer.kind === "disconnected") {
      this.#later(() => pending.done(answer));
    } else {
      pending.done(answer);
    }
  }
}
