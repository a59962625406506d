/**
 * Goal: no message can crash a role or change what was chosen; each refusal is counted by reason.
 * Method: a stranger on the bus says every kind of nonsense on every subject the roles listen to,
 * while values are proposed; the log must hold exactly those values.
 */
import { describe, expect, it } from "vitest";
import { roles } from "../../actors/index.js";
import { subjectOf } from "../../src/actor/subject.js";
import { createSeededRandom, type SeededRandom } from "../../src/adapters/memory/random.js";
import { createCodec } from "../../src/adapters/msgpackr/codec.js";
import { structured } from "../../src/adapters/msgpackr/structured.js";
import type { Cluster } from "../../src/paxos/cluster.js";
import type { Message, RoleName, Sender } from "../../src/paxos/messages.js";
import { exampleMessages } from "../support/examples.js";
import { World, worldCluster } from "../support/world.js";

const space = { prefix: "synod", cluster: "test" };
const messages: readonly Message[] = Object.values(exampleMessages());

/** Everybody's ears: each verb at each role, by name and for all. */
function subjects(verb: string, from: string): string[] {
  return Object.values(roles).flatMap((role) =>
    ["all", "a1", "p1", "l1", "g1"].map((id) => subjectOf(space, role.name, verb, id, from)),
  );
}

function sender(role: RoleName, id: string, cluster: Cluster): Sender {
  const listed = [...cluster.acceptors, ...cluster.proposers].find((member) => member.id === id);
  const storeId = listed?.storeId ?? null;
  const process = "00000000deadbeef";
  return { role, id, storeId, incarnation: 1, writeNumber: 1, process };
}

function randomBytes(random: SeededRandom): Uint8Array {
  return Uint8Array.from({ length: random.integer(200) }, () => random.integer(256));
}

/** Starts a cluster, lets a stranger speak while values are proposed, and checks the log. */
function during(seed: number, speak: (world: World, random: SeededRandom) => void): World {
  const world = new World(seed);
  const random = createSeededRandom(seed);
  world.startAll();
  world.wait(1000);
  const values = Array.from({ length: 40 }, (_, at) => `value ${at}`);
  for (const value of values) {
    world.propose(value);
    speak(world, random);
    world.wait(10);
  }
  world.wait(3000);
  expect(world.halts).toEqual([]);
  expect(world.log("l1")).toEqual(values);
  expect(world.log("g1")).toEqual(values);
  return world;
}

function dropped(world: World): Map<string, number> {
  const sum = new Map<string, number>();
  for (const host of world.hosts.values()) {
    for (const [reason, times] of host.dropped) sum.set(reason, (sum.get(reason) ?? 0) + times);
  }
  return sum;
}

describe("a stranger says", () => {
  it("random bytes on every subject", () => {
    const world = during(21, ({ bus }, random) => {
      const stranger = bus.connect("stranger");
      for (const { type } of messages) {
        for (const subject of subjects(type, "x")) stranger.publish(subject, randomBytes(random));
      }
    });
    expect(dropped(world).get("undecodable")).toBeGreaterThan(1000);
  });

  it("messages that are cut off, or changed in one byte", () => {
    const codec = createCodec(worldCluster());
    const world = during(22, ({ bus, cluster }, random) => {
      const stranger = bus.connect("stranger");
      for (const message of messages) {
        const bytes = codec.encode(sender("learner", "x", cluster), 1, message).slice();
        const cut = bytes.subarray(0, random.integer(bytes.length));
        bytes[random.integer(bytes.length)] = random.integer(256);
        for (const subject of subjects(message.type, "x")) {
          stranger.publish(subject, cut);
          stranger.publish(subject, bytes);
        }
      }
    });
    expect(dropped(world).get("wrong_checksum")).toBeGreaterThan(100);
  });

  it("well-formed messages in another's name, role, store or cluster", () => {
    const own = worldCluster();
    const codec = createCodec(own);
    const other = createCodec({ ...own, clusterId: "f".repeat(32) });
    const changed = createCodec({ ...own, epoch: 2 });
    const world = during(23, ({ bus }) => {
      const stranger = bus.connect("stranger");
      for (const message of messages) {
        const from = sender("acceptor", "a1", own);
        const forged = { ...from, storeId: "e".repeat(32) };
        const unknown = { ...from, id: "a9" };
        for (const [id, bytes] of [
          ["a2", codec.encode(from, 1, message)],
          ["a1", codec.encode(forged, 1, message)],
          ["a9", codec.encode(unknown, 1, message)],
          ["x", codec.encode(sender("elector", "x", own), 1, message)],
          ["a1", other.encode(from, 1, message)],
          ["a1", changed.encode(from, 1, message)],
        ] as const) {
          if (id === "x" && message.type === "hint") continue; // an elector may well say that
          for (const subject of subjects(message.type, id)) stranger.publish(subject, bytes);
        }
      }
    });
    const counts = dropped(world);
    for (const reason of [
      "wrong_sender",
      "wrong_role",
      "wrong_store",
      "unknown_member",
      "wrong_cluster",
      "wrong_epoch",
    ]) {
      expect(counts.get(reason), reason).toBeGreaterThan(100);
    }
  });

  it("an elector's lies: every hint names the wrong one", () => {
    const codec = createCodec(worldCluster());
    during(24, ({ bus, cluster }, random) => {
      const liar = bus.connect("liar");
      const candidate = random.integer(2) === 0 ? "p1" : "p2";
      const hint = { type: "hint" as const, candidate, suspects: null };
      const from = sender("elector", "x", cluster);
      liar.publish(subjectOf(space, "proposer", "hint", "all", "x"), codec.encode(from, 1, hint));
    });
  });
});

