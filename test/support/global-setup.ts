import { prepareNatsServer } from "./nats-server.js";

/**
 * Prepares what tests share: vitest calls this once, before the first test that is no house test.
 *
 * Why: the tests of the real transport need a NATS server; it is found or fetched once, here, and
 * not by every file at the same time.
 */
export async function setup(): Promise<void> {
  await prepareNatsServer();
}
