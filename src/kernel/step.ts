/**
 * The step: the only way a role's machine moves.
 *
 *   step(role, snapshot, event) → { snapshot, effects, heard, taken }
 *
 * Worker, simulator, explorer and viewer share it. XState's `machine.transition` runs on one inert
 * actor scope a stepper; our action executor collects what the actions return and turns XState's
 * delayed events into timers. Nothing here touches a clock, a queue or a socket.
 *
 * Why not `transition()` of xstate: it builds an actor system a call, about seven times the cost.
 */
import {
  type ActionExecutor,
  type ActorScope,
  type AnyEventObject,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createEmptyActor,
} from "xstate";
import { tableOf } from "./compiler.js";
import type { Effect } from "./effect.js";
import type { RoleInput } from "./role.js";
import type { Table, Transition } from "./table.js";

/** Most microsteps of one step; a chart that needs more has an `always` that does not end. */
const MICROSTEPS_MAX = 64;

/** The event type of an `always`. */
const EVENTLESS = "";

/** What a step made. */
export interface Step {
  readonly snapshot: AnyMachineSnapshot;
  readonly effects: readonly Effect[];
  /**
   * False if no transition took the event: it is traced as unheard. An `always` that happens to be
   * taken in the same step does not make it heard.
   */
  readonly heard: boolean;
  /**
   * The transitions that were taken, in order, those of an `always` too; empty for a start. Named
   * when it is read: a step that nobody looks at pays nothing for it.
   */
  readonly taken: readonly Taken[];
}

/** A transition that a step took. States are named by their path, as in `leading.open`. */
export interface Taken {
  /** The state that the transition belongs to; "" for one of the whole chart. */
  readonly from: string;
  /** The event's type; `xstate.after.…` for a timer of the chart, "" for an `always`. */
  readonly event: string;
  /** The states that it goes to; none if it only acts. */
  readonly to: readonly string[];
}

/** Moves the machines of one process; not re-entrant. */
export interface Stepper {
  /** Makes the initial snapshot. @throws what a guard, action or context factory threw */
  start(machine: AnyStateMachine, input: RoleInput): Step;
  /**
   * Takes one event. The snapshot passed in must not be used afterwards.
   *
   * @throws what a guard or action threw; the snapshot is then lost
   */
  step(machine: AnyStateMachine, snapshot: AnyMachineSnapshot, event: AnyEventObject): Step;
}

type ExecutableAction = Parameters<ActionExecutor>[0];

class MadeStep implements Step {
  readonly snapshot: AnyMachineSnapshot;
  readonly effects: readonly Effect[];
  readonly #transitions: readonly Transition[];

  constructor(
    snapshot: AnyMachineSnapshot,
    effects: readonly Effect[],
    transitions: readonly Transition[],
  ) {
    this.snapshot = snapshot;
    this.effects = effects;
    this.#transitions = transitions;
  }

  get heard(): boolean {
    return this.#transitions.some(({ eventType }) => eventType !== EVENTLESS);
  }

  get taken(): readonly Taken[] {
    return this.#transitions.map(({ eventType, source, target = [] }) => ({
      from: source.path.join("."),
      event: eventType,
      to: target.map(({ path }) => path.join(".")),
    }));
  }
}

/** Tables of the charts of this process; null for a chart that has none. */
const tables = new WeakMap<AnyStateMachine, Table | null>();

/**
 * Makes a stepper. It steps by table where a chart has one, and lets XState move the others; every
 * start is XState's.
 */
export function createStepper(): Stepper {
  const interpreter = createInterpreter();
  let isStepping = false;
  const alone = (move: () => Step): Step => {
    if (isStepping) throw new Error("a step was asked for inside a step");
    isStepping = true;
    try {
      return move();
    } finally {
      isStepping = false;
    }
  };
  return {
    start: (machine, input) => alone(() => interpreter.start(machine, input)),
    step: (machine, snapshot, event) =>
      alone(() => {
        const table = tableFor(machine);
        if (table === null) return interpreter.step(machine, snapshot, event);
        check(machine, snapshot);
        const made = table.step(snapshot, event);
        return new MadeStep(made.snapshot, made.effects, made.transitions);
      }),
  };
}

