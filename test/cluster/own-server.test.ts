/**
 * Goal: a worker speaks with others through the server it was given and in no other way, so that a
 * test can stand between any two; and it comes back by itself, however long it was cut off.
 * Method: a cable of its own (a TCP proxy) for an acceptor and for each proposer, on two clustered
 * nats-servers; it is cut, frozen and slowed down while the others go on.
 */
import { afterEach, describe, expect, it } from "vitest";
import { Processes, until } from "../cli/processes.js";
import { type NatsServerProcess, startNatsCluster } from "../support/nats-server.js";
import { TcpProxy } from "../support/tcp-proxy.js";
import { type Load, startLoad } from "./chaos/load.js";
import { natsServerMissing, slowMs, testMs } from "./cluster.js";
import { Fleet, fleetCluster, separated } from "./fleet.js";
import { socketsOf } from "./sockets.js";

const processes = new Processes();
const servers: NatsServerProcess[] = [];
const cables = new Map<string, TcpProxy>();
let load: Load | undefined;
afterEach(async () => {
  await load?.close();
  await processes.clear();
  await Promise.all([...cables.values()].map((cable) => cable.close()));
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

/** Starts a fleet whose acceptor a3 and proposers have cables of their own. */
async function start(): Promise<Fleet> {
  servers.push(...(await startNatsCluster(2)));
  const nats = servers.map(({ url }) => url).join(",");
  const crews = separated.filter(({ name }) => !["l2", "g2"].includes(name));
  const cabled = [];
  for (const crew of crews) {
    if (!["a3", "p1", "p2"].includes(crew.name)) {
      cabled.push(crew);
      continue;
    }
    const cable = await TcpProxy.start(() => servers[0]?.port ?? 0);
    cables.set(crew.name, cable);
    cabled.push({ ...crew, nats: `nats://127.0.0.1:${cable.port}` });
  }
  const fleet = await Fleet.start(processes, nats, cabled);
  const few = { clients: 2, pipeline: 1, valueBytes: [100], pauseMs: 20 };
  load = await startLoad({ cluster: fleetCluster, nats, ...few });
  return fleet;
}

let probes = 0;
/** Proposes a value. @returns the acceptors that had it synced, and by whom it was led */
async function propose(): Promise<{ by: readonly string[]; leader: string }> {
  probes += 1;
  const { syncedBy, ballot } = await load!.probe(probes);
  return { by: [...syncedBy].sort(), leader: ballot.owner.split(".")[0] ?? "" };
}

const untilSyncedBy = (id: string) => until(async () => (await propose()).by.includes(id), slowMs);

describe.skipIf(natsServerMissing !== undefined)(`NATS (${natsServerMissing ?? "found"})`, () => {
  it(
    "is the only way between workers: a cable that is cut, frozen or slow is not got around",
    async () => {
      const fleet = await start();
      await untilSyncedBy("a3");
      if (process.platform === "linux") expectOneConnectionEach(fleet);

      const cable = cables.get("a3")!;
      cable.cut();
      for (let i = 0; i < 10; i += 1) expect((await propose()).by).toEqual(["a1", "a2"]);
      cable.heal();
      await untilSyncedBy("a3");
      expect(fleet.worker("a3").stderr).toMatch(/connecting again[\s\S]*connected to/);

      cable.freeze();
      // What was on its way when it froze may have arrived.
      await propose();
      for (let i = 0; i < 10; i += 1) expect((await propose()).by).toEqual(["a1", "a2"]);
      cable.heal();
      await untilSyncedBy("a3");
      cable.delayMs = 2000;
      const { by } = await propose();
      expect(by).toEqual(["a1", "a2"]);
      cable.heal();

      const { leader } = await propose();
      cables.get(leader)!.cut();
      await until(async () => (await propose()).leader !== leader, slowMs);
      cables.get(leader)!.heal();
      await fleet.worker(leader).says(/connecting again[\s\S]*connected to/, slowMs);
      await load!.stop();
      expect(load!.verdict().failures).toEqual([]);
    },
    testMs,
  );
});

/** Nobody listens, and each has one connection: to the server that it was given. */
function expectOneConnectionEach(fleet: Fleet): void {
  for (const name of fleet.names) {
    const { connectedTo, listensOn, unixPeers } = socketsOf(fleet.pid(name) ?? 0);
    const cable = cables.get(name);
    const allowed = cable === undefined ? servers.map(({ port }) => port) : [cable.port];
    expect({ name, connections: connectedTo.length }).toEqual({ name, connections: 1 });
    expect(allowed).toContain(connectedTo[0]);
    expect({ name, listensOn, unixPeers }).toEqual({ name, listensOn: [], unixPeers: [] });
  }
}
