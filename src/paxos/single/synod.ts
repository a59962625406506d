/**
 * The single-decree proposer's rules: phases 1 and 2 for one value, as in the paper's section 2.
 *
 * The chain that makes it safe, each link a predicate in `invariants.ts`:
 *   a value is chosen ⇐ a phase-2 quorum voted for ⟨ballot, value⟩
 *   ⇐ that ballot's proposer held promises of a phase-1 quorum, and `value` is that of the
 *     highest-numbered vote they reported, or its own if they reported none (P2c).
 */
import { invariant } from "../assert.js";
import { type Ballot, compareBallots, isLower, nextBallot, sameBallot } from "../ballot.js";
import {
  acceptorIds,
  type Cluster,
  configOfKeys,
  formsPhase1Quorum,
  formsPhase2Quorum,
} from "../cluster.js";
import { digest } from "../digest.js";
import type { KeyAccepted, KeyNack, KeyPromise, Vote } from "../wire/messages.js";

/** What a proposer knows of one ballot of one key. */
export interface SynodAttempt {
  readonly ballot: Ballot;
  /** Acceptors that promised this ballot, with the vote each reported. */
  readonly promises: ReadonlyMap<string, Vote | null>;
  /** What it proposes in phase 2; null before. */
  readonly proposed: Vote | null;
  /** Acceptors that voted for `proposed`. */
  readonly voters: ReadonlySet<string>;
  /** Acceptors that refused the ballot as a jump, with the round that each promised. */
  readonly jumpRefusals: ReadonlyMap<string, number>;
}

/** Begins an attempt with a ballot above every round seen, which was not begun before. */
export function beginAttempt(
  owner: string,
  highestRound: number,
  begun: ReadonlySet<number>,
): SynodAttempt {
  let ballot = nextBallot(owner, highestRound);
  while (begun.has(ballot.round)) {
    invariant(ballot.round < Number.MAX_SAFE_INTEGER, "there is a round above each that was begun");
    ballot = nextBallot(owner, ballot.round);
  }
  return {
    ballot,
    promises: new Map(),
    proposed: null,
    voters: new Set(),
    jumpRefusals: new Map(),
  };
}

/** Counts a promise if it is one for this ballot; a repeat counts once. */
export function countPromise(
  attempt: SynodAttempt,
  acceptor: string,
  promise: KeyPromise,
): SynodAttempt {
  if (!sameBallot(promise.ballot, attempt.ballot)) return attempt;
  return { ...attempt, promises: new Map(attempt.promises).set(acceptor, promise.vote) };
}

/** Says whether a phase-1 quorum has promised. */
export function promisesFormQuorum(attempt: SynodAttempt, cluster: Cluster): boolean {
  const present = new Set(attempt.promises.keys());
  return formsPhase1Quorum(configOfKeys(cluster), present);
}

/** Returns the highest-numbered vote among those reported, or null if none was. */
export function highestVote(votes: Iterable<Vote | null>): Vote | null {
  let highest: Vote | null = null;
  for (const vote of votes) {
    if (vote === null) continue;
    if (highest === null || compareBallots(vote.ballot, highest.ballot) > 0) highest = vote;
  }
  return highest;
}

/**
 * Picks the value of phase 2.
 *
 * Paper: PMS §2.2, phase 2(a): "where v is the value of the highest-numbered proposal among the
 * responses, or is any value if the responses reported no proposals".
 *
 * @param own what this proposer would like; null if it only asks
 * @returns the proposal at this ballot, or null if nothing was voted for and nothing is wished
 *
 * Requires: {@link promisesFormQuorum}.
 */
export function pickValue(
  attempt: SynodAttempt,
  own: Uint8Array | null,
  cluster: Cluster,
): Vote | null {
  invariant(promisesFormQuorum(attempt, cluster), "phase 2 begins with a phase-1 quorum");
  const reported = highestVote(attempt.promises.values());
  const value = reported === null ? own : reported.value;
  if (value === null) return null;
  return { ballot: attempt.ballot, value, digest: reported?.digest ?? digest(value) };
}

/** Counts a vote if it is one for this attempt's proposal; one acceptor counts once. */
export function countVote(
  attempt: SynodAttempt,
  acceptor: string,
  accepted: KeyAccepted,
): SynodAttempt {
  const proposed = attempt.proposed;
  if (proposed === null || !sameBallot(accepted.ballot, attempt.ballot)) return attempt;
  if (accepted.digest !== proposed.digest) return attempt;
  return { ...attempt, voters: new Set(attempt.voters).add(acceptor) };
}

/** Says whether a phase-2 quorum has voted: the value is chosen. */
export function votesFormQuorum(attempt: SynodAttempt, cluster: Cluster): boolean {
  return formsPhase2Quorum(configOfKeys(cluster), attempt.voters);
}

/**
 * Says whether a read can end without phase 2: a phase-2 quorum reported one and the same vote, so
 * its value is chosen already.
 *
 * @returns that vote and who reported it, or null
 */
export function alreadyChosen(
  attempt: SynodAttempt,
  cluster: Cluster,
): { readonly vote: Vote; readonly syncedBy: readonly string[] } | null {
  const highest = highestVote(attempt.promises.values());
  if (highest === null) return null;
  const syncedBy = new Set<string>();
  for (const [acceptor, vote] of attempt.promises) {
    if (vote !== null && sameBallot(vote.ballot, highest.ballot)) syncedBy.add(acceptor);
  }
  if (!formsPhase2Quorum(configOfKeys(cluster), syncedBy)) return null;
  return { vote: highest, syncedBy: [...syncedBy] };
}

/** Says whether a refusal means that a higher ballot than ours is promised: give this one up. */
export function isPreempted(attempt: SynodAttempt, nack: KeyNack): boolean {
  return sameBallot(nack.ballot, attempt.ballot) && isLower(attempt.ballot, nack.promised);
}

/** Notes a refusal of the ballot as too far above the round that the acceptor promised. */
export function noteJumpRefusal(
  attempt: SynodAttempt,
  acceptor: string,
  nack: KeyNack,
): SynodAttempt {
  if (nack.reason !== "round_jump" || !sameBallot(nack.ballot, attempt.ballot)) return attempt;
  const promised = nack.promised?.round ?? 0;
  return { ...attempt, jumpRefusals: new Map(attempt.jumpRefusals).set(acceptor, promised) };
}

/**
 * Says whether no new key can be decided: the acceptors that have room for one form no phase-1
 * quorum. One that refuses alone proves nothing: the key may be decided without it.
 */
export function keysAreExhausted(full: ReadonlySet<string>, cluster: Cluster): boolean {
  const config = configOfKeys(cluster);
  const rest = new Set(acceptorIds(config).filter((id) => !full.has(id)));
  return !formsPhase1Quorum(config, rest);
}

/**
 * Says whether a proposed value can get no further: the acceptors that have room for it form no
 * phase-2 quorum.
 */
export function valueFindsNoRoom(full: ReadonlySet<string>, cluster: Cluster): boolean {
  const config = configOfKeys(cluster);
  const rest = new Set(acceptorIds(config).filter((id) => !full.has(id)));
  return !formsPhase2Quorum(config, rest);
}
