/**
 * One contract for the bus, three times: the twin, our own broker, a real nats-server.
 */
import { expect, test } from "vitest";
import { createVirtualClock } from "../../src/adapters/memory/clock.js";
import { createMemoryBus } from "../../src/adapters/memory/transport.js";
import { connectNats } from "../../src/adapters/nats/transport.js";
import { startBroker } from "../../src/broker/broker.js";
import { findNatsServer, startNatsServer } from "../support/nats-server.js";
import { echoSuite } from "./echo.suite.js";
import { subscriptionSuite } from "./subscription.suite.js";
import { type TransportBench, transportSuite } from "./transport.suite.js";

const untilMsMax = 10_000;

async function openMemory(): Promise<TransportBench> {
  const clock = createVirtualClock();
  const bus = createMemoryBus(clock);
  const run = async <T>(promise: Promise<T>): Promise<T> => {
    let isSettled = false;
    const settled = promise.finally(() => {
      isSettled = true;
    });
    settled.catch(() => {});
    while (!isSettled) {
      clock.runSoon();
      await Promise.resolve();
    }
    return settled;
  };
  return {
    connect: async (name, options) => bus.connect(name, options),
    run,
    until: async (isDone) => {
      expect(clock.runUntil(isDone, untilMsMax)).toBe(true);
    },
    stopServer: async () => bus.stop(),
    startServer: async () => bus.start(),
    close: async () => {},
  };
}

/** A server in real time. @param start begins one at a port, a free one if undefined */
async function openReal(
  start: (port: number | undefined) => Promise<{ port: number; stop(): Promise<void> }>,
): Promise<TransportBench> {
  let server = await start(undefined);
  const { port } = server;
  return {
    connect: (name, options) =>
      connectNats({ servers: `nats://127.0.0.1:${port}`, name, reconnectTimeWait: 30, ...options }),
    run: (promise) => promise,
    until: async (isDone) => {
      const untilMs = performance.now() + untilMsMax;
      while (!isDone()) {
        expect(performance.now()).toBeLessThan(untilMs);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    },
    stopServer: () => server.stop(),
    startServer: async () => {
      server = await start(port);
    },
    close: () => server.stop(),
  };
}

const openBroker = () =>
  openReal(async (port) => {
    const broker = await startBroker({ port: port ?? 0 });
    return { port: broker.port, stop: () => broker.close() };
  });
const openNatsServer = () =>
  openReal((port) => startNatsServer(port === undefined ? {} : { port }));

const found = await findNatsServer();
for (const suite of [transportSuite, subscriptionSuite, echoSuite]) {
  suite("memory", openMemory);
  suite("embedded broker", openBroker);
  if (!("missing" in found)) {
    suite("nats-server", openNatsServer);
  }
}
if ("missing" in found) {
  test.skipIf(true)(`nats-server: ${found.missing}`, () => {});
}
