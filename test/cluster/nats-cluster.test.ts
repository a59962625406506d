/**
 * Goal: the death of a NATS server stops nothing for good: all lines are chosen, once, in order.
 * Method: `up` on three clustered nats-servers of which one is killed amidst the lines, and on one
 * that is killed and started again on its port.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { connect, RequestStrategy } from "nats";
import { afterEach, describe, expect, it } from "vitest";
import { Processes, until } from "../cli/processes.js";
import {
  type NatsServerProcess,
  startNatsCluster,
  startNatsServer,
} from "../support/nats-server.js";
import { natsServerMissing, slowMs, Town, testMs } from "./cluster.js";

const processes = new Processes();
const servers: NatsServerProcess[] = [];
afterEach(async () => {
  await processes.clear();
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

/** Brings a town up on the servers, and two subscribers. */
async function settle(...args: readonly string[]) {
  const urls = servers.map(({ url }) => url).join(",");
  const cwd = await processes.folder();
  const town = await Town.bringUp(processes, cwd, ["--exit", "--nats", urls, ...args]);
  const subscribers = [town.start("chosen", "--follow"), town.start("chosen", "--follow")];
  // A command that finds no server at its start ends: both must be there before it is killed.
  await town.send(1);
  await until(() => subscribers.every(({ stdout }) => stdout !== ""), slowMs);
  return { town, subscribers };
}

/** Feeds lines, and does something among them. */
async function amidst(town: Town, act: () => Promise<void>): Promise<void> {
  let isOver = false;
  const feeding = town.feedWhile(() => !isOver);
  try {
    await town.prints(300);
    await act();
    await town.prints(town.sent.length + 1);
  } finally {
    isOver = true;
    await feeding;
  }
}

/** Says which processes have lost their server. */
function losers(cwd: string): string[] {
  const logs = join(cwd, ".synod", "logs");
  return readdirSync(logs).filter((name) => {
    return readFileSync(join(logs, name), "utf8").includes(": connecting again");
  });
}

/** Returns the server that most processes are connected to. */
async function busiest(): Promise<NatsServerProcess> {
  const client = await connect({ servers: servers.map(({ url }) => url) });
  const options = { strategy: RequestStrategy.Timer, maxWait: 1000 };
  const ports: number[] = [];
  const subject = "synod.demo.ctl.status";
  for await (const { data } of await client.requestMany(subject, new Uint8Array(0), options)) {
    const { server } = JSON.parse(new TextDecoder().decode(data)) as { server: string };
    ports.push(Number(/\d+$/.exec(server)?.[0]));
  }
  await client.close();
  const count = ({ port }: NatsServerProcess) => ports.filter((one) => one === port).length;
  return [...servers].sort((a, b) => count(b) - count(a))[0]!;
}

async function endsWithAllLines({ town, subscribers }: Awaited<ReturnType<typeof settle>>) {
  await town.send(200);
  await town.prints(town.sent.length);
  const all = town.sent.join("");
  await until(() => subscribers.every(({ stdout }) => stdout.length >= all.length), slowMs).catch(
    (error: Error) => {
      const seen = subscribers.map(({ stdout, stderr }) => `${stdout.length} ${stderr}`);
      throw new Error(`${error.message}: subscribers have ${seen} of ${all.length} characters`);
    },
  );
  town.up.child.stdin?.end();
  const { code, stdout } = await town.up.ended;
  expect(stdout === all, "the bytes of the input, and no others").toBe(true);
  for (const { stdout: seen } of subscribers) {
    expect(seen === all, "the bytes of the input at a subscriber").toBe(true);
  }
  expect(code).toBe(0);
}

describe.skipIf(natsServerMissing !== undefined)(`NATS (${natsServerMissing ?? "found"})`, () => {
  it(
    "servers, three in a cluster: one is killed",
    async () => {
      servers.push(...(await startNatsCluster(3)));
      const settled = await settle();
      const victim = await busiest();
      await amidst(settled.town, async () => victim.kill());
      expect(losers(settled.town.cwd).length).toBeGreaterThanOrEqual(2);
      await endsWithAllLines(settled);
    },
    testMs,
  );

  it(
    "server, the only one: it is killed, and started again on its port",
    async () => {
      servers.push(await startNatsServer());
      const settled = await settle("--placement", "colocated");
      await amidst(settled.town, async () => {
        const [server] = servers;
        server?.kill();
        await until(() => losers(settled.town.cwd).length >= 3, slowMs).catch((error: Error) => {
          throw new Error(`${error.message}: only ${losers(settled.town.cwd)} lost their server`);
        });
        await server?.stop();
        servers.push(await startNatsServer({ port: server?.port ?? 0 }));
      });
      await endsWithAllLines(settled);
    },
    testMs,
  );
});
