/**
 * The Multi-Paxos proposer's rules: one phase 1 for all slots, then phase 2 slot after slot.
 *
 * Paper: PMS §3. "A newly chosen leader … executes phase 1 for infinitely many instances … using
 * the same proposal number for all instances", re-proposes what it must, fills the holes with
 * no-ops, and from then on "simply executes phase 2".
 */
import { invariant } from "../assert.js";
import { type Ballot, compareBallots, isLower, nextBallot, sameBallot } from "../ballot.js";
import { type Cluster, configAt, formsPhase2Quorum } from "../cluster.js";
import { commandName } from "../command.js";
import { digest } from "../digest.js";
import { Fifo } from "../fifo.js";
import { LatencyEstimate } from "../latency.js";
import type { Limits } from "../limits.js";
import { commandsOf, NOOP } from "../value.js";
import type { Accept, Accepted, Basis, ChosenRange, Nack, SlotVote } from "../wire/messages.js";
import type { Assembly, CompletePromise } from "./assembly.js";
import { makeBasis } from "./basis.js";

/** A slot under way: proposed, not yet known as chosen below the watermark. */
export interface OpenSlot {
  readonly value: Uint8Array;
  readonly digest: string;
  readonly voters: Set<string>;
  /** The names of its commands. */
  readonly names: readonly number[];
  readonly openedMs: number;
  /** When it was sent last, and how often. */
  sentMs: number;
  sends: number;
  chosen: boolean;
}

/** What a proposer knows. One owner; changed only by the functions below. */
export class ProposerState {
  ballot: Ballot | null = null;
  /** The highest round that it used or follows; see `followRound`. */
  highestRound = 0;
  /** The highest round that it used: what its store keeps. */
  usedRound = 0;
  /** The highest round of this life in which it proposed: no later ballot may repeat it. */
  proposedRound = 0;
  /** Acceptors that refused this ballot as too far above the round they promised, with that. */
  jumpRefusals = new Map<string, number>();
  /** Every slot below is chosen: by its own tally, or by what a phase-1 quorum answered. */
  chosenWatermark = 0;
  fromSlot = 0;
  nextSlot = 0;
  assemblies = new Map<string, Assembly>();
  promises = new Map<string, CompletePromise>();
  /** What the ballot rests on, once its phase 1 has ended. */
  basis: Basis | null = null;
  open = new Map<number, OpenSlot>();
  /** Slots below are adopted from an earlier ballot; they come first. */
  adoptedBelow = 0;
  queue = new Fifo<{ readonly command: Uint8Array; readonly name: number }>();
  queueBytes = 0;
  /** Names of the commands that wait in {@link queue} or stand in an open slot. */
  underWay = new Set<number>();
  /** From the first `accept` of a slot until its quorum has voted. */
  votesLatency = new LatencyEstimate();
  /** Newly opened slots that are still to be sent: firstUnsent ≤ slot < nextSlot. */
  firstUnsent = 0;
  /** Chosen and not yet announced. */
  announcements: ChosenRange[] = [];
  /**
   * Values of the last window of chosen slots: a learner may need them proposed again. Bounded by
   * `windowMax`.
   */
  kept = new Map<number, Uint8Array>();

  /** Makes a copy that shares no changeable part. */
  clone(): ProposerState {
    const copy = Object.assign(new ProposerState(), this);
    copy.assemblies = new Map(
      [...this.assemblies].map(([id, assembly]) => [
        id,
        { ...assembly, parts: new Map(assembly.parts) },
      ]),
    );
    copy.promises = new Map(this.promises);
    copy.open = new Map(
      [...this.open].map(([slot, open]) => [slot, { ...open, voters: new Set(open.voters) }]),
    );
    copy.queue = this.queue.clone();
    copy.underWay = new Set(this.underWay);
    copy.votesLatency = this.votesLatency.clone();
    copy.announcements = [...this.announcements];
    copy.jumpRefusals = new Map(this.jumpRefusals);
    copy.kept = new Map(this.kept);
    return copy;
  }
}

