/**
 * Goal: a step by table is the step that XState would make.
 * Method: the charts of every role in simulated runs with faults: beside each machine a twin that
 * XState moves takes the same events; state, context and effects must agree after each. What a
 * table does not cover is left to XState, and no chart of ours is. `step.test.ts` runs each of its
 * sentences both ways.
 */
import { isDeepStrictEqual } from "node:util";
import { describe, expect, it } from "vitest";
import { type AnyEventObject, type AnyStateMachine, and, setup } from "xstate";
import { roles } from "../../actors/index.js";
import { tableOf } from "../../src/kernel/compiler.js";
import type { RoleInput, RoleSnapshot } from "../../src/kernel/role.js";
import {
  createInterpreter,
  createStepper,
  type Step,
  type Stepper,
} from "../../src/kernel/step.js";
import { drawPlan } from "../../src/sim/plan/draw.js";
import { runPlan } from "../../src/sim/run/run.js";

describe("a chart", () => {
  it.each(Object.values(roles).map((role) => [role.name, role.machine] as const))(
    "%s has a table",
    (_name, machine) => {
      expect(tableOf(machine, 64)).not.toBeNull();
    },
  );

  const base = setup({
    guards: { yes: () => true, both: and(["yes", () => true]) },
    actions: { nothing: () => undefined },
  });
  const states = { a: {}, b: {} };
  it.each<[string, AnyStateMachine]>([
    ["regions", base.createMachine({ type: "parallel", states })],
    ["an end", base.createMachine({ initial: "a", states: { a: { type: "final" } } })],
    ["a pattern of events", base.createMachine({ on: { "door.*": { actions: "nothing" } } })],
    ["a guard of guards", base.createMachine({ on: { go: { guard: "both" } } })],
    ["an action that nobody wrote", base.createMachine({ on: { go: { actions: "no" as never } } })],
    [
      "a memory of states",
      base.createMachine({ initial: "a", states: { ...states, h: { type: "history" } } }),
    ],
    [
      "an action of an initial transition",
      base.createMachine({ initial: { target: "a", actions: "nothing" }, states }),
    ],
    [
      "a transition that leaves the root",
      base.createMachine({ initial: "a", states, on: { go: { target: ".a", reenter: true } } }),
    ],
  ])("with %s has none", (_, machine) => {
    expect(tableOf(machine, 64)).toBeNull();
  });
});

/** Moves each machine by table, and beside it a twin by XState, with the same events. */
class Twins implements Stepper {
  readonly #table = createStepper();
  readonly #interpreter = createInterpreter();
  readonly #twins = new WeakMap<RoleSnapshot, RoleSnapshot>();
  /** How often each machine took each event. */
  readonly taken = new Map<string, number>();

  start(machine: AnyStateMachine, input: RoleInput): Step {
    const [step, twin] = [this.#table, this.#interpreter].map((one) => one.start(machine, input));
    return this.#compare(`${machine.id} starts`, step as Step, twin as Step);
  }

  step(machine: AnyStateMachine, snapshot: RoleSnapshot, event: AnyEventObject): Step {
    const what = `${machine.id} ${event.type}`;
    this.taken.set(what, (this.taken.get(what) ?? 0) + 1);
    const before = this.#twins.get(snapshot) as RoleSnapshot;
    const twin = this.#interpreter.step(machine, before, event);
    return this.#compare(what, this.#table.step(machine, snapshot, event), twin);
  }

  #compare(what: string, step: Step, twin: Step): Step {
    this.#twins.set(step.snapshot, twin.snapshot);
    expect(step.snapshot.value, what).toEqual(twin.snapshot.value);
    expect(step.snapshot.tags, what).toEqual(twin.snapshot.tags);
    expect(step.taken, what).toEqual(twin.taken);
    if (!isDeepStrictEqual(step.effects, twin.effects)) {
      expect(step.effects, what).toEqual(twin.effects);
    }
    if (!isDeepStrictEqual(step.snapshot.context, twin.snapshot.context)) {
      expect(step.snapshot.context, what).toEqual(twin.snapshot.context);
    }
    return step;
  }
}

describe("a run with faults", () => {
  const twins = new Twins();
  const parts = { createStepper: () => twins };

  it.each([3, 2073, 2080, 2099])("is the same either way: seed %i", (seed) => {
    expect(runPlan(drawPlan(seed), { parts }).violation).toBeNull();
  });

  it("has moved every role by many events", () => {
    for (const { machine } of Object.values(roles)) {
      const kinds = [...twins.taken.keys()].filter((what) => what.startsWith(`${machine.id} `));
      expect(kinds.length, machine.id).toBeGreaterThan(3);
    }
  });
});
