/**
 * Goal: a cluster works under the payload limit that its server has at the moment, whatever it was
 * before, and says so where it cannot.
 * Method: whole clusters on real nats-servers with small limits: of the server, of an account, and
 * of a server that reads its configuration again.
 */
import { connect } from "synod";
import { afterEach, expect, it } from "vitest";
import {
  type ClusterOptions,
  type RunningCluster,
  startCluster,
} from "../../src/worker/start-cluster.js";
import { startWorker } from "../../src/worker/worker.js";
import { Processes, until } from "../cli/processes.js";
import { type NatsServerProcess, startNatsServer } from "../support/nats-server.js";
import { natsServerMissing, slowMs, testMs, withNatsServer } from "./cluster.js";

const small = 65_536;
const large = 1_048_576;
const processes = new Processes();
const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
  await processes.clear();
});

async function serve(config: string): Promise<NatsServerProcess> {
  const server = await startNatsServer({ config });
  open.push({ [Symbol.asyncDispose]: () => server.stop() });
  return server;
}

async function clusterOn(servers: string, more: Partial<ClusterOptions> = {}) {
  const cluster = await startCluster({ transport: "nats", nats: { servers }, ...more });
  open.push(cluster);
  return cluster;
}

async function clientOn(servers: string) {
  const client = await connect({ cluster: "demo", nats: servers });
  open.push(client);
  return client;
}

/** Starts a role of the cluster that runs in no process, with its store if it has one. */
async function startLate({ cluster }: RunningCluster, servers: string, data: string, role: string) {
  open.push(await startWorker({ roles: [role], cluster, data, nats: { servers } }));
}

/** Values of a size, told apart by their first characters. */
const values = (count: number, bytes: number, name = "v") =>
  Array.from({ length: count }, (_, i) => `${name}${i} `.padEnd(bytes, "x"));

async function read(synod: Awaited<ReturnType<typeof clientOn>>, count: number) {
  const got: unknown[] = [];
  for await (const { value } of synod.chosen({ after: "start" })) {
    got.push(value);
    if (got.length === count) break;
  }
  return got;
}

const timeoutMs = 30_000;
const config = (bytes: number) => `max_payload: ${bytes}\n`;

