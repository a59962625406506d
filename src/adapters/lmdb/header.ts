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
  readonly code: "missing" | "full" | "damaged" | "unwritable";

  constructor(code: DiskRefused["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A head has two of these pages, written in turns: the later one counts. */
interface HeadPage {
  readonly pageBytes: number;
  readonly roots: readonly bigint[];
  readonly lastPage: bigint;
  readonly transaction: bigint;
}

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const META_PAGE = 0x08;
/** Page header, and the fields of a head page up to the transaction's number. */
const HEAD_BYTES = 160;
/** Root of an empty tree. */
const NO_PAGE = 2n ** 64n - 1n;

/**
 * Checks that LMDB can open a file: that it is one of its own, and all there.
 *
 * @throws DiskRefused if it is damaged; what the system says if it cannot be read and written
 *
 * Details: an empty file is fine, LMDB begins it. The two head pages must be of transactions that
 * follow each other: of a later one that rotted, LMDB would take the earlier, and a store would be
 * set back by one commit.
 */
export function checkHead(path: string): void {
  const file = openSync(path, constants.O_RDWR);
  try {
    const { size } = fstatSync(file);
    if (size === 0) return;
    const first = readHead(file, 0);
    const second = readHead(file, first.pageBytes);
    const [a, b] = [first.transaction, second.transaction];
    if (second.pageBytes !== first.pageBytes || (a > b ? a - b : b - a) > 1n) {
      throw new DiskRefused("damaged", "the head of its file is damaged");
    }
    const later = a > b ? first : second;
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
    pageBytes: view.getUint32(48, true),
    roots: [view.getBigUint64(88, true), view.getBigUint64(136, true)],
    lastPage: view.getBigUint64(144, true),
    transaction: view.getBigUint64(152, true),
  };
  const isHead =
    read === HEAD_BYTES &&
    (view.getUint16(18, true) & META_PAGE) !== 0 &&
    view.getUint32(24, true) === MAGIC &&
    (view.getUint32(28, true) & 0xffff) === DATA_VERSION;
  const isSound =
    page.pageBytes >= 512 &&
    page.pageBytes <= 65536 &&
    (page.pageBytes & (page.pageBytes - 1)) === 0 &&
    page.roots.every((root) => root === NO_PAGE || root <= page.lastPage);
  if (!isHead) throw new DiskRefused("damaged", "its file is not one of LMDB");
  if (!isSound) throw new DiskRefused("damaged", "the head of its file is damaged");
  return page;
}
