/**
 * The basis of a ballot: which promises its proposals rest on, and which votes those reported.
 *
 * Paper: PMS §2.2, P2c: a proposal ⟨n, v⟩ is issued only if there is "a set S consisting of a
 * majority of acceptors such that either (a) no acceptor in S has accepted any proposal numbered
 * less than n, or (b) v is the value of the highest-numbered proposal among all proposals numbered
 * less than n accepted by the acceptors in S". The basis is that S, kept after phase 1 so that
 * `synod prove` can show it. Nothing that protects safety reads it.
 */
import { type Ballot, ballotProposer, formatBallot } from "../ballot.js";
import type { Basis, SlotVote } from "../wire/messages.js";

/** Votes that one basis names, at most; beyond it, those of the highest slots are left out. */
export const BASIS_VOTES_MAX = 1024;
/** Ballots whose basis a learner keeps; the one it heard of first goes first. */
export const BASES_MAX = 64;

/** A complete promise, as far as a basis speaks of it. */
export interface BasisPromise {
  readonly incarnation: number;
  readonly answer: number;
  readonly chosenWatermark: number;
  readonly votes: readonly SlotVote[];
}

/**
 * Sums up the promises of a ballot, without values.
 *
 * @param start the first slot that the ballot may propose in
 *
 * Limits: {@link BASIS_VOTES_MAX} votes, about 100 bytes each; `cutAt` says where they end.
 */
export function makeBasis(
  ballot: Ballot,
  start: number,
  promises: ReadonlyMap<string, BasisPromise>,
): Basis {
  const slots = [...promises.values()]
    .flatMap(({ votes }) => votes.map(({ slot }) => slot))
    .filter((slot) => slot >= start)
    .sort((a, b) => a - b);
  const cutAt = slots[BASIS_VOTES_MAX] ?? null;
  const isKept = ({ slot }: SlotVote) => slot >= start && (cutAt === null || slot < cutAt);
  return {
    type: "basis",
    ballot,
    start,
    cutAt,
    promises: [...promises].map(([acceptor, { incarnation, answer, chosenWatermark, votes }]) => ({
      acceptor,
      incarnation,
      answer,
      chosenWatermark,
      votes: votes.filter(isKept).map(({ slot, ballot: at, digest }) => ({
        slot,
        ballot: at,
        digest,
      })),
    })),
  };
}

/** Bases by the name of their ballot, the one heard of first in front. */
export type Bases = Map<string, Basis>;

/** Says whether the basis of a ballot is known. */
export function hasBasis(bases: Bases, ballot: Ballot): boolean {
  return bases.has(formatBallot(ballot));
}

/** Keeps a basis that comes from the proposer that owns the ballot; the first of a ballot stays. */
export function noteBasis(bases: Bases, from: string, basis: Basis): void {
  if (ballotProposer(basis.ballot) !== from || hasBasis(bases, basis.ballot)) return;
  bases.set(formatBallot(basis.ballot), basis);
  if (bases.size <= BASES_MAX) return;
  for (const oldest of bases.keys()) {
    bases.delete(oldest);
    break;
  }
}
