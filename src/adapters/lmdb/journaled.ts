/**
 * A disk that writes each batch to a journal, and to LMDB now and then.
 *
 * A commit is one write and one sync of the journal. What the journal holds stays in memory, over
 * LMDB, and goes there in one transaction when the journal is full or the disk is closed. A process
 * that died leaves its journal to the next one, which begins with that transaction.
 *
 * Why: for one vote LMDB writes five pages and syncs twice; README.md has the figures.
 */
import { rmSync } from "node:fs";
import type { Disk, DiskBatch, DiskError, DiskRoom } from "../../kernel/ports.js";
import { type Change, Changes, changesOf, sizeOf, writeChanges } from "./changes.js";
import { checkKey, holds, type LmdbDisk, messageOf } from "./disk.js";
import { FIRST_GENERATION, type JournalFile } from "./journal-file.js";
import { encodeName, JOURNAL_KEY, NO_JOURNAL } from "./journal-name.js";

/** Syncs that take so many milliseconds on average run beside the loop; shorter ones in it. */
const BESIDE_FROM_MS = 2;
const IN_PLACE_BELOW_MS = 1;
/** What the last sync counts in the average. */
const LAST_SHARE = 1 / 8;

/** Where syncs run. `measured`: where they cost the process less. */
export type Syncs = "measured" | "in place" | "beside";

/** A batch that waits for its turn. */
interface Waiting {
  readonly expect: DiskBatch["expect"];
  readonly changes: readonly Change[];
  readonly done: (error: DiskError | null) => void;
}

/** A disk with a journal that was just begun; `open.ts` makes it. */
export class JournaledDisk implements Disk {
  readonly #base: LmdbDisk;
  readonly #journal: JournalFile;
  readonly #path: string;
  readonly #mark: Uint8Array;
  readonly #syncs: Syncs;
  /** What LMDB holds as long as no other process has opened the store. */
  #own: DiskBatch["expect"];
  /** What the journal holds, and LMDB does not yet. */
  readonly #changes = new Changes();
  #waiting: Waiting[] = [];
  #isFlushing = false;
  #isSyncing = false;
  #isClosed = false;
  #isReleased = false;
  /** What a sync takes on average. */
  #syncMs = 0;
  #isSlow = false;
  #broken: DiskError | null = null;

  constructor(made: {
    readonly base: LmdbDisk;
    readonly journal: JournalFile;
    readonly path: string;
    readonly mark: Uint8Array;
    readonly syncs: Syncs;
  }) {
    this.#base = made.base;
    this.#journal = made.journal;
    this.#path = made.path;
    this.#mark = made.mark;
    this.#syncs = made.syncs;
    this.#own = { key: JOURNAL_KEY, bytes: encodeName(made.mark, FIRST_GENERATION) };
  }

  get file(): string {
    return this.#base.file;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const change = this.#changes.get(key);
    return change === undefined ? this.#base.get(key) : (change.bytes ?? undefined);
  }

