/**
 * Goal: one may begin and end to look on at a process while its roles run, and harms none of them.
 * Method: a process on the memory bus with observers that come, go and throw.
 */
import { beforeEach, expect, it } from "vitest";
import type { Host } from "../../src/kernel/host.js";
import type { Observer, Shown } from "../../src/kernel/observer.js";
import type { Runner } from "../../src/kernel/runner.js";
import { World } from "../../src/sim/world/world.js";
import { worldCluster } from "../support/world.js";

let world: World;
let host: Host;

beforeEach(() => {
  world = new World({ cluster: worldCluster(), seed: 1 });
  for (const id of ["a1", "a2", "a3"]) world.start(id, [["acceptor", id]]);
  const node = world.start("p1", [
    ["proposer", "p1"],
    ["elector", "p1"],
  ]);
  world.clock.advance(10);
  host = node.host as Host;
});

/** Notes what it sees, by kind. */
class Notes implements Observer {
  readonly seen: string[] = [];

  stepped(): void {
    this.seen.push("stepped");
  }

  committed(): void {
    this.seen.push("committed");
  }

  refused(): void {
    this.seen.push("refused");
  }

  leaves(): void {
    this.seen.push("leaves");
  }
}

it("shows what happens from the moment it is attached until it is detached", () => {
  const notes = new Notes();
  const detach = host.observe(notes);
  expect(notes.seen).toEqual([]);
  world.clock.advance(3000);
  expect(new Set(notes.seen)).toEqual(new Set(["stepped", "committed", "leaves"]));
  detach();
  const before = notes.seen.length;
  world.clock.advance(3000);
  expect(notes.seen).toHaveLength(before);
});

it("shows a late observer first what every machine is in, as plain data", () => {
  world.clock.advance(3000);
  const found: unknown[] = [];
  const notes: Observer = Object.assign(new Notes(), {
    found: ({ definition }: Runner, instance: string, shown: Shown) => {
      found.push([definition.name, instance, JSON.parse(JSON.stringify(shown))]);
    },
  });
  host.observe(notes);
  expect(found).toEqual([
    [
      "proposer",
      "",
      {
        state: { leading: "open" },
        context: expect.objectContaining({ queue: { count: 0, bytes: 0 } }),
      },
    ],
    ["elector", "", { state: "watching", context: expect.objectContaining({ elections: 1 }) }],
  ]);
  world.clock.advance(1000);
  expect(found).toHaveLength(2);
});

it("an observer that throws at what it finds is detached before it sees anything else", () => {
  const notes = Object.assign(new Notes(), {
    found: () => {
      throw new Error("it cannot look");
    },
  });
  host.observe(notes);
  world.clock.advance(1000);
  expect([host.dropped.get("observer_threw"), notes.seen]).toEqual([1, []]);
});

it("shows each observer the same, in the order in which they were attached", () => {
  const all: string[] = [];
  const noting = (name: string): Observer => ({
    stepped: (_runner, _instance, event) => void all.push(`${name} ${event?.type}`),
    committed: () => undefined,
    refused: () => undefined,
    leaves: () => undefined,
  });
  host.observe(noting("first"));
  host.observe(noting("second"));
  world.clock.advance(1000);
  const pairs = all.filter((_, at) => at % 2 === 0).map((line, at) => [line, all[2 * at + 1]]);
  expect(pairs.length).toBeGreaterThan(10);
  for (const [one, other] of pairs) expect(other).toBe(one?.replace("first", "second"));
});

it.each(["stepped", "committed", "leaves"] as const)(
  "an observer that throws when it sees %s is counted and detached, and harms nobody",
  (kind) => {
    const [before, after] = [new Notes(), new Notes()];
    let calls = 0;
    const bad: Observer = Object.assign(new Notes(), {
      [kind]: () => {
        calls++;
        throw new Error("it cannot look");
      },
    });
    const thrown: unknown[] = [];
    host.observe(before);
    host.observe(bad, (error) => void thrown.push(error));
    host.observe(after);
    world.clock.advance(3000);
    expect(host.runners.map(({ halted }) => halted)).toEqual([null, null]);
    expect([host.dropped.get("observer_threw"), calls, thrown.length]).toEqual([1, 1, 1]);
    expect(before.seen).toContain(kind);
    expect(after.seen).toEqual(before.seen);
  },
);

it("an observer that another one detaches sees nothing of that step any more", () => {
  const [first, second] = [new Notes(), new Notes()];
  const detaching: Observer = Object.assign(first, { stepped: () => detach() });
  host.observe(detaching);
  const detach = host.observe(second);
  world.clock.advance(1000);
  expect(second.seen.filter((kind) => kind === "stepped")).toEqual([]);
});
