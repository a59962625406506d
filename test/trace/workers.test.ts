/**
 * Goal: real processes leave a trace that a checker finds good, whoever of them is killed with
 * kill -9; a trace that cannot be written stops nobody.
 * Method: `up` from dist with SYNOD_TRACE, fed while a process of each kind is killed; its files
 * judged by `checker.ts`, while they are written and at the end; a folder that is none.
 */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { createMemoryBus } from "../../src/adapters/memory/transport.js";
import { createCodec } from "../../src/adapters/msgpackr/codec.js";
import { createClock, createRandom } from "../../src/adapters/node/clock.js";
import { openClient } from "../../src/client/connect.js";
import type { LogFields, Logger } from "../../src/kernel/ports.js";
import type { Cluster } from "../../src/paxos/cluster.js";
import { drawCluster } from "../../src/worker/descriptor.js";
import { formatStores } from "../../src/worker/local-cluster.js";
import { openRoleStore } from "../../src/worker/stores.js";
import { runWorker } from "../../src/worker/worker.js";
import { environment, Processes, until } from "../cli/processes.js";
import { slowMs, Town, testMs } from "../cluster/cluster.js";
import { judge, readTraces, type TraceEvent } from "./checker.js";

const processes = new Processes();
afterEach(() => processes.clear());

/** Feeds lines until the victim is dead and its cluster has gone on without it. */
async function killAmidst(town: Town, role: string, id: string | undefined): Promise<void> {
  const pid = id === undefined ? await town.leaderPid() : await town.pidOf(role, id);
  const start = town.sent.length;
  let end = Number.POSITIVE_INFINITY;
  const feeding = town.feedWhile(() => town.sent.length < end);
  await town.prints(start + 60).finally(() => {
    end = town.sent.length + 100;
  });
  process.kill(pid, "SIGKILL");
  await feeding;
  await town.prints(town.sent.length);
  if (id !== undefined) await until(async () => (await town.pidOf(role, id)) !== pid, slowMs);
}

describe("a trace of real processes", () => {
  it(
    "that are killed with kill -9 is a run of Paxos",
    async () => {
      const cwd = await processes.folder();
      const trace = await processes.folder();
      const env = { ...environment(), SYNOD_TRACE: trace };
      const town = await Town.bringUp(processes, cwd, ["--exit", "--embedded"], env);
      const victims = [
        ["proposer", undefined],
        ["acceptor", "a1"],
        ["learner", "l1"],
        ["acceptor", "a2"],
        ["acceptor", "a3"],
      ] as const;
      for (const [at, [role, id]] of victims.entries()) {
        await killAmidst(town, role, id);
        await town.run("decide", `key ${at % 3}`, `value ${at}`);
        // Readable while it is written.
        if (at === 3) expect([...readTraces(trace).values()].flatMap(judge)).toEqual([]);
      }
      town.up.child.stdin?.end();
      const { code } = await town.up.ended;
      expect(code).toBe(0);
      const traces = readTraces(trace);
      expect(traces.size).toBe(4);
      const log = traces.get("")?.events ?? [];
      const lives = (n: string) => Math.max(...log.filter((e) => e.n === n).map(({ inc }) => inc));
      for (const id of ["a1", "a2", "a3"]) expect(lives(id), id).toBe(2);
      const count = (ev: string) => log.filter((event) => event.ev === ev).length;
      expect(count("recover")).toBe(6);
      expect(count("p1a")).toBeGreaterThan(1);
      expect(count("chosen")).toBeGreaterThan(20);
      expect([...traces.values()].flatMap(judge)).toEqual([]);
    },
    testMs,
  );
});

/** A logger that keeps what it is told. */
function listening(): { readonly logger: Logger; readonly errors: string[] } {
  const errors: string[] = [];
  const ignore = () => undefined;
  const error = (_fields: LogFields, message: string) => void errors.push(message);
  return { logger: { debug: ignore, info: ignore, warn: ignore, error }, errors };
}

/** Starts every role in this process and decides a key. @returns what was logged as an error */
async function decideTraced(key: string, trace: string, known?: Place): Promise<string[]> {
  const { logger, errors } = listening();
  const clock = createClock();
  const random = createRandom();
  const place = known ?? (await settle());
  const { cluster, data } = place;
  const bus = createMemoryBus(clock);
  const roles = ["acceptor:a1", "acceptor:a2", "proposer:p1", "elector:e1", "learner:l1"];
  await using _worker = await runWorker(
    { roles: [...roles, "gateway:g1", "synod-proposer:s1"], cluster, data, logger, trace },
    {
      clock,
      random,
      connect: async () => ({ transport: bus.connect("worker"), server: "memory" }),
      openStore: (of, role, id) => openRoleStore(of, role, id, data),
    },
  );
  const ports = { transport: bus.connect("client"), clock, random, createCodec };
  await using synod = await openClient(ports, { cluster: cluster.name });
  expect(await synod.decide(key, "blue")).toBe("blue");
  return errors;
}

interface Place {
  readonly cluster: Cluster;
  readonly data: string;
}

/** Draws a cluster and formats its stores. */
async function settle(): Promise<Place> {
  const random = createRandom();
  const cluster = drawCluster({ name: "demo", acceptors: 2, proposers: 1, random });
  const data = await processes.folder();
  await formatStores(cluster, data);
  return { cluster, data };
}

describe("a trace", () => {
  it("that cannot be written is given up, said once, and nobody stops", async () => {
    const taken = join(await processes.folder(), "taken");
    writeFileSync(taken, "not a folder");
    const errors = await decideTraced("colour", taken);
    expect(errors).toEqual([expect.stringMatching(/^going on without a trace: .*taken/)]);
  });

  it("goes on where it ended, and without the line that was cut off", async () => {
    const folder = await processes.folder();
    const place = await settle();
    expect(await decideTraced("colour", folder, place)).toEqual([]);
    const file = join(folder, "acceptor-a1.jsonl");
    const before = readFileSync(file, "utf8");
    const lastOf = (text: string) => JSON.parse(text.split("\n").at(-2) ?? "") as TraceEvent;
    appendFileSync(file, '{"lc":17,"n":"a1","in');
    expect(await decideTraced("size", folder, place)).toEqual([]);
    const after = readFileSync(file, "utf8");
    expect(after.startsWith(before)).toBe(true);
    expect(after.slice(before.length)).toMatch(
      /^\{"lc":\d+,"n":"a1","inc":2,"seq":0,"ev":"recover"/,
    );
    expect(lastOf(after).lc).toBeGreaterThan(lastOf(before).lc);
    const traces = readTraces(folder);
    expect(traces.size).toBe(3);
    expect([...traces.values()].flatMap(judge)).toEqual([]);
  });

  it("begins no lower than what its process heard before it was killed", async () => {
    const folder = await processes.folder();
    const startedUs = Date.now() * 1000;
    await decideTraced("colour", folder);
    const { events } = readTraces(folder).get("") ?? { events: [] };
    expect(events[0]?.lc).toBeGreaterThan(startedUs);
    expect(events.every(({ lc }) => Number.isSafeInteger(lc))).toBe(true);
  });
});
