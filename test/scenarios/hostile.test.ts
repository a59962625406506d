/**
 * Goal: no message can crash a role or change what was chosen; each refusal is counted by reason.
 * Method: a stranger on the bus says every kind of nonsense on every subject the roles listen to,
 * while values are proposed; the log must hold exactly those values.
 */
import { describe, expect, it } from "vitest";
import type { GatewayContext } from "../../actors/gateway/context.js";
import { roles } from "../../actors/index.js";
import { createSeededRandom, type SeededRandom } from "../../src/adapters/memory/random.js";
import { createCodec } from "../../src/adapters/msgpackr/codec.js";
import { structured } from "../../src/adapters/msgpackr/structured.js";
import { subjectOf } from "../../src/kernel/bus/subject.js";
import type { Ballot } from "../../src/paxos/ballot.js";
import type { Cluster } from "../../src/paxos/cluster.js";
import type { Message, RoleName, Sender } from "../../src/paxos/wire/messages.js";
import { exampleMessages } from "../support/examples.js";
import { SEPARATED, World, worldCluster } from "../support/world.js";

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

/** Changes messages of a verb on their way to those who hear them; null leaves one as it is. */
function change<V extends Message["type"]>(
  world: World,
  verb: V,
  to: (message: Extract<Message, { type: V }>) => Message | null,
): () => void {
  const codec = createCodec(world.cluster);
  return world.bus.intercept(({ message: { subject, payload } }) => {
    if (subject.split(".")[3] !== verb) return undefined;
    const read = codec.decode(verb, payload);
    if (!("message" in read)) return undefined;
    const changed = to(read.message as Extract<Message, { type: V }>);
    if (changed === null) return undefined;
    return [{ delayMs: 0, payload: codec.encode(read.sender, read.lc, changed) }];
  });
}

/** Says one message under a listed name, once, as a stranger on an open server can. */
function forge(world: World, from: Sender, toRole: RoleName, message: Message): void {
  const subject = subjectOf(space, toRole, message.type, "all", from.id);
  const stranger = world.bus.connect("stranger");
  stranger.publish(subject, createCodec(world.cluster).encode(from, 1, message));
}

/** The leader that the gateway follows, or the ballot it last followed. */
function leaderOf(world: World): NonNullable<GatewayContext["leader"]> {
  const gateway = world.context<GatewayContext>("gateway", "g1");
  if (gateway.leader === null) throw new Error("nobody leads");
  return gateway.leader;
}

function restartAll(world: World): void {
  for (const name of Object.keys(SEPARATED)) world.kill(name);
  world.startAll();
}

/** Proposes values one after the other. @returns those that were acknowledged */
function acknowledged(world: World, values: readonly string[], forMs = 5000): string[] {
  const waiting = values.map((value) => ({ value, ...{ reply: world.propose(value) } }));
  world.wait(forMs);
  return waiting.filter(({ reply }) => reply.answer?.includes("position")).map((one) => one.value);
}

const HIGHEST = Number.MAX_SAFE_INTEGER;

describe("a watermark that is too high by a bit (PMS §2.1: nothing is learned early)", () => {
  it.each([67, 2 ** 40, HIGHEST])(
    "in one beacon, %d: the log goes on through a change of leader and a restart of everything",
    (chosenWatermark) => {
      const world = new World(31);
      world.startAll();
      world.wait(1000);
      expect(acknowledged(world, ["one", "two"], 500)).toEqual(["one", "two"]);
      const { id, ballot } = leaderOf(world);
      const from = sender("proposer", id, world.cluster);
      const beacon = {
        type: "beacon",
        ballot,
        creditBytes: 1,
        payloadBytesMax: null,
        gateway: null,
      } as const;
      forge(world, from, "learner", { ...beacon, nextSlot: chosenWatermark, chosenWatermark });
      world.wait(200);
      expect(acknowledged(world, ["three"], 500)).toEqual(["three"]);
      world.kill(id);
      world.wait(3000);
      expect(acknowledged(world, ["four"])).toEqual(["four"]);
      restartAll(world);
      world.wait(3000);
      expect(acknowledged(world, ["five"])).toEqual(["five"]);
      expect(world.log("l1")).toEqual(["one", "two", "three", "four", "five"]);
      expect(world.halts).toEqual([]);
    },
  );
});

describe("a round that is far too high", () => {
  const outlive = (
    world: World,
    lie: (from: Sender, ballot: Ballot) => void,
    dies: (leader: string) => string = (leader) => leader,
  ): void => {
    world.startAll();
    world.wait(1000);
    const { id, ballot } = leaderOf(world);
    const other = id === "p1" ? "p2" : "p1";
    lie(sender("proposer", other, world.cluster), ballot);
    world.wait(500);
    world.kill(dies(id));
    world.wait(4000);
    expect(acknowledged(world, ["one"])).toEqual(["one"]);
    restartAll(world);
    world.wait(3000);
    expect(acknowledged(world, ["two"])).toEqual(["two"]);
    expect(world.log("l1")).toEqual(["one", "two"]);
    expect(world.halts).toEqual([]);
  };
  const rounds = [1_000_000, 2_000_000, HIGHEST];

  it.each(rounds)("in one beacon, %d: somebody leads again, also after a restart", (round) => {
    const world = new World(32);
    outlive(world, (from) => {
      const ballot = { round, owner: `${from.id}.${"e".repeat(16)}` };
      const told = {
        nextSlot: 0,
        chosenWatermark: 0,
        creditBytes: 1,
        payloadBytesMax: null,
        gateway: null,
      };
      forge(world, from, "learner", { type: "beacon", ballot, ...told });
    });
  });

  const promised = (round: number) => ({ round, owner: `p2.${"e".repeat(16)}` });

  it.each(rounds)("in the nacks that a deposed leader gets, %d: it can lead again", (round) => {
    const world = new World(33);
    let lies = 0;
    outlive(
      world,
      (from, ballot) => {
        const end = change(world, "nack", (nack) => {
          lies++;
          return { ...nack, promised: promised(round) };
        });
        const higher = { round: ballot.round + 1, owner: `${from.id}.0000000000000000` };
        forge(world, from, "acceptor", { type: "prepare", ballot: higher, fromSlot: 0 });
        world.wait(200);
        end();
      },
      (leader) => (leader === "p1" ? "p2" : "p1"),
    );
    expect(lies).toBeGreaterThan(0);
  });

  it.each(rounds)("in the answers to a standby, %d: somebody leads again", (round) => {
    const world = new World(34);
    let lies = 0;
    outlive(world, () => {
      change(world, "last-heard", (answer) => {
        if (lies >= 3) return null;
        lies++;
        return { ...answer, promised: promised(round), chosenWatermark: HIGHEST };
      });
    });
    expect(lies).toBe(3);
  });

  it.each(rounds)("in a nack for a key, %d: the key is decided all the same", (round) => {
    const world = new World(35);
    world.startAll();
    world.wait(1000);
    let lies = 0;
    change(world, "key-nack", (nack) => {
      if (lies >= 3) return null;
      lies++;
      return { ...nack, promised: promised(round) };
    });
    const ballot = { round: 5, owner: `x.${"e".repeat(16)}` };
    const other = sender("synod-proposer", "x", world.cluster);
    forge(world, other, "acceptor", { type: "key-prepare", key: "colour", ballot });
    world.wait(100);
    const waiting = world.decide("colour", "blue");
    world.wait(5000);
    expect(waiting.answer).toBe("blue");
    expect(world.halts).toEqual([]);
    expect(lies).toBe(3);
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
