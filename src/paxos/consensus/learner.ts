/**
 * The learner's rules: when a value is known to be chosen, and what to ask for when it is not.
 *
 * Paper: PMS §2.3. A learner knows a slot's value in one of four ways:
 *   1. the leader announced ⟨ballot, slot⟩, and an `accept` of that ballot brought the value;
 *   2. it counted votes of a phase-2 quorum for one ⟨ballot, digest⟩, and has the value;
 *   3. the slot is known to be chosen, and a vote of the chosen ballot or a higher one shows the
 *      value: by P2 they are the same;
 *   4. the slot is known to be chosen, and a phase-1 quorum has reported its votes: the highest of
 *      them has the chosen value, since one of that quorum is in the quorum that chose it (P2c).
 *
 * For the fourth way each acceptor must show, by a vote a window above the slot (`chosenBelow`),
 * that the slot was chosen before it reported. A watermark that a message names is hearsay: the
 * learner asks for what may be below, and takes nothing for chosen because of it.
 */
import { type Ballot, compareBallots, formatBallot, isLower } from "../ballot.js";
import { type Cluster, configAt, formsPhase1Quorum, formsPhase2Quorum } from "../cluster.js";
import type {
  Accept,
  Accepted,
  ChosenEntry,
  ChosenRange,
  Entries,
  Sender,
  SlotVote,
  Votes,
} from "../wire/messages.js";
import { chosenBelow } from "../wire/record.js";

interface Candidate {
  readonly ballot: Ballot;
  readonly digest: string;
  /** From an `accept` or a vote; null as long as only the digest is known. */
  value: Uint8Array | null;
  readonly voters: Set<string>;
}

/** What a learner knows of a slot that it has not applied. */
interface Slot {
  /** By ballot and digest. */
  readonly candidates: Map<string, Candidate>;
  /** Announced as chosen at this ballot. */
  chosenAt: { readonly ballot: Ballot; readonly syncedBy: readonly string[] } | null;
  entry: ChosenEntry | null;
  /** Acceptors whose vote, or lack of one, was reported in answer to a repair. */
  readonly reports: Map<string, SlotVote | null>;
}

/** What a learner knows. One owner; changed only by the functions below. */
export class LearnerState {
  /** Every slot below is applied. */
  watermark = 0;
  /** Every slot below is known to be chosen, here or by its announcement. */
  tail = 0;
  /** A message named this watermark: it is asked for, and nothing else follows from it. */
  heardTail = 0;
  slots = new Map<number, Slot>();
  /** What each acceptor's votes showed: every slot below was chosen by this write of its store. */
  marks = new Map<string, Mark>();
}

/** Who reports: an acceptor, and how far its store had come (they are in every envelope). */
export type Reporter = Pick<Sender, "id" | "incarnation" | "writeNumber">;

interface Mark extends Omit<Reporter, "id"> {
  readonly below: number;
}

/** How far above its watermark a learner keeps what it hears, in slots. */
function horizon(state: LearnerState, cluster: Cluster): number {
  return state.watermark + 4 * cluster.limits.windowMax;
}

function slotAt(state: LearnerState, slot: number, cluster: Cluster): Slot | null {
  if (slot < state.watermark || slot >= horizon(state, cluster)) return null;
  let known = state.slots.get(slot);
  if (known === undefined) {
    known = { candidates: new Map(), chosenAt: null, entry: null, reports: new Map() };
    state.slots.set(slot, known);
  }
  return known;
}

function candidateOf(slot: Slot, ballot: Ballot, digest: string): Candidate {
  const key = `${formatBallot(ballot)}/${digest}`;
  let known = slot.candidates.get(key);
  if (known === undefined) {
    known = { ballot, digest, value: null, voters: new Set() };
    slot.candidates.set(key, known);
  }
  return known;
}