/**
 * Begins phase 1 of a ballot above every round seen, from the chosen watermark on.
 *
 * Holds: it proposed nothing in that ballot so far, also after it went back (`goBack`).
 */
export function beginBallot(state: ProposerState, owner: string): void {
  state.ballot = nextBallot(owner, state.highestRound);
  invariant(state.ballot.round > state.proposedRound, "a proposer proposes in a ballot once");
  state.highestRound = state.ballot.round;
  state.usedRound = state.ballot.round;
  state.jumpRefusals.clear();
  state.fromSlot = state.chosenWatermark;
  state.assemblies.clear();
  state.promises.clear();
  state.basis = null;
  dropOpen(state);
}

/**
 * Forgets what was under way and what waits: another leads, and gateways send again. What it saw
 * chosen stays: if it leads again, its promises report none of that.
 */
export function dropOpen(state: ProposerState): void {
  state.open.clear();
  state.queue = new Fifo();
  state.queueBytes = 0;
  state.underWay.clear();
  state.announcements = [];
}

/** Every slot below is chosen, as the promises show. */
export function shownChosen({ promises }: ProposerState): number {
  let below = 0;
  for (const { trimmed, chosenWatermark } of promises.values()) {
    below = Math.max(below, trimmed, chosenWatermark);
  }
  return below;
}

/** Where phase 2 begins: what is below is chosen, as the quorum's answers or its own tally show. */
export function firstOpenSlot(state: ProposerState): number {
  return Math.max(state.fromSlot, state.chosenWatermark, shownChosen(state));
}

/**
 * Ends phase 1: proposes again, at this ballot, the value of the highest ballot in every slot where
 * a vote was reported, and no-ops in the holes between.
 *
 * Paper: PMS §2.2 phase 2(a) for each slot; §3 "it can … fill the gap by proposing … a special
 * 'no-op' command". Only holes up to the highest report are filled.
 *
 * Holds: nothing is proposed below any `trimmed` or `chosenWatermark` of the quorum, or its own:
 * those slots are chosen and are learned, not proposed.
 */
export function adopt(state: ProposerState, nowMs: number): void {
  const start = firstOpenSlot(state);
  const highest = new Map<number, SlotVote>();
  let end = start;
  for (const { votes } of state.promises.values()) {
    for (const vote of votes) {
      if (vote.slot < start) continue;
      end = Math.max(end, vote.slot + 1);
      const known = highest.get(vote.slot);
      if (known === undefined || compareBallots(vote.ballot, known.ballot) > 0) {
        highest.set(vote.slot, vote);
      }
    }
  }
  invariant(start >= state.chosenWatermark, "a chosen watermark never falls");
  state.chosenWatermark = start;
  state.proposedRound = state.ballot?.round ?? 0;
  const mayProposeFrom = Math.min(start, ...state.kept.keys());
  state.basis =
    state.ballot === null ? null : makeBasis(state.ballot, mayProposeFrom, state.promises);
  for (const slot of state.open.keys()) closeSlot(state, slot);
  for (let slot = start; slot < end; slot++) {
    openSlot(state, slot, highest.get(slot)?.value ?? NOOP, nowMs);
  }
  state.nextSlot = end;
  state.firstUnsent = start;
  state.adoptedBelow = end;
  state.promises.clear();
  state.assemblies.clear();
}

/** Opens a slot for a value; its `accept` is still to be taken. `names`: of its commands. */
export function openSlot(
  state: ProposerState,
  slot: number,
  value: Uint8Array,
  nowMs: number,
  names: readonly number[] = commandsOf(value).map(commandName),
): void {
  const isOpenOrKept = slot >= state.chosenWatermark || state.kept.get(slot) === value;
  invariant(isOpenOrKept, "nothing but a value that it saw chosen is proposed in a chosen slot");
  invariant(!state.open.has(slot), "one value is proposed in a slot of a ballot");
  const voters = new Set<string>();
  for (const name of names) state.underWay.add(name);
  const sent = { openedMs: nowMs, sentMs: nowMs, sends: 0 };
  state.open.set(slot, { value, digest: digest(value), voters, names, ...sent, chosen: false });
}

