/**
 * The book of promises: what each proposer was promised, as it heard it, and whether what it then
 * proposes is what PMS §2.2, phase 2(a), allows.
 *
 * It does not ask how a proposer puts promises together: there must be some phase-1 quorum, each of
 * it heard completely, that allows the proposal. Which parts are one promise it knows from the step
 * that made them, never from how they are numbered.
 */
import { type Ballot, formatBallot, isLower, sameBallot } from "../../paxos/ballot.js";
import { acceptorIds } from "../../paxos/cluster.js";
import {
  type BallotValue,
  type Instance,
  nameInstance,
  showVote,
} from "../../paxos/proof/evidence.js";
import { isPhase1Quorum } from "../../paxos/quorum.js";
import type { KeyPromise, Promise1b } from "../../paxos/wire/messages.js";
import type { Coverage } from "../world/coverage.js";
import type { Ledger } from "./ledger.js";
import type { MadePromise, Origins } from "./origins.js";
import type { AcceptorShadow } from "./shadow.js";

/** One whole promise. */
interface Report {
  readonly acceptor: string;
  /** Of slots below it says nothing: they are chosen. */
  readonly watermark: number;
  readonly votes: ReadonlyMap<number, BallotValue>;
}

/** What one proposer heard of one of its ballots. */
interface Heard {
  /** By the promise that was made. */
  readonly reports: Map<MadePromise | KeyPromise, Report>;
  /** Parts that came, by the promise that they belong to, each with {@link markOf} as it came. */
  readonly parts: Map<MadePromise, Map<Promise1b, number>>;
}

/** Below this slot a part of a promise says nothing. */
function markOf({ trimmed, chosenWatermark }: Promise1b): number {
  return Math.max(trimmed, chosenWatermark);
}

/** Who was promised what. */
export class PromiseBook {
  readonly #ledger: Ledger;
  readonly #origins: Origins;
  readonly #coverage: Coverage;
  readonly #heard = new Map<string, Heard>();
  /** Promises of which a part has left its acceptor. */
  readonly #said = new Set<MadePromise>();
  /** Promises by the name under which proposers put their parts together. */
  readonly #named = new Map<string, MadePromise>();

  constructor(ledger: Ledger, origins: Origins, coverage: Coverage) {
    this.#ledger = ledger;
    this.#origins = origins;
    this.#coverage = coverage;
  }

  /**
   * A proposer hears a part of a promise. A part whose watermark was changed on its way has the
   * votes that it had, but says nothing of slots below either watermark.
   */
  heard(by: string, heard: Promise1b): void {
    const origin = this.#origins.promiseOf(heard);
    if (origin === undefined) return;
    const { whole, part } = origin;
    const { reports, parts } = this.#of(by, part.ballot);
    if (!parts.has(whole)) this.#noteLives([...parts.keys()], whole);
    const there = parts.get(whole) ?? new Map<Promise1b, number>();
    parts.set(whole, there);
    there.set(part, Math.min(markOf(heard), there.get(part) ?? Number.POSITIVE_INFINITY));
    if (there.size < whole.parts.length) return;
    const marks = [...whole.parts.map(markOf), ...there.values()];
    const votes = new Map(whole.parts.flatMap((one) => one.votes.map((vote) => [vote.slot, vote])));
    const acceptor = whole.memory.runner.id;
    reports.set(whole, { acceptor, watermark: Math.max(...marks), votes });
  }

  /** Counts what needs a full disk in phase 1: parts of two lives of one acceptor's memory. */
  #noteLives(before: readonly MadePromise[], { memory, parts }: MadePromise): void {
    const isOtherLife = (one: MadePromise) =>
      one.memory !== memory && one.memory.runner === memory.runner && one.parts.length > 1;
    if (parts.length < 2 || !before.some(isOtherLife)) return;
    this.#coverage.count("promises in parts across a reload");
  }

  /** A proposer hears a promise for its key. */
  heardKey(by: string, promise: KeyPromise): void {
    const memory = this.#origins.makerOf(promise);
    if (memory === undefined) return;
    const { ballot, vote } = promise;
    const votes = new Map(vote === null ? [] : [[0, vote]]);
    const report = { acceptor: memory.runner.id, watermark: 0, votes };
    this.#of(by, ballot).reports.set(promise, report);
  }

  /** A proposal leaves its proposer. */
  proposes(by: string, instance: Instance, proposal: BallotValue): void {
    const heardOf = this.#heard.get(`${by} ${formatBallot(proposal.ballot)}`);
    const reports = [...(heardOf?.reports.values() ?? [])];
    let best: Ballot | null = null;
    for (const { votes } of reports) {
      const vote = votes.get(instance.slot);
      if (vote?.digest === proposal.digest && isLower(best, vote.ballot)) best = vote.ballot;
    }
    const allowing = new Set<string>();
    for (const { acceptor, watermark, votes } of reports) {
      const vote = votes.get(instance.slot)?.ballot ?? null;
      if (watermark <= instance.slot && !isLower(best, vote)) allowing.add(acceptor);
    }
    const { cluster } = this.#ledger;
    if (isPhase1Quorum(cluster.quorums, acceptorIds(cluster), allowing)) return;
    const what = `${by} proposes ${showVote(proposal)} in ${nameInstance(instance)}`;
    const heard = reports.map(({ acceptor, watermark, votes }) => {
      const vote = votes.get(instance.slot);
      const below = watermark > instance.slot ? `all below ${watermark} is chosen` : "no vote";
      return `${acceptor}: ${vote === undefined ? below : showVote(vote)}`;
    });
    this.#ledger.break("phase2a", `${what}; whole promises it heard are {${heard.join(", ")}}`);
  }

  /**
   * A part of a promise leaves an acceptor. With the first one: each durable vote must be in one of
   * the parts, and no other promise may have the name that these have.
   */
  says(shadow: AcceptorShadow, said: Promise1b): void {
    const whole = this.#origins.promiseOf(said)?.whole;
    if (whole === undefined || this.#said.has(whole)) return;
    this.#said.add(whole);
    this.#judgeNames(shadow.id, whole);
    const reported = new Set(whole.parts.flatMap(({ votes }) => votes.map(({ slot }) => slot)));
    const from = Math.max(whole.fromSlot, said.chosenWatermark);
    for (const [slot, vote] of shadow.votes) {
      if (slot < from || reported.has(slot) || !isLower(vote.ballot, said.ballot)) continue;
      this.#leftOut(shadow.id, said.ballot, `slot ${slot}`, vote);
    }
  }

  /** Parts go by ⟨acceptor, incarnation, answer⟩: one promise, and all of it, under one name. */
  #judgeNames(id: string, whole: MadePromise): void {
    const { incarnation } = whole.memory.runner.sender;
    for (const [index, { answer, part, parts }] of whole.parts.entries()) {
      const name = `${id}, incarnation ${incarnation}, answer ${answer}`;
      const other = this.#named.get(name);
      if (other !== undefined && other !== whole) {
        const two = `${other.memory.by} and ${whole.memory.by} made two promises`;
        this.#ledger.break("noAnswerTwice", `${two} of one name: ${name}`);
      }
      this.#named.set(name, whole);
      if (answer === whole.parts[0]?.answer && part === index && parts === whole.parts.length) {
        continue;
      }
      const says = `says that it is part ${part} of ${parts} of answer ${answer}`;
      const where = `part ${index} of ${whole.parts.length} of ${whole.memory.by}`;
      this.#ledger.break("noAnswerTwice", `${where} ${says}`);
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
      heard = { reports: new Map(), parts: new Map() };
      this.#heard.set(id, heard);
    }
    return heard;
  }
}
