/**
 * Digests: short names of values, and checksums of records.
 *
 * MurmurHash3 x86 128 (Austin Appleby, public domain). It guards against mistakes and rot, not
 * against forgery: a forger on an open server can lie anyway. Why our own code: the
 * rules import no package and no `node:` module, and a digest is part of a rule.
 */

const C1 = 0x239b961b;
const C2 = 0xab0e9789;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93;

function rotl(x: number, r: number): number {
  return (x << r) | (x >>> (32 - r));
}

function mix(h: number): number {
  let x = h ^ (h >>> 16);
  x = Math.imul(x, 0x85ebca6b);
  x ^= x >>> 13;
  x = Math.imul(x, 0xc2b2ae35);
  return x ^ (x >>> 16);
}

/**
 * Bytes are copied here and read as words by one view: two to three times as fast as four single
 * bytes a word, and a view of its own for each input would cost more than a short one takes.
 */
const COPY_BYTES = 16 * 512;
const copy = new Uint8Array(COPY_BYTES);
const words = new DataView(copy.buffer);

/** Reads up to 4 bytes of the tail, as far as it reaches. */
function tailWord(bytes: Uint8Array, at: number): number {
  let k = 0;
  for (let i = Math.min(bytes.length - at, 4) - 1; i >= 0; i--) {
    k = (k << 8) | (bytes[at + i] as number);
  }
  return k;
}

/**
 * Computes the 128-bit hash of the bytes as four unsigned 32-bit words.
 *
 * Cost: O(bytes), without allocation per block.
 */
export function hash128(bytes: Uint8Array, seed = 0): [number, number, number, number] {
  let h1 = seed | 0;
  let h2 = seed | 0;
  let h3 = seed | 0;
  let h4 = seed | 0;
  const blocksEnd = bytes.length - (bytes.length % 16);
  for (let from = 0; from < blocksEnd; from += COPY_BYTES) {
    copy.set(bytes.length <= COPY_BYTES ? bytes : bytes.subarray(from, from + COPY_BYTES));
    const end = Math.min(blocksEnd - from, COPY_BYTES);
    for (let i = 0; i < end; i += 16) {
      h1 ^= Math.imul(rotl(Math.imul(words.getInt32(i, true), C1), 15), C2);
      h1 = (Math.imul((rotl(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0;
      h2 ^= Math.imul(rotl(Math.imul(words.getInt32(i + 4, true), C2), 16), C3);
      h2 = (Math.imul((rotl(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0;
      h3 ^= Math.imul(rotl(Math.imul(words.getInt32(i + 8, true), C3), 17), C4);
      h3 = (Math.imul((rotl(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0;
      h4 ^= Math.imul(rotl(Math.imul(words.getInt32(i + 12, true), C4), 18), C1);
      h4 = (Math.imul((rotl(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0;
    }
  }
  const rest = bytes.length - blocksEnd;
  const at = blocksEnd;
  if (rest > 12) h4 ^= Math.imul(rotl(Math.imul(tailWord(bytes, at + 12), C4), 18), C1);
  if (rest > 8) h3 ^= Math.imul(rotl(Math.imul(tailWord(bytes, at + 8), C3), 17), C4);
  if (rest > 4) h2 ^= Math.imul(rotl(Math.imul(tailWord(bytes, at + 4), C2), 16), C3);
  if (rest > 0) h1 ^= Math.imul(rotl(Math.imul(tailWord(bytes, at), C1), 15), C2);
  return finish(h1, h2, h3, h4, bytes.length);
}

function finish(
  a: number,
  b: number,
  c: number,
  d: number,
  length: number,
): [number, number, number, number] {
  let h1 = a ^ length;
  let h2 = b ^ length;
  let h3 = c ^ length;
  let h4 = d ^ length;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  h1 = mix(h1);
  h2 = mix(h2);
  h3 = mix(h3);
  h4 = mix(h4);
  h1 = (h1 + h2 + h3 + h4) | 0;
  return [h1 >>> 0, (h2 + h1) >>> 0, (h3 + h1) >>> 0, (h4 + h1) >>> 0];
}

/** Character code of a hexadecimal digit, by its value. */
const DIGIT = Uint8Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));

/** The 8 digits of a word; a fifth of what `toString(16)` and `padStart` take. */
function hex(x: number): string {
  return String.fromCharCode(
    DIGIT[x >>> 28] as number,
    DIGIT[(x >>> 24) & 15] as number,
    DIGIT[(x >>> 20) & 15] as number,
    DIGIT[(x >>> 16) & 15] as number,
    DIGIT[(x >>> 12) & 15] as number,
    DIGIT[(x >>> 8) & 15] as number,
    DIGIT[(x >>> 4) & 15] as number,
    DIGIT[x & 15] as number,
  );
}

/** Says whether the 8 characters from `at` on are the digits of a word. */
function isHexAt(text: string, at: number, x: number): boolean {
  for (let i = 0; i < 8; i++) {
    if (text.charCodeAt(at + i) !== DIGIT[(x >>> (28 - 4 * i)) & 15]) return false;
  }
  return true;
}

/**
 * Names a value: 32 hexadecimal digits, equal for equal bytes.
 *
 * Paper: none; PMS sends values whole. Here a value crosses the wire once, in `accept`; votes and
 * announcements name it by ballot, slot and digest.
 */
export function digest(value: Uint8Array): string {
  const [a, b, c, d] = hash128(value);
  return hex(a) + hex(b) + hex(c) + hex(d);
}

/** Says whether a digest is that of a value, without making another one. */
export function isDigestOf(name: string, value: Uint8Array): boolean {
  const [a, b, c, d] = hash128(value);
  return (
    name.length === 32 &&
    isHexAt(name, 0, a) &&
    isHexAt(name, 8, b) &&
    isHexAt(name, 16, c) &&
    isHexAt(name, 24, d)
  );
}
