/** What a learner knows, keeps for those who come late, and shows. */

import type { FeedEntry } from "../../src/kernel/effect.js";
import type { Learned, RoleInput, RoleStatus, Wait } from "../../src/kernel/role.js";
import { type Plain, showBytes, showSome, showText } from "../../src/kernel/show.js";
import type { Cluster } from "../../src/paxos/cluster.js";
import type { Bases } from "../../src/paxos/consensus/basis.js";
import { LearnerState } from "../../src/paxos/consensus/learner.js";
import type { Source } from "../../src/paxos/consensus/repair.js";
import { KeptLog } from "../../src/paxos/log/kept-log.js";
import { LogState } from "../../src/paxos/log/log.js";
import { CatchUp, type Distance, describeDistance, Pace } from "../../src/paxos/progress.js";
import { KeyLearnerState, type KeyNews } from "../../src/paxos/single/key-learner.js";
import type { ChosenEntry, Outcome } from "../../src/paxos/wire/messages.js";
import { publishedBy } from "./services.js";

/** A request through the door `history`. */
export interface HistoryAsk {
  readonly token: string;
  readonly after: number;
  readonly max: number;
  /** The answer may name the log's end once every slot below is applied. */
  readonly applied: number;
}

/** The learner's bulk: what is known, what was applied, and what is kept of it. */
export class LearnerData {
  readonly chosen = new LearnerState();
  readonly keys = new KeyLearnerState();
  readonly log: LogState;
  readonly catchUp = new CatchUp();
  readonly pace = new Pace();
  /** What ballots rest on, for `prove`. */
  readonly bases: Bases = new Map();
  /** What is kept of the log, for `history` and for other learners' repairs. */
  readonly kept: KeptLog;

  constructor(cluster: Cluster) {
    this.log = new LogState(cluster.limits);
    this.kept = new KeptLog(cluster.limits.historyBytesMax);
  }
}

/** The learner's context. `data` is bulk and has one owner. */
export interface LearnerContext {
  readonly id: string;
  readonly cluster: Cluster;
  readonly data: LearnerData;
  /**
   * It publishes what is chosen, and tells outcomes, from this slot on; null until it hears of the
   * log's tail.
   */
  readonly feedFrom: number | null;
  /** Gateways that asked for outcomes, and when they asked last. */
  readonly followers: ReadonlyMap<string, number>;
  /** What the last rule made. */
  readonly feed: readonly FeedEntry[];
  readonly outcomes: ReadonlyMap<string, readonly Outcome[]>;
  readonly taken: readonly ChosenEntry[];
  readonly unreadable: number;
  readonly keyNews: readonly KeyNews[];
  /** Repairs asked for in a row without progress. */
  readonly attempts: number;
  /** Who brought the last progress of this repair; null: nobody yet. */
  readonly helper: Source | null;
  /** Those who are asked one after the other until there is progress. */
  readonly turn: readonly Source[];
  /** The first slot of the last repair that was asked for. */
  readonly askedFrom: number;
  /** Set: the last answer to a repair brought progress, so the next chunk is asked for at once. */
  readonly wasHelped: boolean;
  readonly repairs: number;
  readonly sinceMs: number;
}

/** Builds the context: a learner starts from slot 0. */
export function learnerContext(input: RoleInput): LearnerContext {
  return {
    id: input.id,
    cluster: input.cluster,
    data: new LearnerData(input.cluster),
    feedFrom: null,
    followers: new Map(),
    feed: [],
    outcomes: new Map(),
    taken: [],
    unreadable: 0,
    keyNews: [],
    attempts: 0,
    helper: null,
    turn: [],
    askedFrom: 0,
    wasHelped: false,
    repairs: 0,
    sinceMs: input.nowMs,
  };
}

/** Says whether the end of what a learner has applied is the end of the log, as far as it heard. */
export function isCurrent({ chosen, catchUp }: LearnerData): boolean {
  return catchUp.isDone && chosen.watermark >= Math.max(chosen.tail, chosen.heardTail);
}

/** How far it has to go; null if nothing that is, or may be, chosen is missing. */
export function distance({ chosen, pace }: LearnerData): Distance | null {
  const behindSlots = Math.max(chosen.tail, chosen.heardTail) - chosen.watermark;
  return behindSlots > 0 ? { behindSlots, slotsPerSecond: pace.slotsPerSecond } : null;
}

