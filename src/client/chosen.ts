/**
 * The feed of chosen values as an iterator: in order, without gaps, each once.
 *
 * The bus may lose, repeat and reorder, and several learners publish the same values; so the feed
 * is only a shortcut. What it does not bring in time is asked from `history`, and an idle reader
 * asks for the tail. Pull is the flow control: a reader that does not pull keeps a bounded buffer,
 * and the rest is fetched when it goes on.
 */

import { doorSubject, type Space } from "../kernel/bus/subject.js";
import type { Clock, Transport } from "../kernel/ports.js";
import type { Asker, Reply } from "./asker.js";
import { type RawEntry, readFeedMessage, readHistory, readJson } from "./entries.js";
import { connectionClosed, errorOfRefusal, notPermitted, type SynodError } from "./errors.js";

/** Where to begin. */
export type After = number | "start" | "now";

/** What a feed is built from. */
export interface FeedPorts {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly asker: Asker;
  readonly space: Space;
  readonly after: After;
  readonly count: (reason: string) => void;
  /** Called when the feed has ended. */
  readonly onEnd: () => void;
}

/** Bounds of one feed. */
export const FEED_BOUNDS = {
  /** Values that wait for the reader. */
  bufferEntriesMax: 8192,
  bufferBytesMax: 16 * 1024 * 1024,
  /** Values asked for at once. */
  historyEntriesMax: 2048,
  /** Patience for an answer of `history`. */
  historyTimeoutMs: 1000,
  /** How long a gap may be mere disorder. */
  gapMs: 15,
  /** Pauses between two looks at the tail while nothing comes. */
  pollMinMs: 150,
  pollMaxMs: 2000,
  /** Refusals in a row after which one is believed: another learner may know more. */
  refusalsMax: 3,
} as const;

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** A running feed; iterate it once. */
export class ChosenFeed implements AsyncIterableIterator<RawEntry, undefined> {
  readonly #ports: FeedPorts;
  /** What came and was not taken yet, by position. */
  readonly #buffer = new Map<number, RawEntry>();
  #bytes = 0;
  /** The position that is next; undefined until "now" is known. */
  #next: number | undefined;
  /** The highest position heard of. */
  #tail = 0;
  #pulls: {
    readonly resolve: (result: IteratorResult<RawEntry, undefined>) => void;
    readonly reject: (error: SynodError) => void;
  }[] = [];
  #unsubscribe: (() => void) | null = null;
  #unwatch = () => {};
  #cancelTimer: (() => void) | null = null;
  #asking = false;
  #pollMs: number = FEED_BOUNDS.pollMinMs;
  #refusals = 0;
  #error: SynodError | null = null;
  #ended = false;

  constructor(ports: FeedPorts) {
    this.#ports = ports;
    if (ports.after === "now") void this.#ask();
    else this.#next = (ports.after === "start" ? 0 : ports.after) + 1;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<RawEntry, undefined>> {
    return new Promise((resolve, reject) => {
      this.#begin();
      this.#pulls.push({ resolve, reject });
      this.#deliver();
    });
  }

  /** Ends the feed; `break` calls this. */
  return(): Promise<IteratorResult<RawEntry, undefined>> {
    this.end(null);
    return Promise.resolve(DONE);
  }

  /** Ends the feed: quietly, or with an error for the next pull. */
  end(error: SynodError | null): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#unsubscribe?.();
    this.#unwatch();
    this.#cancelTimer?.();
    this.#buffer.clear();
    this.#ports.onEnd();
    this.#deliver();
  }

  /** Subscribes with the first pull. */
  #begin(): void {
    if (this.#unsubscribe !== null || this.#ended) return;
    const { transport, space } = this.#ports;
    const subject = doorSubject(space, "chosen.>");
    this.#unwatch = transport.onStatus((status) => {
      if (status.kind === "connected") void this.#ask();
      if (status.kind === "denied" && status.subject === subject) {
        this.end(notPermitted(status));
      }
      if (status.kind === "closed") {
        this.end(connectionClosed(status.reason));
      }
    });
    this.#unsubscribe = transport.subscribe(subject, ({ headers, payload }) => {
      const entry = readFeedMessage(headers, payload);
      if (entry === undefined) this.#ports.count("unreadable_feed");
      else this.#hear(entry);
    });
    void this.#ask();
  }

  /** Gives out what is there, in order, and sees to what is not. */
  #deliver(): void {
    while (this.#pulls.length > 0) {
      const entry = this.#take();
      if (entry === undefined) break;
      this.#pulls.shift()?.resolve({ done: false, value: entry });
    }
    if (this.#ended) {
      for (const pull of this.#pulls.splice(0)) {
        if (this.#error === null) pull.resolve(DONE);
        else pull.reject(this.#error);
        this.#error = null; // an iterator throws once, and is done then
      }
    } else if (this.#pulls.length > 0 || this.#next === undefined) this.#watch();
    else this.#cancelTimer?.();
  }

  #take(): RawEntry | undefined {
    if (this.#next === undefined) return undefined;
    const entry = this.#buffer.get(this.#next);
    if (entry === undefined) return undefined;
    this.#buffer.delete(this.#next);
    this.#bytes -= entry.body.length;
    this.#next++;
    return entry;
  }

  #hear(entry: RawEntry): void {
    this.#tail = Math.max(this.#tail, entry.position);
    const { bufferEntriesMax, bufferBytesMax } = FEED_BOUNDS;
    const isFull = this.#buffer.size >= bufferEntriesMax || this.#bytes >= bufferBytesMax;
    if (isFull && entry.position !== this.#next) return; // asked for when the reader comes there
    this.#keep(entry);
    this.#deliver();
  }

  #keep(entry: RawEntry): void {
    const { position } = entry;
    if (this.#next !== undefined && position < this.#next) return;
    if (this.#buffer.has(position)) return;
    this.#buffer.set(position, entry);
    this.#bytes += entry.body.length;
    this.#pollMs = FEED_BOUNDS.pollMinMs;
  }

  /**
   * A reader waits, or "now" is not known: asks soon if something is known to be missing, otherwise
   * after a while.
   */
  #watch(): void {
    if (this.#asking) return;
    this.#cancelTimer?.();
    const { gapMs, pollMinMs } = FEED_BOUNDS;
    // A gap is asked for at once, but not at once again if that brought nothing.
    const isBehind = this.#next !== undefined && this.#tail >= this.#next;
    const delayMs = isBehind && this.#pollMs === pollMinMs ? gapMs : this.#pollMs;
    this.#cancelTimer = this.#ports.clock.setTimer(delayMs, () => void this.#ask());
  }

  /** Asks `history` for what is next, or where the tail is. */
  async #ask(): Promise<void> {
    if (this.#asking || this.#ended) return;
    this.#asking = true;
    this.#cancelTimer?.();
    const { asker, space } = this.#ports;
    const { historyEntriesMax, historyTimeoutMs } = FEED_BOUNDS;
    const question =
      this.#next === undefined
        ? { after: Number.MAX_SAFE_INTEGER, max: 0 }
        : { after: this.#next - 1, max: historyEntriesMax };
    const payload = new TextEncoder().encode(JSON.stringify(question));
    const reply = await asker.ask(doorSubject(space, "history"), payload, historyTimeoutMs);
    this.#asking = false;
    if (this.#ended) return;
    if (reply.kind === "failed") {
      this.end(reply.error);
      return;
    }
    this.#answer(reply);
    this.#deliver();
  }

  #answer(reply: Reply): void {
    const before = this.#buffer.size;
    if (reply.kind === "answer" && reply.headers["Synod-Kind"] === "refused") {
      this.#refuse(reply.payload);
    } else if (reply.kind === "answer") {
      const part = readHistory(reply.payload);
      if (part === undefined) this.#ports.count("unreadable_history");
      else {
        this.#refusals = 0;
        this.#tail = Math.max(this.#tail, part.tail);
        if (this.#next === undefined) this.#startAt(part.tail + 1);
        for (const entry of part.entries) this.#keep(entry);
      }
    }
    // Nothing new: looks again after a longer pause each time. "Now" does not wait so long.
    if (this.#buffer.size === before && this.#next !== undefined) {
      this.#pollMs = Math.min(2 * this.#pollMs, FEED_BOUNDS.pollMaxMs);
    }
  }

  /** Begins behind the tail, and drops what was heard of before. */
  #startAt(next: number): void {
    this.#next = next;
    for (const entry of [...this.#buffer.values()]) {
      if (entry.position >= next) continue;
      this.#buffer.delete(entry.position);
      this.#bytes -= entry.body.length;
    }
  }

  #refuse(payload: Uint8Array): void {
    const { error } = readJson(payload);
    const { code, message, firstPosition } = (error ?? {}) as Record<string, unknown>;
    if (code === "overloaded" || ++this.#refusals < FEED_BOUNDS.refusalsMax) return;
    this.end(
      errorOfRefusal({
        code: String(code),
        message: typeof message === "string" ? message : "history refused to answer",
        mayHaveHappened: false,
        firstPosition: typeof firstPosition === "number" ? firstPosition : undefined,
      }),
    );
  }
}
