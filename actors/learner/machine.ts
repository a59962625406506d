/**
 * The learner: finds out what is chosen, in order and without gaps, and tells it.
 *
 * Paper: PMS §2.3 (learning a chosen value), §3 (gaps). The rules are in
 * `src/paxos/consensus/learner.ts` (when a value is known), `key-learner.ts` (the same for
 * single-decree keys), `log.ts` and `session.ts` (what took effect).
 */
import { assertEvent, assign, setup } from "xstate";
import {
  broadcast,
  count,
  type Effect,
  effects,
  type FeedEntry,
  NOTHING,
  send,
} from "../../src/kernel/effect.js";
import type { HostEvent, InboundOf, RoleInput } from "../../src/kernel/role.js";
import { VOTE_OVERHEAD_BYTES } from "../../src/paxos/consensus/acceptor.js";
import { hasBasis, noteBasis } from "../../src/paxos/consensus/basis.js";
import {
  forgetHeardTail,
  hearTail,
  missingRange,
  noteAccept,
  noteChosenRange,
  noteEntries,
  noteRepairVotes,
  noteVotes,
  tailToProve,
  takeChosen,
} from "../../src/paxos/consensus/learner.js";
import { helperOf, turnOf } from "../../src/paxos/consensus/repair.js";
import { applyEntry } from "../../src/paxos/log/log.js";
import { noteApplied, noteGoal, notePace } from "../../src/paxos/progress.js";
import { noteKeyChosen, noteKeyValue, noteKeyVote } from "../../src/paxos/single/key-learner.js";
import type {
  Accept,
  Accepted,
  Basis,
  Beacon,
  Chosen,
  ChosenEntry,
  Entries,
  Follow,
  KeyAccept,
  KeyAccepted,
  KeyChosen,
  Outcome,
  Repair,
  Votes,
} from "../../src/paxos/wire/messages.js";
import {
  distance,
  feedStart,
  type LearnerContext,
  type LearnerData,
  learnerContext,
} from "./context.js";
import { type HistoryEvent, historyAnswer, partBytesMax } from "./history.js";
import { publish } from "./services.js";

/** Most outcomes of one message; the kernel cuts it further where the server's limit is small. */
const OUTCOMES_MAX = 2048;
/** Gateways that may follow one learner. */
const FOLLOWERS_MAX = 1024;

type LearnerEvent =
  | InboundOf<Accept | Chosen | Accepted | Beacon | Basis | Votes | Entries | Repair | Follow>
  | InboundOf<KeyAccept | KeyAccepted | KeyChosen>
  | HistoryEvent
  | HostEvent;
type Args = { context: LearnerContext; event: LearnerEvent };

/** Applies what is next in order, keeps it for latecomers, and sorts what there is to tell. */
function apply(
  context: LearnerContext,
  nowMs: number,
): Partial<LearnerContext> & Pick<LearnerContext, "taken"> {
  const { data } = context;
  const feed: FeedEntry[] = [];
  const outcomes = new Map<string, Outcome[]>();
  let unreadable = 0;
  const taken = takeChosen(data.chosen);
  const feedFrom = feedStart(context);
  for (const entry of taken) {
    const applied = applyEntry(data.log, entry);
    unreadable += applied.unreadable;
    data.kept.append(entry, applied.commandsAt);
    if (feedFrom === null || entry.slot < feedFrom) continue;
    feed.push(...applied.entries);
    for (const { gateway, outcome } of applied.outcomes) {
      if (!context.followers.has(gateway)) continue;
      const told = outcomes.get(gateway);
      if (told === undefined) outcomes.set(gateway, [outcome]);
      else told.push(outcome);
    }
  }
  noteApplied(data.catchUp, data.chosen.watermark);
  measurePace(data, nowMs);
  const attempts = taken.length > 0 ? 0 : context.attempts;
  return { feed, feedFrom, outcomes, unreadable, taken, attempts };
}

function measurePace(data: LearnerData, nowMs: number): void {
  notePace(data.pace, data.chosen.watermark, distance(data)?.behindSlots ?? 0, nowMs);
}

