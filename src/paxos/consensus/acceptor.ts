/**
 * The acceptor's rules: when to promise, when to vote.
 *
 * Paper: PMS §2.2. The whole safety of an acceptor is P1a, "an acceptor can accept a proposal
 * numbered n iff it has not responded to a prepare request having a number greater than n", and
 * its burden is to keep that across a crash: every change comes with the records to sync before
 * the answer may leave.
 *
 * An acceptor holds one promise for all slots of the log, one vote a slot, and for each
 * single-decree key a promise and a vote of its own.
 *
 * Differs from the paper:
 * - a repeat of the promised prepare, or of an accept it voted for, is answered again: answers
 *   get lost;
 * - an accept of a ballot above the promised one raises the promise, as in Lamport's Paxos.tla;
 * - a promise reports only the last window of votes; it names the first slot of that window, and
 *   the proposer never proposes below it. The acceptor's own votes show that what is below is
 *   chosen ({@link chosenBelow}); it believes no watermark that a message names.
 */
import { invariant } from "../assert.js";
import { type Ballot, isLower, sameBallot } from "../ballot.js";
import { keyBytes, type Limits } from "../limits.js";
import type {
  Accept,
  KeyAccept,
  KeyNack,
  KeyPrepare,
  KeyPromise,
  Nack,
  NackReason,
  Prepare,
  Promise1b,
  SlotVote,
  Vote,
} from "../wire/messages.js";
import { chosenBelow, type StoreRecord, votesReadFrom } from "../wire/record.js";

/** Names that one life of an acceptor's memory has for its answers. */
export const ANSWERS_PER_LIFE = 2 ** 32;
/** Lives of one incarnation, so that the name of an answer stays a safe integer. */
const LIVES_MAX = 2 ** 21;

/** What an acceptor remembers of one single-decree key. */
export interface KeyState {
  readonly promised: Ballot;
  readonly vote: Vote | null;
}

/** What an acceptor remembers. One owner; changed only by the functions below. */
export class AcceptorState {
  promised: Ballot | null = null;
  /** Votes of the slots from {@link votesFrom} on; older ones are on disk alone. */
  votes = new Map<number, Vote>();
  votesFrom = 0;
  /** Every slot below is chosen, as its own votes show. */
  chosenWatermark = 0;
  /** The chosen watermark that is on disk, or on the way there. */
  markedWatermark = 0;
  trimmed = 0;
  highestVoted = -1;
  keys = new Map<string, KeyState>();
  /** What they count for against `decideBytesMax`. */
  keysBytes = 0;
  /** How far ballots may jump beyond `roundJumpMax`, all together; see `noteJump`. */
  jumpSlack = 0;
  /** How often this incarnation had read its memory from disk before this one was read. */
  life = 0;
  /** Answers to `prepare` of this life so far. */
  answers = 0;

  /** Makes a copy that shares no changeable part. */
  clone(): AcceptorState {
    const copy = Object.assign(new AcceptorState(), this);
    copy.votes = new Map(this.votes);
    copy.keys = new Map(this.keys);
    return copy;
  }
}

/**
 * Reads what a store held into an acceptor's memory.
 *
 * @param life how often this incarnation read it before: 0 at its start, one more after each full
 *   disk
 *
 * Requires: `life` < 2^21; the votes from `votesReadFrom` on are among the records.
 */
export function recoverAcceptor(
  records: readonly StoreRecord[],
  life: number,
  limits: Limits,
): AcceptorState {
  invariant(life < LIVES_MAX, "an incarnation reads its memory fewer than 2^21 times");
  const state = new AcceptorState();
  state.life = life;
  for (const record of records) {
    if (record.kind === "promise") state.promised = record.ballot;
    else if (record.kind === "vote") {
      const { ballot, digest, value } = record;
      state.votes.set(record.slot, { ballot, digest, value });
    } else if (record.kind === "key") {
      setKey(state, record.key, { promised: record.promised, vote: record.vote });
    } else if (record.kind === "marks") {
      state.votesFrom = votesReadFrom(record, limits.windowMax);
      state.markedWatermark = state.votesFrom;
      state.trimmed = record.trimmed;
      state.highestVoted = record.highestVoted;
    }
  }
  for (const slot of state.votes.keys()) state.highestVoted = Math.max(state.highestVoted, slot);
  state.chosenWatermark = watermarkOf(state, limits);
  return state;
}

