/**
 * The gateway: speaks to clients, passes their commands to the leader, and tells them the outcome.
 *
 * Paper: none; PMS §3 has clients send to the leader. Clients of Synod know no leader: a gateway
 * holds what they asked until a learner tells what became of it. The rules are in
 * `src/paxos/clients/gateway.ts`.
 */
import { assertEvent, assign, setup } from "xstate";
import { broadcast, count, type Effect, effects, NOTHING, send } from "../../src/kernel/effect.js";
import {
  type HostEvent,
  type InboundOf,
  payloadBytesMaxOf,
  type RoleInput,
} from "../../src/kernel/role.js";
import { isLower, sameBallot } from "../../src/paxos/ballot.js";
import {
  attachSession,
  holdEnd,
  holdRequests,
  openOwnSession,
  openSession,
  settle,
} from "../../src/paxos/clients/gateway.js";
import {
  type DoorProposal,
  holdProposal,
  proposalsOf,
} from "../../src/paxos/clients/gateway-door.js";
import { forgetIdle, type TooLarge } from "../../src/paxos/clients/gateway-gaps.js";
import {
  isOverdue,
  sendAllAgain,
  sendOverdueAgain,
  takeProposals,
} from "../../src/paxos/clients/gateway-sending.js";
import type { Limits } from "../../src/paxos/limits.js";
import { type FollowedLearner, furthestLearner } from "../../src/paxos/progress.js";
import type {
  Beacon,
  ClientRequests,
  EndSession,
  OpenSession,
  Outcomes,
} from "../../src/paxos/wire/messages.js";
import { limitsUnder } from "../../src/paxos/wire/payload.js";
import { type GatewayContext, gatewayContext } from "./context.js";
import { refusal, refuseProposal, tellResults, tellSettled } from "./telling.js";

/** A request through the door `propose`, as the host brings it. */
export type ProposeEvent = { readonly type: "door.propose"; readonly nowMs: number } & DoorProposal;

type GatewayEvent =
  | InboundOf<Beacon | Outcomes | OpenSession | ClientRequests | EndSession>
  | ProposeEvent
  | HostEvent;
type Args = { context: GatewayContext; event: GatewayEvent };

/**
 * Intervals between two `follow` messages while nothing is awaited. A learner tells outcomes to a
 * gateway for 20 intervals after each; a learner that was silent for 10 is forgotten here.
 */
const REST_INTERVALS = 4;
/** Intervals after which it asks every learner how far it is, while its own process has none. */
const LOOK_INTERVALS = 20;

const nowOf = (event: GatewayEvent, otherwise: number) =>
  "nowMs" in event && event.nowMs !== undefined ? event.nowMs : otherwise;

/** The limits of this moment: what the leader cannot pass on is refused here. */
function limitsNow({ cluster, leader }: GatewayContext, event: GatewayEvent): Limits {
  const leaderBytesMax = leader?.payloadBytesMax ?? Number.POSITIVE_INFINITY;
  return limitsUnder(cluster.limits, Math.min(payloadBytesMaxOf(event), leaderBytesMax));
}

/** Where sessions are served best. */
const leaderGateway = ({ leader }: GatewayContext) => leader?.gateway ?? null;

/** Holds a public request. @returns the refusal if there is no room */
function hold({ data, id, cluster }: GatewayContext, proposal: DoorProposal): Effect[] {
  if (holdProposal(data, proposal, id, cluster.limits)) return [];
  const message = "the gateway holds all it may: ask again later";
  return [refuseProposal(proposal.token, "overloaded", message)];
}

/** What of the held commands may go now; nothing while nobody leads, or would tell the outcome. */
function proposals(
  context: GatewayContext,
  event: GatewayEvent,
): Pick<GatewayContext, "proposals" | "tooLarge"> {
  if (context.leader === null || context.learner === null) return { proposals: [], tooLarge: [] };
  const limits = limitsNow(context, event);
  const taken = takeProposals(context.data, limits, nowOf(event, context.sinceMs));
  const refusals = taken.tooLarge.flatMap((one) => refuseTooLarge(one, limits));
  return { proposals: taken.messages, tooLarge: refusals };
}

