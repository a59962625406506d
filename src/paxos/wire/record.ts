/**
 * Records: what a role keeps on disk, as keys and checksummed bytes.
 *
 * Layout of a record: version (1 byte) · kind (1 byte) · body · checksum (8 bytes: the first half
 * of the 128-bit hash over key, version, kind and body). A record that does not match its checksum
 * is corrupt, and corrupt is not missing: its owner halts.
 */
import type { Ballot } from "../ballot.js";
import { ByteReader, ByteWriter, MalformedBytes } from "../bytes.js";
import { hash128 } from "../digest.js";
import type { SlotVote, Vote } from "./messages.js";

/** Version of the layout; a change of any layout below raises it. No other version is read. */
export const RECORD_VERSION = 3;

/** What a role remembers across a crash. */
export type StoreRecord =
  /** The highest ballot an acceptor promised, for every slot. */
  | { readonly kind: "promise"; readonly ballot: Ballot }
  /** An acceptor's vote in a slot; a later vote replaces it. */
  | ({ readonly kind: "vote" } & SlotVote)
  /**
   * Marks of an acceptor: every slot below `chosenWatermark` is chosen, as its own votes show;
   * below `trimmed` its vote is forgotten. It is written with votes, so later votes may be higher.
   */
  | {
      readonly kind: "marks";
      readonly chosenWatermark: number;
      readonly trimmed: number;
      readonly highestVoted: number;
    }
  /** Promise and vote of a single-decree key. */
  | {
      readonly kind: "key";
      readonly key: string;
      readonly promised: Ballot;
      readonly vote: Vote | null;
    }
  /** The highest round a proposer used. */
  | { readonly kind: "round"; readonly round: number };

/**
 * Every slot below is chosen, as a vote in slot `highestVoted` shows: the leader that proposed
 * there knew every slot up to `windowMax` below as chosen (Lamport's α, PMS §3). This is the only
 * watermark that an acceptor believes.
 */
export function chosenBelow(highestVoted: number, windowMax: number): number {
  return Math.max(0, highestVoted + 1 - windowMax);
}

/**
 * The first slot whose vote a starting acceptor reads into memory.
 *
 * Why not the mark alone: a promise must report every vote from {@link chosenBelow} on, whatever
 * watermark an earlier version of this program wrote.
 */
export function votesReadFrom(
  marks: Extract<StoreRecord, { kind: "marks" }>,
  windowMax: number,
): number {
  return Math.min(marks.chosenWatermark, chosenBelow(marks.highestVoted, windowMax));
}

/** A record as the disk holds it. */
export interface RawRecord {
  readonly key: Uint8Array;
  readonly bytes: Uint8Array;
}

const KIND = { promise: 1, vote: 2, marks: 3, key: 4, round: 5, meta: 6 } as const;
const CHECKSUM_BYTES = 8;

/** Key of the meta record, below every other key. */
export const META_KEY: Uint8Array = Uint8Array.of(0);

/** Key of the promise for the log. */
export const PROMISE_KEY: Uint8Array = Uint8Array.of(KIND.promise);

/** Key of the vote of a slot: its kind and the slot, big endian, so that keys sort by slot. */
export function voteKey(slot: number): Uint8Array {
  const key = new Uint8Array(9);
  key[0] = KIND.vote;
  const view = new DataView(key.buffer);
  view.setUint32(1, Math.floor(slot / 2 ** 32));
  view.setUint32(5, slot >>> 0);
  return key;
}

/** Says whether a key is that of a slot's vote. */
export function isVoteKey(key: Uint8Array): boolean {
  return key.length === 9 && key[0] === KIND.vote;
}

/** Returns the slot of a vote's key. */
export function slotOfVoteKey(key: Uint8Array): number {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return view.getUint32(1) * 2 ** 32 + view.getUint32(5);
}

/** Returns the key under which a record stands; a record of the same key replaces it. */
export function recordKey(record: StoreRecord): Uint8Array {
  if (record.kind === "vote") return voteKey(record.slot);
  if (record.kind === "key") {
    return new ByteWriter(record.key.length + 1)
      .u8(KIND.key)
      .raw(new TextEncoder().encode(record.key))
      .finish();
  }
  return Uint8Array.of(KIND[record.kind]);
}

function writeBallot(writer: ByteWriter, ballot: Ballot): void {
  writer.u53(ballot.round).text(ballot.owner);
}

function readBallot(reader: ByteReader): Ballot {
  return { round: reader.u53(), owner: reader.text() };
}

function writeVote(writer: ByteWriter, vote: Vote): void {
  writeBallot(writer, vote.ballot);
  writer.hex(vote.digest).blob(vote.value);
}

function readVote(reader: ByteReader): Vote {
  const ballot = readBallot(reader);
  return { ballot, digest: reader.hex(16), value: reader.blob() };
}

