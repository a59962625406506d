import { prepareNatsServer } from "./nats-server.js";
import { prepareStrace } from "./strace.js";

/**
 * Prepares what tests share: vitest calls this once, before the first test that is no house test.
 *
 * Why: the tests of the real transport need a NATS server, those of the disk need strace; they are
 * found or fetched once, here, and not by every file at the same time.
 */
export async function setup(): Promise<void> {
  await prepareNatsServer();
  // On other systems than Linux there is none, and nothing that it would show.
  if (process.platform === "linux") await prepareStrace();
}
