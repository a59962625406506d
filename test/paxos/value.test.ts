/** Goal: a value opens to what was packed, or to MalformedBytes. Method: fast-check. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MalformedBytes } from "../../src/paxos/bytes.js";
import { encodeBatch, isNoop, NOOP, openValue, VALUE_KIND } from "../../src/paxos/value.js";

const commands = fc.array(fc.uint8Array({ maxLength: 12 }), { maxLength: 6 });

/** Opens bytes; null if they are refused, and nothing else may be thrown. */
function open(bytes: Uint8Array) {
  try {
    return openValue(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(MalformedBytes);
    return null;
  }
}

describe("a value", () => {
  it("opens to the commands that were packed, in order, wherever its bytes lie", () => {
    fc.assert(
      fc.property(commands, fc.nat({ max: 9 }), (packed, offset) => {
        const bytes = encodeBatch(packed);
        const host = new Uint8Array(bytes.length + 10);
        host.set(bytes, offset);
        const view = host.subarray(offset, offset + bytes.length);
        expect(openValue(view)).toEqual({ kind: "batch", commands: packed });
        expect(isNoop(bytes)).toBe(false);
      }),
    );
  });

  it("that is cut off anywhere, or has bytes too many, is refused", () => {
    fc.assert(
      fc.property(commands, fc.nat(), (packed, at) => {
        const bytes = encodeBatch(packed);
        expect(open(bytes.subarray(0, at % bytes.length))).toBeNull();
        expect(open(Uint8Array.of(...bytes, 0))).toBeNull();
      }),
    );
  });

  it("that is damaged opens to something else or is refused, and takes no memory", () => {
    fc.assert(
      fc.property(commands, fc.nat(), fc.nat({ max: 255 }), (packed, at, byte) => {
        const bytes = encodeBatch(packed);
        bytes[at % bytes.length] = byte;
        const value = open(bytes);
        if (value?.kind === "batch") expect(encodeBatch(value.commands)).toEqual(bytes);
      }),
      { numRuns: 500 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 30 }), (bytes) => void open(bytes)));
    expect(open(Uint8Array.of(VALUE_KIND.batch, 255, 255, 255, 255, 0))).toBeNull();
  });

  it("that fills a hole is one byte and holds nothing", () => {
    expect(openValue(NOOP)).toEqual({ kind: "noop" });
    expect(isNoop(NOOP)).toBe(true);
    expect(open(Uint8Array.of(...NOOP, 0))).toBeNull();
    expect(isNoop(Uint8Array.of(...NOOP, 0))).toBe(false);
  });

  it("of a reserved or unknown kind is refused", () => {
    for (let kind = 0; kind < 256; kind++) {
      const known = kind === VALUE_KIND.batch || kind === VALUE_KIND.noop;
      const bytes = kind === VALUE_KIND.batch ? encodeBatch([]) : Uint8Array.of(kind);
      expect(open(bytes) !== null).toBe(known);
    }
  });
});
