/**
 * Goal: a step is the chart's move and nothing else: exact effects, in order.
 * Method: small machines, each built for one sentence, stepped as the host does.
 */

import { describe, expect, it } from "vitest";
import { type AnyEventObject, assign, cancel, enqueueActions, raise, setup } from "xstate";
import { count, type Effect, effects, NOTHING } from "../../src/kernel/effect.js";
import { createInterpreter, createStepper, type Stepper } from "../../src/kernel/step.js";
import { roleInput } from "../support/steps.js";

interface Memory {
  readonly n: number;
  readonly waitMs: number;
}

type Args = { context: Memory; event: AnyEventObject };

/** Says its name and what the context then was. */
const say = (name: string) =>
  effects(({ context }: Args): Effect[] => [count(`${name}:${context.n}`)]);

/** Every machine below draws from these names. */
const base = setup({
  types: { context: {} as Memory, events: {} as AnyEventObject },
  guards: {
    isBig: ({ context }) => context.n >= 3,
    always: () => true,
  },
  actions: {
    add: assign({ n: ({ context }) => context.n + 1 }),
    drawWait: assign({ waitMs: ({ context }) => context.n * 10 }),
    sayIn: say("in"),
    sayOut: say("out"),
    sayOn: say("on"),
    sayEvent: effects(({ event }: Args): Effect[] => [count(event.type)]),
    nothing: effects(() => NOTHING),
    raiseNow: raise({ type: "raised" }),
    raiseLater: raise({ type: "late" }, { delay: "wait", id: "alarm" }),
    cancelLater: cancel("alarm"),
    enqueue: enqueueActions(({ enqueue }) => {
      enqueue("add");
      enqueue("sayOn");
    }),
  },
  delays: {
    wait: ({ context }) => context.waitMs,
    soon: 5,
  },
});

const context: Memory = { n: 0, waitMs: 7 };
const said = (...reasons: string[]): Effect[] => reasons.map((reason) => count(reason));
const set = (id: string, delayMs: number): Effect => ({
  kind: "setTimer",
  id,
  delayMs,
  event: { type: id },
});
const unset = (id: string): Effect => ({ kind: "cancelTimer", id });

const steppers: [string, () => Stepper][] = [
  ["by table", createStepper],
  ["by XState", createInterpreter],
];

