/** What an acceptor remembers while it runs, and what it shows. */
import type { RoleInput, RoleStatus, Wait } from "../../src/kernel/role.js";
import { type Plain, showBytes, showSome, showText } from "../../src/kernel/show.js";
import { type Ballot, formatBallot } from "../../src/paxos/ballot.js";
import type { Cluster } from "../../src/paxos/cluster.js";
import { type AcceptorState, recoverAcceptor } from "../../src/paxos/consensus/acceptor.js";
import type { Message, Sender, Vote } from "../../src/paxos/wire/messages.js";
import type { StoreRecord } from "../../src/paxos/wire/record.js";

/** An answer and who asked for it. */
export interface Reply {
  readonly to: Sender;
  readonly message: Message;
}

/**
 * The acceptor's context. `data` is bulk and has one owner; the rest is replaced, never changed.
 */
export interface AcceptorContext {
  readonly id: string;
  readonly cluster: Cluster;
  readonly openings: RoleInput["openings"];
  readonly data: AcceptorState;
  /** What the last rule wants on disk, and said afterwards. */
  readonly records: readonly StoreRecord[];
  readonly replies: readonly Reply[];
  readonly refusals: readonly Reply[];
  /** When the leader of the promised ballot was heard last; null: not since the start. */
  readonly leader: { readonly ballot: Ballot; readonly heardMs: number } | null;
  readonly nacks: number;
  readonly diskFull: string | null;
  readonly haltReason: string | null;
  readonly sinceMs: number;
}

/** Builds the context from what the store held. */
export function acceptorContext(input: RoleInput): AcceptorContext {
  return {
    id: input.id,
    cluster: input.cluster,
    openings: input.openings,
    data: recoverAcceptor(input.records, input.life, input.cluster.limits),
    records: [],
    replies: [],
    refusals: [],
    leader: null,
    nacks: 0,
    diskFull: input.diskFull,
    haltReason: null,
    sinceMs: input.nowMs,
  };
}

/** What `status` shows of an acceptor. */
export function acceptorStatus(context: AcceptorContext): RoleStatus {
  const { promised, chosenWatermark, trimmed, keys, keysBytes } = context.data;
  const { decideKeysMax, decideBytesMax } = context.cluster.limits;
  return {
    bounds: [
      { name: "decideKeysMax", used: keys.size, limit: decideKeysMax },
      { name: "decideBytesMax", used: keysBytes, limit: decideBytesMax },
    ],
    promised: promised === null ? null : formatBallot(promised),
    // It knows only what its votes show: nothing before they fill a window.
    ...(chosenWatermark > 0 ? { chosenWatermark } : {}),
    firstRetained: trimmed,
    nacks: context.nacks,
  };
}

const showBallot = (ballot: Ballot | null) => showText(ballot && formatBallot(ballot));
const showVote = ({ ballot, value }: Vote) => ({
  ballot: showBallot(ballot),
  value: showBytes(value),
});

/** What a viewer shows of an acceptor: what it promised and voted for. */
export function showAcceptor({ data, leader, ...context }: AcceptorContext): Plain {
  return {
    promised: showBallot(data.promised),
    chosenWatermark: data.chosenWatermark,
    trimmed: data.trimmed,
    highestVoted: data.highestVoted,
    votes: showSome(data.votes, ([slot, vote]) => ({ slot, ...showVote(vote) })),
    keys: showSome(data.keys, ([key, { promised, vote }]) => ({
      key: showText(key),
      promised: showBallot(promised),
      vote: vote && showVote(vote),
    })),
    leader: leader && { ballot: showBallot(leader.ballot), heardMs: leader.heardMs },
    nacks: context.nacks,
    diskFull: showText(context.diskFull),
    haltReason: showText(context.haltReason),
  };
}

/** What an acceptor waits for: nothing while it serves. */
export function acceptorWaits(state: string, context: AcceptorContext, nowMs: number): Wait[] {
  const sinceMs = Math.max(0, Math.round(nowMs - context.sinceMs));
  const wait = { from: [], have: 0, need: 1, sinceMs };
  if (state === "recovering") {
    const reason = "a starting store gives every living role the chance to object to it";
    return [{ ...wait, for: "objections to this store", reason }];
  }
  if (state === "refusing") {
    return [{ ...wait, for: "room on the disk", reason: context.diskFull ?? "the disk is full" }];
  }
  if (state === "halted") {
    return [{ ...wait, for: "an operator", reason: context.haltReason ?? "halted" }];
  }
  return [];
}
