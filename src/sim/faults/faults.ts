/**
 * Faults on the running world: each is done when its time comes, undone when its time is over, and
 * counted. What would take the cluster beyond what it promises to survive is left out and counted
 * too: a rotten disk more than a quorum can miss.
 */

import type { SeededRandom } from "../../adapters/memory/random.js";
import type { Codec } from "../../kernel/ports.js";
import { acceptorIds } from "../../paxos/cluster.js";
import { isPhase1Quorum, isPhase2Quorum } from "../../paxos/quorum.js";
import type { RoleName } from "../../paxos/wire/messages.js";
import type { Fault } from "../plan/plan.js";
import type { Coverage } from "../world/coverage.js";
import type { Member, SimProcess } from "../world/process.js";
import type { World } from "../world/world.js";
import { Crashes } from "./crashes.js";
import { openSessions } from "./crowd.js";
import { failSync, fillDisk, turnBit } from "./disk-faults.js";
import { startDouble } from "./doubles.js";
import { startLiar } from "./liar.js";
import type { Network } from "./network.js";
import { OlderCopy } from "./older-copy.js";
import { changeServer } from "./server-faults.js";
import { slowLeader } from "./slow-process.js";

/** After so long somebody looks after a role that has halted. */
const OPERATOR_MS = 700;

/** Does faults to a world, and knows which process has which roles. */
export class Faults {
  /** The roles of each process, dead or alive. */
  readonly places: Map<string, readonly Member[]>;
  /** Acceptors whose disk cannot be trusted any more. */
  readonly ruined = new Set<string>();
  /** Told of each fault that is done. */
  onStrike: ((fault: Fault) => void) | null = null;
  /** While an older copy is tried: nothing else goes wrong. */
  #isHeld = false;
  /** Faults whose time came while they were held. */
  #postponed: Fault[] = [];
  #isOver = false;
  readonly #world: World;
  readonly #network: Network;
  readonly #coverage: Coverage;
  readonly #codec: Codec;
  readonly #random: SeededRandom;
  readonly #rates: Readonly<Record<string, number>>;
  readonly #crashes: Crashes;
  readonly #onOlderCopy: (acceptor: string, what: "tried" | "served" | "gone") => void;
  readonly #endClient: (client: string) => boolean;
  readonly #slow = new Map<string, number>();
  readonly #undo = new Set<() => void>();

