/** What a gateway knows and holds, and what it shows. */

import type { Effect } from "../../src/kernel/effect.js";
import type { RoleInput, RoleStatus, Wait } from "../../src/kernel/role.js";
import { type Plain, showBytes, showSome, showText } from "../../src/kernel/show.js";
import { type Ballot, formatBallot } from "../../src/paxos/ballot.js";
import { awaited, openOwnSession } from "../../src/paxos/clients/gateway.js";
import { GatewayState } from "../../src/paxos/clients/gateway-state.js";
import type { Cluster } from "../../src/paxos/cluster.js";
import type { FollowedLearner } from "../../src/paxos/progress.js";
import type { Propose } from "../../src/paxos/wire/messages.js";

/** The gateway's context. `data` is bulk and has one owner. */
export interface GatewayContext {
  readonly id: string;
  readonly nonce: string;
  readonly cluster: Cluster;
  readonly data: GatewayState;
  readonly leader: {
    readonly id: string;
    readonly ballot: Ballot;
    readonly heardMs: number;
    /** The limit of the leader's server on a message; null if it did not say. */
    readonly payloadBytesMax: number | null;
    /** Every slot below is chosen, as its last beacon said. */
    readonly chosenWatermark: number;
    /** A gateway of its process. */
    readonly gateway: string | null;
  } | null;
  /** The learner that tells outcomes. */
  readonly learner: FollowedLearner | null;
  /** Whether it asks every learner how far it is, and when it did last. */
  readonly asksAll: boolean;
  readonly askedAllMs: number;
  readonly proposals: readonly Propose[];
  /** Refusals of what no message can carry now; they go out with the proposals. */
  readonly tooLarge: readonly Effect[];
  /** Answers that the last rule made. */
  readonly answers: readonly Effect[];
  /** Since when no leader or no learner is known, if so. */
  readonly sinceMs: number;
}

/** Builds the context: the gateway's own session is the first thing it wants in the log. */
export function gatewayContext(input: RoleInput): GatewayContext {
  const data = new GatewayState();
  openOwnSession(data, input.id, input.nonce);
  return {
    id: input.id,
    nonce: input.nonce,
    cluster: input.cluster,
    data,
    leader: null,
    learner: null,
    asksAll: true,
    askedAllMs: input.nowMs,
    proposals: [],
    tooLarge: [],
    answers: [],
    sinceMs: input.nowMs,
  };
}

/**
 * Says whether it holds a command whose outcome somebody awaits. A client that hears nothing would
 * ask another gateway only after a silence, and there may be none.
 *
 * The opening of its own session is no such command: the gateway alone wants it, to be ready.
 */
export function gatewayIsBusy({ data }: GatewayContext): boolean {
  for (const [id, { pending }] of data.sessions) {
    const isOpening = id === data.ownSession && pending.has(0);
    if (pending.size > (isOpening ? 1 : 0)) return true;
  }
  return false;
}

/** What `status` shows of a gateway. */
export function gatewayStatus(context: GatewayContext): RoleStatus {
  return { leader: context.leader?.id ?? null };
}

/** What a viewer shows of a gateway: its leader and learner, and the commands that it holds. */
export function showGateway({ data, leader, learner }: GatewayContext): Plain {
  return {
    leader: leader && {
      id: showText(leader.id),
      ballot: showText(formatBallot(leader.ballot)),
      heardMs: leader.heardMs,
      chosenWatermark: leader.chosenWatermark,
      gateway: showText(leader.gateway),
    },
    learner: learner && {
      id: showText(learner.id),
      applied: learner.applied,
      isHere: learner.isHere,
      heardMs: learner.heardMs,
    },
    sessions: showSome(data.sessions, ([session, { client, pending, highest }]) => ({
      session: showText(session),
      client: showText(client),
      highest,
      pending: showSome(pending, ([number, { blob, wasSent }]) => ({
        number,
        wasSent,
        command: showBytes(blob),
      })),
    })),
    toSend: data.toSend.length,
    heldBytes: data.heldBytes,
    underWayBytes: data.underWayBytes,
    creditBytes: data.creditBytes,
    ids: data.byId.size,
    results: data.results.size,
  };
}

/** What it waits for: a leader, or the outcomes of what it passed on. */
export function gatewayWaits(state: string, context: GatewayContext, nowMs: number): Wait[] {
  const since = (ms: number) => Math.max(0, Math.round(nowMs - Math.min(ms, nowMs)));
  if (state === "holding") {
    const reason = "no leader and learner are known; commands are held";
    const sinceMs = since(context.sinceMs);
    const what = "a leader's beacon and a learner";
    return [{ for: what, from: [], have: 0, need: 1, sinceMs, reason }];
  }
  const { count, sinceMs } = awaited(context.data);
  if (count === 0) return [];
  const reason = "passed on to the leader; the learner has not told their outcome";
  const from = context.learner === null ? [] : [context.learner.id];
  const what = "outcomes of commands";
  return [{ for: what, from, have: 0, need: count, sinceMs: since(sinceMs), reason }];
}
