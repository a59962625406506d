/** `synod explore`: every state of a small world of the real machines, and what holds in all. */
import type { Command } from "commander";
import { roles } from "../../actors/index.js";
import type { Broken } from "../sim/broken/broken.js";
import { BROKEN } from "../sim/broken/index.js";
import { Exploration } from "../sim/explore/exploration.js";
import { PROPERTIES } from "../sim/explore/properties.js";
import { SIGHTS, type SightName } from "../sim/explore/sights.js";
import { tell } from "../sim/explore/story.js";
import { readable } from "../sim/explore/words.js";
import type { World } from "../sim/explore/world.js";
import { WORLDS } from "../sim/explore/worlds.js";
import { closest } from "../worker/closest.js";
import { EXIT } from "../worker/exit.js";
import { usage } from "./failure.js";
import { wholeNumber } from "./format.js";
import { output } from "./output.js";
import { Bar } from "./progress.js";
import { duration, result, resultRows, styled, table } from "./terminal.js";

interface ExploreFlags {
  readonly world?: string;
  readonly statesMax?: string;
  readonly broken?: string;
  readonly property?: string;
  readonly everyStep?: boolean;
  readonly json?: boolean;
}

/** What one search came to. */
interface Outcome {
  readonly exploration: Exploration;
  readonly ms: number;
}

/** States between two looks at the clock. */
const STATES_A_TURN = 2048;

const examples = `
Everything that machines and network may do in a small world: loss, delay, reordering and
duplication of every message, crashes at every point. What must always hold is asked in every
state; what must be seen sometimes is listed, and missing it fails the run.

Examples:
  synod explore --world list                    the worlds there are
  synod explore --world decide-2              every state of one
  synod explore --world all                     of all of them: some minutes
  synod explore --broken highest-vote-ignored   the shortest way to what goes wrong
  synod explore --broken list`;

/** Adds the command. */
export function addExplore(program: Command): void {
  program
    .command("explore")
    .description("exhaust a small world of the real machines")
    .option("--world <name>", "the world; all, list (default: decide-2)")
    .option("--states-max <n>", "stop after so many states")
    .option("--broken <name>", "with something broken on purpose; list")
    .option("--property <name>", "ask this property alone; list")
    .option("--every-step", "keep the states between silent steps too (always with --broken)")
    .option("--json", "print one JSON object a line")
    .addHelpText("after", examples)
    .action(explore);
}

async function explore(flags: ExploreFlags): Promise<void> {
  const { json } = flags;
  if (flags.world === "list") resultRows(WORLDS, json);
  else if (flags.broken === "list") {
    resultRows(
      BROKEN.filter(({ world }) => world !== undefined),
      json,
    );
  } else if (flags.property === "list") {
    for (const name of PROPERTIES) result(json === true ? JSON.stringify({ name }) : name);
  } else await search(flags);
}

async function search(flags: ExploreFlags): Promise<void> {
  const broken = flags.broken === undefined ? null : findBroken(flags.broken);
  const properties = flags.property === undefined ? PROPERTIES : [findProperty(flags.property)];
  const worlds = findWorlds(flags.world ?? broken?.world ?? "decide-2");
  for (const [index, world] of worlds.entries()) {
    if (index > 0 && flags.json !== true) result("");
    // The fewest steps to something broken are told only if every step counts.
    const everyStep = flags.everyStep === true || broken !== null;
    const statesMax = readStatesMax(flags) ?? (everyStep ? null : world.statesMax);
    const exploration = new Exploration({ world, roles, broken, properties, everyStep, statesMax });
    const outcome = run(exploration, statesMax ?? (everyStep ? null : world.states));
    if (flags.json === true) result(JSON.stringify(toJson(outcome, broken)));
    else print(outcome, broken);
    const isVacuous = broken === null && exploration.missed.length > 0;
    if (exploration.found !== null || isVacuous) process.exitCode = EXIT.failed;
    if (exploration.found !== null) return;
    await output.flush();
  }
}

function readStatesMax({ statesMax }: ExploreFlags): number | null {
  if (statesMax === undefined) return null;
  return wholeNumber(statesMax, "--states-max", 1, 1_000_000_000);
}

