/**
 * Goal: on a real server the feed brings a value to each subscriber that was there before it, and a
 * JetStream stream keeps each position once, so that a group of consumers gets each once.
 * Method: feeds of two learners, subscribers that come in a pause, a stream over the public feed.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "nats";
import { describe, expect, onTestFinished, test } from "vitest";
import { connectNats } from "../../src/adapters/nats/transport.js";
import { createClock } from "../../src/adapters/node/clock.js";
import { Feed } from "../../src/kernel/bus/feed.js";
import type { FeedEntry } from "../../src/kernel/effect.js";
import { findNatsServer, startNatsServer } from "../support/nats-server.js";
import { ballot, value } from "../support/steps.js";

const found = await findNatsServer();
const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const entry = (position: number): FeedEntry => ({
  position,
  slot: position,
  ballot: ballot(1),
  type: "string",
  body: value(`v${position}`),
  syncedBy: ["a1", "a2"],
});

async function serve(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "synod-feed-"));
  const server = await startNatsServer({ args: ["-js", "-sd", folder] });
  onTestFinished(async () => {
    await server.stop();
    await rm(folder, { recursive: true });
  });
  return server.url;
}

async function openFeed(servers: string, learner: string) {
  const transport = await connectNats({ servers });
  const counted: string[] = [];
  const count = (reason: string) => counted.push(reason);
  const subject = `synod.t.chosen.${learner}`;
  const clock = createClock();
  const feed = new Feed({
    transport,
    clock,
    subject,
    cluster: { clusterId: "c0ffee" },
    count,
    tooLarge: () => undefined,
  });
  onTestFinished(() => transport.drain());
  return { feed, transport, counted };
}

describe.skipIf("missing" in found)("the feed on a server", () => {
  test("brings a value to a subscriber that was there before it, also in a pause", async () => {
    const servers = await serve();
    const { feed, transport } = await openFeed(servers, "l1");
    const client = await connect({ servers });
    onTestFinished(() => client.close());
    const missed: number[] = [];
    for (let round = 0; round < 20; round++) {
      feed.publish([entry(10 * round + 1)]); // nobody listens: a pause begins
      await transport.flush();
      await pass(5);
      const got: number[] = [];
      const subscription = client.subscribe("synod.t.chosen.>", {
        callback: (_, message) => got.push(Number(message.headers?.get("Synod-Position"))),
      });
      await client.flush();
      const position = 10 * round + 2;
      feed.publish([entry(position)]);
      for (let waited = 0; waited < 100 && !got.includes(position); waited++) await pass(5);
      if (!got.includes(position)) missed.push(position);
      subscription.unsubscribe();
      await client.flush();
    }
    expect(missed).toEqual([]);
  });

  test("a stream keeps each position once, and its consumers get each once", async () => {
    const servers = await serve();
    const learners = [await openFeed(servers, "l1"), await openFeed(servers, "l2")];
    const client = await connect({ servers });
    onTestFinished(() => client.close());
    const manager = await client.jetstreamManager();
    await manager.streams.add({ name: "CHOSEN", subjects: ["synod.t.chosen.>"] });
    await manager.consumers.add("CHOSEN", {
      durable_name: "workers",
      ack_policy: "explicit" as never,
    });
    for (let position = 1; position <= 40; position++) {
      for (const { feed } of learners) feed.publish([entry(position)]);
      await pass(1);
    }
    for (const { transport } of learners) await transport.flush();
    const got: string[] = [];
    const take = async () => {
      const consumer = await client.jetstream().consumers.get("CHOSEN", "workers");
      const messages = await consumer.fetch({ max_messages: 30, expires: 1000 });
      for await (const message of messages) {
        got.push(message.headers?.get("Synod-Position") ?? "");
        message.ack();
      }
    };
    await Promise.all([take(), take()]);
    const positions = got.map(Number).sort((a, b) => a - b);
    expect(positions).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
    expect(learners.map(({ counted }) => counted.includes("feed_answered"))).toEqual([true, true]);
    expect(learners.map(({ counted }) => counted.includes("feed_unheard"))).toEqual([false, false]);
  });
});
