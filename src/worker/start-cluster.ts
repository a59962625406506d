/**
 * A whole cluster inside this process, for tests and experiments: one worker a process of `up`,
 * each with its own connection, on a NATS server or on a bus in memory.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSeededRandom } from "../adapters/memory/random.js";
import { createMemoryBus, type MemoryBus } from "../adapters/memory/transport.js";
import type { NatsOptions } from "../adapters/nats/given.js";
import { connectNats } from "../adapters/nats/transport.js";
import { createClock, createRandom } from "../adapters/node/clock.js";
import { startBroker } from "../broker/broker.js";
import type { Clock, Logger, Random, Transport } from "../kernel/ports.js";
import type { Cluster } from "../paxos/cluster.js";
import type { Limits } from "../paxos/limits.js";
import type { QuorumSystem } from "../paxos/quorum.js";
import { connectPatiently } from "./connect-patiently.js";
import { drawCluster } from "./descriptor.js";
import { formatStores } from "./local-cluster.js";
import { type PlacedProcess, type Placement, placeRoles, proposersFor } from "./placement.js";
import { isRunnable } from "./roles.js";
import { openRoleStore } from "./stores.js";
import { runWorker, type Worker } from "./worker.js";

/** What to start. */
export interface ClusterOptions {
  /** `nats`: a server that is named, or an embedded broker of its own; `memory`: no server. */
  readonly transport: "nats" | "memory";
  /** Draws ids and jitter; another one at every start if left out. */
  readonly seed?: number | string | undefined;
  /** How many, 1 … 64; 3 if left out. */
  readonly acceptors?: number | undefined;
  readonly placement?: Placement | undefined;
  /** `demo` if left out. */
  readonly name?: string | undefined;
  readonly quorums?: QuorumSystem | undefined;
  readonly limits?: Partial<Limits> | undefined;
  /** The server, for `nats`. */
  readonly nats?: NatsOptions | undefined;
  /** Where the stores are; a temporary folder, removed at the end, if left out. */
  readonly data?: string | undefined;
  readonly logger?: Logger | undefined;
  /** The folder into which what the roles do is traced (ptrace/1); no trace if left out. */
  readonly trace?: string | undefined;
}

/** A running cluster. */
export interface RunningCluster extends AsyncDisposable {
  readonly cluster: Cluster;
  /** Options for `connect`; undefined in memory. */
  readonly nats: NatsOptions | undefined;
  /** The workers by name: `acceptor a1`. */
  readonly workers: ReadonlyMap<string, Worker>;
  /** Opens one more connection to the cluster's bus, to be closed by the caller. */
  connect(name: string): Promise<Transport & { close(): Promise<void> }>;
  /** Ends every worker in good order, the broker, and the folder if it was temporary. */
  stop(): Promise<void>;
}

/** Starts a cluster in this process. */
export async function startCluster(options: ClusterOptions): Promise<RunningCluster> {
  const { seed, placement = "separated", acceptors = 3, name = "demo" } = options;
  const clock = createClock();
  const random = seed === undefined ? createRandom() : createSeededRandom(seed);
  const proposers = proposersFor(placement, acceptors);
  const { quorums, limits } = options;
  const cluster = drawCluster({ name, acceptors, proposers, random, quorums, limits });
  const data = options.data ?? (await mkdtemp(join(tmpdir(), "synod-")));
  const ends: (() => Promise<unknown>)[] = [];
  if (options.data === undefined) ends.push(() => rm(data, { recursive: true, force: true }));
  try {
    await formatStores(cluster, data);
    const wire = await openWire(options, clock, ends);
    const placed = placeRoles(cluster, placement, isRunnable);
    const workers = new Map<string, Worker>();
    const setting = { options, cluster, data, clock, random, wire };
    // One for each: Node warns of a signal with more than ten listeners.
    const controllers = placed.map(() => new AbortController());
    const starting = placed.map((one, i) => startPlaced(one, setting, controllers[i]!.signal));
    ends.push(async () => {
      for (const controller of controllers) controller.abort();
      // Of those that did not start, startCluster has told the first.
      const results = await Promise.allSettled(starting);
      const running = results.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
      await Promise.all(running.map((worker) => worker.stop()));
    });
    const started = await Promise.all(starting);
    placed.forEach((one, i) => void workers.set(one.name, started[i]!));
    const stop = once(() => runBackwards(ends));
    const { nats, connect } = wire;
    return { cluster, nats, workers, connect, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await runBackwards(ends);
    throw error;
  }
}

/** The bus of a cluster. */
interface Wire {
  readonly nats: NatsOptions | undefined;
  readonly connect: (
    name: string,
    options?: { readonly noEcho: boolean },
  ) => ReturnType<RunningCluster["connect"]>;
}

async function openWire(
  options: ClusterOptions,
  clock: Clock,
  ends: (() => Promise<unknown>)[],
): Promise<Wire> {
  if (options.transport === "memory") {
    const bus: MemoryBus = createMemoryBus(clock);
    return { nats: undefined, connect: async (name, options) => bus.connect(name, options) };
  }
  if (options.nats !== undefined) return natsWire(options.nats);
  const broker = await startBroker({ port: 0 });
  ends.push(() => broker.close());
  return natsWire({ servers: broker.url });
}

function natsWire(nats: NatsOptions): Wire {
  return { nats, connect: (name, options) => connectNats({ ...nats, ...options, name }) };
}

interface Setting {
  readonly options: ClusterOptions;
  readonly cluster: Cluster;
  readonly data: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly wire: Wire;
}

function startPlaced(
  { name, roles }: PlacedProcess,
  { options, cluster, data, clock, random, wire }: Setting,
  signal: AbortSignal,
): Promise<Worker> {
  const { logger, trace } = options;
  const worker = { roles, cluster, data, logger, trace, signal };
  const connect = async () => {
    if (wire.nats !== undefined) return connectPatiently({ ...worker, nats: wire.nats });
    return { transport: await wire.connect(name, { noEcho: true }), server: "memory" };
  };
  return runWorker(worker, {
    clock,
    random,
    connect,
    openStore: (of, role, id) => openRoleStore(of, role, id, data),
  });
}

async function runBackwards(ends: readonly (() => Promise<unknown>)[]): Promise<void> {
  for (const end of [...ends].reverse()) await end();
}

function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= run();
    return running;
  };
}
