/**
 * Traces an acceptor: `recover`, `p1b`, `p2b`, `nack`.
 *
 * Everything is written in the moment in which the message that says it leaves: by then it is
 * durable, and the order of the lines is the order of the steps. A repeat of something said in this
 * incarnation is not written again. `"dup":true` has what is said again after a restart (it stands
 * in `recover`), and a promise of the ballot that it has voted at: its prepare came late.
 */

import type { ObservedRole } from "../kernel/observer.js";
import type { RoleEvent } from "../kernel/role.js";
import type { Step } from "../kernel/step.js";
import type { Store } from "../kernel/store/store.js";
import { type Ballot, sameBallot } from "../paxos/ballot.js";
import type { Message, Promise1b, SlotVote } from "../paxos/wire/messages.js";
import type { StoreRecord } from "../paxos/wire/record.js";
import { balOf, type TracedKeys, type TraceFile, type TraceOptions, valOf } from "./file.js";
import { keyFiles, logFile, type RoleTrace, received } from "./role.js";
import { SlotSet } from "./slot-set.js";

/** Most votes that `recover` lists: the highest slots. With more, `from` says where it begins. */
const RECOVERED_VOTES_MAX = 65_536;
/** Bytes of votes read from the store at a time. */
const READ_BYTES = 1024 * 1024;

type KeyRecord = Extract<StoreRecord, { kind: "key" }>;

/** What was said of a key in this incarnation. */
interface KeySaid {
  readonly file: TraceFile;
  readonly found: KeyRecord | undefined;
  promised: Ballot | null;
  voted: Ballot | null;
}

/** Traces one incarnation of an acceptor. */
export class AcceptorTrace implements RoleTrace {
  readonly #file: TraceFile;
  readonly #store: Store | null;
  readonly #keys: TracedKeys<KeySaid>;
  readonly #found = new Map<string, KeyRecord>();
  #hasStarted = false;
  /** The promise that was found on disk, and the slots voted for at its ballot. */
  #foundPromise: Ballot | null = null;
  readonly #foundVotes = new Set<number>();
  /** The highest ballot whose promise was said. */
  #promised: Ballot | null = null;
  /** The ballot of the latest votes, and the slots whose vote was said. */
  #ballot: Ballot | null = null;
  readonly #voted = new SlotSet();
  /** First part of a promise that has not left yet → what it says. */
  readonly #promises = new WeakMap<Message, Readonly<Record<string, unknown>>>();

  constructor(options: TraceOptions, runner: ObservedRole) {
    this.#file = logFile(options, runner);
    this.#store = runner.store;
    for (const record of runner.store?.records ?? []) {
      if (record.kind === "key") this.#found.set(record.key, record);
    }
    const max = Math.max(65_536, options.cluster.limits.decideKeysMax);
    this.#keys = keyFiles(options, runner, (file, key) => this.#recoverKey(file, key), max);
  }

  stepped(_instance: string, event: RoleEvent | null, step: Step): void {
    if (event === null) this.#start();
    for (const { message } of received(event, "prepare")) this.#notePromise(message.fromSlot, step);
  }

  says(message: Message): void {
    switch (message.type) {
      case "promise":
        this.#sayPromise(message);
        break;
      case "accepted":
        for (const { slot, digest } of message.votes) this.#sayVote(message.ballot, slot, digest);
        break;
      case "nack":
        this.#sayNack(this.#file, message, message.slot === null ? {} : { slot: message.slot });
        break;
      case "key-promise":
        this.#sayKeyPromise(message);
        break;
      case "key-accepted":
        this.#sayKeyVote(message);
        break;
      case "key-nack":
        this.#sayNack(this.#keys.at(message.key).file, message, {});
        break;
      default:
    }
  }

  #start(): void {
    if (this.#hasStarted) {
      this.#file.write("note", { what: "memory was thrown away and read again from disk" });
      return;
    }
    this.#hasStarted = true;
    let trimmed = 0;
    for (const record of this.#store?.records ?? []) {
      if (record.kind === "promise") this.#foundPromise = record.ballot;
      if (record.kind === "marks") trimmed = record.trimmed;
    }
    const { votes, from } = this.#readVotes(trimmed);
    for (const { slot, ballot } of votes) {
      if (sameBallot(ballot, this.#foundPromise)) this.#foundVotes.add(slot);
    }
    this.#file.write("recover", {
      promised: balOf(this.#foundPromise),
      votes: votes.map(voteOf),
      ...(from > trimmed ? { from } : {}),
      ...truncOf(trimmed),
    });
  }

