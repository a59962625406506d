/**
 * The shrinker: cuts a plan that breaks an invariant down to a short one that still breaks it.
 *
 * A run is determined by its plan, so a candidate is tried by running it. What is kept breaks the
 * same invariant; how it comes to that may differ.
 */
import type { Violation } from "../monitor/ledger.js";
import { CALM, type Fault, type Plan, type TimedFault, type Weather } from "../plan/plan.js";
import { placesOf, type Setup } from "../plan/setup.js";
import { type RunOptions, runPlan } from "./run.js";

/** How much may be spent. */
export interface ShrinkBudget {
  /** Runs, 1 or more. */
  readonly runsMax: number;
  /** Asked before each run: says whether time is up. */
  readonly isOver?: (() => boolean) | undefined;
  /** Told after each run. */
  readonly onRun?: ((runs: number, smallest: Plan) => void) | undefined;
}

/** The smallest plan that was found. */
export interface Shrunk {
  readonly plan: Plan;
  readonly violation: Violation;
  /** Runs that it took, the first one included. */
  readonly runs: number;
}

/** Shortest duration that is tried, and times a pass over everything is made, at most. */
const DURATION_MS_MIN = 1;
const PASSES_MAX = 8;
/** Other seeds that are tried where chance has a hand in it. */
const LUCK_SEEDS = 3;

/** Makes plans smaller one after the other, as long as they fail. */
class Shrinker {
  plan: Plan;
  violation: Violation;
  runs = 1;
  /** When the violation came, in milliseconds of the world. */
  #atMs: number;
  readonly #options: RunOptions;
  readonly #budget: ShrinkBudget;

  constructor(
    plan: Plan,
    violation: Violation,
    atMs: number,
    options: RunOptions,
    budget: ShrinkBudget,
  ) {
    this.plan = plan;
    this.violation = violation;
    this.#atMs = atMs;
    this.#options = options;
    this.#budget = budget;
  }

  get isOver(): boolean {
    return this.runs >= this.#budget.runsMax || this.#budget.isOver?.() === true;
  }

