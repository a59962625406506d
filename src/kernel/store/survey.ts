/**
 * The survey of a disk: reads and verifies all that a store holds.
 */
import {
  decodeMeta,
  decodeRecord,
  encodeRecord,
  isVoteKey,
  META_KEY,
  type Meta,
  type RawRecord,
  recordSum,
  type StoreRecord,
  slotOfVoteKey,
  votesReadFrom,
} from "../../paxos/wire/record.js";
import type { Disk } from "../ports.js";
import { corrupt, notFormatted } from "./refusal.js";

/** A checksum, or the XOR of several. */
export type Sum = readonly [number, number];

/** The meta record as it stands, or will stand once a batch is durable. */
export interface State {
  readonly meta: Meta;
  readonly bytes: Uint8Array;
}

/** What a store holds. */
export interface Survey extends State {
  readonly records: readonly StoreRecord[];
  /** No vote is at or above. */
  readonly votesEnd: number;
  /** What it was read with. */
  readonly windowMax: number;
}

/**
 * Reads and verifies everything.
 *
 * @param check looks at the meta record before the others are read
 * @param windowMax of the cluster: how many of the latest votes an acceptor needs in memory
 * @throws StoreRefused if there is no store, or a corrupt one
 *
 * Why a count and a sum of votes: a record that vanished leaves no bad checksum behind.
 */
export function survey(
  disk: Disk,
  folder: string,
  check: (meta: Meta) => void,
  windowMax: number,
): Survey {
  const { meta, bytes } = readMeta(disk, folder);
  check(meta);
  const votesFrom = readVotesFrom(disk, folder, windowMax);
  const records: StoreRecord[] = [];
  let count = 0;
  let sum: Sum = [0, 0];
  let votesEnd = 0;
  disk.scan(Uint8Array.of(META_KEY[0] as number, 0), null, (key, raw) => {
    const slot = isVoteKey(key) ? slotOfVoteKey(key) : null;
    const isKept = slot === null || slot >= votesFrom;
    // Bytes of a disk are valid until the next commit: what is kept is copied.
    const record = readRecord({ key, bytes: isKept ? new Uint8Array(raw) : raw }, folder);
    if (slot !== null) {
      count++;
      sum = xor(sum, recordSum(raw));
      votesEnd = Math.max(votesEnd, slot + 1);
    }
    if (isKept) records.push(record);
    return true;
  });
  if (count !== meta.votes || sum[0] !== meta.votesSum[0] || sum[1] !== meta.votesSum[1]) {
    throw corrupt(folder, `it holds ${count} votes, which are not the ${meta.votes} it wrote last`);
  }
  return { meta, bytes, records, votesEnd, windowMax };
}

/** Reads the meta record. @throws StoreRefused if there is no store, or a corrupt one */
export function readMeta(disk: Disk, folder: string): State {
  const lent = disk.get(META_KEY);
  if (lent === undefined) {
    if (holdsAnything(disk)) throw corrupt(folder, "it holds records but no meta record");
    throw notFormatted(folder);
  }
  const bytes = new Uint8Array(lent);
  return { meta: orCorrupt(folder, () => decodeMeta(bytes)), bytes };
}

function readVotesFrom(disk: Disk, folder: string, windowMax: number): number {
  const key = encodeRecord({ kind: "marks", chosenWatermark: 0, trimmed: 0, highestVoted: -1 }).key;
  const bytes = disk.get(key);
  if (bytes === undefined) return 0;
  const marks = readRecord({ key, bytes }, folder);
  return marks.kind === "marks" ? votesReadFrom(marks, windowMax) : 0;
}

/** Decodes a record. @throws StoreRefused if it is corrupt */
export function readRecord(raw: RawRecord, folder: string): StoreRecord {
  return orCorrupt(folder, () => decodeRecord(raw));
}

/** Any record that cannot be read is corrupt, and corrupt is not missing. */
function orCorrupt<T>(folder: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw corrupt(folder, error instanceof Error ? error.message : String(error), error);
  }
}

/** Says whether a disk holds any record at all. */
export function holdsAnything(disk: Disk): boolean {
  let any = false;
  disk.scan(META_KEY, null, () => {
    any = true;
    return false;
  });
  return any;
}

/** Adds a checksum to a sum, or takes it out again. */
export function xor(a: Sum, b: Sum | null): Sum {
  return b === null ? a : [(a[0] ^ b[0]) >>> 0, (a[1] ^ b[1]) >>> 0];
}
