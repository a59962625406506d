/**
 * Room on the file system, taken before LMDB needs it.
 *
 * Why: when LMDB itself runs into a full disk, lmdb 3.5.6 damages its heap (README.md). So the file
 * is made longer by writing zeros, by us, where a refusal is only an error; LMDB then writes over
 * room that is there. It also syncs faster, since no sync has to note a new length.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, statfsSync, writeSync } from "node:fs";
import type { RootDatabase } from "lmdb";

/** Where a page written again stays where it is: ext, xfs, tmpfs. Elsewhere it needs new room. */
const IN_PLACE: ReadonlySet<number> = new Set([0xef53, 0x58465342, 0x01021994]);
/** Pages that LMDB may need beside the records': its list of free pages, and split branches. */
const SLACK_PAGES = 64;
/** Pages of that list that a commit writes again, at most; and page numbers that one page holds. */
const FREED_PAGES = 6;
const FREED_PER_PAGE = 500;
const MARGIN_BYTES = 1024 * 1024;
const ZEROS = new Uint8Array(1024 * 1024);

/** How many pages an LMDB file has, and what they hold. */
export interface Pages {
  readonly size: number;
  /** Number of the last page that was ever used. */
  readonly last: number;
  /** Pages of the records' tree without the values that fill pages of their own. */
  readonly tree: number;
  readonly depth: number;
  /** Pages of the list of free pages. */
  readonly free: number;
  /** Pages that hold anything. */
  readonly used: number;
}

interface Tree {
  readonly treeDepth: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

/** Counts the pages of an open LMDB file, as the last commit left them. */
export function pagesOf(db: RootDatabase<Buffer, Uint8Array>): Pages {
  const stats = db.getStats() as Tree & {
    readonly pageSize: number;
    readonly lastPageNumber: number;
    readonly free: Tree;
  };
  const tree = stats.treeBranchPageCount + stats.treeLeafPageCount;
  const { treeBranchPageCount, treeLeafPageCount, overflowPages } = stats.free;
  const free = treeBranchPageCount + treeLeafPageCount + overflowPages;
  const used = 2 + tree + stats.overflowPages + free;
  const { pageSize: size, lastPageNumber: last, treeDepth: depth } = stats;
  return { size, last, tree, depth, free, used };
}

/**
 * Commits that go by one count of the pages. Counting them takes as long as a quarter of a commit
 * without its sync.
 */
const COUNTED_FOR_COMMITS = 64;

/** What a transaction is to do. */
export interface Load {
  readonly puts: number;
  readonly removes: number;
  /** Of the values, and {@link PUT_BYTES} for each put. */
  readonly bytes: number;
}

/** What LMDB keeps beside a value. */
const PUT_BYTES = 64;

/** Adds up what a batch is to do. */
export function loadOf(puts: readonly { readonly bytes: Uint8Array }[], removes: number): Load {
  const bytes = puts.reduce((sum, put) => sum + put.bytes.length + PUT_BYTES, 0);
  return { puts: puts.length, removes, bytes };
}

/** A count of the pages. */
interface Counted {
  readonly pages: Pages;
  /** What the commits since may have taken from the end of the file. */
  readonly takenPages: number;
  readonly commits: number;
}

/** Keeps the data file longer than the next commit can make it. */
export class Room {
  readonly #bytesMax: number;
  readonly #growBytes: number;
  readonly #path: string;
  readonly #file: number;
  readonly #inPlace: boolean;
  /** The last count; null: count first. */
  #counted: Counted | null = null;
  /** Of the file: nobody else makes it longer, or shorter. */
  #length: number;

  constructor(path: string, bytesMax: number, growBytes: number) {
    this.#path = path;
    this.#bytesMax = bytesMax;
    this.#growBytes = growBytes;
    this.#file = openSync(path, "r+");
    this.#length = fstatSync(this.#file).size;
    this.#inPlace = IN_PLACE.has(statfsSync(path).type);
  }

  /**
   * Makes sure that a batch finds room. To be called inside its transaction, when it is known that
   * nobody else has written the store since the last one.
   *
   * @param count counts the pages; asked for now and then, and before anything is refused
   * @returns null, or what is lacking
   *
   * Details: a batch that removes something is let over `bytesMax`, or a store at its limit could
   * never forget.
   */
  take(count: () => Pages, load: Load): string | null {
    const counted = this.#counted;
    if (counted !== null && counted.commits < COUNTED_FOR_COMMITS) {
      const taken = this.#with(counted, load);
      if (this.#hasEnd(taken, load)) {
        this.#counted = { ...taken, commits: counted.commits + 1 };
        return null;
      }
    }
    const fresh = { pages: count(), takenPages: 0, commits: 0 };
    const taken = this.#with(fresh, load);
    this.#counted = { ...taken, commits: 1 };
    return this.#lacking(taken, load) ?? this.#reach(this.#end(taken));
  }

