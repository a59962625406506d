/** The runner of one role: steps its machines, commits what they want kept, then sends messages. */
import type { Message, Sender } from "../paxos/messages.js";
import type { StoreRecord } from "../paxos/record.js";
import { awaitsAnswer } from "../paxos/verbs.js";
import { OVERLOADED } from "./answer.js";
import type { Effect } from "./effect.js";
import { type Delivery, Inbox, joinBatches, type Waiting } from "./inbox.js";
import { type Alarm, cancelTimers, type Instance } from "./instance.js";
import type { Observer } from "./observer.js";
import { Outbox } from "./outbox.js";
import type { Clock, DiskError, Logger, Random } from "./ports.js";
import { StoreRefused } from "./refusal.js";
import type { Instances, RoleDefinition, RoleEvent, RoleInput, RoleSnapshot } from "./role.js";
import { isOutOfPlace } from "./role.js";
import type { Stepper } from "./step.js";
import type { Store, StoreBatch } from "./store.js";

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
  readonly observer?: Observer | undefined;
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
  readonly #instances = new Map<string, Instance>();
  #generation = 0;
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
    if (this.definition.instances === undefined) this.#startInstance("", null);
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
    return new Map([...this.#instances].map(([key, instance]) => [key, instance.snapshot]));
  }

  /** Stops for good: timers end, nothing held back leaves any more. */
  halt(why: string, cause: "halt" | "threw" = "halt"): void {
    if (this.#halted !== null) return;
    this.#halted = why;
    for (const instance of this.#instances.values()) cancelTimers(instance);
    this.#outbox.discard();
    this.#options.onHalt(this, why, cause);
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

  /** Finds the machine that an event is for. */
  #route(one: ReturnType<typeof joinBatches>[number], nowMs: number, effects: Effect[]): void {
    if ("kind" in one) {
      if (one.kind === "timer") this.#fire(one, nowMs, effects);
      else if (one.life !== undefined && one.life !== this.#life) {
        this.#options.count("earlier_life");
      } else this.#tellInstances(one.event, nowMs, effects);
      return;
    }
    const { instances } = this.definition;
    if (instances === undefined) {
      this.#step(this.#instances.get(""), one, effects);
      return;
    }
    for (const received of one.received) {
      const { message } = received;
      const key = instances.keyOf(message);
      if (key === undefined) continue;
      const event = { type: one.type, received: [received], nowMs };
      const instance = this.#instanceFor(key, message, instances, effects);
      if (instance === undefined && awaitsAnswer(message)) {
        effects.push({ kind: "reply", token: message.reply, answer: OVERLOADED });
      } else this.#step(instance, event, effects);
    }
  }

  #tellInstances(event: { readonly type: string }, nowMs: number, effects: Effect[]): void {
    const stamped = { ...event, nowMs };
    for (const instance of this.#instances.values()) this.#step(instance, stamped, effects);
  }

  #fire(timer: Extract<Waiting, { kind: "timer" }>, nowMs: number, effects: Effect[]): void {
    const { id } = timer;
    const instance = this.#instances.get(timer.instance);
    const armed = instance?.timers.get(id);
    if (instance === undefined || armed?.generation !== timer.generation) return;
    instance.timers.delete(id);
    this.#step(instance, { ...armed.event, nowMs }, effects);
  }

  /** Returns the instance of a key, which some messages begin. */
  #instanceFor(
    key: string,
    message: Message,
    { begins, countMax }: Instances,
    effects: Effect[],
  ): Instance | undefined {
    const known = this.#instances.get(key);
    if (known !== undefined || !begins(message)) return known;
    if (this.#instances.size >= countMax(this.#options.cluster.limits)) {
      this.#options.count("overloaded");
      return undefined;
    }
    return this.#startInstance(key, null, effects);
  }

  #input(key: string, diskFull: string | null): RoleInput {
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

  #startInstance(key: string, diskFull: string | null, effects?: Effect[]): Instance | undefined {
    const made: Effect[] = effects ?? [];
    try {
      const input = this.#input(key, diskFull);
      const step = this.#options.stepper.start(this.definition.machine, input);
      const instance = {
        key,
        snapshot: step.snapshot,
        timers: new Map<string, Alarm>(),
        finished: false,
      };
      this.#instances.set(key, instance);
      this.#options.observer?.stepped(this, key, null, step);
      this.#collect(instance, step.effects, made);
      this.#records = [];
      this.store?.forgetRecords();
      if (effects === undefined) this.#gather(made);
      return instance;
    } catch (error) {
      this.#threw(error, "start", undefined);
      return undefined;
    }
  }

  #step(instance: Instance | undefined, event: RoleEvent, effects: Effect[]): void {
    if (instance === undefined || instance.finished) {
      if (isOutOfPlace(this.definition, event.type)) this.#options.count("unheard");
      return;
    }
    if (this.#halted !== null) return;
    try {
      const { machine } = this.definition;
      const payloadBytesMax = this.#options.payloadBytesMax();
      const stamped = { ...event, payloadBytesMax };
      const step = this.#options.stepper.step(machine, instance.snapshot, stamped);
      instance.snapshot = step.snapshot;
      if (!step.heard && isOutOfPlace(this.definition, event.type)) this.#options.count("unheard");
      this.#options.observer?.stepped(this, instance.key, event, step);
      this.#collect(instance, step.effects, effects);
    } catch (error) {
      this.#threw(error, event.type, instance);
    }
  }

  /** Takes timers and ends of instances out of what a step made; the rest goes to the outbox. */
  #collect(instance: Instance, made: readonly Effect[], effects: Effect[]): void {
    for (const effect of made) {
      if (effect.kind === "setTimer") this.#setTimer(instance, effect);
      else if (effect.kind === "cancelTimer") {
        instance.timers.get(effect.id)?.cancel();
        instance.timers.delete(effect.id);
      } else if (effect.kind === "finish") {
        instance.finished = true;
        cancelTimers(instance);
        this.#instances.delete(instance.key);
      } else effects.push(effect);
    }
  }

  #setTimer(instance: Instance, effect: Extract<Effect, { kind: "setTimer" }>): void {
    instance.timers.get(effect.id)?.cancel();
    const generation = ++this.#generation;
    const { id } = effect;
    const { key } = instance;
    const cancel = this.#options.clock.setTimer(effect.delayMs, () => {
      this.#push({ kind: "timer", instance: key, id, generation });
    });
    instance.timers.set(effect.id, { generation, cancel, event: effect.event });
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
    if (this.#outbox.hasGivenUp(write)) {
      // The life that asked for it is over, and what waited for it is gone already.
      this.#options.count("earlier_life");
      return;
    }
    if (error === null) {
      this.#options.observer?.committed(this, batch);
      this.#outbox.written(write);
      return;
    }
    this.#gathered = null;
    this.#outbox.discard();
    this.#options.observer?.refused(this, error);
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
    for (const instance of this.#instances.values()) cancelTimers(instance);
    this.#instances.clear();
    this.#life++;
    try {
      this.#records = this.store?.reload() ?? [];
      this.#startInstance("", diskFull);
    } catch (error) {
      // What became of its disk is for an operator, and nothing that a new start would mend.
      if (error instanceof StoreRefused) this.halt(error.message);
      else this.#threw(error, "reload", undefined);
    }
  }

  #release(effect: Effect): void {
    if (this.#halted !== null) return;
    const { observer, count, carryOut } = this.#options;
    try {
      observer?.leaves(this, effect);
      if (effect.kind === "count") count(effect.reason, effect.by);
      else if (effect.kind === "halt") this.halt(effect.why);
      else carryOut(this, effect);
    } catch (error) {
      this.#threw(error, effect.kind, undefined);
    }
  }

  #threw(error: unknown, event: string, instance: Instance | undefined): void {
    const { name } = this.definition;
    const state = instance?.snapshot.value;
    const message = error instanceof Error ? error.message : String(error);
    this.#options.logger.error(
      { role: name, id: this.id, event, state, stack: error instanceof Error ? error.stack : "" },
      `role ${name} stopped: ${message}`,
    );
    this.halt(`${name} ${this.id} stopped at ${event}: ${message}`, "threw");
  }
}
