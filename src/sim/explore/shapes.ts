/** Shapes of small worlds: what the worlds of a kind have in common. */
import type { RoleSnapshot } from "../../kernel/role.js";
import type { Cluster, LearnMode } from "../../paxos/cluster.js";
import { encodeTyped } from "../../paxos/command.js";
import type { ProposerState } from "../../paxos/consensus/proposer.js";
import { digest } from "../../paxos/digest.js";
import { DEFAULT_LIMITS, type Limits } from "../../paxos/limits.js";
import { encodeBatch } from "../../paxos/value.js";
import type { Accept, Message, RoleName } from "../../paxos/wire/messages.js";
import { ENVELOPE_BYTES } from "../../paxos/wire/payload.js";
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

/** A world that begins with nothing, whose disks have room, and whose promises fit one part. */
const NO_FULL_DISK = { fullsMax: 0, answersMax: null, gone: [] } as const;

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

/** Proposers of one key, and perhaps a learner. */
export function decideWorld(shape: DecideShape): World {
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
    ...NO_FULL_DISK,
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
  /** Every watermark may also arrive one too high. */
  readonly wrongWatermarks?: boolean;
  readonly crashesMax?: number;
  readonly crashes?: World["crashes"];
  readonly writesMax?: number;
  readonly mustSee: readonly SightName[];
  readonly states: number | null;
  readonly statesMax?: number;
}

/** A message with a watermark one too high; a promise then leaves out the votes below. */
function withHigherWatermark(message: Message): Message | null {
  if (!("chosenWatermark" in message)) return null;
  const chosenWatermark = message.chosenWatermark + 1;
  if (message.type !== "promise") return { ...message, chosenWatermark };
  const votes = message.votes.filter(({ slot }) => slot >= chosenWatermark);
  return { ...message, chosenWatermark, votes };
}

/** Proposers of the log that begin with nothing. */
export function logWorld(shape: LogShape): World {
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
    ...NO_FULL_DISK,
    writesMax: shape.writesMax ?? 2,
    lost: ["ask-leader", ...(shape.lost ?? [])],
    ...(shape.wrongWatermarks === true ? { falsify: withHigherWatermark } : {}),
    begin: () => [],
    offers: (single, snapshot) =>
      logOffers(single, snapshot, maxOf(rounds, single), maxOf(slots, single)),
    fires: ["backoff.proposer.preempted", "beaconTime.proposer.leading"],
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

// --- promises in parts, and full disks ---------------------------------------------------------

interface ReloadShape {
  readonly name: string;
  readonly what: string;
  readonly fullsMax: number;
  readonly crashesMax?: number;
  readonly mustSee: readonly SightName[];
  readonly states: number | null;
}

/** How many slots the proposer that is gone has filled; each vote is a part of a promise. */
const GONE_SLOTS = 3;
/** Where a promise is cut: two votes of these worlds fit, or one. */
const TWO_VOTES_BYTES = 600;
const ONE_VOTE_BYTES = 300;

/**
 * Proposer p1 filled three slots and is gone: two acceptors voted for all of them. p2 prepares. A
 * write for a key, which these worlds do not show, may find a disk full at any time. After that the
 * server takes less in one message, so that the same votes come in other parts.
 */
export function reloadWorld(shape: ReloadShape): World {
  const { name, what, fullsMax, crashesMax = 0, mustSee, states } = shape;
  const [gone, single] = proposersOf("proposer", 2) as [Single, Single];
  const names = Array.from({ length: GONE_SLOTS }, (_, slot) => commandOf(gone, slot));
  const values = names.map((command) => encodeBatch([bytes(command)]));
  const wishes = new Map(values.map((value, slot) => [digest(value), names[slot] ?? ""]));
  const from = { role: gone.role, id: gone.id };
  const ballot = { round: 1, owner: `${gone.id}.${"1".padStart(16, "0")}` };
  const accept: Accept = {
    type: "accept",
    ballot,
    firstSlot: 0,
    digests: values.map(digest),
    values,
    chosenWatermark: 0,
    chosen: [],
  };
  return {
    name,
    what,
    cluster: clusterOf({ silenceMs: 0, partBytesMax: TWO_VOTES_BYTES }),
    payloadBytesMax: (life) => ENVELOPE_BYTES + (life === 0 ? TWO_VOTES_BYTES : ONE_VOTE_BYTES),
    key: null,
    singles: [single],
    crashesMax,
    crashes: ["acceptor"],
    fullsMax,
    answersMax: 1,
    gone: [{ from, to: "acceptor", message: accept, receivers: 2 }],
    writesMax: 1,
    lost: ["ask-leader", "nack", "beacon"],
    begin: () => [],
    offers: (one, snapshot) => logOffers(one, snapshot, 1, 0),
    fires: [],
    isBeyond: (_, snapshot) => roundOf(snapshot) > 1,
    wishes,
    mustSee,
    states,
    statesMax: null,
  };
}