export const learnerMachine = setup({
  types: {
    context: {} as LearnerContext,
    events: {} as LearnerEvent,
    input: {} as RoleInput,
  },
  guards: {
    somethingIsMissing: ({ context }) =>
      missingRange(context.data.chosen, context.cluster) !== null,
    nothingIsMissing: ({ context }) => missingRange(context.data.chosen, context.cluster) === null,
    tallies: ({ context }) => context.cluster.learn.kind !== "leader",
    isDistinguished: ({ context }) => {
      const { learn } = context.cluster;
      return learn.kind === "some" && learn.learners.includes(context.id);
    },
    everyLearnerCounts: ({ context }) => context.cluster.learn.kind === "all",
    wasHelped: ({ context }) => context.wasHelped,
  },
  actions: {
    learnFromAccept: assign(({ context, event }) => {
      assertEvent(event, "accept");
      const { data, cluster } = context;
      for (const { message } of event.received) noteAccept(data.chosen, message, cluster);
      return apply(context, event.nowMs);
    }),
    learnFromAnnouncement: assign(({ context, event }) => {
      assertEvent(event, "chosen");
      const { data, cluster } = context;
      for (const { message } of event.received) {
        for (const range of message.ranges) noteChosenRange(data.chosen, range, cluster);
      }
      return apply(context, event.nowMs);
    }),
    learnFromVotes: assign(({ context, event }) => {
      assertEvent(event, "accepted");
      const { data, cluster } = context;
      for (const { from, message } of event.received) {
        noteVotes(data.chosen, from, message, cluster);
      }
      return apply(context, event.nowMs);
    }),
    learnFromBeacon: assign(({ context, event }) => {
      assertEvent(event, "beacon");
      const { data } = context;
      for (const { message } of event.received) {
        hearTail(data.chosen, message.chosenWatermark);
        noteGoal(data.catchUp, message.nextSlot);
      }
      return apply(context, event.nowMs);
    }),
    learnFromRepair: assign(({ context, event }) => {
      assertEvent(event, ["votes", "entries"]);
      const { data, cluster, askedFrom } = context;
      if (event.type === "votes") {
        for (const { from, message } of event.received) {
          noteRepairVotes(data.chosen, from, message, cluster);
        }
      } else {
        for (const { message } of event.received) noteEntries(data.chosen, message, cluster);
      }
      const applied = apply(context, event.nowMs);
      // An answer to an earlier question would begin a second row of questions beside this one.
      const isLast = event.received.some(({ message }) => message.from >= askedFrom);
      const { from } = event.received[event.received.length - 1] ?? {};
      if (applied.taken.length === 0 || from === undefined) return { ...applied, wasHelped: false };
      const helper = helperOf(event.type, from.id);
      return { ...applied, helper, wasHelped: isLast };
    }),
    learnKey: assign(({ context, event }) => {
      assertEvent(event, ["key-accept", "key-accepted", "key-chosen"]);
      const { data, cluster } = context;
      const keyNews = event.received.map(({ from, message }) => {
        if (message.type === "key-accept") return noteKeyValue(data.keys, message, cluster);
        if (message.type === "key-chosen") return noteKeyChosen(data.keys, message, cluster);
        return noteKeyVote(data.keys, from.id, message, cluster);
      });
      return { keyNews };
    }),
    keepBasis: assign(({ context, event }) => {
      assertEvent(event, "basis");
      for (const { from, message } of event.received) {
        noteBasis(context.data.bases, from.id, message);
      }
      return {};
    }),
    beginRepair: assign(({ context, event }) => {
      const nowMs = "nowMs" in event ? (event.nowMs ?? context.sinceMs) : context.sinceMs;
      const repairs = context.repairs + 1;
      const { data, cluster, attempts, turn } = context;
      const { chosen } = data;
      measurePace(data, nowMs);
      const asks = { repairs, sinceMs: nowMs, askedFrom: chosen.watermark, wasHelped: false };
      if (attempts > 0 && attempts < turn.length) return { ...asks, attempts: attempts + 1 };
      // A whole turn led nowhere. The next beacon brings the watermark again.
      if (attempts > 0) forgetHeardTail(chosen);
      const helper = attempts > 0 ? null : context.helper;
      const missing = missingRange(chosen, cluster);
      if (missing === null) return { ...asks, attempts: 0, helper, turn: [] };
      const begun = turnOf(helper, missing.to - missing.from, cluster.limits);
      return { ...asks, attempts: 1, helper, turn: begun };
    }),
    forgetHelper: assign({ helper: null, attempts: 0 }),
    noteFollower: assign(({ context, event }) => {
      assertEvent(event, "follow");
      const followers = new Map(context.followers);
      const leaseMs = 20 * context.cluster.limits.beaconMs;
      for (const { from, message } of event.received) {
        if (message.learner === context.id) followers.set(from.id, event.nowMs);
      }
      for (const [gateway, askedMs] of followers) {
        if (event.nowMs - askedMs > leaseMs || followers.size > FOLLOWERS_MAX) {
          followers.delete(gateway);
        }
      }
      return { followers };
    }),

    tell: effects(({ context }: Args) => {
      const told: Effect[] = [];
      if (context.feed.length > 0) told.push(publish(context.feed));
      for (const [gateway, outcomes] of context.outcomes) {
        const appliedWatermark = context.data.chosen.watermark;
        const learner = context.id;
        for (let at = 0; at < outcomes.length; at += OUTCOMES_MAX) {
          const part = outcomes.slice(at, at + OUTCOMES_MAX);
          const message = { type: "outcomes" as const, learner, appliedWatermark, outcomes: part };
          told.push(send("gateway", gateway, message));
        }
      }
      if (context.unreadable > 0) told.push(count("unreadable_value", context.unreadable));
      return told;
    }),
    announceToLearners: effects(({ context }: Args) =>
      context.taken.length === 0
        ? NOTHING
        : [
            broadcast("learner", {
              type: "chosen",
              ranges: context.taken.map(({ slot, ballot, syncedBy }) => ({
                ballot,
                from: slot,
                to: slot + 1,
                syncedBy,
              })),
            }),
          ],
    ),
    announceKeyToLearners: effects(({ context }: Args) =>
      context.keyNews.flatMap(({ chosen }) =>
        chosen === null ? [] : broadcast("learner", chosen),
      ),
    ),
    countOddKey: effects(({ context }: Args) =>
      context.keyNews.flatMap(({ odd }) => (odd === null ? [] : count(odd))),
    ),
    askForRepair: effects(({ context, event }: Args) => {
      const { data, cluster, attempts, turn } = context;
      const source = turn[attempts - 1];
      if (source === undefined) return NOTHING;
      const bytesMax = partBytesMax(context, event);
      const top = source.role === "acceptor" ? tailToProve(data.chosen, cluster) : null;
      return [missingRange(data.chosen, cluster), top].flatMap((range) => {
        if (range === null) return [];
        const question: Repair = { type: "repair", ...range, bytesMax };
        return source.id === null
          ? broadcast(source.role, question)
          : send(source.role, source.id, question);
      });
    }),
    askForBasis: effects(({ context, event }: Args) => {
      assertEvent(event, "beacon");
      return event.received
        .filter(({ message }) => !hasBasis(context.data.bases, message.ballot))
        .map(({ from, message: { ballot } }) =>
          send("proposer", from.id, { type: "ask-basis", ballot }),
        );
    }),
    sendEntries: effects(({ context, event }: Args) => {
      assertEvent(event, "repair");
      const { data, id } = context;
      const ownBytesMax = partBytesMax(context, event);
      return event.received.flatMap(({ from, message }) => {
        const bytesMax = Math.min(message.bytesMax, ownBytesMax);
        if (from.id === id || message.from >= data.chosen.watermark) return [];
        const entries: ChosenEntry[] = [];
        let bytes = 0;
        const { firstSlot } = data.kept;
        for (let at = Math.max(message.from, firstSlot); at < message.to; at++) {
          const entry = data.kept.chosenAt(at);
          if (entry === undefined) break;
          bytes += entry.value.length + VOTE_OVERHEAD_BYTES;
          if (entries.length > 0 && bytes > bytesMax) break;
          entries.push(entry);
        }
        const to =
          entries.length === 0 ? message.from : (entries[entries.length - 1]?.slot ?? 0) + 1;
        return [
          send("learner", from.id, {
            type: "entries",
            from: message.from,
            to,
            trimmed: firstSlot,
            entries,
          }),
        ];
      });
    }),
    greetFollower: effects(({ context, event }: Args) => {
      assertEvent(event, "follow");
      return event.received
        .filter(({ message }) => message.learner === null || message.learner === context.id)
        .map(({ from }) =>
          send("gateway", from.id, {
            type: "outcomes",
            learner: context.id,
            appliedWatermark: context.data.chosen.watermark,
            outcomes: [],
          }),
        );
    }),
    answerHistory: effects(({ context, event }: Args) => {
      assertEvent(event, "history");
      return historyAnswer(context, event);
    }),
  },
  delays: {
    repairDelay: ({ context }) => context.cluster.limits.repairDelayMs,
    retryDelay: ({ context }) => context.cluster.limits.retryDelayMs,
  },
}).createMachine({
  id: "learner",
  description: "Learns what is chosen, in order and without gaps, and publishes it.",
  context: ({ input }) => learnerContext(input),
  initial: "listening",
  on: {
    accept: { actions: ["learnFromAccept", "tell"] },
    chosen: { actions: ["learnFromAnnouncement", "tell"] },
    accepted: [
      { guard: "isDistinguished", actions: ["learnFromVotes", "tell", "announceToLearners"] },
      { guard: "tallies", actions: ["learnFromVotes", "tell"] },
    ],
    "key-accept": [
      { guard: "isDistinguished", actions: ["learnKey", "announceKeyToLearners", "countOddKey"] },
      { guard: "everyLearnerCounts", actions: ["learnKey", "countOddKey"] },
      {},
    ],
    "key-accepted": [
      { guard: "isDistinguished", actions: ["learnKey", "announceKeyToLearners", "countOddKey"] },
      { guard: "everyLearnerCounts", actions: ["learnKey", "countOddKey"] },
    ],
    "key-chosen": { actions: ["learnKey", "countOddKey"] },
    beacon: { actions: ["learnFromBeacon", "tell", "askForBasis"] },
    basis: { actions: "keepBasis" },
    votes: { actions: ["learnFromRepair", "tell"] },
    entries: { actions: ["learnFromRepair", "tell"] },
    repair: { actions: "sendEntries" },
    follow: { actions: ["noteFollower", "greetFollower"] },
    history: { actions: "answerHistory" },
  },
  states: {
    listening: {
      description:
        "Hears values with `accept` and what is chosen from the leader, or counts votes itself. " +
        "Left " +
        "when a slot is chosen that it does not know.",
      meta: { paper: "PMS §2.3" },
      tags: ["upToDate"],
      always: { guard: "somethingIsMissing", target: "lagging" },
    },
    lagging: {
      description:
        "Something chosen is missing; it may be on its way. Left when it came, or after a moment.",
      always: { guard: "nothingIsMissing", target: "listening" },
      after: { repairDelay: { target: "repairing", actions: "forgetHelper" } },
    },
    repairing: {
      description:
        "Asks for the slots that are or may be chosen and are missing: learners for what they " +
        "know, acceptors for their votes and the leader to propose again, one after the other; " +
        "for the next chunk at once the one that helped. Left when nothing is missing, or nobody " +
        "knows of it.",
      meta: { paper: "PMS §2.3" },
      entry: ["beginRepair", "askForRepair"],
      always: [
        { guard: "nothingIsMissing", target: "listening" },
        { guard: "wasHelped", target: "repairing", reenter: true },
      ],
      after: { retryDelay: { target: "repairing", reenter: true } },
    },
  },
});