/** Takes the values of an `accept`; proof of nothing yet. */
export function noteAccept(state: LearnerState, accept: Accept, cluster: Cluster): void {
  for (const [index, value] of accept.values.entries()) {
    const at = accept.firstSlot + index;
    const slot = slotAt(state, at, cluster);
    if (slot === null || slot.entry !== null) continue;
    const candidate = candidateOf(slot, accept.ballot, accept.digests[index] as string);
    candidate.value ??= value.slice();
    settle(at, slot, cluster);
  }
  for (const range of accept.chosen) noteChosenRange(state, range, cluster);
  hearTail(state, accept.chosenWatermark);
}

/** Takes an announcement. */
export function noteChosenRange(state: LearnerState, range: ChosenRange, cluster: Cluster): void {
  const end = Math.min(range.to, horizon(state, cluster));
  for (let at = Math.max(range.from, state.watermark); at < end; at++) {
    const slot = slotAt(state, at, cluster);
    if (slot === null || slot.entry !== null) continue;
    if (slot.chosenAt === null || isLower(range.ballot, slot.chosenAt.ballot)) {
      slot.chosenAt = { ballot: range.ballot, syncedBy: range.syncedBy };
    }
    settle(at, slot, cluster);
  }
  extendTail(state);
}

/** Moves the tail over slots that are known, one by one, to be chosen. */
function extendTail(state: LearnerState): void {
  for (;;) {
    const slot = state.slots.get(state.tail);
    if (slot === undefined || (slot.chosenAt === null && slot.entry === null)) return;
    state.tail++;
  }
}

/** Takes the leader's word that every slot below is chosen for a reason to ask. */
export function hearTail(state: LearnerState, tail: number): void {
  state.heardTail = Math.max(state.heardTail, tail);
}

/** Drops the watermark it heard: nobody who was asked knows of a chosen slot below it. */
export function forgetHeardTail(state: LearnerState): void {
  state.heardTail = state.tail;
}

/** Notes what an acceptor's vote shows of what is chosen, and when the acceptor said it. */
function noteMark(state: LearnerState, from: Reporter, voted: number, cluster: Cluster): void {
  const below = chosenBelow(voted, cluster.limits.windowMax);
  const { incarnation, writeNumber } = from;
  if (below > (state.marks.get(from.id)?.below ?? 0)) {
    state.marks.set(from.id, { incarnation, writeNumber, below });
  }
}

/** Every slot below was chosen before the acceptor sent this message. */
function chosenBefore(state: LearnerState, from: Reporter): number {
  const mark = state.marks.get(from.id);
  if (mark === undefined || from.incarnation < mark.incarnation) return 0;
  if (from.incarnation === mark.incarnation && from.writeNumber < mark.writeNumber) return 0;
  return mark.below;
}

/** Counts the votes of an acceptor; one acceptor counts once for one ⟨ballot, digest⟩. */
export function noteVotes(
  state: LearnerState,
  from: Reporter,
  accepted: Accepted,
  cluster: Cluster,
): void {
  for (const { slot: at, digest } of accepted.votes) {
    noteMark(state, from, at, cluster);
    const slot = slotAt(state, at, cluster);
    if (slot === null || slot.entry !== null) continue;
    candidateOf(slot, accepted.ballot, digest).voters.add(from.id);
    settle(at, slot, cluster);
  }
}

/**
 * Takes an acceptor's answer to a repair: one vote a slot, or none. Below `trimmed` it forgot its
 * votes, so that none is no report.
 *
 * Why not every answer is a report for the fourth way: one that the acceptor gave before the slot
 * was chosen is too old. It is late enough if the acceptor had already voted a window above.
 */
