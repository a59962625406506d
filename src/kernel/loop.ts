/**
 * The run loop of one process: steps its roles in turns, and starts their writes at the end of each
 * turn.
 *
 * A turn takes what the bus, timers and disks brought, and goes on until the roles of this process
 * have nothing more to say to each other: a command passes the process in one turn, not in one a
 * role. Then each store gets all that the turn gathered for it, in one transaction.
 *
 * Writes start after what the turn published was handed to the system: other processes work on it
 * while this one syncs.
 */
import type { Clock } from "./ports.js";

/** A role as the loop moves it. */
export interface Stepped {
  /** Takes in all that waits, and lets out what need not wait for a write. */
  drain(): void;
  /** Starts the write that the drains of this turn gathered, if there is one. */
  commit(): void;
}

/**
 * Rounds of one turn. Roles that go on talking to each other after so many let the bus and the
 * timers in first.
 */
const ROUNDS_MAX = 32;

/** Runs the roles of one process. */
export class RunLoop {
  readonly #clock: Pick<Clock, "soon" | "endOfTurn">;
  /** Roles that have something to take in, or to commit. */
  #awake = new Set<Stepped>();
  #isScheduled = false;

  constructor(clock: Pick<Clock, "soon" | "endOfTurn">) {
    this.#clock = clock;
  }

  /** Steps a role in this turn, if one is under way, or in the next. */
  wake(role: Stepped): void {
    this.#awake.add(role);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#clock.soon(() => this.#turn());
  }

  #turn(): void {
    const stepped = new Set<Stepped>();
    for (let rounds = 0; this.#awake.size > 0 && rounds < ROUNDS_MAX; rounds++) {
      const round = this.#awake;
      this.#awake = new Set();
      for (const role of round) {
        stepped.add(role);
        role.drain();
      }
    }
    this.#isScheduled = false;
    if (this.#awake.size > 0) this.#schedule();
    this.#clock.endOfTurn(() => {
      for (const role of stepped) role.commit();
    });
  }
}
