/**
 * The elector: watches the leader and names another when it is gone. Its word is a hint.
 *
 * Paper: PMS §2.4 "a reliable algorithm for electing a proposer must use either randomness or real
 * time"; "safety is ensured regardless of the success or failure of the election". Nothing that
 * protects safety reads what is said here.
 */
import { assertEvent, assign, setup } from "xstate";
import { broadcast, effects, NOTHING } from "../../src/kernel/effect.js";
import type { HostEvent, InboundOf, RoleInput } from "../../src/kernel/role.js";
import { isLower } from "../../src/paxos/ballot.js";
import { draw } from "../../src/paxos/consensus/backoff.js";
import type { Limits } from "../../src/paxos/limits.js";
import type { Beacon } from "../../src/paxos/wire/messages.js";
import { candidateOf, type ElectorContext, electorContext } from "./context.js";
import { type NoPong, ping } from "./services.js";

type ElectorEvent = InboundOf<Beacon> | HostEvent | NoPong;
type Args = { context: ElectorContext; event: ElectorEvent };

const nowOf = (event: ElectorEvent, otherwise: number) =>
  "nowMs" in event && event.nowMs !== undefined ? event.nowMs : otherwise;

/** How late a tick comes: this process's own lag, which says nothing of the leader. */
const lagOf = ({ tickMs, waitMs }: ElectorContext, nowMs: number) =>
  Math.max(0, nowMs - tickMs - waitMs);

/**
 * How long the elector waits after a beacon before it pings. No proposer prepares before the
 * acceptors have missed the leader for `silenceMs`, so an earlier ping makes no election earlier.
 */
const quietMs = ({ beaconMs, silenceMs, suspectMs }: Limits) =>
  Math.max(beaconMs, Math.min(silenceMs, suspectMs));

