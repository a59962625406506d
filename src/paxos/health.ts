/**
 * Health: whether a process keeps up, and whether a leader hands over because its process does not.
 *
 * Paper: none; PMS §2.4 leaves the choice of a leader to real time. A process that stands in
 * garbage collection answers pings between two collections, so that no elector suspects it, and
 * nobody is served. Nothing that protects safety reads this.
 */
import type { Limits } from "./limits.js";

/** What a process measures of itself. */
export interface HealthReading {
  /** The longest time for which its event loop stood since the last reading, in milliseconds. */
  readonly loopLagMs: number;
  readonly heapUsedBytes: number;
  readonly heapBytesMax: number;
}

/** What keeps a process from keeping up. */
export type Trouble = "loop" | "heap";

/** A loop that stands for so many beacon intervals lets the others miss its beacons. */
const LAG_BEACONS = 5;
/** From this share of its limit on, a heap is collected again and again. */
const HEAP_SHARE = 0.9;
/** Readings in a row that count: one long step, or one full heap before a collection, is none. */
const READINGS = 3;
/**
 * A leader steps aside once in so long: where all processes are slow, leadership must not go round.
 */
const STEP_ASIDE_PAUSE_MS = 60_000;

/** What readings came to. One owner; changed only by {@link noteReading}. */
export class Health {
  /** What the process is slow by, and since when; null while it keeps up. */
  trouble: { readonly kind: Trouble; readonly sinceMs: number } | null = null;
  /** Readings in a row that contradict `trouble`. */
  against = 0;
}

/** Takes a reading. @returns whether the process is slow now */
export function noteReading(
  health: Health,
  reading: HealthReading,
  { beaconMs }: Limits,
  nowMs: number,
): boolean {
  const { trouble } = health;
  const kind = troubleIn(reading, beaconMs);
  health.against = (kind === null) === (trouble === null) ? 0 : health.against + 1;
  if (health.against >= READINGS) {
    health.trouble = kind === null ? null : { kind, sinceMs: nowMs };
    health.against = 0;
  }
  return health.trouble !== null;
}

function troubleIn(reading: HealthReading, beaconMs: number): Trouble | null {
  const { loopLagMs, heapUsedBytes, heapBytesMax } = reading;
  if (heapUsedBytes >= HEAP_SHARE * heapBytesMax) return "heap";
  return loopLagMs >= LAG_BEACONS * beaconMs ? "loop" : null;
}

/**
 * Says whether the leader of a slow process hands over.
 *
 * @param steppedAsideMs when it did last; null: never
 * @param proposers how many the descriptor lists
 */
export function mayStepAside(
  steppedAsideMs: number | null,
  nowMs: number,
  proposers: number,
): boolean {
  if (proposers < 2) return false;
  return steppedAsideMs === null || nowMs - steppedAsideMs >= STEP_ASIDE_PAUSE_MS;
}
