/** A cluster with a small table of sessions, and a bench for its clients. */
import { createSeededRandom } from "../../src/adapters/memory/random.js";
import { createCodec } from "../../src/adapters/msgpackr/codec.js";
import { openClient } from "../../src/client/connect.js";
import { DEFAULT_LIMITS } from "../../src/paxos/limits.js";
import { World, worldCluster } from "../support/world.js";
import { Bench } from "./bench.js";

export const SESSIONS_MAX = 8;

/** Starts it; `connect` opens a client of its own each time. */
export function stageSmallTable(seed: number) {
  const limits = { ...DEFAULT_LIMITS, sessionsMax: SESSIONS_MAX };
  const world = new World(seed, worldCluster({ limits }));
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
  return { world, bench, connect };
}
