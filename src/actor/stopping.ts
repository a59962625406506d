import type { Clock, EndSubscription } from "./ports.js";

/** What ends when a process ends in good order. */
export interface Stopping {
  readonly clock: Clock;
  /** Milliseconds that all of it may take. */
  readonly waitMs: number;
  /** Ends of the subscriptions whose messages others get from now on. */
  readonly publicEnds: readonly EndSubscription[];
  /** Says whether requests that came are not answered yet. */
  readonly owesAnswers: () => boolean;
  /** Asks every role to end its work. */
  readonly askRoles: () => void;
  /** Says whether a role has work left. */
  readonly isBusy: () => boolean;
  /** Ends the rest, and refuses what is not answered. Called once. */
  readonly end: () => void;
}

const lookMs = 5;

/**
 * Leaves the public subjects first, and takes in what the server has already sent here: nobody else
 * got that. Once those requests are answered the roles end, then the rest.
 */
export function stopInOrder(stopping: Stopping): void {
  const { clock, waitMs, publicEnds, owesAnswers, askRoles, isBusy, end } = stopping;
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
  const endRoles = () => {
    askRoles();
    clock.soon(() => waitWhile(isBusy, end));
  };
  waitWhile(() => draining > 0 || owesAnswers(), endRoles);
}
