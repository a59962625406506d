/**
 * The store of one role: the rules by which records are kept, on top of any disk.
 *
 * The meta record is written with every batch, and every batch expects the meta bytes that this
 * process wrote last. That is the fence: a second process that opened the store changed them, and
 * from then on nothing of the first one is written, so nothing of it leaves.
 */
import { invariant } from "../../paxos/assert.js";
import type { Ballot } from "../../paxos/ballot.js";
import type { SlotVote } from "../../paxos/wire/messages.js";
import {
  encodeMeta,
  encodeNextMeta,
  encodeRecord,
  META_KEY,
  type Meta,
  PROMISE_KEY,
  type RawRecord,
  recordSum,
  type StoreRecord,
  slotOfVoteKey,
  voteKey,
} from "../../paxos/wire/record.js";
import type { Disk, DiskError, DiskRoom } from "../ports.js";
import {
  alreadyFormatted,
  checkIdentity,
  corrupt,
  failed,
  fenced,
  ownerOf,
  type StoreIdentity,
  StoreRefused,
  unwritable,
} from "./refusal.js";
import {
  holdsAnything,
  readRecord,
  type State,
  type Sum,
  type Survey,
  survey,
  xor,
} from "./survey.js";

/** Openings that the meta record remembers. */
const OPENINGS_MAX = 32;
/** Votes that one commit trims; what is left goes with the next ones, so that no commit is long. */
export const TRIM_VOTES_MAX = 4096;
/** Least room that a store which refused for lack of it wants before it tries again. */
const ROOM_BYTES_MIN = 1024 * 1024;

/** What one commit changes, atomically. */
export interface StoreBatch {
  /** A later record of a key replaces an earlier one, of this batch too. */
  readonly records: readonly StoreRecord[];
  /** Forget the votes of slots below, those of this batch included. */
  readonly trimBelow?: number | undefined;
}

/** A batch under way. */
interface Pending extends State {
  /** Votes it changes: their new checksums, null for a vote that goes. */
  readonly votes: ReadonlyMap<number, Sum | null>;
  readonly generation: number;
}

/**
 * Writes the first meta record. Order of birth: draw all ids, write the descriptor, format.
 *
 * @param folder how the message of a refusal calls the place
 * @param done called once: null when the store is on stable storage, or why not
 */
export function formatStore(
  disk: Disk,
  identity: StoreIdentity,
  folder: string,
  done: (refused: StoreRefused | null) => void,
): void {
  const born = { file: disk.file, incarnation: 0, writeNumber: 1, openings: [] };
  const votes = { votes: 0, votesSum: [0, 0] as const };
  const standing = { kind: "home", move: null } as const;
  const meta = { ...ownerOf(identity), ...born, ...votes, standing };
  if (holdsAnything(disk)) {
    done(alreadyFormatted(folder));
    return;
  }
  const puts = [{ key: META_KEY, bytes: encodeMeta(meta) }];
  disk.commit({ expect: { key: META_KEY, bytes: null }, puts, removes: [] }, (error) => {
    if (error === null) done(null);
    else done(error.kind === "fenced" ? alreadyFormatted(folder) : unwritable(folder, error));
  });
}

/**
 * Opens a formatted store: verifies all of it, then writes the next incarnation.
 *
 * @param folder how the message of a refusal calls the place
 * @param done called once, with the store after its new incarnation is on stable storage (nothing
 *   may leave before), or with why it may not be used
 *
 * Cost: reads every record once.
 */
export function openStore(
  disk: Disk,
  identity: StoreIdentity,
  folder: string,
  done: (result: Store | StoreRefused) => void,
): void {
  let found: Survey;
  try {
    const check = (meta: Meta) => checkIdentity(meta, identity, disk.file, folder);
    found = survey(disk, folder, check, identity.windowMax);
  } catch (error) {
    if (!(error instanceof StoreRefused)) throw error;
    done(error);
    return;
  }
  const { meta } = found;
  const incarnation = meta.incarnation + 1;
  // An opening names the writes before it: a copy made earlier began its own at a lower number than
  // any witness has seen of the original (src/kernel/bus/witness.ts).
  const opening = { incarnation, writeNumber: meta.writeNumber };
  const openings = [...meta.openings, opening].slice(-OPENINGS_MAX);
  const next = { ...meta, incarnation, writeNumber: meta.writeNumber + 1, openings };
  const bytes = encodeMeta(next);
  const expect = { key: META_KEY, bytes: found.bytes };
  disk.commit({ expect, puts: [{ key: META_KEY, bytes }], removes: [] }, (error) => {
    if (error === null) done(new Store(disk, folder, { ...found, meta: next, bytes }));
    else done(error.kind === "fenced" ? fenced(folder) : unwritable(folder, error));
  });
}

