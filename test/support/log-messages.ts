/** Messages of the log, written short, for the tests of proposer and learner. */
import type { Ballot } from "../../src/paxos/ballot.js";
import { digest } from "../../src/paxos/digest.js";
import type {
  Accept,
  Accepted,
  ChosenRange,
  Promise1b,
  SlotVote,
  Votes,
} from "../../src/paxos/wire/messages.js";

/** The ballot of a round; of two owners, q is higher than p. */
export function at(round: number, owner = "p"): Ballot {
  return { round, owner };
}

/** The bytes of a text. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A vote in a slot for a text. */
export function voted(slot: number, ballot: Ballot, text: string): SlotVote {
  return { slot, ballot, digest: digest(bytes(text)), value: bytes(text) };
}

/** A promise in one part, unless told otherwise. */
export function promised(ballot: Ballot, rest: Partial<Promise1b> = {}): Promise1b {
  const part = { answer: 0, part: 0, parts: 1, trimmed: 0, chosenWatermark: 0, votes: [] };
  return { type: "promise", ballot, ...part, ...rest };
}

/** Votes of one acceptor for these texts, in the slots from `first` on. */
export function accepted(ballot: Ballot, first: number, ...texts: readonly string[]): Accepted {
  const votes = texts.map((text, index) => ({ slot: first + index, digest: digest(bytes(text)) }));
  return { type: "accepted", ballot, votes };
}

/** An accept of these texts. */
export function accept(
  ballot: Ballot,
  firstSlot: number,
  texts: readonly string[],
  rest: Partial<Accept> = {},
): Accept {
  const values = texts.map(bytes);
  const digests = values.map((value) => digest(value));
  const told = { chosenWatermark: 0, chosen: [], ...rest };
  return { type: "accept", ballot, firstSlot, digests, values, ...told };
}

/** An announcement. */
export function chosen(ballot: Ballot, from: number, to = from + 1): ChosenRange {
  return { ballot, from, to, syncedBy: ["a0", "a1"] };
}

/** An acceptor's answer to a repair. */
export function report(from: number, to: number, ...votes: readonly SlotVote[]): Votes {
  return { type: "votes", from, to, trimmed: 0, votes };
}
