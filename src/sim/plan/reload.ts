/**
 * Runs in which acceptors have full disks, and read their memory again, while others need what they
 * remember: a proposer that collects promises in parts, and a disk with writes still under way.
 */
import { createSeededRandom, type SeededRandom } from "../../adapters/memory/random.js";
import type { Limits } from "../../paxos/limits.js";
import type { Fault, Plan, TimedRequest } from "./plan.js";
import { chance, pick, type Setup } from "./setup.js";

/** The share of such runs. */
const RELOAD_RUNS = 0.08;
/** How long the next leader is hindered in phase 1, and how long one disk is slow after that. */
const PHASE_1_MS = 550;
const SLOW_MS = 300;
/** Commands before the leader dies: each leaves a vote, and each vote is a part of a promise. */
const SUBMITS = 8;
/** Keys that are decided meanwhile: an acceptor that promised its ballot writes nothing else. */
const DECISIONS = 36;

const STORES = ["acceptor a1", "acceptor a2", "acceptor a3"] as const;

const SETUP: Partial<Setup> = {
  family: "mixed",
  acceptors: 3,
  proposers: 2,
  quorums: { kind: "majority" },
  placement: "separated",
  rates: {},
};

/** A takeover takes a tenth of a second, and an acceptor looks for room at once. */
const LIMITS: Partial<Limits> = {
  partBytesMax: 500,
  batchCommandsMax: 1,
  windowMax: 64,
  pipelineSlotsMax: 16,
  retryDelayMs: 60,
  backoffMaxMs: 200,
  beaconMs: 30,
  silenceMs: 80,
  suspectMs: 200,
  recheckMs: 10,
};

/** A fault, and how many milliseconds after the first one it strikes. */
type Following = readonly [afterMs: number, fault: Fault];

/** Some runs have this shape. Drawn apart from the other draws. */
export function withReloads(plan: Plan, beginMs: number): Plan {
  const random = createSeededRandom(`reloads ${plan.seed}`);
  return chance(random, RELOAD_RUNS) ? reloading(plan, beginMs) : plan;
}

/** The shape replaces the drawn faults and requests, so that such a run takes no longer. */
function reloading(plan: Plan, beginMs: number): Plan {
  const random = createSeededRandom(`reloading ${plan.seed}`);
  const atMs = beginMs + random.integer(200);
  const endMs = atMs + PHASE_1_MS + SLOW_MS;
  const following = [...fullInPhase1(random), ...fullWhileSlow(random)];
  const byTime = (a: { readonly atMs: number }, b: { readonly atMs: number }) => a.atMs - b.atMs;
  return {
    ...plan,
    setup: { ...plan.setup, ...SETUP, limits: { ...plan.setup.limits, ...LIMITS } },
    latencyMs: Math.min(plan.latencyMs, 2),
    syncMs: Math.min(plan.syncMs, 3),
    faults: following.map(([afterMs, fault]) => ({ atMs: atMs + afterMs, fault })).sort(byTime),
    requests: drawRequests(random, atMs, endMs).sort(byTime),
    calmMs: endMs + 100,
  };
}

/** A leader dies; parts of promises to the next one are lost, and disks are full for moments. */
function fullInPhase1(random: SeededRandom): Following[] {
  const weather = { loss: 0.35, repeat: 0, reorder: 0.3, late: 0 };
  const fulls = STORES.flatMap((store) =>
    Array.from({ length: 6 }, (_, n): Following => {
      const afterMs = 120 + n * 75 + random.integer(50);
      return [afterMs, { kind: "fullDisk", store, forMs: 10 + random.integer(20) }];
    }),
  );
  return [
    [0, { kind: "behead", forMs: 5 + random.integer(20), downMs: 300 }],
    [60, { kind: "weather", weather, forMs: PHASE_1_MS - 60 }],
    ...fulls,
  ];
}

/** The writes of one disk are under way so long that its acceptor serves again before they end. */
function fullWhileSlow(random: SeededRandom): Following[] {
  const store = pick(random, STORES);
  const syncMs = 60 + random.integer(60);
  const full = (): Fault => ({ kind: "fullDisk", store, forMs: 15 + random.integer(20) });
  return [
    [PHASE_1_MS, { kind: "slowDisk", store, syncMs, forMs: SLOW_MS }],
    [PHASE_1_MS + 110, full()],
    [PHASE_1_MS + 220, full()],
  ];
}

function drawRequests(random: SeededRandom, atMs: number, endMs: number): TimedRequest[] {
  const submits = Array.from({ length: SUBMITS }, (_, n): TimedRequest => {
    const request = { kind: "submit", value: `s${n}` } as const;
    return { atMs: atMs - 80 + random.integer(80), client: `c${1 + (n % 3)}`, request };
  });
  const decisions = Array.from({ length: DECISIONS }, (_, n): TimedRequest => {
    const request = { kind: "decide", key: `k${n}`, value: `d${n}` } as const;
    return { atMs: atMs + random.integer(endMs - atMs), client: `d${1 + (n % 3)}`, request };
  });
  return [...submits, ...decisions];
}
