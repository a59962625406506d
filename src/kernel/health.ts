/**
 * Watches whether this process keeps up: reads its event loop's lag and its heap on a clock, logs
 * what it finds, and tells roles for as long as the process is slow.
 */
import { Health, type HealthReading, noteReading } from "../paxos/health.js";
import type { Limits } from "../paxos/limits.js";
import type { Clock, HealthMeter, Logger } from "./ports.js";
import type { Wait } from "./role.js";
import type { Runner } from "./runner.js";

/** Milliseconds between two readings. */
const LOOK_MS = 1000;

/** What a {@link HealthWatch} is built from. */
export interface HealthWatchOptions {
  readonly meter: HealthMeter;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: Limits;
  /** The roles of the process; those that heed it receive `host.slow` at each such reading. */
  readonly runners: readonly Runner[];
}

/** Watches one process. */
export class HealthWatch {
  readonly #options: HealthWatchOptions;
  readonly #health = new Health();
  #reading: HealthReading;
  #cancel: () => void;

  constructor(options: HealthWatchOptions) {
    this.#options = options;
    this.#reading = options.meter.read();
    this.#cancel = options.clock.setTimer(LOOK_MS, () => this.#look());
  }

  /** The last reading. */
  get reading(): HealthReading {
    return this.#reading;
  }

  /** What every role of a slow process waits for. */
  waits(nowMs: number): readonly Wait[] {
    const { trouble } = this.#health;
    if (trouble === null) return [];
    const sinceMs = Math.max(0, Math.round(nowMs - trouble.sinceMs));
    const from = ["this process"];
    return [{ for: "its turn", from, have: 0, need: 1, sinceMs, reason: this.#words() }];
  }

  /** Ends the watch. */
  close(): void {
    this.#cancel();
  }

  #look(): void {
    const { meter, clock, logger, limits, runners } = this.#options;
    const before = this.#health.trouble;
    this.#reading = meter.read();
    const isSlow = noteReading(this.#health, this.#reading, limits, clock.nowMs());
    if (isSlow && before === null) logger.warn({ ...this.#reading }, this.#words());
    if (!isSlow && before !== null)
      logger.info({ ...this.#reading }, "this process keeps up again");
    for (const runner of isSlow ? runners : []) {
      if (runner.definition.heedsSlowness === true) runner.tell({ type: "host.slow" });
    }
    this.#cancel = clock.setTimer(LOOK_MS, () => this.#look());
  }

  #words(): string {
    const { loopLagMs, heapUsedBytes, heapBytesMax } = this.#reading;
    const percent = Math.round((100 * heapUsedBytes) / heapBytesMax);
    return (
      `this process does not keep up: its event loop stood for ${Math.round(loopLagMs)} ms, its ` +
      `heap is at ${percent} % of ${Math.round(heapBytesMax / 1024 / 1024)} MiB; a leader here ` +
      "steps aside: give it a faster machine, a larger heap (NODE_OPTIONS=--max-old-space-size) " +
      "or lower historyBytesMax and decideBytesMax"
    );
  }
}
