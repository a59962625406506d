/**
 * Ballots that jump: how far a proposer follows a round, how it comes back from one that no quorum
 * can follow, and how an acceptor catches up.
 *
 * Paper: none. PMS §2.2 lets an acceptor ignore any request; ours refuse a ballot more than
 * `roundJumpMax` rounds above the one they promised, so that no single message uses up the rounds.
 */

import { invariant } from "../assert.js";
import { type Ballot, followRound, sameBallot } from "../ballot.js";
import {
  acceptorIds,
  type Cluster,
  type Configuration,
  configAt,
  formsPhase1Quorum,
} from "../cluster.js";
import type { Limits } from "../limits.js";
import type { Accept, KeyAccept, KeyPrepare, Nack, Prepare } from "../wire/messages.js";
import type { AcceptorState } from "./acceptor.js";
import type { ProposerState } from "./proposer.js";

/** Says whether the acceptors that did not refuse a ballot as a jump form no phase-1 quorum. */
export function isRefusedByJump(refusers: ReadonlySet<string>, config: Configuration): boolean {
  const rest = new Set(acceptorIds(config).filter((id) => !refusers.has(id)));
  return refusers.size > 0 && !formsPhase1Quorum(config, rest);
}

/**
 * Returns the round above which a proposer begins its next ballot.
 *
 * @param used the round that was refused
 * @param least no lower one: the highest round in which this life proposed is not begun again
 * @param promised rounds that the refusing acceptors promised; one above `used` is no jump's
 */
export function roundToGoBackTo(used: number, least: number, promised: Iterable<number>): number {
  return Math.max(least, ...[...promised].filter((round) => round < used));
}

/** Follows a round that a message names, within bounds. */
export function noteRound(state: ProposerState, round: number, limits: Limits): void {
  const { highestRound, usedRound } = state;
  state.highestRound = followRound(highestRound, usedRound, round, limits.roundJumpMax);
}

/** Says whether a ballot jumps so far above what it used that it follows no such leader. */
export function isFarAbove(state: ProposerState, ballot: Ballot, limits: Limits): boolean {
  return ballot.round > state.usedRound + limits.roundJumpMax;
}

/** Notes a refusal of this ballot as too far above the round that the acceptor promised. */
export function noteJumpRefusal(state: ProposerState, acceptor: string, refusal: Nack): void {
  if (refusal.reason !== "round_jump" || !sameBallot(refusal.ballot, state.ballot)) return;
  state.jumpRefusals.set(acceptor, refusal.promised?.round ?? 0);
}

/**
 * Says whether so many acceptors refused this ballot as a jump that the rest form no phase-1
 * quorum.
 *
 * Why not with the first refusal: an acceptor that was away for long refuses what others promise.
 */
export function jumpEndsBallot(state: ProposerState, cluster: Cluster): boolean {
  return isRefusedByJump(new Set(state.jumpRefusals.keys()), configAt(cluster, state.fromSlot));
}

/**
 * Goes back from a ballot that was refused as a jump to the rounds that the acceptors promised.
 *
 * Holds: no ballot in which this life proposed is begun again.
 */
export function goBack(state: ProposerState): void {
  const round = roundToGoBackTo(state.usedRound, state.proposedRound, state.jumpRefusals.values());
  invariant(round >= state.proposedRound, "a proposer does not go back below what it proposed in");
  state.highestRound = round;
  state.usedRound = round;
}

/**
 * Allows the ballots that follow to jump together by `roundJumpMax` more.
 *
 * Why: acceptors whose promises have drifted apart by more than a jump would have no ballot that
 * all of a quorum can promise. A proposer that asks again catches this one up. A forger gains
 * nothing: each of its messages moves an acceptor by one jump, as a prepare within bounds does.
 */
export function noteJump(state: AcceptorState, limits: Limits): void {
  state.jumpSlack = Math.min(state.jumpSlack + limits.roundJumpMax, Number.MAX_SAFE_INTEGER);
}

/** Takes what a ballot jumps beyond `roundJumpMax` off what {@link noteJump} allowed. */
export function spendJump(
  state: AcceptorState,
  message: Prepare | Accept | KeyPrepare | KeyAccept,
  { roundJumpMax }: Limits,
): void {
  const promised = "key" in message ? state.keys.get(message.key)?.promised : state.promised;
  const beyond = message.ballot.round - (promised?.round ?? 0) - roundJumpMax;
  state.jumpSlack -= Math.max(0, beyond);
  invariant(state.jumpSlack >= 0, "a ballot jumps no further than refusals allowed");
}
