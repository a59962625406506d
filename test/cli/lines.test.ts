/**
 * Goal: lines are read byte for byte, however the input was cut.
 * Method: random bytes in random chunks; joined again they are the input.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Line, readLines } from "../../src/cli/lines.js";
import { chosenText, readValue, toJson, valueText } from "../../src/cli/value.js";

async function read(chunks: readonly Uint8Array[], bytesMax = 1000): Promise<Line[]> {
  const input = (async function* () {
    for (const chunk of chunks) yield Buffer.from(chunk);
  })();
  return collect(readLines(input, bytesMax));
}

async function collect(lines: AsyncIterable<Line>): Promise<Line[]> {
  const all: Line[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

function bytesOf(line: Line): Buffer {
  if (line.kind === "line") return line.bytes;
  throw new Error(`line ${line.number} is too long`);
}

/** Bytes with many line breaks. */
const bytes = fc.uint8Array({ maxLength: 40 }).map((some) => some.map((b) => (b < 64 ? 0x0a : b)));

describe("lines", () => {
  it("are the input, cut at line breaks only", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(bytes, { maxLength: 8 }), async (chunks) => {
        const lines = await read(chunks);
        const whole = Buffer.concat(chunks);
        const joined = lines.map((line) =>
          Buffer.concat([bytesOf(line), Buffer.from(line.hasBreak ? "\n" : "")]),
        );
        expect(Buffer.concat(joined).equals(whole)).toBe(true);
        expect(lines.every((line) => !bytesOf(line).includes(0x0a))).toBe(true);
        expect(lines.map(({ number }) => number)).toEqual(lines.map((_, i) => i + 1));
        expect(lines.at(-1)?.end ?? 0).toBe(whole.length);
        expect(lines.slice(0, -1).every((line) => line.hasBreak)).toBe(true);
      }),
    );
  });

  it("that are too long are told, not held", async () => {
    const chunks = [..."aaaa", "b\ncc\n", "ddddd"].map((text) => Buffer.from(text));
    const lines = await read(chunks, 4);
    expect(lines).toMatchObject([
      { kind: "tooLong", number: 1, length: 5, end: 6 },
      { kind: "line", number: 2, bytes: Buffer.from("cc") },
      { kind: "tooLong", number: 3, length: 5, hasBreak: false },
    ]);
    expect(lines.map((line) => "bytes" in line)).toEqual([false, true, false]);
  });
});

describe("values", () => {
  it("are strings where they are UTF-8, else bytes", () => {
    expect(readValue(Buffer.from("ünï"))).toBe("ünï");
    expect(readValue(Buffer.from([0xff]))).toEqual(Buffer.from([0xff]));
    expect(readValue(Buffer.from("\ufeffx"))).toBe("\ufeffx");
  });

  it("are printed as they are, or as JSON", () => {
    const ballot = { round: 1, owner: "p1.0123456789abcdef" };
    const entry = { position: 3, slot: 2, ballot, syncedBy: ["a1"], value: "hi" };
    expect(chosenText(entry, "lines")).toBe("hi");
    expect(chosenText(entry, "json")).toBe('{"position":3,"slot":2,"value":"hi"}');
    expect(chosenText(entry, "terminal")).toContain("position 3, slot 2, ballot 1.p1.0123…");
    expect(valueText({ a: [1n, new Uint8Array([1])] })).toBe('{"a":["1",{"base64":"AQ=="}]}');
    expect(toJson(null)).toBeNull();
  });

  it.each([
    [Number.NaN, "NaN"],
    [Number.POSITIVE_INFINITY, "Infinity"],
    [Number.NEGATIVE_INFINITY, "-Infinity"],
    [-0, "-0"],
  ])("say a number for which JSON has no word beside it: %s", (value, word) => {
    expect(valueText(value)).toBe(`{"number":"${word}"}`);
    expect(valueText({ a: [value, 0, -1.5] })).toBe(`{"a":[{"number":"${word}"},0,-1.5]}`);
    const ballot = { round: 1, owner: "p1.0123456789abcdef" };
    const entry = { position: 3, slot: 2, ballot, syncedBy: ["a1"], value };
    expect(chosenText(entry, "json")).toBe(`{"position":3,"slot":2,"value":{"number":"${word}"}}`);
  });
});
