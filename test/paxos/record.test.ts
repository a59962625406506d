/**
 * Goal: what a store wrote is read back, or refused; never misread.
 * Method: a golden file of exact bytes, round trips, every single-bit error, and the hash below it
 * all against published vectors and a second implementation over BigInt.
 */
import { readFileSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter, MalformedBytes } from "../../src/paxos/bytes.js";
import { digest, hash128 } from "../../src/paxos/digest.js";
import {
  decodeMeta,
  decodeRecord,
  encodeMeta,
  encodeNextMeta,
  encodeRecord,
  isVoteKey,
  META_KEY,
  type Meta,
  RECORD_VERSION,
  recordKey,
  type Standing,
  type StoreRecord,
  voteKey,
} from "../../src/paxos/wire/record.js";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const value = new TextEncoder().encode("a value of a slot");
const vote = {
  ballot: { round: 2 ** 40 + 3, owner: "p2.0123456789abcdef" },
  digest: digest(value),
};
const ID = "00112233445566778899aabbccddeeff";

const examples: readonly StoreRecord[] = [
  { kind: "promise", ballot: { round: 7, owner: "p1.fedcba9876543210" } },
  { kind: "vote", slot: 2 ** 33 + 5, ...vote, value },
  { kind: "marks", chosenWatermark: 12, trimmed: 4, highestVoted: -1 },
  { kind: "key", key: "Schloß", promised: { round: 1, owner: "s1.0" }, vote: null },
  { kind: "key", key: "k", promised: vote.ballot, vote: { ...vote, value: new Uint8Array(0) } },
  { kind: "round", round: Number.MAX_SAFE_INTEGER },
];

const meta: Meta = {
  clusterId: ID,
  clusterName: "demo",
  role: "acceptor",
  id: "a1",
  storeId: digest(value),
  epoch: 1,
  configurationHash: "ffeeddccbbaa99887766554433221100",
  file: "1234@1795487052498366406",
  incarnation: 2,
  writeNumber: 301,
  votes: 3,
  votesSum: [0xdeadbeef, 0x01020304],
  openings: [
    { incarnation: 1, writeNumber: 1 },
    { incarnation: 2, writeNumber: 300 },
  ],
  standing: {
    kind: "moved",
    move: "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    to: "/mnt/größer/acceptor-a1",
  },
};

/** Gives bytes of a record, changed by hand, the checksum that belongs to them. */
function resealed(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  const body = bytes.subarray(0, -8);
  const [keyHash] = hash128(key);
  const [low, high] = hash128(body, keyHash);
  return new ByteWriter(bytes.length).raw(body).u32(low).u32(high).finish();
}

describe("the layout", () => {
  it(`of version ${RECORD_VERSION} is that of the golden file`, () => {
    const path = new URL(`../golden/records.v${RECORD_VERSION}.json`, import.meta.url);
    const lines = examples.map((record) => {
      const { key, bytes } = encodeRecord(record);
      return `${record.kind} ${hex(key)} ${hex(bytes)}`;
    });
    lines.push(`meta ${hex(META_KEY)} ${hex(encodeMeta(meta))}`);
    if (process.env["UPDATE_GOLDEN"] === "1") {
      writeFileSync(path, `${JSON.stringify(lines, null, 2)}\n`);
    }
    // A difference here is a new layout: raise RECORD_VERSION.
    expect(lines).toEqual(JSON.parse(readFileSync(path, "utf8")));
  });

  it("of another version is refused, its checksum intact", () => {
    const [record] = examples;
    if (record === undefined) throw new Error("no example");
    const { key, bytes } = encodeRecord(record);
    for (const version of [0, RECORD_VERSION - 1, RECORD_VERSION + 1, 255]) {
      const other = resealed(key, Uint8Array.of(version, ...bytes.subarray(1)));
      expect(() => decodeRecord({ key, bytes: other })).toThrow(`of version ${version}`);
      const own = resealed(META_KEY, Uint8Array.of(version, ...encodeMeta(meta).subarray(1)));
      expect(() => decodeMeta(own)).toThrow(`of version ${version}`);
    }
  });

  it("names the version first", () => {
    for (const record of examples) expect(encodeRecord(record).bytes[0]).toBe(RECORD_VERSION);
    expect(encodeMeta(meta)[0]).toBe(RECORD_VERSION);
  });
});