  /** Reads the votes on disk. @returns those of the slots ≥ `from` */
  #readVotes(trimmed: number): {
    readonly votes: readonly Omit<SlotVote, "value">[];
    readonly from: number;
  } {
    let votes: Omit<SlotVote, "value">[] = [];
    let from = trimmed;
    for (let at = trimmed; this.#store !== null; ) {
      const read = this.#store.readVotes(at, Number.MAX_SAFE_INTEGER, READ_BYTES);
      for (const { slot, ballot, digest } of read.votes) votes.push({ slot, ballot, digest });
      if (votes.length > RECOVERED_VOTES_MAX) {
        votes = votes.slice(-RECOVERED_VOTES_MAX);
        from = votes[0]?.slot ?? from;
      }
      if (read.votes.length === 0 || read.to >= Number.MAX_SAFE_INTEGER) break;
      at = read.to;
    }
    return { votes, from };
  }

  /** Gathers the parts of a promise; it is written when the first of them leaves. */
  #notePromise(fromSlot: number, step: Step): void {
    const parts: Promise1b[] = [];
    for (const effect of step.effects) {
      if (effect.kind === "send" && effect.message.type === "promise") parts.push(effect.message);
    }
    const first = parts[0];
    if (first === undefined) return;
    const { ballot, trimmed, chosenWatermark } = first;
    this.#promises.set(first, {
      bal: balOf(ballot),
      from: Math.max(fromSlot, chosenWatermark),
      votes: parts.flatMap(({ votes }) => votes.map(voteOf)),
      ...truncOf(trimmed),
    });
  }

  #sayPromise(message: Promise1b): void {
    const promise = this.#promises.get(message);
    // A repeat says no more than the first: the votes below its ballot cannot change after it.
    if (promise === undefined || sameBallot(this.#promised, message.ballot)) return;
    this.#promised = message.ballot;
    this.#file.write("p1b", { ...promise, ...dupIf(this.#hasPromised(message.ballot)) });
  }

  /** A vote is a promise too, and so is what was found on disk. */
  #hasPromised(ballot: Ballot): boolean {
    return sameBallot(ballot, this.#foundPromise) || sameBallot(ballot, this.#ballot);
  }

  #sayVote(ballot: Ballot, slot: number, digest: string): void {
    if (!sameBallot(this.#ballot, ballot)) {
      this.#ballot = ballot;
      this.#voted.clear();
    }
    if (!this.#voted.add(slot)) return;
    const isFound = sameBallot(ballot, this.#foundPromise) && this.#foundVotes.has(slot);
    this.#file.write("p2b", { bal: balOf(ballot), slot, val: valOf(digest), ...dupIf(isFound) });
  }

  /** A refusal for another reason than a higher promise is a note: its promise is no reason. */
  #sayNack(
    file: TraceFile,
    { ballot, promised, reason }: Extract<Message, { type: "nack" | "key-nack" }>,
    where: { readonly slot?: number },
  ): void {
    const refused = { bal: balOf(ballot), promised: balOf(promised), ...where };
    if (reason === "stale") file.write("nack", refused);
    else file.write("note", { what: "refused", reason, ...refused });
  }

  #recoverKey(file: TraceFile, key: string): KeySaid {
    const found = this.#found.get(key);
    const { promised = null, vote = null } = found ?? {};
    file.write("recover", { promised: balOf(promised), ...highestOf(vote) });
    return { file, found, promised: null, voted: null };
  }

  #sayKeyPromise({ key, ballot, vote }: Extract<Message, { type: "key-promise" }>): void {
    const said = this.#keys.at(key);
    if (sameBallot(said.promised, ballot)) return;
    said.promised = ballot;
    const hasPromised = sameBallot(said.found?.promised ?? null, ballot);
    const dup = dupIf(hasPromised || sameBallot(said.voted, ballot));
    said.file.write("p1b", { bal: balOf(ballot), ...highestOf(vote), ...dup });
  }

  #sayKeyVote({ key, ballot, digest }: Extract<Message, { type: "key-accepted" }>): void {
    const said = this.#keys.at(key);
    if (sameBallot(said.voted, ballot)) return;
    said.voted = ballot;
    const dup = dupIf(sameBallot(said.found?.vote?.ballot ?? null, ballot));
    said.file.write("p2b", { bal: balOf(ballot), val: valOf(digest), ...dup });
  }
}

function voteOf({ slot, ballot, digest }: Omit<SlotVote, "value">) {
  return { slot, bal: balOf(ballot), val: valOf(digest) };
}

function highestOf(vote: { readonly ballot: Ballot; readonly digest: string } | null) {
  const val = vote === null ? null : valOf(vote.digest);
  return { mbal: balOf(vote?.ballot ?? null), mval: val };
}

function truncOf(trimmed: number): { readonly trunc?: number } {
  return trimmed > 0 ? { trunc: trimmed - 1 } : {};
}

function dupIf(is: boolean): { readonly dup?: true } {
  return is ? { dup: true } : {};
}
