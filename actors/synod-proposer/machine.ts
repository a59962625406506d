/**
 * The proposer of single-decree Synod: one machine, one key, the algorithm of the paper's section
 * 2.
 *
 * Paper: PMS §2.2 phases 1(a) and 2(a), §2.3 (it is the distinguished learner of its own votes, and
 * in mode `leader` it "in turn informs the other learners").
 * The rules are in `src/paxos/single/synod.ts`.
 */
import { assertEvent, assign, setup } from "xstate";
import { broadcast, type DoorAnswer, effects, NOTHING } from "../../src/kernel/effect.js";
import type { HostEvent, InboundOf, RoleInput } from "../../src/kernel/role.js";
import { followRound } from "../../src/paxos/ballot.js";
import { configOfKeys } from "../../src/paxos/cluster.js";
import { decodeTyped, encodeTyped } from "../../src/paxos/command.js";
import { drawBackoff } from "../../src/paxos/consensus/backoff.js";
import { isRefusedByJump, roundToGoBackTo } from "../../src/paxos/consensus/round-jump.js";
import {
  alreadyChosen,
  beginAttempt,
  countPromise,
  countVote,
  isPreempted,
  keysAreExhausted,
  noteJumpRefusal,
  pickValue,
  promisesFormQuorum,
  type SynodAttempt,
  valueFindsNoRoom,
  votesFormQuorum,
} from "../../src/paxos/single/synod.js";
import type { Decide, KeyAccepted, KeyNack, KeyPromise } from "../../src/paxos/wire/messages.js";
import { type SynodProposerContext, synodProposerContext } from "./context.js";

type SynodEvent = InboundOf<Decide | KeyPromise | KeyAccepted | KeyNack> | HostEvent;
type Args = { context: SynodProposerContext; event: SynodEvent };

/** The attempt under way; the chart reaches no rule that needs one without it. */
function attemptOf(context: SynodProposerContext): SynodAttempt {
  if (context.attempt === null) throw new Error("no ballot was begun");
  return context.attempt;
}

/** Answers every waiting request alike. */
function replyAll(tokens: readonly string[], answer: DoorAnswer) {
  return tokens.map((token) => ({ kind: "reply" as const, token, answer }));
}

/** Refuses because too many acceptors have no room. */
function tooMany({ cluster }: SynodProposerContext, mayHaveHappened: boolean): DoorAnswer {
  const { decideKeysMax, decideBytesMax } = cluster.limits;
  const message =
    `the acceptors hold as many keys as decideKeysMax (${decideKeysMax}) or decideBytesMax ` +
    `(${decideBytesMax}) allows, and a key is kept permanently: raise the limit in every ` +
    "cluster.yaml and restart the acceptors, or write to the log (propose) instead";
  return { kind: "refused", code: "too_many", message, mayHaveHappened };
}

/** Says whether a quorum has promised, without a vote, and nobody wishes for a value. */
function nothingToPropose({ attempt, cluster, wish }: SynodProposerContext): boolean {
  if (attempt === null || !promisesFormQuorum(attempt, cluster)) return false;
  return pickValue(attempt, wish, cluster) === null;
}

