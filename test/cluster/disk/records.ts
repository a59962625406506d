/**
 * What a recording says of a store's journal: its records, and with them the commits of a process
 * that does not say when it begins one.
 */
import { readChanges } from "../../../src/adapters/lmdb/changes.js";
import { META_KEY } from "../../../src/paxos/wire/record.js";
import type { FileNumber, Op } from "./recording.js";

/** As src/adapters/lmdb/journal-file.ts lays a record out. */
const recordMagic = 0x4a4e5953;
const headBytes = 32;
const at = { body: 4, generation: 8 };

/** A record of a journal. */
interface JournalRecord {
  /** Of what was written since the journal was last emptied. */
  readonly generation: number;
  /** Commits of the store that it holds: each writes the meta record. */
  readonly commits: number;
}

/** What was recorded of the journals of a store. */
export interface JournalCounts {
  readonly records: number;
  /** Commits that the records hold; the others went to LMDB at once. */
  readonly journaled: number;
  /** Records that hold several commits. */
  readonly groups: number;
  /** How often a journal was emptied and then written again. */
  readonly emptied: number;
}

/** Counts what the journals of a recording were made to do. */
export function countRecords(ops: readonly Op[]): JournalCounts {
  let [records, journaled, groups, emptied] = [0, 0, 0, 0];
  const generations = new Map<FileNumber, number>();
  for (const op of ops) {
    const record = recordIn(op);
    if (record === null || op.kind !== "write") continue;
    records += 1;
    journaled += record.commits;
    if (record.commits > 1) groups += 1;
    if (record.generation > (generations.get(op.file) ?? 1)) emptied += 1;
    generations.set(op.file, record.generation);
  }
  return { records, journaled, groups, emptied };
}

/**
 * Marks the commits of a process that does not say when it begins one: each begins with the write
 * of a record to the journal, and is done at the next sync of that file. None may be larger than
 * the journal.
 *
 * @param first number of the first commit
 */
export function markCommits(ops: readonly Op[], first: number): Op[] {
  const marked: Op[] = [];
  let commit = first;
  let underWay: { readonly file: FileNumber; readonly commits: number } | null = null;
  for (const op of ops) {
    const record = recordIn(op);
    if (record !== null && op.kind === "write") {
      underWay = { file: op.file, commits: record.commits };
      for (let i = 0; i < record.commits; i += 1)
        marked.push({ kind: "begin", commit: commit + i });
    }
    marked.push(op);
    if (underWay === null || op.kind !== "sync" || op.file !== underWay.file) continue;
    commit += underWay.commits;
    marked.push({ kind: "done", commit: commit - 1 });
    underWay = null;
  }
  return marked;
}

/** The record that was written; null if it was something else. */
function recordIn(op: Op): JournalRecord | null {
  if (op.kind !== "write" || op.bytes.length < headBytes) return null;
  if (op.bytes.readUInt32LE(0) !== recordMagic) return null;
  const body = op.bytes.subarray(headBytes, headBytes + op.bytes.readUInt32LE(at.body));
  const metas = readChanges(body).filter(({ key }) => Buffer.compare(key, META_KEY) === 0);
  return { generation: op.bytes.readDoubleLE(at.generation), commits: metas.length };
}
