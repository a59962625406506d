/** Jitter without a clock or a source of randomness: drawn from a seed that the role carries on. */

/** A drawn number and the seed for the next draw. */
export interface Draw {
  /** In [0, 1). */
  readonly value: number;
  readonly seed: number;
}

/** Draws from a seed (one step of mulberry32, Tommy Ettinger, public domain). */
export function draw(seed: number): Draw {
  const next = (seed + 0x6d2b79f5) >>> 0;
  let t = Math.imul(next ^ (next >>> 15), next | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return { value: ((t ^ (t >>> 14)) >>> 0) / 2 ** 32, seed: next };
}

/**
 * Draws how long a preempted proposer waits before its next ballot: a random part of a bound that
 * doubles with each attempt.
 *
 * Paper: PMS §2.4 shows two proposers that preempt each other for ever and asks for a
 * distinguished one; unequal waits let one of them through.
 *
 * @param attempt 1, 2, 3 … failed attempts in a row
 */
export function drawBackoff(
  seed: number,
  attempt: number,
  minMs: number,
  maxMs: number,
): { readonly delayMs: number; readonly seed: number } {
  const drawn = draw(seed);
  const bound = Math.min(maxMs, minMs * 2 ** Math.min(attempt, 30));
  return { delayMs: Math.round(minMs + drawn.value * (bound - minMs)), seed: drawn.seed };
}
