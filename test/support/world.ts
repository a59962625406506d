/**
 * A whole cluster in one test: the real machines, host, codec and store rules on the memory bus,
 * memory disks and a virtual clock. Nothing happens until the test moves the clock.
 */
import { roles, stateName } from "../../actors/index.js";
import type { LearnerContext } from "../../actors/learner/context.js";
import { Host } from "../../src/actor/host.js";
import type { Observer } from "../../src/actor/observer.js";
import type { Logger } from "../../src/actor/ports.js";
import type { RoleDefinition } from "../../src/actor/role.js";
import type { Runner } from "../../src/actor/runner.js";
import { formatStore, openStore, type Store } from "../../src/actor/store.js";
import { createVirtualClock } from "../../src/adapters/memory/clock.js";
import { MemoryFile } from "../../src/adapters/memory/disk.js";
import { createSeededRandom } from "../../src/adapters/memory/random.js";
import { createMemoryBus, type MemoryTransport } from "../../src/adapters/memory/transport.js";
import { createCodec } from "../../src/adapters/msgpackr/codec.js";
import { structured } from "../../src/adapters/msgpackr/structured.js";
import { type Cluster, safetyHash, storeIdOf } from "../../src/paxos/cluster.js";
import { DEFAULT_LIMITS } from "../../src/paxos/limits.js";
import type { RoleName, Sender } from "../../src/paxos/messages.js";

const SYNC_MS = 1;
const KILLED = "killed by the test";
const quiet: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

const CLIENT: Sender = {
  role: "session",
  id: "c1",
  storeId: null,
  incarnation: 0,
  writeNumber: 0,
  process: "00000000000000c1",
};

/** Draws a cluster of so many acceptors and two proposers, with fixed store ids. */
export function worldCluster(change: Partial<Cluster> = {}, acceptors = 3): Cluster {
  const hex = (n: number) => n.toString(16).padStart(32, "0");
  const ids = Array.from({ length: acceptors }, (_, at) => `a${at + 1}`);
  return {
    name: "test",
    clusterId: hex(1),
    epoch: 1,
    acceptors: ids.map((id, at) => ({ id, storeId: hex(100 + at) })),
    proposers: ["p1", "p2"].map((id, at) => ({ id, storeId: hex(200 + at) })),
    quorums: { kind: "majority" },
    learn: { kind: "leader" },
    limits: DEFAULT_LIMITS,
    ...change,
  };
}

/** A role and the id it runs under. */
export type Member = readonly [RoleName, string];

/** Processes and their roles as `up` starts them, placement `separated`. */
export const SEPARATED: Readonly<Record<string, readonly Member[]>> = {
  a1: [["acceptor", "a1"]],
  a2: [["acceptor", "a2"]],
  a3: [["acceptor", "a3"]],
  p1: [
    ["proposer", "p1"],
    ["elector", "p1"],
  ],
  p2: [
    ["proposer", "p2"],
    ["elector", "p2"],
  ],
  l1: [["learner", "l1"]],
  g1: [
    ["gateway", "g1"],
    ["learner", "g1"],
    ["synod-proposer", "g1"],
  ],
};

/** A cluster that a test moves by hand. */
export class World {
  readonly clock = createVirtualClock();
  readonly bus = createMemoryBus(this.clock);
  readonly cluster: Cluster;
  readonly files = new Map<string, MemoryFile>();
  /** Roles that stopped for good, with why. */
  readonly halts: string[] = [];
  readonly hosts = new Map<string, Host>();
  readonly #random;
  readonly #links = new Map<string, MemoryTransport>();
  readonly #client = this.bus.connect("client");

  readonly #codec;
  readonly #observer: Observer | undefined;

  constructor(seed: number, cluster: Cluster = worldCluster(), observer?: Observer) {
    this.cluster = cluster;
    this.#observer = observer;
    this.#codec = createCodec(cluster);
    this.#random = createSeededRandom(seed);
  }

