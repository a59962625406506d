/**
 * Every disk that a power cut could leave, from the recording of a file.
 *
 * Model: a write is durable once a later sync of the file has ended, or at once when its own call
 * ends if its descriptor is O_DSYNC. Until then the disk may have it, not have it, or have some of
 * its sectors (512 bytes are written whole or not at all), whatever became of the others.
 *
 * Method: the cut is made at the last moment before each sync ends. That covers every earlier cut
 * since the sync before: those disks are the ones on which the later writes were dropped, and at
 * the later moment at least as much was acknowledged.
 */
import type { SeededRandom } from "../../../src/adapters/memory/random.js";
import type { Op } from "./recording.js";

/** How many disks to make of each cut. */
export interface CrashPlan {
  /** Takes every so many-th cut only; odd, since the cuts before pages and heads take turns. */
  readonly cutEvery?: number | undefined;
  /** Up to so many unsynced writes every subset is tried; beyond, a sample. */
  readonly exhaustiveMax: number;
  /** Subsets of a larger set, beside none, all, each alone, and all but each. */
  readonly subsets: number;
  /** Disks with torn writes, beside each write torn alone. */
  readonly tears: number;
}

/** What a power cut left. */
export interface Crash {
  /** The cut, and what became of each unsynced write: kept (+), dropped (-) or torn. */
  readonly name: string;
  readonly bytes: Buffer;
  readonly length: number;
  /** Commits that were acknowledged before the cut: all of them must be there. */
  readonly acknowledged: number;
  /** Commits that had begun when the last write that is there was written. */
  readonly begun: number;
  readonly isTorn: boolean;
}

/** An {@link Op} that changes the file. */
type Change =
  | { readonly kind: "write"; readonly at: number; readonly bytes: Buffer }
  | { readonly kind: "length"; readonly to: number };

interface Unsynced {
  readonly change: Change;
  readonly begun: number;
}

/** What becomes of an unsynced change: dropped, kept, or these of its sectors kept. */
type Fate = boolean | readonly boolean[];

const sectorBytes = 512;
const pageBytes = 4096;

/** The moment before a sync ends. */
interface Cut {
  /** Number of the operation that does not end. */
  readonly at: number;
  readonly durable: Image;
  readonly durableBegun: number;
  readonly unsynced: readonly Unsynced[];
  readonly acknowledged: number;
}

/** Counts what was recorded. */
export function countOps(ops: readonly Op[]): { writes: number; syncs: number } {
  const writes = ops.filter(({ kind }) => kind === "write" || kind === "length").length;
  const syncs = ops.filter((op) => op.kind === "sync" || (op.kind === "write" && op.synced)).length;
  return { writes, syncs };
}

/** What the file was when the recording began. */
export interface Start {
  readonly bytes: Buffer;
  /** Commits it holds. */
  readonly commits: number;
}

/** Makes the disks one after another; a disk's bytes are valid until the next is made. */
export function* crashes(
  ops: readonly Op[],
  plan: CrashPlan,
  random: SeededRandom,
  start?: Start,
): Generator<Crash> {
  const scratch = new Image();
  let number = 0;
  for (const cut of cuts(ops, start)) {
    number += 1;
    if (number % (plan.cutEvery ?? 1) !== 0) continue;
    for (const fates of fatesOf(cut.unsynced, plan, random)) {
      scratch.copy(cut.durable);
      let begun = cut.durableBegun;
      for (const [i, one] of cut.unsynced.entries()) {
        const fate = fates[i] ?? false;
        if (fate === false) continue;
        scratch.apply(one.change, fate);
        begun = Math.max(begun, one.begun);
      }
      const { bytes, length } = scratch;
      const isTorn = fates.some((fate) => typeof fate !== "boolean");
      const name = `operation ${cut.at}: ${fates.map(nameOf).join(" ") || "nothing unsynced"}`;
      yield { name, bytes, length, acknowledged: cut.acknowledged, begun, isTorn };
    }
  }
}

/** Makes the disks that a shutdown in good order after each commit would leave. */
export function* settled(ops: readonly Op[], start?: Start): Generator<Omit<Crash, "isTorn">> {
  let last = -1;
  for (const { at, durable, durableBegun, acknowledged } of cuts(ops, start)) {
    if (acknowledged === last) continue;
    last = acknowledged;
    const { bytes, length } = durable;
    yield { name: `operation ${at}`, bytes, length, acknowledged, begun: durableBegun };
  }
}

