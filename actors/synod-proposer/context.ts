/** What a single-decree proposer knows of its one key, and what it shows. */
import type { RoleInput, RoleStatus, Wait } from "../../src/kernel/role.js";
import { type Plain, showBytes, showNames, showText } from "../../src/kernel/show.js";
import { type Ballot, ballotOwner, formatBallot } from "../../src/paxos/ballot.js";
import { type Cluster, configOfKeys, standingIn } from "../../src/paxos/cluster.js";
import type { SynodAttempt } from "../../src/paxos/single/synod.js";

/** The context of one key's proposer. Small, and replaced as a whole. */
export interface SynodProposerContext {
  readonly cluster: Cluster;
  readonly key: string;
  readonly owner: string;
  readonly seed: number;
  /** What it would like the key to hold, typed; null as long as it is only asked. */
  readonly wish: Uint8Array | null;
  /** Requests that await the answer. */
  readonly tokens: readonly string[];
  /** Of these, the first so many had come when the present ballot was begun. */
  readonly asked: number;
  readonly attempt: SynodAttempt | null;
  readonly attempts: number;
  readonly highestRound: number;
  /**
   * Rounds of the ballots that it began: no later one repeats them. A promise that was under way
   * would count for one who asked after it.
   */
  readonly begunRounds: ReadonlySet<number>;
  readonly backoffMs: number;
  /** The value, the ballot it was chosen at, and acceptors known to have voted for it there. */
  readonly chosen: {
    readonly ballot: Ballot;
    readonly value: Uint8Array;
    readonly syncedBy: readonly string[];
  } | null;
  /** Acceptors that have no room for a new key. */
  readonly full: ReadonlySet<string>;
  readonly nacks: number;
  readonly sinceMs: number;
}

/** Builds the context of a key. */
export function synodProposerContext(input: RoleInput): SynodProposerContext {
  return {
    cluster: input.cluster,
    key: input.instance,
    owner: ballotOwner(input.id, input.nonce),
    seed: input.seed,
    wish: null,
    tokens: [],
    asked: 0,
    attempt: null,
    attempts: 0,
    highestRound: 0,
    begunRounds: new Set(),
    backoffMs: 0,
    chosen: null,
    full: new Set(),
    nacks: 0,
    sinceMs: input.nowMs,
  };
}

/** Says whether somebody asked and has no answer, or wished for a value and awaits none. */
export function synodProposerIsBusy({ tokens }: SynodProposerContext): boolean {
  return tokens.length > 0;
}

/** What `status` shows of one key's proposer. */
export function synodProposerStatus(context: SynodProposerContext): RoleStatus {
  const ballot = context.attempt?.ballot;
  return { ballot: ballot === undefined ? null : formatBallot(ballot), nacks: context.nacks };
}

/** What a viewer shows of one key's proposer: what it wishes, its attempt, and what was chosen. */
export function showSynodProposer({ attempt, chosen, ...context }: SynodProposerContext): Plain {
  return {
    key: showText(context.key),
    wish: showBytes(context.wish),
    askers: context.tokens.length,
    attempts: context.attempts,
    highestRound: context.highestRound,
    attempt: attempt && {
      ballot: showText(formatBallot(attempt.ballot)),
      promised: showNames([...attempt.promises.keys()]),
      proposed: showBytes(attempt.proposed?.value),
      voters: showNames(attempt.voters),
    },
    chosen: chosen && {
      ballot: showText(formatBallot(chosen.ballot)),
      value: showBytes(chosen.value),
      syncedBy: showNames(chosen.syncedBy),
    },
    full: showNames(context.full),
    nacks: context.nacks,
    backoffMs: context.backoffMs,
  };
}

/** What it waits for: promises, votes, or its turn. */
export function synodProposerWaits(
  state: string,
  context: SynodProposerContext,
  nowMs: number,
): Wait[] {
  const { attempt, cluster, key } = context;
  if (attempt === null) return [];
  const sinceMs = Math.max(0, Math.round(nowMs - context.sinceMs));
  const phase = state === "preparing" ? 1 : 2;
  const heard = phase === 1 ? new Set(attempt.promises.keys()) : attempt.voters;
  const standing = standingIn(configOfKeys(cluster), phase, heard);
  const base = { ...standing, sinceMs };
  const ballot = formatBallot(attempt.ballot);
  if (state === "preparing") {
    const reason = "phase 1 needs a quorum that promised";
    return [{ ...base, for: `promises of ballot ${ballot} for key ${key}`, reason }];
  }
  if (state === "accepting") {
    const reason = "phase 2 needs a quorum that voted, synced";
    return [{ ...base, for: `votes for ballot ${ballot} of key ${key}`, reason }];
  }
  if (state === "backingOff") {
    const reason = `another proposer was first; next ballot after ${context.backoffMs} ms`;
    return [{ ...base, from: [], have: 0, need: 0, for: `its turn for key ${key}`, reason }];
  }
  return [];
}
