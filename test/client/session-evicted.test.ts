/**
 * Goal: a client whose session was evicted goes on in another, unseen, as far as the log shows that
 * its requests did not happen; of the others it says that they may have.
 * Method: the real client, gateways, log and table in the simulator's world, with a small table.
 */
import { describe, expect, it } from "vitest";
import type { LearnerContext } from "../../actors/learner/context.js";
import { createSeededRandom } from "../../src/adapters/memory/random.js";
import { createCodec } from "../../src/adapters/msgpackr/codec.js";
import { openClient } from "../../src/client/connect.js";
import { DEFAULT_LIMITS } from "../../src/paxos/limits.js";
import { World, worldCluster } from "../support/world.js";
import { Bench } from "./bench.js";

const SESSIONS_MAX = 8;

function stage() {
  const limits = { ...DEFAULT_LIMITS, sessionsMax: SESSIONS_MAX };
  const world = new World(23, worldCluster({ limits }));
  world.startAll();
  world.wait(1000);
  const bench = new Bench(world.cluster, world.clock, world.bus);
  bench.answer("cluster", () => world.cluster);
  let clients = 0;
  const connect = () => {
    const name = `client ${++clients}`;
    const transport = world.bus.connect(name);
    const random = createSeededRandom(name);
    const ports = { transport, clock: world.clock, random, createCodec };
    return bench.run(openClient(ports, { cluster: "test" }));
  };
  /** Clients that stay open: each evicts the session that was unused longest. */
  const crowd = async (count: number) => {
    for (let n = 0; n < count; n++) {
      const client = await connect();
      await bench.run(client.propose(`of the crowd ${clients}`));
    }
  };
  const { data } = world.context<LearnerContext>("learner", "l1");
  const values = () =>
    world.log("l1").filter((value) => typeof value === "string" && !value.startsWith("of the"));
  return { world, bench, connect, crowd, values, table: () => data.log.sessions };
}

describe("a client whose session was evicted", () => {
  it("and that waited for nothing goes on in another session, unseen", async () => {
    const { bench, connect, crowd } = stage();
    const idle = await connect();
    await bench.run(idle.propose("first"));
    await crowd(SESSIONS_MAX + 2);
    expect(await bench.run(idle.propose("second"))).toMatchObject({ position: SESSIONS_MAX + 4 });
  });

  it("keeps the order of its calls, those made meanwhile among them", async () => {
    const { bench, connect, crowd, values } = stage();
    const idle = await connect();
    await bench.run(idle.propose("first"));
    await crowd(SESSIONS_MAX + 2);
    const calls = [];
    for (let n = 0; n < 40; n++) {
      calls.push(idle.propose(`value ${n}`));
      if (n % 3 === 0) await bench.wait(1);
    }
    await bench.run(Promise.all(calls));
    expect(values()).toEqual(["first", ...Array.from({ length: 40 }, (_, n) => `value ${n}`)]);
  });
});
