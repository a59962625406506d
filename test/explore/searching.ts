/** What tests of the explorer share. */
import { roles } from "../../actors/index.js";
import { BROKEN } from "../../src/sim/broken/index.js";
import { Exploration } from "../../src/sim/explore/exploration.js";
import { tell } from "../../src/sim/explore/story.js";
import { readable } from "../../src/sim/explore/words.js";
import type { World } from "../../src/sim/explore/world.js";
import { WORLDS } from "../../src/sim/explore/worlds.js";

/** The world of a name. */
export function worldOf(name: string): World {
  const world = WORLDS.find((one) => one.name === name);
  if (world === undefined) throw new Error(`there is no world ${name}`);
  return world;
}

/** Looks for what a broken thing does. @returns the shortest way to it */
export function lookFor(name: string, property?: string, where?: string) {
  const broken = BROKEN.find((one) => one.name === name);
  if (broken?.world === undefined) throw new Error(`${name} fits no small world`);
  const world = worldOf(where ?? broken.world);
  const properties = property === undefined ? {} : { properties: [property] };
  const exploration = new Exploration({ world, roles, broken, everyStep: true, ...properties });
  exploration.advance(Number.POSITIVE_INFINITY);
  const { found, states } = exploration;
  if (found === null) return null;
  const { lines, names } = tell(exploration, found.state, found.stride);
  const sentence = readable(
    exploration.world,
    found.sentence((place) => names[place] ?? ""),
  );
  return { property: found.property, states, steps: lines.length, lines, sentence };
}
