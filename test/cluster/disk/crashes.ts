/**
 * Every disk that a power cut could leave, from the recording of a folder.
 *
 * Model: a write is durable once a later sync of its file has ended, or at once when its own call
 * ends if its descriptor is O_DSYNC. Until then the disk may have it, not have it, or have some of
 * its sectors (512 bytes are written whole or not at all), whatever became of the others. That a
 * name was made or removed is durable once a later sync of the folder has ended; until then the
 * disk may have that or not. A sync of a file says nothing of its name, nor of another file.
 *
 * Method: the cut is made at the last moment before each sync ends. That covers every earlier cut
 * since the sync before: those disks are the ones on which the later changes were dropped, and at
 * the later moment at least as much was acknowledged.
 */
import type { SeededRandom } from "../../../src/adapters/memory/random.js";
import { Image, sectorBytes } from "./image.js";
import type { FileNumber, Op } from "./recording.js";

/** How many disks to make of each cut. */
export interface CrashPlan {
  /** Takes every so many-th cut only. */
  readonly cutEvery?: number | undefined;
  /** Up to so many unsynced writes every subset is tried; beyond, a sample. */
  readonly exhaustiveMax: number;
  /** Subsets of a larger set, beside none, all, each alone, and all but each. */
  readonly subsets: number;
  /** Disks with torn writes, beside each write torn alone. */
  readonly tears: number;
}

/** A file as a power cut left it. */
export interface LeftFile {
  readonly bytes: Buffer;
  readonly length: number;
}

/** What a power cut left. */
export interface Crash {
  /** The cut, and what became of each unsynced change: kept (+), dropped (-) or torn. */
  readonly name: string;
  /** The files of the folder, by name. */
  readonly files: ReadonlyMap<string, LeftFile>;
  /** Commits that were acknowledged before the cut: all of them must be there. */
  readonly acknowledged: number;
  /** Commits that had begun when the last write that is there was written. */
  readonly begun: number;
  readonly isTorn: boolean;
}

/** An {@link Op} that changes a file. */
type Written = Extract<Op, { readonly kind: "write" | "length" }>;
/** An {@link Op} that changes the folder. */
type Named = Extract<Op, { readonly kind: "create" | "remove" }>;
type Change = Written | Named;

interface Unsynced {
  readonly change: Change;
  /** Commits that had begun when it was written. */
  readonly begun: number;
}

/** What becomes of an unsynced change: dropped, kept, or these of its sectors kept. */
type Fate = boolean | readonly boolean[];

const pageBytes = 4096;
/** Sectors of a torn write that the name of a disk lists. */
const namedMax = 64;

/** The moment before a sync ends. */
interface Cut {
  /** Number of the operation that does not end. */
  readonly at: number;
  readonly durable: Folder;
  readonly durableBegun: number;
  readonly unsynced: readonly Unsynced[];
  readonly acknowledged: number;
}

/** Counts what was recorded. */
export function countOps(ops: readonly Op[]): { writes: number; syncs: number } {
  const writes = ops.filter(({ kind }) => kind === "write" || kind === "length").length;
  return { writes, syncs: ops.filter(isSync).length };
}

/** Says whether an operation makes something durable. */
function isSync(op: Op): boolean {
  return op.kind === "sync" || op.kind === "folder" || (op.kind === "write" && op.synced);
}

/** What the folder was when the recording began. */
export interface Start {
  /** Its files by name, in the order of their numbers. */
  readonly files: ReadonlyMap<string, LeftFile>;
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
  const scratch: Image[] = [];
  let number = 0;
  for (const cut of cuts(ops, start)) {
    number += 1;
    if (number % (plan.cutEvery ?? 1) !== 0) continue;
    for (const fates of fatesOf(cut.unsynced, plan, random)) {
      const left = cut.durable.copy(scratch);
      let begun = cut.durableBegun;
      for (const [i, { change, ...one }] of cut.unsynced.entries()) {
        const fate = fates[i] ?? false;
        if (fate === false) continue;
        left.apply(change, fate);
        // A name holds no commit.
        if (isWritten(change)) begun = Math.max(begun, one.begun);
      }
      const isTorn = fates.some((fate) => typeof fate !== "boolean");
      const name = `operation ${cut.at}: ${fates.map(nameOf).join(" ") || "nothing unsynced"}`;
      yield { name, files: left.files(), acknowledged: cut.acknowledged, begun, isTorn };
    }
  }
}

