/**
 * Goal: a chosen value can be proven from what the roles hold, whoever has died meanwhile; what
 * nobody holds any more is said to be missing.
 * Method: the test's world; the roles are asked as `prove` asks them, by way of JSON.
 */
import { describe, expect, it } from "vitest";
import type { ProposerContext } from "../../actors/proposer/context.js";
import { provePosition } from "../../src/client/prove.js";
import { formatBallot } from "../../src/paxos/ballot.js";
import { evidenceOf, readProofQuestion } from "../../src/worker/evidence.js";
import { SEPARATED, World, worldCluster } from "../support/world.js";

/** Asks every process of a world. */
function prove(world: World, position: number) {
  return provePosition(position, world.cluster, async (question) => {
    const asked = readProofQuestion(new TextEncoder().encode(JSON.stringify(question)));
    const answers = [...world.hosts.values()].map(({ runners }) => {
      return { roles: runners.map((runner) => evidenceOf(runner, asked)) };
    });
    return JSON.parse(JSON.stringify(answers)) as Record<string, unknown>[];
  });
}

function led(seed: number, change: Parameters<typeof worldCluster>[0] = {}) {
  const world = new World(seed, worldCluster(change));
  world.startAll();
  world.wait(1000);
  const leader = world.context<ProposerContext>("proposer", "p1").leader?.id as string;
  return { world, leader, other: leader === "p1" ? "p2" : "p1" };
}

/** What a proof says, in short. */
async function shown(world: World, position: number) {
  const proof = await prove(world, position);
  if (proof === null) throw new Error(`position ${position} is not chosen`);
  const { ballot, votesFrom, basis, highest, missing, contradictions, votes } = proof;
  expect(contradictions).toEqual([]);
  return {
    ...{ ballot: formatBallot(ballot), votesFrom, missing, value: text(proof.body) },
    voted: votes.filter(({ standing }) => standing === "voted").map(({ acceptor }) => acceptor),
    promised: basis?.promises.map(({ acceptor }) => acceptor) ?? null,
    highest: highest === null ? null : formatBallot(highest.ballot),
  };
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe("a value under its leader", () => {
  it("has votes in the stores, and promises that reported none", async () => {
    const { world } = led(51);
    world.propose("one");
    world.wait(200);
    const proof = await shown(world, 1);
    expect(proof).toMatchObject({ value: "one", votesFrom: "stores", highest: null, missing: [] });
    expect(proof.voted).toEqual(["a1", "a2", "a3"]);
    expect(proof.promised).toHaveLength(2);
    expect(await prove(world, 2)).toBeNull();
  });

  it("has a basis at a learner that came later, and at one whose share was lost", async () => {
    const world = new World(52);
    // Whatever leaders say of their ballots unasked is lost.
    world.bus.intercept(({ message: { subject } }) =>
      subject.includes(".learner.basis.all.") ? [] : undefined,
    );
    world.startAll();
    world.wait(1500);
    world.propose("one");
    world.start("late", [["learner", "late"]]);
    world.wait(1000);
    for (const name of ["p1", "p2", "l1", "g1"]) world.kill(name);
    const proof = await prove(world, 1);
    expect(proof?.basis?.keptBy).toBe("learner late");
    expect(proof?.missing).toEqual([]);
  });
});

describe("a value whose leader is dead", () => {
  it("is proven by what learners kept, also after another leads", async () => {
    const { world, leader, other } = led(53);
    world.propose("one");
    world.wait(200);
    const before = await shown(world, 1);
    world.kill(leader);
    expect(await shown(world, 1)).toEqual(before);
    world.propose("two");
    world.wait(2000);
    expect(await shown(world, 1)).toMatchObject({ value: "one", missing: [], highest: null });
    const second = await shown(world, 2);
    expect(second.ballot).toMatch(new RegExp(`^2\\.${other}\\.`));
    expect(second).toMatchObject({ votesFrom: "stores", missing: [], highest: null });
  });

  it("is proven at the ballot that adopted it, from the votes reported to it", async () => {
    const { world, leader, other } = led(54);
    // Its value reaches a1 alone, and the leader dies; a1 is one of the two that are left.
    world.kill("a3");
    const end = world.bus.intercept(({ to, message: { subject } }) =>
      subject.includes(".acceptor.accept.") && to !== "a1" ? [] : undefined,
    );
    world.propose("one");
    world.wait(100);
    world.kill(leader);
    end();
    world.wait(3000);
    const proof = await shown(world, 1);
    expect(proof.ballot).toMatch(new RegExp(`^2\\.${other}\\.`));
    expect(proof.highest).toMatch(new RegExp(`^1\\.${leader}\\.`));
    expect(proof).toMatchObject({ value: "one", votesFrom: "stores", missing: [] });
  });
});

describe("a value after a restart of everything", () => {
  it("has its votes, and says that its promises are not known any more", async () => {
    const { world } = led(55);
    for (const value of ["one", "two", "three"]) {
      world.propose(value);
      world.wait(200);
    }
    for (const name of Object.keys(SEPARATED)) world.kill(name);
    world.startAll();
    world.wait(3000);
    const proof = await shown(world, 1);
    expect(proof).toMatchObject({ value: "one", votesFrom: "stores", promised: null });
    expect(proof.missing).toEqual([expect.stringMatching(/^the promises of ballot 1\./)]);
    // So with the last one: the promises of the next leader showed that it is chosen already.
    const last = await shown(world, 3);
    expect(last.ballot).toMatch(/^1\./);
    expect(last).toMatchObject({ value: "three", votesFrom: "stores", promised: null });
  });
});

describe("a value where little answers", () => {
  it("is told by the tally if its acceptors are silent", async () => {
    const { world } = led(56);
    world.propose("one");
    world.wait(200);
    world.kill("a1");
    world.kill("a2");
    const proof = await prove(world, 1);
    expect(proof).toMatchObject({ votesFrom: "tally", contradictions: [] });
    expect(proof?.votes.map(({ standing }) => standing)).toEqual(["silent", "silent", "voted"]);
  });

  it("cannot be told without a learner, or where it is trimmed", async () => {
    const { world } = led(57, { limits: { ...worldCluster().limits, historyBytesMax: 2000 } });
    for (let n = 0; n < 40; n++) {
      world.propose(`${n}`.repeat(200));
      world.wait(20);
    }
    world.wait(200);
    await expect(prove(world, 1)).rejects.toMatchObject({ code: "trimmed" });
    expect((await shown(world, 40)).votesFrom).toBe("stores");
    world.kill("l1");
    world.kill("g1");
    await expect(prove(world, 40)).rejects.toMatchObject({ code: "unavailable" });
  });
});

describe("a value where learners count for themselves", () => {
  it("has the same chain", async () => {
    const { world } = led(58, { learn: { kind: "all" } });
    world.propose("one");
    world.wait(200);
    expect(await shown(world, 1)).toMatchObject({ votesFrom: "stores", missing: [] });
  });
});
