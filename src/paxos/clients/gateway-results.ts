/**
 * The results that a gateway keeps for clients that ask again: an answer to a client may be lost,
 * and a copy of its request would only fill the log.
 */
import type { Outcome } from "../wire/messages.js";

/** The outcome of a request that took effect, now or as an earlier copy. */
export type Done = Extract<Outcome, { kind: "done" }>;

/** Results that are kept; the oldest go first. */
const RESULTS_MAX = 65_536;

/** Results by session and number. One owner. */
export class KnownResults {
  /** In order of arrival. */
  readonly #results = new Map<string, Done>();

  /** Results that are kept. */
  get size(): number {
    return this.#results.size;
  }

  /** The result of a request, if it is known. */
  of(session: string, number: number): Done | undefined {
    return this.#results.get(keyOf(session, number));
  }

  keep(result: Done): void {
    this.#results.set(keyOf(result.session, result.number), result);
    if (this.#results.size <= RESULTS_MAX) return;
    const [oldest] = this.#results.keys();
    if (oldest !== undefined) this.#results.delete(oldest);
  }

  /** Forgets what a client says it has: its results of numbers from ≤ number < below. */
  forget(session: string, from: number, below: number): void {
    if (below - from > this.#results.size) {
      // A number off the wire must not say how long we count.
      for (const [key, result] of this.#results) {
        if (result.session === session && result.number < below) this.#results.delete(key);
      }
      return;
    }
    for (let number = from; number < below; number++) this.#results.delete(keyOf(session, number));
  }
}

function keyOf(session: string, number: number): string {
  return `${session}/${number}`;
}
