import type { Clock, EndSubscription } from "./ports.js";

/** What ends when a process ends in good order. */
export interface Stopping {
  readonly clock: Clock;
  /** Milliseconds that all of it may take. */
  readonly waitMs: number;
  /** Ends of the subscriptions whose messages others get from now on. */
  readonly publicEnds: readonly EndSubscription[];
  /** Asks every role to take no new work. */
  readonly askRoles: () => void;
  /** Says whether somebody waits for work of this process that no other would finish. */
  readonly isBusy: () => boolean;
  /** Ends the subscriptions that are left. */
  readonly endIntake: () => void;
  /** Says whether messages or writes are not out yet. */
  readonly isPending: () => boolean;
  /** Ends the rest, and refuses what is not answered. Called once. */
  readonly end: () => void;
}

const lookMs = 5;

/**
 * Leaves the public subjects first, and takes in what the server has already sent here: nobody else
 * got that. The roles work on until none is busy; then nothing more is taken in, and what they have
 * written and said goes out.
 *
 * Why intake ends before the last wait: an acceptor under load has a write under way at any moment.
 */
export function stopInOrder(stopping: Stopping): void {
  const { clock, waitMs, publicEnds, askRoles, isBusy, endIntake, isPending, end } = stopping;
  const untilMs = clock.nowMs() + waitMs;
  const waitWhile = (isAwaited: () => boolean, then: () => void) => {
    if (isAwaited() && clock.nowMs() < untilMs) {
      clock.setTimer(lookMs, () => waitWhile(isAwaited, then));
    } else then();
  };
  let draining = 0;
  for (const endOne of publicEnds) {
    draining += 1;
    endOne(() => {
      draining -= 1;
    });
  }
  const work = () => {
    askRoles();
    clock.soon(() => waitWhile(isBusy, finish));
  };
  const finish = () => {
    endIntake();
    waitWhile(isPending, end);
  };
  waitWhile(() => draining > 0, work);
}
