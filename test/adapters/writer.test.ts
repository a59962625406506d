/**
 * Goal: the writer writes what msgpackr writes, byte for byte, and what it returned stays as it is.
 * Method: arbitrary messages of every kind and size, laid out by both.
 */
import fc from "fast-check";
import { Packr } from "msgpackr";
import { expect, it } from "vitest";
import { PlainWriter } from "../../src/adapters/msgpackr/writer.js";

const packr = new Packr({ useRecords: false });

type Plain = null | boolean | number | string | Uint8Array | readonly Plain[];

function write(value: Plain, out: PlainWriter): void {
  if (value === null) out.nil();
  else if (typeof value === "boolean") out.boolean(value);
  else if (typeof value === "number") out.number(value);
  else if (typeof value === "string") out.text(value);
  else if (value instanceof Uint8Array) out.bytes(value);
  else {
    out.array(value.length);
    for (const one of value) write(one, out);
  }
}

const number = fc.oneof(
  fc.constantFrom(0, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1),
  fc.maxSafeNat(),
  fc.double({ min: 0, noNaN: true }),
);
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 80 }),
  fc.nat({ max: 70_000 }).map((length) => "é".repeat(length)),
);
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.nat({ max: 70_000 }).map((length) => new Uint8Array(length).fill(length)),
);
const leaf = fc.oneof(fc.constant(null), fc.boolean(), number, text, bytes);
const { plain } = fc.letrec<{ plain: Plain }>((tie) => ({
  plain: fc.oneof({ depthSize: "small" }, leaf, fc.array(tie("plain"), { maxLength: 20 })),
}));
const head = fc.uint8Array({ maxLength: 120 });

it("writes what msgpackr writes, and leaves earlier messages alone", () => {
  const out = new PlainWriter();
  const kept: { readonly message: Uint8Array; readonly bytes: Uint8Array }[] = [];
  const property = fc.property(head, plain, (start, value) => {
    out.begin(start);
    write(value, out);
    const message = out.end();
    const expected = Buffer.concat([start, packr.pack(value)]);
    expect(Buffer.compare(message, expected)).toBe(0);
    kept.push({ message, bytes: expected });
  });
  fc.assert(property, { numRuns: 50 });
  for (const { message, bytes } of kept) expect(Buffer.compare(message, bytes)).toBe(0);
});

it.each([15, 16, 65_535, 65_536])("writes the header of an array of %i", (count) => {
  const out = new PlainWriter();
  out.begin(new Uint8Array(0));
  write(new Array<null>(count).fill(null), out);
  expect(Buffer.compare(out.end(), packr.pack(new Array(count).fill(null)))).toBe(0);
});

it("writes hexadecimal digits as their bytes", () => {
  const out = new PlainWriter();
  const lists = fc.array(fc.uint8Array({ minLength: 16, maxLength: 16 }), { maxLength: 40 });
  const property = fc.property(lists, (list) => {
    const digits = list.map((one) => Buffer.from(one).toString("hex"));
    out.begin(new Uint8Array(0));
    out.hexList(digits, 16);
    for (const one of digits) out.hex(one);
    const packed = [Buffer.concat(list), ...list].map((one) => packr.pack(one));
    expect(Buffer.compare(out.end(), Buffer.concat(packed))).toBe(0);
  });
  fc.assert(property);
});

it("goes on after a message that it could not write", () => {
  const out = new PlainWriter();
  out.begin(Uint8Array.of(1));
  expect(() => out.bytes(undefined as unknown as Uint8Array)).toThrow(TypeError);
  out.begin(Uint8Array.of(2));
  out.number(3);
  expect([...out.end()]).toEqual([2, 3]);
});
