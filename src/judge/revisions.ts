/**
 * Revisions across keys: they come from one log, so a write begun after another had returned has
 * the greater one, and a get begun after revision R was told does not show what was overwritten
 * before R.
 *
 * The search looks at each key alone; this is what it cannot see.
 */
import { type HistoryCall, keyOf, revisionOf, writtenBy } from "./call.js";
import type { Violation } from "./violation.js";

/** A call whose revision is known: its own answer's, or that of whoever saw its value. */
interface Revised {
  readonly call: HistoryCall;
  readonly key: string;
  readonly value: string;
  readonly revision: number;
}

/** Checks the calls of model `kv`, in the order of their beginnings. @param init start values */
export function checkRevisions(
  calls: readonly HistoryCall[],
  init: Readonly<Record<string, string>>,
): Violation | null {
  const named = revisionsOf(calls, init);
  const writes = writesOf(calls, named);
  const deleted = keysOf(calls, "delete");
  const shown = (call: HistoryCall) => revisionShown(call, named, deleted);
  return (
    twice([...named.values(), ...writes]) ??
    writtenTooLow(writes, new Told(calls, shown)) ??
    seenTooLate(writes, calls, shown)
  );
}

function keysOf(calls: readonly HistoryCall[], op: "append" | "delete"): ReadonlySet<string> {
  return new Set(calls.filter(({ operation }) => operation.op === op).map(keyOf));
}

/**
 * What key and value were told to be at a revision, by key and value; only where the value means
 * one write: it is no start value, and appending makes no values of that key.
 */
function revisionsOf(
  calls: readonly HistoryCall[],
  init: Readonly<Record<string, string>>,
): ReadonlyMap<string, Revised> {
  const appended = keysOf(calls, "append");
  const named = new Map<string, Revised>();
  for (const call of calls) {
    const revised = ownRevision(call);
    if (revised === undefined || appended.has(revised.key)) continue;
    const { key, value } = revised;
    if (!Object.hasOwn(init, key) || init[key] !== value) named.set(nameOf(key, value), revised);
  }
  return named;
}

const nameOf = (key: string, value: string) => JSON.stringify([key, value]);

function ownRevision(call: HistoryCall): Revised | undefined {
  const revision = revisionOf(call);
  if (revision === undefined) return undefined;
  const value = writtenBy(call) ?? (call.out as { readonly value: string }).value;
  return { call, key: keyOf(call), value, revision };
}

/** Puts and cas whose revision somebody told. */
function writesOf(
  calls: readonly HistoryCall[],
  named: ReadonlyMap<string, Revised>,
): readonly Revised[] {
  return calls.flatMap((call) => {
    const { op } = call.operation;
    const value = writtenBy(call);
    if (value === undefined || (op !== "put" && op !== "cas")) return [];
    const revision = revisionOf(call) ?? named.get(nameOf(keyOf(call), value))?.revision;
    return revision === undefined ? [] : [{ call, key: keyOf(call), value, revision }];
  });
}

/** No revision belongs to two writes. */
function twice(all: readonly Revised[]): Violation | null {
  const owners = new Map<number, Revised>();
  for (const one of all) {
    const owner = owners.get(one.revision);
    if (owner === undefined) owners.set(one.revision, one);
    else if (owner.key !== one.key || owner.value !== one.value) {
      return violation([owner.call, one.call], `revision ${one.revision} belongs to two writes`);
    }
  }
  return null;
}

function writtenTooLow(writes: readonly Revised[], told: Told): Violation | null {
  for (const { call, revision } of writes) {
    const before = told.before(call);
    if (before === undefined || before.revision < revision) continue;
    const known = `revision ${before.revision} had been told before`;
    const why = `${known} revision ${revision} was asked for`;
    return violation([before.call, call], why);
  }
  return null;
}

/** A get shows a moment from the revision of its value up to the next write of the key. */
function seenTooLate(
  writes: readonly Revised[],
  calls: readonly HistoryCall[],
  revisionShown: (call: HistoryCall) => number | undefined,
): Violation | null {
  const told = new Told(calls, revisionShown);
  const byKey = new Map<string, Revised[]>();
  for (const write of [...writes].sort((one, other) => one.revision - other.revision)) {
    const list = byKey.get(write.key);
    if (list === undefined) byKey.set(write.key, [write]);
    else list.push(write);
  }
  for (const get of calls) {
    if (get.operation.op !== "get") continue;
    const shown = revisionShown(get);
    const before = told.before(get);
    if (shown === undefined || before === undefined || before.revision <= shown) continue;
    const next = firstAbove(byKey.get(keyOf(get)) ?? [], shown);
    if (next === undefined || next.revision > before.revision) continue;
    const why =
      `the get shows revision ${shown}, which revision ${next.revision} had overwritten, ` +
      `and revision ${before.revision} had been told before it began`;
    return violation([next.call, before.call, get], why);
  }
  return null;
}

/** The revision that a call shows its key at; 0 is absence before any write. */
function revisionShown(
  call: HistoryCall,
  named: ReadonlyMap<string, Revised>,
  deleted: ReadonlySet<string>,
): number | undefined {
  const own = revisionOf(call);
  if (own !== undefined || call.isPending) return own;
  const { operation, out } = call;
  const value = operation.op === "get" ? out : writtenBy(call);
  if (operation.op === "get" && out === null && !deleted.has(keyOf(call))) return 0;
  if (typeof value !== "string" || !["get", "put", "cas"].includes(operation.op)) return undefined;
  if (out === false) return undefined; // a cas that wrote nothing
  return named.get(nameOf(keyOf(call), value))?.revision;
}

/** The first of ascending writes above a revision. */
function firstAbove(writes: readonly Revised[], revision: number): Revised | undefined {
  let low = 0;
  let high = writes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (writes[middle]!.revision > revision) high = middle;
    else low = middle + 1;
  }
  return writes[low];
}

interface Telling {
  readonly call: HistoryCall;
  readonly revision: number;
}

/** The highest revision that was told before a call began; asked in the order of beginnings. */
class Told {
  readonly #ends: readonly Telling[];
  #ended = 0;
  #highest: Telling | undefined;

  constructor(
    calls: readonly HistoryCall[],
    revisionShown: (call: HistoryCall) => number | undefined,
  ) {
    const ends = calls.flatMap((call) => {
      const revision = revisionShown(call);
      return revision === undefined ? [] : [{ call, revision }];
    });
    this.#ends = ends.sort((one, other) => one.call.to - other.call.to);
  }

  before({ from }: HistoryCall): Telling | undefined {
    for (let end = this.#ends[this.#ended]; end && end.call.to < from; end = this.#next()) {
      if (this.#highest === undefined || end.revision > this.#highest.revision) this.#highest = end;
    }
    return this.#highest;
  }

  #next(): Telling | undefined {
    return this.#ends[++this.#ended];
  }
}

function violation(involved: readonly HistoryCall[], why: string): Violation {
  const calls = [...new Set(involved)].sort((one, other) => one.from - other.from);
  const line = Math.max(...calls.map(({ fromLine, toLine }) => toLine ?? fromLine));
  return { key: null, why, line, isShortest: false, isCore: true, calls, others: null };
}
