/**
 * The file of a journal: records one behind the other, each on stable storage before the next one
 * is written.
 *
 * Layout: a page with the head, then records that each begin at a sector (512 bytes, which a disk
 * writes whole or not at all), so that no write touches a sector of an earlier record. The file has
 * its full length from the start: a sync of it need not note a new one.
 *
 *   head:   magic · version · mark (16 bytes) · taken (1 byte: a later process reads this file)
 *   record: magic · length of the body · generation · sequence · checksum of the record before ·
 *           checksum of all of this record · body
 *
 * Checksums begin with the mark: no value that looks like a record passes for one.
 *
 * A generation is what was written since the journal was last emptied. A record of another one is
 * what an earlier generation left behind.
 */
import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fsyncSync,
  openSync,
  readSync,
  writeSync,
} from "node:fs";
import { crc32 } from "node:zlib";
import { DiskRefused } from "./header.js";

const HEAD_BYTES = 4096;
const SECTOR_BYTES = 512;
const RECORD_HEAD_BYTES = 32;
const HEAD_MAGIC = Buffer.from("synod journal 1\n");
const RECORD_MAGIC = 0x4a4e5953;
/** Where the fields of the head are. */
const MARK_AT = HEAD_MAGIC.length;
/** Length of a journal's mark. */
export const MARK_BYTES = 16;
/** Generation of a journal that was just made. */
export const FIRST_GENERATION = 1;
const TAKEN_AT = MARK_AT + MARK_BYTES;
/** Where the fields of a record are. */
const AT = { magic: 0, body: 4, generation: 8, sequence: 16, before: 20, checksum: 24 };

/** A journal that this process writes. */
export class JournalFile {
  readonly #file: number;
  readonly #bytes: number;
  /** What checksums begin with: only a record of this journal can have a right one. */
  readonly #seed: number;
  #generation = FIRST_GENERATION;
  #sequence = 0;
  #before = 0;
  #end = HEAD_BYTES;
  /** What the record written last makes of the three above, once it is synced. */
  #next: { readonly end: number; readonly before: number } | null = null;
  /** Where a record is put together. */
  #scratch = Buffer.alloc(16 * 1024);

  private constructor(file: number, mark: Uint8Array, bytes: number) {
    this.#file = file;
    this.#bytes = bytes;
    this.#seed = crc32(mark);
  }

  /**
   * Makes an empty journal. It is on stable storage, but for its name in the folder.
   *
   * @param mark 16 bytes that no other journal has
   * @throws what the system says, with its code, if there is no room
   */
  static create(path: string, mark: Uint8Array, bytes: number, mode: number): JournalFile {
    const file = openSync(path, "wx+", mode);
    try {
      const empty = Buffer.alloc(bytes);
      empty.set(HEAD_MAGIC);
      empty.set(mark, MARK_AT);
      writeAll(file, empty, 0);
      fsyncSync(file);
      return new JournalFile(file, mark, bytes);
    } catch (error) {
      closeSync(file);
      throw error;
    }
  }

  /** Of what was written since it was last emptied. */
  get generation(): number {
    return this.#generation;
  }

  /** Says whether a body of so many bytes fits behind what is there. */
  canHold(bodyBytes: number): boolean {
    return this.#end + recordBytes(bodyBytes) <= this.#bytes;
  }

  /** Says whether it would fit if there were nothing else. */
  couldHold(bodyBytes: number): boolean {
    return HEAD_BYTES + recordBytes(bodyBytes) <= this.#bytes;
  }

