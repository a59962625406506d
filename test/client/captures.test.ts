/**
 * Goal: `status` names the JetStream streams that answer requests in the place of the roles, and no
 * other; an archive of the public feed keeps each position once, whichever learners publish it.
 * Method: a whole cluster with three learners in this process, on a nats-server with JetStream.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "nats";
import { describe, expect, onTestFinished, test } from "vitest";
import { createCodec } from "../../src/adapters/msgpackr/codec.js";
import { createClock, createRandom } from "../../src/adapters/node/clock.js";
import { openClient } from "../../src/client/connect.js";
import { startCluster } from "../../src/worker/start-cluster.js";
import { findNatsServer, startNatsServer } from "../support/nats-server.js";

const found = await findNatsServer();
const silent = () => undefined;
const logger = { debug: silent, info: silent, warn: silent, error: silent };

async function open(args: readonly string[]) {
  const server = await startNatsServer({ args });
  onTestFinished(() => server.stop());
  const nats = { servers: server.url };
  const running = await startCluster({ transport: "nats", placement: "colocated", nats, logger });
  onTestFinished(() => running.stop());
  const transport = await running.connect("client");
  const ports = { transport, clock: createClock(), random: createRandom(), createCodec };
  const synod = await openClient(ports, { cluster: running.cluster.name, timeoutMs: 20_000 });
  onTestFinished(() => synod.close());
  return { url: server.url, synod };
}

async function openJetStream() {
  const folder = await mkdtemp(join(tmpdir(), "synod-captures-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { url, synod } = await open(["-js", "-sd", folder]);
  const client = await connect({ servers: url });
  onTestFinished(() => client.close());
  return { synod, client, manager: await client.jetstreamManager() };
}

describe.skipIf("missing" in found)("streams over a cluster's subjects", () => {
  test("show in `status` if they answer requests, and the cluster works on", async () => {
    const { synod, manager } = await openJetStream();
    const capturesOf = async () => (await synod.status()).captures;
    await manager.streams.add({ name: "FEED", subjects: ["synod.demo.chosen.>"] });
    await manager.streams.add({ name: "OTHER", subjects: ["synod.other.>"] });
    expect(await capturesOf()).toEqual([]);
    const captured = ["propose", "history", "synod-proposer.>", "gateway.>", "ctl.>"];
    for (const subject of captured) {
      const name = `OVER-${captured.indexOf(subject)}`;
      const over = `synod.demo.${subject}`;
      await manager.streams.add({ name, subjects: [over] });
      expect(await capturesOf()).toEqual([{ name, subjects: [over] }]);
      expect((await synod.propose("on")).position).toBe(captured.indexOf(subject) + 1);
      expect(await synod.decide(subject.replaceAll(/\W/g, "-"), "here")).toBe("here");
      await manager.streams.delete(name);
    }
    await manager.streams.delete("FEED");
    await manager.streams.add({ name: "ALL", subjects: ["synod.demo.>"] });
    expect(await capturesOf()).toEqual([
      { name: "ALL", subjects: captured.map((subject) => `synod.demo.${subject}`) },
    ]);
  });

  test("are none on a server without JetStream", async () => {
    const { synod } = await open([]);
    expect((await synod.status()).captures).toEqual([]);
  });

  test("keep each position of the feed once", async () => {
    const { synod, client, manager } = await openJetStream();
    await manager.streams.add({ name: "CHOSEN", subjects: ["synod.demo.chosen.>"] });
    for (let turn = 0; turn < 20; turn++) {
      await Promise.all([synod.propose(`a${turn}`), synod.propose(`b${turn}`)]);
    }
    await expect
      .poll(async () => (await manager.streams.info("CHOSEN")).state.messages, { timeout: 10_000 })
      .toBe(40);
    await new Promise((resolve) => setTimeout(resolve, 500)); // later ones of the other learners
    const consumer = await client.jetstream().consumers.get("CHOSEN");
    const positions: number[] = [];
    const learners = new Set<string>();
    for await (const message of await consumer.fetch({ max_messages: 50, expires: 1000 })) {
      positions.push(Number(message.headers?.get("Synod-Position")));
      learners.add(message.subject);
    }
    expect(positions.sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    const { dropped } = await synod.status();
    expect(dropped["feed_answered"]).toBeGreaterThan(learners.size);
  });
});
