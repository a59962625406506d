/**
 * Goal: a process of a gateway that gets SIGTERM under load ends after it has answered all that it
 * holds of sessions: nothing acknowledged is lost, nothing is unknown. (stop.test.ts: the public
 * requests.)
 * Method: the only gateway is a process of dist; clients keep requests under way, and the process
 * of the acceptors stands still for a while, so that the gateway holds an exact number of them when
 * the signal comes.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import { createRandom } from "../../src/adapters/node/clock.js";
import { connect } from "../../src/index.js";
import { drawCluster, writeDescriptor } from "../../src/worker/descriptor.js";
import { formatStores } from "../../src/worker/local-cluster.js";
import { startWorker, type Worker } from "../../src/worker/worker.js";
import { Processes, until } from "../cli/processes.js";
import { findNatsServer, startNatsServer } from "../support/nats-server.js";

const found = await findNatsServer();
const processes = new Processes();
afterEach(() => processes.clear());

const CLIENTS = 4;
const OPEN_PER_CLIENT = 25;
const HELD = CLIENTS * OPEN_PER_CLIENT;
/** Milliseconds that the acceptors stand still after the signal, and that a request may take. */
const stillMs = 200;
const waitMs = 10_000;
/** Only a wait that failed takes so long: a process may start slowly on a busy machine. */
const slowMs = 60_000;
const testMs = 2 * slowMs;

/** A cluster on a real server of which every part runs but a gateway. */
async function startCore() {
  const server = await startNatsServer();
  onTestFinished(() => server.stop());
  const data = await mkdtemp(join(tmpdir(), "synod-stop-"));
  onTestFinished(() => rm(data, { recursive: true, force: true }));
  const sizes = { acceptors: 3, proposers: 1, random: createRandom() };
  const cluster = drawCluster({ name: "demo", ...sizes });
  await formatStores(cluster, data);
  const descriptor = join(data, "cluster.yaml");
  await writeFile(descriptor, writeDescriptor(cluster));
  const nats = { servers: server.url };
  const start = async (...roles: string[]): Promise<Worker> => {
    const worker = await startWorker({ roles, cluster, data, nats });
    onTestFinished(() => worker.stop());
    return worker;
  };
  const run = async (...roles: string[]) => {
    const flags = ["--descriptor", descriptor, "--data", data, "--nats", server.url];
    const running = processes.start(["worker", ...roles, ...flags]);
    await running.says("serving", slowMs);
    return running;
  };
  await start("proposer:p1", "elector:p1", "learner:l1");
  return { nats, start, run };
}

/** Keeps requests under way until told to stop; each has its own value. */
class Load {
  readonly acknowledged: string[] = [];
  readonly failures: string[] = [];
  isOver = false;
  readonly #lines: Promise<void>[] = [];
  #sent = 0;

  keep(count: number, propose: (value: string) => Promise<unknown>): void {
    for (let i = 0; i < count; i++) this.#lines.push(this.#keepOne(propose));
  }

  async #keepOne(propose: (value: string) => Promise<unknown>): Promise<void> {
    while (!this.isOver) {
      const value = `value ${++this.#sent}`;
      await propose(value).then(
        () => void this.acknowledged.push(value),
        (error: Error) => void this.failures.push(`${value}: ${error.message}`),
      );
    }
  }

  get underWay(): number {
    return this.#sent - this.acknowledged.length - this.failures.length;
  }

  async ended(): Promise<void> {
    await Promise.all(this.#lines);
  }
}

describe.skipIf("missing" in found)("the process of a gateway", () => {
  it(
    "answers what it holds before SIGTERM ends it",
    async () => {
      const { nats, start, run } = await startCore();
      const acceptors = await run("acceptor:a1", "acceptor:a2", "acceptor:a3");
      const gateway = await run("gateway:g1");

      const load = new Load();
      const clients = await Promise.all(
        Array.from({ length: CLIENTS }, () => connect({ cluster: "demo", nats })),
      );
      for (const client of clients) onTestFinished(() => client.close());
      for (const client of clients) {
        load.keep(OPEN_PER_CLIENT, (value) => client.propose(value, { timeoutMs: waitMs }));
      }
      await until(() => load.acknowledged.length > 10 * HELD);

      acceptors.child.kill("SIGSTOP");
      const held = async () => {
        const roles = (await clients[0]?.why({ timeoutMs: 300 })) ?? [];
        return roles.find(({ role }) => role === "gateway")?.waits[0]?.need;
      };
      await until(async () => (await held()) === HELD);
      const before = load.acknowledged.length;
      load.isOver = true;
      gateway.child.kill("SIGTERM");
      await new Promise((resolve) => setTimeout(resolve, stillMs));
      acceptors.child.kill("SIGCONT");

      const { code } = await gateway.ended;
      await load.ended();
      expect(load.failures).toEqual([]);
      expect([code, load.acknowledged.length - before, load.underWay]).toEqual([0, HELD, 0]);

      await start("gateway:g2");
      await clients[0]?.propose("last", { timeoutMs: slowMs });
      const log: string[] = [];
      for await (const { value } of clients[0]!.chosen({ after: "start" })) {
        if (value === "last") break;
        log.push(value as string);
      }
      expect(log.toSorted()).toEqual(load.acknowledged.toSorted());
    },
    testMs,
  );
});