describe("a record", () => {
  it.each(examples.map((record) => [record.kind, record] as const))(
    "%s comes back",
    (_, record) => {
      expect(decodeRecord(encodeRecord(record))).toEqual(record);
    },
  );

  it("comes back whatever it holds", () => {
    const ballot = fc.record({
      round: fc.maxSafeNat(),
      owner: fc.stringMatching(/^[a-z.]{1,81}$/),
    });
    const bytes = fc.uint8Array({ maxLength: 200 });
    const anyVote = fc.tuple(ballot, bytes).map(([at, of]) => {
      return { ballot: at, digest: digest(of), value: of };
    });
    const records = fc.oneof(
      ballot.map((at): StoreRecord => ({ kind: "promise", ballot: at })),
      fc.tuple(fc.maxSafeNat(), anyVote).map(([slot, of]): StoreRecord => {
        return { kind: "vote", slot, ...of };
      }),
      fc
        .tuple(fc.string({ unit: "grapheme", maxLength: 60 }), ballot, fc.option(anyVote))
        .map(([key, promised, of]): StoreRecord => ({ kind: "key", key, promised, vote: of })),
    );
    fc.assert(
      fc.property(records, (record) => {
        expect(decodeRecord(encodeRecord(record))).toEqual(record);
      }),
      { numRuns: 300 },
    );
  });

  it("is corrupt if any bit of its key or bytes is another", () => {
    for (const record of examples) {
      const raw = encodeRecord(record);
      for (const part of ["key", "bytes"] as const) {
        for (let bit = 0; bit < raw[part].length * 8; bit++) {
          const flipped = new Uint8Array(raw[part]);
          flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
          expect(() => decodeRecord({ ...raw, [part]: flipped })).toThrow(MalformedBytes);
        }
      }
    }
  });

  it("is corrupt if it is cut off, longer, or stands under another's key", () => {
    const raw = encodeRecord(examples[1] as StoreRecord);
    for (let length = 0; length < raw.bytes.length; length++) {
      const bytes = raw.bytes.subarray(0, length);
      expect(() => decodeRecord({ key: raw.key, bytes })).toThrow(MalformedBytes);
    }
    const longer = Uint8Array.of(...raw.bytes, 0);
    expect(() => decodeRecord({ key: raw.key, bytes: longer })).toThrow(MalformedBytes);
    expect(() => decodeRecord({ key: voteKey(6), bytes: raw.bytes })).toThrow(MalformedBytes);
  });

  it("is not written if it could not be read", () => {
    const bad = { kind: "vote", slot: 1, ...vote, value } as const;
    expect(() => encodeRecord({ ...bad, digest: "abc" })).toThrow(RangeError);
    expect(() => encodeRecord({ ...bad, digest: "x".repeat(32) })).toThrow(RangeError);
    expect(() => encodeRecord({ ...bad, slot: -1 })).toThrow(RangeError);
    expect(() => encodeRecord({ kind: "round", round: 1.5 })).toThrow(RangeError);
    expect(() => encodeMeta({ ...meta, storeId: "" })).toThrow(RangeError);
  });

  it("of a vote sorts by slot, and only a vote has such a key", () => {
    const slots = [0, 1, 255, 256, 65_535, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1];
    const keys = slots.map(voteKey);
    expect(keys.toSorted(Buffer.compare)).toEqual(keys);
    for (const record of examples) {
      expect(isVoteKey(recordKey(record))).toBe(record.kind === "vote");
    }
  });
});

describe("the meta record", () => {
  it("of the next transaction is the same bytes, whichever way it is written", () => {
    const u32 = fc.nat({ max: 2 ** 32 - 1 });
    const change = fc.record({
      writeNumber: fc.maxSafeNat(),
      votes: fc.maxSafeNat(),
      votesSum: fc.tuple(u32, u32),
    });
    fc.assert(
      fc.property(change, (counts) => {
        const next = { ...meta, ...counts };
        expect(hex(encodeNextMeta(encodeMeta(meta), next))).toBe(hex(encodeMeta(next)));
      }),
    );
  });

  it("comes back, with none or many openings", () => {
    const openings = Array.from({ length: 32 }, (_, at) => ({
      incarnation: at,
      writeNumber: at * 7,
    }));
    for (const one of [meta, { ...meta, openings: [] }, { ...meta, openings }]) {
      expect(decodeMeta(encodeMeta(one))).toEqual(one);
    }
  });

  it("comes back with each standing", () => {
    const move = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    const standings: Standing[] = [
      { kind: "home", move: null },
      { kind: "home", move },
      { kind: "awaiting", move },
      { kind: "moved", move, to: "" },
      { kind: "moved", move, to: `/${"deep/".repeat(800)}` },
    ];
    for (const standing of standings) {
      expect(decodeMeta(encodeMeta({ ...meta, standing }))).toEqual({ ...meta, standing });
    }
  });

  it("is corrupt if any bit is another, and is no other record", () => {
    const bytes = encodeMeta(meta);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = new Uint8Array(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(() => decodeMeta(flipped)).toThrow(MalformedBytes);
    }
    expect(() => decodeRecord({ key: META_KEY, bytes })).toThrow(MalformedBytes);
    expect(() => decodeMeta(encodeRecord(examples[0] as StoreRecord).bytes)).toThrow(
      MalformedBytes,
    );
  });
});

