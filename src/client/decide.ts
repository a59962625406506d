/**
 * Single-decree decisions: asks a synod-proposer until it tells what a key holds.
 *
 * Asking again is harmless: the first value wins, for ever, and whoever asks learns which one that
 * was.
 */
import type { Clock } from "../kernel/ports.js";
import type { Asker, Reply } from "./asker.js";
import { aborted, type Call, closed, type Ended, timeoutOf, watchEnd } from "./ending.js";
import { readJson, readType } from "./entries.js";
import {
  errorOfRefusal,
  InvalidError,
  NoQuorumError,
  OutcomeUnknownError,
  type SynodError,
  TooLargeError,
  UnavailableError,
} from "./errors.js";
import { isWellFormed } from "./msgpack.js";
import type { TypedBody } from "./values.js";

/** What decisions are made with. */
export interface DecidePorts {
  readonly asker: Asker;
  readonly clock: Clock;
  readonly subject: string;
  readonly cluster: string;
  /** The server, for people. */
  readonly place: () => string;
  /** Called to end every decision under way. @returns stops the watch */
  readonly onClose: (end: () => void) => () => void;
}

/** A wish for a key, encoded anew for each attempt; `isQuestion` wishes for nothing. */
export interface Wish {
  readonly isQuestion: boolean;
  readonly encode: () => Uint8Array;
  /** Asked before each attempt: the server's limit may have changed. @throws TooLargeError */
  readonly checkSize: () => void;
}

/** How long one attempt may take before another proposer is asked. */
const ATTEMPT_MS = 1500;
const PAUSE_MS = 100;
/** Longest that an answer may ask this client to wait. */
const RETRY_AFTER_MAX_MS = 10_000;

/** Checks a key. @throws InvalidError */
export function checkKey(key: unknown, bytesMax: number): asserts key is string {
  const bytes = typeof key === "string" ? new TextEncoder().encode(key).length : 0;
  if (typeof key === "string" && isWellFormed(key) && bytes >= 1 && bytes <= bytesMax) return;
  throw new InvalidError(`a key is a string of 1 to ${bytesMax} bytes of UTF-8`);
}

/** Decides. @returns what the key holds, null if nothing */
export function decide(ports: DecidePorts, wish: Wish, call: Call): Promise<TypedBody | null> {
  return new Promise((resolve, reject) => {
    timeoutOf(call);
    const decision = new Decision(ports, wish);
    const unclose = ports.onClose(() => {
      unwatch();
      finish(() => reject(decision.errorOf("closed")));
    });
    const finish = (end: () => void) => {
      if (decision.isOver) return;
      decision.isOver = true;
      unwatch();
      unclose();
      end();
    };
    let unwatch = () => {};
    unwatch = watchEnd(ports.clock, call, (why) => {
      finish(() => reject(decision.errorOf(why)));
    });
    decision.run().then(
      (value) => finish(() => resolve(value)),
      (error) => finish(() => reject(error)),
    );
  });
}

class Decision {
  isOver = false;
  readonly #ports: DecidePorts;
  readonly #wish: Wish;
  /** Copies of the wish that a proposer may have heard. */
  #copies = 0;

  constructor(ports: DecidePorts, wish: Wish) {
    this.#ports = ports;
    this.#wish = wish;
  }

  /** Asks until there is an answer; never ends by itself without one. */
  async run(): Promise<TypedBody | null> {
    for (;;) {
      if (this.isOver) return null;
      const { asker, subject } = this.#ports;
      this.#checkSize();
      this.#copies++;
      const reply = await asker.ask(subject, this.#wish.encode(), ATTEMPT_MS);
      const isUnsent = reply.kind === "failed" && !reply.wasSent;
      if (reply.kind === "no_responders" || reply.kind === "unsent" || isUnsent) this.#copies--;
      if (reply.kind === "failed") throw this.#failed(reply.error);
      if (reply.kind !== "answer") {
        if (reply.kind !== "timeout") await this.#pause(PAUSE_MS);
      } else {
        const value = await this.#read(reply);
        if (value !== undefined) return value;
      }
    }
  }

  /** @throws TooLargeError that says whether an earlier copy may have been decided */
  #checkSize(): void {
    try {
      this.#wish.checkSize();
    } catch (error) {
      if (!(error instanceof TooLargeError) || this.#copies === 0) throw error;
      throw new TooLargeError(error.message, { mayHaveHappened: true, cause: error });
    }
  }

  /** Reads an answer; undefined to ask again. */
  async #read(reply: Reply & { kind: "answer" }): Promise<TypedBody | null | undefined> {
    const { headers, payload } = reply;
    switch (headers["Synod-Kind"]) {
      case "decided": {
        const type = readType(headers["Synod-Type"]);
        return type === undefined ? undefined : { type, body: new Uint8Array(payload) };
      }
      case "undecided":
        if (this.#wish.isQuestion) return null;
        break;
      case "refused": {
        const { error } = readJson(payload);
        const refusal = (error ?? {}) as Record<string, unknown>;
        const { code, message, retryAfterMs } = refusal;
        if (code !== "overloaded") {
          // The one that refuses knows of the last copy alone.
          const isOpen = this.#copies > 1 || refusal["mayHaveHappened"] === true;
          const mayHaveHappened = isOpen && !this.#wish.isQuestion;
          throw errorOfRefusal({ code: String(code), message: String(message), mayHaveHappened });
        }
        const askedMs = typeof retryAfterMs === "number" ? retryAfterMs : PAUSE_MS;
        await this.#pause(Math.min(Math.max(askedMs, 1), RETRY_AFTER_MAX_MS));
        return undefined;
      }
    }
    await this.#pause(PAUSE_MS);
    return undefined;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#ports.clock.setTimer(ms, resolve));
  }

  /** The error of what cannot go on: of what was sent, the outcome is not known. */
  #failed(error: SynodError): SynodError {
    const wasSent = this.#copies > 0 && !this.#wish.isQuestion;
    return wasSent ? new OutcomeUnknownError(error.message, { cause: error }) : error;
  }

  /** The error of ending without an answer. */
  errorOf(why: Ended | "closed"): SynodError {
    const wasSent = this.#copies > 0;
    const mayHaveHappened = wasSent && !this.#wish.isQuestion;
    if (why === "closed") return closed({ mayHaveHappened });
    if (why.kind === "signal") return aborted(why.reason, { mayHaveHappened });
    if (why.kind === "failed") return this.#failed(why.error);
    const { cluster, place } = this.#ports;
    const waited = `within ${why.timeoutMs} ms`;
    if (mayHaveHappened) {
      const message = `the wish was sent, and nothing was decided ${waited}`;
      return new OutcomeUnknownError(`${message}: ask again for what the key holds`);
    }
    if (wasSent) {
      const message = `no quorum of acceptors of cluster ${cluster} answered ${waited}`;
      return new NoQuorumError(`${message} (synod why says what is awaited)`);
    }
    const message = `no synod-proposer of cluster ${cluster} was reached ${waited} on ${place()}`;
    return new UnavailableError(message);
  }
}
