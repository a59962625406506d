/**
 * Goal: whatever a power cut leaves of an acceptor's disk, the store opens with everything that was
 * acknowledged, and with nothing but whole batches.
 * Method: a real store in a traced process; every prefix of its writes is made a disk, with each
 * subset of the unsynced ones dropped or torn, and opened. `npm run disks` does so for longer.
 */
import { afterEach, describe, expect, it } from "vitest";
import { Processes } from "../cli/processes.js";
import { type NatsServerProcess, startNatsServer } from "../support/nats-server.js";
import { findStrace } from "../support/strace.js";
import { natsServerMissing, testMs } from "./cluster.js";
import { cutPower, cutPowerOfAcceptor } from "./disk/power-cuts.js";

const strace = await findStrace();
const skipped = "missing" in strace ? ` (skipped: ${strace.missing})` : "";
const path = "path" in strace ? strace.path : "";

const processes = new Processes();
let server: NatsServerProcess | undefined;
afterEach(async () => {
  await processes.clear();
  await server?.stop();
});

describe.skipIf("missing" in strace)(`a power cut${skipped}`, () => {
  it("loses nothing that was acknowledged, and leaves no half batch", async () => {
    const plan = { exhaustiveMax: 4, subsets: 6, tears: 4 };
    const outcome = await cutPower({ strace: path, seed: "1", count: 32, plan });
    const { failures, deaths, failed, refusedUnborn, ...counts } = outcome;
    expect({ failures, deaths, failed }).toEqual({ failures: [], deaths: [], failed: 0 });
    // Before the format was acknowledged there is no store to lose.
    expect(Object.keys(refusedUnborn).sort()).toEqual(["corrupt", "not_formatted"]);
    expect(counts.syncs).toBeGreaterThan(45);
    // The journal is emptied, holds batches alone and together, and is too small for some.
    expect(counts.emptied).toBeGreaterThan(3);
    expect(counts.groups).toBeGreaterThan(0);
    expect(counts.commits - 1 - counts.journaled).toBeGreaterThan(3);
    expect(counts.disks).toBeGreaterThan(400);
    expect(counts.torn).toBeGreaterThan(150);
    expect(counts.ahead).toBeGreaterThan(50);
    expect(counts.continued).toBeGreaterThan(60);
  }, 120_000);

  it.each([
    { of: "store.mdb", number: 3 },
    { of: "store.journal", number: 5 },
    { of: "folder", number: 1 },
  ] as const)(
    "on a disk that lies about sync $number of $of is found out",
    async (withoutSync) => {
      const plan = { exhaustiveMax: 3, subsets: 2, tears: 1 };
      const lie = { withoutSync, untilDeath: true };
      const { failed, deaths } = await cutPower({
        strace: path,
        seed: "2",
        count: 8,
        plan,
        ...lie,
      });
      expect(failed + deaths.length).toBeGreaterThan(0);
    },
    60_000,
  );

  it.skipIf(natsServerMissing !== undefined)(
    `of an acceptor that votes under load (${natsServerMissing ?? "nats-server found"})`,
    async () => {
      server = await startNatsServer();
      const plan = { exhaustiveMax: 4, subsets: 4, tears: 4, cutEvery: 2 };
      const what = { processes, nats: server.url, strace: path, forMs: 300, seed: "3", plan };
      const { failures, deaths, failed, ...counts } = await cutPowerOfAcceptor(what);
      expect({ failures, deaths, failed }).toEqual({ failures: [], deaths: [], failed: 0 });
      expect(counts.commits).toBeGreaterThan(10);
      expect(counts.journaled).toBe(counts.commits);
      expect(counts.disks).toBeGreaterThan(counts.commits);
    },
    testMs,
  );
});