export const electorMachine = setup({
  types: {
    context: {} as ElectorContext,
    events: {} as ElectorEvent,
    input: {} as RoleInput,
  },
  guards: {
    leaderIsSilent: ({ context, event }) => {
      const { suspectMs, beaconMs } = context.cluster.limits;
      // With no leader known there is nobody to depose: a short look around is enough.
      const patienceMs = context.leader === null ? 3 * beaconMs : suspectMs;
      const nowMs = nowOf(event, context.heardMs);
      return nowMs - lagOf(context, nowMs) - context.heardMs > patienceMs;
    },
    leaderHasNoProcess: ({ context, event }) => {
      assertEvent(event, "no-pong");
      return event.reason === "no_responders" && event.proposer === context.leader?.id;
    },
    stillNoProcess: ({ context, event }) => {
      assertEvent(event, "no-pong");
      const gone = event.reason === "no_responders" && event.proposer === context.leader?.id;
      return gone && context.heardMs <= context.suspectedMs;
    },
    beaconIsCurrent: ({ context, event }) => {
      assertEvent(event, "beacon");
      const ballot = event.received[0]?.message.ballot ?? null;
      const { leader, heardMs, cluster } = context;
      if (leader === null || ballot === null) return true;
      const { suspectMs, roundJumpMax } = cluster.limits;
      // A ballot that nobody can hold, from a message that lied, must not hide the real leader.
      if (event.nowMs - heardMs > 2 * suspectMs) return true;
      return !isLower(ballot, leader.ballot) && ballot.round <= leader.ballot.round + roundJumpMax;
    },
  },
  actions: {
    noteLeader: assign(({ event }) => {
      assertEvent(event, "beacon");
      const received = event.received[event.received.length - 1];
      if (received === undefined) return {};
      const leader = { id: received.from.id, ballot: received.message.ballot };
      return { leader, heardMs: event.nowMs, attempts: 0 };
    }),
    noteTick: assign(({ context, event }) => {
      const nowMs = nowOf(event, context.tickMs);
      return { tickMs: nowMs, heardMs: Math.min(nowMs, context.heardMs + lagOf(context, nowMs)) };
    }),
    beginWatch: assign(({ context, event }) => {
      const { limits } = context.cluster;
      const waitMs = event.type === "beacon" ? quietMs(limits) : limits.beaconMs;
      return { tickMs: nowOf(event, context.tickMs), waitMs };
    }),
    forgiveOutage: assign(({ context, event }) => {
      const nowMs = nowOf(event, context.heardMs);
      return { heardMs: nowMs, tickMs: nowMs };
    }),
    beginSuspicion: assign(({ context, event }) => {
      const { confirmMs } = context.cluster.limits;
      const drawn = draw(context.seed);
      return {
        seed: drawn.seed,
        confirmMs: Math.round(confirmMs * (1 + drawn.value)),
        suspectedMs: nowOf(event, context.heardMs),
      };
    }),
    nameNext: assign(({ context, event }) => ({
      attempts: context.attempts + 1,
      suspectedMs: context.attempts === 0 ? nowOf(event, context.heardMs) : context.suspectedMs,
    })),
    countElection: assign(({ context, event }) => ({
      elections: context.elections + 1,
      attempts: 0,
      suspectedMs: nowOf(event, context.heardMs),
    })),

    pingLeader: effects(({ context }: Args) => {
      const { leader, cluster } = context;
      if (leader === null) return NOTHING;
      return [ping(leader.id, cluster.limits.suspectMs)];
    }),
    sendHint: effects(({ context }: Args) => [
      broadcast("proposer", {
        type: "hint",
        candidate: candidateOf(context),
        suspects: context.leader?.ballot ?? null,
      }),
    ]),
  },
  delays: {
    nextPing: ({ context }) => context.waitMs,
    confirmPause: ({ context }) => context.confirmMs,
    suspicionTime: ({ context }) => context.cluster.limits.suspectMs,
    hintPause: ({ context }) => 4 * context.cluster.limits.beaconMs,
  },
}).createMachine({
  id: "elector",
  description: "Watches the leader and hints at a successor when it is gone; never decides.",
  context: ({ input }) => electorContext(input),
  initial: "watching",
  on: {
    beacon: { guard: "beaconIsCurrent", target: ".watching", actions: "noteLeader" },
    "connection.up": { target: ".watching", actions: "forgiveOutage" },
    "connection.down": { target: ".watching" },
  },
  states: {
    watching: {
      description:
        "Pings a leader that sends no beacons, on a clock, never waiting for the last ping. Left " +
        "when the server knows of no such process, or the leader was silent for long.",
      meta: { paper: "PMS §2.4" },
      entry: "beginWatch",
      on: {
        beacon: {
          guard: "beaconIsCurrent",
          target: "watching",
          reenter: true,
          actions: "noteLeader",
        },
        "no-pong": {
          guard: "leaderHasNoProcess",
          target: "suspecting",
          actions: "beginSuspicion",
        },
        pong: {},
      },
      after: {
        nextPing: [
          { guard: "leaderIsSilent", target: "presiding", actions: "countElection" },
          { target: "watching", reenter: true, actions: ["noteTick", "pingLeader"] },
        ],
      },
    },
    suspecting: {
      description:
        "One ping found nobody: asks again after a short pause, for a reconnecting process looks " +
        "dead " +
        "too. Left when the second finds nobody either, or the leader is heard.",
      meta: { paper: "PMS §2.4" },
      on: { "no-pong": {}, pong: "watching" },
      after: { confirmPause: "confirming" },
    },
    confirming: {
      description: "The second ping is out. Left by its answer, or in time.",
      entry: "pingLeader",
      on: {
        "no-pong": { guard: "stillNoProcess", target: "presiding", actions: "countElection" },
        pong: "watching",
      },
      after: { suspicionTime: "watching" },
    },
    presiding: {
      description:
        "No leader: names one candidate after the other until one leads. Left when a leader shows.",
      meta: { paper: "PMS §2.4" },
      entry: "sendHint",
      after: { hintPause: { target: "presiding", reenter: true, actions: "nameNext" } },
    },
  },
});
