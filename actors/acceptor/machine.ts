/**
 * The acceptor: promises, votes, and keeps its word across crashes.
 *
 * Paper: PMS §2.2 (the algorithm), §2.4 ("an acceptor must remember … even if it fails and is then
 * restarted"). The rules are in `src/paxos/consensus/acceptor.ts`; this chart says when which one
 * applies.
 */

import { assertEvent, assign, setup } from "xstate";
import { broadcast, count, type Effect, effects, NOTHING, send } from "../../src/kernel/effect.js";
import {
  type HostEvent,
  type InboundOf,
  payloadBytesMaxOf,
  type RoleInput,
} from "../../src/kernel/role.js";
import { isLower } from "../../src/paxos/ballot.js";
import {
  castVotes,
  judgeBallot,
  judgeKey,
  nack,
  nackKey,
  promise,
  promiseKey,
  voteForKey,
} from "../../src/paxos/consensus/acceptor.js";
import { noteJump, spendJump } from "../../src/paxos/consensus/round-jump.js";
import type {
  Accept,
  AskLeader,
  Beacon,
  KeyAccept,
  KeyPrepare,
  Message,
  NackReason,
  Objection,
  Prepare,
  Repair,
} from "../../src/paxos/wire/messages.js";
import { limitsUnder } from "../../src/paxos/wire/payload.js";
import { type AcceptorContext, acceptorContext, type Reply } from "./context.js";
import { readVotes } from "./services.js";

type AcceptorEvent =
  | InboundOf<Prepare | Accept | KeyPrepare | KeyAccept | Repair | AskLeader | Beacon | Objection>
  | HostEvent;

type Args = { context: AcceptorContext; event: AcceptorEvent };

/**
 * The first message of the event: verbs that are judged alone, and the ballot all of a batch
 * share.
 */
function first<V extends Message["type"]>(event: AcceptorEvent, type: V) {
  assertEvent(event, type as never);
  const inbound = event as InboundOf<Message>;
  const received = inbound.received[0] as (typeof inbound.received)[0];
  return { from: received.from, message: received.message as Extract<Message, { type: V }> };
}

function ballotVerdict({ context, event }: Args): NackReason | null {
  assertEvent(event, ["prepare", "accept"]);
  const ballot = event.received[0]?.message.ballot;
  if (ballot === undefined) return null;
  const { promised, jumpSlack } = context.data;
  return judgeBallot(promised, ballot, context.cluster.limits.roundJumpMax + jumpSlack);
}

function keyVerdict({ context, event }: Args): NackReason | null {
  assertEvent(event, ["key-prepare", "key-accept"]);
  const message = event.received[0]?.message;
  return message === undefined ? null : judgeKey(context.data, message, context.cluster.limits);
}

/** Sends each reply to who asked. */
function toAskers(replies: readonly Reply[]): Effect[] {
  return replies.map(({ to, message }) => send(to.role, to.id, message));
}

/** To whom a vote is told (PMS §2.3): the proposer alone, every learner, or some of them. */
function tellVote({ context }: Args, reply: Reply): Effect[] {
  const { to, message } = reply;
  const learn = context.cluster.learn;
  const asker = send(to.role, to.id, message);
  if (learn.kind === "all") return [asker, broadcast("learner", message)];
  if (learn.kind === "some") {
    return [asker, ...learn.learners.map((id) => send("learner", id, message))];
  }
  return [asker];
}

const NAME_IN_USE =
  "another process answers under this name: stop it, or give this one its own id and store";

