/**
 * The proof of a chosen value, from evidence of a running cluster: the chain of the paper,
 *
 *   (1) the value is chosen
 *   ⇐ (2) a phase-2 quorum voted for ⟨ballot, value⟩, synced (PMS §2.2, phase 2(b))
 *   ⇐ (3) a phase-1 quorum promised the ballot; the value is that of the highest vote that they
 *         reported, or they reported none (PMS §2.2, phase 2(a), and P2c)
 *
 * Why evidence and not a rerun: whoever tells it (stores, learners, the leader) tells what it has
 * now. Votes of one ballot are replaced by those of a later one, promises are kept in memory alone;
 * what cannot be known any more is said, and what contradicts the chain is said too.
 */
import { invariant } from "../assert.js";
import { type Ballot, compareBallots, formatBallot, isLower, sameBallot } from "../ballot.js";
import {
  acceptorIds,
  type Cluster,
  configAt,
  formsPhase1Quorum,
  formsPhase2Quorum,
} from "../cluster.js";
import type { BallotValue } from "./evidence.js";

/** A learner's word that a value is chosen. */
export interface Learned extends BallotValue {
  readonly learner: string;
  /** The acceptors that voted for it, as the learner counted or was told. */
  readonly syncedBy: readonly string[];
}

/** What an acceptor's store holds of the slot, durable. */
export interface StoredVote {
  readonly acceptor: string;
  readonly incarnation: number;
  /** Synced transactions of the store when it was read. */
  readonly writeNumber: number;
  readonly promised: Ballot | null;
  /** Votes of slots below are forgotten. */
  readonly trimmed: number;
  readonly vote: BallotValue | null;
}

/** A promise of a ballot, and the vote it reported of the slot. */
export interface HeldPromise {
  readonly acceptor: string;
  readonly incarnation: number;
  readonly answer: number;
  readonly vote: BallotValue | null;
}

/** The promises of a ballot, as a learner or its leader kept them. */
export interface HeldBasis {
  readonly ballot: Ballot;
  readonly keptBy: string;
  /** The first slot that the ballot may propose in. */
  readonly start: number;
  /** Votes of this slot and above were left out; null: none was. */
  readonly cutAt: number | null;
  readonly promises: readonly HeldPromise[];
}

/** All that is known of a slot that somebody takes for chosen. */
export interface ProofEvidence {
  readonly slot: number;
  /** At least one; what the learners say. */
  readonly learned: readonly Learned[];
  readonly stored: readonly StoredVote[];
  readonly bases: readonly HeldBasis[];
}

/**
 * What an acceptor has to do with the votes of (2).
 *
 * - `voted`: its store holds the vote;
 * - `again`: its store holds a vote for the same value at a higher ballot, which replaced it if
 *   there was one;
 * - `before`: its store holds a vote for the same value at a lower ballot;
 * - `not`: its store holds no vote for the value;
 * - `forgotten`: its votes of such slots are trimmed, as chosen long ago;
 * - `silent`: it did not answer.
 */
export type VoteStanding = "voted" | "again" | "before" | "not" | "forgotten" | "silent";

/** An acceptor in (2). */
export interface ProofVote {
  readonly acceptor: string;
  readonly standing: VoteStanding;
  /** A learner names it as one that voted for the value. */
  readonly isTold: boolean;
  readonly stored: StoredVote | null;
}

/** The chain, as far as the evidence goes. */
export interface Proof extends BallotValue {
  readonly slot: number;
  readonly learned: readonly Learned[];
  /** (2), one for each acceptor of the descriptor. */
  readonly votes: readonly ProofVote[];
  /**
   * - `stores`: the stores hold the votes of a phase-2 quorum;
   * - `tally`: only with what a learner was told of them;
   * - null: there is no evidence of a quorum.
   */
  readonly votesFrom: "stores" | "tally" | null;
  /** (3); null if nobody keeps the promises of this ballot. */
  readonly basis: HeldBasis | null;
  /** The highest vote that the promises reported; null if none, or if it is not known. */
  readonly highest: BallotValue | null;
  /** What cannot be shown, one sentence each. */
  readonly missing: readonly string[];
  /** What contradicts the chain, one sentence each: a broken promise, a second value. */
  readonly contradictions: readonly string[];
}

