/** The small worlds that there are. */
import type { RoleSnapshot } from "../../actor/role.js";
import type { Cluster, LearnMode } from "../../paxos/cluster.js";
import { encodeTyped } from "../../paxos/command.js";
import { digest } from "../../paxos/digest.js";
import { DEFAULT_LIMITS, type Limits } from "../../paxos/limits.js";
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
  readonly proposers: number;
  readonly roundMax: number;
  readonly crashesMax?: number;
  readonly crashes?: World["crashes"];
  readonly learner?: boolean;
  readonly writesMax?: number;
  readonly mustSee: readonly SightName[];
  readonly states: number | null;
}

function decideWorld(shape: DecideShape): World {
  const { proposers, roundMax, crashesMax = 0, crashes = ["acceptor"], learner = false } = shape;
  const singles: Single[] = Array.from({ length: proposers }, (_, index) => ({
    role: "synod-proposer",
    id: `p${index + 1}`,
    wish: `v${index + 1}`,
  }));
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
    roundMax,
    slotsMax: 0,
    begin: (single, start) => (single.role === "learner" ? [] : [decide(single, start)]),
    offers: () => [],
    fires: ["backoff.synod-proposer.backingOff"],
    isBeyond: (snapshot) => roundOf(snapshot) > roundMax,
    wishes,
    mustSee: shape.mustSee,
    states: shape.states,
  };
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
  const from = { role: "session", id: "c1", storeId: null, incarnation: 0, writeNumber: 0 };
  const received = [{ from: { ...from, process: "0".repeat(16) }, message }];
  return { type: "decide", received } as { type: string };
}

// --- the log ---------------------------------------------------------------------------------

interface LogShape {
  readonly name: string;
  readonly what: string;
  readonly proposers: number;
  readonly roundMax: number;
  readonly slotsMax: number;
  readonly crashesMax?: number;
  readonly crashes?: World["crashes"];
  readonly writesMax?: number;
  readonly mustSee: readonly SightName[];
  readonly states: number | null;
}

function logWorld(shape: LogShape): World {
  const { proposers, roundMax, slotsMax, crashesMax = 0, crashes = ["acceptor"] } = shape;
  const singles: Single[] = Array.from({ length: proposers }, (_, index) => ({
    role: "proposer",
    id: `p${index + 1}`,
    wish: `v${index + 1}`,
  }));
  const wishes = new Map<string, string>();
  for (const single of singles) {
    for (let slot = 0; slot < slotsMax; slot++) {
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
    roundMax,
    slotsMax,
    begin: () => [],
    offers: (single, snapshot) => logOffers(single, snapshot, roundMax, slotsMax),
    fires: ["backoff.proposer.preempted", "beaconTime.proposer.leading.open"],
    isBeyond: (snapshot) => roundOf(snapshot) > roundMax || questionOf(snapshot) > roundMax,
    wishes,
    mustSee: shape.mustSee,
    states: shape.states,
  };
}

function questionOf({ context }: RoleSnapshot): number {
  return (context as { question?: number }).question ?? 0;
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
  const from = { role: "elector", id: "e1", storeId: null, incarnation: 0, writeNumber: 0 };
  const sender = { ...from, process: "0".repeat(16) };
  if (snapshot.value === "standby" && data.highestRound < roundMax) {
    const suspects = { round: roundMax + 1, owner: "p" };
    const message = { type: "hint", candidate: single.id, suspects };
    const event = { type: "hint", received: [{ from: sender, message }] };
    return [{ label: "is named by the elector", event }];
  }
  const isLeading = snapshot.value === "adopting" || typeof snapshot.value === "object";
  const slot = data.nextSlot + data.queue.length;
  if (!isLeading || slot >= slotsMax) return [];
  const name = commandOf(single, slot);
  const message = { type: "propose", commands: [bytes(name)] };
  const event = { type: "propose", received: [{ from: sender, message }] };
  return [{ label: `is asked to propose ${name}`, event }];
}

// --- all of them -----------------------------------------------------------------------------

const DUEL = ["value-chosen", "preempted", "duplicate-delivered", "late-answer"] as const;
const ADOPTED = ["vote-adopted", "adopted-chosen", "chosen-twice", "duel-in-phase-2"] as const;

/** Every world, by name. */
export const WORLDS: readonly World[] = [
  decideWorld({
    name: "decide-2-1",
    what: "two proposers of one key, rounds up to 1",
    proposers: 2,
    roundMax: 1,
    mustSee: ["value-chosen", "preempted", ...ADOPTED],
    states: 157_540,
  }),
  decideWorld({
    name: "decide-2",
    what: "two proposers of one key, rounds up to 2",
    proposers: 2,
    roundMax: 2,
    mustSee: [...DUEL, ...ADOPTED],
    states: null,
  }),
  decideWorld({
    name: "decide-2-crash",
    what: "two proposers of one key, rounds up to 2, one crash of an acceptor",
    proposers: 2,
    roundMax: 2,
    crashesMax: 1,
    mustSee: [...DUEL, ...ADOPTED, "sync-lost"],
    states: null,
  }),
  decideWorld({
    name: "decide-2-restart",
    what: "two proposers of one key, round 1, one crash of anybody",
    proposers: 2,
    roundMax: 1,
    crashesMax: 1,
    crashes: ["acceptor", "synod-proposer"],
    mustSee: ["value-chosen", "preempted", ...ADOPTED, "proposer-restarted", "sync-lost"],
    states: null,
  }),
  decideWorld({
    name: "decide-3",
    what: "three proposers of one key, round 1",
    proposers: 3,
    roundMax: 1,
    mustSee: ["value-chosen", "preempted", ...ADOPTED],
    states: null,
  }),
  decideWorld({
    name: "decide-learner",
    what: "two proposers of one key, round 1, a learner that counts the votes",
    proposers: 2,
    roundMax: 1,
    learner: true,
    mustSee: ["value-chosen", "preempted", ...ADOPTED, "learner-learned"],
    states: null,
  }),
  logWorld({
    name: "log-1",
    what: "two proposers of the log, one slot, rounds up to 1",
    proposers: 2,
    roundMax: 1,
    slotsMax: 1,
    mustSee: ["value-chosen"],
    states: null,
  }),
  logWorld({
    name: "log-2",
    what: "two proposers of the log, two slots, rounds up to 2",
    proposers: 2,
    roundMax: 2,
    slotsMax: 2,
    mustSee: ["value-chosen"],
    states: null,
  }),
];
