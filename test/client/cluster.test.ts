/**
 * Goal: the client and the real roles keep the promises together, whoever dies.
 * Method: every real machine, host, codec and store rule on the memory bus under a virtual clock;
 * the test kills processes and cuts connections while the client proposes.
 */
import { describe, expect, it } from "vitest";
import type { ProposerContext } from "../../actors/proposer/context.js";
import { createSeededRandom } from "../../src/adapters/memory/random.js";
import type { Client } from "../../src/client/client.js";
import type { Value } from "../../src/client/value.js";
import { DEFAULT_LIMITS } from "../../src/paxos/limits.js";
import type { Receipt } from "../../src/paxos/receipt.js";
import type { Member } from "../../src/sim/world/process.js";
import { SEPARATED, World, worldCluster } from "../support/world.js";
import { Bench, Watched } from "./bench.js";

const TWO_GATEWAYS = { ...SEPARATED, g2: [["gateway", "g2"] as const] };

interface Stage {
  readonly world: World;
  readonly bench: Bench;
  readonly client: Client;
}

/** A cluster that leads, and a client. */
async function stage(seed: number, world = new World(seed)): Promise<Stage> {
  world.startAll(TWO_GATEWAYS);
  world.wait(1500);
  const bench = new Bench(world.cluster, world.clock, world.bus);
  return { world, bench, client: await bench.open() };
}

/** Kills a process and starts it again. */
function restart(world: World, name: string): void {
  world.kill(name);
  world.start(name, (TWO_GATEWAYS as Record<string, readonly Member[]>)[name] ?? []);
}

function propose(client: Client, values: readonly Value[]): Watched<Receipt>[] {
  const timeoutMs = Number.POSITIVE_INFINITY;
  return values.map((value) => new Watched(client.propose(value, { timeoutMs })));
}

const all = (calls: readonly Watched<Receipt>[]) => () => calls.every(({ isSettled }) => isSettled);
const positions = (calls: readonly Watched<Receipt>[]) => calls.map(({ value }) => value?.position);
const upTo = (last: number, from = 1) =>
  Array.from({ length: last - from + 1 }, (_, index) => from + index);

/** Reads so many values of the log from the start. */
async function read({ bench, client }: Stage, count: number): Promise<Value[]> {
  const feed = client.chosen({ after: "start" });
  const values: Value[] = [];
  while (values.length < count) {
    const next = await bench.run(feed.next());
    if (next.done === true) break;
    expect(next.value.position).toBe(values.length + 1);
    values.push(next.value.value);
  }
  await feed.return?.();
  return values;
}

describe("a quiet cluster", () => {
  it("chooses in order, synced by a quorum, and two readers see the same", async () => {
    const run = await stage(1);
    const { bench, client } = run;
    const values = upTo(300).map((n) => ({ n, text: `line ${n}`, bytes: Uint8Array.of(n % 256) }));
    const calls = propose(client, values);
    await bench.until(all(calls), 20_000);
    expect(positions(calls)).toEqual(upTo(300));
    for (const { value } of calls) expect(value?.syncedBy.length).toBeGreaterThanOrEqual(2);
    expect(await read(run, 300)).toEqual(values);
    const other = { ...run, client: await bench.open() };
    expect(await read(other, 300)).toEqual(values);
    await bench.run(client.close());
  });

  it("follows what comes", async () => {
    const { bench, client } = await stage(2);
    const feed = client.chosen({ after: "now" });
    const first = new Watched(feed.next());
    await bench.wait(300);
    const receipt = await bench.run(client.propose("hi"));
    await bench.until(() => first.isSettled, 100);
    expect(first.value?.value).toEqual({
      position: 1,
      slot: receipt.slot,
      value: "hi",
      ballot: receipt.ballot,
      syncedBy: expect.arrayContaining([expect.any(String)]),
    });
  });

  it("decides keys: the first value wins", async () => {
    const { bench, client } = await stage(3);
    expect(await bench.run(client.decide("leader"))).toBe(null);
    const other = await bench.open();
    const wishes = [client.decide("leader", "ann"), other.decide("leader", "bob")];
    const [a, b] = await bench.run(Promise.all(wishes));
    expect(a).toBe(b);
    expect(await bench.run(client.decide("leader"))).toBe(a);
  });

  it("takes an id once, whoever proposes it", async () => {
    const run = await stage(4);
    const first = await run.bench.run(run.client.propose("order", { id: "42" }));
    const other = await run.bench.open();
    const again = await run.bench.run(other.propose("order", { id: "42" }));
    expect(again.position).toBe(first.position);
    await run.bench.run(other.propose("next"));
    expect(await read(run, 2)).toEqual(["order", "next"]);
  });
});

