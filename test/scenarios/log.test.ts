/**
 * Goal: the log keeps what it acknowledged and goes on, whoever dies.
 * Method: the real roles on the memory bus and memory disks; the test kills, cuts and waits.
 */
import { describe, expect, it } from "vitest";
import type { ProposerContext } from "../../actors/proposer/context.js";
import { createSeededRandom } from "../../src/adapters/memory/random.js";
import type { Cluster } from "../../src/paxos/cluster.js";
import type { Member } from "../../src/sim/world/process.js";
import { SEPARATED, World, worldCluster } from "../support/world.js";

const ALL: readonly (readonly [Member[0], string])[] = [
  ["acceptor", "1"],
  ["proposer", "1"],
  ["elector", "1"],
  ["learner", "1"],
  ["gateway", "1"],
];

/** Three equal processes, or one with everything. */
const COLOCATED = Object.fromEntries(
  ["1", "2", "3"].map((n) => [
    `n${n}`,
    ALL.filter(([role]) => role !== "proposer" || n !== "3")
      .filter(([role]) => role !== "elector" || n !== "3")
      .map(([role]): Member => {
        const prefix = role === "acceptor" ? "a" : role === "proposer" ? "p" : "n";
        return [role, `${prefix}${n}`];
      }),
  ]),
);
const SINGLE = { all: Object.values(SEPARATED).flat() };

function position(answer: string | null): number {
  const receipt: { position?: number } = JSON.parse(answer ?? "{}");
  return receipt.position ?? 0;
}

/** Proposes values one after the other, so many each 10 ms; returns what was answered for each. */
function feed(world: World, values: readonly string[], per10ms = 5): Map<string, () => number> {
  const answers = new Map<string, () => number>();
  for (let at = 0; at < values.length; at += per10ms) {
    for (const value of values.slice(at, at + per10ms)) {
      const waiting = world.propose(value);
      answers.set(value, () => position(waiting.answer));
    }
    world.wait(10);
  }
  return answers;
}

const range = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, at) => `value ${from + at}`);

describe.each<[string, Readonly<Record<string, readonly Member[]>>]>([
  ["separated", SEPARATED],
  ["colocated", COLOCATED],
  ["single", SINGLE],
])("placement %s", (_name, placement) => {
  it("chooses every value once, in order, and says who has it synced", () => {
    const world = new World(1);
    world.startAll(placement);
    world.wait(1500);
    const values = range(0, 200);
    const answers = feed(world, values);
    world.wait(500);
    const learner = placement === COLOCATED ? "n2" : "g1";
    const log = world.log(learner);
    for (const [value, answer] of answers) expect(log[answer() - 1]).toBe(value);
    expect(log.length).toBe(values.length);
    // One gateway keeps the order in which it was asked; three keep an order each.
    if (placement !== COLOCATED) expect(log).toEqual(values);
    expect(world.halts).toEqual([]);
  });
});

describe.each<[string, Cluster["learn"]]>([
  ["every acceptor tells every learner", { kind: "all" }],
  ["two distinguished learners tell the others", { kind: "some", learners: ["l1", "g1"] }],
])("learning: %s", (_name, learn) => {
  it("gives every learner the same log", () => {
    const world = new World(2, worldCluster({ learn }));
    world.startAll();
    world.start("l2", [["learner", "l2"]]);
    world.wait(1500);
    feed(world, range(0, 100));
    world.wait(1000);
    for (const learner of ["l1", "l2", "g1"]) expect(world.log(learner)).toEqual(range(0, 100));
  });
});

describe("the leader is killed", () => {
  it("and the feed goes on under the other, with nothing lost or twice", () => {
    const world = new World(3);
    world.startAll();
    world.wait(1000);
    const before = feed(world, range(0, 50));
    const leader = world.context<ProposerContext>("proposer", "p1").leader?.id as string;
    world.kill(leader);
    const after = feed(world, range(50, 100));
    world.wait(2000);
    expect(world.log("l1")).toEqual(range(0, 100));
    for (const answer of [...before.values(), ...after.values()])
      expect(answer()).toBeGreaterThan(0);
    const other = leader === "p1" ? "p2" : "p1";
    expect(world.state("proposer", other)).toBe("leading.open");
  });

  it("and one that returns deposes nobody", () => {
    const world = new World(4);
    world.startAll();
    world.wait(1000);
    const leader = world.context<ProposerContext>("proposer", "p1").leader?.id as string;
    const other = leader === "p1" ? "p2" : "p1";
    world.kill(leader);
    world.wait(2000);
    world.start(leader, SEPARATED[leader] as readonly Member[]);
    world.wait(3000);
    feed(world, range(0, 10));
    world.wait(500);
    expect(world.state("proposer", other)).toBe("leading.open");
    expect(world.context<ProposerContext>("proposer", other).elections).toBe(1);
  });
});