/** An open store of one role; made by {@link openStore}. */
export class Store {
  readonly #disk: Disk;
  readonly #folder: string;
  #durable: State;
  /** What stands once everything under way is durable. */
  #latest: State;
  #pending: Pending[] = [];
  /** Grows when what is under way is given up for lack of room. */
  #generation = 0;
  #full: DiskError | null = null;
  #broken: DiskError | null = null;
  #roomBytes = ROOM_BYTES_MIN;
  /** No vote, on disk or under way, is at or above. */
  #votesEnd: number;
  /** No vote, on disk or under way, is below. */
  #votesBegin = 0;
  #trimOwed = 0;
  #records: readonly StoreRecord[];
  readonly #windowMax: number;

  constructor(disk: Disk, folder: string, found: Survey) {
    this.#disk = disk;
    this.#folder = folder;
    // The meta record alone: what else was found would stay in memory until the first commit.
    this.#durable = { meta: found.meta, bytes: found.bytes };
    this.#latest = this.#durable;
    this.#votesEnd = found.votesEnd;
    this.#windowMax = found.windowMax;
    this.#records = found.records;
  }

  /**
   * What it held when it was opened: promise, marks, keys, round, and the latest votes, from
   * `votesReadFrom` on. Older votes stay on disk, for repair.
   */
  get records(): readonly StoreRecord[] {
    return this.#records;
  }

  /**
   * Lets go of {@link records}, which a role that runs has in its memory. Otherwise every key and
   * vote that was found stays as long as the process runs.
   */
  forgetRecords(): void {
    this.#records = [];
  }

  /** The meta record as stable storage has it. */
  get meta(): Meta {
    return this.#durable.meta;
  }

  /** Batches of this store on stable storage, since it was formatted. */
  get durableWriteNumber(): number {
    return this.#durable.meta.writeNumber;
  }