describe("bytes", () => {
  it("are refused where they end early or say what they must not", () => {
    expect(() => new ByteReader(new Uint8Array(3)).u32()).toThrow(MalformedBytes);
    expect(() => new ByteReader(new Uint8Array(8).fill(255)).u53()).toThrow(MalformedBytes);
    expect(() => new ByteReader(Uint8Array.of(1, 0xff)).text()).toThrow(MalformedBytes);
    expect(() => new ByteReader(Uint8Array.of(9, 0, 0, 0, 1)).blob()).toThrow(MalformedBytes);
    expect(() => new ByteWriter().text("x".repeat(256))).toThrow(RangeError);
    expect(() => new ByteWriter().hex("0g", 1)).toThrow(RangeError);
    expect(hex(new ByteWriter(0).hex("0aF9", 2).finish())).toBe("0af9");
  });
});

describe("the hash", () => {
  // MurmurHash3_x86_128 with seed 0, as several implementations publish them.
  it.each([
    ["", "00000000000000000000000000000000"],
    ["H", "f69feb5df45637a0f45637a0f45637a0"],
    ["Hello", "2360ae465e6336c6ad45b3f4ad45b3f4"],
    ["Hello Wor", "107e2665706ff8b8eb00bf34e910bf63"],
    ["Hello World! He", "784f7f08ab145b43cf27d08dc5413b50"],
    ["Hello World! Hel", "82475db0161f88d8850474822a76794a"],
    ["Hello World! Hell", "a0cf95de87e61640ad45f08dc508c90a"],
    ["Hello World! Hello World! Hello ", "4855a598c76f875e7760fe307dcc7b58"],
  ])("of %j is %s", (text, expected) => {
    expect(digest(new TextEncoder().encode(text))).toBe(expected);
  });

  it("passes the verification of SMHasher: 0xB3ECE62A", () => {
    const all = new ByteWriter(256 * 16);
    for (let size = 0; size < 256; size++) {
      const key = Uint8Array.from({ length: size }, (_, at) => at);
      for (const word of hash128(key, 256 - size)) all.u32(word);
    }
    expect(hash128(all.finish())[0]).toBe(0xb3ece62a);
  });

  it("equals a second implementation, for any bytes and seed", () => {
    const seeds = fc.nat({ max: 0xffffffff });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), seeds, (bytes, seed) => {
        expect(hash128(bytes, seed)).toEqual(murmur3x86128(bytes, seed));
      }),
      { numRuns: 400 },
    );
  });

  it("of a view is that of its bytes", () => {
    const bytes = Uint8Array.from({ length: 64 }, (_, at) => at * 3);
    expect(digest(bytes.subarray(5, 40))).toBe(digest(bytes.slice(5, 40)));
  });
});

/** MurmurHash3_x86_128 as its author describes it, in exact arithmetic: slow and plain. */
function murmur3x86128(bytes: Uint8Array, seed: number): number[] {
  const word = 0xffffffffn;
  const times = (a: bigint, b: bigint) => (a * b) & word;
  const turn = (x: bigint, r: bigint) => ((x << r) | (x >> (32n - r))) & word;
  const c = [0x239b961bn, 0xab0e9789n, 0x38b34ae5n, 0xa1e38b93n];
  const turns = [15n, 16n, 17n, 18n];
  const blockTurns = [19n, 17n, 15n, 13n];
  const added = [0x561ccd1bn, 0x0bcaa747n, 0x96cd1c35n, 0x32ac3b17n];
  const h = [0, 0, 0, 0].map(() => BigInt(seed));
  const scramble = (k: bigint, lane: number) =>
    times(turn(times(k, c[lane]!), turns[lane]!), c[(lane + 1) % 4]!);
  const laneOf = (at: number, lane: number) => {
    let k = 0n;
    for (let i = 3; i >= 0; i--) k = (k << 8n) | BigInt(bytes[at + 4 * lane + i] ?? 0);
    return k;
  };
  const whole = bytes.length - (bytes.length % 16);
  for (let at = 0; at < whole; at += 16) {
    for (let lane = 0; lane < 4; lane++) {
      h[lane]! ^= scramble(laneOf(at, lane), lane);
      const mixed = turn(h[lane]!, blockTurns[lane]!) + h[(lane + 1) % 4]!;
      h[lane] = (times(mixed & word, 5n) + added[lane]!) & word;
    }
  }
  for (let lane = 3; lane >= 0; lane--) h[lane]! ^= scramble(laneOf(whole, lane), lane);
  const spread = () => {
    h[0] = (h[0]! + h[1]! + h[2]! + h[3]!) & word;
    for (let lane = 1; lane < 4; lane++) h[lane] = (h[lane]! + h[0]!) & word;
  };
  for (let lane = 0; lane < 4; lane++) h[lane]! ^= BigInt(bytes.length);
  spread();
  for (let lane = 0; lane < 4; lane++) {
    let x = h[lane]!;
    x = times(x ^ (x >> 16n), 0x85ebca6bn);
    x = times(x ^ (x >> 13n), 0xc2b2ae35n);
    h[lane] = x ^ (x >> 16n);
  }
  spread();
  return h.map(Number);
}