function watermarkOf({ highestVoted, trimmed }: AcceptorState, { windowMax }: Limits): number {
  return Math.max(trimmed, chosenBelow(highestVoted, windowMax));
}

/**
 * Judges a ballot against the promised one: the "iff" of P1a.
 *
 * @returns null if the acceptor is free to promise or vote for it, else why not
 */
export function judgeBallot(
  promised: Ballot | null,
  ballot: Ballot,
  roundJumpMax: number,
): NackReason | null {
  if (isLower(ballot, promised)) return "stale";
  if (ballot.round > (promised?.round ?? 0) + roundJumpMax) return "round_jump";
  return null;
}

/** The records to sync and the answers that then may leave. */
export interface Outcome<A> {
  readonly records: readonly StoreRecord[];
  readonly answers: readonly A[];
}

/**
 * Promises a ballot for every slot ≥ `fromSlot` and reports the votes from there on, at most the
 * last window of them.
 *
 * Paper: PMS §2.2, phase 1(b); §3 for all slots at once.
 *
 * @returns the promise record (none if it was promised already) and the parts of one answer
 *
 * Requires: {@link judgeBallot} found no objection.
 * Holds: `promised` never decreases. Cost: O(votes reported). Limits: values of a part together
 * ≤ `partBytesMax`, or a single one.
 */
export function promise(
  state: AcceptorState,
  prepare: Prepare,
  limits: Limits,
): Outcome<Promise1b> {
  invariant(!isLower(prepare.ballot, state.promised), "a promise never falls");
  const repeated = sameBallot(state.promised, prepare.ballot);
  state.promised = prepare.ballot;
  const from = Math.max(prepare.fromSlot, state.chosenWatermark);
  invariant(state.votesFrom <= from, "a promise leaves out no vote at or above its watermark");
  const votes: SlotVote[] = [];
  for (const [slot, vote] of state.votes) if (slot >= from) votes.push({ slot, ...vote });
  votes.sort((a, b) => a.slot - b.slot);
  const parts = cutIntoParts(votes, limits.partBytesMax);
  const answer = takeAnswerName(state);
  return {
    records: repeated ? [] : [{ kind: "promise", ballot: prepare.ballot }],
    answers: parts.map((part, index) => ({
      type: "promise",
      ballot: prepare.ballot,
      answer,
      part: index,
      parts: parts.length,
      trimmed: state.trimmed,
      chosenWatermark: state.chosenWatermark,
      votes: part,
    })),
  };
}

/**
 * Names the next answer. Why the life is in the name: a full disk costs the memory and its count of
 * answers, and the store keeps its incarnation; a proposer that got parts of two answers under one
 * name would take them for one, and a vote that is in neither half would be overwritten.
 */
function takeAnswerName(state: AcceptorState): number {
  invariant(state.answers < ANSWERS_PER_LIFE, "a life has fewer than 2^32 answers");
  const name = state.life * ANSWERS_PER_LIFE + state.answers;
  state.answers++;
  return name;
}

/** What a vote or entry costs on the wire beside its value, at most. */
export const VOTE_OVERHEAD_BYTES = 256;

function cutIntoParts(votes: readonly SlotVote[], partBytesMax: number): SlotVote[][] {
  const parts: SlotVote[][] = [[]];
  let bytes = 0;
  for (const vote of votes) {
    const last = parts[parts.length - 1] as SlotVote[];
    const size = vote.value.length + VOTE_OVERHEAD_BYTES;
    if (last.length > 0 && bytes + size > partBytesMax) {
      parts.push([vote]);
      bytes = size;
    } else {
      last.push(vote);
      bytes += size;
    }
  }
  return parts;
}

