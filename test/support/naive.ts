/**
 * Naive models of the acceptor and the proposer: the paper's sentences, word for word, over lists
 * that only grow. Slow and without a disk; what the rules of `src/paxos` are held against.
 */

import { type Ballot, compareBallots } from "../../src/paxos/ballot.js";
import { type AcceptorState, recoverAcceptor } from "../../src/paxos/consensus/acceptor.js";
import { DEFAULT_LIMITS, type Limits } from "../../src/paxos/limits.js";
import type { Vote } from "../../src/paxos/wire/messages.js";
import {
  decodeRecord,
  encodeRecord,
  type RawRecord,
  type StoreRecord,
} from "../../src/paxos/wire/record.js";

/** Whether the first ballot is greater, as PMS says it. */
function greaterThan(a: Ballot, b: Ballot): boolean {
  return compareBallots(a, b) > 0;
}

/** The greatest of some ballots, by looking at all pairs. */
function greatest(ballots: readonly Ballot[]): Ballot | null {
  return ballots.find((one) => ballots.every((other) => !greaterThan(other, one))) ?? null;
}

/** An acceptor that remembers everything it ever answered, for one promise over many slots. */
export class NaiveAcceptor {
  /** Numbers of the prepare requests it has responded to. */
  readonly responded: Ballot[] = [];
  /** Proposals it has accepted. */
  readonly accepted: { readonly slot: number; readonly vote: Vote }[] = [];

  /** What it is bound to: accepting is, as with us, a response to a prepare of that number. */
  promised(): Ballot | null {
    return greatest([...this.responded, ...this.accepted.map(({ vote }) => vote.ballot)]);
  }

  /** P1a: "iff it has not responded to a prepare request having a number greater than n". */
  mayAccept(ballot: Ballot): boolean {
    const bound = [...this.responded, ...this.accepted.map(({ vote }) => vote.ballot)];
    return !bound.some((other) => greaterThan(other, ballot));
  }

  /** Whether it accepted another value under this number in this slot. */
  heldOtherwise(slot: number, ballot: Ballot, digest: string): boolean {
    return this.accepted.some(
      (one) =>
        one.slot === slot &&
        compareBallots(one.vote.ballot, ballot) === 0 &&
        one.vote.digest !== digest,
    );
  }

  /** Phase 1(b). */
  prepare(ballot: Ballot): void {
    this.responded.push(ballot);
  }

  /** Phase 2(b). */
  accept(slot: number, vote: Vote): void {
    this.accepted.push({ slot, vote });
  }

  /** "The highest-numbered proposal (if any) that it has accepted", in a slot. */
  highestAccepted(slot: number): Vote | null {
    const here = this.accepted.filter((one) => one.slot === slot).map(({ vote }) => vote);
    const ballot = greatest(here.map((vote) => vote.ballot));
    return here.find((vote) => vote.ballot === ballot) ?? null;
  }

  /** The slots it has accepted something in, ascending. */
  slots(): number[] {
    return [...new Set(this.accepted.map(({ slot }) => slot))].sort((a, b) => a - b);
  }
}

/** A disk: the last bytes written under each key. */
export class NaiveDisk {
  readonly #records = new Map<string, RawRecord>();

  keep(records: readonly StoreRecord[]): void {
    for (const record of records) {
      const raw = encodeRecord(record);
      this.#records.set(raw.key.join(), raw);
    }
  }

  records(): StoreRecord[] {
    return [...this.#records.values()].map(decodeRecord);
  }

  /** What an acceptor remembers after a crash now. */
  recover(limits: Limits = DEFAULT_LIMITS): AcceptorState {
    return recoverAcceptor(this.records(), 0, limits);
  }
}

/** Phase 2(a): "the value of the highest-numbered proposal among the responses", or one's own. */
export function naivePick(
  responses: readonly (Vote | null)[],
  own: Uint8Array | null,
): Uint8Array | null {
  const proposals = responses.filter((vote) => vote !== null);
  const ballot = greatest(proposals.map((vote) => vote.ballot));
  return proposals.find((vote) => vote.ballot === ballot)?.value ?? own;
}

/** Whether some of these make "any majority of the agents": counted on fingers. */
export function naiveMajority(agents: readonly string[], present: ReadonlySet<string>): boolean {
  const inside = agents.filter((agent) => present.has(agent));
  const outside = agents.filter((agent) => !present.has(agent));
  return inside.length > outside.length;
}

/** All subsets of some agents; 2^n of them. */
export function subsets(agents: readonly string[]): Set<string>[] {
  return Array.from(
    { length: 2 ** agents.length },
    (_, mask) => new Set(agents.filter((_agent, bit) => (mask >> bit) & 1)),
  );
}
