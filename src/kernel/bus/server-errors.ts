/**
 * What the server of a process refuses: logged in the server's words, counted, and kept for `why`
 * as long as it holds.
 */
import type { Logger, TransportStatus } from "../ports.js";

/** A subject that the server's permissions forbid. */
export interface Denial {
  readonly operation: "publish" | "subscribe";
  readonly subject: string;
  readonly sinceMs: number;
}

/** Denials and wordings that are kept: a stranger may have its answers go to any subject. */
const KEPT_MAX = 64;
/** What repeats is logged at the first and then at every so many. */
const LOG_EVERY = 1000;
/** A denied subject that nobody published to for so long is kept no more: it may be allowed. */
const PUBLISH_KEPT_MS = 10_000;

/** What {@link ServerErrors} are built from. */
export interface ServerErrorsOptions {
  readonly logger: Logger;
  /** Counts by reason. @returns how often by now */
  readonly count: (reason: string) => number;
}

/** Keeps what the server refuses. */
export class ServerErrors {
  readonly #options: ServerErrorsOptions;
  readonly #denials = new Map<string, { readonly denial: Denial; lastMs: number }>();
  readonly #wordings = new Map<string, number>();

  constructor(options: ServerErrorsOptions) {
    this.#options = options;
  }

  /** Takes in what happens to the connection. */
  note(status: TransportStatus, nowMs: number): void {
    const { logger } = this.#options;
    if (status.kind === "denied") this.#deny(status.operation, status.subject, nowMs);
    else if (status.kind === "granted") {
      const isNew = this.#denials.delete(`subscribe ${status.subject}`);
      if (isNew) logger.info({ subject: status.subject }, "the server allows subscribe again");
    } else if (status.kind === "error") this.#hear(status.words);
    // Another connection: what it may not do, the server says again.
    else if (status.kind === "disconnected") this.#denials.clear();
  }

  /** What is forbidden now. */
  denials(nowMs: number): readonly Denial[] {
    for (const [key, { denial, lastMs }] of this.#denials) {
      const isStale = denial.operation === "publish" && nowMs - lastMs > PUBLISH_KEPT_MS;
      if (isStale) this.#denials.delete(key);
    }
    return [...this.#denials.values()].map(({ denial }) => denial);
  }

  #deny(operation: Denial["operation"], subject: string, nowMs: number): void {
    const { logger, count } = this.#options;
    const times = count(`denied_${operation}`);
    const key = `${operation} ${subject}`;
    const known = this.#denials.get(key);
    if (known !== undefined) known.lastMs = nowMs;
    const isKept = known === undefined && this.#denials.size < KEPT_MAX;
    if (isKept) {
      const denial = { operation, subject, sinceMs: nowMs };
      this.#denials.set(key, { denial, lastMs: nowMs });
    }
    if (!isKept && times % LOG_EVERY !== 0) return;
    logger.error(
      { subject, times },
      `the server's permissions forbid this process to ${operation}`,
    );
  }

  #hear(words: string): void {
    const { logger, count } = this.#options;
    count("server_error");
    const key = this.#wordings.has(words) || this.#wordings.size < KEPT_MAX ? words : "other";
    const times = (this.#wordings.get(key) ?? 0) + 1;
    this.#wordings.set(key, times);
    if (times !== 1 && times % LOG_EVERY !== 0) return;
    logger.error({ words, times }, `the server reports an error: ${words}`);
  }
}
