/**
 * Goal: a message that was changed on its way is believed by nobody, and the codec says why.
 * Method: every single bit of every golden message is flipped, under every wire version whose
 * messages carry a checksum; then bursts of bits; then the scenes in which one flipped bit did harm
 * before messages carried a checksum, on the real roles.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { AcceptorContext } from "../../actors/acceptor/context.js";
import type { ElectorContext } from "../../actors/elector/context.js";
import type { Delivery } from "../../src/adapters/memory/bus.js";
import { createSeededRandom } from "../../src/adapters/memory/random.js";
import { createCodec } from "../../src/adapters/msgpackr/codec.js";
import type { Verb } from "../../src/paxos/wire/messages.js";
import { VERBS } from "../support/arbitraries.js";
import { exampleCluster } from "../support/examples.js";
import { SEPARATED, World } from "../support/world.js";

const codec = createCodec(exampleCluster());

/** The golden message of each verb, in the newest wire version. */
const golden = (verb: Verb): Uint8Array =>
  Uint8Array.from(Buffer.from(recorded[verb] ?? "", "hex"));
const file = fileURLToPath(new URL("../golden/messages.v4.json", import.meta.url));
const recorded = JSON.parse(readFileSync(file, "utf8")) as Record<string, string>;
/** Array header, wire version and checksum: what stands in front of the bytes it covers. */
const headBytes = 7;

function withBitFlipped(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = bytes.slice();
  flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
  return flipped;
}

describe("a message with one flipped bit", () => {
  it.each(VERBS.map((verb) => [verb] as const))("%s: is not believed, at any bit", (verb) => {
    const bytes = golden(verb);
    expect(codec.decode(verb, bytes)).toHaveProperty("message.type", verb);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const read = codec.decode(verb, withBitFlipped(bytes, bit));
      expect(read, `bit ${bit}`).toHaveProperty("fault");
      // A flip in the header or the version may look like another format; the rest is the
      // checksum's to see.
      if (bit >= 16) expect(read, `bit ${bit}`).toEqual({ fault: "wrong_checksum" });
    }
  });

  it("is not believed either when several bits of 4 neighbouring bytes are flipped", () => {
    const random = createSeededRandom(16);
    for (const verb of VERBS) {
      const bytes = golden(verb);
      for (let n = 0; n < 200; n++) {
        const burst = bytes.slice();
        const at = headBytes + random.integer(bytes.length - headBytes - 3);
        for (let i = at; i < at + 4; i++) burst[i] = random.integer(256);
        if (Buffer.compare(burst, bytes) === 0) continue;
        expect(codec.decode(verb, burst)).toEqual({ fault: "wrong_checksum" });
      }
    }
  });
});

describe("a checksum", () => {
  it("is the CRC-32 of all bytes behind it", () => {
    for (const verb of VERBS) {
      const bytes = golden(verb);
      const written = Buffer.from(bytes).readUInt32BE(3);
      expect(written, verb).toBe(crc32Of(bytes.subarray(headBytes)));
    }
  });

  it("covers the message as a whole: cut, or longer, it is refused", () => {
    const bytes = golden("accept");
    expect(codec.decode("accept", bytes.subarray(0, -1))).toEqual({ fault: "wrong_checksum" });
    expect(codec.decode("accept", Uint8Array.of(...bytes, 0))).toEqual({ fault: "wrong_checksum" });
  });

  it("cannot be left out by writing the version in another way", () => {
    // The header as array 16 and the version as uint 8: MessagePack allows both, we write neither.
    const bytes = golden("prepare");
    const body = bytes.subarray(2);
    const arrays = Uint8Array.of(0xdc, 0, (bytes[0] as number) & 0x0f, 4, ...body);
    const versions = Uint8Array.of(bytes[0] as number, 0xcc, 4, ...body);
    for (const other of [arrays, versions]) {
      for (let at = other.length - 1; at >= other.length - 3; at--) {
        expect(codec.decode("prepare", withBitFlipped(other, at * 8))).toEqual({
          fault: "wrong_checksum",
        });
      }
    }
  });
});