  /**
   * Makes sure that a later batch will find room. To be called like {@link take}.
   *
   * @param load of that batch, as far as it is known
   */
  reserve(count: () => Pages, load: Load): string | null {
    this.#counted = { pages: count(), takenPages: 0, commits: 0 };
    const taken = this.#with(this.#counted, load);
    return this.#lacking(taken, load) ?? this.#reach(this.#end(taken));
  }

  /** Says, without counting, whether a later batch will surely find room. */
  holds(load: Load): boolean {
    return this.#counted !== null && this.#hasEnd(this.#with(this.#counted, load), load);
  }

  /** Says whether a batch of so many bytes has a chance, without taking anything. */
  has(pages: Pages, bytes: number): boolean {
    const need = (Math.ceil(bytes / pages.size) + slack(pages)) * pages.size;
    if (this.#tooMuch(pages, need)) return false;
    const spare = this.#length - (pages.last + 1) * pages.size;
    const left = this.#available() ?? 0;
    if (this.#inPlace) return left >= need - Math.max(0, spare);
    return left >= need + MARGIN_BYTES;
  }

  /** How full it is: by its own bound, or by what the file system has left. */
  report(pages: Pages): { readonly usedBytes: number; readonly bytesMax: number } {
    const reachable = this.#length + (this.#available() ?? Number.POSITIVE_INFINITY);
    return { usedBytes: pages.used * pages.size, bytesMax: Math.min(this.#bytesMax, reachable) };
  }

  close(): void {
    closeSync(this.#file);
  }

  /** Bytes left; undefined where nobody can say: the folder was renamed or removed meanwhile. */
  #available(): number | undefined {
    try {
      return available(this.#path);
    } catch {
      return undefined;
    }
  }

  #with(counted: Counted, load: Load): Counted {
    return { ...counted, takenPages: counted.takenPages + pagesFor(counted, load) };
  }

  #hasEnd(taken: Counted, load: Load): boolean {
    return this.#lacking(taken, load) === null && this.#end(taken) <= this.#length;
  }

  /** What keeps a batch from being written, other than the length of the file. */
  #lacking({ pages, takenPages }: Counted, { removes }: Load): string | null {
    const need = (takenPages + slack(pages)) * pages.size;
    if (removes === 0 && this.#tooMuch(pages, need)) {
      const used = pages.used * pages.size;
      return `the store holds ${used} bytes and may hold ${this.#bytesMax}`;
    }
    if (this.#inPlace || available(this.#path) >= need + MARGIN_BYTES) return null;
    return "the disk is full";
  }

  /** How long the file must be for what was counted and taken since. */
  #end({ pages, takenPages }: Counted): number {
    return (pages.last + 1 + takenPages + slack(pages)) * pages.size;
  }

  /** Makes the file at least so long, better longer. */
  #reach(end: number): string | null {
    if (end <= this.#length) return null;
    const grown = this.#extend(this.#length, Math.max(end, this.#length + this.#growBytes));
    return grown || this.#extend(this.#length, end) ? null : "the disk is full";
  }

  #tooMuch(pages: Pages, need: number): boolean {
    return pages.used * pages.size + need > this.#bytesMax;
  }

  /** Writes zeros from the end of the file on; gives the room back if there is not enough. */
  #extend(length: number, to: number): boolean {
    try {
      for (let at = length; at < to; ) {
        at += writeSync(this.#file, ZEROS, 0, Math.min(ZEROS.length, to - at), at);
      }
      this.#length = to;
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOSPC" && code !== "EDQUOT" && code !== "EFBIG") throw error;
      ftruncateSync(this.#file, length);
      return false;
    }
  }
}

/** Bounds the pages that a batch can take from the end of the file; generously. */
function pagesFor({ pages, takenPages }: Counted, { puts, removes, bytes }: Load): number {
  const values = Math.ceil(bytes / pages.size) + puts;
  // Each operation copies a path of the tree, but no page of it twice; a put may split one. The
  // tree may have grown since it was counted, by a level too.
  const touched = Math.min((puts + removes) * (pages.depth + 2), pages.tree + takenPages);
  // A commit adds the numbers of the pages that it freed to the list of free pages.
  const freed = FREED_PAGES + Math.ceil((values + touched) / FREED_PER_PAGE);
  return values + touched + 2 * puts + freed;
}

function slack(pages: Pages): number {
  return SLACK_PAGES + pages.free;
}

/**
 * Returns the bytes that a file system has left for this user.
 *
 * Details: one that counts no blocks at all (a tmpfs without a size, ramfs, some network and FUSE
 * file systems) says 0 of 0 free. That is no full disk, and counts as room without end.
 */
export function available(path: string): number {
  const { blocks, bavail, bsize } = statfsSync(path);
  return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize;
}
