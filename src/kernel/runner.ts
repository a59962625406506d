/** The runner of one role: steps its machines, commits what they want kept, then sends messages. */
import type { Sender } from "../paxos/wire/messages.js";
import type { StoreRecord } from "../paxos/wire/record.js";
import type { Effect } from "./effect.js";
import { type Delivery, Inbox, joinBatches, type Waiting } from "./inbox.js";
import { Machines } from "./machines.js";
import type { Observers } from "./observer.js";
import { Outbox } from "./outbox.js";
import type { Clock, DiskError, Logger, Random } from "./ports.js";
import type { RoleDefinition, RoleEvent, RoleInput, RoleSnapshot } from "./role.js";
import type { Step, Stepper } from "./step.js";
import { StoreRefused } from "./store/refusal.js";
import type { Store, StoreBatch } from "./store/store.js";

/** What a runner is built from. */
export interface RunnerOptions {
  readonly definition: RoleDefinition;
  readonly id: string;
  readonly cluster: RoleInput["cluster"];
  readonly store: Store | null;
  readonly stepper: Stepper;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** 16 hexadecimal digits drawn at the process's start. */
  readonly nonce: string;
  readonly observers: Observers;
  /** Holds effects back until they may leave; the negative controls put a broken one here. */
  readonly createOutbox?: ((release: (effect: Effect) => void) => Outbox) | undefined;
  /** Carries out what is not the runner's own business: messages, feeds, replies, pings. */
  readonly carryOut: (runner: Runner, effect: Effect) => void;
  /** Asks for a turn: something waits to be taken in or committed. */
  readonly wake: (runner: Runner) => void;
  readonly count: (reason: string, by?: number) => void;
  /** The largest message that the server takes at the moment; every step is told it. */
  readonly payloadBytesMax: () => number;
  /** Who else runs in this process. */
  readonly neighbours: (runner: Runner) => RoleInput["neighbours"];
  /** Called once when the role stops for good. */
  readonly onHalt: (runner: Runner, why: string, cause: "halt" | "threw") => void;
}