/** CRC-32 as ISO-HDLC, zlib and PNG have it, bit by bit. */
function crc32Of(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** Where a text or bytes stand in a payload. */
const indexOf = (payload: Uint8Array, part: string | Buffer): number =>
  Buffer.from(payload.buffer, payload.byteOffset, payload.length).indexOf(part);

/** The bit that a scene flips in a payload; null leaves the message alone. */
type Choose = (delivery: Delivery) => number | null;

/** Starts a cluster in which one bit of some messages is flipped. */
function clusterWith(choose: (world: World) => Choose): World {
  const world = new World(31);
  const chosen = choose(world);
  world.bus.intercept((delivery) => {
    const bit = chosen(delivery);
    if (bit === null) return undefined;
    return [{ delayMs: 0, payload: withBitFlipped(delivery.message.payload, bit) }];
  });
  world.startAll();
  world.wait(1000);
  return world;
}

const verbOf = ({ message }: Delivery): string => message.subject.split(".")[3] ?? "";
const fromId = ({ message }: Delivery): string => message.subject.split(".")[5] ?? "";

function damagedIn(world: World): number {
  let sum = 0;
  for (const { dropped } of world.hosts.values()) sum += dropped.get("wrong_checksum") ?? 0;
  return sum;
}

/** The lowest bit of an even digit in the nonce of a ballot's owner: the ballot becomes higher. */
function bitOfOwner({ message }: Delivery): number | null {
  const at = indexOf(message.payload, "p1.");
  for (let i = at + 3; at >= 0 && i < at + 19; i++) {
    const character = message.payload[i] as number;
    if (character >= 0x30 && character <= 0x39 && character % 2 === 0) return i * 8;
  }
  return null;
}

describe("one flipped bit", () => {
  it("in the process that its own message names halts no acceptor", () => {
    const world = clusterWith((started) => {
      // A process without echo receives its own messages only on another way.
      const mirror = started.bus.connect("mirror", { noEcho: true });
      mirror.subscribe("synod.*.*.*.*.a1", ({ subject, payload }) => {
        mirror.publish(subject, payload);
      });
      return (delivery) => {
        if (delivery.to !== "a1" || delivery.from !== "mirror") return null;
        const nonce = Buffer.from(started.hosts.get("a1")?.nonce ?? "", "hex");
        const at = indexOf(delivery.message.payload, nonce);
        return at < 0 ? null : at * 8;
      };
    });
    const receipt = world.propose("one");
    world.wait(1000);
    expect(world.halts).toEqual([]);
    expect(damagedIn(world)).toBeGreaterThan(0);
    expect(JSON.parse(receipt.answer ?? "")).toMatchObject({ position: 1 });
  });

  it("in a write number lets a good store start again", () => {
    const world = clusterWith((started) => (delivery) => {
      if (fromId(delivery) !== "a1" || verbOf(delivery) === "hello") return null;
      const nonce = Buffer.from(started.hosts.get("a1")?.nonce ?? "", "hex");
      // Behind the 8 bytes of the process stand an array header and the write number.
      const at = indexOf(delivery.message.payload, nonce) + 9;
      return (delivery.message.payload[at] as number) < 0x40 ? at * 8 + 6 : null;
    });
    world.propose("one");
    world.wait(1000);
    expect(damagedIn(world)).toBeGreaterThan(0);
    world.kill("a1");
    world.start("a1", SEPARATED["a1"] ?? []);
    world.wait(2000);
    expect(world.halts).toEqual([]);
    expect(world.state("acceptor", "a1")).toBe("serving");
  });

  it("in the ballot of an accept makes no acceptor vote in a ballot that nobody opened", () => {
    const opened = new Set<string>();
    const voted = new Set<string>();
    const world = clusterWith(() => (delivery) => {
      const text = Buffer.from(delivery.message.payload).toString("latin1");
      const owner = /p\d\.[0-9a-f]{16}/.exec(text)?.[0] ?? "none";
      if (verbOf(delivery) === "prepare") opened.add(owner);
      if (verbOf(delivery) === "accepted" && fromId(delivery) === "a3") voted.add(owner);
      return delivery.to === "a3" && verbOf(delivery) === "accept" ? bitOfOwner(delivery) : null;
    });
    world.propose("one");
    world.wait(1000);
    expect(damagedIn(world)).toBeGreaterThan(0);
    expect([...voted].filter((owner) => !opened.has(owner))).toEqual([]);
  });

  it("in the ballot of a beacon makes no elector follow a leader that never was", () => {
    const world = clusterWith(() => (delivery) => {
      return delivery.to === "p2" && verbOf(delivery) === "beacon" ? bitOfOwner(delivery) : null;
    });
    world.wait(3000);
    expect(damagedIn(world)).toBeGreaterThan(0);
    const { promised } = world.context<AcceptorContext>("acceptor", "a1").data;
    const { leader } = world.context<ElectorContext>("elector", "p2");
    expect(leader?.ballot ?? promised).toEqual(promised);
  });
});
