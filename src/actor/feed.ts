/**
 * The public feed of one learner: one message for each chosen value.
 *
 * Free when unused: each burst ends with a message that asks the server to answer if nobody listens
 * (503). After such an answer the feed pauses and probes again every `PROBE_MS`. What falls into a
 * pause nobody missed: a subscriber that comes then asks `history`.
 */
import { feedHeaders, messageBytes } from "./answer.js";
import type { FeedEntry } from "./effect.js";
import type { Clock, Transport } from "./ports.js";

const PROBE_MS = 100;

/** What a feed is built from. */
export interface FeedOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly subject: string;
  readonly count: (reason: string, by?: number) => void;
  /** An entry of so many bytes is over the server's limit: nobody gets it by this feed. */
  readonly tooLarge: (bytes: number) => void;
}

/** Publishes chosen values while somebody listens. */
export class Feed {
  readonly #options: FeedOptions;
  readonly #inbox: string;
  readonly #end: () => void;
  #pausedUntilMs: number | null = null;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#inbox = options.transport.newInbox();
    this.#end = options.transport.subscribe(this.#inbox, ({ headers, payload }) => {
      // The server answers an unheard message with an empty body and a status.
      if (payload.length > 0 || headers?.["Synod-Reply"] !== undefined) return;
      this.#pausedUntilMs = options.clock.nowMs() + PROBE_MS;
    });
  }

  /** Publishes entries in order, or skips them while nobody listens. */
  publish(entries: readonly FeedEntry[]): void {
    const { transport, clock, subject, count, tooLarge } = this.#options;
    if (this.#pausedUntilMs !== null && clock.nowMs() < this.#pausedUntilMs) {
      count("feed_unheard", entries.length);
      return;
    }
    this.#pausedUntilMs = null;
    entries.forEach((entry, index) => {
      const headers = feedHeaders(entry);
      const last = index === entries.length - 1;
      const bytes = messageBytes(headers, entry.body);
      if (bytes > transport.payloadBytesMax) {
        tooLarge(bytes);
        return;
      }
      transport.publish(subject, entry.body, last ? { headers, reply: this.#inbox } : { headers });
    });
  }

  close(): void {
    this.#end();
  }
}
