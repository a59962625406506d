/**
 * Changes: what batches did to keys, in memory and as bytes of a journal.
 *
 * As bytes: for each change the length of its key (2 bytes), of its value (4 bytes; all bits set
 * for a key that was removed), the key and the value.
 */
import type { DiskBatch } from "../../kernel/ports.js";

/** A key and what is under it now; null: nothing. */
export interface Change {
  readonly key: Uint8Array;
  readonly bytes: Uint8Array | null;
}

const HEAD_BYTES = 6;
const REMOVED = 0xffffffff;

/** The changes of a batch, in the order in which it makes them. */
export function changesOf({ puts, removes }: DiskBatch): Change[] {
  const changes: Change[] = [...puts];
  for (const key of removes) changes.push({ key, bytes: null });
  return changes;
}

/** The bytes that changes take in a journal. */
export function sizeOf(changes: readonly Change[]): number {
  let size = 0;
  for (const { key, bytes } of changes) size += HEAD_BYTES + key.length + (bytes?.length ?? 0);
  return size;
}

/** Writes changes one behind the other. @param into of the length that {@link sizeOf} says */
export function writeChanges(changes: readonly Change[], into: Buffer): void {
  let at = 0;
  for (const { key, bytes } of changes) {
    into.writeUInt16LE(key.length, at);
    into.writeUInt32LE(bytes?.length ?? REMOVED, at + 2);
    into.set(key, at + HEAD_BYTES);
    at += HEAD_BYTES + key.length;
    if (bytes === null) continue;
    into.set(bytes, at);
    at += bytes.length;
  }
}

/** Reads changes back; the bytes are views of `from`. @throws RangeError if they are cut off */
export function readChanges(from: Buffer): Change[] {
  const changes: Change[] = [];
  const take = (begin: number, length: number): Uint8Array => {
    if (begin + length > from.length) throw new RangeError("a change is cut off");
    return new Uint8Array(from.buffer, from.byteOffset + begin, length);
  };
  for (let at = 0; at < from.length; ) {
    const keyBytes = from.readUInt16LE(at);
    const valueBytes = from.readUInt32LE(at + 2);
    const key = take(at + HEAD_BYTES, keyBytes);
    at += HEAD_BYTES + keyBytes;
    const isRemoved = valueBytes === REMOVED;
    changes.push({ key, bytes: isRemoved ? null : take(at, valueBytes) });
    if (!isRemoved) at += valueBytes;
  }
  return changes;
}

/** What changes add up to: the last one of each key. */
export class Changes {
  readonly #byKey = new Map<string, Change>();
  /** Of all that was added, those included that a later change of their key replaced. */
  #bytes = 0;

  get size(): number {
    return this.#byKey.size;
  }

  /** Bytes of all that was added; at least what they take now. */
  get bytes(): number {
    return this.#bytes;
  }

  add(changes: Iterable<Change>): void {
    for (const change of changes) {
      this.#byKey.set(nameOf(change.key), change);
      this.#bytes += HEAD_BYTES + change.key.length + (change.bytes?.length ?? 0);
    }
  }

  get(key: Uint8Array): Change | undefined {
    return this.#byKey.get(nameOf(key));
  }

  /** All of them, in no order. */
  all(): Iterable<Change> {
    return this.#byKey.values();
  }

  clear(): void {
    this.#byKey.clear();
    this.#bytes = 0;
  }

  /** Those of from ≤ key < to, in order of their keys. */
  between(from: Uint8Array, to: Uint8Array): Change[] {
    return [...this.#byKey.values()]
      .filter(({ key }) => Buffer.compare(key, from) >= 0 && Buffer.compare(key, to) < 0)
      .sort((a, b) => Buffer.compare(a.key, b.key));
  }

  /** What a disk must do to have them. */
  toBatch(): Pick<DiskBatch, "puts" | "removes"> {
    const puts: { readonly key: Uint8Array; readonly bytes: Uint8Array }[] = [];
    const removes: Uint8Array[] = [];
    for (const { key, bytes } of this.#byKey.values()) {
      if (bytes === null) removes.push(key);
      else puts.push({ key, bytes });
    }
    return { puts, removes };
  }
}

/** Names a key in a map. */
function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}
