/** The slice of a story that matters for one violation: its slot or key, and what bears on it. */
import type { Violation } from "../monitor/ledger.js";
import { type About, type Happening, happening } from "./happening.js";

/** Lines of a slice, if nothing else is said. */
export const SLICE_LINES_MAX = 60;

/** A slot or a key. */
export interface Subject {
  readonly key: string | null;
  readonly slot: number;
}

/** Invariants of whole runs: what led to a break of one is not in a slot, even if it names one. */
const WHOLE = /feed|session|once/i;

/** Finds out which slot or key a violation is about; null if it is about none, or about all. */
export function subjectOfViolation({ invariant, sentence }: Violation): Subject | null {
  if (WHOLE.test(invariant)) return null;
  const key = /\bkey (?:"((?:[^"\\]|\\.)*)"|([^\s;:,]+))/.exec(sentence);
  const slot = /\bslot (\d+)/.exec(sentence);
  if (key !== null && (slot === null || key.index < slot.index)) {
    const [, quoted, plain = ""] = key;
    return { key: quoted === undefined ? plain : JSON.parse(`"${quoted}"`), slot: 0 };
  }
  return slot === null ? null : { key: null, slot: Number(slot[1]) };
}

/**
 * Picks what matters for a slot or key: all that is said, synced, chosen and learned of it, phase 1
 * of the ballots it was proposed at, who wished for its values, and how those who take part come
 * and go.
 *
 * @param subject null for the end of the story, whatever it is about
 * @param linesMax at most so many; the first third and the end are kept
 */
export function slice(
  happenings: readonly Happening[],
  subject: Subject | null,
  linesMax = SLICE_LINES_MAX,
): Happening[] {
  const heard = happenings.filter(({ isNoise }) => !isNoise);
  if (subject === null) {
    return (heard.length <= linesMax ? heard : heard.filter(isNews)).slice(-linesMax);
  }
  const ballots = new Set<string>();
  const actors = new Set<string>();
  const values = new Set<string>();
  const isOf = (about: About | null) => about !== null && !about.isPhase1 && covers(about, subject);
  for (const { about, who, to, text } of heard) {
    if (about === null || !isOf(about)) continue;
    if (about.to - about.from === 1) for (const value of valuesIn(text)) values.add(value);
    for (const ballot of about.ballots) ballots.add(ballot);
    for (const name of [who, ...to]) actors.add(name);
  }
  const isItsPhase1 = (about: About | null) =>
    about?.isPhase1 === true &&
    covers(about, subject) &&
    about.ballots.some((ballot) => ballots.has(ballot));
  const matters = ({ about, kind, who, text }: Happening) => {
    if (kind === "fault") return true;
    if (about === null && (kind === "message" || kind === "client")) {
      return valuesIn(text).some((value) => values.has(value));
    }
    if (kind === "life" || (kind === "disk" && about === null)) {
      return who.split(" ").some((name) => actors.has(name.replace(/@.*/, "")));
    }
    return isOf(about) || isItsPhase1(about);
  };
  const picked = heard.filter(matters);
  // How it all began is not worth a word.
  const begin = picked.findIndex(({ kind, about }) => kind === "fault" || about !== null);
  return shorten(picked.slice(Math.max(0, begin)), linesMax);
}

function covers({ key, from, to }: About, subject: Subject): boolean {
  return key === subject.key && from <= subject.slot && subject.slot < to;
}

/** Values that a text names: `x` and `y` in `⟨x, y⟩`. */
function valuesIn(text: string): string[] {
  return [...text.matchAll(/⟨([^⟨⟩]*)⟩/g)].flatMap(([, inner = ""]) => inner.split(", "));
}

/** Says whether something is said for the first time. */
function isNews({ text }: Happening): boolean {
  return !text.endsWith("(again)");
}

/** Leaves out repeats first, then what learners make of it, then the middle. */
function shorten(happenings: readonly Happening[], linesMax: number): Happening[] {
  if (happenings.length <= linesMax) return [...happenings];
  const once = happenings.filter(isNews);
  if (once.length <= linesMax) return once;
  const isCore = ({ kind, who, text }: Happening) =>
    kind !== "fact" || who === "CHOSEN" || text.startsWith("hears late");
  const core = once.filter(isCore);
  if (core.length <= linesMax) return core;
  const head = Math.floor(linesMax / 3);
  const tail = linesMax - head - 1;
  const left = core.length - head - tail;
  const [before, after] = [core.slice(0, head), core.slice(-tail)];
  const gap = happening("fault", "…", `${left} lines are left out`);
  return [...before, { ...gap, atMs: after[0]?.atMs ?? 0 }, ...after];
}
