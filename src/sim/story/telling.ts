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
 * Folds happenings of one instant: what one says to several, then what several say to the same.
 *
 * Gotcha: what is folded moves up to the first of its kind; within an instant nothing is said
 * about the order of different roles.
 */
function foldInstant(happenings: readonly Happening[]): Folded[] {
  const told: Folded[] = [];
  for (const one of happenings) {
    const at = told.findIndex((before) => isMoreOf(before, one));
    const before = told[at];
    if (before === undefined) told.push({ ...one, whos: [one.who] });
    else {
      const to = [...new Set([...before.to, ...one.to])];
      const lost = [...new Set([...before.lost, ...one.lost])];
      told[at] = { ...before, to, lost };
    }
  }
  const folded: Folded[] = [];
  for (const one of told) {
    const at = folded.findIndex((before) => isSameOfOthers(before, one));
    const before = folded[at];
    if (before === undefined) folded.push(one);
    else folded[at] = { ...before, whos: [...before.whos, one.who] };
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

/** Says whether one says again what it said, to others. */
function isMoreOf(before: Folded, one: Happening): boolean {
  return one.kind === "message" && before.who === one.who && isLike(before, one);
}

/** Says whether several do the same, to the same. */
function isSameOfOthers(before: Folded, one: Folded): boolean {
  if (before.whos.includes(one.who) || !isLike(before, one)) return false;
  const [to, lost] = [inOrder(one.to).join(), inOrder(one.lost).join()];
  return inOrder(before.to).join() === to && inOrder(before.lost).join() === lost;
}

function isLike(before: Happening, one: Happening): boolean {
  const isPlain = [before, one].every(({ twice, late }) => twice.length + late.length === 0);
  return isPlain && before.kind === one.kind && before.text === one.text;
}

/** Shows milliseconds, to a tenth. */
export function timeText(ms: number): string {
  return String(Math.round(ms * 10) / 10);
}

/** Orders names as people do: a2 before a10. */
export function inOrder(names: Iterable<string>): string[] {
  const parts = (name: string) => /^(\D*)(\d*)(.*)$/.exec(name) ?? [name, name, "", ""];
  return [...names].sort((a, b) => {
    const [, letterA = "", numberA = "", restA = ""] = parts(a);
    const [, letterB = "", numberB = "", restB = ""] = parts(b);
    if (letterA !== letterB) return letterA < letterB ? -1 : 1;
    return Number(numberA) - Number(numberB) || (restA < restB ? -1 : 1);
  });
}

/** Writes one line; `sinceMs` is where the clock begins. */
export function lineOf(one: Folded, sinceMs = 0): string {
  const { kind, to, lost, twice, late } = one;
  const time = timeText(one.atMs - sinceMs).padStart(TIME_COLUMNS);
  const whos = inOrder(one.whos).join(" ");
  const isMessage = kind === "message";
  const head = isMessage ? `${whos} → ${to.length === 0 ? "✗" : inOrder(to).join(" ")}` : whos;
  const remarks = [
    lost.length === 0 ? "" : `✗ lost: ${inOrder(lost).join(" ")}`,
    twice.length === 0 ? "" : `twice: ${inOrder(twice).join(" ")}`,
    late.length === 0 ? "" : `late: ${late.join(", ")}`,
    isMessage && to.length + lost.length === 0 ? "✗ nobody hears it" : "",
  ].filter((remark) => remark !== "");
  return `${time}  ${head.padEnd(HEAD_COLUMNS)}  ${[one.text, ...remarks].join("   ")}`;
}
