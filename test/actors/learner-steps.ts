/**
 * Steps of a learner of the log: slot n holds request n + 1 of one session, whose value is
 * `v<n>`.
 */
import { learnerMachine } from "../../actors/learner/machine.js";
import { publish } from "../../actors/learner/services.js";
import { broadcast, type Effect, send } from "../../src/kernel/effect.js";
import type { RoleInput } from "../../src/kernel/role.js";
import type { Ballot } from "../../src/paxos/ballot.js";
import { encodeCommand } from "../../src/paxos/command.js";
import { digest } from "../../src/paxos/digest.js";
import { encodeBatch } from "../../src/paxos/value.js";
import type { ChosenEntry, ChosenRange, SlotVote } from "../../src/paxos/wire/messages.js";
import {
  Bench,
  ballot,
  heard,
  roleInput,
  START_MS,
  sender,
  testCluster,
  timerCancelled,
  timerSet,
  value,
} from "../support/steps.js";

export const SESSION = "5e".repeat(16);
export const { limits } = testCluster();
export const at1 = ballot(1);
const p1 = sender("proposer", "p1");
const l2 = sender("learner", "l2");
export const l3 = sender("learner", "l3");
const acceptor = (n: number) => sender("acceptor", `a${n}`);

export const learner = (rest: Partial<RoleInput> = {}) =>
  new Bench(learnerMachine, roleInput({ id: "l1", ...rest }));

// --- values -----------------------------------------------------------------------------------

export const opening = (gateway = "g1") =>
  encodeCommand({ kind: "open", session: SESSION, gateway });

export const request = (number: number, text: string, gateway = "g1", openedIn = 0) =>
  encodeCommand({
    kind: "request",
    session: SESSION,
    openedIn,
    number,
    answeredBelow: 1,
    gateway,
    id: "",
    type: "string",
    body: value(text),
  });

/** What slot n holds; slot 0 opens the session, too. */
export const slotValue = (slot: number) =>
  encodeBatch([...(slot === 0 ? [opening()] : []), request(slot + 1, `v${slot}`)]);

const valuesFrom = (first: number, count: number) =>
  Array.from({ length: count }, (_, index) => slotValue(first + index));

// --- what it hears ----------------------------------------------------------------------------

export const accept = (
  first: number,
  count: number,
  rest: {
    at?: Ballot;
    chosenWatermark?: number;
    chosen?: ChosenRange[];
    values?: Uint8Array[];
  } = {},
) => {
  const values = rest.values ?? valuesFrom(first, count);
  const { at = at1, chosenWatermark = 0, chosen = [] } = rest;
  const digests = values.map(digest);
  const slots = { firstSlot: first, digests, values };
  return heard({ type: "accept", ballot: at, ...slots, chosenWatermark, chosen }, p1);
};

export const range = (from: number, to: number, at = at1): ChosenRange => ({
  ballot: at,
  from,
  to,
  syncedBy: ["a1", "a2"],
});

export const chosen = (from: number, to: number, at = at1) =>
  heard({ type: "chosen", ranges: [range(from, to, at)] }, p1);

/** A learner that was told and knows slots 0 … count − 1. */
export function knowing(count: number, rest: Partial<RoleInput> = {}): Bench {
  const bench = learner(rest);
  for (let slot = 0; slot < count; slot++) {
    bench.take(accept(slot, 1));
    bench.take(chosen(slot, slot + 1));
  }
  bench.take(beacon(count));
  return bench;
}

export const beacon = (chosenWatermark: number, nextSlot = chosenWatermark) =>
  heard(
    {
      type: "beacon",
      ballot: at1,
      nextSlot,
      chosenWatermark,
      creditBytes: 1,
      payloadBytesMax: null,
      gateway: null,
    },
    p1,
  );

/** What ballot 1 rests on. */
export const basis = (from = p1, at = at1) => {
  const promises = [1, 2].map((n) => {
    return { acceptor: `a${n}`, incarnation: 1, answer: 0, chosenWatermark: 0, votes: [] };
  });
  return heard({ type: "basis" as const, ballot: at, start: 0, cutAt: null, promises }, from);
};

export const voted = (n: number, slot: number, at = at1, held = slotValue(slot)) =>
  heard(
    { type: "accepted" as const, ballot: at, votes: [{ slot, digest: digest(held) }] },
    acceptor(n),
  );

export const voteAt = (slot: number, at = at1, held = slotValue(slot)): SlotVote => ({
  slot,
  ballot: at,
  digest: digest(held),
  value: held,
});

export const votes = (n: number, from: number, to: number, held: readonly SlotVote[]) =>
  heard({ type: "votes", from, to, trimmed: 0, votes: held }, acceptor(n));

export const known = (slot: number, at = at1): ChosenEntry => ({
  slot,
  ballot: at,
  value: slotValue(slot),
  syncedBy: ["a1", "a2"],
});

export const entries = (from: number, to: number, by = l2, nowMs = START_MS) => {
  const all = Array.from({ length: to - from }, (_, index) => known(from + index));
  return heard({ type: "entries", from, to, trimmed: 0, entries: all }, by, nowMs);
};

export const follow = (gateway: string, to: string | null, nowMs = START_MS) =>
  heard({ type: "follow", learner: to }, sender("gateway", gateway), nowMs);

export const repair = (from: number, to: number, bytesMax = 1 << 20, asker = l2) =>
  heard({ type: "repair", from, to, bytesMax }, asker);

export const history = (after: number, max = 1000, applied = 0) => ({
  type: "history",
  token: "t1",
  after,
  max,
  applied,
  nowMs: START_MS,
});

// --- what it says -----------------------------------------------------------------------------

export const feedEntry = (slot: number, at = at1, syncedBy: readonly string[] = ["a1", "a2"]) => ({
  position: slot + 1,
  slot,
  ballot: at,
  type: "string" as const,
  body: value(`v${slot}`),
  syncedBy,
});

export const publishes = (...told: ReturnType<typeof feedEntry>[]): Effect => publish(told);

export const asksFor = (
  asked: "acceptor" | "learner" | "proposer",
  from: number,
  to: number,
): Effect => broadcast(asked, { type: "repair", from, to, bytesMax: limits.partBytesMax });

/** Asks one learner. */
export const asksOne = (learnerId: string, from: number, to: number): Effect =>
  send("learner", learnerId, { type: "repair", from, to, bytesMax: limits.partBytesMax });

export const asksBasis: Effect = send("proposer", "p1", { type: "ask-basis", ballot: at1 });

export const pause = timerSet("repairDelay", "learner.lagging", limits.repairDelayMs);
export const noPause = timerCancelled("repairDelay", "learner.lagging");
export const retry = timerSet("retryDelay", "learner.repairing", limits.retryDelayMs);
export const noRetry = timerCancelled("retryDelay", "learner.repairing");
