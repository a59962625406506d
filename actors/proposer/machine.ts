/**
 * The proposer of the log: stands by, takes over, leads.
 *
 * Paper: PMS §2.2 (phases 1(a), 2(a)), §2.4 (a distinguished proposer), §3 (one phase 1 for all
 * slots). The rules are in `src/paxos/consensus/proposer.ts`; whether to stand is the elector's
 * hint, and nothing that protects safety reads it.
 */
import { assertEvent, assign, setup } from "xstate";
import { broadcast, count, effects, NOTHING, send } from "../../src/kernel/effect.js";
import type { RoleInput } from "../../src/kernel/role.js";
import { sameBallot } from "../../src/paxos/ballot.js";
import { drawBackoff } from "../../src/paxos/consensus/backoff.js";
import {
  addPromisePart,
  dropUnfounded,
  noteReported,
  promisesSuffice,
} from "../../src/paxos/consensus/promises.js";
import {
  adopt,
  adoptionIsDone,
  beginBallot,
  countVotes,
  dropOpen,
  endsBallot,
  isStalled,
  proposeAgain,
  takeAccepts,
  takeLateAccepts,
  windowIsFull,
} from "../../src/paxos/consensus/proposer.js";
import { enqueue, fillWindow } from "../../src/paxos/consensus/queue.js";
import {
  goBack,
  jumpEndsBallot,
  noteJumpRefusal,
  noteRound,
} from "../../src/paxos/consensus/round-jump.js";
import { mayStepAside } from "../../src/paxos/health.js";
import { gatewayAmong, type ProposerContext, proposerContext, quorumIsSilent } from "./context.js";
import type { ProposerEvent } from "./events.js";
import { answersWith, ask, follow, isCurrent, isOutrankedBy, stepAside } from "./following.js";
import { announcements, beacon, clusterNow, pauseMs, restBeacons, toAudience } from "./leading.js";

type Args = { context: ProposerContext; event: ProposerEvent };

const nowOf = (event: ProposerEvent, otherwise: number) =>
  "nowMs" in event && event.nowMs !== undefined ? event.nowMs : otherwise;

