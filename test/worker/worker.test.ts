/**
 * Goal: a worker runs what it may, answers for what it may not, and never lies about its name.
 * Method: whole clusters in this process, on memory and on the embedded broker; stores are wiped,
 * opened twice, taken to another cluster; roles are asked through the control subjects.
 */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createCodec } from "../../src/adapters/msgpackr/codec.js";
import { createClock, createRandom } from "../../src/adapters/node/clock.js";
import { openClient } from "../../src/client/connect.js";
import type { Transport } from "../../src/kernel/ports.js";
import { drawCluster } from "../../src/worker/descriptor.js";
import { EXIT } from "../../src/worker/exit.js";
import { type RunningCluster, startCluster } from "../../src/worker/start-cluster.js";
import { formatRoleStore, storeFolder } from "../../src/worker/stores.js";
import { runWorker, startWorker, type Worker } from "../../src/worker/worker.js";

const folders: string[] = [];

afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "synod-worker-"));
  folders.push(made);
  return made;
}

/** A client on a cluster's own bus. */
async function clientOf(running: RunningCluster) {
  const transport = await running.connect("client");
  const ports = { transport, clock: createClock(), random: createRandom(), createCodec };
  return openClient(ports, { cluster: running.cluster.name });
}

/** A worker on the bus of a running cluster. */
async function joinedWorker(
  running: RunningCluster,
  roles: readonly string[],
  data: string,
): Promise<Worker> {
  const nats = running.nats ?? {};
  return startWorker({ roles, cluster: running.cluster, data, nats });
}

describe.each(["memory", "nats"] as const)("a cluster on %s", (transport) => {
  it("decides, says who runs, and ends", async () => {
    await using running = await startCluster({ transport, seed: 5, placement: "colocated" });
    const synod = await clientOf(running);
    expect(await synod.decide("colour", "blue")).toBe("blue");
    expect(await synod.decide("colour", "red")).toBe("blue");
    expect(await synod.decide("nothing")).toBeNull();
    const { roles } = await synod.status();
    const acceptors = roles.filter(({ role }) => role === "acceptor");
    expect(acceptors.map(({ id }) => id).sort()).toEqual(["a1", "a2", "a3"]);
    expect(acceptors[0]).toMatchObject({ pid: process.pid, incarnation: 1, state: "serving" });
    expect((await synod.why()).map(({ role }) => role)).toContain("synod-proposer");
    await synod.close();
  });
});

describe("a worker", () => {
  it("keeps what was decided over a restart of everything", async () => {
    const data = await folder();
    const options = { transport: "memory", seed: 9, placement: "single", data } as const;
    const first = await startCluster(options);
    const synod = await clientOf(first);
    await synod.decide("colour", "blue");
    await synod.close();
    await first.stop();
    const again = { clock: createClock(), random: createRandom(), cluster: first.cluster };
    await using worker = await startWorkerOn(again.cluster, data);
    expect(worker.status().roles.find(({ id }) => id === "a1")).toMatchObject({ incarnation: 2 });
  });

  it("answers for a role whose store was wiped, beside one that runs", async () => {
    await using running = await startCluster({ transport: "nats", placement: "separated" });
    const data = await folder();
    const worker = await joinedWorker(running, ["acceptor:a1", "learner:l9"], data);
    const [learner, acceptor] = worker.status().roles;
    expect(learner).toMatchObject({ role: "learner", id: "l9", why: null });
    expect(acceptor).toMatchObject({ role: "acceptor", id: "a1", state: "halted" });
    expect(acceptor?.why).toMatch(/holds no store\. .* bring it back, or leave/);
    expect(worker.why().roles[1]?.waits[0]).toMatchObject({ for: "an operator" });
    await worker.stop();
    const alone = joinedWorker(running, ["acceptor:a1"], data);
    await expect(alone).rejects.toThrow("holds no store");
  });

  it("refuses a store that another process has, and one of another cluster", async () => {
    const data = await folder();
    await using running = await startCluster({ transport: "nats", data, placement: "single" });
    const second = joinedWorker(running, ["acceptor:a1"], data);
    await expect(second).rejects.toThrow(`is in use by process ${process.pid}; stop it`);
    const other = drawCluster({ name: "demo", acceptors: 3, proposers: 1, random: createRandom() });
    const foreign = await folder();
    await formatRoleStore(other, "acceptor", "a1", foreign);
    const wrong = joinedWorker(running, ["acceptor:a1"], foreign);
    await expect(wrong).rejects.toThrow("of another cluster; start this role on its own");
  });

  it("refuses a copy, and halts under a name that is in use", async () => {
    const data = await folder();
    await using running = await startCluster({ transport: "nats", data });
    const copy = await folder();
    await cp(storeFolder(data, "acceptor", "a1"), storeFolder(copy, "acceptor", "a1"), {
      recursive: true,
    });
    const copied = joinedWorker(running, ["acceptor:a1"], copy);
    await expect(copied).rejects.toThrow("holds a copy of the store of acceptor a1");
    const learner = running.workers.get("learner l1");
    expect(learner?.status().roles[0]).toMatchObject({ why: null });
  });

  it("ends with code 4 when its only role has halted", async () => {
    const data = await folder();
    await using running = await startCluster({ transport: "nats", data });
    const { cluster } = running;
    const twin = await folder();
    // The same store id in another file: what a clone of a disk looks like from outside.
    await formatRoleStore(cluster, "acceptor", "a1", twin);
    const worker = await joinedWorker(running, ["acceptor:a1"], twin);
    const ending = await worker.ended;
    expect(ending).toMatchObject({ exitCode: EXIT.refused });
    expect(ending.why).toMatch(/another process answers under this name|older copy/);
    await worker.stop();
    const original = running.workers.get("acceptor a1");
    expect(original?.status().roles[0]).toMatchObject({ why: null });
  });

  it("needs a folder for a role that remembers", async () => {
    const cluster = drawCluster({ name: "d", acceptors: 1, proposers: 1, random: createRandom() });
    const started = startWorker({ roles: ["acceptor"], cluster });
    await expect(started).rejects.toThrow("name the folder of its store");
  });

  it("waits for a server, says why, and can be stopped meanwhile", async () => {
    const cluster = drawCluster({ name: "d", acceptors: 1, proposers: 1, random: createRandom() });
    const said: string[] = [];
    const say = (_: unknown, message: string) => void said.push(message);
    const logger = { debug: say, info: say, warn: say, error: say };
    const stop = new AbortController();
    const nats = { servers: "nats://127.0.0.1:1" };
    const roles = ["learner"];
    const started = startWorker({ roles, cluster, nats, logger, signal: stop.signal });
    setTimeout(() => stop.abort(), 300);
    await expect(started).rejects.toThrow("stopped before there was a connection");
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/^waiting: no NATS server answers at nats:\/\/127\.0\.0\.1:1/);
  });
});

/** The acceptors of a cluster, on a bus that nobody else is on. */
async function startWorkerOn(cluster: RunningCluster["cluster"], data: string): Promise<Worker> {
  const { openRoleStore } = await import("../../src/worker/stores.js");
  const { createMemoryBus } = await import("../../src/adapters/memory/transport.js");
  const clock = createClock();
  const transport: Transport = createMemoryBus(clock).connect("w");
  return runWorker(
    { roles: cluster.acceptors.map(({ id }) => `acceptor:${id}`), cluster, data },
    {
      clock,
      random: createRandom(),
      connect: async () => ({ transport, server: "memory" }),
      openStore: (of, role, id) => openRoleStore(of, role, id, data),
    },
  );
}