it.skipIf(natsServerMissing !== undefined)(
  "`up --exit` proposes 20,000 short lines under 64 KiB",
  async () => {
    const server = await serve(config(small));
    const cwd = await processes.folder();
    const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i}`);
    const args = ["up", "--exit", "--placement", "colocated", "--nats", server.url];
    const up = processes.start(args, { cwd, env: withNatsServer });
    up.child.stdin?.end(`${lines.join("\n")}\n`);
    const { code, stdout } = await up.ended;
    expect(code).toBe(0);
    expect(stdout).toBe(`${lines.join("\n")}\n`);
  },
  testMs,
);

it.skipIf(natsServerMissing !== undefined)(
  "200 values of 1 KiB in one turn are all acknowledged under 64 KiB",
  async () => {
    const server = await serve(config(small));
    await clusterOn(server.url);
    const synod = await clientOn(server.url);
    const all = values(200, 1024);
    const receipts = await Promise.all(all.map((value) => synod.propose(value, { timeoutMs })));
    expect(receipts.map(({ position }) => position)).toEqual(all.map((_, i) => i + 1));
    expect(await read(synod, 200)).toEqual(all);
    expect(await synod.prove(200)).toMatchObject({ position: 200, value: all[199] });
  },
  testMs,
);

it.skipIf(natsServerMissing !== undefined)(
  "a takeover with votes that together are over the limit goes on",
  async () => {
    const server = await serve(config(small));
    const data = await processes.folder();
    const limits = { batchCommandsMax: 1, pipelineSlotsMax: 32 };
    const cluster = await clusterOn(server.url, { data, limits });
    const synod = await clientOn(server.url);
    const all = ["first", ...values(16, 20_000)];
    await synod.propose(all[0], { timeoutMs });
    // One acceptor alone votes for them: no watermark passes them, and its promise holds them all.
    for (const id of ["a2", "a3"]) await cluster.workers.get(`acceptor ${id}`)?.stop();
    const calls = all.slice(1).map((value) => synod.propose(value, { timeoutMs }));
    const a1 = cluster.workers.get("acceptor a1")?.status();
    const syncs = () => cluster.workers.get("acceptor a1")?.status().roles[0]?.syncs ?? 0;
    await until(() => syncs() > (a1?.roles[0]?.syncs ?? 0) + 1, slowMs);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const { leader } = await synod.status();
    await cluster.workers.get(`proposer ${leader?.id}`)?.stop();
    await startLate(cluster, server.url, data, "acceptor:a2");
    const receipts = await Promise.all(calls);
    expect(receipts.at(-1)?.position).toBe(17);
    expect(await read(synod, 17)).toEqual(all);
  },
  testMs,
);

it.skipIf(natsServerMissing !== undefined)(
  "an account's own limit counts, and a value over it is refused with the limit",
  async () => {
    const accounts = (bytes: number) =>
      `${config(large)}accounts { A: { users: [{ user: a, password: a }], ` +
      `limits { max_payload: ${bytes} } } }\n`;
    const server = await serve(accounts(small));
    const url = server.url.replace("//", "//a:a@");
    await clusterOn(url);
    const synod = await clientOn(url);
    const mixed = ["one", "x".repeat(100_000), "two", ...values(100, 2000)];
    const calls = await Promise.allSettled(mixed.map((v) => synod.propose(v, { timeoutMs })));
    expect(calls[1]).toMatchObject({
      status: "rejected",
      reason: { code: "too_large", mayHaveHappened: false },
    });
    expect(String((calls[1] as PromiseRejectedResult).reason.message)).toContain(String(small));
    const rest = mixed.filter((_, i) => i !== 1);
    expect(calls.filter(({ status }) => status === "fulfilled")).toHaveLength(rest.length);
    expect(await read(synod, rest.length)).toEqual(rest);
  },
  testMs,
);

it.skipIf(natsServerMissing !== undefined)(
  "a limit lowered and raised by a reload is found out, and what waits behind goes on",
  async () => {
    const server = await serve(config(large));
    await clusterOn(server.url);
    const synod = await clientOn(server.url);
    expect((await synod.propose("x".repeat(300_000), { timeoutMs })).position).toBe(1);

    await server.reload(config(small));
    const calls = await Promise.allSettled([
      synod.propose("y".repeat(300_000), { timeoutMs }),
      ...values(50, 3000).map((value) => synod.propose(value, { timeoutMs })),
    ]);
    // The client knew of no lower limit when it sent the first one.
    expect(calls[0]).toMatchObject({ status: "rejected", reason: { code: "too_large" } });
    expect(String((calls[0] as PromiseRejectedResult).reason.message)).toContain(String(small));
    expect(calls.slice(1).map(({ status }) => status)).toEqual(Array(50).fill("fulfilled"));

    await expect(synod.propose("z".repeat(300_000), { timeoutMs })).rejects.toMatchObject({
      code: "too_large",
      mayHaveHappened: false,
    });

    await server.reload(config(large));
    // Nobody announces it: those who refuse a value look now and then.
    await until(
      () => synod.propose("raised".repeat(50_000), { timeoutMs }).then(Boolean, () => false),
      slowMs,
    );
  },
  testMs,
);

it.skipIf(natsServerMissing !== undefined)(
  "a value that was voted for and can pass no more is named with the limit, and passes again",
  async () => {
    const server = await serve(config(large));
    const cluster = await clusterOn(server.url);
    const synod = await clientOn(server.url);
    // Learners that start later need it, and no message can carry it.
    const big = "x".repeat(200_000);
    await synod.propose(big, { timeoutMs });
    await server.reload(config(small));
    await cluster.workers.get("learner l1")?.stop();
    await startLate(cluster, server.url, "", "learner:late");
    let told = "";
    await until(async () => {
      const status = JSON.stringify(await synod.status());
      told = JSON.stringify(await synod.why());
      return told.includes(String(small)) && status.includes("over_server_limit");
    }, slowMs).catch((error: Error) => {
      throw new Error(`${error.message}: why told ${told}`);
    });
    expect(told).toContain("max_payload");
    await server.reload(config(large));
    await until(async () => {
      const { roles } = await synod.status();
      return roles.find(({ id }) => id === "late")?.appliedWatermark === 2;
    }, slowMs);
  },
  testMs,
);
