/**
 * Goal: every chart keeps to the idiom of actors/README.md, so that its picture says all there is.
 * Method: each rule is a pure function over configuration and names, run over every registered
 * role, and over a chart with one planted violation and its clean twin.
 */
import { describe, expect, it } from "vitest";
import { roles } from "../../actors/index.js";
import {
  type ChartState,
  isAround,
  leavesOf,
  namesOf,
  readChart,
  statesOf,
} from "../../src/charts/ir.js";
import { chartConfig } from "../../src/charts/json.js";
import { isOutOfPlace, type RoleDefinition } from "../../src/kernel/role.js";
import { hearingsOf } from "../../src/paxos/wire/verbs.js";

/** More states than this, and a chart does not fit a screen. */
const STATES_MAX = 12;

type Implemented = Readonly<Record<"actions" | "guards" | "delays" | "actors", readonly string[]>>;

/** A chart as its author wrote it. */
interface Plan {
  readonly config: object;
  readonly implemented: Implemented;
}

/** What is wrong with a plan, a sentence each. */
type Rule = (plan: Plan) => readonly string[];

/** The configuration is JSON: no function in it, and nothing lost by writing it down. */
const namesOnly: Rule = ({ config }) => {
  const functions: string[] = [];
  const look = (value: unknown, path: string): void => {
    if (typeof value === "function") functions.push(`${path} is a function`);
    if (typeof value !== "object" || value === null) return;
    for (const [name, inner] of Object.entries(value)) look(inner, `${path}.${name}`);
  };
  look(config, "config");
  if (functions.length > 0) return functions;
  const written = JSON.parse(JSON.stringify(config)) as unknown;
  return sameData(config, written) ? [] : ["config does not survive JSON"];
};

/** Every name used is implemented, and every one implemented is used. */
const namesMatch: Rule = ({ config, implemented }) => {
  const used: Implemented = { ...namesOf(readChart(config)), actors: [] };
  return (["actions", "guards", "delays", "actors"] as const).flatMap((kind) => [
    ...used[kind]
      .filter((name) => !implemented[kind].includes(name))
      .map((name) => `${kind}: ${name} is not implemented`),
    ...implemented[kind]
      .filter((name) => !used[kind].includes(name))
      .map((name) => `${kind}: ${name} is never used`),
  ]);
};

/** Every transition and every `initial` leads to a state that there is. */
const targetsExist: Rule = ({ config }) => {
  const states = statesOf(readChart(config));
  const paths = new Set(states.map(({ path }) => path));
  return states.flatMap(({ path, initial, transitions }) =>
    [initial, ...transitions.map(({ to }) => to)]
      .filter((to) => to !== null && !paths.has(to))
      .map((to) => `${path || "the chart"} leads to ${to}, which is no state`),
  );
};

/** The chart and each of its states say why they exist. */
const statesAreDescribed: Rule = ({ config }) =>
  statesOf(readChart(config))
    .filter(({ description }) => description.trim() === "")
    .map(({ path }) => `${path || "the chart"} has no description`);

/** A chart has at most a dozen states to be in. */
const fitsAScreen: Rule = ({ config }) => {
  const count = leavesOf(readChart(config)).length;
  return count <= STATES_MAX ? [] : [`${count} states; at most ${STATES_MAX}`];
};

/** Every state can be reached from the first one, if the guards allow. */
const statesAreReached: Rule = ({ config }) => {
  const states = statesOf(readChart(config));
  const reached = reachedFrom(states);
  return states.filter(({ path }) => !reached.has(path)).map(({ path }) => `${path}: unreachable`);
};

/** What is always taken would make its state one that nobody is ever in. */
const alwaysIsGuarded: Rule = ({ config }) =>
  statesOf(readChart(config))
    .flatMap((state) => state.transitions)
    .filter(({ trigger, guard }) => trigger.kind === "always" && guard === null)
    .map(({ from }) => `${from}: an always without a guard`);