function* cuts(ops: readonly Op[], start?: Start): Generator<Cut> {
  const durable = new Image();
  if (start !== undefined) durable.apply({ kind: "write", at: 0, bytes: start.bytes }, true);
  let durableBegun = start?.commits ?? 0;
  let unsynced: Unsynced[] = [];
  let acknowledged = durableBegun;
  let begun = durableBegun;
  for (const [at, op] of ops.entries()) {
    if (op.kind === "begin") begun = op.commit + 1;
    if (op.kind === "done") acknowledged = op.commit + 1;
    if (op.kind === "write" || op.kind === "length") unsynced.push({ change: op, begun });
    const ends = op.kind === "sync" || (op.kind === "write" && op.synced);
    if (!ends) continue;
    yield { at, durable, durableBegun, unsynced, acknowledged };
    // An O_DSYNC write takes nothing along that was written before it.
    const synced = op.kind === "sync" ? unsynced : unsynced.slice(-1);
    for (const one of synced) {
      durable.apply(one.change, true);
      durableBegun = Math.max(durableBegun, one.begun);
    }
    unsynced = unsynced.slice(0, unsynced.length - synced.length);
  }
  yield { at: ops.length, durable, durableBegun, unsynced, acknowledged };
}

function* fatesOf(
  unsynced: readonly Unsynced[],
  plan: CrashPlan,
  random: SeededRandom,
): Generator<Fate[]> {
  const all = unsynced.map((_, i) => i);
  if (all.length <= plan.exhaustiveMax) {
    for (let mask = 0; mask < 2 ** all.length; mask += 1) {
      yield all.map((i) => ((mask >> i) & 1) === 1);
    }
  } else {
    yield all.map(() => false);
    yield all.map(() => true);
    for (const one of all) yield all.map((i) => i === one);
    for (const one of all) yield all.map((i) => i !== one);
    for (let n = 0; n < plan.subsets; n += 1) yield all.map(() => random.integer(2) === 0);
  }
  const torn = all.filter((i) => sectorsOf(unsynced[i]!.change) > 1);
  for (const one of torn) {
    yield all.map((i) => (i === one ? tear(unsynced[i]!.change, random) : true));
  }
  for (let n = 0; torn.length > 0 && n < plan.tears; n += 1) {
    const one = torn[random.integer(torn.length)];
    yield all.map((i) => {
      if (i === one) return tear(unsynced[i]!.change, random);
      const fate = random.integer(4);
      return fate === 0 ? tear(unsynced[i]!.change, random) : fate !== 1;
    });
  }
}

/** Tears a write: only its first sectors, half of a page, whole pages, or any sectors. */
function tear(change: Change, random: SeededRandom): Fate {
  const count = sectorsOf(change);
  if (count < 2) return random.integer(2) === 0;
  const sectors = Array.from({ length: count }, (_, i) => i);
  const perPage = pageBytes / sectorBytes;
  const offset = change.kind === "write" ? (change.at % pageBytes) / sectorBytes : 0;
  const at = 1 + random.integer(count - 1);
  switch (random.integer(4)) {
    case 0:
      return sectors.map((i) => i < at);
    case 1: {
      const page = Math.floor((at + offset) / perPage);
      const half = random.integer(2);
      return sectors.map((i) => {
        const isHere = Math.floor((i + offset) / perPage) === page;
        return !isHere || Math.floor(((i + offset) % perPage) / (perPage / 2)) === half;
      });
    }
    case 2: {
      const pages = Array.from({ length: count / perPage + 2 }, () => random.integer(2) === 0);
      return sectors.map((i) => pages[Math.floor((i + offset) / perPage)] ?? false);
    }
    default:
      return sectors.map(() => random.integer(2) === 0);
  }
}

function sectorsOf(change: Change): number {
  if (change.kind === "length") return 1;
  const first = Math.floor(change.at / sectorBytes);
  return Math.ceil((change.at + change.bytes.length) / sectorBytes) - first;
}

function nameOf(fate: Fate): string {
  if (typeof fate === "boolean") return fate ? "+" : "-";
  return `torn(${fate.map((kept) => (kept ? "1" : "0")).join("")})`;
}

/** The bytes of a file. */
class Image {
  bytes = Buffer.alloc(2 ** 16);
  length = 0;

  copy(other: Image): void {
    this.length = 0;
    this.#reach(other.length);
    other.bytes.copy(this.bytes, 0, 0, other.length);
  }

  apply(change: Change, fate: true | readonly boolean[]): void {
    if (change.kind === "length") {
      if (change.to > this.length) this.#reach(change.to);
      this.bytes.fill(0, change.to, this.length);
      this.length = change.to;
      return;
    }
    const end = change.at + change.bytes.length;
    const first = Math.floor(change.at / sectorBytes);
    for (let at = change.at; at < end; ) {
      const sector = Math.floor(at / sectorBytes);
      const next = fate === true ? end : Math.min(end, (sector + 1) * sectorBytes);
      if (fate === true || fate[sector - first] === true) {
        this.#reach(next);
        change.bytes.copy(this.bytes, at, at - change.at, next - change.at);
      }
      at = next;
    }
  }

  /** Makes it at least so long; what was never written reads as zeros. */
  #reach(length: number): void {
    if (length <= this.length) return;
    if (length > this.bytes.length) {
      const longer = Buffer.alloc(2 * length);
      this.bytes.copy(longer, 0, 0, this.length);
      this.bytes = longer;
    } else {
      this.bytes.fill(0, this.length, length);
    }
    this.length = length;
  }
}
