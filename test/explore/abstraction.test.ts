/**
 * Goal: the model forgets nothing that matters. What it leaves out of a state (`live.ts`), what it
 * shares between acceptors, and which states it takes for one must not change what can happen.
 * Method: real machines with all of their memory walk beside the model; and a state must lead to
 * the same states as its one form does.
 */
import { expect, it } from "vitest";
import { roles } from "../../actors/index.js";
import { draw } from "../../src/paxos/consensus/backoff.js";
import { Model } from "../../src/sim/explore/model.js";
import { namesOf } from "../../src/sim/explore/sights.js";
import { type Stride, Strides } from "../../src/sim/explore/strides.js";
import { WORLDS } from "../../src/sim/explore/worlds.js";
import { Beside } from "./beside.js";
import { worldOf } from "./searching.js";

const WALKS = 12;
const STEPS = 120;

const names = WORLDS.map(({ name }) => name);

/** Draws from a list, with a seed that goes on. */
class Dice {
  #seed = 7;

  roll(sides: number): number {
    const drawn = draw(this.#seed);
    this.#seed = drawn.seed;
    return Math.floor(drawn.value * sides);
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[this.roll(items.length)];
  }
}

it.each(names)("real machines go where the model goes: %s", (name) => {
  const dice = new Dice();
  let seen = 0;
  for (let walk = 0; walk < WALKS; walk++) {
    const beside = new Beside(worldOf(name));
    for (let step = 0; step < STEPS; step++) {
      const options = beside.options();
      let option = dice.pick(options);
      // Mostly something new; a repeat or a late letter now and then.
      for (let tries = dice.roll(16); tries > 0; tries--) {
        if (option === undefined || beside.isNews(option)) break;
        option = dice.pick(options);
      }
      if (option !== undefined) beside.take(option);
    }
    seen |= beside.sights;
  }
  // A world of full disks has one proposer, which nobody refuses.
  const walked = ["duplicate-delivered", worldOf(name).fullsMax > 0 ? "sync-lost" : "preempted"];
  expect(namesOf(seen)).toEqual(expect.arrayContaining(walked));
});

it.each(names)("a state leads where its one form leads: %s", (name) => {
  const dice = new Dice();
  let renamed = 0;
  for (let walk = 0; walk < WALKS; walk++) {
    const model = new Model(worldOf(name), roles, null, new Set());
    const strides = new Strides(model, dice.roll(2) === 0);
    const state = new Int32Array(model.acceptors + 1);
    const form = new Int32Array(model.acceptors + 1);
    model.first(state);
    for (let step = 0; step < STEPS / 4; step++) {
      model.canonical(state, form);
      if (form.join() !== state.join()) renamed++;
      const nexts = nextsOf(model, strides, state);
      expect(formsOf(model, nexts)).toEqual(formsOf(model, nextsOf(model, strides, form)));
      const next = dice.pick(nexts);
      if (next !== undefined) state.set(next);
    }
  }
  expect(renamed).toBeGreaterThan(WALKS);
});

/** The states that a state leads to, other than itself. */
function nextsOf(model: Model, strides: Strides, state: Int32Array): Int32Array[] {
  const nexts: Int32Array[] = [];
  const visit = ({ mover, rest, acceptor }: Stride) => {
    const next = state.slice();
    next[0] = rest;
    if (mover < model.acceptors) next[mover + 1] = acceptor;
    if (next.join() !== state.join()) nexts.push(next);
  };
  strides.from(state, { visit, see: () => {} });
  return nexts;
}

function formsOf(model: Model, states: readonly Int32Array[]): string[] {
  const forms = states.map((state) => {
    const form = new Int32Array(state.length);
    model.canonical(state, form);
    return form.join();
  });
  return [...new Set(forms)].sort();
}