/** Tells whoever waits for a command that it was given up. */
function refuseTooLarge({ session, client, number, tokens, wasSent }: TooLarge, limits: Limits) {
  const bytesMax = limits.valueBytesMax;
  const told: Effect[] = tokens.map((token) => {
    const message = `the value is too large for the server now: ${bytesMax} bytes at most`;
    return refuseProposal(token, "too_large", message, wasSent);
  });
  if (client !== null) told.push(sendTooLarge(client, session, number, bytesMax, wasSent));
  return [...told, count("refused_too_large"), { kind: "checkPayload" } satisfies Effect];
}

function sendTooLarge(
  client: string,
  session: string,
  number: number,
  bytesMax: number,
  mayHaveHappened: boolean,
): Effect {
  const refused = refusal("too_large", session, number);
  return send("session", client, { ...refused, bytesMax, mayHaveHappened });
}

export const gatewayMachine = setup({
  types: {
    context: {} as GatewayContext,
    events: {} as GatewayEvent,
    input: {} as RoleInput,
  },
  guards: {
    leaderIsNew: ({ context, event }) => {
      assertEvent(event, "beacon");
      const ballot = event.received[event.received.length - 1]?.message.ballot ?? null;
      const known = context.leader?.ballot ?? null;
      return isLower(known, ballot);
    },
    beaconIsCurrent: ({ context, event }) => {
      assertEvent(event, "beacon");
      const ballot = event.received[event.received.length - 1]?.message.ballot ?? null;
      return sameBallot(ballot, context.leader?.ballot ?? null);
    },
    canRoute: ({ context }) => context.leader !== null && context.learner !== null,
    cannotRoute: ({ context }) => context.leader === null || context.learner === null,
    somethingIsOverdue: ({ context, event }) => {
      return isOverdue(context.data, nowOf(event, context.sinceMs), context.cluster.limits);
    },
  },
  actions: {
    noteLeader: assign(({ context, event }) => {
      assertEvent(event, "beacon");
      const received = event.received[event.received.length - 1];
      if (received === undefined) return {};
      const { ballot, creditBytes, payloadBytesMax, chosenWatermark, gateway } = received.message;
      context.data.creditBytes = creditBytes;
      const { id } = received.from;
      const { nowMs: heardMs } = event;
      return { leader: { id, ballot, heardMs, payloadBytesMax, chosenWatermark, gateway } };
    }),
    sendAgain: assign(({ context }) => {
      sendAllAgain(context.data);
      return {};
    }),
    sendOverdue: assign(({ context, event }) => {
      sendOverdueAgain(context.data, nowOf(event, context.sinceMs), context.cluster.limits);
      return {};
    }),
    takeProposals: assign(({ context, event }) => proposals(context, event)),
    noteLearner: assign(({ context, event }) => {
      assertEvent(event, "outcomes");
      const { learner, nonce, cluster } = context;
      const heard = new Map<string, FollowedLearner>();
      for (const { from, message } of event.received) {
        const isHere = from.process === nonce;
        const { appliedWatermark: applied } = message;
        heard.set(from.id, { id: from.id, applied, isHere, heardMs: event.nowMs });
      }
      const known = heard.get(learner?.id ?? "") ?? learner;
      return { learner: furthestLearner(known, heard.values(), cluster.limits.windowMax) };
    }),
    lookForLearner: assign(({ context, event }) => {
      const { learner, leader, askedAllMs, cluster } = context;
      const { windowMax, beaconMs } = cluster.limits;
      const nowMs = nowOf(event, context.sinceMs);
      const known = leader?.chosenWatermark ?? 0;
      const isBehind = learner !== null && learner.applied + windowMax < known;
      const isDue = nowMs - askedAllMs >= LOOK_INTERVALS * beaconMs;
      const asksAll = learner === null || isBehind || (isDue && !learner.isHere);
      return { asksAll, askedAllMs: asksAll ? nowMs : askedAllMs };
    }),
    forgetSilent: assign(({ context, event }) => {
      const nowMs = nowOf(event, context.sinceMs);
      const { beaconMs, suspectMs } = context.cluster.limits;
      const { learner, leader } = context;
      const noLearner = learner !== null && nowMs - learner.heardMs > 10 * beaconMs;
      const noLeader = leader !== null && nowMs - leader.heardMs > 2 * suspectMs;
      const heardMs = [
        ...(noLearner ? [learner.heardMs] : []),
        ...(noLeader ? [leader.heardMs] : []),
      ];
      return {
        learner: noLearner ? null : learner,
        leader: noLeader ? null : leader,
        sinceMs: heardMs.length === 0 ? context.sinceMs : Math.min(...heardMs),
      };
    }),
    settle: assign(({ context, event }) => {
      assertEvent(event, "outcomes");
      const { data, cluster, id, nonce } = context;
      const outcomes = event.received.flatMap(({ message }) => message.outcomes);
      const settled = settle(data, outcomes, cluster.limits, event.nowMs);
      const told = tellSettled(settled, leaderGateway(context));
      for (const { session, client, last } of settled.expired) {
        if (session === data.ownSession) openOwnSession(data, id, nonce);
        else if (client !== null) {
          told.push(send("session", client, refusal("session_expired", session, 1, last)));
        }
      }
      for (const pending of settled.undone) {
        for (const proposal of proposalsOf(pending)) told.push(...hold(context, proposal));
      }
      return { answers: told, ...proposals(context, event) };
    }),
    holdRequests: assign(({ context, event }) => {
      assertEvent(event, "request");
      const { data, id } = context;
      const limits = limitsNow(context, event);
      const answers: Effect[] = [];
      for (const { from, message } of event.received) {
        const { session } = message;
        const held = holdRequests(data, from.id, message, id, limits);
        const canRoute = context.leader !== null && context.learner !== null;
        if (held.results.length > 0 || (held.isUnderWay && canRoute)) {
          answers.push(...tellResults(from.id, session, held.results, leaderGateway(context)));
        }
        for (const number of held.tooLarge) {
          answers.push(sendTooLarge(from.id, session, number, limits.valueBytesMax, false));
          answers.push(count("refused_too_large"), { kind: "checkPayload" });
        }
        if (held.overloaded === null) continue;
        answers.push(send("session", from.id, refusal("overloaded", session, held.overloaded)));
      }
      return { answers, ...proposals(context, event) };
    }),
    holdEnd: assign(({ context, event }) => {
      assertEvent(event, "end-session");
      const { data, id, cluster } = context;
      for (const { from, message } of event.received) {
        holdEnd(data, from.id, message, id, cluster.limits);
      }
      return proposals(context, event);
    }),
    holdProposal: assign(({ context, event }) => {
      assertEvent(event, "door.propose");
      const answers = hold(context, event);
      return { answers, ...proposals(context, event) };
    }),
    openSession: assign(({ context, event }) => {
      assertEvent(event, "open-session");
      const { data, id } = context;
      const answers: Effect[] = [];
      for (const { from, message } of event.received) {
        const { session } = message;
        if (message.fresh) openSession(data, from.id, session, id);
        else {
          attachSession(data, from.id, session);
          const named = { session, openedIn: null, leaderGateway: leaderGateway(context) };
          answers.push(send("session", from.id, { type: "session-opened", ...named }));
        }
      }
      forgetIdle(data, context.cluster.limits);
      return { answers, ...proposals(context, event) };
    }),
    refuseNewWork: assign(({ event }) => {
      assertEvent(event, ["request", "door.propose"]);
      if (event.type === "door.propose") {
        return { answers: [refuseProposal(event.token, "stopped", "this gateway is stopping")] };
      }
      return {
        answers: event.received.map(({ from, message }) => {
          const first = message.requests[0]?.number ?? 1;
          return send("session", from.id, refusal("stopped", message.session, first));
        }),
      };
    }),

    sendProposals: effects(({ context }: Args) => {
      const { leader } = context;
      if (leader === null) return NOTHING;
      const sends = context.proposals.map((message) => send("proposer", leader.id, message));
      return [...context.tooLarge, ...sends];
    }),
    sendAnswers: effects(({ context }: Args) => context.answers),
    followLearner: effects(({ context }: Args) => {
      const { learner, asksAll } = context;
      const toAll = asksAll ? [broadcast("learner", { type: "follow", learner: null })] : [];
      if (learner === null) return toAll;
      return [...toAll, send("learner", learner.id, { type: "follow", learner: learner.id })];
    }),
  },
  delays: {
    followInterval: ({ context: { leader, learner, data, cluster } }) => {
      const rests = leader !== null && learner !== null && data.heldBytes === 0;
      return (rests ? REST_INTERVALS : 1) * cluster.limits.beaconMs;
    },
  },
}).createMachine({
  id: "gateway",
  description: "Holds clients' commands until their outcome is known, whoever leads meanwhile.",
  context: ({ input }) => gatewayContext(input),
  initial: "holding",
  on: {
    beacon: [
      {
        guard: "leaderIsNew",
        actions: ["noteLeader", "sendAgain", "takeProposals", "sendProposals"],
      },
      {
        guard: "beaconIsCurrent",
        actions: ["noteLeader", "sendOverdue", "takeProposals", "sendProposals"],
      },
    ],
    outcomes: { actions: ["noteLearner", "settle", "sendAnswers", "sendProposals"] },
    request: { actions: ["holdRequests", "sendAnswers", "sendProposals"] },
    "door.propose": { actions: ["holdProposal", "sendAnswers", "sendProposals"] },
    "open-session": { actions: ["openSession", "sendAnswers", "sendProposals"] },
    "end-session": { actions: ["holdEnd", "sendProposals"] },
    stop: ".draining",
  },
  states: {
    holding: {
      description:
        "No leader or no learner is known: holds what clients ask, up to a bound. Left when both " +
        "are.",
      entry: ["lookForLearner", "followLearner"],
      always: { guard: "canRoute", target: "routing" },
      after: {
        followInterval: { target: "holding", reenter: true, actions: "forgetSilent" },
      },
    },
    routing: {
      description:
        "Passes commands to the leader in order and outcomes back. Left when the leader or the " +
        "learner " +
        "has been silent for long.",
      tags: ["canPropose"],
      entry: ["lookForLearner", "followLearner"],
      always: { guard: "cannotRoute", target: "holding" },
      after: {
        followInterval: [
          {
            guard: "somethingIsOverdue",
            target: "routing",
            reenter: true,
            actions: ["forgetSilent", "sendOverdue", "takeProposals", "sendProposals"],
          },
          {
            target: "routing",
            reenter: true,
            actions: ["forgetSilent", "takeProposals", "sendProposals"],
          },
        ],
      },
    },
    draining: {
      description:
        "Stopping: takes nothing new, passes on what it holds and tells the outcomes. Left by " +
        "the process's end, which waits for them.",
      entry: ["lookForLearner", "followLearner"],
      on: {
        request: { actions: ["refuseNewWork", "sendAnswers"] },
        "door.propose": { actions: ["refuseNewWork", "sendAnswers"] },
        "open-session": {},
      },
      after: {
        followInterval: {
          target: "draining",
          reenter: true,
          actions: ["forgetSilent", "sendOverdue", "takeProposals", "sendProposals"],
        },
      },
    },
  },
});
