/**
 * The shadow of an acceptor: what its disk holds, as it was last seen, and the rules of PMS §2.2
 * and §2.5 about what may become of it.
 */
import { type Ballot, isLower, sameBallot } from "../../paxos/ballot.js";
import { type BallotValue, show, showVote } from "../../paxos/proof/evidence.js";
import type { StoreRecord } from "../../paxos/wire/record.js";
import type { Ledger } from "./ledger.js";

/** What an acceptor has on stable storage, as the ledger last saw it. */
export class AcceptorShadow {
  readonly id: string;
  promised: Ballot | null = null;
  readonly votes = new Map<number, BallotValue>();
  readonly keys = new Map<string, { promised: Ballot; vote: BallotValue | null }>();
  readonly #ledger: Ledger;

  constructor(id: string, ledger: Ledger) {
    this.id = id;
    this.#ledger = ledger;
  }

  /** A promise is durable. "A promise never again to accept …" (PMS §2.2) */
  promise(ballot: Ballot): void {
    if (isLower(ballot, this.promised)) {
      const from = show(this.promised);
      this.#ledger.break("promisesNeverFall", `${this.id} fell from ${from} to ${show(ballot)}`);
    }
    this.promised = ballot;
  }

  /** A vote of the log is durable, and with it the promise of its ballot. */
  vote(slot: number, vote: BallotValue): void {
    if (isLower(this.promised, vote.ballot)) {
      const promised = `its disk has promised ${show(this.promised)}`;
      const what = `${this.id} voted ${showVote(vote)} in slot ${slot}`;
      this.#ledger.break("promiseCoversVotes", `${what}; ${promised}`);
    }
    this.#judge(`slot ${slot}`, this.promised, this.votes.get(slot) ?? null, vote);
    this.votes.set(slot, { ballot: vote.ballot, digest: vote.digest });
    const { ballot, digest } = vote;
    this.#ledger.voted({ key: null, slot, ballot, digest, acceptor: this.id });
  }

  /** Promise and vote of a key are durable. */
  key(key: string, promised: Ballot, vote: BallotValue | null): void {
    const before = this.keys.get(key);
    if (isLower(promised, before?.promised ?? null)) {
      const fell = `${show(before?.promised ?? null)} to ${show(promised)}`;
      this.#ledger.break("promisesNeverFall", `${this.id} fell from ${fell} for key ${key}`);
    }
    if (vote === null && before?.vote != null) {
      const lost = showVote(before.vote);
      this.#ledger.break("votesNeverFall", `${this.id} forgot its vote ${lost} for key ${key}`);
    }
    this.keys.set(key, { promised, vote });
    if (vote === null) return;
    const isOld = before?.vote != null && sameBallot(before.vote.ballot, vote.ballot);
    if (!isOld || before.vote?.digest !== vote.digest) {
      this.#judge(`key ${key}`, before?.promised ?? null, before?.vote ?? null, vote);
    }
    const { ballot, digest } = vote;
    this.#ledger.voted({ key, slot: 0, ballot, digest, acceptor: this.id });
  }

  /** A batch is durable: its records, in the order in which they were asked for. */
  committed(records: readonly StoreRecord[]): void {
    for (const record of records) {
      if (record.kind === "promise") this.promise(record.ballot);
      else if (record.kind === "vote") this.vote(record.slot, record);
      else if (record.kind === "key") this.key(record.key, record.promised, record.vote);
    }
  }

  /**
   * An earlier life is told that a batch is durable, after a later one has read the disk. What it
   * wrote before that was read there, and may have been replaced since; what the disk has now and
   * the later life has not was written behind its back.
   */
  committedLate(records: readonly StoreRecord[], disk: readonly StoreRecord[]): void {
    const promised = disk.find(({ kind }) => kind === "promise");
    const votes = new Map(disk.flatMap((one) => (one.kind === "vote" ? [[one.slot, one]] : [])));
    const keys = new Map(disk.flatMap((one) => (one.kind === "key" ? [[one.key, one]] : [])));
    this.committed(
      records.filter((record) => {
        if (record.kind === "promise") {
          const isThere =
            promised?.kind === "promise" && sameBallot(promised.ballot, record.ballot);
          return isThere && !sameBallot(this.promised, record.ballot);
        }
        if (record.kind === "vote") {
          const { slot } = record;
          return sameVote(votes.get(slot), record) && !sameVote(this.votes.get(slot), record);
        }
        if (record.kind !== "key") return false;
        const there = keys.get(record.key);
        const known = this.keys.get(record.key);
        return sameKey(there, record) && !sameKey(known, record);
      }),
    );
  }