/** Puts the chain together. Requires: somebody learned a value. */
export function prove(evidence: ProofEvidence, cluster: Cluster): Proof {
  const { slot, learned, stored } = evidence;
  invariant(learned.length > 0, "a proof is made of a slot that somebody learned");
  const { ballot, digest, votesFrom } = pickProposal(evidence, cluster);
  const votes = acceptorIds(cluster).map((acceptor) =>
    standingOf(acceptor, { ballot, digest }, evidence),
  );
  const missing: string[] = [];
  const contradictions = secondValues(evidence, { ballot, digest });
  for (const { acceptor, standing, isTold } of votes) {
    if (isTold && standing === "not") {
      contradictions.push(
        `${acceptor} is said to have voted for it, but its store holds no vote for it`,
      );
    }
  }
  if (votesFrom === null) {
    const who = votes.filter(({ standing }) => standing === "silent");
    const silent = who.map(({ acceptor }) => acceptor).join(", ");
    missing.push(
      "the votes of a phase-2 quorum at one ballot" +
        (silent === "" ? ": later votes have replaced some" : `: ${silent} did not answer`),
    );
  }
  const basis = pickBasis(evidence.bases, ballot, cluster);
  const highest = basis === null ? null : highestReport(basis);
  if (basis === null) {
    missing.push(
      `the promises of ballot ${formatBallot(ballot)} are not kept any more: no learner that ` +
        "runs now heard its leader say them (they are kept in memory alone)",
    );
  } else {
    judgeBasis(basis, { slot, ballot, digest }, cluster, { missing, contradictions });
    contradictions.push(...brokenPromises(basis, stored));
  }
  const chain = { slot, ballot, digest, learned, votes, votesFrom, basis, highest };
  return { ...chain, missing, contradictions };
}

/**
 * Picks the ballot at which the evidence shows most: the highest at which stores hold a quorum of
 * votes for the value; else one at which a tally that a learner knows names a quorum.
 */
function pickProposal(
  { slot, learned, stored }: ProofEvidence,
  cluster: Cluster,
): BallotValue & { readonly votesFrom: Proof["votesFrom"] } {
  const first = lowest(learned);
  const { digest } = first;
  const config = configAt(cluster, slot);
  const isQuorum = (ids: Iterable<string>) => formsPhase2Quorum(config, new Set(ids));
  const held = stored.flatMap(({ vote }) => (vote?.digest === digest ? [vote.ballot] : []));
  for (const ballot of held.sort((a, b) => compareBallots(b, a))) {
    const voters = stored.filter(({ vote }) => isVoteFor(vote, { ballot, digest }));
    if (isQuorum(voters.map(({ acceptor }) => acceptor))) {
      return { ballot, digest, votesFrom: "stores" };
    }
  }
  for (const { ballot, syncedBy } of learned) {
    // A learner that asked the acceptors may name some that voted for it at lower ballots.
    const isRefuted = stored.some(({ acceptor, vote, trimmed }) => {
      const isForgotten = vote === null && slot < trimmed;
      return syncedBy.includes(acceptor) && !isForgotten && isLower(vote?.ballot ?? null, ballot);
    });
    if (isQuorum(syncedBy) && !isRefuted) return { ballot, digest, votesFrom: "tally" };
  }
  return { ballot: first.ballot, digest, votesFrom: null };
}

function lowest(learned: readonly Learned[]): Learned {
  return learned.reduce((low, one) => (isLower(one.ballot, low.ballot) ? one : low));
}

function isVoteFor(vote: BallotValue | null, { ballot, digest }: BallotValue): boolean {
  return vote !== null && vote.digest === digest && sameBallot(vote.ballot, ballot);
}

