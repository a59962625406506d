/**
 * The promises of a phase 1, as a proposer takes them: put together from their parts, believed only
 * where their votes show what they name, and read for what is chosen already.
 *
 * Paper: PMS §2.2, phase 1(b); §3 for all slots at once.
 */
import { sameBallot } from "../ballot.js";
import {
  type Cluster,
  type Configuration,
  configAt,
  formsPhase1Quorum,
  formsPhase2Quorum,
} from "../cluster.js";
import type { Limits } from "../limits.js";
import type { Promise1b, SlotVote } from "../wire/messages.js";
import { chosenBelow } from "../wire/record.js";
import type { Assembly, CompletePromise } from "./assembly.js";
import { firstOpenSlot, forgetKept, type ProposerState, shownChosen } from "./proposer.js";

/**
 * Adds one part of a promise; the promise counts once every part of one answer is there.
 *
 * Parts of different answers never combine. A part of a later answer of that acceptor begins the
 * assembly again, and so does one that disagrees with the first part about how many parts there
 * are, what is trimmed or what is chosen; a part of an earlier answer is dropped.
 */
export function addPromisePart(
  state: ProposerState,
  acceptor: string,
  incarnation: number,
  part: Promise1b,
): void {
  if (!sameBallot(part.ballot, state.ballot) || state.promises.has(acceptor)) return;
  let assembly = state.assemblies.get(acceptor);
  const isLater =
    assembly === undefined ||
    incarnation > assembly.incarnation ||
    (incarnation === assembly.incarnation && part.answer > assembly.answer);
  if (isLater) {
    assembly = { incarnation, answer: part.answer, parts: new Map() };
    state.assemblies.set(acceptor, assembly);
  }
  if (assembly?.incarnation !== incarnation || assembly.answer !== part.answer) return;
  if (!agreesWithFirst(assembly, part)) assembly.parts.clear();
  assembly.parts.set(part.part, part);
  if (assembly.parts.size < part.parts) return;
  const { answer, trimmed, chosenWatermark } = part;
  const votes = [...assembly.parts.values()].flatMap((one) => one.votes);
  state.assemblies.delete(acceptor);
  state.promises.set(acceptor, { incarnation, answer, trimmed, chosenWatermark, votes });
}

function agreesWithFirst({ parts }: Assembly, part: Promise1b): boolean {
  const [first = part] = parts.values();
  return (
    part.parts === first.parts &&
    part.trimmed === first.trimmed &&
    part.chosenWatermark === first.chosenWatermark
  );
}

/**
 * Drops promises whose watermark is not the one that their own votes show. A message that was
 * changed on its way, or a liar's, must not hide slots: the acceptor is asked again.
 *
 * @returns how many were dropped
 */
export function dropUnfounded(state: ProposerState, limits: Limits): number {
  const before = state.promises.size;
  for (const [acceptor, promise] of state.promises) {
    if (!isFounded(state, promise, limits)) state.promises.delete(acceptor);
  }
  return before - state.promises.size;
}

function isFounded(state: ProposerState, promise: CompletePromise, { windowMax }: Limits): boolean {
  const { trimmed, chosenWatermark, votes } = promise;
  // It has no vote at or above `fromSlot`, and this proposer knows that what is below is chosen.
  if (votes.length === 0) return chosenWatermark <= state.fromSlot;
  const highest = votes.reduce((high, { slot }) => Math.max(high, slot), 0);
  const shown = chosenBelow(highest, windowMax);
  return chosenWatermark === Math.max(trimmed, shown) && trimmed <= Math.max(state.fromSlot, shown);
}

/**
 * Says whether a phase-1 quorum has promised, each completely.
 *
 * Why the configuration of the first slot: one promise covers every slot from there on, and today
 * all of them have the same configuration.
 */
export function promisesSuffice(state: ProposerState, cluster: Cluster): boolean {
  return formsPhase1Quorum(configAt(cluster, state.fromSlot), new Set(state.promises.keys()));
}

/**
 * Moves the chosen watermark past the slots for which a phase-2 quorum reported the same vote in
 * its promises: they are chosen, and need not be proposed again. Their values are kept.
 *
 * Why: a takeover then proposes again what the last leader had open, and not a whole window.
 */
export function noteReported(state: ProposerState, cluster: Cluster): void {
  const reported = reportsBySlot(state);
  let slot = firstOpenSlot(state);
  forgetKept(state, shownChosen(state)); // votes a window above show these to every learner
  for (;;) {
    const value = chosenAmong(reported.get(slot) ?? [], configAt(cluster, slot));
    if (value === null) break;
    state.kept.set(slot, value);
    slot++;
  }
  state.chosenWatermark = slot;
}

interface Report {
  readonly acceptor: string;
  readonly vote: SlotVote;
}

function reportsBySlot({ promises }: ProposerState): ReadonlyMap<number, readonly Report[]> {
  const bySlot = new Map<number, Report[]>();
  for (const [acceptor, { votes }] of promises) {
    for (const vote of votes) {
      const reports = bySlot.get(vote.slot);
      if (reports === undefined) bySlot.set(vote.slot, [{ acceptor, vote }]);
      else reports.push({ acceptor, vote });
    }
  }
  return bySlot;
}

/** The value for which a phase-2 quorum voted at one ballot; null if the reports show none. */
function chosenAmong(reports: readonly Report[], config: Configuration): Uint8Array | null {
  const chosen = reports.find(({ vote }) => {
    const same = reports.filter((other) => sameBallot(other.vote.ballot, vote.ballot));
    const voters = new Set(same.map(({ acceptor }) => acceptor));
    return formsPhase2Quorum(config, voters);
  });
  return chosen?.vote.value ?? null;
}
