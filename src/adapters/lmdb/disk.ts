/**
 * Disk on LMDB: one file, synced before every answer.
 *
 * A commit is one `transactionSync` with `overlappingSync: false`: pages are written, `fdatasync`
 * ends, and then the page that makes them valid is written through a descriptor opened with
 * O_DSYNC. README.md shows how to see that with strace, and why room is taken in advance.
 */
import { accessSync, closeSync, constants, openSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { open, type RootDatabase } from "lmdb";
import type { Disk, DiskBatch, DiskError, DiskRoom } from "../../kernel/ports.js";
import { AccessError, isPresent, ownership } from "./access.js";
import { checkHead, DiskRefused } from "./header.js";
import { available, type Load, loadOf, pagesOf, Room } from "./room.js";

/** Name of the data file in its directory. */
const FILE_NAME = "store.mdb";
/** Room that LMDB's lock file takes: readers × 64 bytes, and a head. */
const LOCK_BYTES = 16 * 1024;
/** A store is not opened with less room: LMDB maps its lock file, and a full disk would kill us. */
const OPEN_ROOM_BYTES = 256 * 1024;
const KEY_BYTES_MAX = 1024;
/** A store is read and written by its owner alone. */
export const FILE_MODE = 0o600;

/** Options of {@link openLmdbDisk}. */
export interface LmdbDiskOptions {
  /** Makes the file if there is none; otherwise that is refused. Default: false. */
  readonly create?: boolean | undefined;
  /**
   * What the records may take, in bytes; more is `full`. Reserves as much address space (no
   * memory). Default: 64 GiB.
   */
  readonly bytesMax?: number | undefined;
  /** By how much the file grows at a time, at least. Default: 1 MiB. */
  readonly growBytes?: number | undefined;
}

/** Ends a transaction without writing. */
class Aborted extends Error {
  readonly error: DiskError;

  constructor(error: DiskError) {
    super(error.message);
    this.error = error;
  }
}

/**
 * Opens the disk of a directory.
 *
 * @throws DiskRefused if there is none and `create` is not set, or if it cannot be used
 *
 * Gotcha: LMDB trusts its own pages. The head is checked here, and the records by the store; a page
 * between them that rots may still end the process.
 */
export function openLmdbDisk(directory: string, options: LmdbDiskOptions = {}): LmdbDisk {
  const path = join(directory, FILE_NAME);
  const bytesMax = options.bytesMax ?? 64 * 2 ** 30;
  let db: RootDatabase<Buffer, Uint8Array> | undefined;
  try {
    const isThere = isPresent(path);
    if (options.create !== true && !isThere) {
      throw new DiskRefused("missing", `there is no ${FILE_NAME}`);
    }
    if (available(directory) < OPEN_ROOM_BYTES) {
      throw new DiskRefused("full", "the disk is full");
    }
    // All that can be refused is refused before LMDB is asked (header.ts).
    if (isThere) checkHead(path);
    // An empty file is one that LMDB begins. It would let others read what it makes itself.
    else closeSync(openSync(path, "wx", FILE_MODE));
    reserveLockFile(`${path}-lock`);
    db = open<Buffer, Uint8Array>({
      path,
      noSubdir: true,
      keyEncoding: "binary",
      encoding: "binary",
      overlappingSync: false,
      maxDbs: 1,
      // LMDB would grow the map by itself, but keeps every smaller one and may fail half-way.
      mapSize: bytesMax + 2 ** 30,
    });
    return new LmdbDisk(path, db, new Room(path, bytesMax, options.growBytes ?? 2 ** 20));
  } catch (error) {
    db?.close().catch(() => undefined);
    throw refusalOf(path, error);
  }
}

/** Turns what went wrong with a file into the refusal of its disk. */
export function refusalOf(path: string, error: unknown): DiskRefused {
  if (error instanceof DiskRefused) return error;
  if (error instanceof AccessError) {
    return new DiskRefused("unreadable", error.message, { cause: error });
  }
  const isFull = (error as NodeJS.ErrnoException).code === "ENOSPC";
  const why = isFull ? "the disk is full" : `${messageOf(error)}; ${ownership(path)}`;
  return new DiskRefused(isFull ? "full" : "unwritable", why, { cause: error });
}

/**
 * Writes the lock file in full before LMDB maps it.
 *
 * Why: LMDB makes it sparse; the first touch of a page on a full disk is a SIGBUS. One that exists
 * is left alone: closing it would drop the locks that this process holds on it.
 */
function reserveLockFile(path: string): void {
  if (isPresent(path)) {
    accessSync(path, constants.R_OK | constants.W_OK);
    return;
  }
  const file = openSync(path, "wx", FILE_MODE);
  try {
    writeSync(file, new Uint8Array(LOCK_BYTES), 0, LOCK_BYTES, 0);
  } finally {
    closeSync(file);
  }
}

/** A file of LMDB as a disk; made by {@link openLmdbDisk}. */
export class LmdbDisk implements Disk {
  readonly file: string;
  readonly #path: string;
  readonly #db: RootDatabase<Buffer, Uint8Array>;
  readonly #room: Room;
  #broken: DiskError | null = null;

  constructor(path: string, db: RootDatabase<Buffer, Uint8Array>, room: Room) {
    this.#path = path;
    this.#db = db;
    this.#room = room;
    this.file = fileIdentity(path);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const bytes = this.#db.get(key);
    return bytes === undefined ? undefined : plain(bytes);
  }

  scan(
    from: Uint8Array,
    to: Uint8Array | null,
    visit: (key: Uint8Array, bytes: Uint8Array) => boolean | undefined,
  ): void {
    const range = to === null ? { start: from } : { start: from, end: to };
    for (const { key, value } of this.#db.getRange(range)) {
      if (visit(plain(key), plain(value)) === false) return;
    }
  }

  commit(batch: DiskBatch, done: (error: DiskError | null) => void): void {
    for (const { key } of batch.puts) checkKey(key);
    // `done` is called out here: what it throws is not the disk's.
    done(this.commitNow(batch));
  }

  /**
   * Like {@link commit}; the batch is on stable storage when this returns null.
   *
   * @param within runs once it is known that `expect` holds, while no other process can write
   * @throws DiskRefused if `within` does; nothing is written then
   */
  commitNow(batch: DiskBatch, within?: () => void): DiskError | null {
    return this.#transact(() => {
      this.#checkExpected(batch.expect);
      within?.();
      this.#fill(batch);
    });
  }

  /**
   * Takes the room for a batch that comes later.
   *
   * @param expect as in a batch
   * @param load all that was reserved since the last commit, with what comes now
   */
  reserve(expect: DiskBatch["expect"], load: Load): DiskError | null {
    if (this.#broken === null && this.#room.holds(load)) return null;
    // Under LMDB's lock, and only as the store's own process: nobody else then grows its file.
    return this.#transact(() => {
      this.#checkExpected(expect);
      this.#orAbort(this.#room.reserve(() => pagesOf(this.#db), load));
    });
  }

  hasRoom(bytes: number): boolean {
    if (this.#broken !== null) return false;
    return this.#room.has(pagesOf(this.#db), bytes);
  }

  room(): DiskRoom {
    if (this.#broken !== null) return { usedBytes: 0, bytesMax: Number.POSITIVE_INFINITY };
    return this.#room.report(pagesOf(this.#db));
  }

  close(): void {
    this.#broken ??= { kind: "failed", message: "the disk was closed" };
    this.#room.close();
    // Every write was synchronous, so it closes at once; the promise says nothing more.
    this.#db.close().catch(() => undefined);
  }

  #transact(change: () => void): DiskError | null {
    if (this.#broken !== null) return this.#broken;
    try {
      this.#db.transactionSync(change);
      return null;
    } catch (error) {
      if (error instanceof Aborted) return error.error;
      if (error instanceof DiskRefused) throw error;
      const kind = this.#isForRoom(error) ? "full" : "failed";
      const written = { kind, message: messageOf(error) } as const;
      if (kind === "failed") this.#broken = written;
      return written;
    }
  }

  /** Runs inside the transaction, under LMDB's lock: no other process writes meanwhile. */
  #fill({ puts, removes }: DiskBatch): void {
    this.#orAbort(this.#room.take(() => pagesOf(this.#db), loadOf(puts, removes.length)));
    for (const { key, bytes } of puts) void this.#db.put(key, bytes as Buffer);
    for (const key of removes) void this.#db.remove(key);
  }

  #checkExpected({ key, bytes }: DiskBatch["expect"]): void {
    if (holds(this.#db.get(key), bytes)) return;
    throw new Aborted({ kind: "fenced", message: "another process has written this store" });
  }

  #orAbort(lacking: string | null): void {
    if (lacking !== null) throw new Aborted({ kind: "full", message: lacking });
  }

  /**
   * Tells a full disk from a broken one; LMDB says EIO for both.
   *
   * A write that the system refused outright is never taken for a full disk, even where it is one:
   * lmdb 3.5.6 then writes a message past the end of its buffer, and a process with a damaged heap
   * must not go on. Room is taken in advance, so this is not how a disk fills up.
   */
  #isForRoom(error: unknown): boolean {
    if (messageOf(error).includes("Attempting to write page")) return false;
    const { code } = error as { code?: unknown };
    if (code === 28 || code === 122) return true;
    return code === 5 && available(this.#path) === 0;
  }
}

/**
 * Names a file: its inode and birth time. A copy is born later, and has another inode.
 *
 * Why not the device: its number changes when the same file system is mounted again (overlay,
 * btrfs, NFS) or found in another order, and a store would be refused for that. Where a file
 * system knows no birth time it reads 0.
 */
function fileIdentity(path: string): string {
  const { ino, birthtimeNs } = statSync(path, { bigint: true });
  return `${ino}@${birthtimeNs}`;
}

/** The same bytes, not as a Buffer, whose `slice` copies nothing. */
function plain({ buffer, byteOffset, length }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}

/** Checks what the port says of keys. @throws RangeError */
export function checkKey(key: Uint8Array): void {
  if (key.length === 0 || key.length > KEY_BYTES_MAX) {
    throw new RangeError(`a key of ${key.length} bytes; 1 to ${KEY_BYTES_MAX} are allowed`);
  }
}

/** Says whether a key has the bytes that were expected; null: none. */
export function holds(found: Uint8Array | undefined, expected: Uint8Array | null): boolean {
  if (found === undefined || expected === null) return found === undefined && expected === null;
  return Buffer.compare(found, expected) === 0;
}

/** What an error says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
