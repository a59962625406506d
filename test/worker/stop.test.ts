/**
 * Goal: a gateway that stops answers or refuses every request that the server has sent it.
 * Method: plain NATS requests, many a second, to a real cluster of which one gateway stops and
 * starts again and again.
 */
import { connect } from "nats";
import { describe, expect, it, onTestFinished } from "vitest";
import { startCluster } from "../../src/worker/start-cluster.js";
import { startWorker } from "../../src/worker/worker.js";
import { findNatsServer, startNatsServer } from "../support/nats-server.js";

const found = await findNatsServer();

describe.skipIf("missing" in found)("a gateway that stops", () => {
  it("leaves no request waiting", async () => {
    const server = await startNatsServer();
    onTestFinished(() => server.stop());
    const nats = { servers: server.url };
    const running = await startCluster({
      transport: "nats",
      placement: "single",
      acceptors: 1,
      nats,
    });
    onTestFinished(() => running.stop());
    const asker = await connect(nats);
    onTestFinished(() => asker.close());
    await asker.request("synod.demo.propose", "first", { timeout: 5_000 });
    const ends = new Map<string, number>();
    const count = (end: string) => void ends.set(end, (ends.get(end) ?? 0) + 1);
    const requests: Promise<void>[] = [];
    const ask = () => {
      const request = asker.request("synod.demo.propose", "value", { timeout: 10_000 });
      const ended = request.then(
        ({ headers }) => count(headers?.get("Synod-Kind") ?? "nothing"),
        (error: Error) => count(error.message),
      );
      requests.push(ended);
    };
    // Bursts: some of each are on their way whenever a gateway stops.
    const load = setInterval(() => {
      for (let i = 0; i < 10; i += 1) ask();
    }, 10);
    for (let turn = 0; turn < 5; turn += 1) {
      const roles = ["gateway:g8", "gateway:g9"];
      const gateway = await startWorker({ roles, cluster: running.cluster, nats });
      await new Promise((resolve) => setTimeout(resolve, 300));
      await gateway.stop();
    }
    clearInterval(load);
    await Promise.all(requests);
    expect([...ends.keys()]).toEqual(["receipt"]);
    expect(ends.get("receipt")).toBeGreaterThan(500);
  });
});
