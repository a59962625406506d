/**
 * Goal: a trace says what the roles did, all of it and nothing else, so that a checker which knows
 * only the trace finds a good run good and a bad one bad.
 * Method: whole clusters on the memory bus, killed and cut, judged by `checker.ts`; the lines of a
 * short run by heart; the same lines with one thing wrong in each.
 */
import { describe, expect, it } from "vitest";
import { createSeededRandom } from "../../src/adapters/memory/random.js";
import type { Cluster } from "../../src/paxos/cluster.js";
import type { Member } from "../../src/sim/world/process.js";
import { SEPARATED, World, worldCluster } from "../support/world.js";
import { judge, type Trace, type TraceEvent } from "./checker.js";
import { MemoryTrace } from "./tracing.js";

function traced(seed: number, change: Partial<Cluster> = {}, acceptors = 3) {
  const cluster = worldCluster(change, acceptors);
  const trace = new MemoryTrace(cluster);
  return { trace, world: new World(seed, cluster, trace.observer) };
}

function judgeAll(trace: MemoryTrace): readonly string[] {
  return [...trace.gather().values()].flatMap(judge);
}

/** How often each event stands in a trace. */
function countEvents(trace: MemoryTrace): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { events } of trace.gather().values()) {
    for (const { ev, dup } of events) {
      const word = dup === true ? `${ev} again` : ev;
      counts[word] = (counts[word] ?? 0) + 1;
    }
  }
  return counts;
}

/** Loses, repeats and delays what is said between processes. */
function disturb(world: World, seed: number): () => void {
  const random = createSeededRandom(seed);
  let isCalm = false;
  world.bus.intercept(({ from, to }) => {
    if (isCalm || `${from} ${to}`.includes("client")) return [0];
    const drawn = random.next();
    if (drawn < 0.05) return [];
    if (drawn < 0.1) return [0, random.integer(40)];
    return drawn < 0.3 ? [random.integer(40)] : [0];
  });
  return () => {
    isCalm = true;
  };
}

/** Proposes and decides while processes die and return. */
function live(world: World, seed: number, rounds: number): void {
  const random = createSeededRandom(seed);
  const calm = disturb(world, seed);
  const mortal = ["a1", "a2", "a3", "p1", "p2", "l1", "g1"];
  for (let round = 0; round < rounds; round++) {
    for (let at = 0; at < 5; at++) world.propose(`value ${round} ${at}`);
    world.decide(`key ${round % 7}`, `${round}`);
    world.wait(60);
    if (round % 4 !== 3) continue;
    const victim = mortal[random.integer(mortal.length)] as string;
    world.kill(victim);
    world.wait(random.integer(300));
    world.start(victim, SEPARATED[victim] as readonly Member[]);
  }
  calm();
  world.wait(8000);
}

describe("a trace of whole clusters that are killed and cut", () => {
  it.each([21, 22, 23, 24, 25, 26])("seed %i is a run of Paxos", (seed) => {
    const { trace, world } = traced(seed);
    world.startAll();
    live(world, seed, 60);
    expect(world.halts).toEqual([]);
    expect(judgeAll(trace)).toEqual([]);
    const counts = countEvents(trace);
    for (const ev of ["p1a", "p1b", "propose", "p2a", "p2b", "chosen", "learn", "feed"]) {
      expect(counts[ev], ev).toBeGreaterThan(0);
    }
    expect(counts["recover"]).toBeGreaterThan(3);
    expect(trace.gather().size).toBe(8);
  });

  it.each<[string, Partial<Cluster>, number]>([
    ["learners that count", { learn: { kind: "all" } }, 3],
    ["distinguished learners", { learn: { kind: "some", learners: ["l1", "g1"] } }, 3],
    ["flexible quorums", { quorums: { kind: "flexible", phase1: 4, phase2: 2 } }, 5],
    [
      "a grid",
      {
        quorums: {
          kind: "grid",
          rows: [
            ["a1", "a2"],
            ["a3", "a4"],
          ],
        },
      },
      4,
    ],
  ])("with %s is a run of Paxos", (_name, change, acceptors) => {
    const { trace, world } = traced(31, change, acceptors);
    const others = ["a4", "a5"].slice(0, acceptors - 3);
    world.startAll();
    for (const id of others) world.start(id, [["acceptor", id]]);
    live(world, 31, 40);
    expect(world.halts).toEqual([]);
    expect(judgeAll(trace)).toEqual([]);
    const { chosen = 0, learn = 0 } = countEvents(trace);
    expect(chosen).toBeGreaterThan(30);
    expect(learn).toBeGreaterThan(chosen);
  });

  it("is the same for the same seed, byte for byte", () => {
    const texts = [0, 1].map(() => {
      const { trace, world } = traced(40);
      world.startAll();
      live(world, 40, 20);
      return [...trace.files].sort().map(([file, text]) => `${file}\n${text}`);
    });
    expect(texts[0]).toEqual(texts[1]);
  });
});

