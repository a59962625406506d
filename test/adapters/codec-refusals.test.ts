/**
 * Goal: a payload is refused under the right name, before an actor sees it.
 * Method: hand-written payloads inside an otherwise correct envelope, and messages whose fields do
 * not fit each other.
 */
import { Packr } from "msgpackr";
import { describe, expect, it } from "vitest";
import { createCodec } from "../../src/adapters/msgpackr/codec.js";
import { type Cluster, configurationName } from "../../src/paxos/cluster.js";
import { digest } from "../../src/paxos/digest.js";
import { DEFAULT_LIMITS } from "../../src/paxos/limits.js";
import type { Message, MessageOf, Verb } from "../../src/paxos/wire/messages.js";
import { exampleCluster, exampleMessages, exampleSender } from "../support/examples.js";
import { packSealed, resealed } from "../support/sealed.js";

const cluster = exampleCluster();
const sender = exampleSender("prepare");
const codec = createCodec(cluster);
const examples = exampleMessages();
const plain = new Packr({ useRecords: false });
const rich = new Packr({ useRecords: false, moreTypes: true });

const MAX = Number.MAX_SAFE_INTEGER;
const ballot = [17, "p2.0123456789abcdef"];

/** Elements of a correct envelope in front of the last. */
const constant = (plain.unpack(codec.encode(sender, 1, examples.prepare)) as unknown[]).slice(
  0,
  -1,
);

/** A correct envelope around these bytes. */
function around(raw: readonly number[] | Uint8Array): Uint8Array {
  const start = packSealed([...constant, 0]).subarray(0, -1);
  return resealed(Uint8Array.of(...start, 0x93, 7, 1, ...raw));
}

const decode = (verb: string, bytes: Uint8Array) => codec.decode(verb, bytes);
const rawText = (text: string): number[] => [...Buffer.from(text)];

