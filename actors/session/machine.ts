/**
 * The client session: gets requests into the log once each, in order, whoever leads and whichever
 * gateway serves it.
 *
 * Paper: none; PMS §3 has clients send commands to the leader. The rules are in
 * `src/paxos/clients/client.ts`; what the log makes of a session is in `src/paxos/log/session.ts`.
 */
import { assertEvent, assign, setup } from "xstate";
import { broadcast, effects, NOTHING, type Settlement, send } from "../../src/kernel/effect.js";
import {
  type HostEvent,
  type InboundOf,
  payloadBytesMaxOf,
  type RoleInput,
} from "../../src/kernel/role.js";
import {
  addSubmissions,
  complete,
  endOf,
  giveUpOne,
  noteRefusal,
  rewind,
  type Submission,
  takeRequests,
  withdraw,
} from "../../src/paxos/clients/client.js";
import { drawBackoff } from "../../src/paxos/consensus/backoff.js";
import type { Refused, Results, SessionOpened } from "../../src/paxos/wire/messages.js";
import { limitsUnder } from "../../src/paxos/wire/payload.js";
import { type SessionContext, sessionContext } from "./context.js";
import { leave, nextGateway } from "./moving.js";
import { resolve } from "./services.js";
import { endAll, failTooLarge, refuseAll } from "./settling.js";

/** Attempts in a row before delays grow, and the longest they get, in retry delays. */
const STEADY_ATTEMPTS = 4;
const DELAYS_MAX = 8;
/** Silence after which a gateway is taken for gone, in retry delays. */
const SILENCE_DELAYS = 4;
/** Most that a gateway may ask to be left alone, in milliseconds. */
const RETRY_AFTER_MAX_MS = 10_000;

/** Requests of this process, for the log. */
export interface SubmitEvent {
  readonly type: "submit";
  readonly requests: readonly Submission[];
  readonly nowMs: number;
}

/** Nobody waits for these any more; those that never left are dropped. */
export interface WithdrawEvent {
  readonly type: "withdraw";
  readonly tokens: readonly number[];
  readonly nowMs: number;
}

type SessionEvent =
  | InboundOf<SessionOpened | Results | Refused>
  | SubmitEvent
  | WithdrawEvent
  | HostEvent;
type Args = { context: SessionContext; event: SessionEvent };

/** When the event happened; one of a timer carries it too. */
function nowOf({ context, event }: Args): number {
  return "nowMs" in event && event.nowMs !== undefined ? event.nowMs : context.sinceMs;
}

/** A refusal addressed to this session. */
function refusalOf({ context, event }: Args, code: Refused["code"]): Refused | undefined {
  assertEvent(event, "refused");
  const { from, message } = event.received[0] as (typeof event.received)[0];
  if (message.session !== context.session || message.code !== code) return undefined;
  // That a session is unknown stands in the log; the rest is the word of the gateway we have.
  return code === "session_expired" || from.id === context.gateway ? message : undefined;
}

/** How long results usually take at most, before the requests are sent again. */
function resultsWaitMs({ data, limits: { retryDelayMs } }: SessionContext): number {
  return data.resultLatency.waitMs(retryDelayMs, SILENCE_DELAYS * retryDelayMs);
}

function turnAway(event: SessionEvent, code: "session_expired" | "stopped") {
  assertEvent(event, "submit");
  return { settlements: refuseAll(event.requests, code) };
}