/** Forgets a slot that is chosen; a copy of its commands would be proposed again. */
function closeSlot(state: ProposerState, slot: number): void {
  for (const name of state.open.get(slot)?.names ?? []) state.underWay.delete(name);
  state.open.delete(slot);
}

/** Says whether every adopted slot is chosen. */
export function adoptionIsDone(state: ProposerState): boolean {
  return state.chosenWatermark >= state.adoptedBelow;
}

/** Says whether the window is full: Lamport's α (PMS §3: a leader may be α − 1 commands ahead). */
export function windowIsFull(state: ProposerState, limits: Limits): boolean {
  return state.nextSlot >= state.chosenWatermark + limits.windowMax;
}

/**
 * Takes the newly opened slots as `accept` messages; what was chosen meanwhile travels along.
 *
 * Limits: values of one message together ≤ `batchBytesMax`, or a single one.
 */
export function takeAccepts(state: ProposerState, cluster: Cluster, nowMs: number): Accept[] {
  const slots: number[] = [];
  for (let slot = state.firstUnsent; slot < state.nextSlot; slot++) slots.push(slot);
  state.firstUnsent = state.nextSlot;
  return acceptsFor(state, slots, cluster, nowMs);
}

/** Most times the usual wait before a slot is sent again. */
const PATIENCE_MAX = 4;

/**
 * Takes the slots that have waited longer for their votes than votes usually take, to be sent
 * again; each time after twice the wait.
 *
 * Why not at a fixed interval: acceptors whose sync takes a second would be sent the whole window
 * four times in that second.
 */
export function takeLateAccepts(state: ProposerState, cluster: Cluster, nowMs: number): Accept[] {
  const late: number[] = [];
  const { retryDelayMs } = cluster.limits;
  const mostMs = PATIENCE_MAX * retryDelayMs;
  const usualMs = state.votesLatency.waitMs(retryDelayMs, mostMs);
  for (const [slot, open] of state.open) {
    const waitMs = Math.min(mostMs, usualMs * 2 ** Math.max(0, open.sends - 1));
    if (!open.chosen && nowMs - open.sentMs >= waitMs) late.push(slot);
  }
  return acceptsFor(
    state,
    late.sort((a, b) => a - b),
    cluster,
    nowMs,
  );
}

function acceptsFor(
  state: ProposerState,
  slots: readonly number[],
  cluster: Cluster,
  nowMs: number,
): Accept[] {
  const accepts: { firstSlot: number; digests: string[]; values: Uint8Array[] }[] = [];
  let bytes = 0;
  for (const slot of slots) {
    const open = state.open.get(slot);
    if (open === undefined) continue;
    open.sentMs = nowMs;
    open.sends++;
    const last = accepts[accepts.length - 1];
    const follows = last !== undefined && slot === last.firstSlot + last.values.length;
    if (follows && bytes + open.value.length <= cluster.limits.batchBytesMax) {
      last.digests.push(open.digest);
      last.values.push(open.value);
      bytes += open.value.length;
    } else {
      accepts.push({ firstSlot: slot, digests: [open.digest], values: [open.value] });
      bytes = open.value.length;
    }
  }
  if (accepts.length === 0 || state.ballot === null) return [];
  const ballot = state.ballot;
  const chosen = takeAnnouncements(state, cluster);
  return accepts.map((accept, index) => ({
    type: "accept",
    ballot,
    ...accept,
    chosenWatermark: state.chosenWatermark,
    chosen: index === 0 ? chosen : [],
  }));
}

/** Takes what is chosen and not announced; nothing where learners tally for themselves. */
export function takeAnnouncements(state: ProposerState, cluster: Cluster): readonly ChosenRange[] {
  const ranges = state.announcements;
  state.announcements = [];
  return cluster.learn.kind === "leader" ? ranges : [];
}

/**
 * Counts votes for this ballot.
 *
 * Paper: PMS §2.1 "a value is chosen when a single proposal with that value has been accepted by a
 * majority of the acceptors". One acceptor counts once, and only for the digest it voted for.
 *
 * Holds: a slot is announced only when a phase-2 quorum voted for ⟨ballot, slot, digest⟩.
 */