/** What came of accepts of one ballot. */
export interface VotesCast {
  readonly records: readonly StoreRecord[];
  readonly voted: readonly { readonly slot: number; readonly digest: string }[];
  readonly refused: readonly { readonly slot: number; readonly reason: NackReason }[];
}

/**
 * Votes for the proposals of one ballot.
 *
 * Paper: PMS §2.2, phase 2(b): "if an acceptor receives an accept request for a proposal numbered
 * n, it accepts the proposal unless it has already responded to a prepare request having a number
 * greater than n".
 *
 * @returns one vote record for each slot that is new; the slots it votes for, repeats included;
 *   and the refused ones: below `trimmed`, or a second value for one ⟨ballot, slot⟩
 *
 * Requires: {@link judgeBallot} found no objection to the ballot, which all accepts share.
 * Holds: a slot's vote never goes to a lower ballot; one value for each ⟨ballot, slot⟩.
 */
export function castVotes(
  state: AcceptorState,
  accepts: readonly Accept[],
  limits: Limits,
): VotesCast {
  const records: StoreRecord[] = [];
  const voted: { slot: number; digest: string }[] = [];
  const refused: { slot: number; reason: NackReason }[] = [];
  for (const accept of accepts) {
    invariant(!isLower(accept.ballot, state.promised), "no vote below the promise");
    if (isLower(state.promised, accept.ballot)) {
      state.promised = accept.ballot;
      records.push({ kind: "promise", ballot: accept.ballot });
    }
    for (const [index, value] of accept.values.entries()) {
      const slot = accept.firstSlot + index;
      const digest = accept.digests[index] as string;
      const verdict = judgeSlot(state, slot, accept.ballot, digest);
      if (verdict === "new") {
        const vote = { ballot: accept.ballot, digest, value: value.slice() };
        if (slot >= state.votesFrom) state.votes.set(slot, vote); // an older one is on disk alone
        state.highestVoted = Math.max(state.highestVoted, slot);
        records.push({ kind: "vote", slot, ...vote });
      }
      if (verdict === "new" || verdict === "repeat") voted.push({ slot, digest });
      else refused.push({ slot, reason: verdict });
    }
  }
  forgetOldVotes(state, limits);
  // Once a window is enough: a start then reads two windows of votes at most.
  if (records.length > 0 && state.chosenWatermark >= state.markedWatermark + limits.windowMax) {
    state.markedWatermark = state.chosenWatermark;
    records.push(marks(state));
  }
  return { records, voted, refused };
}

function judgeSlot(
  state: AcceptorState,
  slot: number,
  ballot: Ballot,
  digest: string,
): "new" | "repeat" | NackReason {
  if (slot < state.trimmed) return "trimmed";
  const vote = state.votes.get(slot);
  invariant(vote === undefined || !isLower(ballot, vote.ballot), "a slot's vote never falls");
  if (vote === undefined || !sameBallot(vote.ballot, ballot)) return "new";
  return vote.digest === digest ? "repeat" : "second_digest";
}

function marks(state: AcceptorState): StoreRecord {
  const { chosenWatermark, trimmed, highestVoted } = state;
  return { kind: "marks", chosenWatermark, trimmed, highestVoted };
}

/**
 * Moves the watermark up behind the highest vote, and drops old votes from memory.
 *
 * Why: a promise then carries a window, not the log.
 */
function forgetOldVotes(state: AcceptorState, limits: Limits): void {
  const watermark = watermarkOf(state, limits);
  if (watermark <= state.chosenWatermark) return;
  state.chosenWatermark = watermark;
  const keepFrom = watermark - 2 * limits.windowMax;
  if (keepFrom - state.votesFrom > state.votes.size) {
    // A far jump: a number off the wire must not say how long we count.
    for (const slot of state.votes.keys()) if (slot < keepFrom) state.votes.delete(slot);
    state.votesFrom = keepFrom;
  }
  for (; state.votesFrom < keepFrom; state.votesFrom++) state.votes.delete(state.votesFrom);
}

