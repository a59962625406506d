/**
 * Goal: what ends a service when it is full shows in `status` as used and limit, and is warned of
 * in the log and in `why` from 80 % on, before anything is refused.
 * Method: a whole cluster in this process with small limits, filled by a client.
 */
import { afterEach, expect, it } from "vitest";
import { createCodec } from "../../src/adapters/msgpackr/codec.js";
import { createClock, createRandom } from "../../src/adapters/node/clock.js";
import type { Client } from "../../src/client/client.js";
import { openClient } from "../../src/client/connect.js";
import { TooManyError } from "../../src/client/errors.js";
import type { Logger } from "../../src/kernel/ports.js";
import { BoundWatch } from "../../src/worker/bounds.js";
import { startCluster } from "../../src/worker/start-cluster.js";

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

class Log implements Logger {
  readonly warnings: string[] = [];
  readonly debug = () => {};
  readonly info = this.debug;
  readonly error = this.debug;
  readonly warn = (_fields: object, line: string) => void this.warnings.push(line);
}

const limits = { decideKeysMax: 10, decideBytesMax: 65_536, idsMax: 10, historyBytesMax: 65_536 };

async function clientOn(log: Log): Promise<Client> {
  const running = await startCluster({ transport: "memory", limits, logger: log });
  ends.push(() => running.stop());
  const transport = await running.connect("client");
  ends.push(() => transport.close());
  const ports = { transport, clock: createClock(), random: createRandom(), createCodec };
  return openClient(ports, { cluster: running.cluster.name, timeoutMs: 20_000 });
}

/** Each `role id name` of `why` that waits for room. */
async function warned(client: Client): Promise<string[]> {
  const roles = await client.why();
  return roles
    .flatMap(({ role, id, waits }) =>
      waits
        .filter((wait) => wait.for.startsWith("room under "))
        .map((wait) => `${role} ${id} ${wait.for.slice("room under ".length)}`),
    )
    .sort();
}

it("shows each bound, warns at 80 % in log and why, and then refuses with what to do", async () => {
  const log = new Log();
  const client = await clientOn(log);
  const decide = (count: number) =>
    Promise.all(Array.from({ length: count }, (_, i) => client.decide(`k${i}`, "v")));
  await decide(7);
  const { roles } = await client.status();
  const bounds = new Map(roles.map(({ role, id, bounds: of }) => [`${role} ${id}`, of]));
  expect(bounds.get("acceptor a1")).toContainEqual({ name: "decideKeysMax", used: 7, limit: 10 });
  expect(bounds.get("acceptor a1")?.map(({ name }) => name)).toEqual([
    ...["decideKeysMax", "decideBytesMax", "diskBytes"],
  ]);
  expect(bounds.get("learner l1")?.map(({ name }) => name)).toEqual([
    ...["decideKeysMax", "decideBytesMax", "historyBytesMax", "sessionsMax", "idsMax"],
  ]);
  expect(await warned(client)).toEqual([]);
  await decide(8);
  for (let i = 0; i < 8; i++) await client.propose("v", { id: `id ${i}` });
  const now = await warned(client);
  for (const id of ["a1", "a2", "a3"]) expect(now).toContain(`acceptor ${id} decideKeysMax`);
  expect(now).toContain("learner l1 idsMax");
  expect(log.warnings.filter((line) => line.startsWith("acceptor a1: "))).toEqual([
    expect.stringMatching(/80 % of decideKeysMax is used; at the limit .*too_many.* raise it/),
  ]);
  await decide(10);
  const refused = await client.decide("one more", "v").catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(TooManyError);
  expect((refused as Error).message).toMatch(/decideKeysMax \(10\).*raise the limit/);
  // The keys that are held can be asked for, and are warned of once.
  expect(await client.decide("k3", "other")).toBe("v");
  expect(log.warnings.filter((line) => line.includes("a1: ")).length).toBe(1);
}, 60_000);

it("bounds the bytes of keys: a value too many is refused with what to do", async () => {
  const client = await clientOn(new Log());
  expect(await client.decide("large", "x".repeat(50_000))).toHaveLength(50_000);
  const refused = await client.decide("second", "y".repeat(50_000)).catch((e: unknown) => e);
  expect(refused).toBeInstanceOf(TooManyError);
  expect(refused).toMatchObject({ mayHaveHappened: true });
  expect((refused as Error).message).toMatch(/decideBytesMax \(65536\).*raise the limit/);
  expect(await client.decide("third", "z")).toBe("z");
}, 60_000);

it("a warning is over below 70 %, and given again at 80 %", () => {
  const log = new Log();
  const watch = new BoundWatch(log);
  const at = (used: number) => {
    const one = { role: "learner", id: "l1", bounds: [{ name: "idsMax", used, limit: 100 }] };
    watch.look([one], 1000);
    return [watch.waits(one, 1500).length, log.warnings.length];
  };
  expect([79, 80, 75, 69, 79, 100].map(at)).toEqual([
    ...[
      [0, 0],
      [1, 1],
      [1, 1],
      [0, 1],
      [0, 1],
      [1, 2],
    ],
  ]);
});
