/** Hexadecimal digits as bytes and back: ids and digests travel as half as many bytes. */

const scratch = Buffer.alloc(64);

/** Value of a digit's character code; other characters count as 0. */
const NIBBLE = new Uint8Array(128);
for (let value = 0; value < 16; value++) NIBBLE[value.toString(16).charCodeAt(0)] = value;

/** Writes the bytes of `digits`, an even number of them, into `bytes` from `at` on. */
export function putHex(digits: string, bytes: Uint8Array, at: number): void {
  for (let i = 0; i < digits.length; i += 2) {
    const high = NIBBLE[digits.charCodeAt(i)] as number;
    bytes[at + i / 2] = (high << 4) | (NIBBLE[digits.charCodeAt(i + 1)] as number);
  }
}

/** Returns the bytes of an even number of digits. */
export function hexToBytes(digits: string): Uint8Array {
  const bytes = new Uint8Array(digits.length / 2);
  putHex(digits, bytes, 0);
  return bytes;
}

/**
 * Returns the digits of `count` ≤ 64 bytes from `at` on.
 *
 * Details: 0.1 µs for 16 bytes. Joining digits one by one takes three times that, because the first
 * pattern that looks at the string must flatten it.
 */
export function bytesToHex(bytes: Uint8Array, at: number, count: number): string {
  for (let i = 0; i < count; i++) scratch[i] = bytes[at + i] as number;
  return scratch.toString("hex", 0, count);
}
