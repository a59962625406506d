/** What an elector knows of the leader, and what it shows. */
import type { RoleInput, RoleStatus, Wait } from "../../src/kernel/role.js";
import { type Plain, showText } from "../../src/kernel/show.js";
import { type Ballot, formatBallot } from "../../src/paxos/ballot.js";
import type { Cluster } from "../../src/paxos/cluster.js";

/** The elector's context. */
export interface ElectorContext {
  readonly id: string;
  readonly cluster: Cluster;
  readonly seed: number;
  readonly leader: { readonly id: string; readonly ballot: Ballot } | null;
  /** When the leader was heard last; when the watch began, if never. Own lag is taken off. */
  readonly heardMs: number;
  /** When the present wait for the next ping began, and how long it is. */
  readonly tickMs: number;
  readonly waitMs: number;
  readonly confirmMs: number;
  /** When the suspicion began. */
  readonly suspectedMs: number;
  /** Candidates named in a row without a leader showing. */
  readonly attempts: number;
  readonly elections: number;
}

/** Builds the context. */
export function electorContext(input: RoleInput): ElectorContext {
  return {
    id: input.id,
    cluster: input.cluster,
    seed: input.seed,
    leader: null,
    heardMs: input.nowMs,
    tickMs: input.nowMs,
    waitMs: input.cluster.limits.beaconMs,
    confirmMs: input.cluster.limits.confirmMs,
    suspectedMs: input.nowMs,
    attempts: 0,
    elections: 0,
  };
}

/**
 * The proposer that should lead next: each in turn, beginning after the suspected one.
 *
 * Why after it, and not with the first: two that win phase 1 and never reach a phase-2 quorum would
 * else be named in turn for ever, while a third could lead.
 */
export function candidateOf({ cluster, leader, attempts }: ElectorContext): string {
  const ids = cluster.proposers.map(({ id }) => id);
  const next = leader === null ? 0 : ids.indexOf(leader.id) + 1;
  return ids[(next + attempts) % ids.length] ?? "";
}

/** What `status` shows of an elector. */
export function electorStatus(context: ElectorContext): RoleStatus {
  return { leader: context.leader?.id ?? null, elections: context.elections };
}

/** What a viewer shows of an elector: the leader that it watches, and since when it is silent. */
export function showElector({ leader, ...context }: ElectorContext): Plain {
  return {
    leader: leader && {
      id: showText(leader.id),
      ballot: showText(formatBallot(leader.ballot)),
    },
    heardMs: context.heardMs,
    suspectedMs: context.suspectedMs,
    waitMs: context.waitMs,
    attempts: context.attempts,
    elections: context.elections,
  };
}

/** What it waits for: a leader to show. */
export function electorWaits(state: string, context: ElectorContext, nowMs: number): Wait[] {
  const from = context.leader === null ? [] : [context.leader.id];
  if (state === "watching") {
    const { beaconMs, suspectMs } = context.cluster.limits;
    const silentMs = Math.round(nowMs - context.heardMs);
    // A beacon or two may be late or lost.
    if (silentMs < 3 * beaconMs) return [];
    const reason = `none has come; the leader is suspected after ${suspectMs} ms of silence`;
    return [{ for: "a leader's beacon", from, have: 0, need: 1, sinceMs: silentMs, reason }];
  }
  const sinceMs = Math.max(0, Math.round(nowMs - context.suspectedMs));
  const base = { have: 0, need: 1, sinceMs };
  if (state === "suspecting" || state === "confirming") {
    const reason = "the server knows of no subscriber for the leader; asked a second time";
    return [{ ...base, for: "a sign of the leader", from, reason }];
  }
  const reason = "no leader is heard; a candidate has been named";
  return [{ ...base, for: "a leader's beacon", from: [candidateOf(context)], reason }];
}
