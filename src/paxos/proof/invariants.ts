/**
 * The invariants of the paper, as predicates over what is known of a run.
 *
 * Paper: PMS §2.1 and §2.2, in the order in which they imply each other:
 *   agreement ⇐ P2 ⇐ P2a ⇐ P2b ⇐ P2c,   P1 ⇐ P1a.
 *
 * Each predicate takes the same {@link Evidence} and returns null, or one sentence that names the
 * violation with the facts that show it.
 *
 * Gotcha: evidence may be partial. A missing fact can only hide a violation, except that some need
 * to see everything of a kind, and who cannot show it does not ask them: P1 and P1a every request
 * of the acceptors shown, P2c and `learnedIsChosen` every vote, `votesWereProposed` every proposal,
 * `validity` every wish.
 *
 * Cost: O(facts) for a fixed set of acceptors, and a sort where ballots are compared.
 */
import { type Ballot, compareBallots, isLower, sameBallot } from "../ballot.js";
import { isPhase1Quorum } from "../quorum.js";
import {
  type AcceptorLook,
  type BallotValue,
  type ChosenProposal,
  chosenProposals,
  type Evidence,
  type Instance,
  instanceId,
  keyId,
  nameInstance,
  proposalId,
  scopeId,
  show,
  showVote,
} from "./evidence.js";

/** An invariant: null, or the sentence that says how it is broken. */
export type Invariant = (evidence: Evidence) => string | null;

// --- the acceptor's side ---------------------------------------------------------------------

/**
 * P1. "An acceptor must accept the first proposal that it receives." (PMS §2.2)
 *
 * Details: first means that nothing of that key or of the log came before, prepares included.
 */
export const p1: Invariant = ({ requests }) => {
  const seen = new Set<string>();
  for (const { acceptor, key, request, ballot, answer } of requests) {
    const id = scopeId(acceptor, key);
    if (!seen.has(id) && request === "accept" && answer === "stale") {
      return `P1: ${acceptor} refused ${show(ballot)} as stale, the first request it received`;
    }
    seen.add(id);
  }
  return null;
};

/**
 * P1a. "An acceptor can accept a proposal numbered n iff it has not responded to a prepare request
 * having a number greater than n." (PMS §2.2)
 *
 * Differs: a vote counts as a response to a prepare of its ballot (`acceptor.ts` raises the promise
 * with it), and `ignored` is allowed: "an acceptor can ignore any request without compromising
 * safety".
 */
export const p1a: Invariant = ({ requests }) => {
  const highest = new Map<string, Ballot>();
  for (const { acceptor, key, request, ballot, answer } of requests) {
    const id = scopeId(acceptor, key);
    const promised = highest.get(id) ?? null;
    const mayAccept = !isLower(ballot, promised);
    if (request === "accept" && answer === "yes" && !mayAccept) {
      return `P1a: ${acceptor} accepted ${show(ballot)} after it had promised ${show(promised)}`;
    }
    if (request === "accept" && answer === "stale" && mayAccept) {
      return `P1a: ${acceptor} refused ${show(ballot)} as stale, having promised ${show(promised)}`;
    }
    if (answer === "yes" && mayAccept) highest.set(id, ballot);
  }
  return null;
};

/**
 * A promise never falls. "A promise never again to accept a proposal numbered less than n" (PMS
 * §2.2), kept "even if it fails and then restarts"; and no vote stands above it.
 */
export const promisesNeverFall: Invariant = ({ looks }) => {
  const before = new Map<string, Ballot | null>();
  for (const { acceptor, key, promised, votes } of looks) {
    const id = scopeId(acceptor, key);
    const last = before.get(id) ?? null;
    if (isLower(promised, last)) {
      return `promise: ${acceptor} fell from ${show(last)} to ${show(promised)}`;
    }
    const above = votes.find((vote) => isLower(promised, vote.ballot));
    if (above !== undefined) {
      return `promise: ${acceptor} voted ${show(above.ballot)} but promised ${show(promised)} only`;
    }
    before.set(id, promised);
  }
  return null;
};

/**
 * A vote never goes to a lower ballot, changes its value or vanishes. "An acceptor must remember
 * this information even if it fails and then restarts." (PMS §2.2)
 */
export const votesNeverFall: Invariant = ({ looks }) => {
  const before = new Map<string, AcceptorLook>();
  for (const look of looks) {
    const { acceptor, key, votesFrom } = look;
    const id = scopeId(acceptor, key);
    const now = new Map(look.votes.map((vote) => [vote.slot, vote]));
    for (const old of before.get(id)?.votes ?? []) {
      const vote = now.get(old.slot);
      const where = nameInstance({ key, slot: old.slot });
      if (vote === undefined && old.slot >= votesFrom) {
        return `vote: ${acceptor} forgot that it voted ${showVote(old)} in ${where}`;
      }
      if (vote !== undefined && isLower(vote.ballot, old.ballot)) {
        return `vote: ${acceptor} went from ${showVote(old)} to ${showVote(vote)} in ${where}`;
      }
      if (vote !== undefined && sameBallot(vote.ballot, old.ballot) && vote.digest !== old.digest) {
        return `vote: ${acceptor} changed ${showVote(old)} to ${showVote(vote)} in ${where}`;
      }
    }
    before.set(id, look);
  }
  return null;
};