export const sessionMachine = setup({
  types: {
    context: {} as SessionContext,
    events: {} as SessionEvent,
    input: {} as RoleInput,
  },
  guards: {
    sessionIsOurs: ({ context, event }) => {
      assertEvent(event, "session-opened");
      return event.received[0]?.message.session === context.session;
    },
    wasOpened: ({ context }) => context.gateway !== null,
    nothingIsOpen: ({ context }) => context.data.open.size + context.data.waiting.size === 0,
    gatewayIsSilent: (args) => {
      // A gateway answers what is asked again at once, however long the results take.
      return nowOf(args) - args.context.heardMs >= SILENCE_DELAYS * resultsWaitMs(args.context);
    },
    resultsAreOverdue: (args) => {
      return nowOf(args) - args.context.progressMs >= resultsWaitMs(args.context);
    },
    resultsComeFromGateway: ({ context, event }) => {
      assertEvent(event, "results");
      return event.received.some(({ from }) => from.id === context.gateway);
    },
    sessionIsUnknown: (args) => refusalOf(args, "session_expired") !== undefined,
    requestIsTooLarge: (args) => refusalOf(args, "too_large") !== undefined,
    gatewayStops: (args) => refusalOf(args, "stopped") !== undefined,
    gatewayIsOverloaded: (args) => refusalOf(args, "overloaded") !== undefined,
  },
  actions: {
    drawDelay: assign(({ context }) => {
      const { seed, attempts, limits } = context;
      const least = limits.retryDelayMs;
      const growth = Math.max(0, attempts - STEADY_ATTEMPTS + 1);
      const drawn = drawBackoff(seed, growth, least, DELAYS_MAX * least);
      return { seed: drawn.seed, delayMs: drawn.delayMs, attempts: attempts + 1 };
    }),
    holdRequests: assign(({ context, event }) => {
      assertEvent(event, "submit");
      return { settlements: refuseAll(addSubmissions(context.data, event.requests), "overloaded") };
    }),
    turnAwayExpired: assign(({ event }) => turnAway(event, "session_expired")),
    turnAwayStopped: assign(({ event }) => turnAway(event, "stopped")),
    withdrawRequests: assign(({ context, event }) => {
      assertEvent(event, "withdraw");
      const settlements = event.tokens.map((token) => ({
        kind: "withdrawn" as const,
        token,
        mayHaveHappened: !withdraw(context.data, token),
      }));
      return { settlements };
    }),
    attach: assign((args) => {
      assertEvent(args.event, "session-opened");
      const nowMs = nowOf(args);
      const { from, message } = args.event.received[0] as (typeof args.event.received)[0];
      const { leaderGateway } = message;
      // Another slot is a later opening, and who did not name one at first may have asked in any.
      if (args.context.gateway === null) args.context.data.openedIn = message.openedIn;
      rewind(args.context.data, 1);
      return { gateway: from.id, leaderGateway, heardMs: nowMs, progressMs: nowMs, sinceMs: nowMs };
    }),
    beginWait: assign((args) => ({ heardMs: nowOf(args), progressMs: nowOf(args), attempts: 0 })),
    numberRequests: assign((args) => {
      const { context, event } = args;
      const limits = limitsUnder(context.limits, payloadBytesMaxOf(event));
      const nowMs = nowOf(args);
      const { gateway, mayBegin } = nextGateway(context, nowMs);
      const { messages, tooLarge } = takeRequests(context.data, limits, nowMs, mayBegin);
      const tooLargeNow = tooLarge.map(({ token, mayHaveHappened }) => {
        return failTooLarge(token, mayHaveHappened, limits.valueBytesMax);
      });
      const heardMs = gateway === context.gateway ? context.heardMs : nowMs;
      return { gateway, heardMs, outgoing: messages, tooLarge: tooLargeNow };
    }),
    leaveGateway: assign((args) => ({ left: leave(args.context, nowOf(args)) })),
    rewindAll: assign(({ context }) => {
      rewind(context.data, 1);
      return {};
    }),
    noteResults: assign((args) => {
      const { context, event } = args;
      assertEvent(event, "results");
      const settlements: Settlement[] = [];
      let { heardMs, leaderGateway } = context;
      for (const { from, message } of event.received) {
        if (from.id === context.gateway) {
          heardMs = event.nowMs;
          leaderGateway = message.leaderGateway;
        }
        if (message.session !== context.session) continue;
        for (const completed of complete(context.data, message, event.nowMs)) {
          const { token, position, slot, ballot, syncedBy } = completed;
          settlements.push({ kind: "done", token, position, slot, ballot, syncedBy });
        }
      }
      if (settlements.length === 0) return { settlements, heardMs, leaderGateway };
      return { settlements, heardMs, leaderGateway, progressMs: event.nowMs, attempts: 0 };
    }),
    noteRefusal: assign((args) => {
      assertEvent(args.event, "refused");
      const { context, event } = args;
      const { message } = event.received[0] as (typeof event.received)[0];
      noteRefusal(context.data, message.fromNumber);
      const leastMs = Math.min(RETRY_AFTER_MAX_MS, Math.max(1, message.retryAfterMs));
      const drawn = drawBackoff(context.seed, 1, leastMs, 2 * leastMs);
      const refusals = context.refusals + 1;
      return { seed: drawn.seed, retryAfterMs: drawn.delayMs, heardMs: event.nowMs, refusals };
    }),
    giveUpTooLarge: assign((args) => {
      const { data, heardMs } = args.context;
      const refused = refusalOf(args, "too_large");
      if (refused === undefined) return {};
      const { fromNumber, mayHaveHappened, bytesMax } = refused;
      const copies = data.open.get(fromNumber)?.copies ?? 0;
      const givenUp = giveUpOne(data, fromNumber);
      if (givenUp === null) return { settlements: [], heardMs: nowOf(args) };
      // Of several copies an earlier one may have been passed on.
      const isUnsure = mayHaveHappened || copies > 1;
      const most = bytesMax ?? undefined;
      const settlements = [failTooLarge(givenUp.token, isUnsure, most)];
      return { settlements, heardMs: Math.max(heardMs, nowOf(args)) };
    }),
    failExpired: assign((args) => {
      const last = refusalOf(args, "session_expired")?.last ?? null;
      return { settlements: endAll(args.context, "session_expired", last) };
    }),
    failStopped: assign(({ context }) => ({ settlements: endAll(context, "stopped", null) })),

    askToOpen: effects(({ context }: Args) => [
      broadcast("gateway", { type: "open-session", session: context.session, fresh: true }),
    ]),
    askToReattach: effects(({ context }: Args) => [
      broadcast("gateway", { type: "open-session", session: context.session, fresh: false }),
    ]),
    sendRequests: effects(({ context }: Args) => {
      const { gateway, tooLarge } = context;
      if (gateway === null) return NOTHING;
      const sends = context.outgoing.map((message) => send("gateway", gateway, message));
      if (tooLarge.length === 0) return sends;
      return [resolve(tooLarge), { kind: "checkPayload" }, ...sends];
    }),
    sendEnd: effects(({ context: { gateway, data } }: Args) => {
      const message = endOf(data);
      return gateway === null || message === null ? NOTHING : [send("gateway", gateway, message)];
    }),
    settle: effects(({ context }: Args) =>
      context.settlements.length === 0 ? NOTHING : [resolve(context.settlements)],
    ),
    halt: effects(() => [{ kind: "halt", why: "the session is not in the log's table any more" }]),
  },
  delays: {
    retryDelay: ({ context }) => context.delayMs,
    retryAfter: ({ context }) => context.retryAfterMs,
  },
}).createMachine({
  id: "session",
  description: "Gets requests into the log once each, in order, through any gateway.",
  context: ({ input }) => sessionContext(input),
  initial: "opening",
  on: {
    submit: { actions: ["holdRequests", "settle"] },
    withdraw: { actions: ["withdrawRequests", "settle"] },
    results: { actions: ["noteResults", "settle"] },
    refused: { guard: "sessionIsUnknown", target: ".expired" },
    "session-opened": {},
    "connection.up": {},
    "connection.down": ".offline",
    stop: ".closed",
  },
  states: {
    opening: {
      description:
        "Asks any gateway to open the session in the log, again after a silence; holds requests. " +
        "Left when a gateway says that it is open: that one serves it.",
      entry: ["drawDelay", "askToOpen"],
      on: {
        "session-opened": {
          guard: "sessionIsOurs",
          target: "open",
          actions: ["attach", "numberRequests", "sendRequests"],
        },
        refused: {},
      },
      after: { retryDelay: { target: "opening", reenter: true } },
    },
    open: {
      description:
        "One gateway serves it: that of the leader's process, once nothing is open. Left when it " +
        "falls silent or stops, or the session is unknown.",
      initial: "awaiting",
      on: {
        refused: [
          { guard: "sessionIsUnknown", target: "expired" },
          {
            guard: "requestIsTooLarge",
            target: ".awaiting",
            actions: ["giveUpTooLarge", "settle", "numberRequests", "sendRequests"],
          },
          { guard: "gatewayStops", target: "reattaching", actions: "noteRefusal" },
          { guard: "gatewayIsOverloaded", target: ".backingOff", actions: "noteRefusal" },
        ],
      },
      states: {
        idle: {
          description: "Nothing is asked. Left by a request.",
          tags: ["canSubmit"],
          on: {
            submit: {
              target: "awaiting",
              actions: ["holdRequests", "settle", "beginWait", "numberRequests", "sendRequests"],
            },
          },
        },
        awaiting: {
          description:
            "Requests are on their way; sends them again, under the same numbers, when no result " +
            "came for a while. Left when all are answered.",
          tags: ["canSubmit"],
          entry: "drawDelay",
          always: { guard: "nothingIsOpen", target: "idle" },
          on: {
            submit: { actions: ["holdRequests", "settle", "numberRequests", "sendRequests"] },
            results: { actions: ["noteResults", "settle", "numberRequests", "sendRequests"] },
          },
          after: {
            retryDelay: [
              { guard: "gatewayIsSilent", target: "#session.reattaching" },
              {
                guard: "resultsAreOverdue",
                target: "awaiting",
                reenter: true,
                actions: ["rewindAll", "numberRequests", "sendRequests"],
              },
              { target: "awaiting", reenter: true },
            ],
          },
        },
        backingOff: {
          description:
            "The gateway holds all it may: leaves it alone for a while, holds requests. Left by " +
            "the clock, and sends from the refused number on.",
          after: {
            retryAfter: {
              target: "awaiting",
              actions: ["beginWait", "numberRequests", "sendRequests"],
            },
          },
        },
      },
    },
    reattaching: {
      description:
        "The gateway is silent or stops: asks any gateway to take the session over, again after " +
        "a silence. Left when one does, or the old one is heard again.",
      entry: ["leaveGateway", "drawDelay", "askToReattach"],
      on: {
        "session-opened": {
          guard: "sessionIsOurs",
          target: "open",
          actions: ["attach", "numberRequests", "sendRequests"],
        },
        results: [
          {
            guard: "resultsComeFromGateway",
            target: "open",
            actions: ["noteResults", "settle", "numberRequests", "sendRequests"],
          },
          { actions: ["noteResults", "settle"] },
        ],
        refused: [{ guard: "sessionIsUnknown", target: "expired" }],
      },
      after: { retryDelay: { target: "reattaching", reenter: true } },
    },
    offline: {
      description:
        "There is no connection: whatever is sent now is lost, so requests are held. Left when " +
        "it is back.",
      on: {
        "connection.up": [
          {
            guard: "wasOpened",
            target: "open",
            actions: ["beginWait", "rewindAll", "numberRequests", "sendRequests"],
          },
          { target: "opening" },
        ],
      },
    },
    expired: {
      description:
        "The log's table does not know the session any more: says of each request whether it may " +
        "have had effect. Never left: what follows needs a new session.",
      entry: ["failExpired", "settle", "halt"],
      on: {
        submit: { actions: ["turnAwayExpired", "settle"] },
        refused: {},
        "connection.down": {},
        stop: {},
      },
    },
    closed: {
      description: "The client is closed, and the log may forget the session. Never left.",
      entry: ["sendEnd", "failStopped", "settle"],
      on: {
        submit: { actions: ["turnAwayStopped", "settle"] },
        refused: {},
        "connection.down": {},
        stop: {},
      },
    },
  },
});
