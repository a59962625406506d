/**
 * Steps of one role, without a host: what a role starts from, what it hears, and a bench that keeps
 * the books on its timers.
 */
import type { AnyEventObject, AnyMachineSnapshot, AnyStateMachine } from "xstate";
import type { Effect } from "../../src/kernel/effect.js";
import { type Inbound, type RoleInput, stateName } from "../../src/kernel/role.js";
import { createStepper, type Step } from "../../src/kernel/step.js";
import type { Ballot } from "../../src/paxos/ballot.js";
import type { Cluster } from "../../src/paxos/cluster.js";
import { digest } from "../../src/paxos/digest.js";
import { DEFAULT_LIMITS, type Limits } from "../../src/paxos/limits.js";
import type { Message, RoleName, Sender, Vote } from "../../src/paxos/wire/messages.js";
import type { StoreRecord } from "../../src/paxos/wire/record.js";

/** The effect that keeps records. */
export const persist = (...records: readonly StoreRecord[]): Effect => ({
  kind: "persist",
  records,
});

/** The monotonic time at which every bench starts. */
export const START_MS = 1000;

/** Acceptors a1, a2, a3 and proposers p1, p2, with the default limits but for those named. */
export function testCluster(
  limits: Partial<Limits> = {},
  rest: Partial<Omit<Cluster, "limits">> = {},
): Cluster {
  const member = (prefix: string, hex: string) => (n: number) => ({
    id: `${prefix}${n}`,
    storeId: `${hex}${n}`.repeat(16),
  });
  return {
    name: "test",
    clusterId: "0123456789abcdef".repeat(2),
    epoch: 1,
    acceptors: [1, 2, 3].map(member("a", "a")),
    proposers: [1, 2].map(member("p", "b")),
    quorums: { kind: "majority" },
    learn: { kind: "leader" },
    limits: { ...DEFAULT_LIMITS, ...limits },
    ...rest,
  };
}

/** What a role starts from: an empty store, in its first life. */
export function roleInput(rest: Partial<RoleInput> = {}): RoleInput {
  return {
    id: "r1",
    cluster: testCluster(),
    nonce: "0123456789abcdef",
    seed: 1,
    nowMs: START_MS,
    records: [],
    incarnation: 1,
    life: 0,
    storeId: null,
    openings: [],
    diskFull: null,
    instance: "",
    neighbours: [],
    ...rest,
  };
}

/** Who speaks, as the envelope would say. */
export function sender(role: RoleName, id: string, rest: Partial<Sender> = {}): Sender {
  const listed = role === "acceptor" || role === "proposer";
  return {
    role,
    id,
    storeId: listed ? `${role === "acceptor" ? "a" : "b"}${id.slice(1)}`.repeat(16) : null,
    incarnation: listed ? 1 : 0,
    writeNumber: 0,
    process: "fedcba9876543210",
    ...rest,
  };
}

/** One message as an event. */
export function heard<M extends Message>(message: M, from: Sender, nowMs = START_MS): Inbound<M> {
  return { type: message.type, received: [{ from, message }], nowMs };
}

/** Messages of one verb that one drain joined to an event. */
export function heardTogether<M extends Message>(
  received: readonly (readonly [Sender, M])[],
  nowMs = START_MS,
): Inbound<M> {
  const first = received[0];
  if (first === undefined) throw new Error("a batch is never empty");
  const all = received.map(([from, message]) => ({ from, message }));
  return { type: first[1].type, received: all, nowMs };
}

/** A ballot of a proposer whose every nonce is the same. */
export function ballot(round: number, proposer = "p1"): Ballot {
  return { round, owner: `${proposer}.0123456789abcdef` };
}

/** A value of a text. */
export function value(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A vote for a text. */
export function vote(at: Ballot, text: string): Vote {
  return { ballot: at, digest: digest(value(text)), value: value(text) };
}

/** The id under which XState sets the timer of `after: { delay }` in a state. */
function timerId(delay: string, state: string): string {
  return `xstate.after.${delay}.${state}`;
}

/** The effect that sets the timer of `after` in a state: `acceptor.recovering`. */
export function timerSet(delay: string, state: string, delayMs: number): Effect {
  const id = timerId(delay, state);
  return { kind: "setTimer", id, delayMs, event: { type: id } };
}

/** The effect that cancels the timer of `after` in a state. */
export function timerCancelled(delay: string, state: string): Effect {
  return { kind: "cancelTimer", id: timerId(delay, state) };
}

/** A role on a bench: takes events one by one; its timers fire when told to. */
export class Bench {
  /** Effects of the last step. */
  effects: readonly Effect[] = [];
  /** Whether the last event was heard. */
  heard = true;
  readonly #stepper = createStepper();
  readonly #machine: AnyStateMachine;
  readonly #timers = new Map<string, AnyEventObject>();
  #snapshot: AnyMachineSnapshot;

  constructor(machine: AnyStateMachine, input: RoleInput) {
    this.#machine = machine;
    const step = this.#stepper.start(machine, input);
    this.#snapshot = step.snapshot;
    this.#note(step);
  }

  /** The active state, dotted. */
  get state(): string {
    return stateName(this.#snapshot);
  }

  get snapshot(): AnyMachineSnapshot {
    return this.#snapshot;
  }

  /** Ids of the timers that are set. */
  get timers(): readonly string[] {
    return [...this.#timers.keys()].sort();
  }

  /** Takes one event; returns what the step asks for. */
  take(event: AnyEventObject): readonly Effect[] {
    const step = this.#stepper.step(this.#machine, this.#snapshot, event);
    this.#snapshot = step.snapshot;
    this.#note(step);
    return step.effects;
  }

  /** Lets the timer of a delay fire. @throws Error if it is not set, or in several states */
  fire(delay: string): readonly Effect[] {
    const ids = this.timers.filter((id) => id.startsWith(timerId(delay, "")));
    const event = this.#timers.get(ids[0] ?? "");
    if (ids.length !== 1 || event === undefined) {
      throw new Error(`timers of ${delay}: ${ids.length}; set are ${this.timers.join(", ")}`);
    }
    this.#timers.delete(ids[0] ?? "");
    return this.take(event);
  }

  #note(step: Step): void {
    this.effects = step.effects;
    this.heard = step.heard;
    for (const effect of step.effects) {
      if (effect.kind === "setTimer") this.#timers.set(effect.id, effect.event);
      if (effect.kind === "cancelTimer") this.#timers.delete(effect.id);
    }
  }
}
