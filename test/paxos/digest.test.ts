/**
 * Goal: the digest is MurmurHash3 x86 128, and depends on the bytes alone.
 * Method: the verification value of its author's own test suite, known vectors, properties.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { digest, hash128, isDigestOf } from "../../src/paxos/digest.js";

const utf8 = new TextEncoder();

describe("the digest", () => {
  it("passes the verification test of SMHasher (MurmurHash3_x86_128: 0xB3ECE62A)", () => {
    const results = new DataView(new ArrayBuffer(256 * 16));
    const key = new Uint8Array(256).map((_, i) => i);
    for (let i = 0; i < 256; i++) {
      const words = hash128(key.subarray(0, i), 256 - i);
      for (const [at, word] of words.entries()) results.setUint32(i * 16 + at * 4, word, true);
    }
    expect(hash128(new Uint8Array(results.buffer))[0]).toBe(0xb3ece62a);
  });

  it("names values as others' tools name them", () => {
    expect(digest(new Uint8Array())).toBe("0".repeat(32));
    expect(digest(utf8.encode("I will not buy this record, it is scratched."))).toBe(
      "a0a9683b25ac5e40d9af2895890dddf5",
    );
  });

  it.each([
    [8191, "9ae8d017b9a314de70e729e85299c1bc"],
    [8192, "63878554a23c17d928f420195c87283d"],
    [8193, "c31d858f9dad739e26d6fc10e18af16d"],
    [8208, "8f1fa5feeb8f8ce61418b6bf7251ad51"],
    [20001, "32c325b542b42585d8c3558bcfac7c4c"],
  ])("of %i bytes is what an implementation without blocks computed", (length, expected) => {
    const host = Uint8Array.from({ length: length + 5 }, (_, i) => ((i - 3) * (i - 3)) >>> 3);
    expect(digest(host.subarray(3, 3 + length))).toBe(expected);
  });

  it("depends on the bytes, not on where they lie", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat({ max: 5 }), (bytes, offset) => {
        const host = new Uint8Array(bytes.length + 12).fill(7);
        host.set(bytes, offset);
        const view = host.subarray(offset, offset + bytes.length);
        expect(digest(view)).toBe(digest(bytes));
        expect(digest(bytes)).toMatch(/^[0-9a-f]{32}$/);
      }),
    );
  });

  it("changes with every bit, with the length and with the seed", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 80 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (bytes, at, flip) => {
          const other = bytes.slice();
          other[at % bytes.length] = (bytes[at % bytes.length] as number) ^ flip;
          expect(digest(other)).not.toBe(digest(bytes));
          expect(digest(Uint8Array.of(...bytes, 0))).not.toBe(digest(bytes));
          expect(hash128(bytes, 1)).not.toEqual(hash128(bytes));
        },
      ),
    );
  });

  it("writes each word with its leading zeros", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const digits = hash128(bytes).map((word) => word.toString(16).padStart(8, "0"));
        expect(digest(bytes)).toBe(digits.join(""));
      }),
    );
  });

  it("is told from every other text without being made", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        fc.nat({ max: 31 }),
        fc.constantFrom(..."0123456789abcdefABCDEF \u0661"),
        (bytes, at, digit) => {
          const name = digest(bytes);
          const other = name.slice(0, at) + digit + name.slice(at + 1);
          expect(isDigestOf(name, bytes)).toBe(true);
          expect(isDigestOf(other, bytes)).toBe(other === name);
          for (const text of ["", name.slice(1), `${name}0`, name.toUpperCase()]) {
            expect(isDigestOf(text, bytes)).toBe(text === name);
          }
        },
      ),
    );
  });
});
