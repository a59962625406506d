/**
 * The learner's rules for single-decree keys: when a key's value is known to be chosen.
 *
 * Paper: PMS §2.3, all three ways; `learn` of the descriptor picks one.
 *   leader: one distinguished learner, the synod-proposer that got it chosen, informs the learners;
 *   all:    every acceptor tells every learner, and each learner counts;
 *   some:   acceptors tell a set of distinguished learners, each of which counts and informs all.
 * A vote names its value by digest; the value comes with the `key-accept` of that ballot.
 */
import { type Ballot, compareBallots, formatBallot } from "../ballot.js";
import { acceptorIds, type Cluster, configOfKeys, formsPhase2Quorum } from "../cluster.js";
import { keyBytes } from "../limits.js";
import type { KeyAccept, KeyAccepted, KeyChosen } from "../wire/messages.js";

/** What a key holds, for ever. */
export interface DecidedKey {
  readonly ballot: Ballot;
  readonly digest: string;
  readonly value: Uint8Array;
  /** Acceptors known to have voted for it, synced. */
  readonly syncedBy: readonly string[];
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
  /** At most `decideKeysMax`, and `decideBytesMax` of them; none is ever changed or forgotten. */
  readonly decided = new Map<string, DecidedKey>();
  /** What they count for against `decideBytesMax`. */
  decidedBytes = 0;
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
const SECOND_VALUE: KeyNews = { chosen: null, odd: "second_value" };
const NO_ROOM: KeyNews = { chosen: null, odd: "too_many_keys" };

/** Takes the value of a proposal; proof of nothing yet. */
export function noteKeyValue(state: KeyLearnerState, accept: KeyAccept, cluster: Cluster): KeyNews {
  const judged = judge(state, accept, cluster);
  if (judged !== null) return judged;
  const { tally, odd } = tallyFor(state, accept, cluster);
  tally.value ??= accept.value.slice();
  return settle(state, tally, cluster) ?? { chosen: null, odd };
}

/** Counts a vote; one acceptor counts once for one ⟨key, ballot, digest⟩, a stranger never. */
export function noteKeyVote(
  state: KeyLearnerState,
  acceptor: string,
  accepted: KeyAccepted,
  cluster: Cluster,
): KeyNews {
  if (!acceptorIds(configOfKeys(cluster)).includes(acceptor)) return NO_NEWS;
  const judged = judge(state, accepted, cluster);
  if (judged !== null) return judged;
  const { tally, odd } = tallyFor(state, accepted, cluster);
  tally.voters.add(acceptor);
  return settle(state, tally, cluster) ?? { chosen: null, odd };
}

/**
 * Takes an announcement.
 *
 * Why open tallies of the key stay: "each of which can then inform all the learners" is worth its
 * messages only if a distinguished learner informs them although another has, whose may be lost.
 */
export function noteKeyChosen(
  state: KeyLearnerState,
  chosen: KeyChosen,
  cluster: Cluster,
): KeyNews {
  const { key, ballot, digest, value, syncedBy } = chosen;
  const known = state.decided.get(key);
  if (known !== undefined) return known.digest === digest ? NO_NEWS : SECOND_VALUE;
  if (isFull(state, cluster)) return NO_ROOM;
  setDecided(state, key, { ballot, digest, value: value.slice(), syncedBy, isCounted: false });
  return NO_NEWS;
}

function isFull(state: KeyLearnerState, cluster: Cluster): boolean {
  const { decideKeysMax, decideBytesMax } = cluster.limits;
  return state.decided.size >= decideKeysMax || state.decidedBytes >= decideBytesMax;
}

function setDecided(state: KeyLearnerState, key: string, decided: DecidedKey): void {
  state.decided.set(key, decided);
  state.decidedBytes += keyBytes(key, decided.value.length);
}

/**
 * Says what there is to say of a proposal or vote that is not to be counted.
 *
 * Paper: PMS §2.2, P2b: no proposal numbered above a chosen one has another value, and P2a: nobody
 * accepts one. One at the same ballot would be a second value of that ballot.
 *
 * @returns null if it is to be counted
 */
function judge(
  state: KeyLearnerState,
  message: KeyAccept | KeyAccepted,
  cluster: Cluster,
): KeyNews | null {
  const known = state.decided.get(message.key);
  if (known === undefined) return isFull(state, cluster) ? NO_ROOM : null;
  const differs = known.digest !== message.digest;
  if (differs && compareBallots(message.ballot, known.ballot) >= 0) return SECOND_VALUE;
  return known.isCounted ? NO_NEWS : null;
}

/** Returns the tally of a ⟨key, ballot, digest⟩; a new one may take the place of the oldest. */
function tallyFor(
  state: KeyLearnerState,
  { key, ballot, digest }: KeyAccept | KeyAccepted,
  cluster: Cluster,
): { readonly tally: Tally; readonly odd: KeyOddity | null } {
  // Ballots and digests have no slash in them: whatever the key is called, names differ.
  const name = `${formatBallot(ballot)}/${digest}/${key}`;
  const open = state.tallies.get(name);
  if (open !== undefined) return { tally: open, odd: null };
  const odd = dropOldest(state, cluster) ? "key_tally_dropped" : null;
  const tally = { key, ballot, digest, value: null, voters: new Set<string>() };
  state.tallies.set(name, tally);
  const names = state.talliesOf.get(key);
  if (names === undefined) state.talliesOf.set(key, new Set([name]));
  else names.add(name);
  return { tally, odd };
}

/** Makes room for a tally. @returns whether one had to go */
function dropOldest(state: KeyLearnerState, cluster: Cluster): boolean {
  if (state.tallies.size < cluster.limits.decideTalliesMax) return false;
  for (const [name, { key }] of state.tallies) {
    state.tallies.delete(name);
    const names = state.talliesOf.get(key);
    names?.delete(name);
    if (names?.size === 0) state.talliesOf.delete(key);
    break;
  }
  return true;
}

/**
 * Looks whether a phase-2 quorum voted for a value that is known; if so the key's tallies end.
 *
 * @returns null if it is not so
 */
function settle(state: KeyLearnerState, tally: Tally, cluster: Cluster): KeyNews | null {
  const { key, ballot, digest, value, voters } = tally;
  if (value === null) return null;
  if (!formsPhase2Quorum(configOfKeys(cluster), voters)) return null;
  for (const name of state.talliesOf.get(key) ?? []) state.tallies.delete(name);
  state.talliesOf.delete(key);
  const syncedBy = [...voters].sort();
  const known = state.decided.get(key);
  if (known === undefined) {
    setDecided(state, key, { ballot, digest, value, syncedBy, isCounted: true });
  } else {
    known.isCounted = true;
    if (known.digest !== digest) return SECOND_VALUE;
  }
  return { chosen: { type: "key-chosen", key, ballot, digest, value, syncedBy }, odd: null };
}
