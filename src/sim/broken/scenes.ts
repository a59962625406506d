/**
 * Scenes: short, small runs in which one kind of thing goes wrong again and again, so that a broken
 * rule shows within few seeds. Timers are short too: a takeover takes a tenth of what it does
 * elsewhere.
 */
import { createSeededRandom, type SeededRandom } from "../../adapters/memory/random.js";
import type { Limits } from "../../paxos/limits.js";
import { CALM, type Fault, type Plan, type Request, type Weather } from "../plan.js";
import { chance, placesOf, type Setup } from "../setup.js";

/** What a scene is narrowed to. Whatever is left out is plain. */
export interface Scene {
  readonly setup?: Partial<Setup>;
  readonly weather?: Partial<Weather>;
  /** Draws one fault, of a run with these processes. */
  readonly fault?: (random: SeededRandom, places: readonly string[], n: number) => Fault;
  /** How many faults strike; none if left out. */
  readonly faults?: number;
  /** How many requests are made; 40 if left out. */
  readonly requests?: number;
  /** Draws a request; `value` is one nobody else has. */
  readonly request?: (random: SeededRandom, value: string) => Request;
  /** Clients that share the requests; 2 if left out. */
  readonly clients?: number;
  /** When faults end; 1200 if left out. */
  readonly calmMs?: number;
  readonly latencyMs?: number;
  readonly syncMs?: number;
}

/** Everything is soon noticed, asked again and given up. */
const QUICK: Partial<Limits> = {
  retryDelayMs: 60,
  backoffMinMs: 5,
  backoffMaxMs: 60,
  beaconMs: 30,
  silenceMs: 80,
  suspectMs: 200,
  witnessMs: 40,
  repairDelayMs: 20,
  recheckMs: 60,
  decideLingerMs: 50,
};

/** Requests begin, and faults strike, when a first leader is about to lead. */
const BEGIN_MS = 250;

/** Returns what narrows the plan of a seed to a scene of a log. */
export function logScene(scene: Scene): (drawn: Plan) => Plan {
  const submit = (_random: SeededRandom, value: string): Request => ({ kind: "submit", value });
  return (drawn) => stage(drawn, { request: submit, ...scene }, "log");
}

/** Returns what narrows the plan of a seed to duels for a few keys. */
export function keyScene(scene: Scene): (drawn: Plan) => Plan {
  const decide = (random: SeededRandom, value: string): Request => {
    return { kind: "decide", key: `k${1 + random.integer(4)}`, value };
  };
  return (drawn) => stage(drawn, { request: decide, ...scene }, "decide");
}

function stage(drawn: Plan, scene: Scene, family: Setup["family"]): Plan {
  const random = createSeededRandom(`scene ${drawn.seed}`);
  const setup: Setup = {
    family,
    acceptors: 3,
    proposers: 2,
    quorums: { kind: "majority" },
    learn: { kind: "leader" },
    placement: "separated",
    rates: {},
    ...scene.setup,
    limits: { ...QUICK, ...scene.setup?.limits },
  };
  const { calmMs = 1200, requests = 40, clients = 2 } = scene;
  const places = placesOf(setup).map(({ name }) => name);
  const sometime = () => BEGIN_MS + random.integer(calmMs - BEGIN_MS);
  const faults = Array.from({ length: scene.faults ?? 0 }, (_, n) => ({
    atMs: sometime(),
    fault: scene.fault?.(random, places, n) ?? { kind: "stall" as const, process: "p1", forMs: 1 },
  }));
  const asked = Array.from({ length: requests }, (_, n) => {
    const value = `v${n + 1}`;
    const request = scene.request?.(random, value) ?? { kind: "submit" as const, value };
    const name = `${request.kind === "decide" ? "d" : "c"}${1 + random.integer(clients)}`;
    return { atMs: sometime(), client: name, request };
  });
  const byTime = (a: { atMs: number }, b: { atMs: number }) => a.atMs - b.atMs;
  return {
    seed: drawn.seed,
    setup,
    weather: { ...CALM, ...scene.weather },
    latencyMs: scene.latencyMs ?? 2,
    syncMs: scene.syncMs ?? 2,
    faults: faults.sort(byTime),
    requests: asked.sort(byTime),
    calmMs,
    ending: "healed",
  };
}

/** A leader that is killed while half of what it says is lost. */
export const behead = (random: SeededRandom): Fault => ({
  kind: "behead",
  forMs: 5 + random.integer(30),
  downMs: 1 + random.integer(150),
});

/** A process that is killed, mostly while it writes; what it had not synced is lost. */
export const crash = (random: SeededRandom, process: string): Fault => ({
  kind: "crash",
  process,
  fate: "lost",
  atWrite: chance(random, 0.8),
  downMs: 1 + random.integer(100),
});

/** Any of the acceptors of a scene of three. */
export const anAcceptor = (random: SeededRandom): string => `a${1 + random.integer(3)}`;