  /**
   * Writes records and forgets old votes, atomically.
   *
   * @param done called exactly once, perhaps before this returns; null when the batch is on stable
   *   storage. After `full` nothing of it was written, nor of the batches asked for behind it, and
   *   the store may be used on (see {@link reload}). After `failed` or `fenced` it refuses all.
   */
  commit(batch: StoreBatch, done: (error: DiskError | null) => void): void {
    if (this.#broken !== null) {
      done(this.#broken);
      return;
    }
    const { puts, removes, votes } = this.#plan(batch);
    const before = this.#latest;
    const meta = this.#metaAfter(before.meta, votes);
    const bytes = encodeNextMeta(before.bytes, meta);
    const pending: Pending = { meta, bytes, votes, generation: this.#generation };
    this.#pending.push(pending);
    this.#latest = pending;
    for (const slot of votes.keys()) {
      this.#votesEnd = Math.max(this.#votesEnd, slot + 1);
      if (votes.get(slot) !== null) this.#votesBegin = Math.min(this.#votesBegin, slot);
    }
    const size = puts.reduce((sum, put) => sum + put.bytes.length, 0);
    this.#disk.commit(
      {
        expect: { key: META_KEY, bytes: before.bytes },
        puts: [...puts, { key: META_KEY, bytes }],
        removes,
      },
      (error) => done(this.#settle(pending, size, error)),
    );
  }

  /**
   * Reads all of it again: for a role whose memory ran ahead of a disk that was full.
   *
   * @throws StoreRefused if it is corrupt, or if another process has opened it since
   */
  reload(): readonly StoreRecord[] {
    const found = survey(this.#disk, this.#folder, () => undefined, this.#windowMax);
    const { bytes, records, votesEnd } = found;
    if (!sameBytes(bytes, this.#durable.bytes)) throw fenced(this.#folder);
    this.#votesEnd = Math.max(this.#votesEnd, votesEnd);
    return records;
  }

  /**
   * Reads the durable votes of from ≤ slot < below.
   *
   * @param bytesMax at most so many bytes of records, but one vote however large it is
   * @returns the votes, and the slot `to` up to which (exclusive) none is left out
   * @throws StoreRefused if one of them is corrupt
   */
  readVotes(
    from: number,
    below: number,
    bytesMax: number,
  ): { readonly votes: readonly SlotVote[]; readonly to: number } {
    const votes: SlotVote[] = [];
    const end = Math.min(below, Number.MAX_SAFE_INTEGER);
    let to = Math.max(from, end);
    let size = 0;
    this.#disk.scan(voteKey(from), voteKey(to), (key, bytes) => {
      const vote = readRecord({ key, bytes }, this.#folder);
      if (vote.kind !== "vote") throw corrupt(this.#folder, "another record is under a vote's key");
      size += bytes.length;
      if (votes.length > 0 && size > bytesMax) {
        to = vote.slot;
        return false;
      }
      const { slot, ballot, digest, value } = vote;
      votes.push({ slot, ballot, digest, value: new Uint8Array(value) });
      return true;
    });
    return { votes, to };
  }

  /** Reads the durable promise for the log; null if none was made. @throws StoreRefused */
  readPromise(): Ballot | null {
    const bytes = this.#disk.get(PROMISE_KEY);
    if (bytes === undefined) return null;
    const record = readRecord({ key: PROMISE_KEY, bytes }, this.#folder);
    if (record.kind !== "promise") throw corrupt(this.#folder, "no promise is under its key");
    return record.ballot;
  }

  /** Says whether a store that was refused room has a chance now. */
  hasRoom(): boolean {
    return this.#broken === null && this.#disk.hasRoom(this.#roomBytes);
  }

  /** What its disk holds, and may hold, in bytes. */
  room(): DiskRoom {
    return this.#disk.room();
  }

  /** Ends its use; what is under way is answered as failed. */
  close(): void {
    this.#broken ??= { kind: "failed", message: `${this.#folder} was closed` };
    this.#disk.close();
  }

  /** Turns records and a trim into puts, removes, and the checksums they change. */
  #plan({ records, trimBelow = 0 }: StoreBatch): {
    puts: RawRecord[];
    removes: Uint8Array[];
    votes: Map<number, Sum | null>;
  } {
    const last = new Map<string, RawRecord>();
    const votes = new Map<number, Sum | null>();
    for (const record of records) {
      if (record.kind === "vote" && record.slot < trimBelow) continue;
      const raw = encodeRecord(record);
      last.set(nameOf(record), raw);
      if (record.kind === "vote") votes.set(record.slot, recordSum(raw.bytes));
    }
    const removes = this.#trim(Math.max(trimBelow, this.#trimOwed), votes);
    return { puts: [...last.values()], removes, votes };
  }

  /** Chooses the votes to forget; notes them in `votes`. */
  #trim(below: number, votes: Map<number, Sum | null>): Uint8Array[] {
    if (below <= this.#votesBegin) return [];
    const slots = new Set<number>();
    for (const pending of this.#pending) {
      for (const slot of pending.votes.keys()) if (slot < below) slots.add(slot);
    }
    this.#disk.scan(voteKey(this.#votesBegin), voteKey(below), (key) => {
      slots.add(slotOfVoteKey(key));
      return slots.size < TRIM_VOTES_MAX;
    });
    const all = slots.size < TRIM_VOTES_MAX;
    const gone = [...slots].filter((slot) => !votes.has(slot) && this.#sumAt(slot) !== null);
    for (const slot of gone) votes.set(slot, null);
    this.#trimOwed = all ? 0 : below;
    if (all) this.#votesBegin = below;
    return gone.map(voteKey);
  }

  /** Returns the checksum of the vote that a slot has after everything under way. */
  #sumAt(slot: number): Sum | null {
    if (slot >= this.#votesEnd) return null;
    const under = this.#pending.findLast(
      ({ generation, votes }) => generation === this.#generation && votes.has(slot),
    );
    if (under !== undefined) return under.votes.get(slot) ?? null;
    const bytes = this.#disk.get(voteKey(slot));
    return bytes === undefined ? null : recordSum(bytes);
  }

  #metaAfter(meta: Meta, changes: ReadonlyMap<number, Sum | null>): Meta {
    let { votes } = meta;
    let sum = meta.votesSum;
    for (const [slot, after] of changes) {
      const before = this.#sumAt(slot);
      votes += (after === null ? 0 : 1) - (before === null ? 0 : 1);
      sum = xor(xor(sum, before), after);
    }
    invariant(votes >= 0, "a store cannot hold fewer than no votes");
    return { ...meta, votes, votesSum: sum, writeNumber: meta.writeNumber + 1 };
  }

  /** Takes in what became of a batch. @returns what its owner is told */
  #settle(pending: Pending, size: number, error: DiskError | null): DiskError | null {
    this.#pending = this.#pending.filter((other) => other !== pending);
    if (this.#broken !== null) return this.#broken;
    const givenUp = pending.generation !== this.#generation;
    if (error === null && !givenUp) {
      this.#durable = pending;
      return null;
    }
    // It stood behind a batch that found no room, so what it expected is not there.
    if (givenUp && error?.kind === "fenced") return this.#full;
    if (error?.kind === "full") {
      this.#roomBytes = Math.max(ROOM_BYTES_MIN, size);
      if (!givenUp) this.#rollBack(error);
      return error;
    }
    const kind = error?.kind ?? "failed";
    const message =
      kind === "fenced" ? fenced(this.#folder).message : failed(this.#folder, error?.message);
    this.#broken = { kind, message };
    return this.#broken;
  }

  /** Gives up everything under way: the next batch stands on what is durable. */
  #rollBack(error: DiskError): void {
    this.#full = error;
    this.#generation++;
    this.#latest = this.#durable;
    this.#votesBegin = 0;
    // A trim that was given up must not happen later: the marks that go with it are not written.
    this.#trimOwed = 0;
  }
}

/** Names a record's key, cheaper than its bytes. */
function nameOf(record: StoreRecord): string {
  if (record.kind === "vote") return `vote ${record.slot}`;
  return record.kind === "key" ? `key ${record.key}` : record.kind;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
