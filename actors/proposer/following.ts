/** Which leader a proposer follows, and when a hint against that leader is out of date. */
import type { Inbound } from "../../src/kernel/role.js";
import { type Ballot, isLower } from "../../src/paxos/ballot.js";
import { dropOpen } from "../../src/paxos/consensus/proposer.js";
import { isFarAbove, noteRound } from "../../src/paxos/consensus/round-jump.js";
import type { Beacon, Hint, LastHeard, Sender } from "../../src/paxos/wire/messages.js";
import type { ProposerContext } from "./context.js";

/**
 * A hint against a ballot that was replaced meanwhile is out of date, unless the leader of the new
 * one is silent.
 */
export function isCurrent(
  { leader, cluster }: ProposerContext,
  hint: Hint,
  nowMs: number,
): boolean {
  if (leader === null || !isLower(hint.suspects, leader.ballot)) return true;
  return nowMs - leader.heardMs > 2 * cluster.limits.suspectMs;
}

/** Says whether a beacon's ballot is higher than its own, by no more than a round may jump. */
export function isOutrankedBy({ data, cluster }: ProposerContext, ballot: Ballot): boolean {
  return isLower(data.ballot, ballot) && !isFarAbove(data, ballot, cluster.limits);
}

/** Follows a beacon: its round within bounds, and its sender, unless a higher ballot is known. */
export function follow(
  { data, cluster, leader }: ProposerContext,
  from: Sender,
  { ballot }: Beacon,
  nowMs: number,
): ProposerContext["leader"] {
  noteRound(data, ballot.round, cluster.limits);
  if (isFarAbove(data, ballot, cluster.limits)) return leader;
  if (leader !== null && isLower(ballot, leader.ballot)) return leader;
  return { id: from.id, ballot, heardMs: nowMs };
}

/**
 * How often one question is asked, each `beaconMs`: for as long as an elector names one candidate.
 * A question of one interval has no answer where a round trip takes longer.
 */
const ASKS_MAX = 4;

/**
 * Asks the open question once more, or opens another: what was answered to the one before does not
 * count for it.
 *
 * @param hint names this proposer now; null: it asks again, and has waited since it was named
 */
export function ask(
  { question, asks }: ProposerContext,
  hint: Inbound<Hint> | null,
): Partial<ProposerContext> {
  if (hint === null && asks < ASKS_MAX) return { asks: asks + 1 };
  const next = { question: question + 1, answers: new Map<string, LastHeard>(), asks: 1 };
  if (hint === null) return next;
  return { ...next, namedBy: hint.received[0]?.from.id ?? null, sinceMs: hint.nowMs };
}

/** Takes acceptors' answers to the question that is open. */
export function answersWith(
  { answers, question, data, cluster }: ProposerContext,
  received: readonly { readonly from: Sender; readonly message: LastHeard }[],
): ReadonlyMap<string, LastHeard> {
  const taken = new Map(answers);
  for (const { from, message } of received) {
    if (message.question !== question) continue;
    taken.set(from.id, message);
    noteRound(data, message.promised?.round ?? 0, cluster.limits);
  }
  return taken;
}

/** Hands over: what is open is left to the next leader's phase 1. */
export function stepAside({ data }: ProposerContext, nowMs: number): Partial<ProposerContext> {
  dropOpen(data);
  return { steppedAsideMs: nowMs };
}
