/**
 * A whole cluster in one test: the simulator's world, moved by hand. Nothing happens until the test
 * moves the clock.
 */

import type { LearnerContext } from "../../actors/learner/context.js";
import { createCodec } from "../../src/adapters/msgpackr/codec.js";
import type { Host } from "../../src/kernel/host.js";
import type { Observer } from "../../src/kernel/observer.js";
import { stateName } from "../../src/kernel/role.js";
import type { Runner } from "../../src/kernel/runner.js";
import type { StoreRefused } from "../../src/kernel/store/refusal.js";
import type { Cluster } from "../../src/paxos/cluster.js";
import { DEFAULT_LIMITS } from "../../src/paxos/limits.js";
import type { RoleName, Sender } from "../../src/paxos/wire/messages.js";
import type { Member } from "../../src/sim/world/process.js";
import { World as SimWorld } from "../../src/sim/world/world.js";

const SYNC_MS = 1;

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
  readonly cluster: Cluster;
  /** Roles that stopped for good, with why. */
  readonly halts: string[] = [];
  readonly #world: SimWorld;
  readonly #client;
  readonly #codec;
  #refused: StoreRefused | null = null;

  /** @param observer sees what the roles of every process do */
  constructor(seed: number, cluster: Cluster = worldCluster(), observer?: Observer) {
    this.cluster = cluster;
    this.#codec = createCodec(cluster);
    this.#world = new SimWorld({
      cluster,
      seed,
      syncMs: () => SYNC_MS,
      ...(observer === undefined ? {} : { observe: () => observer }),
      onHalt: (_node, { role, id, why }) => void this.halts.push(`${role} ${id}: ${why}`),
      onRefused: (_node, _role, _id, refused) => {
        this.#refused = refused;
      },
    });
    this.#client = this.bus.connect("client");
  }

  get clock() {
    return this.#world.clock;
  }

  get bus() {
    return this.#world.bus;
  }

  /** Stores by `role id`. */
  get files() {
    return this.#world.files;
  }

  /** The hosts of living processes, by name. */
  get hosts(): ReadonlyMap<string, Host> {
    return new Map([...this.#world.processes].map(([name, { host }]) => [name, host as Host]));
  }

  /**
   * Starts a process with these roles, and lets time pass until its stores are open.
   *
   * @throws StoreRefused if one may not be used
   */
  start(name: string, members: readonly Member[]): void {
    this.#refused = null;
    const node = this.#world.start(name, members);
    while (node.host === null) this.clock.advance(SYNC_MS);
    if (this.#refused !== null) throw this.#refused;
  }

  /** Starts every process of a placement. */
  startAll(placement: Readonly<Record<string, readonly Member[]>> = SEPARATED): void {
    for (const [name, members] of Object.entries(placement)) this.start(name, members);
  }

  /** Ends a process as `kill -9` does: what was not synced is lost. */
  kill(name: string): void {
    this.#world.kill(name);
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
    const found = this.#world.find(role, id);
    if (found === undefined) throw new Error(`no ${role} ${id} runs`);
    return found;
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
    const { kept } = this.context<LearnerContext>("learner", id).data;
    const values: string[] = [];
    for (let position = kept.firstPosition; ; position++) {
      const entry = kept.entryAt(position);
      if (entry === undefined) return values;
      values.push(new TextDecoder().decode(entry.body));
    }
  }
}