describe("bytes that are not the MessagePack we speak are undecodable", () => {
  const record = [0xd4, 0x72, 0x40, ...plain.pack(["a"]), 1];
  const cases: [string, readonly number[]][] = [
    ["no body", []],
    ["an array said to have 2^32 − 1 elements", [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ["an array of 65535 elements, one there", [0xdc, 0xff, 0xff, 1]],
    ["4 GiB of bytes", [0xc6, 0xff, 0xff, 0xff, 0xff, 1]],
    ["a text of 4 GiB", [0xdb, 0xff, 0xff, 0xff, 0xff, 0x61]],
    ["a length cut off", [0xc6, 0xff, 0xff]],
    ["arrays nested 17 deep", [...new Array<number>(14).fill(0x91), 0x90]],
    ["arrays nested 100000 deep", new Array<number>(100_000).fill(0x91)],
    ["an Error", [...rich.pack(new Error("x"))]],
    ["a RegExp", [...rich.pack(/x/)]],
    ["a Set", [...rich.pack(new Set([1]))]],
    ["a typed array", [...rich.pack(new Float64Array(1))]],
    ["a Date", [...rich.pack(new Date(0))]],
    ["a large bigint", [...rich.pack(2n ** 70n)]],
    ["undefined", [...rich.pack(undefined)]],
    ["a record defined inline", record],
    ["an extension nobody knows", [0xc7, 1, 0x33, 0]],
    ["bundled strings", [0xd6, 0x62, 0, 0, 0, 0]],
    ["a map", [0x81, 0xa1, 0x61, 1]],
    ["a large map", [0xdf, 0, 0, 0, 0]],
    ["a map with __proto__", [0x81, 0xa9, ...rawText("__proto__"), 0x80]],
    ["0xc1", [0xc1]],
    ["a text that is not ASCII", [0xa2, 0xc3, 0x28]],
  ];

  it.each(cases)("%s", (_, raw) => {
    expect(decode("prepare", around(raw))).toEqual({ fault: "undecodable" });
    // Where an element that nobody knows may stand, too.
    const elements = [...plain.pack(ballot), 5];
    expect(decode("prepare", around([0x93, ...elements, ...raw]))).toEqual({
      fault: "undecodable",
    });
  });

  it("no bytes, and a buffer that was given away", () => {
    expect(decode("prepare", new Uint8Array(0))).toEqual({ fault: "undecodable" });
    const bytes = Uint8Array.from(around([0x90]));
    structuredClone(bytes, { transfer: [bytes.buffer] });
    expect(decode("prepare", bytes)).toEqual({ fault: "undecodable" });
  });

  it("nested 16 deep is still read", () => {
    const deep = [...new Array<number>(12).fill(0x91), 0x90];
    const body = [0x93, ...plain.pack(ballot), 5, ...deep];
    expect(decode("prepare", around(body))).toHaveProperty("message.fromSlot", 5);
  });
});

describe("values out of bounds are of wrong shape", () => {
  const prepare = (round: readonly number[], slot: readonly number[]): Uint8Array =>
    around([0x92, 0x92, ...round, ...plain.pack(ballot[1]), ...slot]);
  const cases: [string, Uint8Array][] = [
    ["slot 2^64 − 1", prepare([1], [0xcf, ...new Array<number>(8).fill(0xff)])],
    ["slot 2^53", prepare([1], [0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0])],
    ["slot 2^53 + 1", prepare([1], [0xcf, 0, 0x20, 0, 0, 0, 0, 0, 1])],
    ["slot −2^63", prepare([1], [0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0])],
    ["slot −1", prepare([1], [0xff])],
    ["slot 1.5", prepare([1], [...plain.pack(1.5)])],
    ["slot NaN", prepare([1], [...plain.pack(Number.NaN)])],
    ["slot ∞", prepare([1], [...plain.pack(Number.POSITIVE_INFINITY)])],
    ["slot true", prepare([1], [0xc3])],
    ["slot nil", prepare([1], [0xc0])],
    ["slot a text", prepare([1], [0xa1, 0x31])],
    ["round 0", prepare([0], [1])],
    ["round nil", prepare([0xc0], [1])],
    ["a body that is bytes", around([0xc4, 1, 0])],
    ["a body that is nil", around([0xc0])],
    ["an envelope that is a number", Uint8Array.of(1)],
    ["a ballot that is a number", around([0x92, 1, 1])],
    ["an owner in capitals", around(plain.pack([[1, "P1.0123456789abcdef"], 1]))],
    ["an owner without a nonce", around(plain.pack([[1, "p1"], 1]))],
  ];

  it.each(cases)("%s", (_, payload) => {
    expect(decode("prepare", payload)).toEqual({ fault: "wrong_shape" });
  });

  it("uint64 of the largest slot is read", () => {
    const slot = [0xcf, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    expect(decode("prepare", prepare([1], slot))).toHaveProperty("message.fromSlot", MAX);
  });

  const senders: [string, number, unknown][] = [
    ["a role nobody has", 5, 99],
    ["a role by its name", 5, "proposer"],
    ["an id with a dot", 6, "p.1"],
    ["an id of 33 characters", 6, "p".repeat(33)],
    ["a store id of 15 bytes", 7, new Uint8Array(15)],
    ["a store id as text", 7, "b1".repeat(16)],
    ["incarnation −1", 8, -1],
    ["a process of 7 bytes", 9, new Uint8Array(7)],
    ["a cluster id as text", 2, cluster.clusterId],
    ["no hash", 4, null],
  ];

  it.each(senders)("the sender: %s", (_, at, value) => {
    const parts = constant.map((element, i) => (i === at ? value : element));
    const payload = packSealed([...parts, [7, 1, [ballot, 5]]]);
    expect(decode("prepare", payload)).toEqual({ fault: "wrong_shape" });
  });

  it.each([[[-1, 1]], [[7, -1]], [[7, 1.5]], [[7, MAX + 1]], [[null, 1]]])(
    "write number and clock %j",
    (numbers) => {
      const payload = packSealed([...constant, [...numbers, [ballot, 5]]]);
      expect(decode("prepare", payload)).toEqual({ fault: "wrong_shape" });
    },
  );

  it("texts that are not UTF-8, or too long in bytes", () => {
    const prepareKey = (key: Uint8Array): Uint8Array => around(plain.pack([key, ballot]));
    for (const bytes of [
      [0xff],
      [0xed, 0xa0, 0x80],
      [0xc0, 0x80],
      [],
      Buffer.from("☃".repeat(334)),
    ]) {
      const payload = prepareKey(Uint8Array.from(bytes));
      expect(decode("key-prepare", payload)).toEqual({ fault: "wrong_shape" });
    }
    const longest = prepareKey(Buffer.from("☃".repeat(333)));
    expect(decode("key-prepare", longest)).toHaveProperty("message.key", "☃".repeat(333));
  });

  it("an outcome of unknown kind, and one without", () => {
    for (const outcome of [["lost", new Uint8Array(16)], [], "done", null, ["__proto__"]]) {
      const payload = around(plain.pack(["l1", 5, [outcome]]));
      expect(decode("outcomes", payload)).toEqual({ fault: "wrong_shape" });
    }
  });

  it("digests that are not whole", () => {
    for (const bytes of [15, 17]) {
      const payload = around(
        plain.pack([new Uint8Array(1).fill(65), ballot, new Uint8Array(bytes)]),
      );
      expect(decode("key-accepted", payload)).toEqual({ fault: "wrong_shape" });
    }
    const body = [ballot, 5, new Uint8Array(17), [Uint8Array.of(2)], 0, []];
    expect(decode("accept", around(plain.pack(body)))).toEqual({ fault: "wrong_shape" });
  });
});

describe("fields that do not fit each other are of wrong shape", () => {
  const { accept, promise, votes, entries, request, hello } = examples;
  const other = digest(Uint8Array.of(9));
  const [vote] = promise.votes;
  const change = <V extends Verb>(verb: V, fields: Partial<MessageOf<V>>): [Verb, Message] => [
    verb,
    { ...examples[verb], ...fields } as Message,
  ];
  const cases: [string, [Verb, Message]][] = [
    ["a digest of another value", change("accept", { digests: [...accept.digests].reverse() })],
    ["fewer digests", change("accept", { digests: accept.digests.slice(1) })],
    ["fewer values", change("accept", { values: accept.values.slice(1) })],
    ["nothing to accept", change("accept", { digests: [], values: [] })],
    ["slots beyond the last", change("accept", { firstSlot: MAX - 1 })],
    ["an empty range", change("accept", { chosen: [{ ...accept.chosen[0]!, to: 7 }] })],
    ["an empty range", change("chosen", { ranges: [{ ...accept.chosen[0]!, from: 9 }] })],
    ["another digest", change("key-accept", { digest: other })],
    ["another digest", change("key-chosen", { digest: other })],
    ["257 voters", change("key-chosen", { syncedBy: new Array<string>(257).fill("a1") })],
    ["another digest", change("key-promise", { vote: { ...vote!, digest: other } })],
    ["another digest", change("promise", { votes: [{ ...vote!, digest: other }] })],
    ["another digest", change("votes", { votes: [{ ...votes.votes[0]!, digest: other }] })],
    ["part 2 of 2", change("promise", { part: 2 })],
    ["trimmed above chosen", change("promise", { trimmed: 8 })],
    ["a vote below the watermark", change("promise", { votes: [{ ...vote!, slot: 6 }] })],
    ["a vote outside", change("votes", { votes: [{ ...votes.votes[0]!, slot: 9 }] })],
    ["an entry outside", change("entries", { entries: [{ ...entries.entries[0]!, slot: 6 }] })],
    ["from above to", change("entries", { entries: [], from: 10 })],
    ["from above to", change("votes", { votes: [], from: 10 })],
    ["nothing asked for", change("repair", { from: 9 })],
    ["openings backwards", change("hello", { openings: [...hello.openings].reverse() })],
    ["an opening twice", change("hello", { openings: [hello.openings[0]!, hello.openings[0]!] })],
    [
      "writes undone",
      change("hello", { openings: [{ incarnation: 1, writeNumber: 5 }, opened(2)] }),
    ],
    ["33 openings", change("hello", { openings: openings(33) })],
    ["a number left out", change("request", { requests: numbered(6, 8) })],
    ["a number twice", change("request", { requests: numbered(6, 6) })],
    ["a number that is answered", change("request", { answeredBelow: 7 })],
    ["no request", change("request", { requests: [] })],
    ["an id of 256 bytes", change("request", { requests: [{ ...first(), id: "ß".repeat(128) }] })],
    ["an empty value", change("propose", { commands: [new Uint8Array(0)] })],
    ["an unknown reason", change("nack", { reason: "bored" as "stale" })],
  ];

  function first() {
    return request.requests[0] as (typeof request.requests)[number];
  }
  function numbered(...numbers: number[]) {
    return numbers.map((number) => ({ ...first(), number }));
  }
  function openings(count: number) {
    return Array.from({ length: count }, (_, i) => opened(i + 1));
  }
  function opened(incarnation: number) {
    return { incarnation, writeNumber: incarnation };
  }

  it.each(cases.map(([what, [verb, message]]) => [verb, what, message] as const))(
    "%s: %s",
    (verb, _, message) => {
      expect(decode(verb, codec.encode(sender, 1, message))).toEqual({ fault: "wrong_shape" });
    },
  );

  it("what fits just so is read", () => {
    const fits = [
      change("accept", { firstSlot: MAX - 2 }),
      change("votes", { from: 9, votes: [] }),
      change("entries", { from: 9, entries: [] }),
      change("promise", { part: 0, parts: 1, votes: [] }),
      change("hello", { openings: openings(32) }),
      change("request", { requests: [{ ...first(), id: "ß".repeat(127) }] }),
    ];
    for (const [verb, message] of fits) {
      expect(decode(verb, codec.encode(sender, 1, message))).toMatchObject({ message });
    }
  });
});

describe("an envelope that is not for us", () => {
  const bytes = Uint8Array.from(codec.encode(sender, 1, examples.beacon));
  const readBy = (change: Partial<Cluster>) =>
    createCodec({ ...cluster, ...change }).decode("beacon", bytes);

  it("of another wire version", () => {
    for (const version of [0, 1, 2, 3, 5, 127, null, "4"]) {
      const payload = plain.pack([version, ...constant.slice(2), [7, 1, []]]);
      expect(decode("beacon", payload)).toEqual({ fault: "wrong_version" });
    }
    expect(decode("beacon", plain.pack([]))).toEqual({ fault: "wrong_version" });
  });

  it("of another cluster", () => {
    expect(readBy({ clusterId: "00".repeat(16) })).toEqual({ fault: "wrong_cluster" });
  });

  it("of another configuration of this cluster is read, and says which", () => {
    const quorums = { kind: "flexible", phase1: 1, phase2: 1 } as const;
    for (const change of [{ epoch: 4 }, { quorums }]) {
      const other = { ...cluster, ...change };
      const configuration = configurationName(other);
      const foreign = createCodec(other).encode(sender, 1, examples.beacon);
      expect(decode("beacon", foreign)).toMatchObject({ configuration, message: examples.beacon });
    }
  });

  it.each([0, -1, 1.5, 2 ** 53, null, "1"])("of epoch %j", (epoch) => {
    const parts = constant.map((element, i) => (i === 3 ? epoch : element));
    expect(decode("beacon", packSealed([...parts, [7, 1, []]]))).toEqual({ fault: "wrong_shape" });
  });

  it("but limits may differ", () => {
    expect(readBy({ limits: { ...DEFAULT_LIMITS, beaconMs: 1 } })).toHaveProperty("message");
  });

  it.each(["", "beacons", "type", "__proto__", "constructor", "toString"])(
    "under the verb '%s'",
    (verb) => {
      expect(decode(verb, bytes)).toEqual({ fault: "unknown_verb" });
    },
  );

  it("under the verb of another message", () => {
    expect(decode("accept", bytes)).toEqual({ fault: "wrong_shape" });
  });
});