  /**
   * A new life of it read its disk: all that the last one had made durable is still there, and
   * perhaps a batch whose owner died before it was told.
   */
  reopened(records: readonly StoreRecord[]): void {
    let promised: Ballot | null = null;
    const votes = new Map<number, BallotValue>();
    const keys = new Map<string, { promised: Ballot; vote: BallotValue | null }>();
    for (const record of records) {
      if (record.kind === "promise") promised = record.ballot;
      else if (record.kind === "vote") votes.set(record.slot, record);
      else if (record.kind === "key") keys.set(record.key, record);
    }
    const forgot = (what: string) =>
      this.#ledger.break("nothingForgotten", `${this.id} came back and has forgotten ${what}`);
    if (isLower(promised, this.promised)) forgot(`its promise of ${show(this.promised)}`);
    for (const [slot, vote] of this.votes) {
      if (!keeps(votes.get(slot), vote)) forgot(`its vote ${showVote(vote)} in slot ${slot}`);
    }
    for (const [key, before] of this.keys) {
      const now = keys.get(key);
      if (now === undefined || isLower(now.promised, before.promised)) forgot(`key ${key}`);
      else if (before.vote !== null && !keeps(now.vote ?? undefined, before.vote)) {
        forgot(`its vote ${showVote(before.vote)} for key ${key}`);
      }
    }
    this.promised = promised;
    for (const [slot, vote] of votes) {
      const { ballot, digest } = vote;
      this.votes.set(slot, { ballot, digest });
      this.#ledger.voted({ key: null, slot, ballot, digest, acceptor: this.id });
    }
    for (const [key, { promised: at, vote }] of keys) {
      this.keys.set(key, { promised: at, vote });
      if (vote === null) continue;
      const { ballot, digest } = vote;
      this.#ledger.voted({ key, slot: 0, ballot, digest, acceptor: this.id });
    }
  }

  /** It says that it has promised a ballot, or none: the disk must say so too. */
  hasPromised(ballot: Ballot | null, promised: Ballot | null): void {
    if (!isLower(promised, ballot)) return;
    const disk = `its disk has promised ${show(promised)}`;
    const what = `${this.id} says that it has promised ${show(ballot)}`;
    this.#ledger.break("durableBeforeSpoken", `${what}; ${disk}`);
  }

  /**
   * It refuses a ballot as stale. "An acceptor must accept the first proposal that it receives"
   * (P1), and after that any whose number is not below what it promised (the "iff" of P1a).
   */
  refuses(where: string, ballot: Ballot, promised: Ballot | null): void {
    if (isLower(ballot, promised)) return;
    const what = `${this.id} refuses ${show(ballot)} ${where} as stale`;
    this.#ledger.break("P1", `${what}; it has promised ${show(promised)}`);
  }

  /** It says that it voted: the disk must have that vote, or one of a higher ballot. */
  saysVote(where: string, said: BallotValue, kept: BallotValue | null): void {
    const isKept =
      kept !== null &&
      !isLower(kept.ballot, said.ballot) &&
      (!sameBallot(kept.ballot, said.ballot) || kept.digest === said.digest);
    if (isKept) return;
    const disk = `its disk has ${kept === null ? "no vote" : showVote(kept)}`;
    const sentence = `${this.id} says that it voted ${showVote(said)} in ${where}; ${disk}`;
    this.#ledger.break("durableBeforeSpoken", sentence);
  }

  #judge(where: string, promised: Ballot | null, before: BallotValue | null, vote: BallotValue) {
    if (isLower(vote.ballot, promised)) {
      const kept = `it had promised ${show(promised)}`;
      this.#ledger.break("P1a", `${this.id} voted ${showVote(vote)} in ${where}; ${kept}`);
    }
    if (before === null) return;
    if (isLower(vote.ballot, before.ballot)) {
      const went = `${showVote(before)} to ${showVote(vote)}`;
      this.#ledger.break("votesNeverFall", `${this.id} went from ${went} in ${where}`);
    } else if (sameBallot(vote.ballot, before.ballot) && vote.digest !== before.digest) {
      const two = `${showVote(before)} to ${showVote(vote)}`;
      this.#ledger.break("oneValuePerBallot", `${this.id} changed ${two} in ${where}`);
    }
  }
}

/** Says whether a vote is still there, or one of a higher ballot in its place. */
function keeps(now: BallotValue | undefined, before: BallotValue): boolean {
  if (now === undefined || isLower(now.ballot, before.ballot)) return false;
  return !sameBallot(now.ballot, before.ballot) || now.digest === before.digest;
}

interface KeyVote {
  readonly promised: Ballot;
  readonly vote: BallotValue | null;
}

function sameVote(a: BallotValue | undefined, b: BallotValue): boolean {
  return a !== undefined && sameBallot(a.ballot, b.ballot) && a.digest === b.digest;
}

function sameKey(a: KeyVote | undefined, b: KeyVote): boolean {
  if (a === undefined || !sameBallot(a.promised, b.promised)) return false;
  return b.vote === null ? a.vote === null : sameVote(a.vote ?? undefined, b.vote);
}
