/**
 * Disk in memory: the deterministic twin of a file that is written and synced.
 *
 * A {@link MemoryFile} is what survives a crash; a {@link MemoryDisk} is one process's hold on it.
 * A batch is unsynced until the queue that the test passed in lets it finish.
 */
import type { Disk, DiskBatch, DiskError, DiskRoom } from "../../kernel/ports.js";

/** How a memory file behaves. */
export interface MemoryFileOptions {
  /** Lets an unsynced batch finish, later; without it every commit finishes at once. */
  readonly soon?: ((finish: () => void) => void) | undefined;
  /** Room for keys and values; more is `full`. Without it there is no end. */
  readonly bytesMax?: number | undefined;
}

/**
 * What a crash made of an unsynced batch: nothing, all of it, or only those of its operations
 * (puts first, then removes) for which `kept` says so. A torn batch is what a disk must never
 * leave: with it a test shows that a store finds out.
 */
export type Fate = "lost" | "kept" | { readonly kept: (operation: number) => boolean };

/** What a scripted failure does. `failed` may or may not have written the batch. */
export type Trouble = "full" | "failed" | "failed_but_written";

interface Unsynced {
  readonly disk: MemoryDisk;
  readonly batch: DiskBatch;
  readonly done: (error: DiskError | null) => void;
}

const KEY_BYTES_MAX = 1024;
/** What lent bytes hold once they are not valid any more. */
const STALE = 0xdb;
/** Lent bytes that are remembered; a process that only reads must not make the list grow. */
const LENT_MAX = 1024;

/** Keys as text, ordered like their bytes. */
function nameOf(key: Uint8Array): string {
  if (key.length === 0 || key.length > KEY_BYTES_MAX) {
    throw new RangeError(`a key of ${key.length} bytes; 1 to ${KEY_BYTES_MAX} are allowed`);
  }
  return String.fromCharCode(...key);
}

function keyOf(name: string): Uint8Array {
  return Uint8Array.from(name, (unit) => unit.charCodeAt(0));
}

/** Copies bytes; `slice` of a Buffer would not. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

/** Returns the place of the first name that is not below. */
function placeOf(names: readonly string[], name: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((names[middle] as string) < name) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What stays when processes come and go. */
export class MemoryFile {
  /** Device and inode of a real file: never the same for two files. */
  readonly name: string;
  /** Room for keys and values; a test may change it at any time. */
  bytesMax: number;
  readonly #soon: ((finish: () => void) => void) | undefined;
  #pairs = new Map<string, Uint8Array>();
  #names: string[] = [];
  #bytes = 0;
  #unsynced: Unsynced[] = [];
  readonly #script: (Trouble | null)[] = [];
  readonly #open = new Set<MemoryDisk>();

  constructor(name: string, options: MemoryFileOptions = {}) {
    this.name = name;
    this.bytesMax = options.bytesMax ?? Number.POSITIVE_INFINITY;
    this.#soon = options.soon;
  }

  /** Opens it for one process. Two may be open at once, as with a real file. */
  open(): MemoryDisk {
    const disk = new MemoryDisk(this);
    this.#open.add(disk);
    return disk;
  }

  /** Copies what is synced, as `cp` does: the same bytes in another file. */
  copy(name: string, options: MemoryFileOptions = {}): MemoryFile {
    const copy = new MemoryFile(name, options);
    for (const at of this.#names) copy.write(keyOf(at), this.#pairs.get(at) as Uint8Array);
    return copy;
  }

  /** Batches that would be lost if the power went now. */
  get unsynced(): number {
    return this.#unsynced.length;
  }

  /** Keys and values on stable storage. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Scripts what becomes of the next commits, one entry each; null lets one pass. */
  trouble(...script: readonly (Trouble | null)[]): void {
    this.#script.push(...script);
  }

  /**
   * Ends every process that has it open; their callbacks are never called.
   *
   * @param fate tells what was left of each unsynced batch, oldest first; by default nothing
   */
  crash(fate: (batch: DiskBatch, index: number) => Fate = () => "lost"): void {
    const cut = this.#unsynced;
    this.#unsynced = [];
    this.#script.length = 0;
    for (const disk of this.#open) disk.close();
    cut.forEach(({ batch }, index) => {
      const left = fate(batch, index);
      if (left === "lost" || !this.#holds(batch.expect)) return;
      this.#apply(batch, left === "kept" ? () => true : left.kept);
    });
  }

  /** Returns the pairs on stable storage, in order: copies, for tests to look at. */
  pairs(): { key: Uint8Array; bytes: Uint8Array }[] {
    return this.#names.map((name) => ({
      key: keyOf(name),
      bytes: copyOf(this.#pairs.get(name) as Uint8Array),
    }));
  }

  /** Writes behind everybody's back, as rot does. */
  write(key: Uint8Array, bytes: Uint8Array): void {
    const name = nameOf(key);
    const before = this.#pairs.get(name);
    if (before === undefined) this.#names.splice(placeOf(this.#names, name), 0, name);
    else this.#bytes -= name.length + before.length;
    this.#pairs.set(name, copyOf(bytes));
    this.#bytes += name.length + bytes.length;
  }

  /** Removes behind everybody's back. */
  remove(key: Uint8Array): void {
    const name = nameOf(key);
    const before = this.#pairs.get(name);
    if (before === undefined) return;
    this.#pairs.delete(name);
    this.#names.splice(placeOf(this.#names, name), 1);
    this.#bytes -= name.length + before.length;
  }

  /** Returns what stable storage holds under a key; not a copy. For {@link MemoryDisk}. */
  read(key: Uint8Array): Uint8Array | undefined {
    return this.#pairs.get(nameOf(key));
  }

  /** Returns the keys of from ≤ key < to, in order. For {@link MemoryDisk}. */
  keys(from: Uint8Array, to: Uint8Array | null): Uint8Array[] {
    const end = to === null ? this.#names.length : placeOf(this.#names, nameOf(to));
    return this.#names.slice(placeOf(this.#names, nameOf(from)), end).map(keyOf);
  }

  /** Takes a batch in. For {@link MemoryDisk}. */
  accept(disk: MemoryDisk, batch: DiskBatch, done: (error: DiskError | null) => void): void {
    const one = { disk, batch, done };
    this.#unsynced.push(one);
    if (this.#soon === undefined) this.#finish(one);
    else this.#soon(() => this.#finish(one));
  }

  /** Forgets a disk that was closed. For {@link MemoryDisk}. */
  closed(disk: MemoryDisk): void {
    this.#open.delete(disk);
  }

  /** Says whether so many bytes fit. */
  fits(bytes: number): boolean {
    return this.#bytes + bytes <= this.bytesMax;
  }

  /** Makes a batch durable, and those before it, or says why not; after a crash it is gone. */
  #finish(one: Unsynced): void {
    while (this.#unsynced.includes(one)) {
      const next = this.#unsynced.shift() as Unsynced;
      const error = next.disk.broken ?? this.#write(next.batch);
      if (error?.kind === "failed") next.disk.broken = error;
      next.done(error);
    }
  }

  #write(batch: DiskBatch): DiskError | null {
    const trouble = this.#script.shift() ?? null;
    if (!this.#holds(batch.expect)) {
      return { kind: "fenced", message: "the expected bytes are not there" };
    }
    const size = batch.puts.reduce((sum, { key, bytes }) => sum + key.length + bytes.length, 0);
    if (trouble === "full" || (batch.removes.length === 0 && !this.fits(size))) {
      return { kind: "full", message: `no room for ${size} bytes` };
    }
    if (trouble !== "failed") this.#apply(batch, () => true);
    return trouble === null ? null : { kind: "failed", message: "the sync failed" };
  }

  #holds({ key, bytes }: DiskBatch["expect"]): boolean {
    const found = this.read(key);
    if (found === undefined || bytes === null) return found === undefined && bytes === null;
    return found.length === bytes.length && found.every((byte, at) => byte === bytes[at]);
  }

  #apply(batch: DiskBatch, kept: (operation: number) => boolean): void {
    batch.puts.forEach(({ key, bytes }, at) => {
      if (kept(at)) this.write(key, bytes);
    });
    batch.removes.forEach((key, at) => {
      if (kept(batch.puts.length + at)) this.remove(key);
    });
  }
}

