/**
 * Goal: a key is decided once, for ever, whoever asks, dies or duels.
 * Method: synod-proposers and acceptors on the memory bus; the test cuts messages and kills.
 */
import { describe, expect, it } from "vitest";
import type { LearnerContext } from "../../actors/learner/context.js";
import { createCodec } from "../../src/adapters/msgpackr/codec.js";
import { subjectOf } from "../../src/kernel/bus/subject.js";
import type { Ballot } from "../../src/paxos/ballot.js";
import { formatBallot } from "../../src/paxos/ballot.js";
import type { Cluster } from "../../src/paxos/cluster.js";
import { digest } from "../../src/paxos/digest.js";
import { DEFAULT_LIMITS } from "../../src/paxos/limits.js";
import type { Message, Sender } from "../../src/paxos/wire/messages.js";
import type { Member } from "../../src/sim/world/process.js";
import { SEPARATED, World, worldCluster } from "../support/world.js";

const ACCEPTORS = { a1: SEPARATED["a1"], a2: SEPARATED["a2"], a3: SEPARATED["a3"] };

function started(seed: number, proposers: readonly string[] = ["s1"], cluster?: Cluster): World {
  const world = new World(seed, cluster);
  world.startAll(ACCEPTORS as Record<string, readonly Member[]>);
  for (const id of proposers) world.start(id, [["synod-proposer", id]]);
  world.wait(500);
  return world;
}

describe("a key", () => {
  it("keeps its first value; asking does not decide it", () => {
    const world = started(41);
    const asked = world.decide("owner", null);
    world.wait(100);
    expect(asked.answer).toBe("undecided");
    const first = world.decide("owner", "ann");
    world.wait(100);
    const second = world.decide("owner", "bob");
    world.wait(5000);
    const third = world.decide("owner", null);
    world.wait(100);
    expect([first.answer, second.answer, third.answer]).toEqual(["ann", "ann", "ann"]);
  });

  it("keeps it when every process is killed and started again", () => {
    const world = started(42);
    world.decide("owner", "ann");
    world.wait(100);
    for (const name of ["a1", "a2", "a3", "s1"]) world.kill(name);
    world.startAll(ACCEPTORS as Record<string, readonly Member[]>);
    world.start("s1", [["synod-proposer", "s1"]]);
    world.wait(500);
    const again = world.decide("owner", "bob");
    world.wait(100);
    expect(again.answer).toBe("ann");
  });

  it.each([43, 44, 45, 46])("is agreed on by duelling proposers, seed %i", (seed) => {
    const world = started(seed, ["s1", "s2", "s3"]);
    const asked = Array.from({ length: 9 }, (_, at) => world.decide("prize", `bid ${at}`, 60_000));
    world.wait(30_000);
    const answers = new Set(asked.map(({ answer }) => answer));
    expect(answers.size).toBe(1);
    expect([...answers][0]).toMatch(/^bid \d$/);
  });

  it("with a strange name is a key like any other: NUL, byte order mark, 512 bytes", () => {
    const world = started(47);
    const keys = ["a\u0000b", "\uFEFFk", "k", "x".repeat(512)];
    for (const key of keys) world.decide(key, `value of ${key.length} ${key.codePointAt(0)}`);
    world.wait(100);
    for (const name of ["a1", "a2"]) {
      world.kill(name);
      world.start(name, [["acceptor", name]]);
    }
    world.wait(10_000);
    const asked = keys.map((key) => world.decide(key, null));
    world.wait(200);
    expect(asked.map(({ answer }) => answer)).toEqual(
      keys.map((key) => `value of ${key.length} ${key.codePointAt(0)}`),
    );
  });
});

describe("a ballot", () => {
  it("is not used again by an instance that was dropped and begun anew", () => {
    const world = started(48);
    const codec = createCodec(world.cluster);
    const ballots: string[] = [];
    world.bus.connect("ear").subscribe("synod.test.acceptor.key-prepare.all.*", ({ payload }) => {
      const heard = codec.decode("key-prepare", payload);
      if ("message" in heard)
        ballots.push(formatBallot((heard.message as { ballot: Ballot }).ballot));
    });
    for (let round = 0; round < 5; round++) {
      world.decide("k", null);
      world.wait(10_000); // asked, undecided, dropped
    }
    // Some are preempted by the ballot of the round before, and go one higher.
    expect(ballots.length).toBeGreaterThanOrEqual(5);
    expect(new Set(ballots).size).toBe(ballots.length);
  });
});

