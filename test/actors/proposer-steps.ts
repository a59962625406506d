/** Steps of a proposer of the log: what it hears, what it says, and how it comes to lead. */
import { proposerMachine } from "../../actors/proposer/machine.js";
import { broadcast, type Effect } from "../../src/kernel/effect.js";
import type { RoleInput } from "../../src/kernel/role.js";
import type { Ballot } from "../../src/paxos/ballot.js";
import { digest } from "../../src/paxos/digest.js";
import { encodeBatch } from "../../src/paxos/value.js";
import type { Basis, Beacon, ChosenRange, Nack, SlotVote } from "../../src/paxos/wire/messages.js";
import {
  Bench,
  ballot,
  heard,
  persist,
  roleInput,
  START_MS,
  sender,
  testCluster,
  timerCancelled,
  timerSet,
  value,
  vote,
} from "../support/steps.js";

export const { limits } = testCluster();
export const acceptor = (n: number) => sender("acceptor", `a${n}`);
const p2 = sender("proposer", "p2");
export const g1 = sender("gateway", "g1");
export const g2 = sender("gateway", "g2");
const elector = sender("elector", "e1");

// --- what it hears ----------------------------------------------------------------------------

export const hint = (candidate: string, suspects: Ballot | null = null, from = elector) =>
  heard({ type: "hint", candidate, suspects }, from);

/** The number of a role's n-th question: it counts from its seed. */
const numberOf = (question: number) => roleInput().seed + question;

export const lastHeard = (n: number, question: number, agoMs: number | null, promised = 0) =>
  heard(
    {
      type: "last-heard",
      question: numberOf(question),
      promised: promised === 0 ? null : ballot(promised, "p2"),
      agoMs,
      chosenWatermark: 0,
    },
    acceptor(n),
  );

export const beaconOf = (round: number, rest: Partial<Beacon> = {}, nowMs = START_MS) =>
  heard(
    {
      type: "beacon",
      ballot: ballot(round, "p2"),
      nextSlot: 0,
      chosenWatermark: 0,
      creditBytes: 1,
      payloadBytesMax: null,
      gateway: null,
      ...rest,
    },
    p2,
    nowMs,
  );

/** Part of a promise: a whole one unless told. */
export const promise = (n: number, at: Ballot, rest: object = {}, nowMs = START_MS) => {
  const whole = { answer: 0, part: 0, parts: 1, trimmed: 0, chosenWatermark: 0, votes: [] };
  return heard({ type: "promise" as const, ballot: at, ...whole, ...rest }, acceptor(n), nowMs);
};

export const slotVote = (slot: number, round: number, text: string): SlotVote => ({
  slot,
  ...vote(ballot(round, "p2"), text),
});

export const accepted = (
  n: number,
  at: Ballot,
  votes: readonly (readonly [number, Uint8Array])[],
  nowMs = START_MS,
) =>
  heard(
    {
      type: "accepted" as const,
      ballot: at,
      votes: votes.map(([slot, held]) => ({ slot, digest: digest(held) })),
    },
    acceptor(n),
    nowMs,
  );

export const nack = (n: number, at: Ballot, rest: Partial<Nack> = {}) =>
  heard(
    { type: "nack", ballot: at, promised: null, slot: null, reason: "stale", ...rest },
    acceptor(n),
  );

export const propose = (texts: readonly string[], from = g1, nowMs = START_MS) =>
  heard({ type: "propose" as const, commands: texts.map(value) }, from, nowMs);

export const diskFailed = { type: "disk.failed", reason: "EIO: i/o error", nowMs: START_MS };

// --- what it says -----------------------------------------------------------------------------

export const asks = (question: number): Effect =>
  broadcast("acceptor", { type: "ask-leader", question: numberOf(question) });

export const prepares = (round: number, fromSlot = 0): readonly Effect[] => [
  persist({ kind: "round", round }),
  broadcast("acceptor", { type: "prepare", ballot: ballot(round), fromSlot }),
];

export const batch = (...texts: string[]) => encodeBatch(texts.map(value));