/** Makes the disks that a shutdown in good order after each commit would leave. */
export function* settled(ops: readonly Op[], start?: Start): Generator<Omit<Crash, "isTorn">> {
  let last = -1;
  for (const { at, durable, durableBegun, acknowledged } of cuts(ops, start)) {
    if (acknowledged === last) continue;
    last = acknowledged;
    const files = durable.files();
    yield { name: `operation ${at}`, files, acknowledged, begun: durableBegun };
  }
}

function* cuts(ops: readonly Op[], start?: Start): Generator<Cut> {
  const durable = new Folder(start?.files ?? new Map());
  let durableBegun = start?.commits ?? 0;
  let unsynced: Unsynced[] = [];
  let acknowledged = durableBegun;
  let begun = durableBegun;
  for (const [at, op] of ops.entries()) {
    if (op.kind === "begin") begun = op.commit + 1;
    if (op.kind === "done") acknowledged = op.commit + 1;
    if (isWritten(op) || isNamed(op)) unsynced.push({ change: op, begun });
    if (!isSync(op)) continue;
    yield { at, durable, durableBegun, unsynced, acknowledged };
    const isSynced = ({ change }: Unsynced) => makesDurable(op, change);
    for (const one of unsynced.filter(isSynced)) {
      durable.apply(one.change, true);
      if (isWritten(one.change)) durableBegun = Math.max(durableBegun, one.begun);
    }
    unsynced = unsynced.filter((one) => !isSynced(one));
  }
  yield { at: ops.length, durable, durableBegun, unsynced, acknowledged };
}

/** Says what a sync makes durable. An O_DSYNC write takes nothing along that was written before. */
function makesDurable(sync: Op, change: Change): boolean {
  if (sync.kind === "folder") return isNamed(change);
  if (sync.kind === "sync") return isWritten(change) && change.file === sync.file;
  return change === sync;
}

function isWritten(op: Op): op is Written {
  return op.kind === "write" || op.kind === "length";
}

function isNamed(op: Op): op is Named {
  return op.kind === "create" || op.kind === "remove";
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
  if (change.kind !== "write") return 1;
  const first = Math.floor(change.at / sectorBytes);
  return Math.ceil((change.at + change.bytes.length) / sectorBytes) - first;
}

function nameOf(fate: Fate): string {
  if (typeof fate === "boolean") return fate ? "+" : "-";
  const sectors = fate.map((kept) => (kept ? "1" : "0")).join("");
  return `torn(${sectors.slice(0, namedMax)}${sectors.length > namedMax ? "…" : ""})`;
}

/** The files of a folder and their names. */
class Folder {
  readonly #names = new Map<string, FileNumber>();
  readonly #images = new Map<FileNumber, Image>();
  /** Images of another folder that are copied when they are written to, and what to. */
  readonly #lent = new Map<FileNumber, Image>();
  readonly #scratch: Image[] = [];

  constructor(files: ReadonlyMap<string, LeftFile>) {
    for (const [name, { bytes, length }] of files) {
      const file = this.#images.size;
      this.#names.set(name, file);
      this.#images.set(file, new Image());
      this.#images.get(file)?.write(0, bytes.subarray(0, length));
    }
  }

  /** Returns a copy; what is not changed there is not copied. @param scratch for the rest */
  copy(scratch: Image[]): Folder {
    const copy = new Folder(new Map());
    for (const [name, file] of this.#names) copy.#names.set(name, file);
    for (const [file, image] of this.#images) copy.#lent.set(file, image);
    copy.#scratch.push(...scratch);
    while (copy.#scratch.length < this.#images.size + 2) {
      const image = new Image();
      scratch.push(image);
      copy.#scratch.push(image);
    }
    return copy;
  }

  files(): ReadonlyMap<string, LeftFile> {
    const empty = new Image();
    return new Map(
      [...this.#names].map(([name, file]) => {
        return [name, this.#images.get(file) ?? this.#lent.get(file) ?? empty];
      }),
    );
  }

  apply(change: Change, fate: true | readonly boolean[]): void {
    if (change.kind === "create") this.#names.set(change.name, change.file);
    else if (change.kind === "remove") this.#names.delete(change.name);
    else if (change.kind === "length") this.#image(change.file).setLength(change.to);
    else if (fate === true) this.#image(change.file).write(change.at, change.bytes);
    else this.#image(change.file).writeSectors(change.at, change.bytes, fate);
  }

  #image(file: FileNumber): Image {
    const own = this.#images.get(file);
    if (own !== undefined) return own;
    const image = this.#scratch.pop() ?? new Image();
    image.copy(this.#lent.get(file));
    this.#images.set(file, image);
    return image;
  }
}
