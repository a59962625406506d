/**
 * The setup of a run: how many acceptors, which quorums, who learns how, which roles share a
 * process, and how tight the limits are. Drawn from the seed, or narrowed by the caller.
 */
import type { SeededRandom } from "../../adapters/memory/random.js";
import type { Cluster, LearnMode } from "../../paxos/cluster.js";
import { DEFAULT_LIMITS, type Limits } from "../../paxos/limits.js";
import type { QuorumSystem } from "../../paxos/quorum.js";
import type { RoleName } from "../../paxos/wire/messages.js";
import { PLACEMENTS, type Placement, placeRoles } from "../../worker/placement.js";
import type { Member } from "../world/process.js";

/** What a run is about. */
export const FAMILIES = ["log", "decide", "mixed"] as const;

/** One of {@link FAMILIES}. */
export type Family = (typeof FAMILIES)[number];

/** What does not change during a run. Plain data. */
export interface Setup {
  readonly family: Family;
  readonly acceptors: number;
  readonly proposers: number;
  readonly quorums: QuorumSystem;
  readonly learn: LearnMode;
  readonly placement: Placement;
  readonly limits: Partial<Limits>;
  /** The largest message that the server takes, in bytes; 1 MiB if left out. */
  readonly payloadBytesMax?: number;
  /** Milliseconds of a process in one of the world, by process; 1 if it is not named. */
  readonly rates: Readonly<Record<string, number>>;
}

/** A process and what runs in it. */
export interface Place {
  readonly name: string;
  readonly members: readonly Member[];
}

/** Draws one of a list. */
export function pick<T>(random: SeededRandom, from: readonly T[]): T {
  return from[random.integer(from.length)] as T;
}

/** Says yes with a probability. */
export function chance(random: SeededRandom, probability: number): boolean {
  return random.next() < probability;
}

/** Draws a setup. */
export function drawSetup(random: SeededRandom): Setup {
  const family = pick(random, ["log", "log", "log", "decide", "mixed"] as const);
  const acceptors = pick(random, [1, 3, 3, 3, 3, 3, 4, 5, 5, 6, 7]);
  const placement = pick<Placement>(random, ["separated", "separated", ...PLACEMENTS]);
  const setup = {
    family,
    acceptors,
    proposers: acceptors === 1 ? 2 : 2 + random.integer(2),
    quorums: drawQuorums(random, acceptors),
    learn: drawLearn(random, placement),
    placement,
    limits: drawLimits(random, placement === "separated" ? 1 : acceptors),
  };
  return { ...setup, rates: drawRates(random, setup) };
}

/** Draws quorums that meet: a majority, sizes that add up to more than all, or a grid. */
export function drawQuorums(random: SeededRandom, acceptors: number): QuorumSystem {
  const rows = acceptors === 4 || acceptors === 6 ? 2 : acceptors;
  const kind = pick(random, ["majority", "flexible", acceptors > rows ? "grid" : "majority"]);
  if (kind === "flexible") {
    const phase2 = 1 + random.integer(acceptors);
    const most = acceptors - phase2;
    const phase1 = acceptors - phase2 + 1 + random.integer(Math.max(1, acceptors - most));
    return { kind, phase1: Math.min(phase1, acceptors), phase2 };
  }
  if (kind !== "grid") return { kind: "majority" };
  const ids = Array.from({ length: acceptors }, (_, at) => `a${at + 1}`);
  const width = acceptors / rows;
  return {
    kind,
    rows: Array.from({ length: rows }, (_, row) => ids.slice(row * width, (row + 1) * width)),
  };
}

function drawLearn(random: SeededRandom, placement: Placement): LearnMode {
  const kind = pick(random, ["leader", "leader", "all", "some"] as const);
  if (kind !== "some") return { kind };
  return { kind, learners: placement === "separated" ? ["l1", "l3"] : ["l1"] };
}

/** Tight limits, so that what seldom happens happens. */
function drawLimits(random: SeededRandom, gateways: number): Partial<Limits> {
  const windowMax = pick(random, [2, 4, 8, 64]);
  const few = chance(random, 0.15);
  return {
    windowMax,
    pipelineSlotsMax: Math.min(windowMax, pick(random, [1, 4, 16])),
    partBytesMax: pick(random, [300, 2048, DEFAULT_LIMITS.partBytesMax]),
    batchCommandsMax: pick(random, [1, 4, 4096]),
    // Fewer than those who are alive at once, and they evict each other for ever.
    sessionsMax: few ? gateways + 6 : DEFAULT_LIMITS.sessionsMax,
    // With 1 a standby that is named prepares although a leader lives: duels.
    silenceMs: pick(random, [1, DEFAULT_LIMITS.silenceMs, DEFAULT_LIMITS.silenceMs]),
    decideLingerMs: pick(random, [50, DEFAULT_LIMITS.decideLingerMs]),
    historyBytesMax: chance(random, 0.2) ? 4096 : DEFAULT_LIMITS.historyBytesMax,
  };
}

function drawRates(random: SeededRandom, setup: Omit<Setup, "rates">): Record<string, number> {
  const rates: Record<string, number> = {};
  if (!chance(random, 0.3)) return rates;
  for (const { name } of placesOf({ ...setup, rates: {} })) {
    if (chance(random, 0.4)) rates[name] = pick(random, [0.8, 0.97, 1.03, 1.25]);
  }
  return rates;
}

/** Makes the cluster of a setup, with ids that are the same every time. */
export function clusterOf(setup: Setup): Cluster {
  const hex = (n: number) => n.toString(16).padStart(32, "0");
  const members = (letter: string, count: number, from: number) =>
    Array.from({ length: count }, (_, at) => ({
      id: `${letter}${at + 1}`,
      storeId: hex(from + at),
    }));
  return {
    name: "sim",
    clusterId: hex(1),
    epoch: 1,
    acceptors: members("a", setup.acceptors, 100),
    proposers: members("p", setup.proposers, 200),
    quorums: setup.quorums,
    learn: setup.learn,
    limits: { ...DEFAULT_LIMITS, ...setup.limits },
  };
}

/** The processes of a setup, named by their first role's id, or `n1`, `n2` … */
export function placesOf(setup: Setup): Place[] {
  return placeRoles(clusterOf(setup), setup.placement, () => true).map(({ name, roles }) => {
    const members = roles.map((role) => role.split(":") as [RoleName, string]);
    const isNode = name.startsWith("node ");
    return { name: isNode ? `n${name.slice(5)}` : (members[0]?.[1] ?? name), members };
  });
}