const LEARNERS = ["l1", "l2", "g1"];

/** Three learners, one of them beside a synod-proposer, and acceptors that tell as `learn` says. */
function learning(seed: number, learn: Cluster["learn"]): World {
  const world = started(seed, ["s1"], worldCluster({ learn }));
  world.start("l1", [["learner", "l1"]]);
  world.start("l2", [["learner", "l2"]]);
  const both: readonly Member[] = [
    ["learner", "g1"],
    ["synod-proposer", "g1"],
  ];
  world.start("g1", both);
  world.wait(100);
  return world;
}

/** What a learner knows of keys: the values without the byte that says their type. */
function knownTo(world: World, id: string): Record<string, string> {
  const { data } = world.context<LearnerContext>("learner", id);
  return Object.fromEntries(
    [...data.keys.decided].map(([key, { value }]) => [
      key,
      new TextDecoder().decode(value.subarray(1)),
    ]),
  );
}

/** Counts messages of a verb between processes. */
function listen(world: World, toRole: "learner", verb: string): () => number {
  let heard = 0;
  const pattern = subjectOf({ prefix: "synod", cluster: "test" }, toRole, verb, "*", "*");
  world.bus.connect("ear").subscribe(pattern, () => {
    heard++;
  });
  return () => heard;
}

function oddities(world: World): string[] {
  const odd = ["second_value", "too_many_keys", "key_tally_dropped", "wrong_role", "wrong_shape"];
  return [...world.hosts.values()].flatMap((host) => odd.filter((word) => host.dropped.has(word)));
}

describe.each<[string, Cluster["learn"], number, boolean]>([
  ["the synod-proposer tells every learner", { kind: "leader" }, 1, false],
  ["every acceptor tells every learner", { kind: "all" }, 0, true],
  ["distinguished learners tell the others", { kind: "some", learners: ["l1", "g1"] }, 2, true],
  ["one distinguished learner tells the others", { kind: "some", learners: ["l2"] }, 1, true],
])("learning keys: %s", (_name, learn, tellers, votesAreTold) => {
  const keys = ["ann", "bob", "eve", "a key", "\uFEFFk"];
  const values = Object.fromEntries(keys.map((key) => [key, `value of ${key}`]));

  it.each([[[]], [["a1"]], [["a3"]]])("all of them know every value; dead: %j", (dead) => {
    const world = learning(60, learn);
    const announcements = listen(world, "learner", "key-chosen");
    const votes = listen(world, "learner", "key-accepted");
    for (const name of dead) world.kill(name);
    const asked = keys.map((key) => world.decide(key, values[key] ?? ""));
    world.wait(2000);
    expect(asked.map(({ answer }) => answer)).toEqual(Object.values(values));
    for (const learner of LEARNERS) expect(knownTo(world, learner), learner).toEqual(values);
    expect(announcements()).toBe(tellers * keys.length);
    expect(votes() > 0).toBe(votesAreTold);
    for (const learner of LEARNERS) {
      const runner = world.runner("learner", learner);
      const snapshot = runner.snapshots().get("");
      expect(runner.definition.status(snapshot as never)).toMatchObject({ keys: keys.length });
    }
    expect([world.halts, oddities(world)]).toEqual([[], []]);
  });

  it("a late asker makes nobody tell it again, and nothing changes", () => {
    const world = learning(61, learn);
    const announcements = listen(world, "learner", "key-chosen");
    world.decide("k", "first");
    world.wait(200);
    world.decide("k", "second");
    world.wait(200);
    expect(announcements()).toBe(tellers);
    for (const learner of LEARNERS) expect(knownTo(world, learner)).toEqual({ k: "first" });
  });

  it.each([62, 63, 64])("all of them know what duelling proposers agreed on, seed %i", (seed) => {
    const world = learning(seed, learn);
    world.start("s2", [["synod-proposer", "s2"]]);
    const asked = Array.from({ length: 9 }, (_, at) => world.decide("prize", `bid ${at}`, 60_000));
    world.wait(30_000);
    for (const learner of LEARNERS) {
      expect(knownTo(world, learner)).toEqual({ prize: asked[0]?.answer });
    }
    expect([world.halts, oddities(world)]).toEqual([[], []]);
  });
});

