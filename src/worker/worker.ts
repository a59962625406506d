/**
 * A worker: roles of one cluster, run in this process with their stores, clock and connection.
 */

import { createCodec } from "../adapters/msgpackr/codec.js";
import { structured } from "../adapters/msgpackr/structured.js";
import type { NatsOptions } from "../adapters/nats/given.js";
import { createClock, createRandom } from "../adapters/node/clock.js";
import { LamportClock } from "../kernel/bus/lamport.js";
import { HealthWatch } from "../kernel/health.js";
import { Host } from "../kernel/host.js";
import type { Clock, HealthMeter, Logger, Random, Transport } from "../kernel/ports.js";
import { StoreRefused } from "../kernel/store/refusal.js";
import type { Store } from "../kernel/store/store.js";
import { type Cluster, configurationHash } from "../paxos/cluster.js";
import { BoundWatch } from "./bounds.js";
import { connectPatiently } from "./connect-patiently.js";
import { answerControl } from "./control.js";
import { readDescriptor } from "./descriptor.js";
import { evidenceOf, type ProcessEvidence, readProofQuestion } from "./evidence.js";
import { EXIT } from "./exit.js";
import { createHealthMeter } from "./health.js";
import { Hearing } from "./hearing.js";
import {
  boundedHeap,
  boundedRole,
  type Corpse,
  type ProcessStatus,
  type ProcessWaits,
  reportCorpse,
  reportRole,
  reportWaits,
  waitForOperator,
  waitForRights,
} from "./report.js";
import { type RoleToRun, readRoles, WorkerOptionsError } from "./roles.js";
import { openRoleStore, storeFolder } from "./stores.js";
import { traceInto } from "./trace-files.js";

/** What a worker runs, and where. */
export interface WorkerOptions {
  /** `role`, or `role:id`. */
  readonly roles: readonly string[];
  /** The id of the roles that have none of their own. */
  readonly id?: string | undefined;
  /** The path of a descriptor, or a cluster. */
  readonly cluster: string | Cluster;
  /** How to connect; NATS on this machine if left out. */
  readonly nats?: NatsOptions | undefined;
  /** The folder of the stores; needed for roles that remember. */
  readonly data?: string | undefined;
  /** The first token of every subject; `synod` if left out. */
  readonly prefix?: string | undefined;
  /** Nothing is logged if left out. */
  readonly logger?: Logger | undefined;
  /** The folder into which what the roles do is traced (ptrace/1); no trace if left out. */
  readonly trace?: string | undefined;
  /** Ends the start as well as a worker that runs. */
  readonly signal?: AbortSignal | undefined;
  /** Called when a role stopped for good while others go on. */
  readonly onHalt?: ((role: string, id: string, why: string) => void) | undefined;
}

/** A store that is ours until it is closed. */
export interface OpenStore {
  readonly store: Store;
  close(): Promise<void>;
}

/** Where a worker gets what it needs; for tests that want other twins. */
export interface WorkerPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly connect: () => Promise<{ readonly transport: Transport; readonly server: string }>;
  readonly openStore: (cluster: Cluster, role: string, id: string) => Promise<OpenStore>;
  /** That of this process if left out. */
  readonly meter?: HealthMeter & { close(): void };
}

/** How a worker ended. `exitCode` is what its process should end with. */
export interface Ending {
  readonly exitCode: number;
  readonly why: string;
}

/** Running roles. */
export interface Worker extends AsyncDisposable {
  readonly cluster: Cluster;
  /** Each `role:id`. */
  readonly roles: readonly string[];
  /** Resolves when it was stopped, when a role threw, or when every role has halted. */
  readonly ended: Promise<Ending>;
  status(): ProcessStatus;
  why(): ProcessWaits;
  /** Ends in good order: takes nothing in any more, syncs, says what is left to say. */
  stop(): Promise<void>;
}

/** No role could be started. */
export class WorkerRefused extends Error {
  override readonly name = "WorkerRefused";
  /** Whether all that was lacking is room on a disk: then another start may find it. */
  readonly mayPass: boolean;

  constructor(message: string, mayPass: boolean) {
    super(message);
    this.mayPass = mayPass;
  }
}

/** Milliseconds that a graceful stop may take before what is left is given up. */
const stopMsMax = 3000;

/**
 * Runs roles in this process.
 *
 * Opens the stores first, then waits for the server without limit. A role whose store is refused
 * does not keep the others from running: the worker answers `status` for it.
 *
 * @throws DescriptorError, WorkerOptionsError, NatsConnectError (refused credentials)
 * @throws WorkerRefused if no role could be started
 */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const clock = createClock();
  return runWorker(options, {
    clock,
    random: createRandom(),
    connect: () => connectPatiently(options),
    openStore: (cluster, role, id) => openRoleStore(cluster, role, id, options.data ?? ""),
  });
}