describe("the public doors", () => {
  it("take an empty value and one of exactly the limit, and refuse one more byte", () => {
    const world = new World(25);
    world.startAll();
    world.wait(1000);
    const most = world.cluster.limits.valueBytesMax;
    const empty = world.propose("");
    const largest = world.propose("x".repeat(most));
    const larger = world.propose("x".repeat(most + 1));
    const strange = world.propose("hi", { "Synod-Type": "poem" });
    world.wait(1000);
    expect(JSON.parse(empty.answer ?? "")).toMatchObject({ position: 1 });
    expect(JSON.parse(largest.answer ?? "")).toMatchObject({ position: 2 });
    expect(JSON.parse(larger.answer ?? "").error).toMatchObject({
      code: "too_large",
      mayHaveHappened: false,
    });
    expect(JSON.parse(strange.answer ?? "").error).toMatchObject({ code: "invalid" });
    expect(world.log("l1").map((value) => value.length)).toEqual([0, most]);
  });

  it("answer history in JSON or MessagePack, as they are asked", () => {
    const world = new World(27);
    world.startAll();
    world.wait(1000);
    world.propose("one");
    world.propose("two");
    world.wait(500);
    const asker = world.bus.connect("asker");
    const ask = (body: Uint8Array, read: (payload: Uint8Array) => unknown) => {
      const answers: unknown[] = [];
      asker.request("synod.test.history", body, { timeoutMs: 1000 }, (answer) => {
        if (answer.kind === "answer") answers.push(read(answer.message.payload));
      });
      world.wait(100);
      return answers[0] as { entries: { position: number; body: unknown }[]; tail: number };
    };
    const utf8 = new TextEncoder();
    const fromJson = (payload: Uint8Array) => JSON.parse(new TextDecoder().decode(payload));
    const inJson = ask(utf8.encode('{"after": 1, "max": 10}'), fromJson);
    expect(inJson).toMatchObject({ tail: 2, entries: [{ position: 2, body: "dHdv" }] });
    const packed = ask(structured.encode({ after: 1 }), structured.decode);
    expect(packed).toMatchObject({ tail: 2, entries: [{ position: 2 }] });
    expect(new TextDecoder().decode(packed.entries[0]?.body as Uint8Array)).toBe("two");
    for (const bad of ["", "hello", "[]", '{"after": -1}', '{"after": 1.5}', "\u0001"]) {
      expect(
        ask(utf8.encode(bad), (payload) => payload.length),
        bad,
      ).toBeGreaterThan(0);
    }
  });

  it("give a repeated Nats-Msg-Id its first receipt", () => {
    const world = new World(26);
    world.startAll();
    world.wait(1000);
    const first = world.propose("pay", { "Nats-Msg-Id": "order-7" });
    world.wait(100);
    const again = world.propose("pay", { "Nats-Msg-Id": "order-7" });
    world.wait(500);
    const { position, slot } = JSON.parse(first.answer ?? "");
    expect(JSON.parse(again.answer ?? "")).toMatchObject({ position, slot });
    expect(world.log("l1")).toEqual(["pay"]);
  });
});
