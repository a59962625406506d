/** Envelopes that a test lays out by hand, with the checksum that belongs to them. */
import { Packr } from "msgpackr";
import { seal, UNSEALED } from "../../src/adapters/msgpackr/checksum.js";

const plain = new Packr({ useRecords: false });

/** Packs the elements of an envelope of the wire, and computes the second, its checksum. */
export function packSealed([version, , ...rest]: readonly unknown[]): Uint8Array {
  const bytes = Uint8Array.from(plain.pack([version, UNSEALED, ...rest]));
  seal(bytes);
  return bytes;
}

/** Returns a copy of an envelope of the wire with the checksum of the bytes it has. */
export function resealed(envelope: Uint8Array): Uint8Array {
  const bytes = envelope.slice();
  seal(bytes);
  return bytes;
}
