/**
 * Writes the part of MessagePack that our messages are made of: nil, booleans, numbers, ASCII
 * texts, bytes and arrays, each in its shortest form.
 *
 * Why not msgpackr: it asks of each bin whether it is a date, a set, an error and so on, and wants
 * the message laid out in arrays first. That took two thirds of the time to encode a message.
 */
import { putHex } from "./hex.js";

/** Bytes of a buffer that messages share. */
const slabBytes = 32_768;
/** What a header, a number or a short text takes at most. */
const smallBytes = 33;
/** A text below this has its length in its token. */
const shortText = 0x20;

/** One message at a time: `begin`, what it holds, `end`. */
export class PlainWriter {
  #slab = Buffer.alloc(0);
  /** Where the present message begins. */
  #start = 0;
  #at = 0;

  /** Begins a message with bytes that are MessagePack already. */
  begin(head: Uint8Array): void {
    this.#start = this.#at;
    this.#raw(head);
  }

  /** Ends it. @returns a view of a buffer that other messages share */
  end(): Uint8Array {
    const { buffer, byteOffset } = this.#slab;
    return new Uint8Array(buffer, byteOffset + this.#start, this.#at - this.#start);
  }

  /** Writes the header of an array; its elements follow. */
  array(count: number): void {
    this.#reserve(smallBytes);
    if (count < 0x10) this.#slab[this.#at++] = 0x90 | count;
    else if (count < 0x10000) this.#token(0xdc, count, 2);
    else this.#token(0xdd, count, 4);
  }

  nil(): void {
    this.#reserve(smallBytes);
    this.#slab[this.#at++] = 0xc0;
  }

  boolean(value: boolean): void {
    this.#reserve(smallBytes);
    this.#slab[this.#at++] = value ? 0xc3 : 0xc2;
  }

  /** Writes a whole number from 0 to 2^32 − 1 as one, any other number as a float64. */
  number(value: number): void {
    this.#reserve(smallBytes);
    if (value >>> 0 !== value) {
      this.#slab[this.#at] = 0xcb;
      this.#at = this.#slab.writeDoubleBE(value, this.#at + 1);
    } else if (value < 0x80) this.#slab[this.#at++] = value;
    else if (value < 0x100) this.#token(0xcc, value, 1);
    else if (value < 0x10000) this.#token(0xcd, value, 2);
    else this.#token(0xce, value, 4);
  }

  /** Writes a text, as UTF-8; no reader takes one that is not ASCII. */
  text(value: string): void {
    const { length } = value;
    if (length >= shortText) {
      this.#longText(value);
      return;
    }
    this.#reserve(smallBytes);
    const at = this.#at;
    this.#slab[at] = 0xa0 | length;
    let all = 0;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      all |= code;
      this.#slab[at + 1 + i] = code;
    }
    if (all < 0x80) this.#at += 1 + length;
    else this.#longText(value);
  }

  bytes(value: Uint8Array): void {
    this.#bin(value.length);
    this.#raw(value);
  }

  /** Writes hexadecimal digits, two for each byte, as a bin. */
  hex(digits: string): void {
    const width = digits.length / 2;
    this.#bin(width);
    this.#digits(digits, width);
  }

  /** Writes texts of hexadecimal digits, all of `width` bytes, as one bin. */
  hexList(all: readonly string[], width: number): void {
    this.#bin(all.length * width);
    for (const digits of all) this.#digits(digits, width);
  }

  #digits(digits: string, width: number): void {
    this.#reserve(width);
    putHex(digits, this.#slab, this.#at);
    this.#at += width;
  }

  #longText(value: string): void {
    const bytes = Buffer.from(value);
    this.#reserve(smallBytes);
    if (bytes.length < shortText) this.#slab[this.#at++] = 0xa0 | bytes.length;
    else if (bytes.length < 0x100) this.#token(0xd9, bytes.length, 1);
    else if (bytes.length < 0x10000) this.#token(0xda, bytes.length, 2);
    else this.#token(0xdb, bytes.length, 4);
    this.#raw(bytes);
  }

  #bin(length: number): void {
    this.#reserve(smallBytes);
    if (length < 0x100) this.#token(0xc4, length, 1);
    else if (length < 0x10000) this.#token(0xc5, length, 2);
    else this.#token(0xc6, length, 4);
  }

  #token(token: number, value: number, width: number): void {
    this.#slab[this.#at++] = token;
    for (let shift = 8 * (width - 1); shift >= 0; shift -= 8) {
      this.#slab[this.#at++] = value >>> shift;
    }
  }

  #raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#slab.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Makes room; what the present message has so far moves along, and earlier ones stay. */
  #reserve(count: number): void {
    if (this.#at + count <= this.#slab.length) return;
    const written = this.#slab.subarray(this.#start, this.#at);
    const needed = written.length + count;
    this.#slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, 2 * needed));
    this.#slab.set(written);
    this.#start = 0;
    this.#at = written.length;
  }
}