describe("a quorum is lost", () => {
  it("acknowledges nothing, says what it waits for, and goes on by itself when one returns", () => {
    const world = new World(5);
    world.startAll();
    world.wait(1000);
    feed(world, range(0, 10));
    world.kill("a1");
    world.kill("a2");
    const answers = feed(world, range(10, 20));
    world.wait(1000);
    expect([...answers.values()].map((answer) => answer())).toEqual(range(10, 20).map(() => 0));
    const leader = world.context<ProposerContext>("proposer", "p1").leader?.id as string;
    const runner = world.runner("proposer", leader);
    const snapshot = runner.snapshots().get("");
    const waits = runner.definition.waits(snapshot as never, world.clock.nowMs());
    expect(waits[0]).toMatchObject({ from: ["a1", "a2"], have: 1, need: 2 });
    world.wait(20_000);
    world.start("a2", SEPARATED["a2"] as readonly Member[]);
    world.wait(5000);
    expect(world.log("l1")).toEqual(range(0, 20));
    for (const answer of answers.values()) expect(answer()).toBeGreaterThan(0);
  });

  it("keeps what was acknowledged when every process is killed at once", () => {
    const world = new World(6);
    world.startAll();
    world.wait(1000);
    const answers = feed(world, range(0, 100));
    const acknowledged = [...answers].filter(([, answer]) => answer() > 0);
    for (const name of Object.keys(SEPARATED)) world.kill(name);
    world.startAll();
    world.wait(3000);
    const log = world.log("l1");
    expect(acknowledged.length).toBeGreaterThan(50);
    for (const [value, answer] of acknowledged) expect(log[answer() - 1]).toBe(value);
  });
});

describe("a bus whose messages take longer than a beacon's interval there and back", () => {
  it.each([80, 150])("does not stop a leader from being elected: %i ms one way", (latencyMs) => {
    const world = new World(21);
    world.bus.intercept(() => [latencyMs]);
    world.startAll();
    const asked = world.propose("far");
    world.wait(30_000);
    expect(JSON.parse(asked.answer ?? "{}")).toMatchObject({ position: 1 });
  });
});

describe("a lossy bus and dying processes", () => {
  it.each([11, 12, 13, 14, 15, 16, 17, 18])(
    "seed %i: every proposal is answered, each value once",
    (seed) => {
      const world = new World(seed);
      const random = createSeededRandom(seed);
      let faults = true;
      world.bus.intercept(({ from, to }) => {
        if (!faults || `${from} ${to}`.includes("client")) return [0];
        const drawn = random.next();
        if (drawn < 0.03) return [];
        if (drawn < 0.06) return [0, random.integer(20)];
        return drawn < 0.2 ? [random.integer(30)] : [0];
      });
      world.startAll();
      const answers = new Map<string, () => number>();
      const mortal = ["a1", "a2", "a3", "p1", "p2", "l1"];
      for (let round = 0; round < 40; round++) {
        for (const [value, answer] of feed(world, range(round * 20, round * 20 + 20), 2)) {
          answers.set(value, answer);
        }
        if (round % 5 !== 4) continue;
        const victim = mortal[random.integer(mortal.length)] as string;
        world.kill(victim);
        world.start(victim, SEPARATED[victim] as readonly Member[]);
      }
      faults = false;
      world.wait(10_000);
      expect(world.halts).toEqual([]);
      const log = world.log("l1");
      expect(log).toEqual(world.log("g1"));
      expect(new Set(log).size).toBe(log.length);
      expect(log.length).toBe(answers.size);
      for (const [value, answer] of answers) expect(log[answer() - 1]).toBe(value);
    },
  );
});

describe("a leader that stepped aside and leads again", () => {
  it("still helps a learner that begins again to what it chose before", () => {
    const world = new World(22);
    const { p2: _, ...placement } = SEPARATED;
    world.startAll(placement);
    world.wait(1000);
    world.kill("a3");
    for (const text of ["x", "y", "z"]) {
      world.propose(text);
      world.wait(200);
    }
    expect(world.log("l1")).toEqual(["x", "y", "z"]);
    world.runner("proposer", "p1").tell({ type: "host.slow" });
    for (const name of ["a1", "l1", "g1"]) world.kill(name);
    for (const name of ["a3", "l1", "g1"]) world.start(name, placement[name] ?? []);
    world.wait(20_000);
    expect(world.state("proposer", "p1")).toBe("leading.open");
    expect(world.log("l1")).toEqual(["x", "y", "z"]);
  });
});