  /** Runs a candidate, and keeps it if it fails in the same way. @returns whether it is kept */
  try(candidate: Plan): boolean {
    if (this.isOver) return false;
    this.runs++;
    const { violation, virtualMs } = runPlan(candidate, this.#options);
    const isKept = violation?.invariant === this.violation.invariant;
    if (isKept) {
      this.plan = candidate;
      this.violation = violation;
      this.#atMs = virtualMs;
    }
    this.#budget.onRun?.(this.runs, this.plan);
    return isKept;
  }

  /** Tries a change, if it is one. */
  change(change: Partial<Plan>): boolean {
    const candidate = { ...this.plan, ...change };
    return !isSame(candidate, this.plan) && this.try(candidate);
  }

  /** Tries a change that changes every draw, under a few seeds. */
  changeWithLuck(change: Partial<Plan>): boolean {
    const { seed } = this.plan;
    for (let more = 0; more <= LUCK_SEEDS; more++) {
      if (isSame({ ...this.plan, ...change }, this.plan)) return false;
      if (this.change({ ...change, seed: seed + more })) return true;
    }
    return false;
  }

  changeSetup(change: Partial<Setup>): boolean {
    const setup = { ...this.plan.setup, ...change };
    const names = new Set(placesOf(setup).map(({ name }) => name));
    const faults = this.plan.faults.filter(({ fault }) => isPossible(fault, names));
    return !isSame(setup, this.plan.setup) && this.try({ ...this.plan, setup, faults });
  }

  /** Leaves out whatever was to come after the violation. */
  cut(): void {
    const { faults, requests, calmMs } = this.plan;
    const isBefore = ({ atMs }: { readonly atMs: number }) => atMs <= this.#atMs;
    this.change({
      faults: faults.filter(isBefore),
      requests: requests.filter(isBefore),
      calmMs: Math.min(calmMs, Math.ceil(this.#atMs) + 1),
    });
  }

  /** Leaves out as many elements of a list as it can: halves first, then quarters … then each. */
  thin<T>(list: () => readonly T[], change: (list: readonly T[]) => Partial<Plan>): void {
    let chunk = list().length;
    while (chunk >= 1 && !this.isOver) {
      for (let at = 0; at < list().length; ) {
        const rest = [...list().slice(0, at), ...list().slice(at + chunk)];
        if (!this.change(change(rest))) at += chunk;
      }
      chunk = chunk === 1 ? 0 : Math.ceil(chunk / 2);
    }
  }

  /** Replaces one element of the faults. */
  changeFault(at: number, change: (one: TimedFault) => TimedFault): boolean {
    const { faults } = this.plan;
    return this.change({ faults: faults.map((one, index) => (index === at ? change(one) : one)) });
  }
}

/**
 * Shrinks a plan.
 *
 * @param options what the failing run was given, broken parts included
 * @returns null if the plan breaks nothing
 */
export function shrink(plan: Plan, options: RunOptions, budget: ShrinkBudget): Shrunk | null {
  const { violation, virtualMs } = runPlan(plan, options);
  if (violation === null) return null;
  const shrinker = new Shrinker(plan, violation, virtualMs, options, budget);
  for (let pass = 0; pass < PASSES_MAX && !shrinker.isOver; pass++) {
    const before = shrinker.plan;
    shrinkOnce(shrinker);
    if (isSame(before, shrinker.plan)) break;
  }
  return { plan: shrinker.plan, violation: shrinker.violation, runs: shrinker.runs };
}

/** One pass: what takes most away comes first. */
function shrinkOnce(shrinker: Shrinker): void {
  shrinker.cut();
  shrinker.thin(
    () => shrinker.plan.faults,
    (faults) => ({ faults }),
  );
  shrinker.thin(
    () => shrinker.plan.requests,
    (requests) => ({ requests }),
  );
  shrinker.changeWithLuck({ weather: CALM });
  for (const trouble of ["loss", "repeat", "reorder", "late", "flip"] as const) {
    shrinker.change({ weather: { ...shrinker.plan.weather, [trouble]: 0 } });
  }
  shrinker.change({ ending: "healed" });
  shrinker.change({ restMs: 0 });
  shrinkSetup(shrinker);
  shrinkFaults(shrinker);
  shrinker.cut();
  shrinkTimes(shrinker);
}

function shrinkSetup(shrinker: Shrinker): void {
  if (!shrinker.changeSetup({ rates: {} })) {
    for (const name of Object.keys(shrinker.plan.setup.rates)) {
      shrinker.changeSetup({ rates: without(shrinker.plan.setup.rates, name) });
    }
  }
  const { payloadBytesMax: _, ...setup } = shrinker.plan.setup;
  shrinker.try({ ...shrinker.plan, setup });
  if (!shrinker.changeSetup({ limits: {} })) {
    for (const name of Object.keys(shrinker.plan.setup.limits)) {
      shrinker.changeSetup({ limits: without(shrinker.plan.setup.limits, name) });
    }
  }
  shrinker.changeSetup({ learn: { kind: "leader" } });
  shrinker.changeSetup({ placement: "separated" });
  shrinker.changeSetup({ quorums: { kind: "majority" } });
  for (const acceptors of [1, 2, 3, 5]) {
    if (acceptors >= shrinker.plan.setup.acceptors) break;
    if (shrinker.changeSetup({ acceptors, quorums: { kind: "majority" } })) break;
  }
  for (const proposers of [1, 2]) {
    if (proposers >= shrinker.plan.setup.proposers) break;
    if (shrinker.changeSetup({ proposers })) break;
  }
}

/** Makes each fault milder and shorter. */
function shrinkFaults(shrinker: Shrinker): void {
  for (let at = 0; at < shrinker.plan.faults.length && !shrinker.isOver; at++) {
    for (const name of ["forMs", "downMs", "everyMs", "syncMs"] as const) {
      shorten(shrinker, at, name);
    }
    const fault = shrinker.plan.faults[at]?.fault;
    if (fault?.kind === "partition") thinPartition(shrinker, at, fault);
    if (fault?.kind === "weather") calmFault(shrinker, at, fault);
  }
}

/** Halves a duration of a fault as often as it can. */
function shorten(
  shrinker: Shrinker,
  at: number,
  name: "forMs" | "downMs" | "everyMs" | "syncMs",
): void {
  for (;;) {
    const fault = shrinker.plan.faults[at]?.fault as Record<string, unknown> | undefined;
    const now = fault?.[name];
    if (typeof now !== "number" || now <= DURATION_MS_MIN) return;
    const shorter = Math.max(DURATION_MS_MIN, Math.floor(now / 2));
    const isKept = shrinker.changeFault(at, (one) => ({
      ...one,
      fault: { ...one.fault, [name]: shorter } as Fault,
    }));
    if (!isKept) return;
  }
}

function thinPartition(
  shrinker: Shrinker,
  at: number,
  partition: Extract<Fault, { kind: "partition" }>,
): void {
  const blockedNow = () => {
    const fault = shrinker.plan.faults[at]?.fault;
    return fault?.kind === "partition" ? fault.blocked : [];
  };
  shrinker.thin(blockedNow, (blocked) => ({
    faults: shrinker.plan.faults.map((one, index) =>
      index === at ? { ...one, fault: { ...partition, forMs: forMsOf(one.fault), blocked } } : one,
    ),
  }));
}

function calmFault(
  shrinker: Shrinker,
  at: number,
  { weather }: { readonly weather: Weather },
): void {
  for (const trouble of Object.keys(weather)) {
    shrinker.changeFault(at, (one) => {
      if (one.fault.kind !== "weather") return one;
      const calmer = { ...one.fault.weather, [trouble]: 0 };
      return { ...one, fault: { ...one.fault, weather: calmer } };
    });
  }
}

function shrinkTimes(shrinker: Shrinker): void {
  shrinker.change({ latencyMs: 1, syncMs: 1 });
  shrinker.change({ latencyMs: 1 });
  shrinker.change({ syncMs: 1 });
  const { faults, requests, calmMs } = shrinker.plan;
  const last = Math.max(0, ...[...faults, ...requests].map(({ atMs }) => atMs));
  shrinker.change({ calmMs: Math.min(calmMs, last + 1) });
}

function without<T extends object>(fields: T, name: string): T {
  return Object.fromEntries(Object.entries(fields).filter(([other]) => other !== name)) as T;
}

function forMsOf(fault: Fault): number {
  return fault.kind === "partition" ? fault.forMs : 0;
}

/** Says whether a fault has something to strike in a smaller setup. */
function isPossible(fault: Fault, names: ReadonlySet<string>): boolean {
  return !("process" in fault) || names.has(fault.process);
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