export const synodProposerMachine = setup({
  types: {
    context: {} as SynodProposerContext,
    events: {} as SynodEvent,
    input: {} as RoleInput,
  },
  guards: {
    promisesFormQuorum: ({ context }) => promisesFormQuorum(attemptOf(context), context.cluster),
    valueIsChosenAlready: ({ context }) => {
      const attempt = attemptOf(context);
      if (!promisesFormQuorum(attempt, context.cluster)) return false;
      return alreadyChosen(attempt, context.cluster) !== null;
    },
    nothingToPropose: ({ context }) => nothingToPropose(context),
    // What was promised before somebody asked is no answer to him: a value may be chosen since.
    laterAskersWait: ({ context }) =>
      context.tokens.length > context.asked && nothingToPropose(context),
    votesFormQuorum: ({ context }) => votesFormQuorum(attemptOf(context), context.cluster),
    higherBallotPromised: ({ context, event }) => {
      assertEvent(event, "key-nack");
      return event.received.some(({ message }) => isPreempted(attemptOf(context), message));
    },
    acceptorIsFull: ({ event }) => {
      assertEvent(event, "key-nack");
      return event.received.some(({ message }) => message.reason === "too_many");
    },
    refusedAsJump: ({ event }) => {
      assertEvent(event, "key-nack");
      return event.received.some(({ message }) => message.reason === "round_jump");
    },
    jumpEndsAttempt: ({ context }) =>
      isRefusedByJump(
        new Set(attemptOf(context).jumpRefusals.keys()),
        configOfKeys(context.cluster),
      ),
    // In the first attempt only: nothing was proposed yet.
    keysAreExhausted: ({ context }) =>
      context.attempts === 1 && keysAreExhausted(context.full, context.cluster),
    valueFindsNoRoom: ({ context }) => valueFindsNoRoom(context.full, context.cluster),
  },
  actions: {
    noteWish: assign(({ context, event }) => {
      assertEvent(event, "decide");
      let { wish, tokens } = context;
      for (const { message } of event.received) {
        tokens = [...tokens, message.reply];
        if (message.value !== null) wish ??= encodeTyped(message.valueType, message.value.slice());
      }
      return { wish, tokens };
    }),
    beginAttempt: assign(({ context, event }) => {
      const attempt = beginAttempt(context.owner, context.highestRound, context.begunRounds);
      const highestRound = attempt.ballot.round;
      const begunRounds = new Set(context.begunRounds).add(highestRound);
      const sinceMs = "nowMs" in event ? event.nowMs : context.sinceMs;
      const asked = context.tokens.length;
      const attempts = context.attempts + 1;
      return { attempt, highestRound, begunRounds, attempts, asked, sinceMs };
    }),
    countPromise: assign(({ context, event }) => {
      assertEvent(event, "key-promise");
      const attempt = event.received.reduce(
        (counted, { from, message }) => countPromise(counted, from.id, message),
        attemptOf(context),
      );
      return { attempt };
    }),
    pickValue: assign(({ context }) => {
      const attempt = attemptOf(context);
      const proposed = pickValue(attempt, context.wish, context.cluster);
      return { attempt: { ...attempt, proposed } };
    }),
    countVote: assign(({ context, event }) => {
      assertEvent(event, "key-accepted");
      const attempt = event.received.reduce(
        (counted, { from, message }) => countVote(counted, from.id, message),
        attemptOf(context),
      );
      return { attempt };
    }),
    noteChosenAlready: assign(({ context }) => {
      const attempt = attemptOf(context);
      const found = alreadyChosen(attempt, context.cluster);
      if (found === null) return {};
      const chosen = {
        ballot: found.vote.ballot,
        value: found.vote.value,
        syncedBy: found.syncedBy,
      };
      return { attempt: { ...attempt, proposed: found.vote }, chosen };
    }),
    noteChosen: assign(({ context }) => {
      const { proposed, voters } = attemptOf(context);
      if (proposed === null) return {};
      return { chosen: { ballot: proposed.ballot, value: proposed.value, syncedBy: [...voters] } };
    }),
    noteFull: assign(({ context, event }) => {
      assertEvent(event, "key-nack");
      const refused = event.received.filter(({ message }) => message.reason === "too_many");
      return { full: new Set([...context.full, ...refused.map(({ from }) => from.id)]) };
    }),
    noteHigherBallot: assign(({ context, event }) => {
      assertEvent(event, "key-nack");
      const used = attemptOf(context).ballot.round;
      const { roundJumpMax } = context.cluster.limits;
      let { highestRound } = context;
      for (const { message } of event.received) {
        const promised = message.promised?.round ?? 0;
        highestRound = followRound(highestRound, used, promised, roundJumpMax);
      }
      return { highestRound, nacks: context.nacks + event.received.length };
    }),
    noteJumpRefusals: assign(({ context, event }) => {
      assertEvent(event, "key-nack");
      const attempt = event.received.reduce(
        (noted, { from, message }) => noteJumpRefusal(noted, from.id, message),
        attemptOf(context),
      );
      return { attempt, nacks: context.nacks + event.received.length };
    }),
    goBack: assign(({ context }) => {
      const { ballot, jumpRefusals } = attemptOf(context);
      return { highestRound: roundToGoBackTo(ballot.round, 0, jumpRefusals.values()) };
    }),
    drawBackoff: assign(({ context }) => {
      const { backoffMinMs, backoffMaxMs } = context.cluster.limits;
      const drawn = drawBackoff(context.seed, context.attempts, backoffMinMs, backoffMaxMs);
      return { seed: drawn.seed, backoffMs: drawn.delayMs };
    }),
    forgetAskers: assign({ tokens: [], asked: 0 }),
    forgetEarlierAskers: assign(({ context }) => ({
      tokens: context.tokens.slice(context.asked),
      asked: 0,
    })),

    broadcastPrepare: effects(({ context }: Args) => {
      const { ballot } = attemptOf(context);
      return [broadcast("acceptor", { type: "key-prepare", key: context.key, ballot })];
    }),
    broadcastAccept: effects(({ context }: Args) => {
      const { proposed } = attemptOf(context);
      if (proposed === null) return [];
      return [broadcast("acceptor", { type: "key-accept", key: context.key, ...proposed })];
    }),
    // On the way into `decided`, not on its entry: a late asker is no reason to tell them again.
    announceToLearners: effects(({ context }: Args) => {
      const { cluster, key, attempt, chosen } = context;
      const digest = attempt?.proposed?.digest;
      if (cluster.learn.kind !== "leader" || chosen === null || digest === undefined)
        return NOTHING;
      return [broadcast("learner", { type: "key-chosen", key, digest, ...chosen })];
    }),
    replyDecided: effects(({ context }: Args) => {
      const { chosen } = context;
      if (chosen === null) return [];
      const { type, body } = decodeTyped(chosen.value);
      const { ballot, syncedBy } = chosen;
      return replyAll(context.tokens, { kind: "decided", ballot, type, value: body, syncedBy });
    }),
    replyUndecided: effects(({ context: { tokens, asked } }: Args) =>
      replyAll(tokens.slice(0, asked), { kind: "undecided" }),
    ),
    replyTooMany: effects(({ context }: Args) => replyAll(context.tokens, tooMany(context, false))),
    // An acceptor with room may have voted, and the value may be chosen once others have room.
    replyNoRoom: effects(({ context }: Args) => replyAll(context.tokens, tooMany(context, true))),
    finish: effects(() => [{ kind: "finish" }]),
  },
  delays: {
    retryDelay: ({ context }) => context.cluster.limits.retryDelayMs,
    backoff: ({ context }) => context.backoffMs,
    linger: ({ context }) => context.cluster.limits.decideLingerMs,
    patience: ({ context }) => context.cluster.limits.decidePatienceMs,
  },
}).createMachine({
  id: "synod-proposer",
  description: "Gets one value chosen for one key, or learns which one was.",
  context: ({ input }) => synodProposerContext(input),
  initial: "idle",
  after: { patience: ".finished" },
  on: { decide: { actions: "noteWish" } },
  states: {
    idle: {
      description: "Nobody has asked yet. Left by the first wish or question.",
      on: { decide: { target: "preparing", actions: ["noteWish", "beginAttempt"] } },
    },
    preparing: {
      description:
        "Phase 1: asks every acceptor for a promise and its vote, again after a silence. Left " +
        "when a " +
        "phase-1 quorum has promised, a higher ballot shows, or too few have room for a new key.",
      meta: { paper: "PMS §2.2 phase 1(a)" },
      tags: ["inPhase1"],
      entry: "broadcastPrepare",
      on: {
        "key-promise": { actions: "countPromise" },
        "key-nack": [
          {
            guard: "higherBallotPromised",
            target: "backingOff",
            actions: "noteHigherBallot",
          },
          { guard: "acceptorIsFull", actions: "noteFull" },
          { guard: "refusedAsJump", actions: "noteJumpRefusals" },
        ],
      },
      always: [
        { guard: "valueIsChosenAlready", target: "decided", actions: "noteChosenAlready" },
        {
          guard: "laterAskersWait",
          target: "preparing",
          reenter: true,
          actions: ["replyUndecided", "forgetEarlierAskers", "beginAttempt"],
        },
        { guard: "nothingToPropose", target: "finished", actions: "replyUndecided" },
        { guard: "promisesFormQuorum", target: "accepting", actions: "pickValue" },
        { guard: "keysAreExhausted", target: "finished", actions: "replyTooMany" },
        { guard: "jumpEndsAttempt", target: "backingOff", actions: "goBack" },
      ],
      after: { retryDelay: { target: "preparing", reenter: true } },
    },
    accepting: {
      description:
        "Phase 2: proposes the value of the highest vote reported, or its own if there was none. " +
        "Left when a phase-2 quorum has voted, a higher ballot shows, or too few have room for " +
        "the value.",
      meta: { paper: "PMS §2.2 phase 2(a)" },
      tags: ["inPhase2"],
      entry: "broadcastAccept",
      on: {
        "key-accepted": { actions: "countVote" },
        "key-nack": [
          {
            guard: "higherBallotPromised",
            target: "backingOff",
            actions: "noteHigherBallot",
          },
          { guard: "acceptorIsFull", actions: "noteFull" },
        ],
      },
      always: [
        {
          guard: "votesFormQuorum",
          target: "decided",
          actions: ["noteChosen", "announceToLearners"],
        },
        { guard: "valueFindsNoRoom", target: "finished", actions: "replyNoRoom" },
      ],
      after: { retryDelay: { target: "accepting", reenter: true } },
    },
    backingOff: {
      description:
        "Another proposer holds a higher ballot: waits a random time, longer each time, so that " +
        "duels " +
        "end. Left by the clock, with a ballot above every one seen.",
      meta: { paper: "PMS §2.4" },
      entry: "drawBackoff",
      after: { backoff: { target: "preparing", actions: "beginAttempt" } },
    },
    decided: {
      description:
        "A value is chosen, for ever. Answers whoever asks; left when it is not asked any more.",
      meta: { paper: "PMS §2.3" },
      tags: ["knowsValue"],
      entry: ["replyDecided", "forgetAskers"],
      on: {
        decide: {
          target: "decided",
          reenter: true,
          actions: "noteWish",
        },
      },
      after: { linger: "finished" },
    },
    finished: {
      description: "This key needs no work here any more; its instance is dropped.",
      entry: "finish",
    },
  },
});