describe("processes that die", () => {
  it.each([
    ["the gateway that serves", (run: Stage) => servingGateway(run)],
    ["the leader", ({ world }: Stage) => leaderOf(world)],
    ["an acceptor", () => "a2"],
    ["a learner", () => "l1"],
  ])("%s, for good: every call is answered, once, in order", async (_, victim) => {
    const run = await stage(5);
    const { world, bench, client } = run;
    const calls = propose(client, upTo(50));
    await bench.until(all(calls), 20_000);
    world.kill(victim(run));
    const since = world.clock.nowMs();
    calls.push(...propose(client, upTo(100, 51)));
    await bench.until(all(calls), 30_000);
    // A gateway is given up after four silences, a leader after its ping; the rest costs nothing.
    expect(world.clock.nowMs() - since).toBeLessThan(2500);
    expect(positions(calls)).toEqual(upTo(100));
    expect(await read(run, 100)).toEqual(upTo(100));
  });

  it("all at once: what was acknowledged is there, and the session goes on", async () => {
    const run = await stage(6);
    const { world, bench, client } = run;
    const calls = propose(client, upTo(50));
    await bench.until(all(calls), 20_000);
    calls.push(...propose(client, upTo(80, 51)));
    await bench.settle();
    for (const name of Object.keys(TWO_GATEWAYS)) world.kill(name);
    await bench.wait(2000);
    world.startAll(TWO_GATEWAYS);
    await bench.until(all(calls), 60_000);
    expect(positions(calls)).toEqual(upTo(80));
    expect(await read(run, 80)).toEqual(upTo(80));
  });

  it("a quorum of acceptors: nothing is acknowledged until one returns", async () => {
    const { world, bench, client } = await stage(7);
    await bench.run(client.propose(1));
    world.kill("a1");
    world.kill("a2");
    const late = new Watched(client.propose(2, { timeoutMs: 3000 }));
    const patient = propose(client, [3]);
    await bench.wait(10_000);
    expect(late.error).toMatchObject({ code: "outcome_unknown", mayHaveHappened: true });
    world.start("a1", SEPARATED["a1"] ?? []);
    await bench.until(all(patient), 30_000);
    expect(positions(patient)).toEqual([3]);
  });

  it.each([21, 22, 23, 24, 25, 26])(
    "seed %i: any of them, on a bus that loses, repeats and reorders",
    async (seed) => {
      const run = await stage(seed);
      const { world, bench, client } = run;
      const random = createSeededRandom(seed);
      let faults = true;
      world.bus.intercept(() => {
        if (!faults) return undefined;
        const drawn = random.next();
        if (drawn < 0.03) return [];
        if (drawn < 0.06) return [0, random.integer(20)];
        return drawn < 0.2 ? [random.integer(30)] : undefined;
      });
      const calls: Watched<Receipt>[] = [];
      const mortal = ["a1", "a2", "a3", "p1", "p2", "l1", "g1", "g2"];
      for (let round = 0; round < 30; round++) {
        calls.push(...propose(client, upTo(calls.length + 10, calls.length + 1)));
        await bench.wait(random.integer(100));
        if (round % 3 === 2) restart(world, mortal[random.integer(mortal.length)] as string);
        if (round % 10 === 9) {
          bench.link.disconnect();
          bench.clock.setTimer(300, () => bench.link.reconnect());
        }
      }
      faults = false;
      await bench.until(all(calls), 60_000);
      expect(world.halts).toEqual([]);
      expect(positions(calls)).toEqual(upTo(300));
      expect(await read(run, 300)).toEqual(upTo(300));
    },
    60_000,
  );
});

describe("sessions", () => {
  it("are evicted by the log, and the client goes on in a new one, unseen", async () => {
    const limits = { ...DEFAULT_LIMITS, sessionsMax: 3 };
    const { bench, client } = await stage(8, new World(8, worldCluster({ limits })));
    await bench.run(client.propose("a"));
    for (let n = 0; n < 5; n++) {
      const other = await bench.open();
      await bench.run(other.propose(`other ${n}`));
    }
    expect(await bench.run(client.propose("b"))).toMatchObject({ position: 7 });
    expect(await bench.run(client.propose("c"))).toMatchObject({ position: 8 });
  });
});

function leaderOf(world: World): string {
  return world.context<ProposerContext>("proposer", "p1").leader?.id ?? "p1";
}

/** The gateway that the client's session is attached to. */
function servingGateway({ world }: Stage): string {
  for (const id of ["g1", "g2"]) {
    if (!world.hosts.has(id)) continue;
    const { data } = world.context<{ data: { sessions: Map<string, { client: unknown }> } }>(
      "gateway",
      id,
    );
    if ([...data.sessions.values()].some(({ client }) => client !== null)) return id;
  }
  return "g1";
}
