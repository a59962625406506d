/**
 * Goal: what one role writes another reads, and nothing else gets through.
 * Method: round trips of arbitrary messages of every verb; bytes cut, grown and mutated; and the
 * bytes of one example a verb, frozen in a golden file. `UPDATE_GOLDEN=1` records it anew: right
 * for a new verb or a new wire version, wrong for anything else.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { KindGuard, type TObject, type TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import fc from "fast-check";
import { Packr } from "msgpackr";
import { describe, expect, it } from "vitest";
import { createCodec } from "../../src/adapters/msgpackr/codec.js";
import { COHERENT } from "../../src/adapters/msgpackr/coherence.js";
import { isPlain } from "../../src/adapters/msgpackr/plain.js";
import { SCHEMAS, SENDER_SCHEMA } from "../../src/adapters/msgpackr/schema.js";
import type { Envelope, WireFault } from "../../src/kernel/ports.js";
import { configurationName } from "../../src/paxos/cluster.js";
import { type Message, ROLES, type Verb } from "../../src/paxos/wire/messages.js";
import {
  exampleMessages,
  messageArbitrary,
  senderArbitrary,
  VERBS,
} from "../support/arbitraries.js";
import { exampleCluster, exampleSender } from "../support/examples.js";
import { packSealed, resealed } from "../support/sealed.js";

const cluster = exampleCluster();
const codec = createCodec(cluster);
const configuration = configurationName(cluster);
const plain = new Packr({ useRecords: false });

const examples = exampleMessages();
const encodeExample = (verb: Verb): Uint8Array =>
  Uint8Array.from(codec.encode(exampleSender(verb), 2 ** 35, examples[verb]));

const eachVerb = VERBS.map((verb) => [verb] as const);

/** An envelope taken apart: its constant elements, and what the last one holds. */
function apart(bytes: Uint8Array) {
  const constant = plain.unpack(bytes) as unknown[];
  const [writeNumber, lc, body] = constant.pop() as [number, number, unknown[]];
  return { constant, writeNumber, lc, body };
}

const faultOf = (result: Envelope | { fault: WireFault }): WireFault | undefined =>
  "fault" in result ? result.fault : undefined;

describe("a round trip", () => {
  it.each(eachVerb)("%s", (verb) => {
    const cases = fc.tuple(senderArbitrary, fc.maxSafeNat(), messageArbitrary(verb));
    const property = fc.property(cases, ([sender, lc, message]) => {
      const decoded = codec.decode(verb, codec.encode(sender, lc, message));
      expect(decoded).toStrictEqual({ sender, configuration, lc, message });
    });
    fc.assert(property, { numRuns: 60 });
  });

  it("keeps messages apart that are encoded one after the other", () => {
    const all = VERBS.map((verb) => ({
      verb,
      bytes: codec.encode(exampleSender(verb), 1, examples[verb]),
    }));
    for (const { verb, bytes } of all) {
      expect(codec.decode(verb, bytes)).toMatchObject({ message: examples[verb] });
    }
  });

  it("takes a new incarnation of a sender for another sender", () => {
    const sender = exampleSender("prepare");
    const others = [{ incarnation: 4 }, { process: "ff".repeat(8) }, { id: "p9" }];
    for (const change of [...others, { storeId: null }, { writeNumber: 71_000 }]) {
      codec.encode(sender, 1, examples.prepare);
      const bytes = codec.encode({ ...sender, ...change }, 1, examples.prepare);
      expect(codec.decode("prepare", bytes)).toMatchObject({ sender: { ...sender, ...change } });
    }
  });

  it("never begins with a sender that nobody would take", () => {
    for (const change of [{ id: "p".repeat(200) }, { process: "p1" }, { storeId: "B1" }]) {
      const sender = { ...exampleSender("prepare"), ...change };
      expect(() => codec.encode(sender, 1, examples.prepare)).toThrow(TypeError);
    }
  });

  it("copies no value: it is a plain view of the payload", () => {
    const payload = Buffer.from(encodeExample("accept"));
    const { message } = codec.decode("accept", payload) as Envelope;
    const [value] = message.type === "accept" ? message.values : [];
    expect(value?.buffer).toBe(payload.buffer);
    expect(Buffer.isBuffer(value)).toBe(false);
    expect(Object.keys(payload).length).toBe(payload.length);
  });
});

describe("elements at the end of an array", () => {
  it.each(eachVerb)("of %s are ignored when unknown, at every level", (verb) => {
    const bytes = encodeExample(verb);
    const { constant, writeNumber, lc, body } = apart(bytes);
    const more = grow(SCHEMAS[verb], body, ["added", [1, [null]]]);
    const payload = packSealed([...constant, [writeNumber, lc, more, "added"], "added", true]);
    expect(codec.decode(verb, payload)).toStrictEqual(codec.decode(verb, bytes));
    expect(codec.decode(verb, payload)).toMatchObject({ message: examples[verb] });
  });

  it.each(eachVerb)("of %s are missed", (verb) => {
    const { constant, writeNumber, lc, body } = apart(encodeExample(verb));
    const less = [[writeNumber, lc, body.slice(0, -1)], [writeNumber, lc], [], null];
    const payloads = [constant, ...less.map((changing) => [...constant, changing])];
    for (const parts of payloads) {
      expect(codec.decode(verb, packSealed(parts))).toEqual({ fault: "wrong_shape" });
    }
  });

  it("of an array inside are missed", () => {
    const { constant, writeNumber, lc, body } = apart(encodeExample("promise"));
    const votes = (body.at(-1) as unknown[][]).map((vote) => vote.slice(0, -1));
    const payload = packSealed([...constant, [writeNumber, lc, [...body.slice(0, -1), votes]]]);
    expect(codec.decode("promise", payload)).toEqual({ fault: "wrong_shape" });
  });
});

