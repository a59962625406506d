/** Writing and reading the few binary layouts that the rules own: values, commands, records. */

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

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
  #view: DataView;
  #length = 0;

  constructor(capacityBytes = 64) {
    this.#bytes = new Uint8Array(capacityBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  #reserve(count: number): number {
    const at = this.#length;
    const needed = at + count;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#length = needed;
    return at;
  }

  u8(value: number): this {
    const at = this.#reserve(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  /** Writes an integer 0 … 2^53 − 1 in 8 bytes. */
  u53(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`${value} is not an integer from 0 to 2^53 − 1`);
    }
    const at = this.#reserve(8);
    this.#view.setUint32(at, value >>> 0, true);
    this.#view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
    return this;
  }

  /** Writes a text of at most 255 bytes of UTF-8, with its length. */
  text(value: string): this {
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

  /** Returns what was written; the writer must not be used afterwards. */
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
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) {
      throw new MalformedBytes(`${count} bytes wanted at ${at}, ${this.#bytes.length - at} left`);
    }
    this.#at = at + count;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u53(): number {
    const at = this.#take(8);
    const high = this.#view.getUint32(at + 4, true);
    if (high >= 2 ** 21) throw new MalformedBytes("an integer above 2^53 − 1");
    return high * 2 ** 32 + this.#view.getUint32(at, true);
  }

  text(): string {
    const length = this.u8();
    const at = this.#take(length);
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
    const at = this.#take(this.#bytes.length - this.#at);
    return this.#bytes.subarray(at);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }
}