/** A run with a takeover, a restart and a key, as its lines. */
function shortRun(): MemoryTrace {
  const { trace, world } = traced(7);
  world.startAll();
  world.wait(800);
  world.propose("one");
  world.decide("colour", "blue");
  world.wait(100);
  world.kill("a1");
  world.start("a1", SEPARATED["a1"] as readonly Member[]);
  world.propose("two");
  world.wait(400);
  return trace;
}

describe("the lines of a short run", () => {
  it("are these", async () => {
    const { files } = shortRun();
    const text = [...files].sort().map(([file, lines]) => `--- ${file}\n${lines}`);
    await expect(text.join("")).toMatchFileSnapshot("../golden/ptrace.v1.txt");
  });
});

/** Changes one event of the log's trace, or drops it. */
function tampered(
  trace: Trace,
  is: (event: TraceEvent) => boolean,
  change: Partial<TraceEvent> | null,
): readonly string[] {
  const at = trace.events.findIndex(is);
  expect(at).toBeGreaterThan(-1);
  const events = [...trace.events];
  const event = events[at] as TraceEvent;
  if (change !== null) events[at] = { ...event, ...change };
  else {
    events.splice(at, 1);
    // The others keep count, so that only the missing event shows.
    const isLater = ({ n, inc, seq }: TraceEvent) =>
      n === event.n && inc === event.inc && seq > event.seq;
    for (const [i, one] of events.entries())
      if (isLater(one)) events[i] = { ...one, seq: one.seq - 1 };
  }
  return judge({ ...trace, events });
}

describe("the checker", () => {
  const trace = shortRun().gather().get("") as Trace;
  const isVote = ({ ev, slot }: TraceEvent) => ev === "p2b" && slot === 1;
  const a1Again = ({ ev, n, inc }: TraceEvent) => ev === "recover" && n === "a1" && inc === 2;

  it("finds the run good", () => {
    expect(judge(trace)).toEqual([]);
  });

  it.each<[string, (event: TraceEvent) => boolean, Partial<TraceEvent> | null, RegExp]>([
    ["a vote for another value", isVote, { val: "00" }, /what was not proposed/],
    ["a vote of another ballot", isVote, { bal: [9, "p9.00"] }, /what was not proposed/],
    ["a vote below the promise", isVote, { bal: [0, "p0.00"] }, /below its promise/],
    ["a ballot that was not begun", ({ ev }) => ev === "p1a", null, /nobody asked for/],
    [
      "a promise that is missing",
      ({ ev }) => ev === "p1b",
      null,
      /no quorum of promises|nobody saw/,
    ],
    ["a promise made twice", ({ ev }) => ev === "p1b", { bal: [0, "p0.00"] }, /nobody asked for/],
    ["a value nobody wished for", ({ ev }) => ev === "propose", null, /nobody wished/],
    [
      "a value chosen by too few",
      ({ ev }) => ev === "chosen",
      { syncedBy: ["a1"] },
      /without a quorum/,
    ],
    [
      "a value chosen by a stranger",
      ({ ev }) => ev === "chosen",
      { syncedBy: ["a1", "a9"] },
      /not voted/,
    ],
    ["another value learned", ({ ev }) => ev === "learn", { val: "00" }, /not chosen/],
    ["a forgotten promise", a1Again, { promised: null }, /forgot its promise/],
    ["a forgotten vote", a1Again, { votes: [] }, /forgot its vote/],
    ["a line that is missing", isVote, { seq: 99 }, /after/],
    ["a life without recover", a1Again, { ev: "note" }, /without recover/],
    ["a position left out", ({ ev }) => ev === "feed", { first: 2 }, /would be next/],
  ])("finds %s", (_name, is, change, words) => {
    expect(tampered(trace, is, change).join("\n")).toMatch(words);
  });
});
