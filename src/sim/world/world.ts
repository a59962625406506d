/**
 * A deterministic world: the real machines, host, wire codec and store rules on the memory bus,
 * memory disks and a virtual clock. Nothing happens until somebody moves the clock.
 *
 * What survives a crash is a {@link MemoryFile}; a {@link SimProcess} is one life of a node.
 */
import { roles as realRoles } from "../../../actors/index.js";
import { sessionServices } from "../../../actors/session/services.js";
import { createVirtualClock } from "../../adapters/memory/clock.js";
import { type Fate, MemoryFile } from "../../adapters/memory/disk.js";
import { createSeededRandom, type SeededRandom } from "../../adapters/memory/random.js";
import { createMemoryBus, type MemoryBus } from "../../adapters/memory/transport.js";
import { createCodec } from "../../adapters/msgpackr/codec.js";
import { structured } from "../../adapters/msgpackr/structured.js";
import type { Effect, Settlement } from "../../kernel/effect.js";
import { Host } from "../../kernel/host.js";
import type { Observer } from "../../kernel/observer.js";
import type { Outbox } from "../../kernel/outbox.js";
import type { Codec, Disk, Logger } from "../../kernel/ports.js";
import type { RoleDefinition } from "../../kernel/role.js";
import type { Runner } from "../../kernel/runner.js";
import type { Stepper } from "../../kernel/step.js";
import { type StoreRefused, storeIdentity } from "../../kernel/store/refusal.js";
import { formatStore, openStore, type Store } from "../../kernel/store/store.js";
import { type Cluster, storeIdOf } from "../../paxos/cluster.js";
import type { RoleName } from "../../paxos/wire/messages.js";
import { DriftingClock, Gate, GatedDisk, GatedTransport } from "./gate.js";
import type { Halt, Member, SimProcess } from "./process.js";
import type { Watcher } from "./watcher.js";

/** Every role's definition; the negative controls put broken ones in. */
export type Registry = Readonly<Record<RoleName, RoleDefinition>>;

/** What a negative control may replace. Everything left out is the real thing. */
export interface Parts {
  readonly roles?: Registry | undefined;
  readonly createOutbox?: ((release: (effect: Effect) => void) => Outbox) | undefined;
  readonly createStepper?: (() => Stepper) | undefined;
  /** Stands between a store and its disk. */
  readonly wrapDisk?: ((disk: Disk) => Disk) | undefined;
  readonly openStore?: typeof openStore | undefined;
  /** Stands between every process and the wire. */
  readonly wrapCodec?: ((codec: Codec, cluster: Cluster) => Codec) | undefined;
  /** Draws the nonce of a process's ballots; called with the process's name. */
  readonly nonce?: ((process: string, drawn: string) => string) | undefined;
}

/** What a world is built from. */
export interface WorldOptions extends Parts {
  readonly cluster: Cluster;
  readonly seed: number | string;
  /** The largest message that the server takes while no fault changes it; 1 MiB if left out. */
  readonly payloadBytesMax?: number | undefined;
  /** Milliseconds that the next sync of a file takes, more than 0; 1 if left out. */
  readonly syncMs?: ((file: string) => number) | undefined;
  /** Looks on at a process; asked once for each life of one. */
  readonly observe?: ((node: SimProcess) => Observer) | undefined;
  /** A role stopped for good, not by {@link World.kill}. `threw`: a step or assertion failed. */
  readonly onHalt?: ((node: SimProcess, halt: Halt) => void) | undefined;
  /** A store was refused when its role was to start. */
  readonly onRefused?:
    | ((node: SimProcess, role: RoleName, id: string, refused: StoreRefused) => void)
    | undefined;
}

/** How a process is started. */
export interface StartOptions {
  /** Its milliseconds in one of the world; 1 if left out. */
  readonly rate?: number | undefined;
  readonly onSettle?: ((settlements: readonly Settlement[]) => void) | undefined;
  /** Other files than its own, by `role id`: copies. */
  readonly files?: ReadonlyMap<string, MemoryFile> | undefined;
}

