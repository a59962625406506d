/**
 * Values as MessagePack, exactly: what is read is deep-equal to what was written.
 *
 * Why not msgpackr, which carries our messages: it writes −0 as 0, renames the key `__proto__`, and
 * reads extension types of any sender as live objects (errors, regular expressions).
 *
 * An integer beyond 32 bits is written as a double, so that 64 bits always mean a bigint.
 */
import type { Value } from "./value.js";

/** Deepest nesting of arrays and objects. */
const DEPTH_MAX = 128;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** What cannot be written, in words that name the place. */
export class UnwritableValue extends Error {
  override readonly name = "UnwritableValue";
  readonly reason: "invalid" | "too_large";

  constructor(reason: "invalid" | "too_large", message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Bytes that are no value. */
export class UnreadableValue extends Error {
  override readonly name = "UnreadableValue";
}

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Says whether a text survives UTF-8: it holds no half of a surrogate pair. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

/** Says whether something is bytes, of whichever realm. */
export function isBytes(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === BYTES_TAG;
}

const BYTES_TAG = "[object Uint8Array]";

/** Writes a value. @throws UnwritableValue naming what is wrong and where */
export function encodeMsgpack(value: unknown, bytesMax: number): Uint8Array {
  const writer = new Writer(bytesMax);
  writer.value(value, [], new Set());
  return writer.finish();
}

/** Reads a value. @throws UnreadableValue */
export function decodeMsgpack(bytes: Uint8Array): Value {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  reader.end();
  return value;
}

type Path = readonly (string | number)[];

function invalid(path: Path, what: string): UnwritableValue {
  const where = path.length === 0 ? "the value" : `value${path.map(step).join("")}`;
  return new UnwritableValue("invalid", `${where} is ${what}`);
}

function step(key: string | number): string {
  if (typeof key === "number") return `[${key}]`;
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

class Writer {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  value(value: unknown, path: Path, above: Set<object>): void {
    if (value === null) this.#token(0xc0);
    else if (typeof value === "boolean") this.#token(value ? 0xc3 : 0xc2);
    else if (typeof value === "number") this.#number(value);
    else if (typeof value === "bigint") this.#bigint(value, path);
    else if (typeof value === "string") {
      if (!isWellFormed(value)) throw invalid(path, "a string with half of a surrogate pair");
      this.#text(value);
    } else if (isBytes(value)) {
      this.#unsigned(value.length, [0xc4, 0xc5, 0xc6]);
      this.#raw(value);
    } else if (typeof value === "object") this.#container(value, path, above);
    else throw invalid(path, `of type ${typeof value}: use null, true, 1, "a", 1n, bytes, [], {}`);
  }

  #bigint(value: bigint, path: Path): void {
    if (value < INT64_MIN || value > INT64_MAX) throw invalid(path, "beyond 64 bits");
    this.#put(0xd3, 8, (view, at) => view.setBigInt64(at, value));
  }

  #container(value: object, path: Path, above: Set<object>): void {
    if (above.has(value)) throw invalid(path, "inside itself");
    if (path.length >= DEPTH_MAX) throw invalid(path, `nested deeper than ${DEPTH_MAX}`);
    above.add(value);
    if (Array.isArray(value)) this.#array(value, path, above);
    else this.#object(value, path, above);
    above.delete(value);
  }

  #array(value: readonly unknown[], path: Path, above: Set<object>): void {
    if (Object.keys(value).length !== value.length) {
      throw invalid(path, "an array with holes or properties of its own");
    }
    this.#count(value.length, 0x90, [0xdc, 0xdd]);
    value.forEach((item, index) => {
      this.value(item, [...path, index], above);
    });
  }