/** A delay is a name, so that it has a unit and a limit where it is implemented. */
const delaysAreNamed: Rule = ({ config }) =>
  namesOf(readChart(config))
    .delays.filter((delay) => !/^[a-z]\w*$/i.test(delay))
    .map((delay) => `after ${delay}: not a name`);

/** Paths of the states that are active at some time, if every guard may say yes. */
function reachedFrom(states: readonly ChartState[]): ReadonlySet<string> {
  const byPath = new Map(states.map((state) => [state.path, state]));
  const active = new Set<string>();
  const entered = new Set<string>();
  const activate = (path: string): void => {
    if (active.has(path)) return;
    active.add(path);
    for (const { to } of byPath.get(path)?.transitions ?? []) if (to !== null) enter(to);
  };
  const enter = (path: string): void => {
    const state = byPath.get(path);
    if (state === undefined || entered.has(path)) return;
    entered.add(path);
    activate(path);
    for (const around of states.filter((one) => isAround(one.path, path))) {
      activate(around.path);
      if (around.kind === "parallel") for (const inner of around.states) enter(inner.path);
    }
    if (state.initial !== null) enter(state.initial);
    if (state.kind === "parallel") for (const inner of state.states) enter(inner.path);
  };
  enter("");
  return active;
}

/** Whether two values are the same data, absent fields and undefined ones apart. */
function sameData(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  const [left, right] = [Object.entries(a), Object.entries(b)];
  if (Array.isArray(a) !== Array.isArray(b) || left.length !== right.length) return false;
  return left.every(([name, inner]) => sameData(inner, (b as Record<string, unknown>)[name]));
}

const clean = {
  description: "A chart.",
  initial: "a",
  states: {
    a: {
      description: "The first.",
      entry: "greet",
      on: { go: { guard: "mayGo", target: "b", actions: ["note"] }, late: {} },
      always: { guard: "mustGo", target: "b" },
    },
    b: { description: "The last.", after: { pause: "a" }, on: { stay: { reenter: true } } },
  },
};
const names: Implemented = {
  actions: ["greet", "note"],
  guards: ["mayGo", "mustGo"],
  delays: ["pause"],
  actors: [],
};
const nested = {
  initial: "a",
  states: {
    a: { on: { in: "box.second" } },
    box: { initial: "first", states: { first: {}, second: { on: { out: "#end" } } } },
    z: { id: "end" },
  },
};

interface Case {
  readonly name: string;
  readonly rule: Rule;
  /** Plans that break the rule once each; what is absent is that of the clean plan. */
  readonly bad: readonly Partial<Plan>[];
  readonly good?: readonly Partial<Plan>[];
}

/** The clean chart with its states replaced by these, or with these added. */
const withStates = (states: object) => ({ config: { ...clean, states } });
const withA = (a: object) => withStates({ ...clean.states, a: { ...clean.states.a, ...a } });