export function noteRepairVotes(
  state: LearnerState,
  from: Reporter,
  answer: Votes,
  cluster: Cluster,
): void {
  for (const { slot } of answer.votes) noteMark(state, from, slot, cluster);
  const certain = chosenBefore(state, from);
  const votes = new Map(answer.votes.map((vote) => [vote.slot, vote]));
  const end = Math.min(answer.to, horizon(state, cluster));
  const start = Math.max(answer.from, answer.trimmed, state.watermark);
  for (let at = start; at < end; at++) {
    const slot = slotAt(state, at, cluster);
    if (slot === null || slot.entry !== null) continue;
    const vote = votes.get(at) ?? null;
    if (at < certain) slot.reports.set(from.id, vote);
    if (vote !== null) {
      const candidate = candidateOf(slot, vote.ballot, vote.digest);
      candidate.value ??= vote.value.slice();
      candidate.voters.add(from.id);
    }
    settle(at, slot, cluster);
  }
}

/** Takes another learner's answer: values it knows to be chosen. */
export function noteEntries(state: LearnerState, answer: Entries, cluster: Cluster): void {
  for (const entry of answer.entries) {
    const slot = slotAt(state, entry.slot, cluster);
    if (slot !== null) slot.entry ??= { ...entry, value: entry.value.slice() };
  }
}

/** Looks whether a slot's value is known by now. */
function settle(at: number, slot: Slot, cluster: Cluster): void {
  for (const candidate of slot.candidates.values()) {
    const { value, ballot, voters } = candidate;
    if (value === null) continue;
    const announced = slot.chosenAt;
    const isAnnounced = announced !== null && compareBallots(ballot, announced.ballot) >= 0;
    if (isAnnounced && (voters.size > 0 || compareBallots(ballot, announced.ballot) === 0)) {
      slot.entry = { slot: at, ballot: announced.ballot, value, syncedBy: announced.syncedBy };
      return;
    }
    if (formsPhase2Quorum(configAt(cluster, at), voters)) {
      slot.entry = { slot: at, ballot, value, syncedBy: [...voters].sort() };
      return;
    }
  }
  slot.entry = highestReport(at, slot, cluster);
}

/** The fourth way of the head of this file. */
function highestReport(at: number, slot: Slot, cluster: Cluster): ChosenEntry | null {
  const reporters = new Set(slot.reports.keys());
  if (!formsPhase1Quorum(configAt(cluster, at), reporters)) return null;
  let highest: SlotVote | null = null;
  for (const vote of slot.reports.values()) {
    if (vote === null) continue;
    if (highest === null || compareBallots(vote.ballot, highest.ballot) > 0) highest = vote;
  }
  if (highest === null) return null;
  const { ballot, digest, value } = highest;
  const syncedBy = [...slot.reports]
    .filter(([, vote]) => vote !== null && vote.digest === digest)
    .map(([acceptor]) => acceptor);
  return { slot: at, ballot, value: value.slice(), syncedBy };
}

/** Takes the next entries in order, without a hole, and moves the watermark past them. */
export function takeChosen(state: LearnerState): ChosenEntry[] {
  const taken: ChosenEntry[] = [];
  for (;;) {
    const entry = state.slots.get(state.watermark)?.entry;
    if (entry === undefined || entry === null) break;
    taken.push(entry);
    state.slots.delete(state.watermark);
    state.watermark++;
    state.tail = Math.max(state.tail, state.watermark);
  }
  return taken;
}

/**
 * Says which slots to ask for: from the watermark to the end of what is, or may be, chosen.
 *
 * @returns null if nothing that may be chosen is missing
 */
export function missingRange(
  state: LearnerState,
  cluster: Cluster,
): { readonly from: number; readonly to: number } | null {
  const to = Math.min(Math.max(state.tail, state.heardTail), horizon(state, cluster));
  return to > state.watermark ? { from: state.watermark, to } : null;
}

/**
 * Says which slot to ask acceptors for beside {@link missingRange}: the last one below the
 * watermark that a message named. A vote there shows that what is missing a window below is chosen.
 *
 * @returns null if nothing is missing so far below
 */
export function tailToProve(
  state: LearnerState,
  cluster: Cluster,
): { readonly from: number; readonly to: number } | null {
  const { heardTail, watermark } = state;
  if (chosenBelow(heardTail - 1, cluster.limits.windowMax) <= watermark) return null;
  return { from: heardTail - 1, to: heardTail };
}
