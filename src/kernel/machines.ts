/**
 * The machines of one role: starts them, steps them, and keeps their timers. The runner decides
 * what becomes of the effects that they ask for.
 */
import type { Message } from "../paxos/wire/messages.js";
import { awaitsAnswer } from "../paxos/wire/verbs.js";
import { OVERLOADED } from "./answer.js";
import type { Effect } from "./effect.js";
import type { Waiting } from "./inbox.js";
import { cancelTimers, type Instance } from "./instance.js";
import type { Clock } from "./ports.js";
import {
  type Inbound,
  type Instances,
  isOutOfPlace,
  type RoleDefinition,
  type RoleEvent,
  type RoleInput,
  type RoleSnapshot,
} from "./role.js";
import type { Step, Stepper } from "./step.js";

type Timer = Extract<Waiting, { readonly kind: "timer" }>;

/** What {@link Machines} are built from. */
export interface MachinesOptions {
  readonly definition: RoleDefinition;
  readonly limits: RoleInput["cluster"]["limits"];
  readonly stepper: Stepper;
  readonly clock: Clock;
  readonly count: (reason: string) => void;
  /** The largest message that the server takes at the moment; the kernel adds it to each event. */
  readonly payloadBytesMax: () => number;
  /** What a machine starts from. */
  readonly inputOf: (key: string, diskFull: string | null) => RoleInput;
  /** A timer fired: it waits in the inbox until {@link Machines.fire}. */
  readonly onTimer: (timer: Timer) => void;
  /** A machine took an event, or started (null); its effects are collected next. */
  readonly onStep: (key: string, event: RoleEvent | null, step: Step) => void;
  /** A start or a step threw. */
  readonly onThrow: (error: unknown, event: string, snapshot: RoleSnapshot | undefined) => void;
}

/** Runs the machines of one role: one under the empty key, or one for each key. */
export class Machines {
  readonly #options: MachinesOptions;
  readonly #instances = new Map<string, Instance>();
  #generation = 0;
  #isOver = false;

  constructor(options: MachinesOptions) {
    this.#options = options;
  }

  /** The states of the machines, by key. */
  snapshots(): ReadonlyMap<string, RoleSnapshot> {
    return new Map([...this.#instances].map(([key, instance]) => [key, instance.snapshot]));
  }

  /** Ends all of them: timers end, and nothing is stepped any more. */
  end(): void {
    this.#isOver = true;
    for (const instance of this.#instances.values()) cancelTimers(instance);
  }

  /** Forgets all of them, to start again from what the store holds. */
  forget(): void {
    for (const instance of this.#instances.values()) cancelTimers(instance);
    this.#instances.clear();
  }

  /** Starts the machine of a key. @returns undefined if that threw */
  start(key: string, diskFull: string | null, effects: Effect[]): Instance | undefined {
    const { definition, stepper, inputOf, onStep, onThrow } = this.#options;
    try {
      const step = stepper.start(definition.machine, inputOf(key, diskFull));
      const instance = { key, snapshot: step.snapshot, timers: new Map(), finished: false };
      this.#instances.set(key, instance);
      onStep(key, null, step);
      this.#collect(instance, step.effects, effects);
      return instance;
    } catch (error) {
      onThrow(error, "start", undefined);
      return undefined;
    }
  }

  /** Steps the machines that messages are for; some messages begin one under a new key. */
  receive(inbound: Inbound, effects: Effect[]): void {
    const { instances } = this.#options.definition;
    if (instances === undefined) {
      this.#step(this.#instances.get(""), inbound, effects);
      return;
    }
    const { type, nowMs } = inbound;
    for (const received of inbound.received) {
      const { message } = received;
      const key = instances.keyOf(message);
      if (key === undefined) continue;
      const event = { type, received: [received], nowMs };
      const instance = this.#instanceFor(key, message, instances, effects);
      if (instance === undefined && awaitsAnswer(message)) {
        effects.push({ kind: "reply", token: message.reply, answer: OVERLOADED });
      } else this.#step(instance, event, effects);
    }
  }

  /** Steps every machine with an event of the host. */
  tell(event: { readonly type: string }, nowMs: number, effects: Effect[]): void {
    const stamped = { ...event, nowMs };
    for (const instance of this.#instances.values()) this.#step(instance, stamped, effects);
  }

  /** Steps the machine whose timer fired, unless the timer was cancelled or set again meanwhile. */
  fire({ id, instance: key, generation }: Timer, nowMs: number, effects: Effect[]): void {
    const instance = this.#instances.get(key);
    const armed = instance?.timers.get(id);
    if (instance === undefined || armed?.generation !== generation) return;
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
    if (this.#instances.size >= countMax(this.#options.limits)) {
      this.#options.count("overloaded");
      return undefined;
    }
    return this.start(key, null, effects);
  }

  #step(instance: Instance | undefined, event: RoleEvent, effects: Effect[]): void {
    const { definition, stepper, count, payloadBytesMax, onStep, onThrow } = this.#options;
    if (instance === undefined || instance.finished) {
      if (isOutOfPlace(definition, event.type)) count("unheard");
      return;
    }
    if (this.#isOver) return;
    try {
      const stamped = { ...event, payloadBytesMax: payloadBytesMax() };
      const step = stepper.step(definition.machine, instance.snapshot, stamped);
      instance.snapshot = step.snapshot;
      if (!step.heard && isOutOfPlace(definition, event.type)) count("unheard");
      onStep(instance.key, event, step);
      this.#collect(instance, step.effects, effects);
    } catch (error) {
      onThrow(error, event.type, instance.snapshot);
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
    const { clock, onTimer } = this.#options;
    const cancel = clock.setTimer(effect.delayMs, () => {
      onTimer({ kind: "timer", instance: instance.key, id, generation });
    });
    instance.timers.set(id, { generation, cancel, event: effect.event });
  }
}
