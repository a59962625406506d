/** Draws the plan of a seed. What is drawn apart has a file of its own. */
import { createSeededRandom, type SeededRandom } from "../../adapters/memory/random.js";
import { withCrowds } from "./crowd.js";
import { withPayload } from "./payload.js";
import {
  CALM,
  type Fault,
  type Plan,
  type Request,
  type TimedFault,
  type TimedRequest,
  type Weather,
} from "./plan.js";
import { withReloads } from "./reload.js";
import type { Setup } from "./setup.js";
import { chance, drawSetup, pick, placesOf } from "./setup.js";
import { withSlowLeader } from "./slow-leader.js";
import { withWrongNumbers } from "./wrong-numbers.js";

/** Faults begin after a cluster had time to come up. */
const BEGIN_MS = 600;

/** Runs in which nothing goes wrong: then nobody may be elected twice. */
const QUIET_RUNS = 0.02;
/** Runs in which bits of messages are flipped. */
const FLIPPING_RUNS = 0.15;
/** Runs in which clients close their sessions. */
const CLOSING_RUNS = 0.2;
/** Runs in which clients die, and that go on until they are at rest. */
const MORTAL_RUNS = 0.1;
const REST_RUNS = 0.1;
const REST_MS = 40_000;

/** Draws the plan of a seed. */
export function drawPlan(seed: number): Plan {
  const troubled = withCrowds(withFlips(withReloads(drawTroubled(seed), BEGIN_MS)), BEGIN_MS);
  const restMs = chance(createSeededRandom(`rest ${seed}`), REST_RUNS) ? REST_MS : 0;
  const closesSessions = chance(createSeededRandom(`closes ${seed}`), CLOSING_RUNS);
  const plan = withSlowLeader(withPayload({ ...troubled, restMs, closesSessions }, BEGIN_MS));
  if (!chance(createSeededRandom(`quiet ${seed}`), QUIET_RUNS)) {
    return withWrongNumbers(withDeaths(plan));
  }
  return { ...plan, setup: { ...plan.setup, rates: {} }, weather: CALM, faults: [] };
}

/** Bits of messages are flipped. Drawn apart, so that the other draws of a seed do not change. */
function withFlips(plan: Plan): Plan {
  const random = createSeededRandom(`flips ${plan.seed}`);
  if (!chance(random, FLIPPING_RUNS)) return plan;
  return { ...plan, weather: { ...plan.weather, flip: pick(random, [0.002, 0.02, 0.1]) } };
}

/** Some clients die. */
function withDeaths(plan: Plan): Plan {
  const random = createSeededRandom(`deaths ${plan.seed}`);
  if (!chance(random, MORTAL_RUNS)) return plan;
  const deaths = Array.from({ length: 1 + random.integer(4) }, (): TimedFault => {
    const atMs = BEGIN_MS + random.integer(plan.calmMs - BEGIN_MS);
    return { atMs, fault: { kind: "clientCrash", client: `c${1 + random.integer(3)}` } };
  });
  return { ...plan, faults: [...plan.faults, ...deaths].sort((a, b) => a.atMs - b.atMs) };
}

function drawTroubled(seed: number): Plan {
  const random = createSeededRandom(seed);
  const setup = drawSetup(random);
  const calmMs = BEGIN_MS + 600 + random.integer(pick(random, [1000, 2000, 5000]));
  return {
    seed,
    setup,
    weather: drawWeather(random, 0.5),
    latencyMs: pick(random, [0.5, 2, 10]),
    syncMs: pick(random, [0.5, 3, 20]),
    faults: drawFaults(random, setup, calmMs),
    requests: drawRequests(random, setup, calmMs),
    calmMs,
    ending: pick(random, ["healed", "healed", "minority dead", "one proposer connected"] as const),
  };
}

/** Draws weather; each kind of trouble is there with a probability, and then more or less. */
function drawWeather(random: SeededRandom, probability: number): Weather {
  const some = (values: readonly number[]) =>
    chance(random, probability) ? pick(random, values) : 0;
  return {
    loss: some([0.005, 0.03, 0.15]),
    repeat: some([0.005, 0.03, 0.2]),
    reorder: some([0.02, 0.1, 0.4]),
    late: some([0.002, 0.01]),
  };
}

/** All but what is drawn apart. */
type DrawnHere = Exclude<Fault["kind"], "clientCrash" | "payload" | "wrongNumbers" | "slow">;

const KINDS: readonly DrawnHere[] = [
  "crash",
  "crashSpeaking",
  "behead",
  "crashAll",
  "stall",
  "jump",
  "cut",
  "broker",
  "partition",
  "weather",
  "slowDisk",
  "fullDisk",
  "failSync",
  "rot",
  "twin",
  "copy",
  "olderCopy",
  "lie",
  "crowd",
  "move",
  "add",
];

