/**
 * The learner's rules for single-decree keys: when a key's value is known to be chosen.
 *
 * Paper: PMS §2.3, all three ways; `learn` of the descriptor picks one.
 *   leader: one distinguished learner, the synod-proposer that got it chosen, informs the learners;
 *   all:    every acceptor tells every learner, and each learner counts;
 *   some:   acceptors tell a set of distinguished learners, each of which counts and informs all.
 * A vote names its value by digest; the value comes with the `key-accept` of that ballot.
 */
import { type Ballot, compareBallots, formatBallot } from "./ballot.js";
import { acceptorIds, type Cluster } from "./cluster.js";
import type { KeyAccept, KeyAccepted, KeyChosen } from "./messages.js";
import { isPhase2Quorum } from "./quorum.js";

/** What a key holds, for ever. */
export interface DecidedKey {
  readonly ballot: Ballot;
  readonly digest: string;
  readonly value: Uint8Array;
  /** Acceptors known to have voted for it, synced. */
  readonly by: readonly string[];
  /** The votes of a phase-2 quorum were counted here, not only announced by another. */
  isCounted: boolean;
}

/** Votes for one ⟨key, ballot, digest⟩. */
interface Tally {
  readonly key: string;
  readonly ballot: Ballot;
  readonly digest: string;
  /** From a `key-accept`; null as long as only the digest is known. */
  value: Uint8Array | null;
  readonly voters: Set<string>;
}

/** What a learner knows of keys. One owner; changed only by the functions below. */
export class KeyLearnerState {
  /** At most `decideKeysMax`; none is ever changed or forgotten. */
  readonly decided = new Map<string, DecidedKey>();
  /** By ballot, digest and key, oldest first; at most `decideTalliesMax`. */
  readonly tallies = new Map<string, Tally>();
  /** Which tallies a key has. */
  readonly talliesOf = new Map<string, Set<string>>();
}

/**
 * What is odd about a message, and counted under this word:
 * - `second_value`: it says that a decided key holds another value; the first is kept;
 * - `too_many_keys`: there is no room for another decided key, so it is not looked at;
 * - `key_tally_dropped`: the oldest open tally made room for a new one.
 */
export type KeyOddity = "second_value" | "too_many_keys" | "key_tally_dropped";

/** What a message about a key brought. */
export interface KeyNews {
  /** Set once a key, when this learner has counted a phase-2 quorum: what to tell the others. */
  readonly chosen: KeyChosen | null;
  readonly odd: KeyOddity | null;
}

const NO_NEWS: KeyNews = { chosen: null, odd: null };

/** Takes the value of a proposal; proof of nothing yet. */
export function noteKeyValue(
  state: KeyLearnerState,
  accept: KeyAccept,
  cluster: Cluster,
): KeyNews {
  const settled = judge(state, accept, cluster);
  if (settled !== null) return settled;
  const { tally, odd } = tallyFor(state, accept, cluster);
  tally.value ??= accept.value.slice();
  return { chosen: settle(state, tally, cluster), odd: odd };
}

/** Counts a vote; one acceptor counts once for one ⟨key, ballot, digest⟩, a stranger never. */
export function noteKeyVote(
  state: KeyLearnerState,
  acceptor: string,
  accepted: KeyAccepted,
  cluster: Cluster,
): KeyNews {
  if (!acceptorIds(cluster).includes(acceptor)) return NO_NEWS;
  const settled = judge(state, accepted, cluster);
  if (settled !== null) return settled;
  const { tally, odd } = tallyFor(state, accepted, cluster);
  tally.voters.add(acceptor);
  return { chosen: settle(state, tally, cluster), odd };
}
