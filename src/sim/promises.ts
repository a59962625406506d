/**
 * The book of promises: what each proposer was promised, as it heard it, and whether what it then
 * proposes is what PMS §2.2, phase 2(a), allows.
 *
 * It does not ask how a proposer puts promises together: there must be some phase-1 quorum, each of
 * it heard completely, that allows the proposal.
 */
import { type Ballot, formatBallot, isLower, sameBallot } from "../paxos/ballot.js";
import { acceptorIds } from "../paxos/cluster.js";
import { type BallotValue, type Instance, nameInstance, showVote } from "../paxos/evidence.js";
import type { KeyPromise, Promise1b } from "../paxos/messages.js";
import { isPhase1Quorum } from "../paxos/quorum.js";
import type { Ledger } from "./ledger.js";
import type { AcceptorShadow } from "./shadow.js";

/** One whole promise. */
interface Report {
  /** Of slots below it says nothing: they are chosen. */
  readonly watermark: number;
  readonly votes: ReadonlyMap<number, BallotValue>;
}

/** What one proposer heard of one of its ballots. */
interface Heard {
  /** Whole promises, by acceptor. */
  readonly reports: Map<string, Report>;
  /** Parts of answers, by acceptor, incarnation and answer. */
  readonly answers: Map<string, Map<number, Promise1b>>;
}

/** Who was promised what. */
export class PromiseBook {
  readonly #ledger: Ledger;
  readonly #heard = new Map<string, Heard>();
  /** First slot that a ballot of the log was prepared for. */
  readonly #fromSlots = new Map<string, number>();
  /** Slots that an acceptor has reported in the parts of the answer under way. */
  readonly #reported = new Map<string, Set<number>>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** A proposer asks for promises of a ballot of the log. */
  asked(ballot: Ballot, fromSlot: number): void {
    this.#fromSlots.set(formatBallot(ballot), fromSlot);
  }

  /** A proposer hears a part of a promise. */
  heard(by: string, acceptor: string, incarnation: number, part: Promise1b): void {
    const { reports, answers } = this.#of(by, part.ballot);
    const id = `${acceptor} ${incarnation} ${part.answer}`;
    const parts = answers.get(id) ?? new Map<number, Promise1b>();
    answers.set(id, parts.set(part.part, part));
    if (parts.size < part.parts || reports.has(acceptor)) return;
    const all = [...parts.values()];
    const watermark = Math.max(...all.map((one) => Math.max(one.trimmed, one.chosenWatermark)));
    const votes = new Map(all.flatMap((one) => one.votes.map((vote) => [vote.slot, vote])));
    reports.set(acceptor, { watermark, votes });
  }

  /** A proposer hears a promise for its key. */
  heardKey(by: string, acceptor: string, { ballot, vote }: KeyPromise): void {
    const votes = new Map(vote === null ? [] : [[0, vote]]);
    this.#of(by, ballot).reports.set(acceptor, { watermark: 0, votes });
  }

  /** A proposal leaves its proposer. */
  proposes(by: string, instance: Instance, proposal: BallotValue): void {
    const reports = this.#heard.get(`${by} ${formatBallot(proposal.ballot)}`)?.reports;
    let best: Ballot | null = null;
    for (const { votes } of reports?.values() ?? []) {
      const vote = votes.get(instance.slot);
      if (vote?.digest === proposal.digest && isLower(best, vote.ballot)) best = vote.ballot;
    }
    const allowing = new Set<string>();
    for (const [acceptor, { watermark, votes }] of reports ?? []) {
      const vote = votes.get(instance.slot)?.ballot ?? null;
      if (watermark <= instance.slot && !isLower(best, vote)) allowing.add(acceptor);
    }
    const { cluster } = this.#ledger;
    if (isPhase1Quorum(cluster.quorums, acceptorIds(cluster), allowing)) return;
    const what = `${by} proposes ${showVote(proposal)} in ${nameInstance(instance)}`;
    const heard = [...(reports ?? [])].map(([acceptor, { watermark, votes }]) => {
      const vote = votes.get(instance.slot);
      const below = watermark > instance.slot ? `all below ${watermark} is chosen` : "no vote";
      return `${acceptor}: ${vote === undefined ? below : showVote(vote)}`;
    });
    this.#ledger.break("phase2a", `${what}; whole promises it heard are {${heard.join(", ")}}`);
  }

  /** A part of a promise leaves an acceptor: with the last one, each vote must be in them. */
  says(shadow: AcceptorShadow, part: Promise1b): void {
    const { id } = shadow;
    const reported = (part.part === 0 ? undefined : this.#reported.get(id)) ?? new Set<number>();
    for (const { slot } of part.votes) reported.add(slot);
    this.#reported.set(id, reported);
    if (part.part < part.parts - 1) return;
    const asked = this.#fromSlots.get(formatBallot(part.ballot)) ?? 0;
    const from = Math.max(asked, part.chosenWatermark);
    for (const [slot, vote] of shadow.votes) {
      if (slot < from || reported.has(slot) || !isLower(vote.ballot, part.ballot)) continue;
      this.#leftOut(id, part.ballot, `slot ${slot}`, vote);
    }
  }

  /** A promise for a key leaves an acceptor. */
  saysKey(shadow: AcceptorShadow, { key, ballot, vote }: KeyPromise): void {
    const kept = shadow.keys.get(key)?.vote ?? null;
    if (kept === null || !isLower(kept.ballot, ballot)) return;
    if (!sameBallot(vote?.ballot ?? null, kept.ballot)) {
      this.#leftOut(shadow.id, ballot, `key ${key}`, kept);
    }
  }

  /** "… with the highest-numbered proposal (if any) that it has accepted" (PMS §2.2). */
  #leftOut(acceptor: string, ballot: Ballot, where: string, vote: BallotValue): void {
    const what = `${acceptor} promises ballot ${formatBallot(ballot)}`;
    const lacks = `does not report its vote ${showVote(vote)} in ${where}`;
    this.#ledger.break("promiseReportsVotes", `${what} and ${lacks}`);
  }

  #of(by: string, ballot: Ballot): Heard {
    const id = `${by} ${formatBallot(ballot)}`;
    let heard = this.#heard.get(id);
    if (heard === undefined) {
      heard = { reports: new Map(), answers: new Map() };
      this.#heard.set(id, heard);
    }
    return heard;
  }
}
