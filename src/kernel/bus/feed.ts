/**
 * The public feed of one learner: one message for each chosen value.
 *
 * Free when unused: each burst ends with a message that asks the server to answer if nobody listens
 * (503). After such an answer the feed pauses: it keeps what is chosen, up to a bound, and then
 * asks with the oldest of it. Nobody listened: it drops what it kept until it asked. Somebody
 * listens: it publishes the rest. So a subscriber that was there before a value was chosen gets it.
 */
import type { Cluster } from "../../paxos/cluster.js";
import { feedHeaders, messageBytes } from "../answer.js";
import type { FeedEntry } from "../effect.js";
import type { Clock, Transport } from "../ports.js";

/** How long a pause lasts, and what it keeps at most; at the bound it ends early. */
const PAUSE_MS = 100;
const KEPT_ENTRIES_MAX = 1024;
const KEPT_BYTES_MAX = 1024 * 1024;

/** What a feed is built from. */
export interface FeedOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly subject: string;
  /** Its id names a value everywhere, together with the position. */
  readonly cluster: Pick<Cluster, "clusterId">;
  readonly count: (reason: string, by?: number) => void;
  /** An entry of so many bytes is over the server's limit: nobody gets it by this feed. */
  readonly tooLarge: (bytes: number) => void;
}

const NOTHING = new Uint8Array(0);

/** What was published by one call during a pause. */
interface Burst {
  readonly entries: readonly FeedEntry[];
  readonly bytes: number;
}

/** Publishes chosen values while somebody listens. */
export class Feed {
  readonly #options: FeedOptions;
  readonly #inbox: string;
  readonly #ends: readonly (() => void)[];
  #pausedUntilMs: number | null = null;
  /** What the pause brought, oldest first: bursts as they came, so that a value costs no step. */
  #kept: Burst[] = [];
  #keptEntries = 0;
  #keptBytes = 0;
  /** How many bursts were kept when the feed asked last; 0: it is not asking. */
  #askedFor = 0;
  #cancelTimer: (() => void) | null = null;

  constructor(options: FeedOptions) {
    this.#options = options;
    const { transport } = options;
    this.#inbox = transport.newInbox();
    this.#ends = [
      transport.subscribe(this.#inbox, ({ headers, payload }) => {
        // The server answers an unheard message with an empty body and a status.
        if (payload.length > 0 || headers?.["Synod-Reply"] !== undefined) {
          options.count("feed_answered"); // a JetStream stream acknowledges what it keeps
        } else this.#pause();
      }),
      transport.subscribe(`${this.#inbox}.asked`, () => this.#resume()),
    ];
  }

  /** Publishes entries in order, or keeps them while nobody listens. */
  publish(entries: readonly FeedEntry[]): void {
    if (this.#pausedUntilMs === null) {
      this.#send(entries);
      return;
    }
    const isOver = this.#kept.length === 0 && this.#options.clock.nowMs() >= this.#pausedUntilMs;
    if (isOver && entries.length === 1) {
      // It asks by itself.
      this.#pausedUntilMs = null;
      this.#send(entries);
      return;
    }
    this.#keep(entries);
    // A burst, which may be thousands: one value of it asks whether anybody wants the rest.
    if (isOver && this.#kept.length > 0 && this.#askedFor === 0) this.#ask();
  }

  /** Ends the feed, and publishes what it still keeps. */
  close(): void {
    this.#cancelTimer?.();
    this.#send(this.#takeKept());
    for (const end of this.#ends) end();
  }

  #send(entries: readonly FeedEntry[]): void {
    const { transport, subject, cluster, tooLarge } = this.#options;
    entries.forEach((entry, index) => {
      const headers = feedHeaders(entry, cluster.clusterId);
      const last = index === entries.length - 1;
      const bytes = messageBytes(headers, entry.body);
      if (bytes > transport.payloadBytesMax) {
        tooLarge(bytes);
        return;
      }
      transport.publish(subject, entry.body, last ? { headers, reply: this.#inbox } : { headers });
    });
  }

  #keep(entries: readonly FeedEntry[]): void {
    if (entries.length === 0) return;
    let bytes = 0;
    for (const { body } of entries) bytes += body.length;
    this.#kept.push({ entries, bytes });
    this.#keptEntries += entries.length;
    this.#keptBytes += bytes;
    if (!this.#isFull(1)) this.#wait();
    else if (this.#askedFor === 0) this.#ask();
    // The server does not answer.
    else if (this.#isFull(2)) this.#drop(Math.ceil(this.#kept.length / 2));
  }

  /** Says whether it keeps more than so many times what one question is for. */
  #isFull(times: number): boolean {
    return this.#keptEntries > times * KEPT_ENTRIES_MAX || this.#keptBytes > times * KEPT_BYTES_MAX;
  }

  #takeKept(): FeedEntry[] {
    this.#keptEntries = 0;
    this.#keptBytes = 0;
    return this.#kept.splice(0).flatMap(({ entries }) => entries);
  }

  /** Nobody listened to what was published last. */
  #pause(): void {
    this.#pausedUntilMs = this.#options.clock.nowMs() + PAUSE_MS;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#drop(this.#askedFor);
    this.#askedFor = 0;
    if (this.#kept.length > 0) this.#wait();
  }

  #wait(): void {
    if (this.#cancelTimer !== null) return;
    const { clock } = this.#options;
    const delayMs = Math.max(0, (this.#pausedUntilMs ?? 0) - clock.nowMs());
    this.#cancelTimer = clock.setTimer(delayMs, () => this.#onTimer());
  }

  /**
   * A pause is over, or a question had no answer in the time of one. Then nobody said that nobody
   * listens, and perhaps the server's permissions forbid the inbox: the feed publishes the rest.
   */
  #onTimer(): void {
    if (this.#askedFor > 0 && this.#options.transport.connected) this.#resume();
    else this.#ask();
  }

  /**
   * Asks with the oldest value whether somebody listens. The server handles what one connection
   * publishes in order: its answer that nobody does comes before the message to the inbox.
   */
  #ask(): void {
    const { transport, clock } = this.#options;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#askedFor = this.#kept.length;
    this.#pausedUntilMs = clock.nowMs() + PAUSE_MS;
    this.#send(this.#kept[0]?.entries.slice(0, 1) ?? []);
    transport.publish(`${this.#inbox}.asked`, NOTHING);
    this.#wait();
  }

  /** Nobody said that nobody listens: publishes the rest. */
  #resume(): void {
    if (this.#askedFor === 0) return;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#askedFor = 0;
    this.#pausedUntilMs = null;
    this.#send(this.#takeKept().slice(1));
  }

  /** Forgets the oldest bursts. */
  #drop(bursts: number): void {
    if (bursts === 0) return;
    let unheard = 0;
    for (const { entries, bytes } of this.#kept.splice(0, bursts)) {
      unheard += entries.length;
      this.#keptBytes -= bytes;
    }
    this.#keptEntries -= unheard;
    this.#askedFor = Math.max(0, this.#askedFor - bursts);
    this.#options.count("feed_unheard", unheard);
  }
}