function writeBody(writer: ByteWriter, record: StoreRecord): void {
  switch (record.kind) {
    case "promise":
      writeBallot(writer, record.ballot);
      break;
    case "vote":
      writeVote(writer.u53(record.slot), record);
      break;
    case "marks":
      writer
        .u53(record.chosenWatermark)
        .u53(record.trimmed)
        .u53(record.highestVoted + 1);
      break;
    case "key":
      writer.blob(new TextEncoder().encode(record.key));
      writeBallot(writer, record.promised);
      writer.u8(record.vote === null ? 0 : 1);
      if (record.vote !== null) writeVote(writer, record.vote);
      break;
    case "round":
      writer.u53(record.round);
      break;
  }
}

/** Reads a text of any length. @throws MalformedBytes if it is not UTF-8 */
function readText(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new MalformedBytes(`a ${what} that is not UTF-8`);
  }
}

function readBody(kind: number, reader: ByteReader): StoreRecord {
  switch (kind) {
    case KIND.promise:
      return { kind: "promise", ballot: readBallot(reader) };
    case KIND.vote:
      return { kind: "vote", slot: reader.u53(), ...readVote(reader) };
    case KIND.marks: {
      const chosenWatermark = reader.u53();
      const trimmed = reader.u53();
      return { kind: "marks", chosenWatermark, trimmed, highestVoted: reader.u53() - 1 };
    }
    case KIND.key: {
      const key = readText(reader.blob(), "key");
      const promised = readBallot(reader);
      return { kind: "key", key, promised, vote: reader.u8() === 0 ? null : readVote(reader) };
    }
    case KIND.round:
      return { kind: "round", round: reader.u53() };
    default:
      throw new MalformedBytes(`a record of unknown kind ${kind}`);
  }
}

function checksum(key: Uint8Array, body: Uint8Array): [number, number] {
  const [keyHash] = hash128(key);
  const [low, high] = hash128(body, keyHash);
  return [low, high];
}

/** Adds the checksum to a body that begins with version and kind. */
function seal(key: Uint8Array, writer: ByteWriter): Uint8Array {
  const [low, high] = checksum(key, writer.finish());
  return writer.u32(low).u32(high).finish();
}

/** Checks the checksum and the version. @throws MalformedBytes if the record is corrupt */
function unseal(key: Uint8Array, bytes: Uint8Array): ByteReader {
  if (bytes.length < CHECKSUM_BYTES + 2) throw new MalformedBytes("a record that is cut off");
  const body = bytes.subarray(0, bytes.length - CHECKSUM_BYTES);
  const tail = new ByteReader(bytes.subarray(bytes.length - CHECKSUM_BYTES));
  const [low, high] = checksum(key, body);
  if (tail.u32() !== low || tail.u32() !== high) {
    throw new MalformedBytes("a record whose checksum does not match");
  }
  const reader = new ByteReader(body);
  const version = reader.u8();
  if (version !== RECORD_VERSION) {
    throw new MalformedBytes(
      `a record of version ${version}; this program reads ${RECORD_VERSION}`,
    );
  }
  return reader;
}

/** Returns a record's checksum, which the meta record sums up, as two 32-bit words. */
export function recordSum(bytes: Uint8Array): readonly [number, number] {
  const tail = new ByteReader(bytes.subarray(bytes.length - CHECKSUM_BYTES));
  return [tail.u32(), tail.u32()];
}

/** Writes a record as the disk holds it. */
export function encodeRecord(record: StoreRecord): RawRecord {
  const key = recordKey(record);
  const size = record.kind === "vote" ? record.value.length + 128 : 128;
  const writer = new ByteWriter(size).u8(RECORD_VERSION).u8(KIND[record.kind]);
  writeBody(writer, record);
  return { key, bytes: seal(key, writer) };
}

/**
 * Reads a record back.
 *
 * @throws MalformedBytes if it is corrupt, of an unknown version, or stands under another's key
 */
export function decodeRecord(raw: RawRecord): StoreRecord {
  const reader = unseal(raw.key, raw.bytes);
  const record = readBody(reader.u8(), reader);
  if (reader.left > 0) throw new MalformedBytes(`${reader.left} bytes after the record`);
  const key = recordKey(record);
  if (key.length !== raw.key.length || key.some((byte, at) => byte !== raw.key[at])) {
    throw new MalformedBytes("a record under another one's key");
  }
  return record;
}

/**
 * What a file is to its store (src/kernel/store/move.ts). Of all files in which a store's id
 * stands, at most one is `home`, and only that one opens.
 * - `home`: the role runs on this file; `move` brought it here, null if it was formatted here
 * - `awaiting`: this file is empty and takes in the store that leaves under `move`
 * - `moved`: the store left this file under `move`; `to` is the folder it went to, "" if it is on
 *   another machine
 *
 * A move is named by 32 hexadecimal digits that are drawn for it.
 */
