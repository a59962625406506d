/**
 * Evidence: what is known of a run, as plain facts for `invariants.ts` to judge.
 *
 * Why facts and not roles: monitors, the simulator, the explorer and tests know different halves of
 * a run, and judge them by the same words. A log and a single-decree key differ only in
 * {@link Instance}.
 */
import { type Ballot, compareBallots, formatBallot } from "../ballot.js";
import { isPhase2Quorum, type QuorumSystem } from "../quorum.js";

/** What one decision is about. */
export interface Instance {
  /** A single-decree key; null for the log. A promise covers one key, or every slot of the log. */
  readonly key: string | null;
  /** The slot of the log; 0 for a key. */
  readonly slot: number;
}

/** A value at a ballot. */
export interface BallotValue {
  readonly ballot: Ballot;
  readonly digest: string;
}

/** A proposal that a proposer issued: an accept request that left it. */
export interface IssuedProposal extends Instance, BallotValue {
  /** The promises it rests on, with the vote each reported; null if they are not known. */
  readonly reports: readonly PromiseReport[] | null;
}

/** What one acceptor's promise said of the instance. */
export interface PromiseReport {
  readonly acceptor: string;
  readonly vote: BallotValue | null;
}

/** A vote that an acceptor cast, durable. */
export interface CastVote extends Instance, BallotValue {
  readonly acceptor: string;
}

/** A request that reached an acceptor, and what it made of it. In the acceptor's order. */
export interface JudgedRequest {
  readonly acceptor: string;
  readonly key: string | null;
  readonly request: "prepare" | "accept";
  readonly ballot: Ballot;
  /**
   * - `yes`: promised or voted, durable, whether or not the answer left;
   * - `stale`: refused for a higher ballot;
   * - `ignored`: refused for any other reason, or left unanswered.
   */
  readonly answer: "yes" | "stale" | "ignored";
}

/** A look at what an acceptor remembers. In order of time. */
export interface AcceptorLook {
  readonly acceptor: string;
  readonly key: string | null;
  readonly promised: Ballot | null;
  /** Votes of slots below it may be forgotten: they are chosen. */
  readonly votesFrom: number;
  readonly votes: readonly ({ readonly slot: number } & BallotValue)[];
}

/** A value that somebody takes for chosen. */
export interface LearnedValue extends Instance, BallotValue {
  readonly by: string;
}

/** A value that somebody wishes for; a filler of holes counts as one. */
export interface Wish {
  readonly key: string | null;
  readonly digest: string;
}

/** What is known of a run. */
export interface Evidence {
  readonly quorums: QuorumSystem;
  readonly acceptors: readonly string[];
  readonly wishes: readonly Wish[];
  readonly proposals: readonly IssuedProposal[];
  readonly requests: readonly JudgedRequest[];
  readonly votes: readonly CastVote[];
  readonly looks: readonly AcceptorLook[];
  readonly learned: readonly LearnedValue[];
}

/** A chosen proposal and who voted for it. */
export interface ChosenProposal extends Instance, BallotValue {
  readonly voters: ReadonlySet<string>;
}

/**
 * Returns the chosen proposals, lowest ballot first. "A value is chosen when a single proposal with
 * that value has been accepted by a majority of the acceptors." (PMS §2.2)
 */
export function chosenProposals(evidence: Evidence): ChosenProposal[] {
  const tallies = new Map<string, CastVote & { voters: Set<string> }>();
  for (const vote of evidence.votes) {
    const id = proposalId(vote);
    const tally = tallies.get(id) ?? { ...vote, voters: new Set<string>() };
    tally.voters.add(vote.acceptor);
    tallies.set(id, tally);
  }
  return [...tallies.values()]
    .filter(({ voters }) => isPhase2Quorum(evidence.quorums, evidence.acceptors, voters))
    .sort((a, b) => compareBallots(a.ballot, b.ballot));
}

// --- names -----------------------------------------------------------------------------------

/** Names a key or the log, for maps. */
export function keyId(key: string | null): string {
  return key === null ? "log" : `key ${key}`;
}

/** Names what one promise of one acceptor covers, for maps. */
export function scopeId(acceptor: string, key: string | null): string {
  return `${acceptor} ${keyId(key)}`;
}

/** Names an instance, for maps. */
export function instanceId({ key, slot }: Instance): string {
  return `${keyId(key)} ${slot}`;
}

/** Names a proposal ⟨instance, ballot, value⟩, for maps. */
export function proposalId(fact: Instance & BallotValue): string {
  return `${instanceId(fact)} ${formatBallot(fact.ballot)} ${fact.digest}`;
}

/** Names an instance in a sentence. */
export function nameInstance({ key, slot }: Instance): string {
  return key === null ? `slot ${slot}` : `key ${JSON.stringify(key)}`;
}

/** Shows a ballot in a sentence. */
export function show(ballot: Ballot | null): string {
  return ballot === null ? "nothing" : `ballot ${formatBallot(ballot)}`;
}

/** Shows ⟨ballot, digest⟩ in a sentence. */
export function showVote({ ballot, digest }: BallotValue): string {
  return `⟨${formatBallot(ballot)}, ${digest}⟩`;
}
