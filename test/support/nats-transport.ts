/** Real servers and connections to them, for the tests of the NATS adapter. */
import { onTestFinished } from "vitest";
import { connectNats, type NatsTransport } from "../../src/adapters/nats/transport.js";
import type { Answer, Transport, TransportStatus } from "../../src/kernel/ports.js";
import { type NatsServerOptions, type NatsServerProcess, startNatsServer } from "./nats-server.js";

const untilMsMax = 10_000;
const empty = new Uint8Array(0);

/** Options that try again quickly. */
export const quick = { reconnectTimeWait: 30, reconnectJitter: 10 } as const;

export const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks again until the answer is yes. @throws Error with the question after 10 s */
export async function until(isDone: () => boolean): Promise<void> {
  const untilMs = performance.now() + untilMsMax;
  while (!isDone()) {
    if (performance.now() > untilMs) throw new Error(`not within ${untilMsMax} ms: ${isDone}`);
    await pass(2);
  }
}

/** Starts a server that ends with the test. */
export async function serve(options: NatsServerOptions = {}): Promise<NatsServerProcess> {
  const server = await startNatsServer(options);
  onTestFinished(() => server.stop());
  return server;
}

/** Connects until the test ends. */
export async function join(options: Parameters<typeof connectNats>[0]): Promise<NatsTransport> {
  const transport = await connectNats(options);
  onTestFinished(() => transport.close());
  return transport;
}

/** Collects what happens to a connection from now on. */
export function listen(transport: Transport): TransportStatus[] {
  const statuses: TransportStatus[] = [];
  transport.onStatus((status) => void statuses.push(status));
  return statuses;
}

/** Sends a request without a body. */
export function ask(transport: Transport, subject: string, timeoutMs = 2_000): Promise<Answer> {
  return new Promise((resolve) => transport.request(subject, empty, { timeoutMs }, resolve));
}