export const proposerMachine = setup({
  types: {
    context: {} as ProposerContext,
    events: {} as ProposerEvent,
    input: {} as RoleInput,
  },
  guards: {
    hintNamesMe: ({ context, event }) => {
      assertEvent(event, "hint");
      const hint = event.received[0]?.message;
      return hint?.candidate === context.id && isCurrent(context, hint, event.nowMs);
    },
    hintNamesOther: ({ context, event }) => {
      assertEvent(event, "hint");
      const [hint] = event.received;
      // Electors out of step would else talk it out of each turn that one of them gives it.
      return hint?.from.id === context.namedBy && hint.message.candidate !== context.id;
    },
    quorumIsSilent: ({ context }) => quorumIsSilent(context),
    promisesSuffice: ({ context }) => promisesSuffice(context.data, context.cluster),
    refusedAsJump: ({ event }) => {
      assertEvent(event, "nack");
      return event.received.some(({ message }) => message.reason === "round_jump");
    },
    jumpEndsBallot: ({ context }) => jumpEndsBallot(context.data, context.cluster),
    adoptionIsDone: ({ context }) => adoptionIsDone(context.data),
    refusalEndsBallot: ({ context, event }) => {
      assertEvent(event, "nack");
      return event.received.some(({ message }) => endsBallot(context.data, message));
    },
    otherLeaderIsHigher: ({ context, event }) => {
      assertEvent(event, "beacon");
      const ballot = event.received[0]?.message.ballot;
      return ballot !== undefined && isOutrankedBy(context, ballot);
    },
    leaderIsAtRest: ({ context }) => pauseMs(context) > context.cluster.limits.beaconMs,
    windowIsFull: ({ context }) => windowIsFull(context.data, context.cluster.limits),
    windowHasRoom: ({ context }) => !windowIsFull(context.data, context.cluster.limits),
    mayStepAside: ({ context: { steppedAsideMs, cluster }, event }) =>
      mayStepAside(steppedAsideMs, nowOf(event, 0), cluster.proposers.length),
    quorumIsLost: ({ context, event }) => {
      const patienceMs = 2 * context.cluster.limits.suspectMs;
      return isStalled(context.data, nowOf(event, 0), patienceMs);
    },
  },
  actions: {
    noteLeader: assign(({ context, event }) => {
      assertEvent(event, "beacon");
      const received = event.received[0];
      if (received === undefined) return {};
      return { leader: follow(context, received.from, received.message, event.nowMs) };
    }),
    beginQuestion: assign(({ context, event }) =>
      ask(context, event.type === "hint" ? event : null),
    ),
    noteAnswer: assign(({ context, event }) => {
      assertEvent(event, "last-heard");
      return { answers: answersWith(context, event.received) };
    }),
    beginBallot: assign(({ context, event }) => {
      beginBallot(context.data, context.owner);
      const sinceMs = nowOf(event, context.sinceMs);
      return { elections: context.elections + 1, restBeacons: 0, sinceMs };
    }),
    recordPromise: assign(({ context, event }) => {
      assertEvent(event, "promise");
      for (const { from, message } of event.received) {
        addPromisePart(context.data, from.id, from.incarnation, message);
      }
      return { unfounded: dropUnfounded(context.data, context.cluster.limits) };
    }),
    adoptVotes: assign(({ context, event }) => {
      const nowMs = nowOf(event, context.sinceMs);
      noteReported(context.data, context.cluster);
      adopt(context.data, nowMs);
      const cluster = clusterNow(context, event);
      return { outgoing: takeAccepts(context.data, cluster, nowMs), attempts: 0 };
    }),
    countVotesAndFill: assign(({ context, event }) => {
      assertEvent(event, "accepted");
      const { data } = context;
      const cluster = clusterNow(context, event);
      for (const { from, message } of event.received) {
        countVotes(data, from.id, message, cluster, event.nowMs);
      }
      const tooLarge = fillWindow(data, cluster.limits, event.nowMs);
      const accepts = takeAccepts(data, cluster, event.nowMs);
      return { outgoing: [...accepts, ...announcements(context)], tooLarge };
    }),
    queueCommands: assign(({ context, event }) => {
      assertEvent(event, "propose");
      const { data } = context;
      const cluster = clusterNow(context, event);
      let overloaded = 0;
      let copies = 0;
      for (const { message } of event.received) {
        const enqueued = enqueue(data, message.commands, cluster.limits);
        overloaded += enqueued.refused;
        copies += enqueued.copies;
      }
      const tooLarge = fillWindow(data, cluster.limits, event.nowMs);
      return { outgoing: takeAccepts(data, cluster, event.nowMs), overloaded, copies, tooLarge };
    }),
    takeLate: assign(({ context, event }) => {
      const { data } = context;
      const cluster = clusterNow(context, event);
      const nowMs = nowOf(event, context.sinceMs);
      const tooLarge = fillWindow(data, cluster.limits, nowMs);
      const fresh = takeAccepts(data, cluster, nowMs);
      return { outgoing: [...fresh, ...takeLateAccepts(data, cluster, nowMs)], tooLarge };
    }),
    noteRest: assign(({ context }) => ({ restBeacons: restBeacons(context) })),
    proposeAgain: assign(({ context, event }) => {
      assertEvent(event, "repair");
      const { data, cluster } = context;
      const asked = event.received.map(({ message }) => message);
      return { outgoing: proposeAgain(data, asked, cluster, event.nowMs) };
    }),
    noteJumpRefusals: assign(({ context, event }) => {
      assertEvent(event, "nack");
      for (const { from, message } of event.received) {
        noteJumpRefusal(context.data, from.id, message);
      }
      return { nacks: context.nacks + event.received.length };
    }),
    goBack: assign(({ context }) => {
      goBack(context.data);
      return { attempts: context.attempts + 1 };
    }),
    noteRefusal: assign(({ context, event }) => {
      assertEvent(event, "nack");
      for (const { message } of event.received) {
        noteRound(context.data, message.promised?.round ?? 0, context.cluster.limits);
      }
      return { nacks: context.nacks + event.received.length, attempts: context.attempts + 1 };
    }),
    drawBackoff: assign(({ context, event }) => {
      const { backoffMinMs, backoffMaxMs } = context.cluster.limits;
      const drawn = drawBackoff(context.seed, context.attempts, backoffMinMs, backoffMaxMs);
      const sinceMs = nowOf(event, context.sinceMs);
      return { seed: drawn.seed, backoffMs: drawn.delayMs, sinceMs };
    }),
    stepDown: assign(({ context }) => {
      dropOpen(context.data);
      return {};
    }),
    stepAside: assign(({ context, event }) => stepAside(context, nowOf(event, 0))),
    noteNeighbours: assign(({ event }) => {
      assertEvent(event, "neighbours");
      return { gateway: gatewayAmong(event.neighbours) };
    }),
    noteDiskFailure: assign(({ event }) => {
      assertEvent(event, "disk.failed");
      return { haltReason: event.reason };
    }),

    askAcceptors: effects(({ context }: Args) => [
      broadcast("acceptor", { type: "ask-leader", question: context.question }),
    ]),
    persistRound: effects(({ context }: Args) => [
      { kind: "persist", records: [{ kind: "round", round: context.data.usedRound }] },
    ]),
    countUnfounded: effects(({ context }: Args) =>
      context.unfounded === 0 ? NOTHING : [count("unfounded_watermark", context.unfounded)],
    ),
    broadcastPrepare: effects(({ context }: Args) => {
      const { ballot, fromSlot } = context.data;
      if (ballot === null) return NOTHING;
      return [broadcast("acceptor", { type: "prepare", ballot, fromSlot })];
    }),
    sendOutgoing: effects(({ context }: Args) => {
      const sends = context.outgoing.map(toAudience);
      return context.tooLarge === 0 ? sends : [...sends, count("too_large", context.tooLarge)];
    }),
    sendBeacon: effects(beacon),
    announceBasis: effects(({ context }: Args) => {
      const { basis } = context.data;
      return basis === null ? NOTHING : [broadcast("learner", basis)];
    }),
    sendBasis: effects(({ context, event }: Args) => {
      assertEvent(event, "ask-basis");
      const { basis } = context.data;
      if (basis === null) return NOTHING;
      return event.received
        .filter(({ message }) => sameBallot(message.ballot, basis.ballot))
        .map(({ from }) => send("learner", from.id, basis));
    }),
    countUnqueued: effects(({ context: { overloaded, copies } }: Args) => [
      ...(overloaded === 0 ? [] : [count("leader_overloaded", overloaded)]),
      ...(copies === 0 ? [] : [count("copy_dropped", copies)]),
    ]),
    halt: effects(({ context }: Args) => [
      { kind: "halt", why: context.haltReason ?? "the proposer halted" },
    ]),
  },
  delays: {
    retryDelay: ({ context }) => context.cluster.limits.retryDelayMs,
    beaconTime: ({ context }) => context.cluster.limits.beaconMs,
    beaconPause: ({ context }) => pauseMs(context),
    backoff: ({ context }) => context.backoffMs,
  },
}).createMachine({
  id: "proposer",
  description:
    "Leads the log while it is the distinguished proposer, and stands by while it is not.",
  context: ({ input }) => proposerContext(input),
  initial: "standby",
  on: {
    "disk.failed": { target: ".halted", actions: "noteDiskFailure" },
    // The gateway keeps what it proposed, and sends it to the leader whose beacon it hears next.
    propose: {},
    "ask-basis": { actions: "sendBasis" },
    repair: {},
    "host.slow": {},
    neighbours: { actions: "noteNeighbours" },
    beacon: [
      {
        guard: "otherLeaderIsHigher",
        target: ".standby",
        actions: ["stepDown", "noteLeader"],
      },
      { actions: "noteLeader" },
    ],
  },
  states: {
    standby: {
      description:
        "Follows the leader's round, not its watermark: a takeover's promises show what is " +
        "chosen. Left when the elector names this proposer.",
      meta: { paper: "PMS §2.4" },
      on: { hint: { guard: "hintNamesMe", target: "asking" } },
    },
    asking: {
      description:
        "Asks the acceptors when they last heard the leader: a partitioned or returning proposer " +
        "deposes nobody. Left when a phase-1 quorum is silent too, or a leader shows, or who " +
        "named it names another.",
      entry: ["beginQuestion", "askAcceptors"],
      on: {
        "last-heard": { actions: "noteAnswer" },
        hint: { guard: "hintNamesOther", target: "standby" },
      },
      always: {
        guard: "quorumIsSilent",
        target: "preparing",
        actions: ["beginBallot", "persistRound"],
      },
      after: {
        beaconTime: { target: "asking", reenter: true },
      },
    },
    preparing: {
      description:
        "Phase 1 for every slot from the watermark on, asked again after a silence. Left when a " +
        "phase-1 quorum has promised, a higher ballot shows, or too many refuse it as a jump.",
      meta: { paper: "PMS §3" },
      tags: ["inPhase1"],
      entry: "broadcastPrepare",
      on: {
        promise: { actions: ["recordPromise", "countUnfounded"] },
        nack: [
          { guard: "refusalEndsBallot", target: "preempted", actions: "noteRefusal" },
          { guard: "refusedAsJump", actions: "noteJumpRefusals" },
        ],
      },
      always: [
        { guard: "promisesSuffice", target: "adopting", actions: ["adoptVotes", "announceBasis"] },
        { guard: "jumpEndsBallot", target: "preempted", actions: "goBack" },
      ],
      after: { retryDelay: { target: "preparing", reenter: true } },
    },
    adopting: {
      description:
        "Proposes again what earlier ballots may have chosen, and no-ops in the holes; behind " +
        "them " +
        "what its beacon brings. Left when all of the first is chosen, or a higher ballot shows.",
      meta: { paper: "PMS §3" },
      tags: ["inPhase2"],
      entry: ["sendOutgoing", "sendBeacon"],
      on: {
        propose: { actions: ["queueCommands", "sendOutgoing", "countUnqueued"] },
        accepted: { actions: ["countVotesAndFill", "sendOutgoing"] },
        repair: { actions: ["proposeAgain", "sendOutgoing"] },
        nack: { guard: "refusalEndsBallot", target: "preempted", actions: "noteRefusal" },
      },
      always: { guard: "adoptionIsDone", target: "leading" },
      after: {
        beaconTime: [
          { guard: "quorumIsLost", target: "standby", actions: "stepDown" },
          { target: "adopting", reenter: true, actions: "takeLate" },
        ],
      },
    },
    leading: {
      description:
        "The distinguished proposer: phase 2 only; one beacon each interval, however often the " +
        "window fills, and fewer while nothing is proposed. Left by a higher ballot, when no " +
        "phase-2 quorum answers any more, or when its process does not keep up.",
      meta: { paper: "PMS §3" },
      tags: ["hasLeadership", "canPropose"],
      initial: "open",
      entry: ["noteRest", "sendBeacon"],
      on: {
        propose: [
          {
            guard: "leaderIsAtRest",
            target: "leading",
            reenter: true,
            actions: ["queueCommands", "sendOutgoing", "countUnqueued"],
          },
          { actions: ["queueCommands", "sendOutgoing", "countUnqueued"] },
        ],
        accepted: { actions: ["countVotesAndFill", "sendOutgoing"] },
        repair: { actions: ["proposeAgain", "sendOutgoing"] },
        nack: { guard: "refusalEndsBallot", target: "preempted", actions: "noteRefusal" },
        "host.slow": { guard: "mayStepAside", target: "standby", actions: "stepAside" },
      },
      after: {
        beaconPause: [
          { guard: "quorumIsLost", target: "standby", actions: "stepDown" },
          { target: "leading", reenter: true, actions: ["takeLate", "sendOutgoing"] },
        ],
      },
      states: {
        open: {
          description: "The window has room. Left when it is full.",
          always: { guard: "windowIsFull", target: "full" },
        },
        full: {
          description:
            "Lamport's α slots are open: new commands wait. Left when the first is chosen.",
          always: { guard: "windowHasRoom", target: "open" },
        },
      },
    },
    preempted: {
      description:
        "A higher ballot is promised: waits a random time, longer each time, then stands by. " +
        "Left by " +
        "the clock or a leader's beacon.",
      meta: { paper: "PMS §2.4" },
      entry: ["stepDown", "drawBackoff"],
      after: { backoff: "standby" },
    },
    halted: {
      description: "The store cannot be trusted. An operator leads out.",
      entry: "halt",
      on: { "disk.failed": {}, propose: {}, beacon: {}, "ask-basis": {}, repair: {} },
    },
  },
});
