/**
 * Goal: a step that cannot be right throws, and leaves no trace in the next one.
 * Method: one machine, one event for each way to fail; after each, a fresh start and a step whose
 * exact effects are known.
 */

import { describe, expect, it } from "vitest";
import { type AnyEventObject, assign, emit, log, raise, setup } from "xstate";
import { count, type Effect, effects } from "../../src/kernel/effect.js";
import { createInterpreter, createStepper, type Stepper } from "../../src/kernel/step.js";
import { roleInput } from "../support/steps.js";

interface Memory {
  readonly n: number;
}

const said = (...reasons: string[]): Effect[] => reasons.map((reason) => count(reason));

const base = setup({
  types: { context: {} as Memory, events: {} as AnyEventObject },
  guards: {
    refuse: () => {
      throw new Error("the guard threw");
    },
  },
  actions: {
    add: assign({ n: ({ context }) => context.n + 1 }),
    sayOn: effects(({ context }: { context: Memory }) => said(`on:${context.n}`)),
    sayOut: effects(() => said("out")),
    explode: effects(() => {
      throw new Error("the action threw");
    }),
    explodeAssign: assign(() => {
      throw new Error("the assign threw");
    }),
    wrong: (() => "no list") as () => void,
    silent: () => undefined,
    missing: undefined as unknown as () => void,
    raiseNow: raise({ type: "raised" }),
    raiseNameless: raise({ type: "late" }, { delay: "soon" }),
    logIt: log("words"),
    emitIt: emit({ type: "out" }),
  },
  delays: { soon: 5, never: undefined as unknown as number },
});

const context: Memory = { n: 0 };

const steppers: [string, () => Stepper][] = [
  ["by table", createStepper],
  ["by XState", createInterpreter],
];

describe.each(steppers)("%s", (_, make) => {
  describe("a step that throws", () => {
    const machine = base.createMachine({
      context,
      initial: "a",
      on: {
        guard: { guard: "refuse", actions: "sayOn" },
        action: { actions: ["sayOn", "explode"] },
        assign: { actions: ["sayOn", "explodeAssign"] },
        deep: { actions: ["sayOn", "raiseNow"] },
        raised: { actions: ["sayOn", "explode"] },
        wrong: { actions: "wrong" },
        silent: { actions: "silent" },
        missing: { actions: "missing" },
        nameless: { actions: "raiseNameless" },
        wait: ".waiting",
        log: { actions: "logIt" },
        emit: { actions: "emitIt" },
        fine: { target: ".b", actions: ["add", "sayOn"] },
      },
      states: { a: { exit: "sayOut" }, b: {}, waiting: { after: { never: "b" } } },
    });

    it.each([
      ["guard", "the guard threw"],
      ["action", "the action threw"],
      ["assign", "the assign threw"],
      ["deep", "the action threw"],
      ["missing", "missing is not implemented"],
      ["wrong", "wrong did not return effects"],
      ["silent", "silent did not return effects"],
      // XState would give it an id at random: nobody could cancel it.
      ["nameless", "needs an id"],
      // XState would fire it at once.
      ["wait", "its delay is undefined"],
      ["log", "xstate.log has no effect as data"],
      ["emit", "xstate.emit has no effect as data"],
    ])("for %s says so, and nothing leaks into the next one", (type, message) => {
      const stepper = make();
      const { snapshot } = stepper.start(machine, roleInput());
      expect(() => stepper.step(machine, snapshot, { type })).toThrow(message);
      const fresh = stepper.start(machine, roleInput());
      expect(fresh.effects).toEqual([]);
      const next = stepper.step(machine, fresh.snapshot, { type: "fine" });
      expect(next.effects).toEqual(said("out", "on:1"));
      expect(next.heard).toBe(true);
    });

    it("is what a step of a machine that is not active does", () => {
      const ends = base.createMachine({
        context,
        initial: "a",
        states: { a: { on: { go: "z" } }, z: { type: "final" } },
      });
      const stepper = make();
      const started = stepper.start(ends, roleInput());
      const done = stepper.step(ends, started.snapshot, { type: "go" });
      expect(done.snapshot.status).toBe("done");
      expect(() => stepper.step(ends, done.snapshot, { type: "go" })).toThrow("is done");
    });

    it("is what a step inside a step does, and the next one works", () => {
      const stepper = make();
      const inside = machine.provide({
        actions: {
          sayOn: effects(() => stepper.start(machine, roleInput()).effects) as () => void,
        },
      });
      const { snapshot } = stepper.start(inside, roleInput());
      expect(() => stepper.step(inside, snapshot, { type: "fine" })).toThrow("inside a step");
      expect(stepper.start(machine, roleInput()).effects).toEqual([]);
    });

    it("is what a start does whose entry throws, and the next start is clean", () => {
      const bad = base.createMachine({ context, entry: ["sayOn", "explode"] });
      const good = base.createMachine({ context, entry: "sayOn" });
      const stepper = make();
      expect(() => stepper.start(bad, roleInput())).toThrow("the action threw");
      expect(stepper.start(good, roleInput()).effects).toEqual(said("on:0"));
    });
  });
});
