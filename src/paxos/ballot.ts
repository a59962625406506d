/**
 * Ballots: the totally ordered names of proposers' attempts.
 *
 * Paper: PMS §2.2 "different proposals have different numbers"; the paper's number *n* is our
 * ballot. A ballot is a pair, so that no two proposers ever draw the same one: the round orders
 * attempts, the owner tells them apart.
 */

/** ⟨round, owner⟩. `owner` is `<proposer>.<nonce>`: 64 random bits drawn at every start. */
export interface Ballot {
  /** Integer, 1 … 2^53 − 1. */
  readonly round: number;
  /** `<proposer>.<16 hexadecimal digits>`; ASCII, at most 81 characters. */
  readonly owner: string;
}

/**
 * Orders two ballots by round, then by the owner's bytes.
 *
 * @returns negative if `a` is lower, 0 if they are the same ballot, positive if `a` is higher
 *
 * Details: owners are ASCII, so comparing UTF-16 units compares bytes.
 */
export function compareBallots(a: Ballot, b: Ballot): number {
  if (a.round !== b.round) return a.round - b.round;
  return a.owner < b.owner ? -1 : a.owner > b.owner ? 1 : 0;
}

/** Says whether both are the same ballot; two absent ballots are the same. */
export function sameBallot(a: Ballot | null, b: Ballot | null): boolean {
  if (a === null || b === null) return a === b;
  return a.round === b.round && a.owner === b.owner;
}

/** Says whether `a` is lower than `b`; no ballot at all is lower than every ballot. */
export function isLower(a: Ballot | null, b: Ballot | null): boolean {
  if (b === null) return false;
  return a === null || compareBallots(a, b) < 0;
}

/** Returns the higher of two ballots, either of which may be absent. */
export function higherBallot(a: Ballot | null, b: Ballot | null): Ballot | null {
  return isLower(a, b) ? b : a;
}

/**
 * Returns the owner's next ballot: one round above the highest round it has seen or used.
 *
 * Paper: PMS §2.5 "each proposer remembers (in stable storage) the highest-numbered proposal it
 * has tried to issue, and begins phase 1 with a higher proposal number than any it has already
 * used". Differs: the owner's nonce already keeps ballots apart across restarts, so the round that
 * is kept on disk only keeps rounds from starting over.
 *
 * Limits: 2^53 − 1. Acceptors refuse that as a jump, and their refusal leads back down.
 */
export function nextBallot(owner: string, highestRound: number): Ballot {
  return { round: Math.min(highestRound + 1, Number.MAX_SAFE_INTEGER), owner };
}

/**
 * Takes a round that a message names: a proposer follows it upwards, at most `roundJumpMax` above
 * the highest round that it used itself.
 *
 * Why bounded: acceptors refuse a ballot that jumps further above the one they promised. A proposer
 * that believed a single forged or flipped 2^53 − 1 could never get a promise again. An honest
 * laggard that is further behind catches up by as much with each ballot.
 *
 * @param highest the highest round seen or used so far
 * @param used the highest round that the proposer used itself
 */
export function followRound(
  highest: number,
  used: number,
  heard: number,
  roundJumpMax: number,
): number {
  return Math.max(highest, Math.min(heard, used + roundJumpMax));
}

/** Makes the owner part of a ballot from a proposer's id and 64 random bits in hexadecimal. */
export function ballotOwner(proposer: string, nonce: string): string {
  return `${proposer}.${nonce}`;
}

/** Returns the id of the proposer that owns the ballot: what stands before the first dot. */
export function ballotProposer(ballot: Ballot): string {
  const dot = ballot.owner.indexOf(".");
  return dot < 0 ? ballot.owner : ballot.owner.slice(0, dot);
}

/** Writes a ballot as people and headers see it: `<round>.<proposer>.<nonce>`. */
export function formatBallot(ballot: Ballot): string {
  return `${ballot.round}.${ballot.owner}`;
}
