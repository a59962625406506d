/**
 * How LMDB names its journal: under a key of the disk's own.
 */
import type { DiskBatch } from "../../kernel/ports.js";
import { DiskRefused } from "./header.js";
import { MARK_BYTES } from "./journal-file.js";

/** Where LMDB says which journal it has. No other key may begin like that. */
export const JOURNAL_KEY = Uint8Array.of(0xff);
/** What a transaction expects while there is no journal. */
export const NO_JOURNAL: DiskBatch["expect"] = { key: JOURNAL_KEY, bytes: null };
const VERSION = 1;

/** Says which journal LMDB has: what is of an earlier generation is in LMDB. */
export function encodeName(mark: Uint8Array, generation: number): Uint8Array {
  const bytes = new Uint8Array(1 + 8 + MARK_BYTES);
  bytes[0] = VERSION;
  new DataView(bytes.buffer).setFloat64(1, generation);
  bytes.set(mark, 9);
  return bytes;
}

/** Reads what {@link encodeName} wrote. @throws DiskRefused */
export function decodeName(bytes: Uint8Array): {
  readonly mark: Uint8Array;
  readonly generation: number;
} {
  if (bytes[0] !== VERSION || bytes.length !== 9 + MARK_BYTES) {
    throw new DiskRefused("damaged", "what it says of its journal cannot be read");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return { mark: bytes.slice(9), generation: view.getFloat64(1) };
}
