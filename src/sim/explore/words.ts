/** Messages, records and sentences of a small world in few words. */

import { formatBallot } from "../../paxos/ballot.js";
import { ANSWERS_PER_LIFE } from "../../paxos/consensus/acceptor.js";
import { digest } from "../../paxos/digest.js";
import { NOOP } from "../../paxos/value.js";
import type { Message, Vote } from "../../paxos/wire/messages.js";
import type { StoreRecord } from "../../paxos/wire/record.js";
import type { World } from "./world.js";

/** Puts the names of values for their digests, and drops the digits of a first start. */
export function readable(world: World, text: string): string {
  let made = text.replaceAll(digest(NOOP), "no-op");
  for (const [name, wish] of world.wishes) made = made.replaceAll(name, wish);
  return made
    .replaceAll(/(\d+\.[a-z]\d+)\.0{15}[01]\b/g, "$1")
    .replaceAll(/(\d+\.[a-z]\d+)\.0{15}([2-9])\b/g, "$1 (start $2)");
}

function voteText(vote: Pick<Vote, "ballot" | "digest"> | null): string {
  return vote === null ? "no vote" : `vote ⟨${formatBallot(vote.ballot)}, ${vote.digest}⟩`;
}

/** Writes a record in few words. */
export function recordText(record: StoreRecord): string {
  switch (record.kind) {
    case "promise":
      return `promise ${formatBallot(record.ballot)}`;
    case "vote":
      return `in slot ${record.slot} ${voteText(record)}`;
    case "marks":
      return `marks (chosen below ${record.chosenWatermark})`;
    case "key":
      return `promise ${formatBallot(record.promised)}, ${voteText(record.vote)}`;
    case "round":
      return `round ${record.round}`;
  }
}

/** Writes a message in few words. */
export function messageText(message: Message): string {
  if (!("ballot" in message) || message.ballot === null) return plainText(message);
  return `${message.type} ${formatBallot(message.ballot)}${detailText(message)}`;
}

function plainText(message: Message): string {
  if (message.type === "ask-leader") return `ask-leader ${message.question}`;
  if (message.type !== "last-heard") return message.type;
  const { question, promised, chosenWatermark } = message;
  const highest = promised === null ? "nothing" : formatBallot(promised);
  return `last-heard ${question} (promised ${highest}, chosen below ${chosenWatermark})`;
}

function detailText(message: Message): string {
  switch (message.type) {
    case "key-promise":
      return ` (${voteText(message.vote)})`;
    case "key-accept":
    case "key-accepted":
    case "key-chosen":
      return ` ${message.digest}`;
    case "key-nack":
    case "nack":
      return message.promised === null ? "" : ` (promised ${formatBallot(message.promised)})`;
    case "prepare":
      return ` from slot ${message.fromSlot}`;
    case "promise": {
      const votes = message.votes.map((vote) => `slot ${vote.slot} ${voteText(vote)}`);
      const { answer, part, parts, chosenWatermark } = message;
      const life = Math.floor(answer / ANSWERS_PER_LIFE);
      const name = `answer ${answer % ANSWERS_PER_LIFE} of life ${life}`;
      const which = parts === 1 ? "" : `, part ${part + 1} of ${parts} of ${name}`;
      return `${which} (${votes.join(", ") || "no votes"}; chosen below ${chosenWatermark})`;
    }
    case "accept": {
      const { digests, firstSlot } = message;
      return ` ${digests.map((digest, at) => `slot ${firstSlot + at} ${digest}`).join(", ")}`;
    }
    case "accepted":
      return ` ${message.votes.map(({ slot, digest }) => `slot ${slot} ${digest}`).join(", ")}`;
    case "beacon":
      return ` (chosen below ${message.chosenWatermark})`;
    default:
      return "";
  }
}
