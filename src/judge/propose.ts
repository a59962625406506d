/**
 * The log as proposers see it: every value its own position, in an order that time agrees with.
 *
 * Positions are the order, so nothing is searched for; an order exists exactly if what is checked
 * here holds.
 */
import type { HistoryCall } from "./call.js";
import type { Violation } from "./violation.js";

/** What a look at the positions brought. */
export interface PositionsLook {
  readonly violation: Violation | null;
  /** Positions that no recorded call can have taken: others wrote them, or they are lost. */
  readonly holes: readonly number[];
}

interface Placed {
  readonly call: HistoryCall;
  readonly position: number;
  readonly slot: number;
}

/** Checks the calls of model `propose`. @param base the first position */
export function checkPositions(calls: readonly HistoryCall[], base: number): PositionsLook {
  const placed = calls.flatMap((call) => {
    if (call.isPending) return [];
    return [{ call, ...(call.out as { position: number; slot: number }) }];
  });
  const ordered = [...placed].sort((one, other) => one.position - other.position);
  return {
    violation: underBase(ordered, base) ?? outOfOrder(ordered) ?? againstTime(placed),
    holes: holesOf(ordered, calls, base),
  };
}

function underBase([first]: readonly Placed[], base: number): Violation | null {
  if (first === undefined || first.position >= base) return null;
  return violation([first], `position ${first.position}: the first one is ${base}`);
}

/** Neighbours: no position twice, no slot before that of an earlier position. */
function outOfOrder(ordered: readonly Placed[]): Violation | null {
  for (const [i, after] of ordered.entries()) {
    const before = ordered[i - 1];
    if (before === undefined) continue;
    const pair = [before, after];
    if (after.position === before.position) {
      return violation(pair, `position ${after.position} was given to two values`);
    }
    if (after.slot < before.slot) {
      const what = `position ${after.position} is in slot ${after.slot}`;
      return violation(pair, `${what}, position ${before.position} in slot ${before.slot}`);
    }
  }
  return null;
}

/** A value proposed after another one was answered has the greater position. */
function againstTime(placed: readonly Placed[]): Violation | null {
  const ends = [...placed].sort((one, other) => one.call.to - other.call.to);
  let ended = 0;
  let highest: Placed | undefined;
  for (const one of [...placed].sort((a, b) => a.call.from - b.call.from)) {
    for (let end = ends[ended]; end && end.call.to < one.call.from; end = ends[++ended]) {
      if (highest === undefined || end.position > highest.position) highest = end;
    }
    if (highest !== undefined && one.position < highest.position) {
      const told = `position ${highest.position} had been told before`;
      const why = `${told} position ${one.position} was asked for`;
      return violation([highest, one], why);
    }
  }
  return null;
}

/**
 * Positions below the highest one told that nobody was told of. A pending call may have taken one,
 * if it began before any call with a higher position ended; each takes one at most, so the lowest
 * holes go to those that began first.
 */
function holesOf(
  ordered: readonly Placed[],
  calls: readonly HistoryCall[],
  base: number,
): readonly number[] {
  const pending = calls.filter(({ isPending }) => isPending);
  const deadlines: number[] = [];
  let deadline = Number.POSITIVE_INFINITY;
  for (let i = ordered.length - 1; i >= 0; i--) {
    deadline = Math.min(deadline, ordered[i]!.call.to);
    deadlines[i] = deadline;
  }
  const holes: number[] = [];
  let expected = base;
  let taken = 0;
  for (const [i, { position }] of ordered.entries()) {
    // A file of few calls may tell of a huge position: name the first holes only.
    for (; expected < position && holes.length < HOLES_MAX; expected++) {
      const taker = pending[taken];
      if (taker !== undefined && taker.from < deadlines[i]!) taken++;
      else holes.push(expected);
    }
    expected = position + 1;
  }
  return holes;
}

const HOLES_MAX = 1000;

function violation(placed: readonly Placed[], why: string): Violation {
  const calls = placed.map(({ call }) => call).sort((one, other) => one.from - other.from);
  const line = Math.max(...calls.map(({ toLine }) => toLine ?? 0));
  return { key: null, why, line, isShortest: false, isCore: true, calls, others: null };
}