export const proposes = (
  round: number,
  firstSlot: number,
  values: readonly Uint8Array[],
  chosenWatermark = 0,
  chosen: readonly ChosenRange[] = [],
): Effect =>
  broadcast("acceptor", {
    type: "accept",
    ballot: ballot(round),
    firstSlot,
    digests: values.map(digest),
    values,
    chosenWatermark,
    chosen,
  });

export const beacons = (round: number, nextSlot = 0, chosenWatermark = 0, queued = 0): Effect =>
  broadcast("learner", {
    type: "beacon",
    ballot: ballot(round),
    nextSlot,
    chosenWatermark,
    creditBytes: limits.queueBytesMax - queued,
    payloadBytesMax: null,
    gateway: null,
  });

export const chosenRange = (round: number, from: number, to: number, syncedBy: string[]) => ({
  ballot: ballot(round),
  from,
  to,
  syncedBy,
});

export const announces = (...ranges: ChosenRange[]): Effect =>
  broadcast("learner", { type: "chosen", ranges });

/** Ballot 1 and the promises it rests on: acceptor, chosen watermark, votes reported. */
export const basis = (
  start: number,
  ...held: readonly (readonly [number, number, readonly SlotVote[]])[]
): Basis => ({
  type: "basis",
  ballot: ballot(1),
  start,
  cutAt: null,
  promises: held.map(([n, chosenWatermark, votes]) => ({
    ...{ acceptor: `a${n}`, incarnation: 1, answer: 0, chosenWatermark },
    votes: votes.map(({ slot, ballot: at, digest: of }) => ({ slot, ballot: at, digest: of })),
  })),
});

export const tellsBasis = (...of: Parameters<typeof basis>): Effect =>
  broadcast("learner", basis(...of));

export const askBasis = (round: number, learner = "l1") =>
  heard({ type: "ask-basis", ballot: ballot(round) }, sender("learner", learner));

const MS: Record<string, number> = {
  beaconTime: limits.beaconMs,
  beaconPause: limits.beaconMs,
  retryDelay: limits.retryDelayMs,
};

export const set = (delay: string, state: string, delayMs = MS[delay] ?? 0): Effect =>
  timerSet(delay, `proposer.${state}`, delayMs);

export const cancelled = (delay: string, state: string): Effect =>
  timerCancelled(delay, `proposer.${state}`);

/** Later than `retryDelayMs`, and than what a leader without a quorum bears. */
export const LATE_MS = START_MS + limits.retryDelayMs;
export const LOST_MS = START_MS + 2 * limits.suspectMs;

/** Fires the leader's clock at a time. */
export function fireAt(bench: Bench, state: string, nowMs: number): readonly Effect[] {
  const delay = state === "leading" ? "beaconPause" : "beaconTime";
  return bench.take({ type: `xstate.after.${delay}.proposer.${state}`, nowMs });
}

// --- how it comes there -----------------------------------------------------------------------

export const fresh = (rest: Partial<RoleInput> = {}) =>
  new Bench(proposerMachine, roleInput({ id: "p1", ...rest }));

/** Named by an elector. */
export function asking(rest: Partial<RoleInput> = {}): Bench {
  const bench = fresh(rest);
  bench.take(hint("p1"));
  return bench;
}

/** Two of three acceptors have not heard a leader: ballot 1 is prepared. */
export function preparing(rest: Partial<RoleInput> = {}): Bench {
  const bench = asking(rest);
  bench.take(lastHeard(1, 1, null));
  bench.take(lastHeard(2, 1, null));
  return bench;
}

/** A quorum has promised ballot 1 and reported these votes. */
export function adopting(votes: readonly SlotVote[], rest: Partial<RoleInput> = {}): Bench {
  const bench = preparing(rest);
  bench.take(promise(1, ballot(1)));
  bench.take(promise(2, ballot(1), { votes }));
  return bench;
}

/** A quorum has promised ballot 1 and no vote was cast before. */
export const leading = (rest: Partial<RoleInput> = {}) => adopting([], rest);
