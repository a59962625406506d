/**
 * Goal: workers live with what a server refuses, or end with a sentence; no message ends one.
 * Method: whole clusters in this process on a real nats-server whose rights change by reload, whose
 * limits are too small, and to which raw requests are sent.
 */
import { connect as connectSocket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createCodec } from "../../src/adapters/msgpackr/codec.js";
import { createClock, createRandom } from "../../src/adapters/node/clock.js";
import type { Client } from "../../src/client/client.js";
import { openClient } from "../../src/client/connect.js";
import type { Logger } from "../../src/kernel/ports.js";
import { EXIT } from "../../src/worker/exit.js";
import { type RunningCluster, startCluster } from "../../src/worker/start-cluster.js";
import { startWorker } from "../../src/worker/worker.js";
import { findNatsServer, type NatsServerProcess, startNatsServer } from "../support/nats-server.js";

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(is: () => boolean | Promise<boolean>, msMax = 20_000): Promise<void> {
  const endMs = performance.now() + msMax;
  while (!(await is())) {
    if (performance.now() > endMs) throw new Error(`not within ${msMax} ms: ${is}`);
    await pass(20);
  }
}

async function serve(config: string): Promise<NatsServerProcess> {
  const server = await startNatsServer({ config });
  ends.push(() => server.stop());
  return server;
}

/** Keeps the lines of all workers. */
class Log implements Logger {
  readonly lines: string[] = [];
  readonly debug = () => {};
  readonly info = (_fields: object, line: string) => void this.lines.push(line);
  readonly warn = this.info;
  readonly error = this.info;
}

async function clusterOn(url: string, logger = new Log()) {
  const nats = { servers: url, reconnectTimeWait: 30 };
  const running = await startCluster({ transport: "nats", placement: "colocated", nats, logger });
  ends.push(() => running.stop());
  return { running, logger };
}

async function clientOf(running: RunningCluster): Promise<Client> {
  const transport = await running.connect("client");
  ends.push(() => transport.close());
  const ports = { transport, clock: createClock(), random: createRandom(), createCodec };
  return openClient(ports, { cluster: running.cluster.name, timeoutMs: 20_000 });
}

/** Sends one request with a header block as it is. @returns what comes back, as text */
async function askRaw(port: number, subject: string, block: string): Promise<string> {
  const socket = connectSocket(port, "127.0.0.1");
  ends.push(async () => socket.destroy());
  const { length } = Buffer.from(block);
  socket.write('CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\nSUB back 1\r\n');
  socket.write(`HPUB ${subject} back ${length} ${length}\r\n${block}\r\n`);
  let text = "";
  socket.on("data", (data) => {
    text += data;
  });
  await until(() => /^HMSG .*\r\n[\s\S]*\r\n\r\n[\s\S]*\r\n$/m.test(text));
  return text.slice(text.indexOf("HMSG"));
}

const found = await findNatsServer();

describe.skipIf("missing" in found)("workers on a nats-server", () => {
  it("end with the limit and what they need, if it allows too few subscriptions", async () => {
    const { url } = await serve("max_subscriptions: 30\n");
    const cluster = (await startCluster({ transport: "memory", placement: "single" })).cluster;
    const logger = new Log();
    const worker = await startWorker({
      roles: ["elector", "learner", "gateway", "synod-proposer"],
      id: "n1",
      cluster,
      nats: { servers: url },
      logger,
    });
    ends.push(() => worker.stop());
    const ending = await Promise.race([worker.ended, pass(10_000)]);
    expect(ending).toEqual({
      exitCode: EXIT.failed,
      why: expect.stringMatching(
        /allows .+ \(maximum subscriptions exceeded\): it needs \d\d: raise max_subscriptions/,
      ),
    });
    expect(logger.lines).toContain("the server reports an error: maximum subscriptions exceeded");
    expect(worker.status().dropped["server_error"]).toBeGreaterThan(0);
  });

  it("go on by themselves when a right that was taken away returns; `why` names it", async () => {
    const config = (allow: string, deny: string) => `no_auth_user: ann
      authorization { users: [ { user: ann, password: geheim, permissions: {
        publish: ">", subscribe: { allow: [${allow}], deny: [${deny}] } } } ] }\n`;
    const server = await serve(config('">"', '"none"'));
    const { running, logger } = await clusterOn(server.url);
    const synod = await clientOf(running);
    await synod.propose("before");
    await server.reload(config('">"', '"synod.demo.acceptor.>"'));
    const reasons = async () =>
      (await synod.why()).flatMap(({ waits }) => waits.map(({ reason }) => reason));
    await until(async () => {
      const told = await reasons();
      return told.some((reason) => reason.includes("forbid this process to subscribe synod.demo."));
    });
    await pass(800);
    await server.reload(config('">"', '"none"'));
    const receipt = await synod.propose("after", { timeoutMs: 20_000 });
    expect(receipt.position).toBe(2);
    await until(async () => !(await reasons()).some((reason) => reason.includes("forbid")));
    expect(logger.lines).toContain("the server's permissions forbid this process to subscribe");
    expect(logger.lines).toContain("the server allows subscribe again");
    expect(logger.lines.some((line) => line.includes("connecting again"))).toBe(false);
  });

  it("answer a request whose headers cannot be read, count it, and go on", async () => {
    const server = await serve("");
    const { running, logger } = await clusterOn(server.url);
    const synod = await clientOf(running);
    // Legal for every server we know; our client library refuses the space in the name.
    const block = "NATS/1.0\r\nodd name: x\r\n\r\n";
    for (const subject of ["propose", "history", "ctl.status", "ctl.prove"]) {
      const answer = await askRaw(server.port, `synod.demo.${subject}`, block);
      expect(answer).toContain("Synod-Reply: 1");
      expect(answer).toContain("Synod-Code: invalid");
      expect(answer).toContain("the message could not be read");
    }
    const { dropped } = await synod.status();
    // Of the control subjects each of three processes answers.
    expect(dropped["unread"]).toBe(8);
    expect(logger.lines.filter((line) => line.includes("could not be read"))).toHaveLength(3);
    expect((await synod.propose("on")).position).toBe(1);
  });
});