export function countVotes(
  state: ProposerState,
  acceptor: string,
  accepted: Accepted,
  cluster: Cluster,
  nowMs: number,
): void {
  if (!sameBallot(accepted.ballot, state.ballot) || state.ballot === null) return;
  for (const { slot, digest: voted } of accepted.votes) {
    const open = state.open.get(slot);
    if (open === undefined || open.digest !== voted) continue;
    open.voters.add(acceptor);
    if (open.chosen || !formsPhase2Quorum(configAt(cluster, slot), open.voters)) continue;
    open.chosen = true;
    state.votesLatency.add(nowMs - open.openedMs);
    const syncedBy = [...open.voters].sort();
    const isQuorum = formsPhase2Quorum(configAt(cluster, slot), new Set(syncedBy));
    invariant(isQuorum, "what is announced is voted for by a phase-2 quorum");
    announce(state.announcements, slot, state.ballot, syncedBy);
    if (slot < state.chosenWatermark) close(state, slot, open); // it was proposed again
  }
  for (;;) {
    const open = state.open.get(state.chosenWatermark);
    if (open?.chosen !== true) break;
    close(state, state.chosenWatermark, open);
    state.chosenWatermark++;
  }
  forgetKept(state, state.nextSlot - cluster.limits.windowMax);
}

/** Lets go of the chosen values of the slots below. */
export function forgetKept(state: ProposerState, below: number): void {
  for (const slot of state.kept.keys()) if (slot < below) state.kept.delete(slot);
}

/** Closes a slot that is chosen, and keeps its value for a window. */
function close(state: ProposerState, slot: number, { value }: OpenSlot): void {
  closeSlot(state, slot);
  state.kept.set(slot, value);
}

/**
 * Proposes slots of the last window again, at this ballot, for a learner that could not learn them
 * from acceptors and other learners: a later ballot may have left their votes in different ballots,
 * and their announcement may be lost. For an older slot the last one is proposed again: a vote in
 * it shows that the older one is chosen.
 *
 * Holds: the value of a ⟨ballot, slot⟩ stays the same; a slot of an earlier ballot is proposed with
 * its chosen value (P2c).
 */
export function proposeAgain(
  state: ProposerState,
  asked: readonly { readonly from: number; readonly to: number }[],
  cluster: Cluster,
  nowMs: number,
): Accept[] {
  const again: number[] = [];
  for (const slot of state.kept.keys()) {
    if (state.open.has(slot) || !asked.some(({ from, to }) => from <= slot && slot < to)) continue;
    again.push(slot);
  }
  // The last slot stands for all that are older: a vote there shows that they are chosen.
  const last = state.nextSlot - 1;
  if (again.length === 0 && !state.open.has(last) && state.kept.has(last)) again.push(last);
  for (const slot of again) openSlot(state, slot, state.kept.get(slot) as Uint8Array, nowMs);
  return acceptsFor(
    state,
    again.sort((a, b) => a - b),
    cluster,
    nowMs,
  );
}

function announce(ranges: ChosenRange[], slot: number, ballot: Ballot, syncedBy: string[]): void {
  const last = ranges[ranges.length - 1];
  const joins =
    last !== undefined &&
    last.to === slot &&
    last.syncedBy.join() === syncedBy.join() &&
    slot > last.from;
  if (joins) ranges[ranges.length - 1] = { ...last, to: slot + 1 };
  else ranges.push({ ballot, from: slot, to: slot + 1, syncedBy });
}

/** Says whether a refusal ends this ballot: a higher one is promised, or its slots are trimmed. */
export function endsBallot(state: ProposerState, refusal: Nack): boolean {
  if (!sameBallot(refusal.ballot, state.ballot) || state.ballot === null) return false;
  return isLower(state.ballot, refusal.promised) || refusal.reason === "trimmed";
}

/** Says whether a vote is overdue by `ms`: the leader does not reach a phase-2 quorum. */
export function isStalled(state: ProposerState, nowMs: number, ms: number): boolean {
  for (const open of state.open.values()) {
    if (!open.chosen) return nowMs - open.openedMs >= ms;
  }
  return false;
}
