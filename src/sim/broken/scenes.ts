/**
 * Scenes: short, small runs in which one kind of thing goes wrong again and again, so that a broken
 * rule shows within few seeds. Timers are short too: a takeover takes a tenth of what it does
 * elsewhere.
 */
import { createSeededRandom, type SeededRandom } from "../../adapters/memory/random.js";
import type { Limits } from "../../paxos/limits.js";
import { CALM, type Fault, type Plan, type Request, type Weather } from "../plan/plan.js";
import { chance, type Setup } from "../plan/setup.js";

/** A fault, and how many milliseconds after the first of its chain it strikes. */
export type Following = readonly [afterMs: number, fault: Fault];

/** What a scene is narrowed to. Whatever is left out is plain. */
export interface Scene {
  readonly setup?: Partial<Setup>;
  readonly weather?: Partial<Weather>;
  /** Draws one fault, or several with the milliseconds after which each follows. */
  readonly fault?: (random: SeededRandom, n: number) => Fault | readonly Following[];
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
  /** How long it goes on when all is answered. */
  readonly restMs?: number;
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
  const sometime = () => BEGIN_MS + random.integer(calmMs - BEGIN_MS);
  const faults = Array.from({ length: scene.faults ?? 0 }, (_, n) => {
    const drawnFault = scene.fault?.(random, n) ?? [];
    const chain: readonly Following[] = "kind" in drawnFault ? [[0, drawnFault]] : drawnFault;
    const beginMs = sometime();
    return chain.map(([afterMs, fault]) => ({ atMs: beginMs + afterMs, fault }));
  }).flat();
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
    restMs: scene.restMs ?? 0,
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

/** Blocks every message from one set of processes to another. */
function cut(from: readonly string[], to: readonly string[], forMs: number): Fault {
  const blocked = from.flatMap((one) => to.map((other) => [one, other] as const));
  return { kind: "partition", shape: "one-way", blocked, forMs };
}

const PROPOSERS = ["p1", "p2"];

/**
 * What the leader proposes for some milliseconds is lost on the way to all acceptors, what comes
 * behind it is not; then the leader dies.
 */
export const leaveHoles = (random: SeededRandom): Following[] => [
  [0, cut(PROPOSERS, ["a1", "a2", "a3"], 8 + random.integer(6))],
  [18 + random.integer(6), { kind: "behead", forMs: 1, downMs: 200 }],
];

/**
 * Some proposals of a leader reach a1 alone, and it dies. The next ones lead without a1, and most
 * of them die before they can say what is chosen; then a1 is heard again, with its old votes.
 */
export const leaveOldVotes = (random: SeededRandom): Following[] => [
  [0, cut(PROPOSERS, ["a2", "a3"], 25)],
  [20, { kind: "behead", forMs: 1, downMs: 1 + random.integer(40) }],
  [21, cut(PROPOSERS, ["a1"], 200)],
  [21, cut(["a1"], PROPOSERS, 200)],
  ...Array.from({ length: 20 }, (_, n): Following => {
    return [120 + n * 12, { kind: "behead", forMs: 1, downMs: 1 + random.integer(20) }];
  }),
];

/** Acceptors that come back with old votes, while later ballots go on. */
export const oldVotes = logScene({
  setup: { limits: { batchCommandsMax: 1, pipelineSlotsMax: 16 } },
  fault: leaveOldVotes,
  faults: 2,
  requests: 200,
  clients: 4,
});

/** Proposers that outbid each other for a few keys, so that acceptors hold different votes. */
export const duels = keyScene({
  setup: {
    acceptors: 5,
    proposers: 3,
    placement: "colocated",
    limits: { backoffMinMs: 1, backoffMaxMs: 4, retryDelayMs: 30, decideLingerMs: 5 },
  },
  weather: { loss: 0.5, repeat: 0.9, reorder: 0.3 },
  syncMs: 20,
  request: (random, value) => ({ kind: "decide", key: `k${1 + random.integer(25)}`, value }),
  requests: 150,
  clients: 10,
  calmMs: 500,
});
