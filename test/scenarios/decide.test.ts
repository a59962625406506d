/**
 * Goal: a key is decided once, for ever, whoever asks, dies or duels.
 * Method: synod-proposers and acceptors on the memory bus; the test cuts messages and kills.
 */
import { describe, expect, it } from "vitest";
import { createCodec } from "../../src/adapters/msgpackr/codec.js";
import type { Ballot } from "../../src/paxos/ballot.js";
import { formatBallot } from "../../src/paxos/ballot.js";
import { type Member, SEPARATED, World } from "../support/world.js";

const ACCEPTORS = { a1: SEPARATED["a1"], a2: SEPARATED["a2"], a3: SEPARATED["a3"] };

function started(seed: number, proposers: readonly string[] = ["s1"]): World {
  const world = new World(seed);
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
