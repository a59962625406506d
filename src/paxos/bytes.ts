/** Writing and reading the few binary layouts that the rules own: values, commands, records. */

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Texts up to this length are written and read here if they are ASCII: ids and names, of which a
 * busy process reads some hundred thousand a second. The encoders cost a microsecond a call.
 */
const ASCII_MAX = 64;

/** Writes a text of ASCII alone. @returns false if it is not; then what it wrote is garbage */
function putAscii(bytes: Uint8Array, at: number, value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit > 127) return false;
    bytes[at + i] = unit;
  }
  return true;
}

/** Reads a text of ASCII alone; null if it is not. */
function ascii(bytes: Uint8Array, from: number, to: number): string | null {
  let out = "";
  for (let i = from; i < to; i++) {
    const unit = bytes[i] as number;
    if (unit > 127) return null;
    out += String.fromCharCode(unit);
  }
  return out;
}

function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

function u32At(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
  return (low | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)) >>> 0;
}

/** Returns the value of a hexadecimal digit, or −1. */
function nibble(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  if (unit >= 48 && unit <= 57) return unit - 48;
  const letter = unit | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

/** Appends fields to a growing buffer; little endian throughout. */
export class ByteWriter {
  #bytes: Uint8Array;
  #length = 0;

  constructor(capacityBytes = 64) {
    this.#bytes = new Uint8Array(capacityBytes);
  }

  #reserve(count: number): number {
    const at = this.#length;
    const needed = at + count;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#length = needed;
    return at;
  }

  u8(value: number): this {
    const at = this.#reserve(1);
    this.#bytes[at] = value;
    return this;
  }

  u32(value: number): this {
    const at = this.#reserve(4);
    putU32(this.#bytes, at, value);
    return this;
  }

  /** Writes an integer 0 … 2^53 − 1 in 8 bytes. */
  u53(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`${value} is not an integer from 0 to 2^53 − 1`);
    }
    const at = this.#reserve(8);
    putU32(this.#bytes, at, value >>> 0);
    putU32(this.#bytes, at + 4, Math.floor(value / 2 ** 32));
    return this;
  }

  /** Writes a text of at most 255 bytes of UTF-8, with its length. */
  text(value: string): this {
    const at = this.#length;
    if (value.length <= ASCII_MAX) {
      this.#reserve(1 + value.length);
      this.#bytes[at] = value.length;
      if (putAscii(this.#bytes, at + 1, value)) return this;
      this.#length = at;
    }
    const bytes = utf8.encode(value);
    if (bytes.length > 255) throw new RangeError(`a text of ${bytes.length} bytes, 255 at most`);
    return this.u8(bytes.length).raw(bytes);
  }

  /**
   * Writes exactly 2 × `count` hexadecimal digits as bytes, without their length.
   *
   * Why it is strict: a reader takes `count` bytes, so one digit too few would be sealed under a
   * good checksum and still not be readable.
   */
  hex(value: string, count = 16): this {
    if (value.length !== 2 * count) {
      throw new RangeError(`${value.length} hexadecimal digits, ${2 * count} wanted`);
    }
    const at = this.#reserve(count);
    for (let i = 0; i < count; i++) {
      const byte = (nibble(value, 2 * i) << 4) | nibble(value, 2 * i + 1);
      if (byte < 0) throw new RangeError(`"${value}" is not hexadecimal`);
      this.#bytes[at + i] = byte;
    }
    return this;
  }

  /** Writes bytes with their length in front. */
  blob(value: Uint8Array): this {
    return this.u32(value.length).raw(value);
  }

  raw(value: Uint8Array): this {
    const at = this.#reserve(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** Returns what was written so far; what is written afterwards stands behind it. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

/**
 * Thrown when bytes end too early or say what they must not; the reader's caller names the cause.
 */
export class MalformedBytes extends Error {
  override readonly name = "MalformedBytes";
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Reads fields in the order they were written; blobs are views, never copies. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at: number;
  readonly #end: number;

  /** Reads bytes, or the part of them from ≤ at < to. */
  constructor(bytes: Uint8Array, from = 0, to = bytes.length) {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = to;
  }

  /** Where the next field begins. */
  get at(): number {
    return this.#at;
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#end - at) {
      throw new MalformedBytes(`${count} bytes wanted at ${at}, ${this.#end - at} left`);
    }
    this.#at = at + count;
    return at;
  }

  /** Passes over bytes. */
  skip(count: number): void {
    this.#take(count);
  }

  u8(): number {
    return this.#bytes[this.#take(1)] as number;
  }

  u32(): number {
    return u32At(this.#bytes, this.#take(4));
  }

  u53(): number {
    const at = this.#take(8);
    const high = u32At(this.#bytes, at + 4);
    if (high >= 2 ** 21) throw new MalformedBytes("an integer above 2^53 − 1");
    return high * 2 ** 32 + u32At(this.#bytes, at);
  }

  text(): string {
    const length = this.u8();
    const at = this.#take(length);
    const short = length <= ASCII_MAX ? ascii(this.#bytes, at, at + length) : null;
    if (short !== null) return short;
    try {
      return fromUtf8.decode(this.#bytes.subarray(at, at + length));
    } catch {
      throw new MalformedBytes("a text that is not UTF-8");
    }
  }

  hex(count: number): string {
    const at = this.#take(count);
    let out = "";
    for (let i = at; i < at + count; i++) out += HEX[this.#bytes[i] as number];
    return out;
  }

  blob(): Uint8Array {
    const length = this.u32();
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  rest(): Uint8Array {
    const at = this.#take(this.#end - this.#at);
    return this.#bytes.subarray(at, this.#end);
  }

  get left(): number {
    return this.#end - this.#at;
  }
}
