/**
 * Moving a store to another file: the rules, on any two disks.
 *
 *   target                          source
 *   empty → awaiting(move)                             prepareTarget: the move's name is drawn here
 *             ◀── its records ──    home               copyRecords (once more if it was carried)
 *                                   home → moved(move) leave: one transaction
 *   awaiting(move) → home           moved(move)        arrive: one transaction
 *
 * Holds: of all files in which a store's id stands, at most one is `home`, and only that one opens.
 * Why: a format makes one. `leave` ends it in the transaction that names the move. A target becomes
 * the home only of a source that left under the very move that it awaits. A move is drawn with its
 * target, and the target's standing is bound to its own file, so no second file can await it; and
 * it awaits no more once it is home.
 *
 * So the source may be carried to another machine after it left, by any means and as often as one
 * likes: it is frozen, and one file in the world takes it in, once.
 *
 * A step that was interrupted is done again; none needs to know how far the last one came.
 */
import { hash128 } from "../../paxos/digest.js";
import {
  encodeMeta,
  isVoteKey,
  META_KEY,
  type Meta,
  recordSum,
  type Standing,
} from "../../paxos/wire/record.js";
import type { Disk, DiskBatch } from "../ports.js";
import {
  alreadyFormatted,
  checkIdentity,
  checkOwner,
  fenced,
  ownerOf,
  type StoreIdentity,
  StoreRefused,
  unwritable,
} from "./refusal.js";
import { holdsAnything, readMeta, type Sum, type Survey, survey, xor } from "./survey.js";

/** Records and bytes that one transaction of a copy takes, at least one record. */
const COPY_RECORDS_MAX = 1024;
const COPY_BYTES_MAX = 4 * 1024 * 1024;
/** Hexadecimal digits of a code that find a typing error. */
const CHECK_DIGITS = 8;

/** A disk, and how messages call the place it is in. */
export interface Place {
  readonly disk: Disk;
  readonly folder: string;
}

/** What every step of a move asks of both places. */
export interface MoveOptions {
  readonly identity: StoreIdentity;
  /** Draws 32 hexadecimal digits. */
  readonly draw: () => string;
}

/**
 * Makes an empty place await a store.
 *
 * @returns the name of the move: of an earlier call if the place awaits this store already
 * @throws StoreRefused if it holds any other store
 */
export async function prepareTarget(target: Place, options: MoveOptions): Promise<string> {
  const { disk, folder } = target;
  const { identity } = options;
  if (!holdsAnything(disk)) return awaitStore(target, options);
  const { standing, file } = metaOf(target, identity);
  if (standing.kind === "awaiting" && file === disk.file) return standing.move;
  const isUsable = standing.kind === "home" && file === disk.file;
  if (isUsable) throw alreadyFormatted(folder);
  throw new StoreRefused(
    "already_formatted",
    `${folder} holds a copy of a store, or what one left behind when it moved; that never opens. ` +
      "Remove that folder if the store itself is elsewhere, or name another one",
  );
}

async function awaitStore({ disk, folder }: Place, options: MoveOptions): Promise<string> {
  const move = options.draw();
  const counts = { incarnation: 0, writeNumber: 1, votes: 0, votesSum: [0, 0] as const };
  const standing: Standing = { kind: "awaiting", move };
  const own = { ...ownerOf(options.identity), file: disk.file, standing };
  const bytes = encodeMeta({ ...own, ...counts, openings: [] });
  const puts = [{ key: META_KEY, bytes }];
  await write({ disk, folder }, { expect: { key: META_KEY, bytes: null }, puts, removes: [] });
  return move;
}

/**
 * Ends a store in its file: it never opens there again, whatever becomes of the move.
 *
 * @param move the place that awaits the store: {@link prepareTarget} named it
 * @param to the folder of that place, "" if it is on another machine
 * @param seen what was copied: the store is not ended if it was written since; the store as it is
 *   if left out
 * @throws StoreRefused if it may not be opened here, or has left under another move
 */
export async function leave(
  source: Place,
  identity: StoreIdentity,
  move: { readonly name: string; readonly to: string },
  seen?: Survey,
): Promise<void> {
  const { disk, folder } = source;
  const { standing: before } = metaOf(source, identity);
  if (before.kind === "moved" && before.move === move.name) return;
  const { meta, bytes } = seen ?? survey(disk, folder, () => undefined, identity.windowMax);
  checkIdentity(meta, identity, disk.file, folder);
  const standing: Standing = { kind: "moved", move: move.name, to: move.to };
  const next = encodeMeta({ ...meta, standing, writeNumber: meta.writeNumber + 1 });
  const puts = [{ key: META_KEY, bytes: next }];
  await write(source, { expect: { key: META_KEY, bytes }, puts, removes: [] });
}

