/**
 * The server's limit on one message, which may change at any moment: how much of it values may
 * take, and how a message that is over it comes apart.
 *
 * Two ways keep messages under the limit. What cannot come apart later (a batch, a part of a
 * promise), and what is not worth encoding twice, is cut by rules, under {@link limitsUnder}.
 * Everything else is built as it comes: the kernel knows the exact size when it sends, and there
 * {@link divide} takes apart what is over.
 */
import type { Limits } from "../limits.js";
import type { Message } from "./messages.js";

/** What a message of one value takes beside it, at most: envelope, ids, ballots, headers. */
export const ENVELOPE_BYTES = 4096;

/** What a command takes beside its value, at most: session, gateway, id. */
const COMMAND_OVERHEAD_BYTES = 1024;

/**
 * Cuts the limits of a descriptor to what the server takes at the moment.
 *
 * A client value may take three quarters of the room that one message has for values. Why:
 * `history` and `prove` show values in JSON as base64, four bytes for three. A value that could be
 * chosen and not be read again would stop every reader.
 *
 * @param payloadBytesMax the server's limit on one message
 * @returns the same object if it leaves all of them as they are, as 1 MiB does by default
 */
export function limitsUnder(limits: Limits, payloadBytesMax: number): Limits {
  const room = Math.max(0, payloadBytesMax - ENVELOPE_BYTES);
  const { valueBytesMax, batchBytesMax, partBytesMax } = limits;
  const valueRoom = Math.floor((room * 3) / 4);
  const batchRoom = Math.max(0, room - COMMAND_OVERHEAD_BYTES);
  if (valueBytesMax <= valueRoom && batchBytesMax <= batchRoom && partBytesMax <= room) {
    return limits;
  }
  return {
    ...limits,
    valueBytesMax: Math.min(valueBytesMax, valueRoom),
    batchBytesMax: Math.min(batchBytesMax, batchRoom),
    partBytesMax: Math.min(partBytesMax, room),
  };
}

/** Says whether a command is one that the limits let pass. */
export function commandFits(command: Uint8Array, limits: Limits): boolean {
  return command.length <= limits.valueBytesMax + COMMAND_OVERHEAD_BYTES;
}

/**
 * Takes a message apart into smaller ones that together say the same, in the order to send them.
 *
 * Gotcha: what is cut from a basis and from the announcements of an `accept` is left out. Nothing
 * depends on either: a basis names the slot at which it ends, and a learner that misses an
 * announcement asks for the slot.
 *
 * @returns null for a message that cannot come apart: one value alone, or a part of a promise,
 *   whose number of parts is in each of them
 */
export function divide(message: Message): readonly Message[] | null {
  switch (message.type) {
    case "propose":
      return halves(message.commands, (commands) => ({ ...message, commands }));
    case "request":
      return halves(message.requests, (requests) => ({ ...message, requests }));
    case "results":
      return halves(message.results, (results) => ({ ...message, results }));
    case "outcomes":
      return halves(message.outcomes, (outcomes) => ({ ...message, outcomes }));
    case "accepted":
      return halves(message.votes, (votes) => ({ ...message, votes }));
    case "chosen":
      return halves(message.ranges, (ranges) => ({ ...message, ranges }));
    case "accept":
      return divideAccept(message);
    case "votes":
      return divideAnswer(message, message.votes, (votes) => ({ ...message, votes }));
    case "entries":
      return divideAnswer(message, message.entries, (entries) => ({ ...message, entries }));
    case "basis":
      return shortenBasis(message);
    default:
      return null;
  }
}

function halves<T, M extends Message>(
  items: readonly T[],
  withItems: (items: readonly T[]) => M,
): readonly M[] | null {
  if (items.length < 2) return null;
  const middle = Math.ceil(items.length / 2);
  return [withItems(items.slice(0, middle)), withItems(items.slice(middle))];
}

function divideAccept(accept: Extract<Message, { type: "accept" }>): readonly Message[] | null {
  const { firstSlot, digests, values, chosen } = accept;
  if (values.length < 2) return chosen.length === 0 ? null : [{ ...accept, chosen: [] }];
  const middle = Math.ceil(values.length / 2);
  return [
    { ...accept, digests: digests.slice(0, middle), values: values.slice(0, middle) },
    {
      ...accept,
      firstSlot: firstSlot + middle,
      digests: digests.slice(middle),
      values: values.slice(middle),
      chosen: [],
    },
  ];
}

/** Each half says of its own slots what it holds; a slot that it lacks is one without a vote. */
function divideAnswer<T extends { readonly slot: number }>(
  answer: Extract<Message, { type: "votes" | "entries" }>,
  items: readonly T[],
  withItems: (items: readonly T[]) => Message,
): readonly Message[] | null {
  const second = items[Math.ceil(items.length / 2)];
  const parts = halves(items, withItems as (items: readonly T[]) => typeof answer);
  if (parts === null || second === undefined) return null;
  const [low, high] = parts as [typeof answer, typeof answer];
  return [
    { ...low, to: second.slot },
    { ...high, from: second.slot },
  ];
}

function shortenBasis(basis: Extract<Message, { type: "basis" }>): readonly Message[] | null {
  const slots = basis.promises.flatMap(({ votes }) => votes.map(({ slot }) => slot));
  if (slots.length === 0) return null;
  const cutAt = slots.sort((a, b) => a - b)[Math.floor(slots.length / 2)] as number;
  const promises = basis.promises.map((promise) => ({
    ...promise,
    votes: promise.votes.filter(({ slot }) => slot < cutAt),
  }));
  return [{ ...basis, cutAt, promises }];
}
