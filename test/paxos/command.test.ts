/** Goal: a command reads back as it was written, or as MalformedBytes. Method: fast-check. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MalformedBytes } from "../../src/paxos/bytes.js";
import {
  BODY_TYPES,
  type Command,
  CommandReader,
  commandName,
  decodeCommand,
  decodeTyped,
  encodeCommand,
  encodeTyped,
} from "../../src/paxos/command.js";
import { encodeBatch, placesOf } from "../../src/paxos/value.js";

const session = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => Buffer.from(bytes).toString("hex"));
const name = fc.string({ unit: fc.constantFrom(..."az09_-"), maxLength: 32 });
const number = fc.oneof(
  fc.integer({ min: 1, max: 300 }),
  fc.maxSafeNat().map((n) => n + 1),
);
const numbers = number.filter(Number.isSafeInteger);
const body = fc.uint8Array({ maxLength: 40 });
const type = fc.constantFrom(...BODY_TYPES);

const commands: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ kind: fc.constant("open" as const), session, gateway: name }),
  fc.record({
    kind: fc.constant("request" as const),
    session,
    openedIn: fc.option(fc.maxSafeNat()),
    number: numbers,
    answeredBelow: numbers,
    gateway: name,
    id: fc.string({ unit: "grapheme", maxLength: 20 }).filter((id) => Buffer.byteLength(id) < 256),
    type,
    body,
  }),
  fc.record({
    kind: fc.constant("end" as const),
    session,
    openedIn: fc.maxSafeNat(),
    number: numbers,
    gateway: name,
  }),
);

function read<T>(decode: () => T): T | null {
  try {
    return decode();
  } catch (error) {
    expect(error).toBeInstanceOf(MalformedBytes);
    return null;
  }
}

describe("a command", () => {
  it("reads back as it was written", () => {
    fc.assert(
      fc.property(commands, (command) => {
        expect(decodeCommand(encodeCommand(command))).toEqual({ ...command });
      }),
      { numRuns: 300 },
    );
  });

  it("has these bytes, for ever: it stands in logs", () => {
    const session = "00112233445566778899aabbccddeeff";
    const asked = { session, number: 7, answeredBelow: 6, gateway: "g1", id: "order-1" };
    const body = Uint8Array.of(104, 105);
    const request = { kind: "request", ...asked, type: "string", body } as const;
    const rest = `${session}07000000000000000600000000000000026731076f726465722d31016869`;
    const golden: [Command, string][] = [
      [{ kind: "open", session, gateway: "g1" }, `02${session}026731`],
      [{ ...request, openedIn: 299 }, `052b01000000000000${rest}`],
      [{ ...request, openedIn: null }, `06${rest}`],
      [
        { kind: "end", session, openedIn: 299, number: 8, gateway: "g1" },
        `042b01000000000000${session}0800000000000000026731`,
      ],
    ];
    for (const [command, hex] of golden) {
      expect(Buffer.from(encodeCommand(command)).toString("hex")).toBe(hex);
      const read = decodeCommand(Uint8Array.from(Buffer.from(hex, "hex")));
      expect(read).toEqual(command);
    }
  });

  it("that is cut off before its body is refused", () => {
    fc.assert(
      fc.property(commands, fc.nat(), (command, at) => {
        const bytes = encodeCommand(command);
        const head = bytes.length - (command.kind === "request" ? command.body.length : 0);
        expect(read(() => decodeCommand(bytes.subarray(0, at % head)))).toBeNull();
      }),
    );
  });

  it("that is damaged reads as another or is refused, and throws nothing else", () => {
    fc.assert(
      fc.property(commands, fc.nat(), fc.nat({ max: 255 }), (command, at, byte) => {
        const bytes = encodeCommand(command);
        bytes[at % bytes.length] = byte;
        const damaged = read(() => decodeCommand(bytes));
        if (damaged !== null) expect(decodeCommand(encodeCommand(damaged))).toEqual(damaged);
      }),
      { numRuns: 500 },
    );
    fc.assert(fc.property(body, (bytes) => void read(() => decodeCommand(bytes))));
  });

  it("has a number from 1 on, a type that is known, and nothing after its end", () => {
    const request = {
      kind: "request",
      session: "0".repeat(32),
      openedIn: 5,
      number: 0,
      answeredBelow: 0,
      gateway: "g",
      id: "",
      type: "bytes",
      body: new Uint8Array(),
    } as const;
    expect(() => decodeCommand(encodeCommand(request))).toThrow(/request numbers begin at 1/);
    const bytes = encodeCommand({ ...request, number: 1 });
    bytes[bytes.length - 1] = BODY_TYPES.length;
    expect(() => decodeCommand(bytes)).toThrow(/unknown type/);
    const open = encodeCommand({ kind: "open", session: request.session, gateway: "g" });
    expect(() => decodeCommand(Uint8Array.of(...open, 0))).toThrow(/1 bytes after/);
    expect(() => decodeCommand(Uint8Array.of(9))).toThrow(/unknown kind 9/);
  });
});

describe("the commands of one value", () => {
  it("read one after the other as each reads alone, also where they share texts", () => {
    const few = fc.constantFrom("g1", "g2", "g11", "");
    const sessions = fc.constantFrom("0".repeat(32), `${"0".repeat(31)}1`);
    const shared = fc
      .tuple(commands, sessions, few)
      .map(([command, ours, gateway]): Command => ({ ...command, session: ours, gateway }));
    fc.assert(
      fc.property(fc.array(fc.oneof(shared, commands), { maxLength: 8 }), (all) => {
        const value = encodeBatch(all.map(encodeCommand));
        const reader = new CommandReader(value);
        const read = placesOf(value).map(({ from, to }) => reader.read(from, to));
        expect(read).toEqual(all);
      }),
    );
  });
});

describe("the name of a command", () => {
  it("is that of its copies, and of no other session, opening, number or gateway", () => {
    const request = { kind: "request", session: "a".repeat(32), openedIn: 3, number: 7 } as const;
    const rest = { answeredBelow: 2, gateway: "g1", id: "", type: "bytes" } as const;
    const one = { ...request, ...rest, body: Uint8Array.of(1) };
    const name = (change: Partial<typeof one>) =>
      commandName(encodeCommand({ ...one, ...change } as Command));
    expect(name({ answeredBelow: 5 as never })).toBe(name({}));
    const others = [
      { session: `${"a".repeat(31)}b` },
      { openedIn: null as never },
      { openedIn: 4 as never },
      { number: 8 as never },
      { gateway: "g2" as never },
    ].map(name);
    expect(new Set([name({}), ...others]).size).toBe(others.length + 1);
  });

  it("differs for a hundred thousand commands", () => {
    const names = new Set<number>();
    for (let number = 1; number <= 100_000; number++) {
      const session = (number % 7).toString(16).padStart(32, "0");
      const head = { kind: "request", session, openedIn: number % 5, number } as const;
      const rest = { answeredBelow: 1, gateway: "g1", id: "", type: "bytes" } as const;
      names.add(commandName(encodeCommand({ ...head, ...rest, body: new Uint8Array(0) })));
    }
    expect(names.size).toBe(100_000);
  });
});

describe("a typed value", () => {
  it("reads back as it was written; one of an unknown type is refused", () => {
    fc.assert(
      fc.property(type, body, (given, bytes) => {
        expect(decodeTyped(encodeTyped(given, bytes))).toEqual({ type: given, body: bytes });
      }),
    );
    fc.assert(
      fc.property(body, (bytes) => {
        const known = (bytes[0] ?? BODY_TYPES.length) < BODY_TYPES.length;
        expect(read(() => decodeTyped(bytes)) !== null).toBe(known);
      }),
    );
  });
});