export const acceptorMachine = setup({
  types: {
    context: {} as AcceptorContext,
    events: {} as AcceptorEvent,
    input: {} as RoleInput,
  },
  guards: {
    diskIsFull: ({ context }) => context.diskFull !== null,
    ballotIsRefused: (args) => ballotVerdict(args) !== null,
    keyIsRefused: (args) => keyVerdict(args) !== null,
    leaderIsCurrent: ({ context, event }) => {
      const { message } = first(event, "beacon");
      return !isLower(message.ballot, context.data.promised);
    },
  },
  actions: {
    recordPromise: assign(({ context, event }) => {
      const { from, message } = first(event, "prepare");
      const limits = limitsUnder(context.cluster.limits, payloadBytesMaxOf(event));
      spendJump(context.data, message, limits);
      const outcome = promise(context.data, message, limits);
      const replies = outcome.answers.map((answer) => ({ to: from, message: answer }));
      return { records: outcome.records, replies };
    }),
    recordVotes: assign(({ context, event }) => {
      assertEvent(event, "accept");
      const { from, message } = first(event, "accept");
      const accepts = event.received.map((received) => received.message);
      spendJump(context.data, message, context.cluster.limits);
      const cast = castVotes(context.data, accepts, context.cluster.limits);
      const ballot = message.ballot;
      return {
        records: cast.records,
        leader: { ballot, heardMs: event.nowMs },
        replies:
          cast.voted.length === 0
            ? []
            : [{ to: from, message: { type: "accepted" as const, ballot, votes: cast.voted } }],
        refusals: cast.refused.map(({ slot, reason }) => ({
          to: from,
          message: nack(context.data, ballot, slot, reason),
        })),
      };
    }),
    recordKeyPromise: assign(({ context, event }) => {
      const { from, message } = first(event, "key-prepare");
      spendJump(context.data, message, context.cluster.limits);
      const outcome = promiseKey(context.data, message);
      const replies = outcome.answers.map((answer) => ({ to: from, message: answer }));
      return { records: outcome.records, replies };
    }),
    recordKeyVote: assign(({ context, event }) => {
      const { from, message } = first(event, "key-accept");
      const { key, ballot, digest } = message;
      spendJump(context.data, message, context.cluster.limits);
      return {
        records: voteForKey(context.data, message),
        replies: [{ to: from, message: { type: "key-accepted" as const, key, ballot, digest } }],
      };
    }),
    refuseBallot: assign((args) => {
      const { context, event } = args;
      assertEvent(event, ["prepare", "accept"]);
      const { from, message } = first(event, event.type);
      const slot = message.type === "accept" ? message.firstSlot : null;
      const reason = ballotVerdict(args) ?? "stale";
      const refusal = nack(context.data, message.ballot, slot, reason);
      if (reason === "round_jump") noteJump(context.data, context.cluster.limits);
      return { refusals: [{ to: from, message: refusal }], nacks: context.nacks + 1 };
    }),
    refuseLeader: assign(({ context, event }) => {
      const { from, message } = first(event, "beacon");
      const refusal = nack(context.data, message.ballot, null, "stale");
      return { refusals: [{ to: from, message: refusal }], nacks: context.nacks + 1 };
    }),
    refuseKey: assign((args) => {
      const { context, event } = args;
      assertEvent(event, ["key-prepare", "key-accept"]);
      const { from, message } = first(event, event.type);
      const reason = keyVerdict(args) ?? "stale";
      const refusal = nackKey(context.data, message, reason);
      if (reason === "round_jump") noteJump(context.data, context.cluster.limits);
      return { refusals: [{ to: from, message: refusal }], nacks: context.nacks + 1 };
    }),
    noteLeader: assign(({ event }) => {
      const { message } = first(event, "beacon");
      assertEvent(event, "beacon");
      return { leader: { ballot: message.ballot, heardMs: event.nowMs } };
    }),
    noteObjection: assign(({ event }) => ({
      haltReason: objection(first(event, "objection").message),
    })),
    noteTwin: assign({ haltReason: NAME_IN_USE }),
    noteDiskFailure: assign(({ event }) => {
      assertEvent(event, "disk.failed");
      return { haltReason: event.reason };
    }),
    forgetDiskFull: assign({ diskFull: null }),

    sayHello: effects(({ context }: Args) => {
      const hello: Message = { type: "hello", openings: context.openings };
      return [broadcast("acceptor", hello)];
    }),
    persistRecords: effects(({ context }: Args) =>
      context.records.length === 0
        ? NOTHING
        : [{ kind: "persist", records: context.records } satisfies Effect],
    ),
    sendPromise: effects(({ context }: Args) => toAskers(context.replies)),
    sendAccepted: effects((args: Args) =>
      args.context.replies.flatMap((reply) => tellVote(args, reply)),
    ),
    sendNack: effects(({ context }: Args) => [
      ...toAskers(context.refusals),
      ...context.refusals.map(({ message }) =>
        count(`refused_${"reason" in message ? message.reason : "stale"}`),
      ),
    ]),
    sendVotes: effects(({ context, event }: Args) => {
      const { from, message } = first(event, "repair");
      const { partBytesMax } = limitsUnder(context.cluster.limits, payloadBytesMaxOf(event));
      const wanted = {
        to: { role: from.role, id: from.id },
        from: Math.max(message.from, context.data.trimmed),
        below: message.to,
        trimmed: context.data.trimmed,
        bytesMax: Math.min(message.bytesMax, partBytesMax),
      };
      return [readVotes(wanted)];
    }),
    sendLastHeard: effects(({ context, event }: Args) => {
      const { from, message } = first(event, "ask-leader");
      const { leader, data } = context;
      const nowMs = "nowMs" in event ? event.nowMs : 0;
      const current = leader !== null && !isLower(leader.ballot, data.promised);
      const answer: Message = {
        type: "last-heard",
        question: message.question,
        promised: data.promised,
        agoMs: current ? Math.max(0, Math.round(nowMs - leader.heardMs)) : null,
        chosenWatermark: data.chosenWatermark,
      };
      return [send(from.role, from.id, answer)];
    }),
    lookForRoom: effects(() => [{ kind: "checkDisk" }]),
    halt: effects(({ context }: Args) => [
      { kind: "halt", why: context.haltReason ?? "the acceptor halted" },
    ]),
  },
  delays: {
    witnessTime: ({ context }) => context.cluster.limits.witnessMs,
    recheckTime: ({ context }) => context.cluster.limits.recheckMs,
  },
}).createMachine({
  id: "acceptor",
  description: "Promises ballots, votes for proposals, and remembers both across a crash.",
  context: ({ input }) => acceptorContext(input),
  initial: "recovering",
  on: {
    "twin.heard": { target: ".halted", actions: "noteTwin" },
    "disk.failed": { target: ".halted", actions: "noteDiskFailure" },
  },
  states: {
    recovering: {
      description:
        "The store is open; any role that saw a later life of it, or a living twin, may object. " +
        "Left when the time for objections is over.",
      meta: { paper: "PMS §2.4" },
      tags: ["silent"],
      entry: "sayHello",
      always: { guard: "diskIsFull", target: "refusing" },
      on: { objection: { target: "halted", actions: "noteObjection" } },
      after: { witnessTime: "serving" },
    },
    serving: {
      description:
        "Answers every prepare and accept by P1a, each answer after its sync. Left by a full or " +
        "failing disk or an objection.",
      meta: { paper: "PMS §2.2" },
      tags: ["canVote"],
      on: {
        prepare: [
          { guard: "ballotIsRefused", actions: ["refuseBallot", "sendNack"] },
          { actions: ["recordPromise", "persistRecords", "sendPromise"] },
        ],
        accept: [
          { guard: "ballotIsRefused", actions: ["refuseBallot", "sendNack"] },
          { actions: ["recordVotes", "persistRecords", "sendAccepted", "sendNack"] },
        ],
        "key-prepare": [
          { guard: "keyIsRefused", actions: ["refuseKey", "sendNack"] },
          { actions: ["recordKeyPromise", "persistRecords", "sendPromise"] },
        ],
        "key-accept": [
          { guard: "keyIsRefused", actions: ["refuseKey", "sendNack"] },
          { actions: ["recordKeyVote", "persistRecords", "sendAccepted"] },
        ],
        repair: { actions: "sendVotes" },
        "ask-leader": { actions: "sendLastHeard" },
        beacon: [
          { guard: "leaderIsCurrent", actions: "noteLeader" },
          // A leader that proposes nothing would else never learn that another one was promised.
          { actions: ["refuseLeader", "sendNack"] },
        ],
        objection: {},
      },
    },
    refusing: {
      description:
        "The disk was full: nothing of that drain left, memory was read anew from disk. Says " +
        "nothing " +
        "until there is room again.",
      tags: ["silent"],
      after: { recheckTime: { target: "refusing", reenter: true, actions: "lookForRoom" } },
      on: { "disk.room": { target: "serving", actions: "forgetDiskFull" } },
    },
    halted: {
      description:
        "The store cannot be trusted, or another owns this name. Only an operator leads out of " +
        "here.",
      tags: ["silent"],
      entry: "halt",
    },
  },
});

function objection(message: Objection): string {
  if (message.reason === "name_in_use") {
    return NAME_IN_USE;
  }
  return (
    `a living role has seen this store at incarnation ${message.incarnation}, write ` +
    `${message.writeNumber}, later than what the disk holds: this is an older copy. Put the ` +
    "original back; if it is lost, this acceptor must be replaced by a new one with a new store"
  );
}