/**
 * Takes a store in that left its file, from that file or a copy of it.
 *
 * @throws StoreRefused if the source did not leave for this target, or is not whole
 */
export async function takeIn(source: Place, target: Place, identity: StoreIdentity): Promise<void> {
  const from = metaOf(source, identity).standing;
  if (!holdsAnything(target.disk)) throw awaitsNothing(target.folder);
  const to = metaOf(target, identity);
  if (from.kind !== "moved") {
    throw new StoreRefused(
      "not_moved",
      `${source.folder} holds no store that has left its place: end it there first, with \`synod ` +
        "move ROLE --for CODE`, and carry it here after that",
    );
  }
  if (to.file !== target.disk.file) checkIdentity(to, identity, target.disk.file, target.folder);
  if (to.standing.kind === "home" && to.standing.move === from.move) return;
  if (to.standing.kind !== "awaiting" || to.standing.move !== from.move) {
    throw new StoreRefused(
      "wrong_move",
      `${target.folder} does not await the store that ${source.folder} holds: it left for ` +
        "another place, and may be in use there. Take it in where its code was printed",
    );
  }
  const seen = await copyRecords(source, target, identity);
  await arrive(seen, target, from.move);
}

/** The refusal of a place that was not prepared; not "format it": that would forget promises. */
export function awaitsNothing(folder: string): StoreRefused {
  return new StoreRefused(
    "wrong_move",
    `${folder} awaits no store: prepare it first with \`synod move ROLE --await\`, and end the ` +
      "store where it is for the code that this prints",
  );
}

/**
 * Moves a store from one place to another on one machine. Done again after an interruption, it
 * goes on where that one was; done again after its end, it changes nothing.
 *
 * @throws StoreRefused; nothing has changed for the source unless it says that it was moved
 */
export async function moveStore(source: Place, target: Place, options: MoveOptions): Promise<void> {
  const { identity } = options;
  const before = metaOf(source, identity);
  if (before.standing.kind !== "moved") {
    checkIdentity(before, identity, source.disk.file, source.folder);
    const name = await prepareTarget(target, options);
    // Before the store is ended: a target without room is found while the source can still run.
    const seen = await copyRecords(source, target, identity);
    await leave(source, identity, { name, to: target.folder }, seen);
    await arrive(seen, target, name);
    return;
  }
  if (!holdsAnything(target.disk)) {
    checkIdentity(before, identity, source.disk.file, source.folder);
  }
  await takeIn(source, target, identity);
}

/**
 * Makes a target's records those of a source.
 *
 * @returns what the source holds, verified
 * @throws StoreRefused if it is corrupt, or the target has no room
 */
async function copyRecords(source: Place, target: Place, identity: StoreIdentity): Promise<Survey> {
  const seen = wholeSurvey(source, identity);
  // A copy that was interrupted may have left votes that the source has trimmed since.
  for (let keys = keysFrom(target.disk); keys.length > 0; keys = keysFrom(target.disk)) {
    await writeAwaiting(target, [], keys);
  }
  let from: Uint8Array | null = FIRST_KEY;
  while (from !== null) {
    const batch = recordsFrom(source.disk, from);
    if (batch.puts.length > 0) await writeAwaiting(target, batch.puts, []);
    from = batch.next;
  }
  if (!sameSums(sumsOf(source.disk), sumsOf(target.disk))) throw fenced(source.folder);
  return seen;
}

/** Writes into a target, behind its fence. */
async function writeAwaiting(
  target: Place,
  puts: DiskBatch["puts"],
  removes: DiskBatch["removes"],
): Promise<void> {
  const { meta, bytes } = readMeta(target.disk, target.folder);
  const next = encodeMeta({ ...meta, writeNumber: meta.writeNumber + 1 });
  await write(target, {
    expect: { key: META_KEY, bytes },
    puts: [...puts, { key: META_KEY, bytes: next }],
    removes,
  });
}

