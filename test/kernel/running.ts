/**
 * A runner on a bench: a clock that is moved by hand, a disk that finishes when told to, and a role
 * that does what its events say.
 */
import { type AnyEventObject, type AnyMachineSnapshot, setup } from "xstate";
import type { MemoryFile } from "../../src/adapters/memory/disk.js";
import { createSeededRandom } from "../../src/adapters/memory/random.js";
import { type Effect, effects } from "../../src/kernel/effect.js";
import { RunLoop } from "../../src/kernel/loop.js";
import { Observers } from "../../src/kernel/observer.js";
import type { Clock } from "../../src/kernel/ports.js";
import type { RoleDefinition, RoleInput } from "../../src/kernel/role.js";
import { Runner } from "../../src/kernel/runner.js";
import { createStepper } from "../../src/kernel/step.js";
import type { Store } from "../../src/kernel/store/store.js";
import type { Limits } from "../../src/paxos/limits.js";
import type { StoreRecord } from "../../src/paxos/wire/record.js";
import { testCluster } from "../support/steps.js";
import { formatted, identity, open } from "./stores.js";

type Args = { event: AnyEventObject & { effects?: Effect[] } };

/** Does what its events say: asks for their effects, throws, waits for `patience`. */
const obedient = setup({
  types: {
    context: {} as { input: RoleInput },
    events: {} as AnyEventObject,
    input: {} as RoleInput,
  },
  actions: {
    obey: effects(({ event }: Args) => event.effects ?? []),
    sayFired: effects((): Effect[] => [{ kind: "count", reason: "fired" }]),
    sayFailed: effects(({ event }: Args): Effect[] => [
      { kind: "halt", why: String(event["reason"]) },
    ]),
    sayHeard: effects(({ event }: Args): Effect[] => {
      const received = event["received"] as { message: { key?: string } }[];
      const keys = received.map(({ message }) => message.key ?? "");
      return [{ kind: "count", reason: `${event.type} ${keys.join()}` }];
    }),
    sayEnd: effects((): Effect[] => [{ kind: "finish" }]),
    fail: () => {
      throw new Error("the step threw");
    },
  },
  delays: { patience: 10 },
}).createMachine({
  context: ({ input }) => ({ input }),
  initial: "idle",
  on: {
    do: { actions: "obey" },
    throw: { actions: "fail" },
    "disk.failed": { actions: "sayFailed" },
    propose: { actions: "sayHeard" },
    decide: { actions: "sayHeard" },
    "key-promise": { actions: "sayHeard" },
    "key-nack": { actions: "sayEnd" },
    arm: { target: ".armed", reenter: true },
    leave: ".idle",
  },
  states: {
    idle: {},
    armed: { after: { patience: { target: "idle", actions: "sayFired" } } },
  },
});

/** The obedient role; `change` makes it one with instances, say. */
export function obedientRole(change: Partial<RoleDefinition> = {}): RoleDefinition {
  const none = { hears: [], status: () => ({}), show: () => null, waits: () => [] };
  return { name: "acceptor", machine: obedient, stateful: true, ...none, ...change };
}

/** A clock whose alarms and turns come when the test says so. */
class HandClock implements Clock {
  ms = 0;
  readonly alarms: { readonly fire: () => void; cancelled: boolean; readonly delayMs: number }[] =
    [];
  #soon: (() => void)[] = [];

  nowMs(): number {
    return this.ms;
  }

  setTimer(delayMs: number, fire: () => void): () => void {
    const alarm = { fire, cancelled: false, delayMs };
    this.alarms.push(alarm);
    return () => {
      alarm.cancelled = true;
    };
  }

  soon(run: () => void): void {
    this.#soon.push(run);
  }

  endOfTurn(run: () => void): void {
    run();
  }

  /** Runs what waits for its turn. */
  turn(): void {
    while (this.#soon.length > 0) for (const run of this.#soon.splice(0)) run();
  }
}

/**
 * A store whose commits finish when the test says so: `finish` ends all that are under way,
 * `finishOne` the one that was asked for `at` places behind the oldest, and those before it.
 */
function slowStore(held: readonly StoreRecord[]): {
  file: MemoryFile;
  store: Store;
  finish: () => void;
  finishOne: (at?: number) => void;
} {
  const queue: (() => void)[] = [];
  let isSlow = false;
  const file = formatted("memory:running", {
    soon: (run) => {
      if (isSlow) queue.push(run);
      else run();
    },
  });
  if (held.length > 0) open(file, identity).commit({ records: held }, () => undefined);
  const store = open(file, identity);
  isSlow = true;
  const finish = () => {
    for (const run of queue.splice(0)) run();
  };
  const finishOne = (at = 0) => {
    for (const run of queue.splice(at, 1)) run();
  };
  return { file, store, finish, finishOne };
}

/** Runs a role; what it lets out is written to `left`. */
export class RunnerBench {
  readonly clock = new HandClock();
  readonly left: string[] = [];
  readonly halts: string[] = [];
  readonly counts = new Map<string, number>();
  /** Runs before an effect leaves. */
  carryOut: (name: string) => void = () => undefined;
  readonly disk: ReturnType<typeof slowStore>;
  readonly runner: Runner;
  /** The list of what the store held before the role started, and each record of it. */
  readonly found: readonly WeakRef<object>[];

  /** @param held what its store holds before it starts */
  constructor(
    definition = obedientRole(),
    limits: Partial<Limits> = {},
    withStore = true,
    held: readonly StoreRecord[] = [],
  ) {
    this.disk = slowStore(held);
    const { records } = this.disk.store;
    this.found = [records, ...records].map((one) => new WeakRef<object>(one));
    const loop = new RunLoop(this.clock);
    this.runner = new Runner({
      wake: (runner) => loop.wake(runner),
      neighbours: () => [],
      definition,
      id: "a1",
      cluster: testCluster(limits),
      store: withStore ? this.disk.store : null,
      stepper: createStepper(),
      observers: new Observers(() => undefined),
      clock: this.clock,
      random: createSeededRandom(1),
      logger: {
        debug: () => undefined,
        info: (_, message) => this.left.push(message),
        warn: () => undefined,
        error: () => undefined,
      },
      nonce: "0123456789abcdef",
      payloadBytesMax: () => 1_048_576,
      carryOut: (_, effect) => {
        this.carryOut(nameOf(effect));
        this.left.push(nameOf(effect));
      },
      count: (reason, by = 1) => {
        this.counts.set(reason, (this.counts.get(reason) ?? 0) + by);
      },
      onHalt: (_, why, cause) => this.halts.push(`${cause}: ${why}`),
    });
    this.runner.start();
  }

  /** What left since the last look. */
  take(): string[] {
    return this.left.splice(0);
  }

  /** Has the role ask for effects, in a drain of its own. */
  do(...asked: Effect[]): void {
    this.runner.tell({ type: "do", ...{ effects: asked } });
    this.clock.turn();
  }

  /** The machine's state. */
  snapshot(instance = ""): AnyMachineSnapshot | undefined {
    return this.runner.snapshots().get(instance);
  }

  /** What the machine began with. */
  input(instance = ""): RoleInput {
    return this.snapshot(instance)?.context.input as RoleInput;
  }
}

function nameOf(effect: Effect): string {
  if (effect.kind === "send" || effect.kind === "broadcast") return effect.message.type;
  return effect.kind;
}
