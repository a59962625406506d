/**
 * What a store is made to write, by seed, and what it must hold after each commit.
 */

import { createSeededRandom, type SeededRandom } from "../../../src/adapters/memory/random.js";
import type { Store, StoreBatch } from "../../../src/kernel/store/store.js";
import { digest } from "../../../src/paxos/digest.js";
import type { StoreRecord } from "../../../src/paxos/wire/record.js";

/** One commit; its place in the list + 1 is the store's write number after it. */
export type Commit =
  | { readonly kind: "format" }
  /** A process opens the store (again). */
  | { readonly kind: "open" }
  | { readonly kind: "batch"; readonly batch: StoreBatch };

/** By how much the file grows at a time: little, so that it often does. */
export const growBytes = 48 * 1024;
/** Bytes of the journal: so few that it is often emptied, and that some batches do not fit. */
export const journalBytes = 24 * 1024;

const openEvery = 11;
const trimEvery = 9;
/** Bytes of a vote's value: most fit a page, some take pages of their own. */
const sizes = [0, 20, 20, 100, 100, 100, 300, 1000, 3000, 9000, 20_000];

/**
 * Draws the life of an acceptor's store: promises, votes (also again, at a later ballot), decide
 * keys, marks with trims, restarts.
 *
 * @param count batches, beside the format and the openings
 */
export function drawCommits(seed: string, count: number): Commit[] {
  const random = createSeededRandom(seed).fork("commits");
  const life = new Life(random);
  const commits: Commit[] = [{ kind: "format" }];
  for (let i = 0; i < count; i += 1) {
    if (i % openEvery === 0) commits.push({ kind: "open" });
    commits.push({ kind: "batch", batch: life.batch(i) });
  }
  return commits;
}

/** One acceptor, as far as its disk is concerned. */
class Life {
  readonly #random: SeededRandom;
  #round = 1;
  #next = 0;
  #trimmed = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  batch(i: number): StoreBatch {
    const kind = this.#random.integer(8);
    const records: StoreRecord[] = [];
    if (kind === 0) {
      this.#round += 1 + this.#random.integer(3);
      records.push({ kind: "promise", ballot: this.#ballot() });
    }
    if (kind === 1) records.push(this.#key());
    if (kind > 0) records.push(...this.#votes(1 + this.#random.integer(kind > 5 ? 24 : 4)));
    if (i % trimEvery !== trimEvery - 1) return { records };
    // The marks stand with the trim in one batch, as an acceptor writes them.
    this.#trimmed += this.#random.integer(this.#next - this.#trimmed + 1);
    const marks = { chosenWatermark: this.#trimmed, trimmed: this.#trimmed };
    records.push({ kind: "marks", ...marks, highestVoted: this.#next - 1 });
    return { records, trimBelow: this.#trimmed };
  }

  #ballot() {
    return { round: this.#round, owner: "p1.0123456789abcdef" };
  }

  #votes(count: number): StoreRecord[] {
    return Array.from({ length: count }, () => {
      const isAgain = this.#next > this.#trimmed && this.#random.integer(4) === 0;
      const slot = isAgain
        ? this.#trimmed + this.#random.integer(this.#next - this.#trimmed)
        : this.#next++;
      return { kind: "vote", slot, ...this.#vote(slot) };
    });
  }

  #key(): StoreRecord {
    const key = `key ${this.#random.integer(12)}`;
    const vote = this.#random.integer(3) === 0 ? null : this.#vote(0);
    return { kind: "key", key, promised: this.#ballot(), vote };
  }

  #vote(slot: number) {
    const size = sizes[this.#random.integer(sizes.length)] ?? 0;
    const value = new Uint8Array(size).fill(slot + 1);
    const mark = this.#random.integer(2 ** 32);
    for (let at = 0; at < Math.min(4, size); at += 1) value[at] = mark >>> (8 * at);
    return { ballot: this.#ballot(), digest: digest(value), value };
  }
}

/** What a store holds. */
export interface Contents {
  /** Its records as lines of text in order: equal if and only if the records are. */
  readonly lines: readonly string[];
  readonly incarnation: number;
}

/** Returns what a store holds after each commit: a plain map, no store rules. */
export function contentsAfterEach(commits: readonly Commit[]): Contents[] {
  const held = new Map<string, StoreRecord>();
  let incarnation = 0;
  return commits.map((commit) => {
    if (commit.kind === "open") incarnation += 1;
    if (commit.kind === "batch") {
      for (const record of commit.batch.records) held.set(nameOf(record), record);
      for (const [name, record] of held) {
        if (record.kind === "vote" && record.slot < (commit.batch.trimBelow ?? 0)) {
          held.delete(name);
        }
      }
    }
    return { lines: linesOf([...held.values()]), incarnation };
  });
}

/** Reads all that a store holds. */
export function contentsOf(store: Store): Contents {
  const { votes } = store.readVotes(0, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  const others = store.records.filter(({ kind }) => kind !== "vote");
  const all = [...others, ...votes.map((vote) => ({ kind: "vote", ...vote }) as const)];
  // The opening that it takes to look is not counted.
  return { lines: linesOf(all), incarnation: store.meta.incarnation - 1 };
}

/** Says how two contents differ; undefined if they do not. */
export function difference(found: Contents, expected: Contents): string | undefined {
  if (found.incarnation !== expected.incarnation) {
    return `it is in life ${found.incarnation}, not ${expected.incarnation}`;
  }
  const odd = found.lines.find((line, i) => line !== expected.lines[i]);
  if (odd !== undefined) return `it holds ${odd.slice(0, 200)}`;
  const lacking = expected.lines[found.lines.length];
  return lacking === undefined ? undefined : `it lacks ${lacking.slice(0, 200)}`;
}

/** Adds one record whose name is new. */
export function withRecord({ lines, incarnation }: Contents, record: StoreRecord): Contents {
  return { lines: [...lines, ...linesOf([record])].sort(), incarnation };
}

function nameOf(record: StoreRecord): string {
  if (record.kind === "vote") return `vote ${record.slot}`;
  return record.kind === "key" ? `key ${record.key}` : record.kind;
}

function linesOf(records: readonly StoreRecord[]): string[] {
  const lines = records.map((record) => {
    const plain = JSON.stringify(record, (_, value: unknown) =>
      value instanceof Uint8Array ? `${value.length} ${digest(value)}` : value,
    );
    return `${nameOf(record)}: ${plain}`;
  });
  return lines.sort();
}