/** Makes the refusal of a prepare or of a slot's accept. */
export function nack(
  state: AcceptorState,
  ballot: Ballot,
  slot: number | null,
  reason: NackReason,
): Nack {
  const { promised } = state;
  return { type: "nack", ballot, promised, slot, reason };
}

// --- single-decree keys ----------------------------------------------------------------------

/**
 * Judges a ballot for a key, and whether there is room for a key not seen before, or for a longer
 * value.
 *
 * Why room never stands in the way of a chosen value: those that voted for it hold it already, and
 * voting for it again at a higher ballot takes no further room.
 */
export function judgeKey(
  state: AcceptorState,
  message: KeyPrepare | KeyAccept,
  limits: Limits,
): NackReason | null {
  const key = state.keys.get(message.key);
  if (key === undefined && state.keys.size >= limits.decideKeysMax) return "too_many";
  const jumpMax = limits.roundJumpMax + state.jumpSlack;
  const reason = judgeBallot(key?.promised ?? null, message.ballot, jumpMax);
  if (reason !== null) return reason;
  const vote = key?.vote ?? null;
  if (message.type === "key-accept" && vote !== null) {
    const isSecond = sameBallot(vote.ballot, message.ballot) && vote.digest !== message.digest;
    if (isSecond) return "second_digest";
  }
  const length = message.type === "key-accept" ? message.value.length : (vote?.value.length ?? 0);
  const growth = keyBytes(message.key, length) - bytesOfKey(message.key, key);
  return growth > 0 && state.keysBytes + growth > limits.decideBytesMax ? "too_many" : null;
}

/** What a key counts for now; 0 if it is not known. */
function bytesOfKey(key: string, state: KeyState | undefined): number {
  return state === undefined ? 0 : keyBytes(key, state.vote?.value.length ?? 0);
}

function setKey(state: AcceptorState, key: string, after: KeyState): void {
  state.keysBytes += bytesOfKey(key, after) - bytesOfKey(key, state.keys.get(key));
  state.keys.set(key, after);
}

/**
 * Promises a ballot for one key and reports the vote, if there is one.
 *
 * Paper: PMS §2.2, phase 1(b), word for word: "with a promise not to accept any more proposals
 * numbered less than n and with the highest-numbered proposal (if any) that it has accepted".
 */
export function promiseKey(state: AcceptorState, prepare: KeyPrepare): Outcome<KeyPromise> {
  const before = state.keys.get(prepare.key);
  invariant(!isLower(prepare.ballot, before?.promised ?? null), "a key's promise never falls");
  const after = { promised: prepare.ballot, vote: before?.vote ?? null };
  setKey(state, prepare.key, after);
  const repeated = before !== undefined && sameBallot(before.promised, prepare.ballot);
  const { key, ballot } = prepare;
  return {
    records: repeated ? [] : [{ kind: "key", key, ...after }],
    answers: [{ type: "key-promise", key, ballot, vote: after.vote }],
  };
}

/**
 * Votes for a key's proposal.
 *
 * Paper: PMS §2.2, phase 2(b). @returns the record to sync; none if the vote is a repeat
 */
export function voteForKey(state: AcceptorState, accept: KeyAccept): readonly StoreRecord[] {
  const before = state.keys.get(accept.key);
  const vote = before?.vote ?? null;
  invariant(!isLower(accept.ballot, before?.promised ?? null), "no vote below a key's promise");
  if (vote !== null && sameBallot(vote.ballot, accept.ballot)) return [];
  const { key, ballot, digest } = accept;
  const after = { promised: ballot, vote: { ballot, digest, value: accept.value.slice() } };
  setKey(state, key, after);
  return [{ kind: "key", key, ...after }];
}

/** Makes the refusal of a key's prepare or accept. */
export function nackKey(
  state: AcceptorState,
  message: KeyPrepare | KeyAccept,
  reason: NackReason,
): KeyNack {
  const { key, ballot } = message;
  return { type: "key-nack", key, ballot, promised: state.keys.get(key)?.promised ?? null, reason };
}