/** Runs one role under one id; a role with instances runs one machine for each. */
export class Runner {
  readonly definition: RoleDefinition;
  readonly id: string;
  readonly store: Store | null;
  readonly inbox: Inbox;
  readonly #options: RunnerOptions;
  readonly #outbox: Outbox;
  readonly #machines: Machines;
  /** How often the role's memory was thrown away and read again from its store. */
  #life = 0;
  /** What the drains of this turn want kept, and its number in the outbox; null: nothing. */
  #gathered: { readonly write: number; readonly records: StoreRecord[] } | null = null;
  #halted: string | null = null;
  #records: readonly StoreRecord[];

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.definition = options.definition;
    this.id = options.id;
    this.store = options.store;
    this.#records = options.store?.records ?? [];
    const { inboxEventsMax, inboxBytesMax } = options.cluster.limits;
    this.inbox = new Inbox(inboxEventsMax, inboxBytesMax);
    const release = (effect: Effect) => this.#release(effect);
    this.#outbox = options.createOutbox?.(release) ?? new Outbox(release);
    this.#machines = new Machines({
      ...options,
      limits: options.cluster.limits,
      inputOf: (key, diskFull) => this.#inputOf(key, diskFull),
      onTimer: (timer) => this.#push(timer),
      onStep: (key, event, step) => this.#stepped(key, event, step),
      onThrow: (error, event, snapshot) => this.#threw(error, event, snapshot),
    });
  }

  /** Why the role stopped for good; null while it runs. */
  get halted(): string | null {
    return this.#halted;
  }

  /** The sender that this role signs as. */
  get sender(): Sender {
    const { store, definition, id } = this;
    return {
      role: definition.name,
      id,
      storeId: store?.meta.storeId ?? null,
      incarnation: store?.meta.incarnation ?? 0,
      writeNumber: store?.durableWriteNumber ?? 0,
      process: this.#options.nonce,
    };
  }

  /** Starts the role's one machine; a role with instances starts them when they are asked for. */
  start(): void {
    if (this.definition.instances === undefined) this.#startMachine(null);
  }

  /** Takes a message in. @returns false if there was no room */
  deliver(delivery: Delivery): boolean {
    if (this.#halted !== null) return true;
    if (!this.inbox.offer(delivery)) {
      this.#options.count("inbox_full");
      return false;
    }
    this.#options.wake(this);
    return true;
  }

  /** Takes an event of the host in; `bytes` for what a door brought. */
  tell(event: { readonly type: string }, bytes = 0): void {
    this.#push({ kind: "event", event }, bytes);
  }

  /**
   * Returns what takes in the answers to an effect that this role asks for now. An answer that
   * comes after the role's memory was thrown away is dropped and counted.
   */
  answers(): (event: { readonly type: string }) => void {
    const life = this.#life;
    return (event) => this.#push({ kind: "event", event, life });
  }

  #push(waiting: Exclude<Waiting, { readonly kind: "message" }>, bytes = 0): void {
    if (this.#halted !== null) return;
    this.inbox.push(waiting, bytes);
    this.#options.wake(this);
  }

  /** The states of the machines, by instance. */
  snapshots(): ReadonlyMap<string, RoleSnapshot> {
    return this.#machines.snapshots();
  }

  /** Stops for good: timers end, nothing held back leaves any more. */
  halt(why: string, cause: "halt" | "threw" = "halt"): void {
    if (this.#halted !== null) return;
    this.#halted = why;
    this.#machines.end();
    this.#outbox.discard();
    this.#options.onHalt(this, why, cause);
  }

  /** Whether somebody waits for work of this role that no other would finish. */
  get isBusy(): boolean {
    const { busy } = this.definition;
    if (busy === undefined) return false;
    return this.inbox.size > 0 || [...this.snapshots().values()].some(busy);
  }

  /** Messages and writes that are not out yet; a graceful stop waits for zero. */
  get pending(): number {
    return this.inbox.size + this.#outbox.size + this.#outbox.writesInFlight;
  }

  /** Steps the machines for all that waits, and lets out what need not wait for a write. */
  drain(): void {
    if (this.#halted !== null || this.inbox.size === 0) return;
    const nowMs = this.#options.clock.nowMs();
    const effects: Effect[] = [];
    for (const one of joinBatches(this.inbox.take(), nowMs)) {
      if (this.#halted !== null) return;
      this.#route(one, nowMs, effects);
    }
    this.#gather(effects);
  }

  /** Starts the write of what the drains of this turn gathered: one transaction, synced once. */
  commit(): void {
    if (this.#halted !== null || this.#gathered === null) return;
    const { write, ...batch } = this.#gathered;
    this.#gathered = null;
    try {
      this.store?.commit(batch, (error) => this.#committed(write, batch, error));
    } catch (error) {
      this.#threw(error, "commit", undefined);
    }
  }

  /** Steps the machines that an event is for. */
  #route(one: ReturnType<typeof joinBatches>[number], nowMs: number, effects: Effect[]): void {
    if (!("kind" in one)) this.#machines.receive(one, effects);
    else if (one.kind === "timer") this.#machines.fire(one, nowMs, effects);
    else if (one.life !== undefined && one.life !== this.#life) {
      this.#options.count("earlier_life");
    } else this.#machines.tell(one.event, nowMs, effects);
  }

  #inputOf(key: string, diskFull: string | null): RoleInput {
    const { cluster, random, clock, nonce } = this.#options;
    const meta = this.store?.meta;
    return {
      id: this.id,
      cluster,
      // An instance that is dropped and begun again knows no round it used: only a nonce of its own
      // keeps its ballots apart from those of the earlier one.
      nonce: this.definition.instances === undefined ? nonce : random.hex(8),
      seed: Math.floor(random.next() * 2 ** 32),
      nowMs: clock.nowMs(),
      records: this.#records,
      incarnation: meta?.incarnation ?? 0,
      life: this.#life,
      storeId: meta?.storeId ?? null,
      openings: meta?.openings ?? [],
      diskFull,
      instance: key,
      neighbours: this.#options.neighbours(this),
    };
  }

  /** Starts the machine of a role without instances. */
  #startMachine(diskFull: string | null): void {
    const effects: Effect[] = [];
    this.#machines.start("", diskFull, effects);
    this.#gather(effects);
  }

  #stepped(key: string, event: RoleEvent | null, step: Step): void {
    const { observers } = this.#options;
    if (observers.isWatched) observers.stepped(this, key, event, step);
    if (event !== null) return;
    // The first machine holds them now.
    this.#records = [];
    this.store?.forgetRecords();
  }

  /** Gathers what a drain wants kept for the turn's write, and queues the rest behind it. */
  #gather(effects: readonly Effect[]): void {
    if (this.#halted !== null) return;
    const records = effects.flatMap((effect) => (effect.kind === "persist" ? effect.records : []));
    if (records.length > 0) {
      if (this.store === null) {
        this.halt(`role ${this.definition.name} wants records kept but has no store`, "threw");
        return;
      }
      this.#gathered ??= { write: this.#outbox.beginWrite(), records: [] };
      for (const record of records) this.#gathered.records.push(record);
      this.#options.wake(this);
    }
    this.#outbox.add(effects.filter(({ kind }) => kind !== "persist"));
  }

  #committed(write: number, batch: StoreBatch, error: DiskError | null): void {
    if (this.#halted !== null) return;
    const { observers } = this.#options;
    if (this.#outbox.hasGivenUp(write)) {
      // The life that asked for it is over, and what waited for it is gone already.
      this.#options.count("earlier_life");
      return;
    }
    if (error === null) {
      if (observers.isWatched) observers.committed(this, batch);
      this.#outbox.written(write);
      return;
    }
    this.#gathered = null;
    this.#outbox.discard();
    if (observers.isWatched) observers.refused(this, error);
    this.#options.logger.error({ role: this.definition.name, id: this.id, error }, error.message);
    this.#options.count(`disk_${error.kind}`);
    if (error.kind === "full") this.#restartFromDisk(error.message);
    else {
      // What waits would be stepped by a memory that is ahead of the disk, and answered from it.
      this.inbox.take();
      const event = { type: "disk.failed", reason: error.message };
      this.tell(event);
    }
  }

  /** Forgets the role's memory, which is ahead of the disk, and reads it again. */
  #restartFromDisk(diskFull: string): void {
    this.#machines.forget();
    this.#life++;
    try {
      this.#records = this.store?.reload() ?? [];
      this.#startMachine(diskFull);
    } catch (error) {
      // What became of its disk is for an operator, and nothing that a new start would mend.
      if (error instanceof StoreRefused) this.halt(error.message);
      else this.#threw(error, "reload", undefined);
    }
  }

  #release(effect: Effect): void {
    if (this.#halted !== null) return;
    const { observers, count, carryOut } = this.#options;
    try {
      if (observers.isWatched) observers.leaves(this, effect);
      if (effect.kind === "count") count(effect.reason, effect.by);
      else if (effect.kind === "halt") this.halt(effect.why);
      else carryOut(this, effect);
    } catch (error) {
      this.#threw(error, effect.kind, undefined);
    }
  }

  #threw(error: unknown, event: string, snapshot: RoleSnapshot | undefined): void {
    const { name } = this.definition;
    const state = snapshot?.value;
    const message = error instanceof Error ? error.message : String(error);
    this.#options.logger.error(
      { role: name, id: this.id, event, state, stack: error instanceof Error ? error.stack : "" },
      `role ${name} stopped: ${message}`,
    );
    this.halt(`${name} ${this.id} stopped at ${event}: ${message}`, "threw");
  }
}
