/**
 * Goal: an acceptor whose sync or write fails halts with a sentence and answers no more until a
 * person starts it again; meanwhile the cluster goes on, and nothing acknowledged is lost.
 * Method: real workers under load, one of them under strace, which makes the n-th call of a kind
 * fail. `npm run syncs` does so for more of them.
 */
import { afterEach, describe, expect, it } from "vitest";
import { Processes } from "../cli/processes.js";
import { type NatsServerProcess, startNatsServer } from "../support/nats-server.js";
import { findStrace } from "../support/strace.js";
import { natsServerMissing, testMs } from "./cluster.js";
import { FailingDisk } from "./syncs/failing-disk.js";

const strace = await findStrace();
const missing = "missing" in strace ? strace.missing : natsServerMissing;
const path = "path" in strace ? strace.path : "";

const processes = new Processes();
let server: NatsServerProcess | undefined;
afterEach(async () => {
  await processes.clear();
  await server?.stop();
});

describe.skipIf(missing !== undefined)(`a disk that fails (${missing ?? "injected"})`, () => {
  it(
    "halts its acceptor, and nobody else",
    async () => {
      server = await startNatsServer();
      const disk = await FailingDisk.start(processes, server.url, path);
      // LMDB names the journal with its first sync; those of records follow.
      expect(await disk.fail({ call: "fdatasync", error: "EIO", when: 4 })).toBe("halted");
      // The journal is made, LMDB writes its pages (at once, where they lie side by side) and its
      // head, and records come.
      for (const when of [3, 4, 2, 5, 3, 4, 2]) {
        if (disk.hits.record > 0 && disk.hits.head > 0) break;
        await disk.fail({ call: "pwrite64", error: "EIO", when });
      }
      const { failures, counts } = await disk.end();
      expect(failures).toEqual([]);
      expect(disk.hits["record sync"]).toBe(1);
      expect(disk.hits.record).toBeGreaterThan(0);
      expect(disk.hits.head).toBeGreaterThan(0);
      expect(counts["acknowledged"]).toBeGreaterThan(50);
    },
    testMs,
  );
});