  scan(
    from: Uint8Array,
    to: Uint8Array | null,
    visit: (key: Uint8Array, bytes: Uint8Array) => boolean | undefined,
  ): void {
    const end = to === null || isOwn(to) ? JOURNAL_KEY : to;
    const changes = this.#changes.between(from, end);
    let goesOn = true;
    /** Visits the changes up to a key. @returns whether one of them is that key's */
    const visitChanges = (upTo: Uint8Array | null): boolean => {
      for (let change = changes[0]; goesOn && change !== undefined; change = changes[0]) {
        const order = upTo === null ? -1 : Buffer.compare(change.key, upTo);
        if (order > 0) return false;
        changes.shift();
        if (change.bytes !== null) goesOn = visit(change.key, change.bytes) !== false;
        if (order === 0) return true;
      }
      return false;
    };
    this.#base.scan(from, end, (key, bytes) => {
      const isChanged = visitChanges(key);
      if (goesOn && !isChanged) goesOn = visit(key, bytes) !== false;
      return goesOn;
    });
    visitChanges(null);
  }

  commit(batch: DiskBatch, done: (error: DiskError | null) => void): void {
    for (const { key } of batch.puts) {
      checkKey(key);
      if (isOwn(key)) throw new RangeError(`a key that begins with ${JOURNAL_KEY[0]}`);
    }
    this.#waiting.push({ expect: batch.expect, changes: changesOf(batch), done });
    this.#flush();
  }

  hasRoom(bytes: number): boolean {
    return this.#broken === null && this.#base.hasRoom(bytes + this.#changes.bytes);
  }

  room(): DiskRoom {
    const { usedBytes, bytesMax } = this.#base.room();
    return { usedBytes: usedBytes + this.#changes.bytes, bytesMax };
  }

  close(): void {
    if (this.#broken === null && !this.#isSyncing) this.#end();
    this.#broken ??= { kind: "failed", message: "the disk was closed" };
    this.#isClosed = true;
    this.#base.close();
    this.#release();
  }

  /** Closes the journal once nobody writes it any more. */
  #release(): void {
    if (!this.#isClosed || this.#isSyncing || this.#isReleased) return;
    this.#isReleased = true;
    this.#journal.close();
  }

  /** Leaves all in LMDB: a folder at rest has no journal. */
  #end(): void {
    const all = new Changes();
    all.add(this.#changes.all());
    all.add([{ key: JOURNAL_KEY, bytes: null }]);
    if (this.#base.commitNow({ expect: this.#own, ...all.toBatch() }) !== null) return;
    // Unless another process has begun one meanwhile, under the same name.
    const remove = () => rmSync(this.#path, { force: true });
    this.#base.commitNow({ expect: NO_JOURNAL, puts: [], removes: [] }, remove);
  }

  /** Goes through what waits; a `done` may ask for more meanwhile. @throws what one threw */
  #flush(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    const thrown: unknown[] = [];
    while (!this.#isSyncing && this.#waiting.length > 0) {
      try {
        this.#next();
      } catch (error) {
        // The others are answered all the same.
        thrown.push(error);
      }
    }
    this.#isFlushing = false;
    if (thrown.length > 0) throw thrown[0];
  }

  /** Ends the first that waits, or begins to write it. */
  #next(): void {
    const [first] = this.#waiting;
    if (first === undefined) return;
    const ended = this.#prepare(first);
    if (ended === undefined) this.#write();
    else {
      this.#waiting.shift();
      first.done(ended);
    }
  }

  /**
   * Makes place for a batch in the journal.
   *
   * @returns undefined: it can be written there; otherwise how it ends without that
   */
  #prepare({ expect, changes }: Waiting): DiskError | null | undefined {
    if (this.#broken !== null) return this.#broken;
    if (!holds(this.get(expect.key), expect.bytes)) return FENCED;
    if (!this.#journal.couldHold(sizeOf(changes))) return this.#empty(changes);
    if (this.#hasPlaceFor(changes)) return undefined;
    return this.#empty([]) ?? this.#reserve(changes) ?? undefined;
  }

  /** Writes the first that waits, and those behind it that fit, as one record; then syncs it. */
  #write(): void {
    const changes = [...(this.#waiting[0]?.changes ?? [])];
    const latest = new Changes();
    let count = 1;
    for (const { expect, changes: more } of this.#waiting.slice(1)) {
      if (count === 1) latest.add(changes);
      const change = latest.get(expect.key);
      const found = change === undefined ? this.get(expect.key) : (change.bytes ?? undefined);
      if (!holds(found, expect.bytes) || !this.#hasPlaceFor([...changes, ...more])) break;
      latest.add(more);
      changes.push(...more);
      count++;
    }
    const group = this.#waiting.splice(0, count);
    try {
      this.#journal.write(sizeOf(changes), (body) => writeChanges(changes, body));
    } catch (error) {
      const isFull = (error as NodeJS.ErrnoException).code === "ENOSPC";
      answer(group, this.#failed(error, isFull ? "full" : "failed"));
      return;
    }
    this.#sync((failed) => {
      const error = this.#outcome(failed);
      if (error === null) this.#changes.add(changes);
      answer(group, error);
    });
  }

  /** Says how a group ends whose sync ended. */
  #outcome(failed: Error | null): DiskError | null {
    if (this.#broken !== null) return this.#broken;
    try {
      if (failed !== null) throw failed;
      if (this.#journal.isTaken) this.#broken = FENCED;
      return this.#broken;
    } catch (error) {
      return this.#failed(error, "failed");
    }
  }

  #failed(error: unknown, kind: "full" | "failed"): DiskError {
    const failed = { kind, message: messageOf(error) };
    if (kind === "failed") this.#broken = failed;
    return failed;
  }

  #sync(done: (error: Error | null) => void): void {
    const begunMs = performance.now();
    const isBeside = this.#syncs === "beside" || (this.#syncs === "measured" && this.#isSlow);
    if (!isBeside) {
      const error = this.#journal.sync();
      this.#measure(begunMs);
      done(error);
      return;
    }
    this.#isSyncing = true;
    this.#journal.syncBeside((error) => {
      this.#isSyncing = false;
      this.#measure(begunMs);
      try {
        done(error);
      } finally {
        this.#release();
        this.#flush();
      }
    });
  }

  #measure(begunMs: number): void {
    this.#syncMs += (performance.now() - begunMs - this.#syncMs) * LAST_SHARE;
    if (this.#syncMs > BESIDE_FROM_MS) this.#isSlow = true;
    if (this.#syncMs < IN_PLACE_BELOW_MS) this.#isSlow = false;
  }

  /** Says whether there is place for changes, in the journal and later in LMDB. */
  #hasPlaceFor(changes: readonly Change[]): boolean {
    return this.#journal.canHold(sizeOf(changes)) && this.#reserve(changes) === null;
  }

  /** Takes the room that LMDB will need, so that what the journal holds always finds some. */
  #reserve(changes: readonly Change[]): DiskError | null {
    const removes = changes.filter(({ bytes }) => bytes === null).length;
    const puts = this.#changes.size + changes.length - removes + 1;
    const bytes = this.#changes.bytes + sizeOf(changes);
    return this.#base.reserve(this.#own, { puts, removes, bytes });
  }

  /** Moves what the journal holds to LMDB, and changes with it that no journal could hold. */
  #empty(more: readonly Change[]): DiskError | null {
    const next = encodeName(this.#mark, this.#journal.generation + 1);
    const all = new Changes();
    all.add(this.#changes.all());
    all.add([...more, { key: JOURNAL_KEY, bytes: next }]);
    const error = this.#base.commitNow({ expect: this.#own, ...all.toBatch() });
    if (error !== null) {
      if (error.kind !== "full") this.#broken = error;
      return error;
    }
    this.#own = { key: JOURNAL_KEY, bytes: next };
    this.#changes.clear();
    this.#journal.empty();
    return null;
  }
}

/** Answers all, whatever one of them throws: that is its caller's. */
function answer(group: readonly Waiting[], error: DiskError | null): void {
  const [first, ...rest] = group;
  try {
    first?.done(error);
  } finally {
    if (rest.length > 0) answer(rest, error);
  }
}

const FENCED: DiskError = { kind: "fenced", message: "another process has written this store" };

function isOwn(key: Uint8Array): boolean {
  return key[0] === JOURNAL_KEY[0];
}
