/**
 * A Lamport clock: an integer that grows with every event of a process and is carried in every
 * envelope, so that what came to know of something has a greater number than that.
 *
 * Paper: Lamport, "Time, clocks, and the ordering of events in a distributed system", 1978.
 */

/** The clock of one process. */
export class LamportClock {
  #now: number;

  /**
   * @param start every number is greater; for traces: the microseconds of the wall clock, so that a
   *   process that was killed does not begin below what it had heard (README, "Traces")
   */
  constructor(start = 0) {
    this.#now = start;
  }

  /** Counts one event. @returns its number, 1 … 2^53 − 1 */
  tick(): number {
    this.#advance(this.#now + 1);
    return this.#now;
  }

  /** Takes in the number of an event that happened before whatever happens here from now on. */
  note(lc: number): void {
    this.#advance(Math.max(this.#now, lc));
  }

  /**
   * It stays at 2^53 − 1, the highest number that an envelope may carry: a forged envelope may
   * spoil the order of traces, but not make us write envelopes that nobody reads.
   */
  #advance(to: number): void {
    this.#now = Math.min(to, Number.MAX_SAFE_INTEGER);
  }
}
