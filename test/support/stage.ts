/**
 * The stage of the scenarios: the simulator's world with a network that does what a script says.
 * Each message between processes takes 1 ms and each sync 1 ms, so that a reader can count them.
 */

import type { Delivery } from "../../src/adapters/memory/bus.js";
import { MemoryFile } from "../../src/adapters/memory/disk.js";
import type { MemoryTransport } from "../../src/adapters/memory/transport.js";
import { createCodec } from "../../src/adapters/msgpackr/codec.js";
import { doorSubject, parseSubject, subjectOf } from "../../src/kernel/bus/subject.js";
import { type Ballot, higherBallot } from "../../src/paxos/ballot.js";
import type { Cluster } from "../../src/paxos/cluster.js";
import type { RoleName, Sender } from "../../src/paxos/wire/messages.js";
import type { Violation } from "../../src/sim/monitor/ledger.js";
import { Monitor } from "../../src/sim/monitor/monitor.js";
import { Origins } from "../../src/sim/monitor/origins.js";
import type { Request } from "../../src/sim/plan/plan.js";
import { Clients } from "../../src/sim/run/clients.js";
import { Story } from "../../src/sim/story/story.js";
import { Coverage } from "../../src/sim/world/coverage.js";
import type { Member } from "../../src/sim/world/process.js";
import { World } from "../../src/sim/world/world.js";

const MESSAGE_MS = 1;
const SYNC_MS = 1;
/** Longest that a script waits for something to happen. */
const PATIENCE_MS = 60_000;

const ROLES: Readonly<Record<string, RoleName>> = {
  a: "acceptor",
  p: "proposer",
  e: "elector",
  l: "learner",
  g: "gateway",
  s: "synod-proposer",
};

/** What the network does to some messages. */
export interface NetworkRule {
  /** A verb, without `key-`; undefined for everything. */
  readonly verb?: string | undefined;
  /** Names of processes; undefined for everybody. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** How many copies it still applies to. */
  left: number;
  /** Milliseconds until each copy arrives. */
  readonly copies: readonly number[];
}

interface Led {
  readonly leader: { readonly ballot: Ballot } | null;
}

/** A cluster on a stage. */
export class Stage {
  readonly world: World;
  readonly story: Story;
  readonly rules: NetworkRule[] = [];
  readonly #monitor: Monitor;
  readonly #clients: Clients;
  readonly #codec;
  readonly #members = new Map<string, readonly Member[]>();
  readonly #kept = new Map<string, MemoryFile>();
  readonly #stranger: MemoryTransport;

