/**
 * The head of an LMDB data file, looked at before LMDB does.
 *
 * Why: LMDB trusts its file. Where it finds a bad head lmdb 3.5.6 ends the process instead of
 * throwing, and a page that is cut off is a SIGBUS when it is read.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** A disk that cannot be opened. */
export class DiskRefused extends Error {
  override readonly name = "DiskRefused";
  readonly code: "missing" | "unreadable" | "full" | "damaged" | "unwritable";

  constructor(code: DiskRefused["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A tree of a head page. */
interface Tree {
  readonly flags: number;
  readonly depth: number;
  /** Pages it says it has. */
  readonly pages: bigint;
  readonly root: bigint;
}

/** A head has two of these pages, written in turns: the later one counts. */
interface HeadPage {
  readonly pageBytes: number;
  /** The free pages, and the records. */
  readonly trees: readonly Tree[];
  readonly lastPage: bigint;
  readonly transaction: bigint;
}

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const META_PAGE = 0x08;
/** Where the fields of a head page are. */
const AT = { kind: 18, magic: 24, version: 28, trees: [48, 96], last: 144, transaction: 152 };
const HEAD_BYTES = 160;
/** Root of an empty tree. */
const NO_PAGE = 2n ** 64n - 1n;
const DEPTH_MAX = 32;

/**
 * Checks that LMDB can open a file: that it is one of its own, and all there.
 *
 * @throws DiskRefused if it is damaged; what the system says if it cannot be read and written
 *
 * Details: an empty file is fine, LMDB begins it. The two head pages must be of transactions that
 * follow each other: of a later one that rotted, LMDB would take the earlier, and a store would be
 * set back by one commit. Of the earlier one no more is asked: lmdb 3.5.6, told that a head could
 * not be written, puts back only a part of what was there, and a store would be refused for good.
 */
export function checkHead(path: string): void {
  const file = openSync(path, constants.O_RDWR);
  try {
    const { size } = fstatSync(file);
    if (size === 0) return;
    const first = readHead(file, 0);
    const second = readHead(file, first.pageBytes);
    if (!areTwins(first, second)) {
      throw new DiskRefused("damaged", "the head of its file is damaged");
    }
    const later = first.transaction > second.transaction ? first : second;
    if (!isSound(later)) throw new DiskRefused("damaged", "the head of its file is damaged");
    if ((later.lastPage + 1n) * BigInt(later.pageBytes) > BigInt(size)) {
      throw new DiskRefused("damaged", "its file was cut short");
    }
  } finally {
    closeSync(file);
  }
}

function readHead(file: number, at: number): HeadPage {
  const bytes = new Uint8Array(HEAD_BYTES);
  const read = readSync(file, bytes, 0, HEAD_BYTES, at);
  const view = new DataView(bytes.buffer);
  const page: HeadPage = {
    pageBytes: view.getUint32(AT.trees[0] as number, true),
    trees: AT.trees.map((tree) => readTree(view, tree)),
    lastPage: view.getBigUint64(AT.last, true),
    transaction: view.getBigUint64(AT.transaction, true),
  };
  const isHead =
    read === HEAD_BYTES &&
    (view.getUint16(AT.kind, true) & META_PAGE) !== 0 &&
    view.getUint32(AT.magic, true) === MAGIC &&
    (view.getUint32(AT.version, true) & 0xffff) === DATA_VERSION;
  if (!isHead) throw new DiskRefused("damaged", "its file is not one of LMDB");
  return page;
}

function readTree(view: DataView, at: number): Tree {
  const count = (field: number) => view.getBigUint64(at + field, true);
  return {
    flags: view.getUint16(at + 4, true),
    depth: view.getUint16(at + 6, true),
    pages: count(8) + count(16) + count(24),
    root: count(40),
  };
}

/** What one page can say of itself: sizes, and trees that lie within the file. */
function isSound({ pageBytes, trees, lastPage }: HeadPage): boolean {
  const isSize = pageBytes >= 512 && pageBytes <= 65536 && (pageBytes & (pageBytes - 1)) === 0;
  const used = trees.reduce((sum, { pages }) => sum + pages, 0n);
  const isTree = ({ root, depth, pages }: Tree) =>
    root === NO_PAGE
      ? depth === 0 && pages === 0n
      : root > 1n && root <= lastPage && depth > 0 && depth <= DEPTH_MAX;
  return isSize && used < lastPage + 1n && trees.every(isTree);
}

/** What both pages agree on, and that one follows the other. */
function areTwins(a: HeadPage, b: HeadPage): boolean {
  const apart = a.transaction - b.transaction;
  const sameFlags = a.trees.every(({ flags }, at) => flags === b.trees[at]?.flags);
  return a.pageBytes === b.pageBytes && sameFlags && apart >= -1n && apart <= 1n;
}