describe("forged messages about a key", () => {
  const value = Uint8Array.of(3, 120);
  const vote = { ballot: { round: 7, owner: `s1.${"0".repeat(16)}` }, digest: digest(value) };

  /** Says something under a name, as anybody can on an open server. */
  function say(
    world: World,
    from: Sender,
    toRole: "acceptor" | "learner" | "synod-proposer",
    message: Message,
  ): void {
    const space = { prefix: "synod", cluster: "test" };
    const subject = subjectOf(space, toRole, message.type, "all", from.id);
    const payload = createCodec(world.cluster).encode(from, 1, message);
    world.bus.connect(`forger ${from.id}`).publish(subject, payload);
    world.wait(10);
  }

  const signed = (world: World, role: Sender["role"], id: string, storeId?: string): Sender => {
    const own = world.cluster.acceptors.find((acceptor) => acceptor.id === id)?.storeId ?? null;
    const process = "f".repeat(16);
    return { role, id, storeId: storeId ?? own, incarnation: 1, writeNumber: 1, process };
  };

  it("two votes of one acceptor, of a stranger, of a wrong store: no tally is complete", () => {
    const world = learning(65, { kind: "all" });
    for (const name of ["a1", "a2", "a3"]) world.kill(name);
    const proposer = { ...signed(world, "synod-proposer", "s1"), storeId: null };
    const accepted: Message = { type: "key-accepted", key: "k", ...vote };
    say(world, proposer, "acceptor", { type: "key-accept", key: "k", ...vote, value });
    say(world, signed(world, "acceptor", "a1"), "learner", accepted);
    say(world, { ...signed(world, "acceptor", "a1"), incarnation: 2 }, "learner", accepted);
    say(world, signed(world, "acceptor", "a9", "9".repeat(32)), "learner", accepted);
    say(world, signed(world, "acceptor", "a2", "9".repeat(32)), "learner", accepted);
    say(world, { ...proposer, id: "a2" }, "learner", accepted);
    for (const learner of LEARNERS) expect(knownTo(world, learner)).toEqual({});
    // The control: a second acceptor's vote completes it.
    say(world, signed(world, "acceptor", "a2"), "learner", accepted);
    for (const learner of LEARNERS) expect(knownTo(world, learner)).toEqual({ k: "x" });
  });

  it("a wish that waits for no answer: the token it names answers nobody", () => {
    const world = started(
      67,
      ["s1"],
      worldCluster({ limits: { ...DEFAULT_LIMITS, valueBytesMax: 8 } }),
    );
    for (const name of ["a1", "a2", "a3"]) world.kill(name);
    const asked = world.decide("k", "mine", 60_000);
    world.wait(10);
    const body = new Uint8Array(9);
    const wish = { type: "decide", key: "other", value: body, valueType: "bytes" } as const;
    say(world, signed(world, "session", "c9"), "synod-proposer", { ...wish, reply: "1" });
    expect(asked.answer).toBeNull();
  });

  it("a second value: no learner halts or changes its mind; it is counted", () => {
    const world = learning(66, { kind: "leader" });
    world.decide("k", "first");
    world.wait(200);
    const proposer = { ...signed(world, "synod-proposer", "s1"), storeId: null };
    say(world, proposer, "learner", {
      type: "key-chosen",
      key: "k",
      ...vote,
      value,
      syncedBy: ["a1"],
    });
    for (const learner of LEARNERS) expect(knownTo(world, learner)).toEqual({ k: "first" });
    expect(world.halts).toEqual([]);
    for (const name of LEARNERS) expect(world.hosts.get(name)?.dropped.get("second_value")).toBe(1);
  });
});

describe("more keys at once than decideOpenMax", () => {
  it("are refused at once, certainly not decided, and may be asked again", () => {
    const limits = { ...DEFAULT_LIMITS, decideOpenMax: 2 };
    const world = started(49, ["s1"], worldCluster({ limits }));
    const asked = ["k1", "k2", "k3", "k4"].map((key) => world.decide(key, "mine"));
    world.wait(1000);
    const answers = asked.map(({ answer }) => answer ?? "none");
    expect(answers.filter((answer) => answer === "mine")).toHaveLength(2);
    expect(answers.filter((answer) => answer.includes('"code":"overloaded"'))).toHaveLength(2);
  });
});