const cases: readonly Case[] = [
  {
    name: "holds names only",
    rule: namesOnly,
    bad: [
      withA({ entry: () => {} }),
      withA({ on: { go: { guard: () => true } } }),
      withA({ on: { go: { actions: [() => {}] } } }),
      { config: { ...clean, context: () => ({}) } },
      withA({ tags: undefined }),
      withA({ meta: { since: new Date(0) } }),
      withA({ meta: { limit: Number.POSITIVE_INFINITY } }),
    ],
  },
  {
    name: "uses every name it implements, and implements every name it uses",
    rule: namesMatch,
    bad: [
      { implemented: { ...names, actions: ["greet"] } },
      { implemented: { ...names, guards: ["mayGo"] } },
      { implemented: { ...names, delays: [] } },
      { implemented: { ...names, actions: [...names.actions, "idle"] } },
      { implemented: { ...names, guards: [...names.guards, "idle"] } },
      { implemented: { ...names, delays: ["pause", "idle"] } },
      { implemented: { ...names, actors: ["child"] } },
      withA({ entry: "greeet", exit: "greet" }),
    ],
    good: [withA({ entry: [], exit: "greet" }), withA({ entry: [{ type: "greet" }] })],
  },
  {
    name: "leads to states that there are",
    rule: targetsExist,
    bad: [
      withA({ on: { go: "c" } }),
      withA({ on: { go: ".b" } }),
      withA({ on: { go: "#b" } }),
      withA({ after: { pause: [{ target: "b" }, { target: "c" }] } }),
      { config: { ...clean, initial: "c" } },
    ],
    good: [{ config: nested }, { config: { ...clean, on: { go: ".b" } } }],
  },
  {
    name: "says why each state exists",
    rule: statesAreDescribed,
    bad: [withA({ description: "" }), { config: { ...clean, description: undefined } }],
  },
  {
    name: `has at most ${STATES_MAX} states`,
    rule: fitsAScreen,
    bad: [withStates(someStates(STATES_MAX + 1))],
    good: [
      withStates(someStates(STATES_MAX)),
      withStates({ a: { initial: "s1", states: someStates(STATES_MAX) } }),
    ],
  },
  {
    name: "reaches every state",
    rule: statesAreReached,
    bad: [
      withStates({ ...clean.states, c: {} }),
      withStates({ ...clean.states, c: { on: { go: "c" } } }),
      withStates({ ...clean.states, c: { on: { go: "a" } } }),
      { config: nested, implemented: names },
    ],
    good: [
      withStates({ a: { on: { go: "b" } }, b: { initial: "c", states: { c: {} } } }),
      withStates({ a: { on: { go: "b" } }, b: { type: "parallel", states: { c: {}, d: {} } } }),
      { config: { ...clean, on: { go: ".c" }, states: { ...clean.states, c: {} } } },
    ],
  },
  {
    name: "guards what is always asked",
    rule: alwaysIsGuarded,
    bad: [
      withA({ always: "b" }),
      withA({ always: { target: "b" } }),
      withA({ always: [{ guard: "mustGo", target: "b" }, { target: "b" }] }),
    ],
  },
  {
    name: "names its delays",
    rule: delaysAreNamed,
    bad: [withA({ after: { 1000: "b" } })],
  },
];

describe.each(cases)("a chart $name", ({ rule, bad, good = [] }) => {
  it.each(Object.values(roles).map((role) => [role.name, role] as const))("%s", (_, role) => {
    const { implementations } = role.machine;
    const implemented = {
      actions: Object.keys(implementations.actions),
      guards: Object.keys(implementations.guards),
      delays: Object.keys(implementations.delays),
      actors: Object.keys(implementations.actors),
    };
    expect(rule({ config: chartConfig(role.machine), implemented })).toEqual([]);
  });

  it.each(bad.map(titled))("caught: %s", (_, plan) => {
    expect(rule(plan)).toHaveLength(1);
  });

  it.each([{}, ...good].map(titled))("fine: %s", (_, plan) => {
    expect(rule(plan)).toEqual([]);
  });
});

it("the registry lists every role under its own name", () => {
  for (const [name, role] of Object.entries(roles)) expect(role.name).toBe(name);
});

describe("what a role receives", () => {
  const unnamed = (role: RoleDefinition, receives = hearingsOf(role.name)) =>
    receives.map(({ verb }) => verb).filter((verb) => isOutOfPlace(role, verb));

  it.each(Object.values(roles).map((role) => [role.name, role] as const))(
    "is named by the chart of the %s: it is never counted as unheard",
    (_, role) => expect(unnamed(role)).toEqual([]),
  );

  it("caught: a verb that the chart does not name", () => {
    expect(unnamed(roles.acceptor, hearingsOf("proposer"))).toContain("hint");
  });
});

/** A planted plan with a title short enough for a list of tests. */
function titled(part: Partial<Plan>, index: number): [string, Plan] {
  const plan = { config: clean, implemented: names, ...part };
  return [`${index} ${JSON.stringify(part).slice(0, 60)}`, plan];
}

/** States in a ring, so that all are reached. */
function someStates(count: number): Record<string, object> {
  const next = (n: number) => `s${(n % count) + 1}`;
  return Object.fromEntries(
    Array.from({ length: count }, (_, n) => [`s${n + 1}`, { on: { go: next(n + 1) } }]),
  );
}