/** Makes a target that holds all records the home of the store. */
async function arrive(seen: Survey, target: Place, move: string): Promise<void> {
  const { bytes } = readMeta(target.disk, target.folder);
  const standing: Standing = { kind: "home", move };
  // Above every write of the source, its last one (`leave`) too, so that witnesses see it go on.
  const writeNumber = seen.meta.writeNumber + 2;
  const next = encodeMeta({ ...seen.meta, file: target.disk.file, standing, writeNumber });
  const puts = [{ key: META_KEY, bytes: next }];
  await write(target, { expect: { key: META_KEY, bytes }, puts, removes: [] });
}

/** Reads all of a source. A copy that was damaged on its way can be carried again. */
function wholeSurvey({ disk, folder }: Place, identity: StoreIdentity): Survey {
  try {
    const check = (meta: Meta) => checkOwner(meta, identity, folder);
    return survey(disk, folder, check, identity.windowMax);
  } catch (error) {
    const isCopy = readMeta(disk, folder).meta.file !== disk.file;
    if (!isCopy || !(error instanceof StoreRefused) || error.code !== "corrupt") throw error;
    const message = `${folder} did not arrive whole: carry it here again from where it was`;
    throw new StoreRefused("corrupt", message, { cause: error });
  }
}

/** Reads the meta record of a place. @throws StoreRefused if it is not of this role's store */
function metaOf({ disk, folder }: Place, identity: StoreIdentity): Meta {
  const { meta } = readMeta(disk, folder);
  checkOwner(meta, identity, folder);
  return meta;
}

// --- a code for people -----------------------------------------------------------------------

/** Writes a move as a code that a person carries to the machine that holds the store. */
export function writeMoveCode(move: string, storeId: string): string {
  return `${move}-${checkOf(move, storeId)}`;
}

/**
 * Reads a code.
 *
 * @returns the move; undefined if it is no code for this store. Why that is asked: a store that
 *   left under a mistyped move could never arrive.
 */
export function readMoveCode(code: string, storeId: string): string | undefined {
  const [move = "", check] = code.trim().toLowerCase().split("-");
  return /^[0-9a-f]{32}$/.test(move) && check === checkOf(move, storeId) ? move : undefined;
}

function checkOf(move: string, storeId: string): string {
  const [word] = hash128(new TextEncoder().encode(`${move} ${storeId}`));
  return word.toString(16).padStart(CHECK_DIGITS, "0");
}

// --- records ---------------------------------------------------------------------------------

/** The first key that a record other than meta can have. */
const FIRST_KEY = Uint8Array.of(META_KEY[0] as number, 0);

function write({ disk, folder }: Place, batch: DiskBatch): Promise<void> {
  return new Promise((resolve, reject) => {
    disk.commit(batch, (error) => {
      if (error === null) resolve();
      else reject(error.kind === "fenced" ? fenced(folder) : unwritable(folder, error));
    });
  });
}

function keysFrom(disk: Disk): Uint8Array[] {
  const keys: Uint8Array[] = [];
  disk.scan(FIRST_KEY, null, (key) => keys.push(new Uint8Array(key)) < COPY_RECORDS_MAX);
  return keys;
}

/** Reads as many records as one transaction takes. @returns them, and where the next ones begin */
function recordsFrom(
  disk: Disk,
  from: Uint8Array,
): { readonly puts: { key: Uint8Array; bytes: Uint8Array }[]; readonly next: Uint8Array | null } {
  const puts: { key: Uint8Array; bytes: Uint8Array }[] = [];
  let size = 0;
  let next: Uint8Array | null = null;
  disk.scan(from, null, (key, bytes) => {
    if (puts.length >= COPY_RECORDS_MAX || (puts.length > 0 && size > COPY_BYTES_MAX)) {
      next = new Uint8Array(key);
      return false;
    }
    size += bytes.length;
    // Bytes of a disk are lent until its next commit.
    puts.push({ key: new Uint8Array(key), bytes: new Uint8Array(bytes) });
    return true;
  });
  return { puts, next };
}

interface Sums {
  readonly records: number;
  readonly votes: number;
  readonly sum: Sum;
}

function sumsOf(disk: Disk): Sums {
  let records = 0;
  let votes = 0;
  let sum: Sum = [0, 0];
  disk.scan(FIRST_KEY, null, (key, bytes) => {
    records++;
    if (isVoteKey(key)) votes++;
    sum = xor(sum, recordSum(bytes));
    return true;
  });
  return { records, votes, sum };
}

function sameSums(a: Sums, b: Sums): boolean {
  const sameCounts = a.records === b.records && a.votes === b.votes;
  return sameCounts && a.sum[0] === b.sum[0] && a.sum[1] === b.sum[1];
}