function standingOf(
  acceptor: string,
  proposal: BallotValue,
  { slot, learned, stored }: ProofEvidence,
): ProofVote {
  const isTold = learned.some(
    ({ digest, syncedBy }) => digest === proposal.digest && syncedBy.includes(acceptor),
  );
  const found = stored.find((one) => one.acceptor === acceptor) ?? null;
  const base = { acceptor, isTold, stored: found };
  if (found === null) return { ...base, standing: "silent" };
  if (isVoteFor(found.vote, proposal)) return { ...base, standing: "voted" };
  if (found.vote === null && slot < found.trimmed) return { ...base, standing: "forgotten" };
  if (found.vote?.digest !== proposal.digest) return { ...base, standing: "not" };
  const isLater = isLower(proposal.ballot, found.vote.ballot);
  return { ...base, standing: isLater ? "again" : "before" };
}

/** P2 and P2b: no learner knows another value, no store a vote for one at this ballot or above. */
function secondValues({ learned, stored }: ProofEvidence, proposal: BallotValue): string[] {
  const learners = learned
    .filter(({ digest }) => digest !== proposal.digest)
    .map(({ learner, digest }) => `${learner} takes another value for chosen: ${digest}`);
  const voters = stored
    .filter(({ vote }) => vote !== null && vote.digest !== proposal.digest)
    .filter(({ vote }) => !isLower(vote?.ballot ?? null, proposal.ballot))
    .map(({ acceptor, vote }) => {
      const at = formatBallot((vote as BallotValue).ballot);
      return `${acceptor} voted for another value at ballot ${at}, which is not lower`;
    });
  return [...learners, ...voters];
}

/** The kept basis of a ballot; one that is a quorum before one that is not. */
function pickBasis(
  bases: readonly HeldBasis[],
  ballot: Ballot,
  cluster: Cluster,
): HeldBasis | null {
  const kept = bases.filter((one) => sameBallot(one.ballot, ballot));
  return kept.find((one) => isQuorumOfPromises(one, cluster)) ?? kept[0] ?? null;
}

function isQuorumOfPromises({ start, promises }: HeldBasis, cluster: Cluster): boolean {
  const present = new Set(promises.map(({ acceptor }) => acceptor));
  return formsPhase1Quorum(configAt(cluster, start), present);
}

function highestReport({ promises }: HeldBasis): BallotValue | null {
  return promises.reduce<BallotValue | null>((high, { vote }) => {
    return vote !== null && isLower(high?.ballot ?? null, vote.ballot) ? vote : high;
  }, null);
}

function judgeBasis(
  basis: HeldBasis,
  { slot, ballot, digest }: BallotValue & { readonly slot: number },
  cluster: Cluster,
  found: { readonly missing: string[]; readonly contradictions: string[] },
): void {
  const at = formatBallot(ballot);
  if (!isQuorumOfPromises(basis, cluster)) {
    found.contradictions.push(`the promises of ballot ${at} are no phase-1 quorum`);
  }
  if (slot < basis.start) {
    found.contradictions.push(`ballot ${at} may propose from slot ${basis.start} on only`);
  }
  if (basis.cutAt !== null && slot >= basis.cutAt) {
    found.missing.push(
      `the votes that the promises of ballot ${at} reported of this slot: of slots from ` +
        `${basis.cutAt} on they were too many to be kept`,
    );
    return;
  }
  const highest = highestReport(basis);
  if (highest !== null && highest.digest !== digest) {
    const lower = formatBallot(highest.ballot);
    found.contradictions.push(
      `the highest vote reported to ballot ${at} is for another value, at ${lower}`,
    );
  }
}

/** P1a: whoever promised a ballot has not promised a lower one since. */
function brokenPromises(basis: HeldBasis, stored: readonly StoredVote[]): string[] {
  const promisers = new Set(basis.promises.map(({ acceptor }) => acceptor));
  return stored
    .filter(({ acceptor, promised }) => {
      return promisers.has(acceptor) && isLower(promised, basis.ballot);
    })
    .map(({ acceptor }) => {
      return `${acceptor} promised ballot ${formatBallot(basis.ballot)}, but its store forgot it`;
    });
}