  #object(value: object, path: Path, above: Set<object>): void {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === null || Object.getPrototypeOf(prototype) !== null) {
      throw invalid(path, `no plain object (${nameOf(value)})`);
    }
    const all = Object.entries(value);
    if (Reflect.ownKeys(value).length !== all.length) {
      throw invalid(path, "an object with symbols or hidden properties");
    }
    // As JSON does: an optional field of a TypeScript type is often present and undefined.
    const entries = all.filter(([, item]) => item !== undefined);
    this.#count(entries.length, 0x80, [0xde, 0xdf]);
    for (const [key, item] of entries) {
      const inner = [...path, key];
      if (!isWellFormed(key)) throw invalid(inner, "under a key with half of a surrogate pair");
      this.#text(key);
      this.value(item, inner, above);
    }
  }

  #number(value: number): void {
    const isWhole = Number.isInteger(value) && !Object.is(value, -0);
    if (!isWhole || value >= 2 ** 32 || value < -(2 ** 31)) {
      this.#put(0xcb, 8, (view, at) => view.setFloat64(at, value));
    } else if (value >= 0) {
      if (value < 0x80) this.#token(value);
      else this.#unsigned(value, [0xcc, 0xcd, 0xce]);
    } else if (value >= -32) this.#token(0x100 + value);
    else if (value >= -0x80) this.#put(0xd0, 1, (view, at) => view.setInt8(at, value));
    else if (value >= -0x8000) this.#put(0xd1, 2, (view, at) => view.setInt16(at, value));
    else this.#put(0xd2, 4, (view, at) => view.setInt32(at, value));
  }

  #text(value: string): void {
    const bytes = utf8.encode(value);
    if (bytes.length < 32) this.#token(0xa0 | bytes.length);
    else this.#unsigned(bytes.length, [0xd9, 0xda, 0xdb]);
    this.#raw(bytes);
  }

  /** Writes how many items follow. */
  #count(count: number, fixed: number, tokens: readonly [number, number]): void {
    if (count < 16) this.#token(fixed | count);
    else if (count < 0x1_0000) this.#put(tokens[0], 2, (view, at) => view.setUint16(at, count));
    else this.#put(tokens[1], 4, (view, at) => view.setUint32(at, count));
  }

  /** Writes an unsigned number of 8, 16 or 32 bits behind its token. */
  #unsigned(value: number, tokens: readonly [number, number, number]): void {
    if (value < 0x100) this.#put(tokens[0], 1, (view, at) => view.setUint8(at, value));
    else if (value < 0x1_0000) this.#put(tokens[1], 2, (view, at) => view.setUint16(at, value));
    else this.#put(tokens[2], 4, (view, at) => view.setUint32(at, value));
  }

  #token(token: number): void {
    this.#put(token, 0, () => {});
  }

  #raw(bytes: Uint8Array): void {
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** Writes a token and what follows it; growing first, since that replaces the view. */
  #put(token: number, width: number, write: (view: DataView, at: number) => void): void {
    const at = this.#grow(1 + width);
    this.#bytes[at] = token;
    write(this.#view, at + 1);
  }

  #grow(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytesMax) {
      const message = `the value is larger than ${this.#bytesMax} bytes, the cluster's limit`;
      throw new UnwritableValue("too_large", message);
    }
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }
}

function nameOf(value: object): string {
  if (Object.getPrototypeOf(value) === null) return "without a prototype";
  const name: unknown = value.constructor?.name;
  return typeof name === "string" && name !== "" ? name : "of a class";
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new UnreadableValue("bytes after the value");
  }

  value(depth: number): Value {
    if (depth > DEPTH_MAX) throw new UnreadableValue(`nested deeper than ${DEPTH_MAX}`);
    const token = this.#view.getUint8(this.#take(1));
    if (token < 0x80) return token;
    if (token < 0x90) return this.#object(token & 0x0f, depth);
    if (token < 0xa0) return this.#array(token & 0x0f, depth);
    if (token < 0xc0) return this.#text(token & 0x1f);
    if (token >= 0xe0) return token - 0x100;
    return this.#wide(token, depth);
  }

  #wide(token: number, depth: number): Value {
    const view = this.#view;
    switch (token) {
      case 0xc0:
        return null;
      case 0xc2:
      case 0xc3:
        return token === 0xc3;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#blob(this.#unsigned(token - 0xc4));
      case 0xca:
        return view.getFloat32(this.#take(4));
      case 0xcb:
        return view.getFloat64(this.#take(8));
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#unsigned(token - 0xcc);
      case 0xcf:
        return view.getBigUint64(this.#take(8));
      case 0xd0:
        return view.getInt8(this.#take(1));
      case 0xd1:
        return view.getInt16(this.#take(2));
      case 0xd2:
        return view.getInt32(this.#take(4));
      case 0xd3:
        return view.getBigInt64(this.#take(8));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#unsigned(token - 0xd9));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#unsigned(token - 0xdb), depth);
      case 0xde:
      case 0xdf:
        return this.#object(this.#unsigned(token - 0xdd), depth);
      default:
        throw new UnreadableValue(`token ${token.toString(16)} is no value`);
    }
  }

  /** Reads an unsigned number of 8, 16 or 32 bits. */
  #unsigned(width: number): number {
    if (width === 0) return this.#view.getUint8(this.#take(1));
    return width === 1 ? this.#view.getUint16(this.#take(2)) : this.#view.getUint32(this.#take(4));
  }

  #array(count: number, depth: number): Value {
    this.#expect(count);
    const items: Value[] = [];
    for (let i = 0; i < count; i++) items.push(this.value(depth + 1));
    return items;
  }

  #object(count: number, depth: number): Value {
    this.#expect(2 * count);
    const entries: [string, Value][] = [];
    for (let i = 0; i < count; i++) {
      const key = this.value(depth + 1);
      if (typeof key !== "string") throw new UnreadableValue("a key that is no text");
      entries.push([key, this.value(depth + 1)]);
    }
    return Object.fromEntries(entries); // defines `__proto__` like any other key
  }

  #text(length: number): string {
    const at = this.#take(length);
    try {
      return fromUtf8.decode(this.#bytes.subarray(at, at + length));
    } catch {
      throw new UnreadableValue("a text that is not UTF-8");
    }
  }

  #blob(length: number): Uint8Array {
    const at = this.#take(length);
    return new Uint8Array(this.#bytes.subarray(at, at + length));
  }

  #take(count: number): number {
    this.#expect(count);
    const at = this.#at;
    this.#at += count;
    return at;
  }

  /** Says that at least so many bytes must be left. */
  #expect(count: number): void {
    if (count > this.#bytes.length - this.#at) throw new UnreadableValue("the bytes end too early");
  }
}