describe.each(steppers)("%s", (_, make) => {
  /** Starts a machine and feeds it events, one step each. */
  function walk(machine: Parameters<Stepper["start"]>[0], ...types: string[]) {
    const stepper = make();
    let step = stepper.start(machine, roleInput());
    for (const type of types) step = stepper.step(machine, step.snapshot, { type });
    const { snapshot, effects, heard } = step;
    return { snapshot, effects, heard, state: snapshot.value, memory: snapshot.context as Memory };
  }

  describe("the start", () => {
    it("runs the entries of every state, outermost first, with the event xstate.init", () => {
      const machine = base.createMachine({
        context,
        entry: "sayIn",
        initial: "outer",
        states: {
          outer: {
            entry: ["add", "sayIn"],
            initial: "inner",
            states: { inner: { entry: ["add", "sayIn", "sayEvent"] } },
          },
        },
      });
      const start = walk(machine);
      expect(start.state).toEqual({ outer: "inner" });
      expect(start.effects).toEqual(said("in:0", "in:1", "in:2", "xstate.init"));
    });

    it("gives the input to the context factory, which runs once", () => {
      let calls = 0;
      const machine = setup({
        types: { context: {} as { seed: number }, input: {} as { seed: number } },
      }).createMachine({
        context: ({ input }) => {
          calls++;
          return { seed: input.seed };
        },
        on: { go: {} },
      });
      const stepper = make();
      const { snapshot } = stepper.start(machine, roleInput({ seed: 42 }));
      stepper.step(machine, snapshot, { type: "go" });
      expect(snapshot.context).toEqual({ seed: 42 });
      expect(calls).toBe(1);
    });

    it("throws what the context factory threw", () => {
      const machine = setup({}).createMachine({
        context: () => {
          throw new Error("a bad disk");
        },
      });
      expect(() => make().start(machine, roleInput())).toThrow("a bad disk");
    });
  });

  describe("a transition", () => {
    const machine = base.createMachine({
      context,
      initial: "a",
      states: {
        a: { exit: "sayOut", on: { go: { target: "b", actions: ["add", "sayOn"] } } },
        b: { entry: ["add", "sayIn"], initial: "c", states: { c: { entry: "sayEvent" } } },
      },
    });

    it("collects exit, transition and entry in this order; each sees the assigns before it", () => {
      const after = walk(machine, "go");
      expect(after.state).toEqual({ b: "c" });
      expect(after.effects).toEqual(said("out:0", "on:1", "in:2", "go"));
    });

    it("begins with nothing of the step before", () => {
      expect(walk(machine, "go", "nobody").effects).toEqual([]);
    });

    it("may have no effects", () => {
      const quiet = base.createMachine({ context, on: { go: { actions: "nothing" } } });
      expect(walk(quiet, "go")).toMatchObject({ effects: [], heard: true });
    });

    it("knows the machine of provide(): a negative control replaces one name", () => {
      const lying = machine.provide({
        actions: { sayOn: effects(() => said("a lie")) as () => void },
      });
      expect(walk(lying, "go").effects).toEqual(said("out:0", "a lie", "in:2", "go"));
      expect(walk(machine, "go").effects).toEqual(said("out:0", "on:1", "in:2", "go"));
    });

    it("takes no snapshot of another machine, which would move by the other's rules", () => {
      const stepper = make();
      const { snapshot } = stepper.start(machine, roleInput());
      const other = machine.provide({});
      expect(() => stepper.step(other, snapshot, { type: "go" })).toThrow("another machine");
    });

    it("runs what enqueueActions enqueues", () => {
      const enqueues = base.createMachine({ context, on: { go: { actions: "enqueue" } } });
      expect(walk(enqueues, "go").effects).toEqual(said("on:1"));
    });
  });

  describe("always", () => {
    const machine = base.createMachine({
      context,
      initial: "small",
      on: { add: { actions: "add" } },
      states: {
        small: { exit: "sayOut", always: { guard: "isBig", target: "big", actions: "sayOn" } },
        big: { entry: "sayIn" },
      },
    });

    it("is taken in the same step, when its guard says yes", () => {
      expect(walk(machine, "add", "add")).toMatchObject({ state: "small", effects: [] });
      const big = walk(machine, "add", "add", "add");
      expect(big.state).toBe("big");
      expect(big.effects).toEqual(said("out:3", "on:3", "in:3"));
    });

    it("is taken at the start, too", () => {
      const grown = machine.provide({ guards: { isBig: () => true } });
      expect(walk(grown)).toMatchObject({ state: "big", effects: said("out:0", "on:0", "in:0") });
    });

    it("without end is stopped, at the start and in a step", () => {
      const endless = base.createMachine({
        context,
        initial: "calm",
        states: {
          calm: { on: { go: "a" } },
          a: { always: { guard: "always", target: "b" } },
          b: { always: { guard: "always", target: "a" } },
        },
      });
      expect(() => walk(endless, "go")).toThrow("Infinite loop");
      const atOnce = base.createMachine({
        context,
        initial: "a",
        states: {
          a: { always: { guard: "always", target: "b" } },
          b: { always: { guard: "always", target: "a" } },
        },
      });
      expect(() => walk(atOnce)).toThrow("Infinite loop");
    });
  });

  describe("after", () => {
    const machine = base.createMachine({
      id: "m",
      context,
      initial: "calm",
      states: {
        calm: { on: { go: "waiting" } },
        waiting: {
          entry: ["add", "drawWait"],
          after: { wait: "calm" },
          on: { stay: "waiting", again: { target: "waiting", reenter: true } },
        },
      },
    });
    const id = "xstate.after.wait.m.waiting";

    it("sets a timer by a delay that reads what the entry drew", () => {
      expect(walk(machine, "go").effects).toEqual([set(id, 10)]);
    });

    it("cancels the timer when the state is left", () => {
      const left = walk(machine, "go", id);
      expect(left).toMatchObject({ state: "calm", effects: [unset(id)], heard: true });
    });

    it("keeps the timer on a transition to itself, and sets it anew with reenter", () => {
      expect(walk(machine, "go", "stay")).toMatchObject({ effects: [], heard: true });
      expect(walk(machine, "go", "again").effects).toEqual([unset(id), set(id, 20)]);
    });

    it("cancels before it sets, in a change from one waiting state to another", () => {
      const two = base.createMachine({
        id: "m",
        context,
        initial: "a",
        states: {
          a: { after: { soon: "b" } },
          b: { after: { wait: "a" } },
        },
      });
      const [a, b] = ["xstate.after.soon.m.a", "xstate.after.wait.m.b"];
      expect(walk(two).effects).toEqual([set(a, 5)]);
      expect(walk(two, a).effects).toEqual([unset(a), set(b, 7)]);
    });

    it("fires an unheard event when its state is not active", () => {
      expect(walk(machine, id)).toMatchObject({ state: "calm", effects: [], heard: false });
    });
  });

  describe("raise", () => {
    it("at once is taken in the same step", () => {
      const machine = base.createMachine({
        context,
        on: { go: { actions: ["raiseNow", "sayOn"] }, raised: { actions: ["add", "sayEvent"] } },
      });
      const after = walk(machine, "go");
      expect(after.effects).toEqual(said("on:0", "raised"));
      expect(after.memory.n).toBe(1);
    });

    it("later is a timer under its id, and cancel cancels it", () => {
      const machine = base.createMachine({
        context,
        on: { go: { actions: "raiseLater" }, stop: { actions: "cancelLater" } },
      });
      const event = { type: "late" };
      expect(walk(machine, "go").effects).toEqual([
        { kind: "setTimer", id: "alarm", delayMs: 7, event },
      ]);
      expect(walk(machine, "go", "stop").effects).toEqual([unset("alarm")]);
    });
  });

  describe("heard", () => {
    const machine = base.createMachine({
      context,
      initial: "a",
      on: { known: { actions: "sayOn" }, late: {}, "timer.*": { actions: "sayEvent" } },
      states: {
        a: { on: { guarded: { guard: "isBig", actions: "sayOn" } } },
      },
    });

    it.each([
      ["known", true, ["on:0"]],
      ["late", true, []],
      ["timer.retry", true, ["timer.retry"]],
      ["guarded", false, []],
      ["unknown", false, []],
    ])("%s: %s", (type, heard, reasons) => {
      const step = walk(machine, type);
      expect(step.heard).toBe(heard);
      expect(step.effects).toEqual(said(...reasons));
    });

    it("an unheard event stays unheard when a change of bulk data lets an always go on", () => {
      const data = { ready: false };
      const waits = base.createMachine({
        context,
        initial: "a",
        states: { a: { always: { guard: "isBig", target: "b" } }, b: {} },
      });
      const machine = waits.provide({ guards: { isBig: () => data.ready } });
      const stepper = make();
      const { snapshot } = stepper.start(machine, roleInput());
      data.ready = true;
      const step = stepper.step(machine, snapshot, { type: "unknown" });
      expect(step.snapshot.value).toBe("b");
      expect(step.heard).toBe(false);
    });
  });

  describe("taken", () => {
    const machine = base.createMachine({
      context,
      initial: "a",
      on: { known: { actions: "sayOn" }, late: {}, out: ".b.inner" },
      states: {
        a: { on: { go: { target: "passing", actions: "sayOn" } }, after: { 5: "b" } },
        passing: { always: { target: "b", actions: "sayOn" } },
        b: { initial: "first", states: { first: {}, inner: { on: { again: "inner" } } } },
      },
    });
    const after = "xstate.after.5.(machine).a";

    it.each<[string[], { from: string; event: string; to: string[] }[]]>([
      [[], []],
      [["unknown"], []],
      [["known"], [{ from: "", event: "known", to: [] }]],
      [["late"], [{ from: "", event: "late", to: [] }]],
      [["out"], [{ from: "", event: "out", to: ["b.inner"] }]],
      [["out", "again"], [{ from: "b.inner", event: "again", to: ["b.inner"] }]],
      [[after], [{ from: "a", event: after, to: ["b"] }]],
      [
        ["go"],
        [
          { from: "a", event: "go", to: ["passing"] },
          { from: "passing", event: "", to: ["b"] },
        ],
      ],
    ])("%s: the last step's transitions, by state, event and target", (types, taken) => {
      const stepper = make();
      let step = stepper.start(machine, roleInput());
      for (const type of types) step = stepper.step(machine, step.snapshot, { type });
      expect(step.taken).toEqual(taken);
    });

    it("is that of its own step, however late it is read", () => {
      const stepper = make();
      const start = stepper.start(machine, roleInput());
      const known = stepper.step(machine, start.snapshot, { type: "known" });
      const out = stepper.step(machine, known.snapshot, { type: "out" });
      expect([start, known, out].map(({ taken }) => taken.map(({ event }) => event))).toEqual([
        [],
        ["known"],
        ["out"],
      ]);
    });
  });
});