function tableFor(machine: AnyStateMachine): Table | null {
  let table = tables.get(machine);
  if (table === undefined) {
    table = tableOf(machine, MICROSTEPS_MAX);
    tables.set(machine, table);
  }
  return table;
}

/** Makes a stepper that lets XState move every chart: what the tables are held to. */
export function createInterpreter(): Stepper {
  let collected: Effect[] = [];
  let transitions: Transition[] = [];
  let stepping = false;
  const scope = createScope(
    (action) => {
      for (const effect of effectsOf(action)) collected.push(effect);
    },
    (transition) => {
      transitions.push(transition);
    },
  );

  function run(move: () => AnyMachineSnapshot): Step {
    if (stepping) throw new Error("a step was asked for inside a step");
    stepping = true;
    collected = [];
    transitions = [];
    try {
      return new MadeStep(move(), collected, transitions);
    } finally {
      stepping = false;
      collected = [];
      transitions = [];
    }
  }

  return {
    start: (machine, input) =>
      run(() => {
        machine.options.maxIterations = MICROSTEPS_MAX;
        const snapshot = machine.getInitialSnapshot(scope, input) as AnyMachineSnapshot;
        // XState swallows what the start throws into the snapshot.
        if (snapshot.status === "error") throw snapshot.error;
        return snapshot;
      }),
    step: (machine, snapshot, event) =>
      run(() => {
        check(machine, snapshot);
        return machine.transition(snapshot, event, scope) as AnyMachineSnapshot;
      }),
  };
}

function check(machine: AnyStateMachine, snapshot: AnyMachineSnapshot): void {
  if (snapshot.status !== "active") {
    throw new Error(`a step was asked of a machine that is ${snapshot.status}`);
  }
  // XState would silently take the rules of the snapshot's own machine.
  if (snapshot.machine !== machine) throw new Error("a snapshot of another machine");
}

function createScope(
  collect: (action: ExecutableAction) => void,
  noteTransition: (transition: Transition) => void,
): ActorScope<AnyMachineSnapshot, AnyEventObject> {
  const idle = createEmptyActor();
  const refuse = (what: string) => () => {
    throw new Error(`a chart asked for ${what}, which has no effect as data`);
  };
  const system = Object.create(idle.system as object, {
    _sendInspectionEvent: {
      value: (event: { type: string; _transitions?: readonly Transition[] }) => {
        if (event.type !== "@xstate.microstep") return;
        for (const transition of event._transitions ?? []) noteTransition(transition);
      },
    },
  });
  return {
    self: idle,
    system,
    id: "role",
    sessionId: "role",
    logger: () => undefined,
    defer: refuse("a deferred call"),
    emit: refuse("an emitted event"),
    stopChild: refuse("a child actor"),
    actionExecutor: collect,
  } as unknown as ActorScope<AnyMachineSnapshot, AnyEventObject>;
}

/** Turns one action of the chart into effects. */
function effectsOf(action: ExecutableAction): readonly Effect[] {
  const params = action.params as Record<string, unknown> | undefined;
  if (action.type === "xstate.raise") return timerOf(params ?? {});
  if (action.type === "xstate.cancel")
    return [{ kind: "cancelTimer", id: String(params?.["sendId"]) }];
  if (action.type.startsWith("xstate.")) throw new Error(`${action.type} has no effect as data`);
  if (action.exec === undefined) throw new Error(`action ${action.type} is not implemented`);
  const made: unknown = action.exec(action.info, action.params as never);
  if (!Array.isArray(made)) throw new Error(`action ${action.type} did not return effects`);
  return made as readonly Effect[];
}

/** An immediate raise is queued already; a delayed one is a timer. */
function timerOf({ id, delay, event }: Record<string, unknown>): readonly Effect[] {
  if (delay === undefined && !String(id).startsWith("xstate.after.")) return [];
  // XState fires at once what has an unknown delay, and gives a random id to what has none.
  if (!Number.isFinite(delay)) throw new Error(`${id}: its delay is ${delay}, not a number`);
  if (id === undefined) throw new Error("a delayed raise needs an id");
  return [
    {
      kind: "setTimer",
      id: String(id),
      delayMs: Number(delay),
      event: event as { type: string },
    },
  ];
}
