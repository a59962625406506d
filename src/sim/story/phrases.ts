/** Phrases: each message and record in the paper's words. */
import type { Ballot } from "../../paxos/ballot.js";
import type { Cluster } from "../../paxos/cluster.js";
import type {
  ChosenRange,
  KeyNack,
  Message,
  Nack,
  Outcome,
  Promise1b,
  SlotVote,
} from "../../paxos/wire/messages.js";
import type { StoreRecord } from "../../paxos/wire/record.js";
import { type About, slotsText } from "./happening.js";
import type { Names } from "./names.js";

/** What a message says, and what about. */
export interface Phrase {
  readonly text: string;
  readonly about: About | null;
  /** Said again and again, or of no weight for what is decided. */
  readonly isNoise?: boolean;
}

/** Most slots that one phrase spells out. */
const SLOTS_MAX = 6;
const EVERY_SLOT = Number.MAX_SAFE_INTEGER;

/** Puts messages and records into words. */
export class Phrases {
  readonly names: Names;
  readonly #cluster: Cluster;

  constructor(names: Names, cluster: Cluster) {
    this.names = names;
    this.#cluster = cluster;
  }

  /** Says what a message says. */
  message(message: Message): Phrase {
    if ("key" in message) return this.#ofKey(message);
    switch (message.type) {
      case "prepare":
      case "promise":
      case "accept":
      case "accepted":
      case "nack":
        return this.#ofPhase(message);
      case "chosen":
        return this.#chosen(message.ranges);
      case "beacon":
        return { text: `beacon ${this.names.ballot(message.ballot)}`, about: null, isNoise: true };
      case "basis": {
        const promised = message.promises.map(({ acceptor }) => acceptor).join(" ");
        const text = `basis of ${this.names.ballot(message.ballot)}: ${promised} promised it`;
        return { text, about: null, isNoise: true };
      }
      case "ask-basis": {
        const text = `what does ${this.names.ballot(message.ballot)} rest on?`;
        return { text, about: null, isNoise: true };
      }
      case "repair":
      case "votes":
      case "entries":
        return this.#ofRepair(message);
      case "hint":
      case "ask-leader":
      case "last-heard":
        return { text: this.#ofElection(message), about: null };
      case "hello":
        return { text: "hello: this is my store's history", about: null, isNoise: true };
      case "objection":
        return { text: objection(message.reason), about: null };
      default:
        return this.#ofClients(message);
    }
  }

  /** Says what a record keeps; null for marks, which say only what others may know. */
  record(record: StoreRecord): Phrase | null {
    const { names } = this;
    if (record.kind === "promise") {
      const text = `promise ${names.ballot(record.ballot)}`;
      return { text, about: this.#about(null, [record.ballot], 0, EVERY_SLOT, true) };
    }
    if (record.kind === "vote") {
      const { slot, ballot } = record;
      const text = `vote ${names.ballot(ballot)} ${this.#slot(slot, names.value(record.value))}`;
      return { text, about: this.#about(null, [ballot], slot, slot + 1) };
    }
    if (record.kind === "round") return { text: `round ${record.round}`, about: null };
    if (record.kind !== "key") return null;
    const { key, promised, vote } = record;
    const isVote = vote !== null && vote.ballot.round === promised.round;
    const ballots = vote === null ? [promised] : [promised, vote.ballot];
    const about = this.#about(key, ballots, 0, 1, !isVote);
    const ballot = names.ballot(promised, key);
    if (!isVote || vote.ballot.owner !== promised.owner) {
      return { text: `promise ${ballot} for key ${key}`, about };
    }
    return { text: `vote ${ballot} ⟨${key} = ${names.keyValue(vote.value)}⟩`, about };
  }

  #ofKey(message: Extract<Message, { readonly key: string }>): Phrase {
    const { names } = this;
    const { key } = message;
    if (message.type === "decide") {
      const wish = message.value === null ? `get key ${key}` : `decide key ${key}`;
      return { text: wish, about: this.#about(key, [], 0, 1) };
    }
    const ballot = names.ballot(message.ballot, key);
    const about = this.#about(key, [message.ballot], 0, 1);
    if (message.type === "key-prepare" || message.type === "key-promise") {
      const phase1 = { ...about, isPhase1: true };
      if (message.type === "key-prepare") {
        return { text: `prepare ${ballot} for key ${key}`, about: phase1 };
      }
      const { vote } = message;
      if (vote === null) return { text: `promise ${ballot}: no vote yet`, about: phase1 };
      const voted = `${names.ballot(vote.ballot, key)} ⟨${key} = ${names.keyValue(vote.value)}⟩`;
      const ballots = [...phase1.ballots, names.ballot(vote.ballot, key)];
      return { text: `promise ${ballot}: voted ${voted}`, about: { ...phase1, ballots } };
    }
    if (message.type === "key-nack") return { text: this.#nack(message, key), about };
    const value =
      message.type === "key-accepted"
        ? names.digest(message.digest)
        : names.keyValue(message.value);
    const word = message.type === "key-chosen" ? "chosen" : message.type.slice(4);
    return { text: `${word} ${ballot} ⟨${key} = ${value}⟩`, about };
  }

  #ofPhase(
    message: Extract<Message, { type: "prepare" | "promise" | "accept" | "accepted" | "nack" }>,
  ): Phrase {
    const { names } = this;
    const { ballot } = message;
    const shown = names.ballot(ballot);
    if (message.type === "prepare") {
      const { fromSlot } = message;
      const text = `prepare ${shown} for every slot from ${fromSlot} on`;
      return { text, about: this.#about(null, [ballot], fromSlot, EVERY_SLOT, true) };
    }
    if (message.type === "promise") return this.#promise(message);
    if (message.type === "accept") {
      const { firstSlot, values, chosen } = message;
      const slots = values.map((value, at) => this.#slot(firstSlot + at, names.value(value)));
      const told = chosen.length === 0 ? "" : `; ${this.#chosen(chosen).text}`;
      const text = `accept ${shown} ${list(slots)}${told}`;
      return { text, about: this.#about(null, [ballot], firstSlot, firstSlot + values.length) };
    }
    if (message.type === "accepted") {
      const { votes } = message;
      const slots = votes.map(({ slot, digest }) => this.#slot(slot, names.digest(digest)));
      const at = votes.map(({ slot }) => slot);
      const about = this.#about(null, [ballot], Math.min(...at), Math.max(...at) + 1);
      return { text: `accepted ${shown} ${list(slots)}`, about };
    }
    const slot = message.slot ?? 0;
    const to = message.slot === null ? EVERY_SLOT : slot + 1;
    const about = this.#about(null, [ballot], slot, to, message.slot === null);
    return { text: this.#nack(message, null), about };
  }

  #promise(message: Promise1b): Phrase {
    const { ballot, votes, part, parts, chosenWatermark } = message;
    const which = parts === 1 ? "" : ` (part ${part + 1} of ${parts})`;
    const reported = votes.map((vote) => this.#vote(vote));
    const said = reported.length === 0 ? "no votes" : `voted ${list(reported)}`;
    const below = chosenWatermark === 0 ? "" : `; all below slot ${chosenWatermark} is chosen`;
    const text = `promise ${this.names.ballot(ballot)}${which}: ${said}${below}`;
    const ballots = [ballot, ...votes.map((vote) => vote.ballot)];
    return { text, about: this.#about(null, ballots, 0, EVERY_SLOT, true) };
  }

  #chosen(ranges: readonly ChosenRange[]): Phrase {
    const said = ranges.map(
      ({ ballot, from, to }) => `${slotsText(from, to)} at ${this.names.ballot(ballot)}`,
    );
    const from = Math.min(...ranges.map((range) => range.from));
    const to = Math.max(...ranges.map((range) => range.to));
    const ballots = ranges.map(({ ballot }) => ballot);
    return { text: `chosen: ${list(said)}`, about: this.#about(null, ballots, from, to) };
  }

  #ofRepair(message: Extract<Message, { type: "repair" | "votes" | "entries" }>): Phrase {
    const { from, to } = message;
    const about = this.#about(null, [], from, to);
    if (message.type === "repair") {
      return { text: `repair: what of ${slotsText(from, to)}?`, about };
    }
    if (message.type === "votes") {
      const votes = message.votes.map((vote) => this.#vote(vote));
      return { text: `votes: ${votes.length === 0 ? "none" : list(votes)}`, about };
    }
    const known = message.entries.map(({ slot, value }) =>
      this.#slot(slot, this.names.value(value)),
    );
    return { text: `chosen values: ${known.length === 0 ? "none" : list(known)}`, about };
  }

  #ofElection(message: Extract<Message, { type: "hint" | "ask-leader" | "last-heard" }>): string {
    if (message.type === "hint") return `hint: ${message.candidate} should lead`;
    if (message.type === "ask-leader") return "who has heard the leader?";
    const { agoMs } = message;
    const isSilent = agoMs === null || agoMs >= this.#cluster.limits.silenceMs;
    return isSilent ? "I have not heard a leader" : "I have heard the leader";
  }

  #ofClients(message: Message): Phrase {
    const { names } = this;
    const plain = (text: string, isNoise = false): Phrase => ({ text, about: null, isNoise });
    switch (message.type) {
      case "propose":
        return plain(`propose ⟨${list(message.commands.map((one) => names.command(one)))}⟩`);
      case "follow":
        return plain("follow: tell me the outcomes", true);
      case "outcomes":
        return plain(
          `outcomes: ${list(message.outcomes.map((one) => this.#outcome(one)))}`,
          message.outcomes.length === 0,
        );
      case "open-session":
        return plain(`open ${message.fresh ? "a session" : "my session here"}`);
      case "session-opened":
        return plain("your session is open");
      case "request": {
        const told = message.requests.map(
          ({ number, body }) => `${number} ⟨${new TextDecoder().decode(body)}⟩`,
        );
        return plain(`request ${list(told)}`);
      }
      case "end-session":
        return plain("I ask nothing more: forget my session");
      case "results": {
        const told = message.results.map(
          ({ number, position }) => `request ${number} is at position ${position}`,
        );
        return plain(`results: ${list(told)}`);
      }
      case "refused": {
        const { fromNumber, code, last } = message;
        const lastOne = last === null ? "" : `, ${last} was the last`;
        return plain(`refused from request ${fromNumber} on: ${code}${lastOne}`);
      }
      default:
        return plain(message.type);
    }
  }

  #outcome(outcome: Outcome): string {
    const session = this.names.session(outcome.session);
    if (outcome.kind === "opened") return `${session} is open`;
    const what = `${session} request ${outcome.number}`;
    if (outcome.kind === "done") return `${what} is at position ${outcome.position}`;
    if (outcome.kind === "early") return `${what} is early, ${outcome.expected} is awaited`;
    if (outcome.kind === "ended") return `${session} is ended`;
    return `${what} is ${outcome.kind === "expired" ? "of no session" : "answered already"}`;
  }

  #nack(nack: Nack | KeyNack, key: string | null): string {
    const ballot = this.names.ballot(nack.ballot, key);
    if (nack.reason === "stale") {
      return `nack ${ballot}: ${this.names.ballot(nack.promised, key)} is promised`;
    }
    const slot = "slot" in nack && nack.slot !== null ? ` slot ${nack.slot}` : "";
    return `nack ${ballot}${slot}: ${nack.reason.replace("_", " ")}`;
  }

  #vote(vote: SlotVote): string {
    const ballot = this.names.ballot(vote.ballot);
    return `${ballot} ${this.#slot(vote.slot, this.names.value(vote.value))}`;
  }

  #slot(slot: number, value: string): string {
    return `slot ${slot} ${value}`;
  }

  #about(
    key: string | null,
    ballots: readonly Ballot[],
    from: number,
    to: number,
    isPhase1 = false,
  ): About {
    return { key, from, to, ballots: ballots.map((one) => this.names.ballot(one, key)), isPhase1 };
  }
}

function objection(reason: "older_copy" | "name_in_use"): string {
  return reason === "older_copy"
    ? "objection: I have seen a later life of this store"
    : "objection: another process answers under this name";
}

/** Joins a few; the rest is counted. */
function list(parts: readonly string[]): string {
  const few = parts.slice(0, SLOTS_MAX).join(", ");
  return parts.length <= SLOTS_MAX ? few : `${few} and ${parts.length - SLOTS_MAX} more`;
}