/** One process's hold on a memory file; made by {@link MemoryFile.open}. */
export class MemoryDisk implements Disk {
  readonly #file: MemoryFile;
  /** Bytes handed out; they go bad at the next commit, so that no caller relies on them longer. */
  #lent: Uint8Array[] = [];
  #closed = false;
  /** Set after a failed sync: nothing is written any more. For {@link MemoryFile}. */
  broken: DiskError | null = null;

  constructor(file: MemoryFile) {
    this.#file = file;
  }

  get file(): string {
    return this.#file.name;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const bytes = this.#file.read(key);
    return bytes === undefined ? undefined : this.#lend(bytes);
  }

  scan(
    from: Uint8Array,
    to: Uint8Array | null,
    visit: (key: Uint8Array, bytes: Uint8Array) => boolean | undefined,
  ): void {
    for (const key of this.#file.keys(from, to)) {
      const bytes = this.#file.read(key);
      if (bytes !== undefined && visit(this.#lend(key), this.#lend(bytes)) === false) return;
    }
  }

  commit(batch: DiskBatch, done: (error: DiskError | null) => void): void {
    const { expect, puts, removes } = batch;
    const copy: DiskBatch = {
      expect: {
        key: copyOf(expect.key),
        bytes: expect.bytes === null ? null : copyOf(expect.bytes),
      },
      puts: puts.map(({ key, bytes }) => ({ key: copyOf(key), bytes: copyOf(bytes) })),
      removes: removes.map(copyOf),
    };
    for (const { key } of puts) nameOf(key);
    for (const bytes of this.#lent) bytes.fill(STALE);
    this.#lent = [];
    if (this.#closed) done({ kind: "failed", message: "the disk was closed" });
    else this.#file.accept(this, copy, done);
  }

  hasRoom(bytes: number): boolean {
    return this.broken === null && !this.#closed && this.#file.fits(bytes);
  }

  room(): DiskRoom {
    return { usedBytes: this.#file.bytes, bytesMax: this.#file.bytesMax };
  }

  close(): void {
    this.#closed = true;
    this.#file.closed(this);
  }

  #lend(bytes: Uint8Array): Uint8Array {
    const copy = copyOf(bytes);
    if (this.#lent.length < LENT_MAX) this.#lent.push(copy);
    return copy;
  }
}
