/** Telling: happenings as lines that a person reads, those of one instant folded together. */
import type { Happening } from "./happening.js";

/** Columns of the time, and of who does something to whom. */
const TIME_COLUMNS = 7;
const HEAD_COLUMNS = 18;

/** A happening of several who did the same in the same instant. */
export interface Folded extends Happening {
  readonly whos: readonly string[];
}

/**
 * Folds happenings of one instant: `a1`, `a2` and `a3` say the same to `p1` in one line.
 *
 * Gotcha: what is folded moves up to the first of its kind; within an instant nothing is said
 * about the order of different roles.
 */
function foldInstant(happenings: readonly Happening[]): Folded[] {
  const folded: Folded[] = [];
  for (const one of happenings) {
    const at = folded.findIndex((before) => isLike(before, one));
    const before = folded[at];
    if (before === undefined) {
      folded.push({ ...one, whos: [one.who] });
    } else if (before.whos.includes(one.who)) {
      folded[at] = {
        ...before,
        to: [...new Set([...before.to, ...one.to])],
        lost: [...new Set([...before.lost, ...one.lost])],
      };
    } else folded[at] = { ...before, whos: [...before.whos, one.who] };
  }
  return folded;
}

/** Folds happenings instant by instant. */
export function fold(happenings: readonly Happening[]): Folded[] {
  const folded: Folded[] = [];
  let instant: Happening[] = [];
  for (const one of happenings) {
    if (instant[0] !== undefined && instant[0].atMs !== one.atMs) {
      folded.push(...foldInstant(instant));
      instant = [];
    }
    instant.push(one);
  }
  return [...folded, ...foldInstant(instant)];
}

/** Says whether two belong on one line: the same said by others, or by one to others. */
function isLike(before: Folded, one: Happening): boolean {
  const isSame = before.kind === one.kind && before.text === one.text && one.who !== "";
  if (!isSame || before.odd.length + one.odd.length > 0) return false;
  if (before.whos.length === 1 && before.who === one.who) return one.kind === "message";
  const isToSame = before.to.join() === one.to.join() && before.lost.join() === one.lost.join();
  return isToSame && !before.whos.includes(one.who);
}

/** Shows milliseconds, to a tenth. */
export function timeText(ms: number): string {
  return String(Math.round(ms * 10) / 10);
}

/** Writes one line; `sinceMs` is where the clock begins. */
export function lineOf(one: Folded, sinceMs = 0): string {
  const time = timeText(one.atMs - sinceMs).padStart(TIME_COLUMNS);
  const whos = one.whos.join(" ");
  const isMessage = one.kind === "message";
  const head = isMessage ? `${whos} → ${one.to.length === 0 ? "✗" : one.to.join(" ")}` : whos;
  const lost = one.lost.length === 0 ? "" : `   ✗ lost: ${one.lost.join(" ")}`;
  const isUnheard = isMessage && one.to.length + one.lost.length === 0;
  const odd = one.odd.length === 0 ? "" : `   (${one.odd.join("; ")})`;
  const text = `${one.text}${lost}${isUnheard ? "   ✗ nobody hears it" : ""}${odd}`;
  return `${time}  ${head.padEnd(HEAD_COLUMNS)}  ${text}`;
}
