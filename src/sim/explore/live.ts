/**
 * What of a machine or message bears on what happens next. The rest does not make two states.
 *
 * Each thing left out is one that no rule reads again, or reads only to hand it on: see the README.
 * `test/explore/abstraction.test.ts` walks real machines with all of their memory beside it.
 */
import type { RoleSnapshot } from "../../kernel/role.js";
import { isLower } from "../../paxos/ballot.js";
import type { ProposerState } from "../../paxos/consensus/proposer.js";
import type { SynodAttempt } from "../../paxos/single/synod.js";
import type { Message, RoleName } from "../../paxos/wire/messages.js";

// Contexts of the roles, as far as they are looked at here.
interface SynodContext {
  readonly attempt: SynodAttempt | null;
  readonly attempts: number;
  readonly highestRound: number;
  readonly wish: unknown;
  readonly tokens: readonly string[];
  readonly asked: number;
  readonly chosen: { readonly ballot: unknown; readonly value: unknown } | null;
}

/**
 * Returns the data that decides how a machine goes on.
 *
 * @param countsAnswers promises have parts, which go by the number of the answer
 */
export function liveState(role: RoleName, snapshot: RoleSnapshot, countsAnswers: boolean): unknown {
  const { value, context } = snapshot as { value: unknown; context: unknown };
  if (role === "acceptor") return [value, liveAcceptor(context as never, countsAnswers)];
  if (role === "synod-proposer") return [value, liveSynod(value, context as never)];
  if (role === "proposer") return [value, liveProposer(value, context as never)];
  if (role === "learner") return [value, liveLearner(context as never)];
  throw new Error(`the explorer knows no role ${role}`);
}

/**
 * Its answers have names, from its life and their number in it; but a promise in one part is
 * complete under any name.
 */
function liveAcceptor({ data }: { readonly data: object }, countsAnswers: boolean): unknown {
  return countsAnswers ? data : { ...data, life: 0, answers: 0 };
}

function liveSynod(value: unknown, context: SynodContext): unknown {
  const { attempt, attempts, highestRound, wish, tokens, asked, chosen } = context;
  if (value === "finished") return null;
  if (value === "decided") return [chosen?.ballot, chosen?.value];
  const kept = { wish, tokens: tokens.length, isFirst: attempts <= 1, highestRound };
  if (attempt === null || value === "backingOff") return kept;
  const { ballot, promises, proposed, voters } = attempt;
  if (value === "preparing") return [kept, asked, ballot, promises];
  return [kept, ballot, proposed, voters];
}

function liveProposer(
  value: unknown,
  context: {
    readonly data: ProposerState;
    readonly question: number;
    readonly answers: unknown;
    readonly namedBy: string | null;
  },
): unknown {
  const { data, question } = context;
  const { ballot, highestRound, chosenWatermark } = data;
  const kept = [ballot, highestRound, chosenWatermark, question];
  if (value === "standby" || value === "preempted" || value === "halted") return kept;
  if (value === "asking") {
    return [kept, context.namedBy, new Set((context.answers as Map<string, unknown>).keys())];
  }
  if (value === "preparing") {
    // Which answer of which life a promise was is evidence for `prove`, and for nothing else.
    const promises = new Map(
      [...data.promises].map(([acceptor, { incarnation, answer, ...rest }]) => [acceptor, rest]),
    );
    return [kept, data.fromSlot, promises, data.assemblies];
  }
  const open = new Map(
    [...data.open].map(([slot, one]) => [
      slot,
      one.chosen ? [one.digest] : [one.digest, one.voters],
    ]),
  );
  const { nextSlot, firstUnsent, adoptedBelow, queue } = data;
  return [kept, nextSlot, firstUnsent, adoptedBelow, open, queue.toArray()];
}

function liveLearner({ data }: { readonly data: { readonly keys: LiveKeys } }): unknown {
  const decided = new Map(
    [...data.keys.decided].map(([key, { syncedBy, ...held }]) => [key, held] as const),
  );
  return [decided, new Set(data.keys.tallies.values())];
}

interface LiveKeys {
  readonly decided: ReadonlyMap<string, { readonly syncedBy: unknown }>;
  readonly tallies: ReadonlyMap<string, unknown>;
}

/** Returns the data of a message that decides what its hearers do. */
export function liveMessage(message: Message, countsAnswers: boolean): unknown {
  switch (message.type) {
    case "promise":
      return countsAnswers ? message : { ...message, answer: 0 };
    case "key-nack":
    case "nack": {
      // A proposer compares it with its own ballot, and goes on above its round.
      const { ballot, promised } = message;
      return { ...message, promised: [isLower(ballot, promised), promised?.round ?? 0] };
    }
    case "basis":
      return { type: message.type, ballot: message.ballot };
    case "key-chosen":
      return { ...message, syncedBy: [] };
    case "accept":
      return { ...message, chosen: [] };
    case "beacon":
      return { ...message, nextSlot: 0, creditBytes: 0 };
    case "last-heard":
      return { ...message, agoMs: 0 };
    default:
      return message;
  }
}