// --- the proposer's side ---------------------------------------------------------------------

/**
 * One value for each ⟨ballot, instance⟩. "To prevent confusion, we require that different proposals
 * have different numbers." (PMS §2.2)
 */
export const oneValuePerBallot: Invariant = ({ proposals, votes, learned }) => {
  const values = new Map<string, string>();
  for (const fact of [...proposals, ...votes, ...learned]) {
    const id = `${instanceId(fact)} ${show(fact.ballot)}`;
    const digest = values.get(id);
    if (digest !== undefined && digest !== fact.digest) {
      const where = `${show(fact.ballot)} of ${nameInstance(fact)}`;
      return `one value: ${where} stands for ${digest} and for ${fact.digest}`;
    }
    values.set(id, fact.digest);
  }
  return null;
};

/**
 * Votes go to proposals. "A proposal must be issued by a proposer before it can be accepted by an
 * acceptor" (PMS §2.2): what makes P2b imply P2a.
 */
export const votesWereProposed: Invariant = ({ proposals, votes }) => {
  const issued = new Set(proposals.map(proposalId));
  const stray = votes.find((vote) => !issued.has(proposalId(vote)));
  if (stray === undefined) return null;
  const what = `${showVote(stray)} in ${nameInstance(stray)}`;
  return `vote: ${stray.acceptor} voted ${what}, which nobody proposed`;
};

/**
 * Phase 2(a). "v is the value of the highest-numbered proposal among the responses, or is any value
 * if the responses reported no proposals" (PMS §2.2), and the responses come from a phase-1 quorum.
 *
 * Why beside P2c: it needs only what the proposer itself knows, so that a monitor can ask it there.
 */
export const phase2a: Invariant = ({ proposals, acceptors, quorums }) => {
  for (const proposal of proposals) {
    const { reports } = proposal;
    if (reports === null) continue;
    const what = `phase 2a: ${showVote(proposal)} of ${nameInstance(proposal)}`;
    if (!isPhase1Quorum(quorums, acceptors, new Set(reports.map(({ acceptor }) => acceptor)))) {
      return `${what} rests on {${reports.map(({ acceptor }) => acceptor).join(", ")}}, no quorum`;
    }
    let highest: BallotValue | null = null;
    for (const { vote } of reports) {
      if (vote !== null && isLower(highest?.ballot ?? null, vote.ballot)) highest = vote;
    }
    if (highest !== null && highest.digest !== proposal.digest) {
      return `${what}, but the highest vote reported was ${showVote(highest)}`;
    }
  }
  return null;
};

/**
 * P2c. "For any v and n, if a proposal with value v and number n is issued, then there is a set S
 * consisting of a majority of acceptors such that either (a) no acceptor in S has accepted any
 * proposal numbered less than n, or (b) v is the value of the highest-numbered proposal among all
 * proposals numbered less than n accepted by the acceptors in S." (PMS §2.2)
 *
 * Differs: S is a phase-1 quorum.
 *
 * Details: facts are swept by ballot. Below n each acceptor has a highest vote, or none. A set for
 * (b) has its highest vote at some m with value v; all acceptors at or below m make the largest
 * such set, and the highest m of value v the largest of those, so it alone is tried.
 */
export const p2c: Invariant = ({ proposals, votes, acceptors, quorums }) => {
  const sweep = [
    ...votes.map((fact) => ({ fact, acceptor: fact.acceptor })),
    ...proposals.map((fact) => ({ fact, acceptor: null })),
  ].sort(
    (a, b) =>
      compareBallots(a.fact.ballot, b.fact.ballot) ||
      Number(a.acceptor !== null) - Number(b.acceptor !== null),
  );
  const instances = new Map<string, Map<string, BallotValue>>();
  for (const { fact, acceptor } of sweep) {
    const id = instanceId(fact);
    const highest = instances.get(id) ?? new Map<string, BallotValue>();
    instances.set(id, highest);
    if (acceptor !== null) {
      highest.set(acceptor, fact);
      continue;
    }
    let best: Ballot | null = null;
    for (const vote of highest.values()) {
      if (vote.digest === fact.digest && isLower(best, vote.ballot)) best = vote.ballot;
    }
    const set = acceptors.filter((one) => !isLower(best, highest.get(one)?.ballot ?? null));
    if (isPhase1Quorum(quorums, acceptors, new Set(set))) continue;
    const below = [...highest].map(([one, vote]) => `${one} ${showVote(vote)}`).join(", ");
    return `P2c: no quorum allows ${showVote(fact)} in ${nameInstance(fact)}: below are ${below}`;
  }
  return null;
};

