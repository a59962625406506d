/**
 * Goal: nothing that machines and network can do in a small world breaks a property of the paper.
 * Method: every state of the world is visited, and judged; what must happen somewhere was seen.
 *
 * The numbers are those of the spaces: a change of a machine, a message or a record changes them,
 * and then says so here.
 */
import { expect, it } from "vitest";
import { roles } from "../../actors/index.js";
import { Exploration } from "../../src/sim/explore/exploration.js";
import { worldOf } from "./searching.js";

it.each([{ name: "decide-2-1", states: 157_540, depth: 27 }])(
  "every state of $name holds",
  ({ name, states, depth }) => {
    const world = worldOf(name);
    const exploration = new Exploration({ world, roles });
    exploration.advance(Number.POSITIVE_INFINITY);
    expect(exploration.found?.sentence(String) ?? null).toBeNull();
    expect(exploration.isExhausted).toBe(true);
    expect(exploration.missed).toEqual([]);
    expect({ states: exploration.states, depth: exploration.depth }).toEqual({ states, depth });
    expect(exploration.states).toBe(world.states);
  },
);