  constructor(options: {
    readonly world: World;
    readonly network: Network;
    readonly coverage: Coverage;
    readonly codec: Codec;
    readonly random: SeededRandom;
    readonly places: ReadonlyMap<string, readonly Member[]>;
    readonly rates: Readonly<Record<string, number>>;
    /** Told when an older copy of a store is tried, was let in all the same, and is gone again. */
    readonly onOlderCopy: (acceptor: string, what: "tried" | "served" | "gone") => void;
    /** Ends a client; false if there is none of that name. */
    readonly endClient: (client: string) => boolean;
  }) {
    this.places = new Map(options.places);
    this.#world = options.world;
    this.#network = options.network;
    this.#coverage = options.coverage;
    this.#codec = options.codec;
    this.#random = options.random;
    this.#rates = options.rates;
    this.#onOlderCopy = options.onOlderCopy;
    this.#endClient = options.endClient;
    this.#crashes = new Crashes({
      world: options.world,
      network: options.network,
      coverage: options.coverage,
      random: options.random,
      canMiss: (acceptors) => this.canMiss(...acceptors),
      ruin: (acceptors) => {
        for (const id of acceptors) this.ruined.add(id);
      },
      later: (delayMs, run) => this.#later(delayMs, run),
      revive: (name) => {
        if (!this.#world.processes.has(name)) this.start(name);
      },
    });
  }

  /** Whether an older copy of a store is being tried; faults must not end before that. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Milliseconds that a sync of a store takes more than usual. */
  slowness(store: string): number {
    return this.#slow.get(store) ?? 0;
  }

  /** Starts a process with the roles it has now. */
  start(name: string): SimProcess | undefined {
    const members = this.places.get(name);
    if (members === undefined || members.length === 0) return undefined;
    return this.#world.start(name, members, { rate: this.#rates[name] });
  }

  /** Starts every node. */
  startAll(): void {
    for (const name of this.places.keys()) this.start(name);
    if (Object.keys(this.#rates).length > 0) this.#coverage.count("clock drift");
  }

  /**
   * A role halted for good, or its store was refused: somebody starts its process again after a
   * while, unless nothing but a new disk would help.
   */
  halted(node: SimProcess, role: RoleName, id: string): void {
    if (role === "acceptor" && this.ruined.has(id)) return;
    this.#world.clock.setTimer(OPERATOR_MS, () => {
      const { name } = node;
      if (this.#world.processes.get(name) === node && this.places.has(name)) {
        this.#world.kill(name);
        this.start(name);
      }
    });
  }

  /** Ends all faults: what is cut, stalled, slow, full or dead is as it should be again. */
  end(): void {
    this.#isOver = true;
    for (const undo of [...this.#undo]) undo();
    this.#network.heal();
    for (const { transport } of this.#world.processes.values()) transport.spare();
    for (const name of this.places.keys()) {
      const node = this.#world.processes.get(name);
      const hasAll = node?.host?.runners.every(({ halted }) => halted === null) === true;
      const isWell = hasAll && node?.gate.isDead === false;
      if (!isWell || node?.host?.runners.length !== node?.members.length) {
        this.#world.kill(name);
        this.start(name);
      }
    }
  }

  /** Does a fault. */
  strike(fault: Fault): void {
    if (this.#isOver) return;
    if (this.#isHeld) this.#postponed.push(fault);
    else this.#strike(fault);
  }

  #strike(fault: Fault): void {
    this.onStrike?.(fault);
    switch (fault.kind) {
      case "crash":
        this.#crashes.atWrite(fault);
        break;
      case "crashSpeaking":
        this.#crashes.speaking(fault);
        break;
      case "behead":
        this.#undo.add(this.#crashes.behead(fault));
        break;
      case "crashAll":
        this.#coverage.count("crash: everybody");
        for (const name of this.places.keys()) this.#crashes.now(name, fault.fate, fault.downMs);
        break;
      case "stall":
      case "jump":
      case "cut":
      case "slow":
        this.#disturb(fault);
        break;
      case "broker":
      case "payload":
        this.#forAWhile(fault.forMs, changeServer(this.#world, this.#coverage, fault));
        break;
      case "partition":
        this.#coverage.count(
          `network: ${fault.shape === "bridge" ? "bridge" : `${fault.shape} partition`}`,
        );
        this.#forAWhile(fault.forMs, this.#network.block(fault.blocked));
        break;
      case "weather":
      case "wrongNumbers":
        this.#forAWhile(fault.forMs, this.#network.disturb(fault));
        break;
      case "slowDisk":
        this.#coverage.count("disk: slow");
        this.#slow.set(fault.store, fault.syncMs);
        this.#forAWhile(fault.forMs, () => this.#slow.delete(fault.store));
        break;
      case "fullDisk":
        this.#coverage.count("disk: full");
        this.#forAWhile(fault.forMs, fillDisk(this.#world, fault.store));
        break;
      case "failSync":
        this.#coverage.count("disk: sync failed");
        failSync(this.#world, fault.store, fault.isWritten);
        break;
      case "rot":
        this.#rot(fault.acceptor, fault.pick, fault.downMs);
        break;
      case "twin":
      case "copy":
        this.#double(fault);
        break;
      case "olderCopy":
        this.#tryOlderCopy(fault);
        break;
      case "clientCrash":
      case "lie":
      case "crowd":
        this.#outside(fault);
        break;
      case "move":
      case "add":
        this.#place(fault);
        break;
    }
  }

  /** Says whether a quorum for either phase is left without these acceptors. */
  canMiss(...acceptors: readonly string[]): boolean {
    const { quorums } = this.#world.cluster;
    const all = acceptorIds(this.#world.cluster);
    const left = new Set(all.filter((id) => !this.ruined.has(id) && !acceptors.includes(id)));
    return isPhase1Quorum(quorums, all, left) && isPhase2Quorum(quorums, all, left);
  }

  /** Does something later, unless faults are over by then. */
  #later(delayMs: number, run: () => void): void {
    this.#world.clock.setTimer(delayMs, () => {
      if (this.#isOver) return;
      if (this.#isHeld) this.#later(OPERATOR_MS, run);
      else run();
    });
  }

  /** Undoes something after a while, or when faults end. */
  #forAWhile(forMs: number, undo: () => void): void {
    const once = () => {
      if (this.#undo.delete(once)) undo();
    };
    this.#undo.add(once);
    this.#world.clock.setTimer(forMs, once);
  }

  // --- processes -------------------------------------------------------------------------------

  #disturb(fault: Extract<Fault, { kind: "stall" | "jump" | "cut" | "slow" }>): void {
    if (fault.kind === "slow") {
      this.#forAWhile(fault.forMs, slowLeader(this.#world, this.#coverage, fault));
      return;
    }
    const node = this.#world.processes.get(fault.process);
    if (node === undefined) return;
    if (fault.kind === "jump") {
      this.#coverage.count("clock jumps");
      node.clock.jump(fault.aheadMs);
    } else if (fault.kind === "stall") {
      this.#coverage.count("stalls");
      node.gate.stall();
      this.#forAWhile(fault.forMs, () => node.gate.resume());
    } else {
      this.#coverage.count("network: one process cut off");
      node.transport.link.disconnect();
      this.#forAWhile(fault.forMs, () => {
        if (!node.gate.isDead) node.transport.link.reconnect();
      });
    }
  }

  #place(fault: Extract<Fault, { kind: "move" | "add" }>): void {
    if (fault.kind === "add") {
      this.#coverage.count("roles added");
      this.places.set(fault.name, [[fault.role, fault.name]]);
      this.start(fault.name);
      return;
    }
    const { process, to } = fault;
    const members = this.places.get(process);
    const there = this.places.get(to);
    if (process === to || members === undefined || there === undefined) return;
    this.#coverage.count("roles moved");
    this.#world.kill(process);
    this.#world.kill(to);
    this.places.delete(process);
    this.places.set(to, [...there, ...members]);
    this.start(to);
  }

  #double(fault: Extract<Fault, { kind: "twin" | "copy" }>): void {
    const members = this.places.get(fault.process) ?? [];
    const double = startDouble(this.#world, fault, members, this.#coverage);
    if (double === null) return;
    this.#forAWhile(double.forMs, () => {
      double.end();
      // Whoever shared a file with it has lost its power too.
      if (!this.#world.processes.has(fault.process)) this.start(fault.process);
    });
  }

  // --- disks -----------------------------------------------------------------------------------

  #rot(acceptor: string, pick: number, downMs: number): void {
    if (!this.canMiss(acceptor)) return;
    const opening = [...this.#world.processes.values()].filter(({ host }) => host === null);
    if (opening.some(({ files }) => files.has(`acceptor ${acceptor}`))) {
      // What is just being read is still whole, and is held against the disk once it was read.
      this.#later(OPERATOR_MS, () => this.#rot(acceptor, pick, downMs));
      return;
    }
    this.ruined.add(acceptor);
    this.#coverage.count("disk: rotten");
    turnBit(this.#world, `acceptor ${acceptor}`, pick);
    const node = this.#processOf("acceptor", acceptor);
    if (node !== undefined) this.#later(downMs, () => this.#crashes.now(node, "lost", 1));
  }

  /** Puts an acceptor's store back to what it was, and sees that the living do not let it in. */
  #tryOlderCopy({ acceptor, backMs }: Extract<Fault, { kind: "olderCopy" }>): void {
    const file = this.#world.files.get(`acceptor ${acceptor}`);
    // A rotten disk has nothing to copy.
    if (file === undefined || this.ruined.has(acceptor)) return;
    const older = new OlderCopy(this.#world, this.#network, this.#codec, file, acceptor);
    this.#later(backMs, () => {
      const name = this.#processOf("acceptor", acceptor);
      if (name === undefined || this.#isHeld || this.ruined.has(acceptor)) {
        older.endWatch();
        return;
      }
      this.#hold();
      // Asked only now: what ended with the other faults may have been the witness.
      if (!older.endWatch()) {
        this.#release();
        return;
      }
      this.#network.died(name);
      this.#world.kill(name);
      older.putBack();
      this.#onOlderCopy(acceptor, "tried");
      this.start(name);
      this.#world.clock.setTimer(2 * this.#world.cluster.limits.witnessMs + 200, () => {
        if (older.wasRefused()) this.#coverage.count("store refused: older copy");
        else this.#onOlderCopy(acceptor, "served");
        this.#world.kill(name);
        older.restore();
        this.#onOlderCopy(acceptor, "gone");
        this.start(name);
        this.#release();
      });
    });
  }

  /** Nothing else goes wrong for a while. */
  #hold(): void {
    this.#isHeld = true;
    this.#network.isHeld = true;
    for (const undo of [...this.#undo]) undo();
    for (const { transport } of this.#world.processes.values()) transport.spare();
  }

  #release(): void {
    this.#network.isHeld = false;
    this.#isHeld = false;
    const postponed = this.#postponed;
    this.#postponed = [];
    for (const fault of postponed) this.strike(fault);
  }

  #processOf(role: RoleName, id: string): string | undefined {
    for (const [name, members] of this.places) {
      if (members.some((member) => member[0] === role && member[1] === id)) return name;
    }
    return undefined;
  }

  /** Clients, and strangers on the bus. */
  #outside(fault: Extract<Fault, { kind: "clientCrash" | "lie" | "crowd" }>): void {
    const random = this.#random;
    if (fault.kind === "clientCrash") {
      if (this.#endClient(fault.client)) this.#coverage.count("crash: client");
      return;
    }
    if (fault.kind === "crowd") {
      this.#coverage.count("crowds");
      openSessions(this.#world, this.#codec, random, fault.sessions);
      return;
    }
    const liar = startLiar(this.#world, this.#codec, random, fault.everyMs, this.#coverage);
    this.#forAWhile(fault.forMs, liar);
  }
}