  /**
   * Writes a record; only {@link sync} makes it safe. One that failed is written over by the next.
   *
   * @param fill writes the body into the bytes that it gets
   * @throws what the system says
   */
  write(bodyBytes: number, fill: (body: Buffer) => void): void {
    const length = recordBytes(bodyBytes);
    if (this.#scratch.length < length) this.#scratch = Buffer.alloc(2 * length);
    const record = this.#scratch.subarray(0, length);
    record.writeUInt32LE(RECORD_MAGIC, AT.magic);
    record.writeUInt32LE(bodyBytes, AT.body);
    record.writeDoubleLE(this.#generation, AT.generation);
    record.writeUInt32LE(this.#sequence, AT.sequence);
    record.writeUInt32LE(this.#before, AT.before);
    record.writeUInt32LE(0, AT.checksum);
    fill(record.subarray(RECORD_HEAD_BYTES, RECORD_HEAD_BYTES + bodyBytes));
    record.fill(0, RECORD_HEAD_BYTES + bodyBytes);
    const checksum = crc32(record, this.#seed);
    record.writeUInt32LE(checksum, AT.checksum);
    writeAll(this.#file, record, this.#end);
    this.#next = { end: this.#end + length, before: checksum };
  }

  /** Makes what was written safe. @returns what the system says: the file is then uncertain */
  sync(): Error | null {
    try {
      fdatasyncSync(this.#file);
    } catch (error) {
      return error as Error;
    }
    this.#synced();
    return null;
  }

  /** Like {@link sync}, beside the thread of the caller. */
  syncBeside(done: (error: Error | null) => void): void {
    fdatasync(this.#file, (error) => {
      if (error === null) this.#synced();
      done(error);
    });
  }

  #synced(): void {
    if (this.#next === null) return;
    this.#end = this.#next.end;
    this.#before = this.#next.before;
    this.#sequence++;
    this.#next = null;
  }

  /** Says whether a later process has begun to read this file, and may not know of what follows. */
  get isTaken(): boolean {
    return isTaken(this.#file);
  }

  /** Begins again at the front: what the records hold is safe elsewhere. */
  empty(): void {
    this.#generation++;
    this.#sequence = 0;
    this.#before = 0;
    this.#end = HEAD_BYTES;
  }

  close(): void {
    closeSync(this.#file);
  }
}

/**
 * Takes a journal over from the process that wrote it, and reads what it holds.
 *
 * @param mark that it must have
 * @returns the bodies of its records, in order
 * @throws DiskRefused if it is another journal, or if a record that was synced cannot be read
 *
 * A record that is not whole is the one that was under way when the process or the power ended:
 * nothing rests on it. Records are synced one by one, so if a later one is whole, the one before
 * was synced and has rotted. The last record of all may rot unseen, as LMDB's own head may.
 */
export function takeJournal(path: string, mark: Uint8Array, generation: number): Buffer[] {
  const file = openSync(path, "r+");
  try {
    const wanted = Buffer.concat([HEAD_MAGIC, mark]);
    const head = Buffer.alloc(wanted.length);
    if (readSync(file, head, 0, head.length, 0) !== head.length || !head.equals(wanted)) {
      throw new DiskRefused("damaged", "its journal is not the one that it wrote");
    }
    // Before it is read: a process that writes it looks here after each sync, and then answers
    // nothing of what came too late to be read.
    writeAll(file, Buffer.of(1), TAKEN_AT);
    return readRecords(readAll(file), generation, crc32(mark));
  } finally {
    closeSync(file);
  }
}

function readRecords(all: Buffer, generation: number, seed: number): Buffer[] {
  const bodies: Buffer[] = [];
  let before = 0;
  let at = HEAD_BYTES;
  for (;;) {
    const found = recordAt(all, at, generation, seed);
    if (found === null || found.sequence !== bodies.length || found.before !== before) break;
    bodies.push(found.body);
    before = found.checksum;
    at += recordBytes(found.body.length);
  }
  for (; at < all.length; at += SECTOR_BYTES) {
    const later = recordAt(all, at, generation, seed);
    if (later !== null && later.sequence >= bodies.length) {
      throw new DiskRefused("damaged", `its journal lost record ${bodies.length} of ${generation}`);
    }
  }
  return bodies;
}

interface FoundRecord {
  readonly body: Buffer;
  readonly sequence: number;
  readonly before: number;
  readonly checksum: number;
}

/** Returns the record of a generation that begins at a place; null if none that is whole does. */
function recordAt(all: Buffer, at: number, generation: number, seed: number): FoundRecord | null {
  if (at + RECORD_HEAD_BYTES > all.length) return null;
  const head = all.subarray(at, at + RECORD_HEAD_BYTES);
  if (head.readUInt32LE(AT.magic) !== RECORD_MAGIC) return null;
  if (head.readDoubleLE(AT.generation) !== generation) return null;
  const length = recordBytes(head.readUInt32LE(AT.body));
  if (at + length > all.length) return null;
  const record = Buffer.from(all.subarray(at, at + length));
  const checksum = record.readUInt32LE(AT.checksum);
  record.writeUInt32LE(0, AT.checksum);
  if (crc32(record, seed) !== checksum) return null;
  const body = record.subarray(RECORD_HEAD_BYTES, RECORD_HEAD_BYTES + head.readUInt32LE(AT.body));
  const [sequence, before] = [head.readUInt32LE(AT.sequence), head.readUInt32LE(AT.before)];
  return { body, sequence, before, checksum };
}

function recordBytes(bodyBytes: number): number {
  return Math.ceil((RECORD_HEAD_BYTES + bodyBytes) / SECTOR_BYTES) * SECTOR_BYTES;
}

const oneByte = Buffer.alloc(1);

function isTaken(file: number): boolean {
  return readSync(file, oneByte, 0, 1, TAKEN_AT) !== 1 || oneByte[0] !== 0;
}

function readAll(file: number): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; ; ) {
    const piece = Buffer.alloc(1024 * 1024);
    const read = readSync(file, piece, 0, piece.length, at);
    if (read === 0) return Buffer.concat(pieces);
    pieces.push(piece.subarray(0, read));
    at += read;
  }
}

function writeAll(file: number, bytes: Uint8Array, from: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(file, bytes, done, bytes.length - done, from + done);
  }
}