  /** @param onLine hears what everyone sees, with the milliseconds since `sinceMs` */
  constructor(cluster: Cluster, seed: number, onLine: (line: string) => void) {
    const coverage = new Coverage();
    const origins = new Origins();
    this.world = new World({
      cluster,
      seed: `scenario ${seed}`,
      wrapCodec: (codec) => origins.watch(codec),
      syncMs: () => SYNC_MS,
      observe: (node) => this.#monitor.observe(node),
      onHalt: (_node, { role, id, why, cause }) => {
        if (cause === "threw") this.#monitor.ledger.break("noRoleThrows", `${role} ${id}: ${why}`);
      },
    });
    const { world } = this;
    const pairs = (id: string) => world.files.get(`acceptor ${id}`)?.pairs() ?? [];
    this.#monitor = new Monitor(cluster, coverage, origins, pairs);
    const { ledger } = this.#monitor;
    this.story = new Story({ world, ledger }, { onLine });
    world.watchers.push(this.story);
    this.#codec = createCodec(cluster);
    this.#clients = new Clients(world, this.#monitor, coverage, this.#codec, this.story);
    world.bus.intercept((delivery) => this.#decide(delivery));
    this.#stranger = world.bus.connect("elector");
  }

  /** The first violation, if there is one by now. */
  get violation(): Violation | null {
    return this.#monitor.ledger.violation;
  }

  /** Requests without an answer. */
  get open(): number {
    return this.#clients.open;
  }

  /** What clients were told will never happen, and did. */
  get lies(): readonly string[] {
    return this.#clients.lies();
  }

  /** Starts a process. Without roles: those it had before, or the one that its name says. */
  start(name: string, roles: readonly string[] = []): void {
    const members = roles.length > 0 ? roles.map(memberOf) : this.#members.get(name);
    this.#members.set(name, members ?? [memberOf(name)]);
    this.world.start(name, this.#members.get(name) ?? []);
  }

  /** Starts a second process with the same roles, on the same stores or on a copy of them. */
  twin(name: string, isCopy: boolean): void {
    const members = this.#members.get(name) ?? [];
    const files = new Map(
      members.flatMap(([role, id]) => {
        const file = this.world.files.get(`${role} ${id}`);
        return file === undefined ? [] : [[`${role} ${id}`, this.#copy(file, `copy ${id}`)]];
      }),
    );
    this.world.start(isCopy ? "copy" : "twin", members, isCopy ? { files } : {});
  }

  /** Ends a process when it writes: before its sync, or after it but before it says anything. */
  crash(name: string, isSynced: boolean): void {
    const writes = () => {
      const files = this.world.processes.get(name)?.files.values() ?? [];
      return [...files].some(({ unsynced }) => unsynced > 0);
    };
    this.until(writes, `${name} writes nothing`);
    this.world.kill(name, () => (isSynced ? "kept" : "lost"));
  }

  /** Stops a process's event loop for a while: what comes in waits. */
  stall(name: string, forMs: number): void {
    const node = this.world.processes.get(name);
    node?.gate.stall();
    this.story.note(name, `its event loop stops for ${forMs} ms`);
    this.world.clock.setTimer(forMs, () => {
      node?.gate.resume();
      this.story.note(name, "goes on");
    });
  }

  /** Makes a request. */
  ask(client: string, request: Request): void {
    this.#clients.make(client, request);
  }

  /** Names a candidate, as any elector may, honest or not. */
  hint(candidate: string): void {
    const nobody = { storeId: null, incarnation: 0, writeNumber: 0 };
    const sender: Sender = { role: "elector", id: "e0", ...nobody, process: "e".repeat(16) };
    const space = { prefix: "synod", cluster: this.world.cluster.name };
    const subject = subjectOf(space, "proposer", "hint", "all", "e0");
    const hint = { type: "hint" as const, candidate, suspects: this.#latest() };
    this.#stranger.publish(subject, this.#codec.encode(sender, 1, hint));
  }

  /** Reads the feed's history through the public door. */
  history(told: (values: readonly string[]) => void): void {
    const space = { prefix: "synod", cluster: this.world.cluster.name };
    const body = new TextEncoder().encode('{"after":0}');
    const subject = doorSubject(space, "history");
    this.#stranger.request(subject, body, { timeoutMs: 1000 }, (answer) => {
      if (answer.kind !== "answer") return told([answer.kind]);
      const text = new TextDecoder().decode(answer.message.payload);
      const { entries } = JSON.parse(text) as { readonly entries: readonly { body: string }[] };
      told(entries.map((entry) => Buffer.from(entry.body, "base64").toString()));
    });
  }

  /** Lets time pass. */
  wait(ms: number): void {
    this.world.clock.advance(ms);
  }

  /** Lets time pass until something is so. @throws Error if it is not so for a minute */
  until(isSo: () => boolean, otherwise: string): void {
    if (!this.world.clock.runUntil(isSo, PATIENCE_MS)) throw new Error(otherwise);
  }

  /** The file of a role's store. */
  file(id: string): MemoryFile {
    const [role] = memberOf(id);
    const file = this.world.files.get(`${role} ${id}`);
    if (file === undefined) throw new Error(`${id} has no store`);
    return file;
  }

  /** Puts another file in the place of a store's. */
  replace(id: string, file: MemoryFile): void {
    const [role] = memberOf(id);
    this.world.files.set(`${role} ${id}`, file);
  }

  /** Copies a store into another file. */
  copyStore(id: string): MemoryFile {
    return this.#copy(this.file(id), "another file");
  }

  /** Takes a store away: an empty file is in its place. */
  emptyStore(id: string): MemoryFile {
    const soon = (finish: () => void) => void this.world.clock.setTimer(SYNC_MS, finish);
    return new MemoryFile(this.file(id).name, { soon });
  }

  /** Keeps a backup of a store; the second time it is put back in place. */
  backup(id: string): void {
    this.#kept.set(id, this.#copy(this.file(id), this.file(id).name));
  }

  /** Returns the backup of a store. */
  kept(id: string): MemoryFile {
    const kept = this.#kept.get(id);
    if (kept === undefined) throw new Error(`nobody keeps a backup of ${id}`);
    return kept;
  }

  /** Says that an acceptor runs on an older copy: it must say nothing. */
  mute(id: string): void {
    this.#monitor.mute(id, true);
  }

  /** The latest ballot of which a proposer has heard: a hint against an older one is stale. */
  #latest(): Ballot | null {
    let latest: Ballot | null = null;
    for (const { id } of this.world.cluster.proposers) {
      const snapshot = this.world.find("proposer", id)?.snapshots().get("");
      const { leader } = (snapshot?.context ?? { leader: null }) as Led;
      latest = higherBallot(latest, leader?.ballot ?? null);
    }
    return latest;
  }

  #copy(file: MemoryFile, name: string): MemoryFile {
    return file.copy(name, { soon: (finish) => void this.world.clock.setTimer(SYNC_MS, finish) });
  }

  #decide(delivery: Delivery): readonly number[] {
    const copies = this.#copies(delivery);
    this.story.mail.carried(delivery, copies);
    return copies;
  }

  #copies({ from, to, message }: Delivery): readonly number[] {
    const space = { prefix: "synod", cluster: this.world.cluster.name };
    const verb = parseSubject(space, message.subject)?.verb.replace("key-", "");
    for (const rule of this.rules) {
      if (rule.left === 0 || (rule.verb !== undefined && rule.verb !== verb)) continue;
      if (rule.from !== undefined && rule.from !== from) continue;
      if (rule.to !== undefined && rule.to !== to) continue;
      rule.left--;
      return rule.copies;
    }
    return [from === to ? 0 : MESSAGE_MS];
  }
}

function memberOf(id: string): Member {
  const role = ROLES[id[0] ?? ""];
  if (role === undefined) throw new Error(`no role has a name like ${id}`);
  return [role, id];
}
