/**
 * Goal: a worker's connection does not bring it its own messages, unless its options ask for them.
 * Method: our own broker, which knows the option as a nats-server does.
 */
import { expect, it, onTestFinished } from "vitest";
import { startBroker } from "../../src/broker/broker.js";
import { connectPatiently } from "../../src/worker/connect-patiently.js";

it.each([
  ["nothing of its own", {}, 0],
  ["its own where the options ask for it", { noEcho: false }, 1],
  ["nothing of its own where they leave it open", { noEcho: undefined }, 0],
])("receives %s", async (_what, options, count) => {
  const broker = await startBroker({ port: 0 });
  onTestFinished(() => broker.close());
  const { transport } = await connectPatiently({ nats: { servers: broker.url, ...options } });
  onTestFinished(() => transport.drain());
  let heard = 0;
  transport.subscribe("own", () => {
    heard++;
  });
  transport.publish("own", new Uint8Array(1));
  await transport.flush();
  expect(heard).toBe(count);
});