/** Runs roles on the ports that are given. */
export async function runWorker(options: WorkerOptions, ports: WorkerPorts): Promise<Worker> {
  const cluster =
    typeof options.cluster === "string" ? await readDescriptor(options.cluster) : options.cluster;
  const roles = readRoles(options.roles, options.id, cluster, ports.random);
  const { opened, corpses } = await openStores(options, ports, cluster, roles);
  try {
    const { transport, server } = await ports.connect();
    return new RunningWorker({ options, ports, cluster, opened, corpses, transport, server });
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

interface OpenedRole extends RoleToRun {
  readonly open: OpenStore | null;
  readonly data: string | null;
}

async function closeAll(opened: readonly OpenedRole[]): Promise<void> {
  await Promise.all(opened.map(({ open }) => open?.close()));
}

async function openStores(
  options: WorkerOptions,
  ports: WorkerPorts,
  cluster: Cluster,
  roles: readonly RoleToRun[],
): Promise<{ opened: OpenedRole[]; corpses: Corpse[] }> {
  const opened: OpenedRole[] = [];
  const corpses: Corpse[] = [];
  let lackRoom = 0;
  for (const { definition, id } of roles) {
    if (!definition.stateful) {
      opened.push({ definition, id, open: null, data: null });
      continue;
    }
    const { name } = definition;
    if (options.data === undefined) {
      const message = `${name} ${id} keeps its word on disk: name the folder of its store (data)`;
      throw new WorkerOptionsError(message);
    }
    const data = storeFolder(options.data, name, id);
    try {
      opened.push({ definition, id, data, open: await ports.openStore(cluster, name, id) });
    } catch (error) {
      if (!(error instanceof StoreRefused)) throw error;
      options.logger?.error({ role: name, id, code: error.code }, error.message);
      corpses.push({ role: name, id, data, why: error.message });
      if (error.code === "no_room") lackRoom += 1;
    }
  }
  if (opened.length === 0) {
    throw new WorkerRefused(corpses.map(({ why }) => why).join("\n"), lackRoom === corpses.length);
  }
  return { opened, corpses };
}

interface Parts {
  readonly options: WorkerOptions;
  readonly ports: WorkerPorts;
  readonly cluster: Cluster;
  readonly opened: readonly OpenedRole[];
  readonly corpses: readonly Corpse[];
  readonly transport: Transport;
  readonly server: string;
}

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

class RunningWorker implements Worker {
  readonly cluster: Cluster;
  readonly roles: readonly string[];
  readonly ended: Promise<Ending>;
  readonly #parts: Parts;
  readonly #host: Host;
  readonly #folders = new Map<string, string | null>();
  readonly #endings: (() => void)[] = [];
  readonly #bounds: BoundWatch;
  readonly #hears: Hearing;
  readonly #health: HealthWatch;
  #server: string;
  #end: (ending: Ending) => void = () => {};
  #endTrace: () => void = () => {};
  #stopped: Promise<void> | undefined;
  #isOver = false;

  constructor(parts: Parts) {
    const { options, ports, cluster, transport, opened } = parts;
    this.#parts = parts;
    this.cluster = cluster;
    this.#server = parts.server;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    const logger = options.logger ?? silent;
    this.#bounds = new BoundWatch(logger);
    // Above everything this process can have heard before it was killed (README, "Traces").
    const lamport = options.trace === undefined ? undefined : new LamportClock(Date.now() * 1000);
    this.#host = new Host({
      lamport,
      cluster,
      prefix: options.prefix ?? "synod",
      transport,
      codec: createCodec(cluster),
      clock: ports.clock,
      random: ports.random,
      logger,
      structured,
      onHalt: (role, id, why, cause) => this.#halted(role, id, why, cause),
    });
    if (options.trace !== undefined && lamport !== undefined) {
      this.#trace(options.trace, lamport, logger);
    }
    const { space, nonce, runners } = this.#host;
    this.#hears = new Hearing({ transport, clock: ports.clock, space, nonce });
    const { meter = createHealthMeter(), clock } = ports;
    this.#health = new HealthWatch({ meter, clock, logger, limits: cluster.limits, runners });
    this.#endings.push(
      () => this.#health.close(),
      () => meter.close(),
    );
    this.roles = opened.map(({ definition, id }) => `${definition.name}:${id}`);
    for (const { definition, id, data, open } of opened) {
      this.#folders.set(`${definition.name}:${id}`, data);
      this.#host.add(definition, id, open?.store ?? null);
    }
    this.#answer();
    const { signal } = options;
    signal?.addEventListener("abort", () => void this.stop(), { once: true });
  }

  #trace(folder: string, lamport: LamportClock, logger: Logger): void {
    const trace = traceInto(folder, this.cluster, lamport);
    const detach = this.#host.observe(trace.observer, (error) => {
      const reason = error instanceof Error ? error.message : String(error);
      logger.error({ folder }, `going on without a trace: ${reason}`);
      trace.close();
    });
    this.#endTrace = () => {
      detach();
      trace.close();
    };
  }

  status(): ProcessStatus {
    const dropped = Object.fromEntries(this.#host.dropped);
    const roles = this.#host.runners.map((runner) => {
      const data = this.#folders.get(`${runner.definition.name}:${runner.id}`) ?? null;
      return reportRole(runner, data, dropped, this.#host.overLimit.waitsOf(runner));
    });
    return {
      process: this.#host.nonce,
      pid: process.pid,
      cluster: this.cluster.name,
      clusterId: this.cluster.clusterId,
      epoch: this.cluster.epoch,
      configurationHash: configurationHash(this.cluster),
      server: this.#server,
      payloadBytesMax: this.#parts.transport.payloadBytesMax,
      silentServers: this.#parts.transport.silentServers,
      ...this.#health.reading,
      roles: [...roles, ...this.#parts.corpses.map((corpse) => reportCorpse(corpse, dropped))],
      dropped,
    };
  }

  why(): ProcessWaits {
    const nowMs = this.#parts.ports.clock.nowMs();
    const corpses = this.#parts.corpses.map(({ role, id, why }) => {
      return { role, id, waits: [waitForOperator(why)] };
    });
    const heap = boundedHeap(this.#health.reading);
    this.#bounds.look([heap], nowMs);
    const ofProcess = [
      ...waitForRights(this.#host.denials(), nowMs),
      ...this.#host.mistakes.waits(nowMs),
      ...this.#health.waits(nowMs),
      ...this.#bounds.waits(heap, nowMs),
    ];
    const roles = this.#host.runners.map((runner) => {
      const bounded = boundedRole(runner);
      this.#bounds.look([bounded], nowMs);
      const room = this.#bounds.waits(bounded, nowMs);
      const overLimit = this.#host.overLimit.waitsOf(runner);
      return reportWaits(runner, nowMs, [...ofProcess, ...overLimit, ...room]);
    });
    return { process: this.#host.nonce, pid: process.pid, roles: [...roles, ...corpses] };
  }

  #evidence(body: Uint8Array): ProcessEvidence {
    const question = readProofQuestion(body);
    const roles = this.#host.runners.map((runner) => evidenceOf(runner, question));
    return { process: this.#host.nonce, pid: process.pid, roles };
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #answer(): void {
    const { transport, options } = this.#parts;
    const { space, nonce } = this.#host;
    this.#endings.push(
      this.#bounds.start(this.#parts.ports.clock, () => [
        ...this.#host.runners.map(boundedRole),
        boundedHeap(this.#health.reading),
      ]),
      answerControl(transport, space, "status", nonce, () => this.status()),
      answerControl(transport, space, "why", nonce, () => this.why()),
      answerControl(transport, space, "prove", nonce, (body) => this.#evidence(body)),
      answerControl(transport, space, "cluster", nonce, () => this.cluster),
      answerControl(transport, space, "hearing", nonce, () =>
        this.#hears.report(this.#host.runners, this.#server),
      ),
      this.#hears.start(),
      transport.onStatus((status) => {
        const { logger } = options;
        if (status.kind === "connected") {
          this.#server = status.server;
          logger?.info({ server: status.server }, `connected to ${status.server}`);
        }
        if (status.kind === "disconnected") {
          logger?.warn({ server: this.#server }, `lost ${this.#server}: connecting again`);
        }
        if (status.kind === "closed" && this.#stopped === undefined) {
          const why = status.reason ?? "the connection was closed";
          this.#end({ exitCode: EXIT.failed, why });
        }
      }),
    );
  }

  #halted(role: string, id: string, why: string, cause: "halt" | "threw"): void {
    const { options } = this.#parts;
    if (this.#isOver) return;
    if (cause === "threw") {
      this.#end({ exitCode: EXIT.failed, why });
      return;
    }
    options.logger?.error({ role, id }, `${role} ${id} has halted: ${why}`);
    const isAlone = this.#host.runners.every((runner) => runner.halted !== null);
    if (isAlone) this.#end({ exitCode: EXIT.refused, why });
    else options.onHalt?.(role, id, why);
  }

  async #stop(): Promise<void> {
    await new Promise<void>((resolve) => this.#host.stop(stopMsMax, resolve));
    for (const end of this.#endings) end();
    await this.#parts.transport.drain();
    this.#isOver = true;
    for (const runner of this.#host.runners) runner.halt("stopped");
    this.#endTrace();
    await closeAll(this.#parts.opened);
    this.#end({ exitCode: EXIT.done, why: "stopped" });
  }
}
