/**
 * Goal: nothing that machines and network can do in a small world breaks a property of the paper.
 * Method: every state of the world is visited, and judged; what must happen somewhere was seen.
 * `npm run explore` does so for the larger worlds, too.
 *
 * The numbers are those of the spaces: a change of a machine, a message or a record changes them,
 * and then says so here.
 */
import { expect, it } from "vitest";
import { roles } from "../../actors/index.js";
import { Exploration } from "../../src/sim/explore/exploration.js";
import { worldOf } from "./searching.js";

/** Searches to the end, and finds nothing. */
function exhaust(name: string, everyStep = false): Exploration {
  const exploration = new Exploration({ world: worldOf(name), roles, everyStep });
  exploration.advance(Number.POSITIVE_INFINITY);
  expect(exploration.found?.sentence(String) ?? null).toBeNull();
  expect(exploration.isExhausted).toBe(true);
  expect(exploration.missed).toEqual([]);
  return exploration;
}

it("two duelling proposers: every state holds, and silent steps show nothing more", () => {
  const every = exhaust("decide-2", true);
  const { states, depth, transitions } = every;
  expect({ states, depth, transitions }).toEqual({
    states: 157_540,
    depth: 27,
    transitions: 1_182_207,
  });
  const kept = exhaust("decide-2");
  expect(kept.states).toBe(28_418);
  expect([...kept.shown()].sort()).toEqual([...every.shown()].sort());
  expect(kept.shown().size).toBe(59);
}, 120_000);

it.each([
  { name: "decide-learner", states: 69_810 },
  { name: "decide-crash", states: 79_865 },
  { name: "log-wrong", states: 195_773 },
  { name: "log-reload", states: 552_087 },
])(
  "every state of $name holds",
  ({ name, states }) => {
    expect(exhaust(name).states).toBe(states);
    expect(worldOf(name).states).toBe(states);
  },
  120_000,
);

it("no rule believes a wrong watermark: it leads to no state that the log has not", () => {
  expect(worldOf("log-wrong").states).toBe(worldOf("log-1").states);
});
