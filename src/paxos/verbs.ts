/** Rules about verbs: who may send one, which may overtake the disk, which are judged together. */
import { type Message, ROLES, type RoleName, type Verb } from "./messages.js";

/**
 * Messages that state nothing the sender remembers: they need not wait for its disk. Everything
 * else does (README of src/actor).
 */
export const STATELESS_VERBS: ReadonlySet<Verb> = new Set<Verb>([
  "ask-leader",
  "beacon",
  "hello",
  "hint",
  "objection",
  "propose",
  "repair",
]);

/** Which role may send a verb; anything else is refused and counted. */
export const SENDERS: Readonly<Record<Verb, readonly RoleName[]>> = {
  "key-prepare": ["synod-proposer"],
  "key-promise": ["acceptor"],
  "key-accept": ["synod-proposer"],
  "key-accepted": ["acceptor"],
  "key-nack": ["acceptor"],
  "key-chosen": ["synod-proposer", "learner"],
  decide: ["session"],
  prepare: ["proposer"],
  promise: ["acceptor"],
  accept: ["proposer"],
  accepted: ["acceptor"],
  nack: ["acceptor"],
  chosen: ["proposer", "learner"],
  beacon: ["proposer"],
  basis: ["proposer"],
  "ask-basis": ["learner"],
  repair: ["learner"],
  votes: ["acceptor"],
  entries: ["learner"],
  hint: ["elector"],
  "ask-leader": ["proposer"],
  "last-heard": ["acceptor"],
  propose: ["gateway"],
  follow: ["gateway"],
  outcomes: ["learner"],
  "open-session": ["session"],
  "session-opened": ["gateway"],
  request: ["session"],
  "end-session": ["session"],
  results: ["gateway"],
  refused: ["gateway"],
  hello: ["acceptor"],
  objection: ROLES,
};

/** Roles whose members the descriptor lists with their stores: nobody else may speak as one. */
export const LISTED_ROLES: ReadonlySet<RoleName> = new Set<RoleName>(["acceptor", "proposer"]);

/**
 * Says what a message shares with those it may be judged together with: messages of one verb and
 * one such key become one event. Null: judged alone.
 */
export function batchKey(message: Message): string | null {
  switch (message.type) {
    case "accept":
    case "accepted":
      return `${message.ballot.round}.${message.ballot.owner}`;
    case "propose":
    case "chosen":
    case "outcomes":
    case "request":
    case "results":
    case "votes":
    case "entries":
      return "";
    default:
      return null;
  }
}
