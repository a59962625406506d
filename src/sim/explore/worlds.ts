/** The small worlds that there are. */
import type { RoleSnapshot } from "../../actor/role.js";
import type { Cluster, LearnMode } from "../../paxos/cluster.js";
import { encodeTyped } from "../../paxos/command.js";
import { digest } from "../../paxos/digest.js";
import { DEFAULT_LIMITS, type Limits } from "../../paxos/limits.js";
import type { RoleName } from "../../paxos/messages.js";
import type { ProposerState } from "../../paxos/proposer.js";
import { encodeBatch } from "../../paxos/value.js";
import type { SightName } from "./sights.js";
import type { Offer, Single, World } from "./world.js";

/** The one key that is decided. */
const KEY = "k";

function clusterOf(limits: Partial<Limits>, learn: LearnMode = { kind: "leader" }): Cluster {
  const member = (prefix: string, mark: string) => (n: number) => ({
    id: `${prefix}${n}`,
    storeId: `${mark}${n}`.repeat(16),
  });
  return {
    name: "small",
    clusterId: "0".repeat(32),
    epoch: 1,
    acceptors: [1, 2, 3].map(member("a", "a")),
    proposers: [1, 2].map(member("p", "b")),
    quorums: { kind: "majority" },
    learn,
    limits: { ...DEFAULT_LIMITS, ...limits },
  };
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Who was started for the n-th time wishes for something else: another client asks. */
function wishOf(single: Single, start: number): string {
  return `${single.wish}${"'".repeat(start - 1)}`;
}

// --- single-decree ---------------------------------------------------------------------------

interface DecideShape {
  readonly name: string;
  readonly what: string;
  /** The highest round of each proposer. */
  readonly rounds: readonly number[];
  readonly crashesMax?: number;
  readonly crashes?: World["crashes"];
  readonly learner?: boolean;
  readonly lost?: World["lost"];
  readonly writesMax?: number;
  readonly mustSee: readonly SightName[];
  readonly states: number | null;
  readonly statesMax?: number;
}

function decideWorld(shape: DecideShape): World {
  const { rounds, crashesMax = 0, crashes = ["acceptor"], learner = false } = shape;
  const singles = proposersOf("synod-proposer", rounds.length);
  if (learner) singles.push({ role: "learner", id: "l1", wish: "" });
  const wishes = new Map<string, string>();
  for (const single of singles) {
    for (let start = 1; start <= crashesMax + 1; start++) {
      const wish = wishOf(single, start);
      if (single.wish !== "") wishes.set(digest(encodeTyped("string", bytes(wish))), wish);
    }
  }
  return {
    name: shape.name,
    what: shape.what,
    cluster: clusterOf({}, learner ? { kind: "all" } : { kind: "leader" }),
    key: KEY,
    singles,
    crashesMax,
    crashes,
    writesMax: shape.writesMax ?? 2,
    lost: shape.lost ?? [],
    begin: (single, start) => (single.role === "learner" ? [] : [decide(single, start)]),
    offers: () => [],
    fires: ["backoff.synod-proposer.backingOff"],
    isBeyond: (single, snapshot) =>
      single.role === "synod-proposer" && roundOf(snapshot) > maxOf(rounds, single),
    wishes,
    mustSee: shape.mustSee,
    states: shape.states,
    statesMax: shape.statesMax ?? null,
  };
}

function proposersOf(role: RoleName, count: number): Single[] {
  return Array.from({ length: count }, (_, index) => ({
    role,
    id: `p${index + 1}`,
    wish: `v${index + 1}`,
  }));
}

/** What stands for a proposer in a list of them. */
function maxOf(all: readonly number[], { id }: Single): number {
  return all[Number(id.slice(1)) - 1] ?? 0;
}

function roundOf({ context }: RoleSnapshot): number {
  const { attempt, data } = context as {
    attempt?: { ballot: { round: number } } | null;
    data?: { ballot?: { round: number } | null };
  };
  return attempt?.ballot.round ?? data?.ballot?.round ?? 0;
}

/** A client's wish for the key, as the host brings it. */
function decide(single: Single, start: number): { readonly type: string } {
  const value = bytes(wishOf(single, start));
  const message = { type: "decide", key: KEY, value, valueType: "string", reply: "r" };
  return heard("session", "c1", message);
}

// --- the log ---------------------------------------------------------------------------------

interface LogShape {
  readonly name: string;
  readonly what: string;
  /** The highest round of each proposer. */
  readonly rounds: readonly number[];
  /** How many slots each proposer may fill with commands of its own. */
  readonly slots: readonly number[];
  readonly lost?: World["lost"];
  readonly crashesMax?: number;
  readonly crashes?: World["crashes"];
  readonly writesMax?: number;
  readonly mustSee: readonly SightName[];
  readonly states: number | null;
  readonly statesMax?: number;
}

function logWorld(shape: LogShape): World {
  const { rounds, slots, crashesMax = 0, crashes = ["acceptor"] } = shape;
  const singles = proposersOf("proposer", rounds.length);
  const wishes = new Map<string, string>();
  for (const single of singles) {
    for (let slot = 0; slot < Math.max(...slots); slot++) {
      const name = commandOf(single, slot);
      wishes.set(digest(encodeBatch([bytes(name)])), name);
    }
  }
  return {
    name: shape.name,
    what: shape.what,
    // Acceptors always say that they have not heard the leader: anybody may stand at any time.
    cluster: clusterOf({ silenceMs: 0 }),
    key: null,
    singles,
    crashesMax,
    crashes,
    writesMax: shape.writesMax ?? 2,
    lost: ["ask-leader", ...(shape.lost ?? [])],
    begin: () => [],
    offers: (single, snapshot) =>
      logOffers(single, snapshot, maxOf(rounds, single), maxOf(slots, single)),
    fires: ["backoff.proposer.preempted", "beaconTime.proposer.leading.open"],
    isBeyond: (single, snapshot) => roundOf(snapshot) > maxOf(rounds, single),
    wishes,
    mustSee: shape.mustSee,
    states: shape.states,
    statesMax: shape.statesMax ?? null,
  };
}

/** The command that a leader gets for its next slot: a repeat of it is the same. */
function commandOf(single: Single, slot: number): string {
  return `${single.wish}.${slot}`;
}

function logOffers(
  single: Single,
  snapshot: RoleSnapshot,
  roundMax: number,
  slotsMax: number,
): Offer[] {
  const { data } = snapshot.context as { data: ProposerState };
  if (snapshot.value === "standby" && data.highestRound < roundMax) {
    return [{ label: "is named by the elector", events: election(single) }];
  }
  const isLeading = snapshot.value === "adopting" || typeof snapshot.value === "object";
  const slot = data.nextSlot + data.queue.length;
  if (!isLeading || slot >= slotsMax) return [];
  const name = commandOf(single, slot);
  const message = { type: "propose", commands: [bytes(name)] };
  return [{ label: `is asked to propose ${name}`, events: [heard("gateway", "g1", message)] }];
}

/** A hint, and the word of two acceptors that they have not heard the leader either. */
function election(single: Single) {
  // Whoever leads is under suspicion.
  const suspects = { round: Number.MAX_SAFE_INTEGER, owner: "" };
  const hint = { type: "hint", candidate: single.id, suspects };
  const silence = { question: 1, promised: null, agoMs: null, chosenWatermark: 0 };
  const silent = (id: string) => heard("acceptor", id, { type: "last-heard", ...silence });
  return [heard("elector", "e1", hint), silent("a1"), silent("a2")];
}

/** A message as an event. */
function heard(role: RoleName, id: string, message: { readonly type: string }) {
  const life = { storeId: null, incarnation: 0, writeNumber: 0, process: "0".repeat(16) };
  return { type: message.type, received: [{ from: { role, id, ...life }, message }] };
}

// --- all of them -----------------------------------------------------------------------------

const SEEN = ["value-chosen", "preempted", "duplicate-delivered"] as const;
const ADOPTED = ["vote-adopted", "adopted-chosen", "chosen-twice", "duel-in-phase-2"] as const;
const LED = ["later-slots-asked", "leader-deposed"] as const;

/** Every world, by name. */
export const WORLDS: readonly World[] = [
  decideWorld({
    name: "decide-2",
    what: "two proposers of one key, one ballot each",
    rounds: [1, 1],
    mustSee: [...SEEN, ...ADOPTED],
    states: 28_418,
  }),
  decideWorld({
    name: "decide-learner",
    what: "two proposers of one key, one ballot each, a learner that counts the votes",
    rounds: [1, 1],
    learner: true,
    mustSee: [...SEEN, ...ADOPTED, "learner-learned"],
    states: 69_810,
  }),
  decideWorld({
    name: "decide-retry",
    what: "two proposers of one key, one of which tries again",
    rounds: [2, 1],
    mustSee: [...SEEN, ...ADOPTED, "late-answer"],
    states: null,
    statesMax: 5_000_000,
  }),
  decideWorld({
    name: "decide-crash",
    what: "two proposers of one key, one ballot each, one crash of an acceptor",
    rounds: [1, 1],
    crashesMax: 1,
    mustSee: [...SEEN, ...ADOPTED, "sync-lost"],
    states: 79_865,
  }),
  decideWorld({
    name: "decide-restart",
    what: "two proposers of one key, one ballot a start, one crash of anybody, refusals lost",
    rounds: [1, 1],
    lost: ["key-nack"],
    crashesMax: 1,
    crashes: ["acceptor", "synod-proposer"],
    mustSee: ["value-chosen", ...ADOPTED, "proposer-restarted", "sync-lost"],
    states: 628_169,
  }),
  decideWorld({
    name: "decide-3",
    what: "three proposers of one key, one ballot each, refusals lost",
    rounds: [1, 1, 1],
    // Who is refused its only ballot does no more: as if nothing reached it any more.
    lost: ["key-nack"],
    mustSee: ["value-chosen", "duplicate-delivered", ...ADOPTED],
    states: 436_671,
  }),
  decideWorld({
    name: "decide-3-crash",
    what: "three proposers of one key, one ballot each, one crash of an acceptor, refusals lost",
    rounds: [1, 1, 1],
    lost: ["key-nack"],
    crashesMax: 1,
    mustSee: ["value-chosen", "duplicate-delivered", ...ADOPTED, "sync-lost"],
    states: 1_517_099,
  }),
  logWorld({
    name: "log-1",
    what: "two proposers of the log, one ballot each, one slot, no beacons",
    rounds: [1, 1],
    lost: ["beacon"],
    slots: [1, 1],
    mustSee: [...SEEN, ...ADOPTED],
    states: 343_677,
  }),
  logWorld({
    name: "log-crash",
    what: "two proposers of the log, one ballot each, one slot, one crash, no beacons",
    rounds: [1, 1],
    lost: ["beacon"],
    slots: [1, 1],
    crashesMax: 1,
    mustSee: [...SEEN, ...ADOPTED, "sync-lost"],
    states: 925_228,
  }),
  logWorld({
    name: "log-beacons",
    what: "two proposers of the log, one ballot each, one slot, with beacons",
    rounds: [1, 1],
    slots: [1, 1],
    mustSee: [...SEEN, ...ADOPTED, "leader-deposed"],
    states: 25_389_271,
  }),
  logWorld({
    name: "log-3",
    what: "three proposers of the log, one ballot each, one slot, beacons and refusals lost",
    rounds: [1, 1, 1],
    lost: ["beacon", "nack"],
    slots: [1, 1, 1],
    mustSee: ["value-chosen", "duplicate-delivered", ...ADOPTED],
    states: 1_343_013,
  }),
  logWorld({
    name: "log-2",
    what: "two proposers of the log, one ballot each, two slots and one, beacons and refusals lost",
    rounds: [1, 1],
    lost: ["beacon", "nack"],
    slots: [2, 1],
    mustSee: ["value-chosen", "duplicate-delivered", ...ADOPTED, "hole-filled"],
    states: 1_702_979,
  }),
  logWorld({
    name: "log-takeover",
    what: "two proposers of the log, one slot, with beacons, one follows and takes over later",
    rounds: [1, 2],
    slots: [1, 1],
    mustSee: [...SEEN, ...ADOPTED, ...LED],
    states: null,
    statesMax: 5_000_000,
  }),
];