const KILLED = "killed";
const rethrow = (error: unknown) => {
  throw error;
};
const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** A running world. */
export class World {
  readonly clock = createVirtualClock();
  readonly bus: MemoryBus;
  /** The server's limit on a message while no fault changes it. */
  readonly payloadBytesMax: number;
  readonly cluster: Cluster;
  readonly random: SeededRandom;
  /** Stores by `role id`. */
  readonly files = new Map<string, MemoryFile>();
  /** Living processes by name. */
  readonly processes = new Map<string, SimProcess>();
  readonly roles: Registry;
  /** Look on at every process that starts from now on, after `observe`. */
  readonly watchers: Watcher[] = [];
  readonly #options: WorldOptions;
  readonly codec: Codec;
  #lives = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.bus = createMemoryBus(this.clock, { payloadBytesMax: options.payloadBytesMax });
    this.payloadBytesMax = this.bus.payloadBytesMax;
    this.cluster = options.cluster;
    this.random = createSeededRandom(options.seed);
    this.roles = options.roles ?? realRoles;
    const codec = createCodec(options.cluster);
    this.codec = options.wrapCodec?.(codec, options.cluster) ?? codec;
    const { acceptors, proposers } = options.cluster;
    for (const { id } of acceptors) this.#format("acceptor", id);
    for (const { id } of proposers) this.#format("proposer", id);
  }

  /**
   * Starts a process with these roles: it opens its stores, one after the other, and then runs
   * those whose stores were not refused. A name that lives is ended first.
   */
  start(name: string, members: readonly Member[], options: StartOptions = {}): SimProcess {
    this.kill(name);
    const gate = new Gate();
    const node: SimProcess = {
      name,
      life: ++this.#lives,
      members,
      gate,
      clock: new DriftingClock(this.clock, gate, options.rate ?? 1),
      transport: new GatedTransport(this.bus.connect(name, { noEcho: true }), gate),
      files: new Map(),
      host: null,
    };
    this.processes.set(name, node);
    for (const watcher of this.watchers) watcher.started(node);
    this.#openAll(node, options, members, []);
    return node;
  }

  /**
   * Ends a process as `kill -9` and a lost page cache together do.
   *
   * @param fate what became of each batch that was not synced; nothing of it was left by default
   */
  kill(name: string, fate?: (batch: number) => Fate): void {
    const node = this.processes.get(name);
    if (node === undefined) return;
    this.processes.delete(name);
    node.gate.isDead = true;
    node.transport.link.vanish();
    const fates: Fate[] = [];
    for (const file of node.files.values()) {
      file.crash((_batch, index) => {
        fates.push(fate?.(index) ?? "lost");
        return fates.at(-1) as Fate;
      });
      this.#killSharers(file);
    }
    for (const watcher of this.watchers) watcher.killed(node, fates);
    for (const runner of node.host?.runners ?? []) runner.halt(KILLED);
  }

  /** The living runner of a role, wherever it runs. */
  find(role: RoleName, id: string): Runner | undefined {
    for (const { host } of this.processes.values()) {
      const found = host?.runners.find((one) => one.definition.name === role && one.id === id);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Whoever has a file open on a machine that lost its power is gone too. */
  #killSharers(file: MemoryFile): void {
    for (const { name, files } of [...this.processes.values()]) {
      if ([...files.values()].includes(file)) this.kill(name);
    }
  }

  #identity(role: RoleName, id: string) {
    return storeIdentity(this.cluster, role, id, storeIdOf(this.cluster, role, id) ?? "");
  }

  #format(role: RoleName, id: string): void {
    let isFormatted = false;
    const name = `${role} ${id}`;
    const { syncMs = () => 1 } = this.#options;
    const soon = (finish: () => void) => {
      if (isFormatted) this.clock.setTimer(syncMs(name), finish);
      else finish();
    };
    const file = new MemoryFile(name, { soon });
    formatStore(file.open(), this.#identity(role, id), name, (refused) => {
      if (refused !== null) throw refused;
    });
    file.crash();
    isFormatted = true;
    this.files.set(name, file);
  }

  #openAll(
    node: SimProcess,
    options: StartOptions,
    left: readonly Member[],
    opened: readonly { readonly member: Member; readonly store: Store | null }[],
  ): void {
    const [member, ...rest] = left;
    if (member === undefined) {
      this.#run(node, options, opened);
      return;
    }
    const [role, id] = member;
    const name = `${role} ${id}`;
    const file = options.files?.get(name) ?? this.files.get(name);
    const goOn = (store: Store | null) =>
      this.#openAll(node, options, rest, [...opened, { member, store }]);
    if (storeIdOf(this.cluster, role, id) === undefined || file === undefined) {
      goOn(null);
      return;
    }
    const {
      wrapDisk = (disk: Disk) => disk,
      openStore: open = openStore,
      onRefused,
    } = this.#options;
    node.files.set(name, file);
    const disk = new GatedDisk(wrapDisk(file.open()), node.gate);
    open(disk, this.#identity(role, id), name, (result) => {
      if (!(result instanceof Error)) {
        goOn(result);
        return;
      }
      onRefused?.(node, role, id, result);
      for (const watcher of this.watchers) watcher.refused(node, id, result);
      this.#openAll(node, options, rest, opened);
    });
  }

  #run(
    node: SimProcess,
    { onSettle }: StartOptions,
    opened: readonly { readonly member: Member; readonly store: Store | null }[],
  ): void {
    if (node.gate.isDead) return;
    const { name, life, clock, transport } = node;
    const { observe, onHalt, createOutbox, createStepper, nonce } = this.#options;
    const random = this.random.fork(`${name} ${life}`);
    const hex = (count: number) => {
      const drawn = random.hex(count);
      return nonce === undefined || count !== 8 ? drawn : nonce(name, drawn);
    };
    const host = new Host({
      cluster: this.cluster,
      prefix: "synod",
      transport,
      codec: this.codec,
      clock,
      random: { next: () => random.next(), hex },
      logger: quiet,
      structured,
      createOutbox,
      createStepper,
      onHalt: (role, id, why, cause) => {
        if (why === KILLED) return;
        for (const watcher of this.watchers) watcher.halted(node, { role, id, why, cause });
        onHalt?.(node, { role, id, why, cause });
      },
    });
    node.host = host;
    const observers = this.watchers.map((watcher) => watcher.observe(node));
    if (observe !== undefined) observers.unshift(observe(node));
    // What judges a run must not be lost in silence: its error stops the role that it looks on.
    for (const observer of observers) host.observe(observer, rethrow);
    for (const { member, store } of opened) {
      const [role, id] = member;
      const definition = this.roles[role];
      const isAsked = role === "session" && onSettle !== undefined;
      const services = isAsked ? sessionServices(onSettle) : definition.services;
      host.add(services === undefined ? definition : { ...definition, services }, id, store);
    }
  }
}

/** The process of a proposer that leads, as it sees it; undefined if none does. */
export function leaderOf(world: World): string | undefined {
  for (const { name, host } of world.processes.values()) {
    for (const runner of host?.runners ?? []) {
      const snapshot = runner.snapshots().get("");
      const leads = snapshot?.hasTag("inPhase2") === true || snapshot?.hasTag("hasLeadership");
      if (runner.definition.name === "proposer" && leads === true) return name;
    }
  }
  return undefined;
}