/** Searches to the end. @param expected how many states there will be, if that is known */
function run(exploration: Exploration, expected: number | null): Outcome {
  const bar = new Bar();
  const startMs = performance.now();
  const { name } = exploration.world;
  while (!exploration.advance(STATES_A_TURN)) {
    const { states, depth } = exploration;
    const count = `${name}: ${states.toLocaleString("en")} states, depth ${depth}`;
    bar.draw(expected === null ? null : states / expected, count);
  }
  bar.clear();
  return { exploration, ms: performance.now() - startMs };
}

function print({ exploration, ms }: Outcome, broken: Broken | null): void {
  const { world, states, transitions, depth, sights, missed, found } = exploration;
  const number = (value: number) => Math.round(value).toLocaleString("en");
  result(`world        ${world.name}: ${world.what}`);
  if (broken !== null) result(`broken       ${broken.name}: ${broken.what}`);
  result(`states       ${number(states)} (${spaceText(exploration)})`);
  result(`depth        ${depth}`);
  result(`transitions  ${number(transitions)}`);
  const rate = number(states / (ms / 1000));
  result(`time         ${duration(ms)}, ${rate} states/s, ${memoryText(exploration)}`);
  if (found === null) {
    result("");
    const rows = sightRows(world, sights);
    for (const line of table([["seen after", "what"], ...rows])) result(line);
    result("");
    if (missed.length === 0) result("no violation");
    else result(styled(process.stdout, "red", `never seen: ${missed.join(", ")}`));
    return;
  }
  const { lines, sentence } = storyOf(exploration);
  result("");
  result(styled(process.stdout, "red", `violated     ${found.property}: ${sentence}`));
  result("");
  result(`The shortest way there has ${lines.length} steps:`);
  lines.forEach((line, index) => {
    result(`${String(index + 1).padStart(3)}. ${line}`);
  });
}

/** What must be seen, and what else was. */
function sightRows(world: World, sights: ReadonlyMap<SightName, number>): string[][] {
  const names = Object.keys(SIGHTS) as SightName[];
  return names
    .filter((name) => sights.has(name) || world.mustSee.includes(name))
    .map((name) => {
      const depth = sights.get(name);
      return [depth === undefined ? "never" : `${depth} steps`, `${name}: ${SIGHTS[name]}`];
    });
}

function spaceText({ isExhausted, found }: Exploration): string {
  if (isExhausted) return "the whole space";
  return found === null ? "not all there are" : "up to the violation";
}

function memoryText({ bytes }: Exploration): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB of tables`;
}

function storyOf(exploration: Exploration): { lines: readonly string[]; sentence: string } {
  const { found, world } = exploration;
  if (found === null) throw new Error("nothing was found");
  const { lines, names } = tell(exploration, found.state, found.stride);
  const sentence = found.sentence((acceptor) => names[acceptor] ?? "an acceptor");
  return { lines, sentence: readable(world, sentence) };
}

function toJson({ exploration, ms }: Outcome, broken: Broken | null): unknown {
  const { world, states, transitions, depth, isExhausted, sights, missed, found } = exploration;
  const story = found === null ? null : storyOf(exploration);
  return {
    world: world.name,
    broken: broken?.name ?? null,
    states,
    transitions,
    depth,
    exhausted: isExhausted,
    ms: Math.round(ms),
    tableBytes: exploration.bytes,
    seen: Object.fromEntries(sights),
    missed,
    violation:
      found === null || story === null
        ? null
        : { property: found.property, sentence: story.sentence, steps: story.lines },
  };
}

function findWorlds(name: string): readonly World[] {
  if (name === "all") return WORLDS;
  return [find(WORLDS, "world", name)];
}

function findBroken(name: string): Broken {
  const broken = find(BROKEN, "broken thing", name);
  if (broken.world === undefined) {
    throw usage(`${name} fits no small world: look for it with synod sim --broken ${name}`);
  }
  return broken;
}

function findProperty(name: string): string {
  return find(
    PROPERTIES.map((property) => ({ name: property })),
    "property",
    name,
  ).name;
}

function find<T extends { readonly name: string }>(
  things: readonly T[],
  kind: string,
  name: string,
): T {
  const found = things.find((thing) => thing.name === name);
  if (found !== undefined) return found;
  const names = things.map((thing) => thing.name);
  const close = closest(name, names);
  const hint = close === undefined ? `known are ${names.join(", ")}` : `did you mean ${close}?`;
  throw usage(`there is no ${kind} ${JSON.stringify(name)}: ${hint}`);
}
