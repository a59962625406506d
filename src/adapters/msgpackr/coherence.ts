/**
 * What a message must say that no shape can: fields that must fit each other.
 *
 * Wherever a digest travels with its value, the two are compared: an acceptor stores the pair, a
 * proposer proposes it again, a learner counts votes for the digest and delivers the value. Cost:
 * one hash of each such value, about 1 µs per 500 bytes; `promise` and `votes` are rare, and in
 * `accept` the value has just crossed a network.
 */
import { isDigestOf } from "../../paxos/digest.js";
import type { ChosenRange, MessageOf, SlotVote, Verb, Vote } from "../../paxos/wire/messages.js";

type Rules = { readonly [V in Verb]?: (message: MessageOf<V>) => boolean };

/** Says, for each verb that needs it, whether the fields of a well-shaped message fit together. */
export const COHERENT: Rules = {
  "key-promise": ({ vote }) => vote === null || isNamed(vote),
  "key-accept": isNamed,
  "key-chosen": isNamed,
  promise: (message) =>
    message.part < message.parts &&
    message.trimmed <= message.chosenWatermark &&
    areVotesIn(message.votes, message.chosenWatermark, Number.MAX_SAFE_INTEGER),
  accept: ({ firstSlot, digests, values, chosen }) =>
    digests.length === values.length &&
    firstSlot + values.length <= Number.MAX_SAFE_INTEGER &&
    chosen.every(isRange) &&
    values.every((value, i) => isDigestOf(digests[i] as string, value)),
  chosen: ({ ranges }) => ranges.every(isRange),
  basis: ({ start, cutAt, promises }) =>
    promises.every(({ votes }) =>
      votes.every(({ slot }) => start <= slot && (cutAt === null || slot < cutAt)),
    ),
  repair: ({ from, to }) => from < to,
  votes: ({ from, to, votes }) => from <= to && areVotesIn(votes, from, to),
  entries: ({ from, to, entries }) =>
    from <= to && entries.every(({ slot }) => from <= slot && slot < to),
  hello: ({ openings }) => areOldestFirst(openings),
  request: ({ answeredBelow, requests }) => {
    const first = requests[0]?.number ?? 0;
    return answeredBelow <= first && requests.every(({ number }, i) => number === first + i);
  },
};

/** The digest is that of the value. */
function isNamed(pair: Pick<Vote, "digest" | "value">): boolean {
  return isDigestOf(pair.digest, pair.value);
}

function isRange({ from, to }: ChosenRange): boolean {
  return from < to;
}

function areVotesIn(votes: readonly SlotVote[], from: number, to: number): boolean {
  return votes.every((vote) => from <= vote.slot && vote.slot < to && isNamed(vote));
}

function areOldestFirst(openings: MessageOf<"hello">["openings"]): boolean {
  return openings.every(({ incarnation, writeNumber }, i) => {
    const before = openings[i - 1];
    if (before === undefined) return true;
    return before.incarnation < incarnation && before.writeNumber <= writeNumber;
  });
}