/** Draws faults: each kind with an intensity of its own, most of them not at all. */
function drawFaults(random: SeededRandom, setup: Setup, calmMs: number): TimedFault[] {
  const intensity = new Map(
    KINDS.map((kind) => [kind, chance(random, 0.3) ? 1 + random.integer(5) : 0]),
  );
  const total = [...intensity.values()].reduce((sum, one) => sum + one, 0);
  const faults: TimedFault[] = [];
  const most = total === 0 ? 0 : 1 + random.integer(14);
  for (let n = 0; n < most; n++) {
    let at = random.integer(total);
    const kind = KINDS.find((one) => {
      at -= intensity.get(one) ?? 0;
      return at < 0;
    }) as (typeof KINDS)[number];
    const atMs = BEGIN_MS + random.integer(calmMs - BEGIN_MS);
    faults.push({ atMs, fault: drawFault(random, setup, kind, n) });
  }
  return faults.sort((a, b) => a.atMs - b.atMs);
}

function drawFault(random: SeededRandom, setup: Setup, kind: DrawnHere, n: number): Fault {
  const places = placesOf(setup).map(({ name }) => name);
  const process = pick(random, places);
  const acceptor = `a${1 + random.integer(setup.acceptors)}`;
  const proposer = `p${1 + random.integer(setup.proposers)}`;
  const store = chance(random, 0.8) ? `acceptor ${acceptor}` : `proposer ${proposer}`;
  const downMs = pick(random, [1, 100, 500, 2000]);
  const forMs = pick(random, [50, 300, 1000, 2500]);
  const fate = pick(random, ["lost", "lost", "kept", "torn"] as const);
  switch (kind) {
    case "crash":
      return { kind, process, fate, atWrite: chance(random, 0.7), downMs };
    case "crashSpeaking":
      return { kind, process, messages: random.integer(12), downMs };
    case "behead":
      return { kind, forMs: pick(random, [5, 30, 100]), downMs };
    case "crashAll":
      return { kind, fate: fate === "torn" ? "lost" : fate, downMs: pick(random, [1, 500]) };
    case "stall":
      return { kind, process, forMs };
    case "jump":
      return { kind, process, aheadMs: pick(random, [200, 2000, 20_000]) };
    case "cut":
      return { kind, process, forMs };
    case "broker":
      return { kind, forMs: pick(random, [10, 300, 1500]) };
    case "partition":
      return drawPartition(random, places, forMs);
    case "weather":
      return { kind, weather: drawWeather(random, 0.8), forMs };
    case "slowDisk":
      return { kind, store, syncMs: pick(random, [50, 400]), forMs };
    case "fullDisk":
      return { kind, store: `acceptor ${acceptor}`, forMs };
    case "failSync":
      return { kind, store, isWritten: chance(random, 0.5), downMs };
    case "rot":
      return { kind, acceptor, pick: random.integer(1 << 30), downMs };
    case "twin":
      return { kind, process, forMs };
    case "copy":
      return { kind, process };
    case "olderCopy":
      return { kind, acceptor, backMs: 200 + random.integer(800) };
    case "lie":
      return { kind, everyMs: pick(random, [20, 150]), forMs };
    case "crowd":
      return { kind, sessions: 4 + random.integer(20) };
    case "move":
      return { kind, process, to: pick(random, places) };
    case "add":
      return { kind, name: `x${n}`, role: pick(random, ["learner", "gateway", "synod-proposer"]) };
  }
}

function drawPartition(random: SeededRandom, places: readonly string[], forMs: number): Fault {
  const shape = pick(random, ["symmetric", "one-way", "partial", "bridge"] as const);
  const left = places.filter(() => chance(random, 0.5));
  const right = places.filter((name) => !left.includes(name));
  const bridge = pick(random, places);
  const blocked: [string, string][] = [];
  for (const a of left) {
    for (const b of right) {
      if (shape === "partial" && chance(random, 0.5)) continue;
      if (shape === "bridge" && (a === bridge || b === bridge)) continue;
      blocked.push([a, b]);
      if (shape !== "one-way") blocked.push([b, a]);
    }
  }
  return { kind: "partition", shape, blocked, forMs };
}

function drawRequests(random: SeededRandom, setup: Setup, calmMs: number): TimedRequest[] {
  const requests: TimedRequest[] = [];
  const clients = 1 + random.integer(3);
  const keys = 1 + random.integer(3);
  const most = pick(random, [15, 40, 150]);
  for (let client = 1; client <= clients; client++) {
    const everyMs = pick(random, [15, 60, 250]);
    const burst = pick(random, [1, 1, 3, 10]);
    const way = pick(random, ["submit", "submit", "propose"] as const);
    let n = 0;
    for (let atMs = BEGIN_MS + random.integer(400); atMs < calmMs; ) {
      for (let one = 0; one < burst; one++) {
        const value = `c${client}-${++n}`;
        const isDecision =
          setup.family === "decide" || (setup.family === "mixed" && chance(random, 0.4));
        const name = isDecision ? `d${client}` : `c${client}`;
        requests.push({
          atMs,
          client: name,
          request: drawRequest(random, way, value, isDecision, keys),
        });
      }
      atMs += 1 + random.integer(2 * everyMs);
      if (requests.length > most) break;
    }
  }
  return requests.sort((a, b) => a.atMs - b.atMs);
}

function drawRequest(
  random: SeededRandom,
  way: "submit" | "propose",
  value: string,
  isDecision: boolean,
  keys: number,
): Request {
  if (isDecision) {
    const key = `k${1 + random.integer(keys)}`;
    return { kind: "decide", key, value: chance(random, 0.7) ? value : null };
  }
  if (way === "submit") return { kind: "submit", value };
  return { kind: "propose", value, hasId: chance(random, 0.6) };
}