export type Standing =
  | { readonly kind: "home"; readonly move: string | null }
  | { readonly kind: "awaiting"; readonly move: string }
  | { readonly kind: "moved"; readonly move: string; readonly to: string };

/**
 * What a store says of itself; written in every transaction: its identity, which never changes, and
 * the configuration that it last served under.
 */
export interface Meta {
  readonly clusterId: string;
  readonly clusterName: string;
  readonly role: string;
  readonly id: string;
  readonly storeId: string;
  readonly epoch: number;
  /** Names the configuration by its content (32 hexadecimal digits). */
  readonly configurationHash: string;
  /** Inode and birth time of its file, as text: a copied file has another inode. */
  readonly file: string;
  /** Grows with each start. */
  readonly incarnation: number;
  /** Grows with each transaction, never set back. */
  readonly writeNumber: number;
  /** Vote records in the store. */
  readonly votes: number;
  /** XOR of the vote records' checksums, as two 32-bit words. */
  readonly votesSum: readonly [number, number];
  /** The latest incarnations and the write number each began at, oldest first; at most 32. */
  readonly openings: readonly { readonly incarnation: number; readonly writeNumber: number }[];
  readonly standing: Standing;
}

const STANDINGS: readonly Standing["kind"][] = ["home", "awaiting", "moved"];

/** Writes the meta record. */
export function encodeMeta(meta: Meta): Uint8Array {
  const writer = new ByteWriter(1024).u8(RECORD_VERSION).u8(KIND.meta);
  writeCounts(writer, meta)
    .hex(meta.clusterId)
    .text(meta.clusterName)
    .text(meta.role)
    .text(meta.id)
    .hex(meta.storeId)
    .u53(meta.epoch)
    .hex(meta.configurationHash)
    .text(meta.file)
    .u53(meta.incarnation)
    .u8(meta.openings.length);
  for (const opening of meta.openings) writer.u53(opening.incarnation).u53(opening.writeNumber);
  writeStanding(writer, meta.standing);
  return seal(META_KEY, writer);
}

/** Writes what every transaction changes; it stands first, so its place is always the same. */
function writeCounts(writer: ByteWriter, meta: Meta): ByteWriter {
  const [low, high] = meta.votesSum;
  return writer.u53(meta.writeNumber).u53(meta.votes).u32(low).u32(high);
}

/** Bytes that {@link writeCounts} writes. */
const COUNTS_BYTES = 24;

/**
 * Writes the meta record after the next transaction.
 *
 * Requires: `before` is what {@link encodeMeta} makes of a record that differs from `meta` in
 * `writeNumber`, `votes` and `votesSum` alone. The rest of the bytes is copied.
 */
export function encodeNextMeta(before: Uint8Array, meta: Meta): Uint8Array {
  const rest = before.subarray(2 + COUNTS_BYTES, before.length - CHECKSUM_BYTES);
  const writer = new ByteWriter(before.length).u8(RECORD_VERSION).u8(KIND.meta);
  return seal(META_KEY, writeCounts(writer, meta).raw(rest));
}

function writeStanding(writer: ByteWriter, standing: Standing): void {
  const { kind, move } = standing;
  writer.u8(STANDINGS.indexOf(kind)).u8(move === null ? 0 : 1);
  if (move !== null) writer.hex(move);
  if (kind === "moved") writer.blob(new TextEncoder().encode(standing.to));
}

function readStanding(reader: ByteReader): Standing {
  const kind = STANDINGS[reader.u8()];
  const move = reader.u8() === 0 ? null : reader.hex(16);
  if (kind === "home") return { kind, move };
  if (kind === undefined || move === null) throw new MalformedBytes("a standing that is unknown");
  return kind === "awaiting" ? { kind, move } : { kind, move, to: readText(reader.blob(), "path") };
}

/** Reads the meta record. @throws MalformedBytes if it is corrupt or of an unknown version */
export function decodeMeta(bytes: Uint8Array): Meta {
  const reader = unseal(META_KEY, bytes);
  if (reader.u8() !== KIND.meta) throw new MalformedBytes("the meta record is of another kind");
  const counts = {
    writeNumber: reader.u53(),
    votes: reader.u53(),
    votesSum: [reader.u32(), reader.u32()] as const,
  };
  const head = {
    clusterId: reader.hex(16),
    clusterName: reader.text(),
    role: reader.text(),
    id: reader.text(),
    storeId: reader.hex(16),
    epoch: reader.u53(),
    configurationHash: reader.hex(16),
    file: reader.text(),
    incarnation: reader.u53(),
  };
  const openings = Array.from({ length: reader.u8() }, () => ({
    incarnation: reader.u53(),
    writeNumber: reader.u53(),
  }));
  const standing = readStanding(reader);
  if (reader.left > 0) throw new MalformedBytes(`${reader.left} bytes after the meta record`);
  return { ...head, ...counts, openings, standing };
}