/** Appends `added` to every array that stands for an object. */
function grow(schema: TSchema, wire: unknown, added: readonly unknown[]): unknown {
  if (!Array.isArray(wire)) return wire;
  if (KindGuard.IsArray(schema)) return wire.map((one) => grow(schema.items, one, added));
  if (KindGuard.IsUnion(schema)) {
    const ofKind = schema.anyOf.find(({ properties }) => properties?.kind?.const === wire[0]);
    return grow(ofKind ?? (schema.anyOf[0] as TSchema), wire, added);
  }
  const { kind, ...rest } = (schema as TObject).properties;
  const fields = Object.values(rest).filter((field) => !KindGuard.IsLiteral(field));
  const written = kind === undefined ? fields : [kind, ...fields];
  return [...wire.map((one, i) => grow(written[i] as TSchema, one, added)), ...added];
}

describe("the bytes of a wire version", () => {
  const now = Object.fromEntries(
    VERBS.map((verb) => [verb, Buffer.from(encodeExample(verb)).toString("hex")]),
  );
  const wireVersion = encodeExample("accept")[1] as number;
  const golden = fileURLToPath(new URL(`../golden/messages.v${wireVersion}.json`, import.meta.url));

  it("never change", () => {
    const { UPDATE_GOLDEN } = process.env;
    if (UPDATE_GOLDEN === "1") writeFileSync(golden, `${JSON.stringify(now, null, 2)}\n`);
    expect(now).toEqual(JSON.parse(readFileSync(golden, "utf8")));
  });

  it("are still understood", () => {
    const recorded = JSON.parse(readFileSync(golden, "utf8")) as Record<string, string>;
    for (const verb of VERBS) {
      const payload = Buffer.from(recorded[verb] ?? "", "hex");
      expect(codec.decode(verb, payload)).toMatchObject({ lc: 2 ** 35, message: examples[verb] });
    }
  });

  it("show every role", () => {
    expect(new Set(VERBS.map((verb) => exampleSender(verb).role))).toEqual(new Set(ROLES));
  });
});

describe("damaged bytes", () => {
  it.each(eachVerb)("%s cut anywhere, or one byte too long, is refused", (verb) => {
    const bytes = encodeExample(verb);
    for (let end = 0; end < bytes.length; end++) {
      const fault = end < 2 ? "undecodable" : "wrong_checksum";
      expect(codec.decode(verb, bytes.subarray(0, end))).toEqual({ fault });
      expect(isPlain(bytes.subarray(0, end))).toBe(false);
    }
    const longer = Uint8Array.of(...bytes, 0);
    expect(codec.decode(verb, longer)).toEqual({ fault: "wrong_checksum" });
    expect(codec.decode(verb, resealed(longer))).toEqual({ fault: "undecodable" });
    expect(isPlain(Uint8Array.of(...bytes, 0))).toBe(false);
    expect(isPlain(bytes)).toBe(true);
  });

  it("mutated 20000 times, never throw and never yield what fails its schema", () => {
    const random = randomFrom(20_261_124);
    const pool = VERBS.map((verb) => ({
      verb,
      payloads: fc
        .sample(messageArbitrary(verb), { numRuns: 10, seed: 7 })
        .map((message) => Uint8Array.from(codec.encode(exampleSender(verb), 5, message))),
    }));
    const seen = new Map<string, number>();
    for (let i = 0; i < 20_000; i++) {
      const { verb, payloads } = pool[i % pool.length] as (typeof pool)[number];
      // With the checksum of the mutant: it is the reader's other checks that are tried here.
      const mutant = mutate(payloads[random(payloads.length)] as Uint8Array, random);
      const payload = resealed(mutant);
      const result = codec.decode(verb, payload);
      const outcome = faultOf(result) ?? "message";
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
      if ("message" in result) expect(isSound(verb, result)).toBe(true);
    }
    for (const outcome of ["message", "undecodable", "wrong_shape", "wrong_cluster"]) {
      expect(seen.get(outcome) ?? 0, outcome).toBeGreaterThan(100);
    }
  });
});

/** Checks without the compiled schemas. */
function isSound(verb: Verb, { sender, lc, message }: Envelope): boolean {
  const coherent = COHERENT[verb] as ((message: Message) => boolean) | undefined;
  return (
    message.type === verb &&
    Value.Check(SCHEMAS[verb], message) &&
    Value.Check(SENDER_SCHEMA, sender) &&
    Number.isSafeInteger(lc) &&
    coherent?.(message) !== false
  );
}

/** Integers below a bound, the same ones in every run. */
function randomFrom(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

/** Tokens that change what follows them. */
const tokens = [0x80, 0x90, 0x9f, 0xa1, 0xc0, 0xc1, 0xc4, 0xc6, 0xc7, 0xcb, 0xcf, 0xd4, 0xdc, 0xdd];

function mutate(bytes: Uint8Array, random: (bound: number) => number): Uint8Array {
  const mutant = [...bytes];
  for (let edits = 1 + random(3); edits > 0; edits--) {
    const at = random(mutant.length);
    const kind = random(6);
    if (kind === 0) mutant[at] = tokens[random(tokens.length)] as number;
    else if (kind === 1) mutant.splice(at, 1 + random(3));
    else if (kind === 2) mutant.splice(at, 0, random(256));
    else if (kind === 3) mutant.splice(at, 0, ...mutant.slice(at, at + random(20)));
    else mutant[at] = (mutant[at] as number) ^ (1 << random(8));
  }
  return Uint8Array.from(mutant);
}
