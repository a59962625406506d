/** What the tests of the paper share: its numbers, one acceptor or three, pieces of evidence. */

import type { Ballot } from "../../src/paxos/ballot.js";
import {
  AcceptorState,
  castVotes,
  judgeBallot,
  judgeKey,
  promise,
  promiseKey,
  voteForKey,
} from "../../src/paxos/consensus/acceptor.js";
import { digest } from "../../src/paxos/digest.js";
import { DEFAULT_LIMITS } from "../../src/paxos/limits.js";
import { type CastVote, chosenProposals, type Evidence } from "../../src/paxos/proof/evidence.js";
import { encodeBatch } from "../../src/paxos/value.js";
import type {
  Accept,
  KeyPromise,
  NackReason,
  Promise1b,
  SlotVote,
  Vote,
} from "../../src/paxos/wire/messages.js";
import type { StoreRecord } from "../../src/paxos/wire/record.js";
import { NaiveDisk } from "./naive.js";
import { KEY, makeCluster, SynodWorld } from "./synod-world.js";

/** The paper's proposal number n. */
export function numbered(n: number): Ballot {
  return { round: n, owner: "p" };
}

/** The vote for the value a text stands for, at number n. */
export function voteOf(n: number, text: string): Vote {
  const value = new TextEncoder().encode(text);
  return { ballot: numbered(n), value, digest: digest(value) };
}

/** The name of the value a text stands for. */
export function digestOf(text: string): string {
  return voteOf(1, text).digest;
}

/** A vote by an acceptor, as evidence. */
export function cast(acceptor: string, n: number, text: string): CastVote {
  return { acceptor, key: KEY, slot: 0, ballot: numbered(n), digest: digestOf(text) };
}

/** Three acceptors, and proposers that wish for these. */
export function world(...wishes: (string | null)[]): SynodWorld {
  return new SynodWorld(makeCluster(3), wishes);
}

/** Evidence of three acceptors that did nothing. */
export const nothing: Evidence = world().evidence;

/** The values chosen in a world, one a chosen proposal. */
export function chosenIn({ evidence }: SynodWorld): string[] {
  return chosenProposals(evidence).map((chosen) => chosen.digest);
}

/** One acceptor of one key, asked as the chart asks: judged, kept on disk, then answered. */
export class OneAcceptor {
  readonly disk = new NaiveDisk();
  state = new AcceptorState();
  /** What the last request put on disk. */
  kept: readonly StoreRecord[] = [];

  /** A prepare request numbered n. @returns the promise, or why there is none */
  prepare(n: number): KeyPromise | NackReason {
    const prepare = { type: "key-prepare", key: KEY, ballot: numbered(n) } as const;
    const reason = judgeKey(this.state, prepare, DEFAULT_LIMITS);
    if (reason !== null) return reason;
    const { records, answers } = promiseKey(this.state, prepare);
    this.#keep(records);
    return answers[0] as KeyPromise;
  }

  /** An accept request numbered n. @returns "accepted", or why not */
  accept(n: number, text: string): "accepted" | NackReason {
    const accept = { type: "key-accept", key: KEY, ...voteOf(n, text) } as const;
    const reason = judgeKey(this.state, accept, DEFAULT_LIMITS);
    if (reason !== null) return reason;
    this.#keep(voteForKey(this.state, accept));
    return "accepted";
  }

  /** Fails and restarts. */
  restart(): void {
    this.state = this.disk.recover();
  }

  get promised(): Ballot | null {
    return this.state.keys.get(KEY)?.promised ?? null;
  }

  get vote(): Vote | null {
    return this.state.keys.get(KEY)?.vote ?? null;
  }

  #keep(records: readonly StoreRecord[]): void {
    this.kept = records;
    this.disk.keep(records);
  }
}

/** The value of a slot that holds one command. */
export function command(text: string): Uint8Array {
  return encodeBatch([new TextEncoder().encode(text)]);
}

export function acceptOf(n: number, firstSlot: number, ...values: Uint8Array[]): Accept {
  const digests = values.map(digest);
  const ballot = numbered(n);
  return { type: "accept", ballot, firstSlot, values, digests, chosenWatermark: 0, chosen: [] };
}

/** An acceptor of the log with a disk, asked as the chart asks. */
export class LogAcceptor {
  readonly disk = new NaiveDisk();
  state = new AcceptorState();
  kept: readonly { readonly kind: string }[] = [];
  readonly votes: { slot: number; digest: string; n: number }[] = [];

  prepare(n: number, fromSlot: number, limits = DEFAULT_LIMITS): readonly Promise1b[] | "stale" {
    if (judgeBallot(this.state.promised, numbered(n), limits.roundJumpMax) !== null) return "stale";
    const prepare = { type: "prepare", ballot: numbered(n), fromSlot } as const;
    const { records, answers } = promise(this.state, prepare, limits);
    this.kept = records;
    this.disk.keep(records);
    return answers;
  }

  /** The votes that a complete promise reports. */
  reported(n: number, fromSlot: number): readonly SlotVote[] {
    const answers = this.prepare(n, fromSlot);
    return answers === "stale" ? [] : answers.flatMap((part) => part.votes);
  }

  accept(n: number, firstSlot: number, ...values: Uint8Array[]): readonly number[] | "stale" {
    const limits = DEFAULT_LIMITS;
    if (judgeBallot(this.state.promised, numbered(n), limits.roundJumpMax) !== null) return "stale";
    const { records, voted } = castVotes(this.state, [acceptOf(n, firstSlot, ...values)], limits);
    this.kept = records;
    this.disk.keep(records);
    for (const vote of voted) this.votes.push({ ...vote, n });
    return voted.map(({ slot }) => slot);
  }
}
