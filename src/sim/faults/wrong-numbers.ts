/**
 * Wrong numbers: a message whose watermark or round was changed on its way, as by a flipped bit
 * that no checksum sees, or by a liar under a listed name. No role may believe it.
 */
import type { SeededRandom } from "../../adapters/memory/random.js";
import type { Ballot } from "../../paxos/ballot.js";
import type { Message } from "../../paxos/wire/messages.js";
import { chance, pick } from "../plan/setup.js";

/** A message with one wrong number, and what was changed in it. */
export interface WrongNumber {
  readonly message: Message;
  readonly what: "watermark" | "round";
}

/** Verbs that carry a watermark or a round which their receivers might believe. */
export const NUMBERED: ReadonlySet<string> = new Set([
  "accept",
  "beacon",
  "key-nack",
  "last-heard",
  "nack",
  "promise",
]);

/** Changes one number of a message. @returns null if it has none to change */
export function withWrongNumber(message: Message, random: SeededRandom): WrongNumber | null {
  switch (message.type) {
    case "accept":
    case "promise":
      return wrongWatermark(message, random);
    case "beacon":
      if (chance(random, 0.5)) return wrongWatermark(message, random);
      return { message: { ...message, ballot: wrongRound(message.ballot, random) }, what: "round" };
    case "last-heard":
      if (message.promised === null || chance(random, 0.5)) return wrongWatermark(message, random);
      return wrongPromise(message, message.promised, random);
    case "nack":
    case "key-nack":
      return message.promised === null ? null : wrongPromise(message, message.promised, random);
    default:
      return null;
  }
}

type Marked = Extract<Message, { readonly chosenWatermark: number }>;

function wrongWatermark(message: Marked, random: SeededRandom): WrongNumber {
  const chosenWatermark = flip(message.chosenWatermark, random);
  // What no shape allows is dropped where it arrives, and shows nothing.
  if (message.type === "promise") {
    const votes = message.votes.filter(({ slot }) => slot >= chosenWatermark);
    const trimmed = Math.min(message.trimmed, chosenWatermark);
    return { message: { ...message, chosenWatermark, votes, trimmed }, what: "watermark" };
  }
  return { message: { ...message, chosenWatermark } as Message, what: "watermark" };
}

function wrongPromise<M extends Message>(
  message: M,
  promised: Ballot,
  random: SeededRandom,
): WrongNumber {
  const changed = { ...message, promised: wrongRound(promised, random) };
  return { message: changed as Message, what: "round" };
}

/** A round that is too high: a flipped bit, or the highest there is. */
function wrongRound(ballot: Ballot, random: SeededRandom): Ballot {
  return { ...ballot, round: Math.max(ballot.round, flip(ballot.round, random)) };
}

/** Turns over one of the 53 bits, mostly a low one; or takes the highest number there is. */
function flip(number: number, random: SeededRandom): number {
  if (chance(random, 0.1)) return Number.MAX_SAFE_INTEGER;
  const bit = 2 ** pick(random, [0, 1, 2, 3, 4, 5, 6, 10, 20, 40, 52]);
  const isSet = Math.floor(number / bit) % 2 === 1;
  return isSet ? number - bit : number + bit;
}