// --- what follows ----------------------------------------------------------------------------

/**
 * P2. "If a proposal with value v is chosen,
 * then every higher-numbered proposal that is chosen has value v." (PMS §2.2)
 */
export const p2: Invariant = (evidence) =>
  contradiction(evidence, "P2", "was chosen too", chosenProposals(evidence));

/**
 * P2a. "If a proposal with value v is chosen,
 * then every higher-numbered proposal accepted by any acceptor has value v." (PMS §2.2)
 */
export const p2a: Invariant = (evidence) =>
  contradiction(evidence, "P2a", "was accepted", evidence.votes);

/**
 * P2b. "If a proposal with value v is chosen,
 * then every higher-numbered proposal issued by any proposer has value v." (PMS §2.2)
 */
export const p2b: Invariant = (evidence) =>
  contradiction(evidence, "P2b", "was issued", evidence.proposals);

function contradiction(
  evidence: Evidence,
  name: string,
  what: string,
  facts: readonly (Instance & BallotValue)[],
): string | null {
  const lowest = new Map<string, ChosenProposal>();
  for (const chosen of chosenProposals(evidence)) {
    if (!lowest.has(instanceId(chosen))) lowest.set(instanceId(chosen), chosen);
  }
  for (const fact of facts) {
    const chosen = lowest.get(instanceId(fact));
    if (chosen === undefined || chosen.digest === fact.digest) continue;
    if (!isLower(chosen.ballot, fact.ballot)) continue;
    const by = [...chosen.voters].join(", ");
    const first = `${showVote(chosen)} was chosen by {${by}}`;
    return `${name}: in ${nameInstance(fact)} ${first}, but ${showVote(fact)} ${what}`;
  }
  return null;
}

/** Agreement. "Only a single value is chosen" (PMS §2.1): by votes, and by what anybody learned. */
export const agreement: Invariant = (evidence) => {
  const values = new Map<string, BallotValue>();
  for (const fact of [...chosenProposals(evidence), ...evidence.learned]) {
    const first = values.get(instanceId(fact));
    if (first !== undefined && first.digest !== fact.digest) {
      const two = `${showVote(first)} and ${showVote(fact)}`;
      return `agreement: ${nameInstance(fact)} has two values, ${two}`;
    }
    values.set(instanceId(fact), fact);
  }
  return null;
};

/** Validity. "Only a value that has been proposed may be chosen" (PMS §2.1): it was wished for. */
export const validity: Invariant = (evidence) => {
  const wishes = new Set(evidence.wishes.map(({ key, digest }) => `${keyId(key)} ${digest}`));
  const stray = [...chosenProposals(evidence), ...evidence.learned].find(
    (fact) => !wishes.has(`${keyId(fact.key)} ${fact.digest}`),
  );
  if (stray === undefined) return null;
  const where = nameInstance(stray);
  return `validity: ${showVote(stray)} was chosen in ${where}, but nobody wished for it`;
};

/**
 * What is learned is chosen: a phase-2 quorum voted for it at one ballot. "A process never learns
 * that a value has been chosen unless it actually has been." (PMS §2.1)
 */
export const learnedIsChosen: Invariant = (evidence) => {
  const chosen = new Set(chosenProposals(evidence).map(proposalId));
  const early = evidence.learned.find((fact) => !chosen.has(proposalId(fact)));
  if (early === undefined) return null;
  const voters = evidence.votes.filter((vote) => proposalId(vote) === proposalId(early));
  const by = voters.map(({ acceptor }) => acceptor).join(", ");
  const where = nameInstance(early);
  return `learned: ${early.by} takes ${showVote(early)} of ${where} for chosen; voters are {${by}}`;
};

/** Every invariant by name, causes before what they cause: the first that fails says most. */
export const INVARIANTS: Readonly<Record<string, Invariant>> = {
  P1: p1,
  P1a: p1a,
  promisesNeverFall,
  votesNeverFall,
  oneValuePerBallot,
  votesWereProposed,
  phase2a,
  P2c: p2c,
  P2b: p2b,
  P2a: p2a,
  P2: p2,
  agreement,
  validity,
  learnedIsChosen,
};

/** Returns the first violation, or null if the evidence shows none. */
export function firstViolation(evidence: Evidence): string | null {
  for (const holds of Object.values(INVARIANTS)) {
    const violation = holds(evidence);
    if (violation !== null) return violation;
  }
  return null;
}