  /** Starts a process with these roles; a role with a store opens the one of its id. */
  start(name: string, members: readonly Member[]): void {
    const transport = this.bus.connect(name);
    this.#links.set(name, transport);
    const registry = Object.values(roles);
    const host = new Host({
      cluster: this.cluster,
      prefix: "synod",
      transport,
      codec: createCodec(this.cluster),
      clock: this.clock,
      random: this.#random.fork(`${name} ${this.clock.nowMs()}`),
      logger: quiet,
      structured,
      registry,
      observer: this.#observer,
      onHalt: (role, id, why) => {
        if (why !== KILLED) this.halts.push(`${role} ${id}: ${why}`);
      },
    });
    this.hosts.set(name, host);
    for (const [role, id] of members) {
      const definition = roles[role] as RoleDefinition;
      const storeId = storeIdOf(this.cluster, role, id);
      host.add(definition, id, storeId === undefined ? null : this.#open(role, id, storeId));
    }
  }

  /** Starts every process of a placement. */
  startAll(placement: Readonly<Record<string, readonly Member[]>> = SEPARATED): void {
    for (const [name, members] of Object.entries(placement)) this.start(name, members);
  }

  /** Ends a process as `kill -9` does: what was not synced is lost. */
  kill(name: string): void {
    this.#links.get(name)?.vanish();
    const host = this.hosts.get(name);
    for (const runner of host?.runners ?? []) {
      this.files.get(`${runner.definition.name} ${runner.id}`)?.crash();
      runner.halt(KILLED);
    }
    this.hosts.delete(name);
  }

  /** Lets time pass. */
  wait(ms: number): void {
    this.clock.advance(ms);
  }

  /** Proposes through the public door. @returns the receipt, once the clock was moved */
  propose(value: string, headers: Record<string, string> = {}): { answer: string | null } {
    const waiting: { answer: string | null } = { answer: null };
    const body = new TextEncoder().encode(value);
    this.#client.request("synod.test.propose", body, { timeoutMs: 600_000, headers }, (answer) => {
      const text = new TextDecoder();
      waiting.answer = answer.kind === "answer" ? text.decode(answer.message.payload) : answer.kind;
    });
    return waiting;
  }

  /** Asks for a single-decree key as a client does. @returns "undecided", the value, or an error */
  decide(key: string, value: string | null, timeoutMs = 5000): { answer: string | null } {
    const waiting: { answer: string | null } = { answer: null };
    const body = value === null ? null : new TextEncoder().encode(value);
    const message = { type: "decide" as const, key, value: body, valueType: "string" as const };
    const subject = "synod.test.synod-proposer.decide.all.c1";
    const payload = this.#codec.encode(CLIENT, 1, { ...message, reply: "" });
    this.#client.request(subject, payload, { timeoutMs }, (answer) => {
      if (answer.kind !== "answer") waiting.answer = answer.kind;
      else {
        const { headers, payload: told } = answer.message;
        const kind = headers?.["Synod-Kind"] ?? "no kind";
        waiting.answer = kind === "undecided" ? kind : new TextDecoder().decode(told);
      }
    });
    return waiting;
  }

  /** The one runner of a role, wherever it runs. */
  runner(role: RoleName, id: string): Runner {
    for (const host of this.hosts.values()) {
      const found = host.runners.find((one) => one.definition.name === role && one.id === id);
      if (found !== undefined) return found;
    }
    throw new Error(`no ${role} ${id} runs`);
  }

  /** The state of a role's machine. */
  state(role: RoleName, id: string): string {
    const snapshot = this.runner(role, id).snapshots().get("");
    return snapshot === undefined ? "none" : stateName(snapshot);
  }

  /** The context of a role's machine. */
  context<T>(role: RoleName, id: string): T {
    return this.runner(role, id).snapshots().get("")?.context as T;
  }

  /** The values a learner applied, in order of position. */
  log(id: string): string[] {
    const { data } = this.context<LearnerContext>("learner", id);
    return data.history.map((entry) => new TextDecoder().decode(entry.body));
  }

  #open(role: RoleName, id: string, storeId: string): Store {
    const { clusterId, epoch } = this.cluster;
    const identity = { clusterId, role, id, storeId, epoch, safetyHash: safetyHash(this.cluster) };
    let file = this.files.get(`${role} ${id}`);
    if (file === undefined) {
      file = new MemoryFile(`${role} ${id}`, {
        soon: (finish) => this.clock.setTimer(SYNC_MS, finish),
      });
      this.files.set(`${role} ${id}`, file);
      this.#await((done) => formatStore((file as MemoryFile).open(), identity, id, done));
    }
    const opened = this.#await<Store | Error>((done) =>
      openStore((file as MemoryFile).open(), identity, id, done),
    );
    if (opened instanceof Error) throw opened;
    return opened;
  }

  /** Moves the clock until a callback came. */
  #await<T>(begin: (done: (result: T) => void) => void): T {
    const came: T[] = [];
    begin((result) => came.push(result));
    while (came.length === 0) this.clock.advance(SYNC_MS);
    return came[0] as T;
  }
}
