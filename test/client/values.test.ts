/**
 * Goal: what is proposed comes back deep-equal, and what could not is refused before it is sent.
 * Method: round trips of arbitrary values; bytes compared with msgpackr's, which others read; cut
 * and mutated bytes; a list of what is no value.
 */
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { Packr, Unpackr } from "msgpackr";
import { describe, expect, it } from "vitest";
import { InvalidError, TooLargeError } from "../../src/client/errors.js";
import { decodeMsgpack, encodeMsgpack, UnreadableValue } from "../../src/client/msgpack.js";
import type { Value } from "../../src/client/value.js";
import { decodeValue, EXACT, encodeValue } from "../../src/client/values.js";

const LIMIT = 1_000_000;

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.constant("\ufeffmark"),
  fc.constant("€\0"),
);
const key = fc.oneof(text, fc.constantFrom("__proto__", "constructor", "toJSON", ""));
const whole = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    2 ** 32 - 1,
    2 ** 32,
    -32,
    -33,
    -129,
    -32_769,
  ),
);

const { value } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom(null, true, false),
    whole,
    fc.double(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    text,
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie("value"), { maxLength: 20 }),
    fc.array(fc.tuple(key, tie("value")), { maxLength: 20 }).map((all) => Object.fromEntries(all)),
  ),
}));

const trip = (given: unknown) => decodeValue(encodeValue(given, LIMIT, EXACT), EXACT);

describe("a value", () => {
  it("comes back deep-equal", () => {
    fc.assert(
      fc.property(value, (given) => {
        expect(isDeepStrictEqual(trip(given), given)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ["bytes as they are", new Uint8Array([0, 255]), "bytes", [0, 255]],
    ["no bytes", new Uint8Array(0), "bytes", []],
    ["a string as UTF-8", "é", "string", [0xc3, 0xa9]],
    ["the rest as MessagePack", { a: [1, null] }, "msgpack", [0x81, 0xa1, 0x61, 0x92, 1, 0xc0]],
    ["a bigint as 64 bits, however small", 5n, "msgpack", [0xd3, 0, 0, 0, 0, 0, 0, 0, 5]],
  ])("is written: %s", (_, given, type, bytes) => {
    expect(encodeValue(given, LIMIT, EXACT)).toEqual({ type, body: Uint8Array.from(bytes) });
  });

  it("loses the fields that are undefined, as in JSON, and nothing else", () => {
    const given = { a: undefined, b: { c: undefined, d: null }, e: [{ f: undefined }] };
    expect(Object.keys(trip(given) as object)).toEqual(["b", "e"]);
    expect(isDeepStrictEqual(trip(given), { b: { d: null }, e: [{}] })).toBe(true);
  });

  it("is not changed by who changes his bytes later", () => {
    const given = new Uint8Array([1]);
    const { body } = encodeValue(given, LIMIT, EXACT);
    given[0] = 2;
    expect(body).toEqual(Uint8Array.of(1));
  });

  it("of many sizes comes back", () => {
    for (const size of [0, 15, 16, 31, 32, 255, 256, 65_535, 65_536, 70_000]) {
      const bytes = new Uint8Array(size).fill(7);
      const array = Array.from({ length: size }, () => 1);
      const object = Object.fromEntries(array.slice(0, 70_000).map((n, at) => [`k${at}`, n]));
      for (const given of [[bytes], ["x".repeat(size)], array, object]) {
        expect(isDeepStrictEqual(trip(given), given)).toBe(true);
      }
    }
  });

  it("is MessagePack that others read and write", () => {
    const packr = new Packr({ useRecords: false });
    const unpackr = new Unpackr({ useRecords: false, int64AsType: "bigint" });
    const given = { a: [1, -1, 1.5, null, true, "é", 2 ** 31, -200], b: new Uint8Array([9]) };
    expect(decodeMsgpack(Uint8Array.from(packr.pack(given)))).toEqual(given);
    const read = unpackr.unpack(encodeMsgpack(given, LIMIT)) as typeof given;
    expect({ ...read, b: new Uint8Array(read.b) }).toEqual(given);
  });
});

class Point {
  x = 1;
}
const loop: unknown[] = [];
loop.push({ loop });
const sparse = [1];
sparse[2] = 3;
let deep: unknown = 1;
for (let depth = 0; depth < 200; depth++) deep = [deep];

describe("what is no value is refused", () => {
  it.each<[string, unknown, string]>([
    ["undefined", undefined, "of type undefined"],
    ["undefined inside", { a: [undefined] }, "value.a[0] is of type undefined"],
    ["a function", () => 1, "of type function"],
    ["a symbol", Symbol("s"), "of type symbol"],
    ["a date", new Date(0), "no plain object (Date)"],
    ["a map", new Map(), "no plain object (Map)"],
    ["another typed array", { "a b": new Uint16Array(1) }, 'value["a b"] is no plain object'],
    ["an instance of a class", new Point(), "no plain object (Point)"],
    ["an object without a prototype", Object.create(null), "without a prototype"],
    ["an object with a symbol", { [Symbol("s")]: 1 }, "symbols or hidden"],
    ["a sparse array", sparse, "holes"],
    ["a bigint beyond 64 bits", [2n ** 63n], "value[0] is beyond 64 bits"],
    ["half of a surrogate pair", "\ud800", "surrogate"],
    ["half of a surrogate pair in a key", { "\udc00": 1 }, "surrogate"],
    ["what holds itself", loop, "inside itself"],
    ["what is too deep", deep, "nested deeper than 128"],
  ])("%s", (_, given, message) => {
    const encode = () => encodeValue(given, LIMIT, EXACT);
    expect(encode).toThrow(InvalidError);
    expect(encode).toThrow(message);
  });

  it("by its size, with the limit in the message", () => {
    for (const given of [new Uint8Array(11), "x".repeat(11), ["x".repeat(11)], [1, 2, 3, 4, 5n]]) {
      const encode = () => encodeValue(given, 10, EXACT);
      expect(encode).toThrow(TooLargeError);
      expect(encode).toThrow(/10/);
    }
    expect(encodeValue("x".repeat(10), 10, EXACT).body.length).toBe(10);
  });
});

describe("bytes of others", () => {
  const bytesOf = (body: readonly number[]) => Uint8Array.from(body);

  it("that are not what their type says come as bytes", () => {
    for (const type of ["string", "json", "msgpack"] as const) {
      const body = bytesOf([0xff, 0xfe]);
      expect(decodeValue({ type, body }, EXACT)).toEqual(body);
    }
    const body = new TextEncoder().encode('{"a":1}');
    expect(decodeValue({ type: "json", body }, EXACT)).toEqual({ a: 1 });
  });

  it.each([
    ["an extension", [0xc7, 1, 1, 0]],
    ["a key that is a number", [0x81, 1, 2]],
    ["a count beyond the bytes", [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ["two values", [1, 2]],
    ["nothing", []],
  ])("are no value: %s", (_, body) => {
    expect(() => decodeMsgpack(bytesOf(body))).toThrow(UnreadableValue);
  });

  it("never throw anything else, however cut or mutated", () => {
    const mutated = fc.tuple(value, fc.nat(), fc.nat({ max: 255 }), fc.nat());
    fc.assert(
      fc.property(mutated, ([given, at, byte, cut]) => {
        const bytes = encodeMsgpack(given, LIMIT);
        bytes[at % bytes.length] = byte;
        try {
          decodeMsgpack(bytes.subarray(0, cut % (bytes.length + 1)));
        } catch (error) {
          expect(error).toBeInstanceOf(UnreadableValue);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