/**
 * Says from which slot on a learner publishes and tells outcomes: a working window before the
 * lowest tail that it knew until it publishes.
 *
 * Why not from slot 0: it reads the whole log again at its start, and its subscribers have had it.
 * A gateway that still awaits an older outcome sends the command again, and the repeat brings it.
 * Why the lowest: a tail that a message names may be wrong. The learner drops such a tail after a
 * while, and would publish nothing up to there.
 */
export function feedStart({ feedFrom, data, cluster }: LearnerContext): number | null {
  const { watermark, heardTail } = data.chosen;
  const tail = Math.max(data.chosen.tail, heardTail);
  if (tail === 0 || (feedFrom !== null && watermark > feedFrom)) return feedFrom;
  return Math.min(feedFrom ?? tail, Math.max(0, tail - cluster.limits.pipelineSlotsMax));
}

/** What an observer reads of a learner. */
export const learnerLearned: Learned = {
  entries: ({ context }) => (context as LearnerContext).taken,
  key: ({ context }, key) => (context as LearnerContext).data.keys.decided.get(key)?.digest ?? null,
  published: publishedBy,
};

/** What `status` shows of a learner. */
export function learnerStatus(context: LearnerContext): RoleStatus {
  const { chosen, kept, keys, log, catchUp } = context.data;
  const { limits } = context.cluster;
  const tail = Math.max(chosen.tail, chosen.heardTail);
  const catchingUp = distance(context.data);
  const copiesPerValue = Math.round((100 * log.requests) / Math.max(1, log.position)) / 100;
  return {
    ...(log.position === 0 ? {} : { copiesPerValue }),
    bounds: [
      { name: "decideKeysMax", used: keys.decided.size, limit: limits.decideKeysMax },
      { name: "decideBytesMax", used: keys.decidedBytes, limit: limits.decideBytesMax },
      { name: "historyBytesMax", used: kept.bytes, limit: limits.historyBytesMax },
      { name: "sessionsMax", used: log.sessions.size, limit: limits.sessionsMax },
      { name: "idsMax", used: log.sessions.ids, limit: limits.idsMax },
    ],
    ...(tail > 0 || catchUp.goal !== null ? { chosenWatermark: tail } : {}),
    appliedWatermark: chosen.watermark,
    ...(catchingUp === null ? {} : { catchingUp }),
    firstRetained: kept.firstSlot,
    keys: keys.decided.size,
  };
}

/** What a viewer shows of a learner: how far it is, what it misses, and the keys that it knows. */
export function showLearner({ data, helper, ...context }: LearnerContext): Plain {
  const { chosen, keys, log, kept, catchUp } = data;
  return {
    appliedWatermark: chosen.watermark,
    tail: chosen.tail,
    heardTail: chosen.heardTail,
    position: log.position,
    caughtUp: catchUp.isDone,
    unapplied: showSome(chosen.slots, ([slot, { candidates, chosenAt, entry }]) => ({
      slot,
      candidates: candidates.size,
      isChosen: chosenAt !== null || entry !== null,
    })),
    keys: showSome(keys.decided, ([key, { value, isCounted }]) => ({
      key: showText(key),
      value: showBytes(value),
      isCounted,
    })),
    tallies: keys.tallies.size,
    kept: { bytes: kept.bytes, firstSlot: kept.firstSlot, firstPosition: kept.firstPosition },
    sessions: log.sessions.size,
    ids: log.sessions.ids,
    feedFrom: context.feedFrom,
    followers: showSome(context.followers, ([id, askedMs]) => ({ id: showText(id), askedMs })),
    helper: helper && { role: helper.role, id: showText(helper.id) },
    attempts: context.attempts,
    repairs: context.repairs,
  };
}

/** What it waits for: the values of slots that are chosen. */
export function learnerWaits(state: string, context: LearnerContext, nowMs: number): Wait[] {
  const far = distance(context.data);
  if (state === "listening" || far === null) return [];
  const { watermark } = context.data.chosen;
  const { behindSlots } = far;
  const last = watermark + behindSlots - 1;
  return [
    {
      for: `the values of slots ${watermark} to ${last}, which are or may be chosen`,
      from: awaited(context),
      have: 0,
      need: behindSlots,
      sinceMs: Math.max(0, Math.round(nowMs - context.sinceMs)),
      reason: `${describeDistance(far)}; asks other learners, acceptors and the leader in turn`,
    },
  ];
}

/** Who is asked at the moment: one learner, or all that may know. */
function awaited({ helper, cluster }: LearnerContext): readonly string[] {
  if (helper?.role === "learner" && helper.id !== null) return [helper.id];
  return cluster.acceptors.map(({ id }) => id);
}
