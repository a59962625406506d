/**
 * Opens a disk: LMDB's file, what a journal of the last process holds, and a journal for this one.
 */
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Disk, DiskError } from "../../kernel/ports.js";
import { invariant } from "../../paxos/assert.js";
import { isPresent } from "./access.js";
import { Changes, readChanges } from "./changes.js";
import { FILE_MODE, type LmdbDisk, type LmdbDiskOptions, openLmdbDisk, refusalOf } from "./disk.js";
import { syncDirectory } from "./folder.js";
import { DiskRefused } from "./header.js";
import { FIRST_GENERATION, JournalFile, MARK_BYTES, takeJournal } from "./journal-file.js";
import { decodeName, encodeName, JOURNAL_KEY, NO_JOURNAL } from "./journal-name.js";
import { JournaledDisk, type Syncs } from "./journaled.js";

const FILE_NAME = "store.journal";

/** Options of {@link openDisk}. */
export interface DiskOptions extends LmdbDiskOptions {
  /** Bytes of the journal; a batch that does not fit goes to LMDB at once. Default: no journal. */
  readonly journalBytes?: number | undefined;
  readonly syncs?: Syncs | undefined;
}

/**
 * Opens the disk of a directory, with what a journal of its last process holds.
 *
 * @throws DiskRefused as {@link openLmdbDisk} does; also if that journal is missing or damaged, or
 *   if there is no room for what it holds or for the next one
 */
export function openDisk(directory: string, options: DiskOptions = {}): Disk {
  const path = join(directory, FILE_NAME);
  const base = openLmdbDisk(directory, options);
  try {
    recoverJournal(base, path);
    const { journalBytes, syncs = "measured" } = options;
    return journalBytes === undefined ? base : beginJournal(base, path, journalBytes, syncs);
  } catch (error) {
    base.close();
    throw refusalOf(path, error);
  }
}

/** Puts into LMDB what the journal holds that the last process left. @throws DiskRefused */
function recoverJournal(base: LmdbDisk, path: string): void {
  const found = base.get(JOURNAL_KEY);
  if (found === undefined) return;
  const name = new Uint8Array(found);
  const { mark, generation } = decodeName(name);
  if (!isPresent(path)) throw new DiskRefused("damaged", "its journal is missing");
  const changes = new Changes();
  for (const body of takeJournal(path, mark, generation)) changes.add(readChanges(body));
  changes.add([{ key: JOURNAL_KEY, bytes: null }]);
  orRefused(base.commitNow({ expect: { key: JOURNAL_KEY, bytes: name }, ...changes.toBatch() }));
}

/** Begins a journal for a disk that has none. @throws DiskRefused */
function beginJournal(base: LmdbDisk, path: string, bytes: number, syncs: Syncs): Disk {
  const mark = randomBytes(MARK_BYTES);
  let journal: JournalFile | undefined;
  // While LMDB names no journal and nobody else can write, a file that is there is a leftover.
  const create = () => {
    try {
      rmSync(path, { force: true });
      journal = JournalFile.create(path, mark, bytes, FILE_MODE);
      syncDirectory(dirname(path));
    } catch (error) {
      throw refusalOf(path, error);
    }
  };
  const put = { key: JOURNAL_KEY, bytes: encodeName(mark, FIRST_GENERATION) };
  try {
    orRefused(base.commitNow({ expect: NO_JOURNAL, puts: [put], removes: [] }, create));
  } catch (error) {
    // Its file stays: LMDB may have its name all the same.
    journal?.close();
    throw error;
  }
  invariant(journal !== undefined, "a journal that LMDB names was made");
  return new JournaledDisk({ base, journal, path, mark, syncs });
}

function orRefused(error: DiskError | null): void {
  if (error === null) return;
  throw new DiskRefused(error.kind === "full" ? "full" : "unwritable", error.message);
}
