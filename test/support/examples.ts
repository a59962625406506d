/**
 * A cluster, and one message of every verb with its sender, written out. The golden file holds
 * their bytes, so a change here is a change there.
 */
import type { Ballot } from "../../src/paxos/ballot.js";
import type { Cluster } from "../../src/paxos/cluster.js";
import { digest } from "../../src/paxos/digest.js";
import { DEFAULT_LIMITS } from "../../src/paxos/limits.js";
import type {
  ChosenRange,
  MessageOf,
  RoleName,
  Sender,
  Verb,
} from "../../src/paxos/wire/messages.js";

type Some = Partial<{ [V in Verb]: MessageOf<V> }>;

const named = (value: Uint8Array) => ({ digest: digest(value), value });
const high: Ballot = { round: 17, owner: "p2.0123456789abcdef" };
const low: Ballot = { round: 2 ** 33, owner: "p1.fedcba9876543210" };
const ping = named(Uint8Array.of(1, 2, 3, 250));
const noop = named(Uint8Array.of(2));
const lock = "Schloß";
const ours = "00112233445566778899aabbccddeeff";
const chosenThen: ChosenRange = { ballot: high, from: 7, to: 9, syncedBy: ["a1", "a2"] };

/** One message of every verb, always the same ones. */
export function exampleMessages(): { [V in Verb]: MessageOf<V> } {
  return { ...keyExamples(), ...logExamples(), ...peerExamples(), ...clientExamples() };
}

function keyExamples() {
  return {
    "key-prepare": { type: "key-prepare", key: lock, ballot: high },
    "key-promise": {
      type: "key-promise",
      key: lock,
      ballot: high,
      vote: { ballot: low, ...ping },
    },
    "key-accept": { type: "key-accept", key: lock, ballot: high, ...ping },
    "key-accepted": { type: "key-accepted", key: lock, ballot: high, digest: ping.digest },
    "key-nack": { type: "key-nack", key: lock, ballot: low, promised: high, reason: "stale" },
    "key-chosen": { type: "key-chosen", key: lock, ballot: high, ...ping, syncedBy: ["a1", "a3"] },
    decide: { type: "decide", key: lock, value: ping.value, valueType: "bytes", reply: "r1" },
  } as const satisfies Some;
}

function logExamples() {
  return {
    prepare: { type: "prepare", ballot: high, fromSlot: 2 ** 40 },
    promise: {
      type: "promise",
      ballot: high,
      answer: 3,
      part: 1,
      parts: 2,
      trimmed: 5,
      chosenWatermark: 7,
      votes: [{ slot: 8, ballot: low, ...ping }],
    },
    accept: {
      type: "accept",
      ballot: high,
      firstSlot: 300,
      digests: [ping.digest, noop.digest],
      values: [ping.value, noop.value],
      chosenWatermark: 299,
      chosen: [chosenThen],
    },
    accepted: { type: "accepted", ballot: high, votes: [{ slot: 300, digest: ping.digest }] },
    nack: { type: "nack", ballot: low, promised: high, slot: null, reason: "stale" },
    chosen: { type: "chosen", ranges: [chosenThen] },
    beacon: {
      type: "beacon",
      ballot: high,
      nextSlot: 302,
      chosenWatermark: 300,
      creditBytes: 65_536,
      payloadBytesMax: 1_048_576,
      gateway: "g1",
    },
    basis: {
      type: "basis",
      ballot: high,
      start: 7,
      cutAt: 900,
      promises: [
        {
          acceptor: "a1",
          incarnation: 3,
          answer: 0,
          chosenWatermark: 7,
          votes: [{ slot: 8, ballot: low, digest: ping.digest }],
        },
        { acceptor: "a3", incarnation: 1, answer: 2, chosenWatermark: 5, votes: [] },
      ],
    },
    "ask-basis": { type: "ask-basis", ballot: high },
    repair: { type: "repair", from: 7, to: 9, bytesMax: 524_288 },
    votes: {
      type: "votes",
      from: 7,
      to: 9,
      trimmed: 5,
      votes: [{ slot: 8, ballot: low, ...noop }],
    },
    entries: {
      type: "entries",
      from: 7,
      to: 9,
      trimmed: 5,
      entries: [{ slot: 8, ballot: high, value: ping.value, syncedBy: ["a1", "a3"] }],
    },
  } as const satisfies Some;
}

function peerExamples() {
  return {
    hint: { type: "hint", candidate: "p2", suspects: low },
    "ask-leader": { type: "ask-leader", question: 4 },
    "last-heard": {
      type: "last-heard",
      question: 4,
      promised: null,
      agoMs: 12.5,
      chosenWatermark: 300,
    },
    hello: {
      type: "hello",
      openings: [
        { incarnation: 1, writeNumber: 0 },
        { incarnation: 2, writeNumber: 900 },
      ],
    },
    objection: { type: "objection", reason: "older_copy", incarnation: 3, writeNumber: 1000 },
  } as const satisfies Some;
}

function clientExamples() {
  const done = { number: 6, position: 41, slot: 300, ballot: high, syncedBy: ["a1", "a2"] };
  const body = { valueType: "string", body: ping.value } as const;
  return {
    propose: { type: "propose", commands: [ping.value, noop.value] },
    follow: { type: "follow", learner: null },
    outcomes: {
      type: "outcomes",
      learner: "l1",
      appliedWatermark: 301,
      outcomes: [
        { kind: "done", session: ours, ...done },
        { kind: "opened", session: ours, openedIn: 299 },
        { kind: "early", session: ours, number: 9, expected: 7 },
        { kind: "expired", session: ours, number: 10, last: 7 },
        { kind: "answered", session: ours, number: 2 },
        { kind: "ended", session: ours, number: 11 },
      ],
    },
    "open-session": { type: "open-session", session: ours, fresh: true },
    "session-opened": { type: "session-opened", session: ours, openedIn: 299, leaderGateway: "g1" },
    request: {
      type: "request",
      session: ours,
      answeredBelow: 6,
      requests: [
        { number: 6, id: "order-1", ...body },
        { number: 7, id: "", ...body },
      ],
      openedIn: 299,
    },
    "end-session": {
      type: "end-session",
      session: ours,
      answeredBelow: 6,
      number: 8,
      openedIn: 299,
    },
    results: { type: "results", session: ours, results: [done], leaderGateway: "g1" },
    refused: {
      type: "refused",
      session: ours,
      fromNumber: 8,
      code: "overloaded",
      retryAfterMs: 50,
      bytesMax: null,
      mayHaveHappened: false,
      last: null,
    },
  } as const satisfies Some;
}

/** A cluster of one acceptor and one proposer. */
export function exampleCluster(): Cluster {
  return {
    name: "demo",
    clusterId: "c0ffee00c0ffee00c0ffee00c0ffee00",
    epoch: 3,
    acceptors: [{ id: "a1", storeId: "a1".repeat(16) }],
    proposers: [{ id: "p1", storeId: "b1".repeat(16) }],
    quorums: { kind: "majority" },
    learn: { kind: "leader" },
    limits: DEFAULT_LIMITS,
  };
}

/** Who sends a verb, where it is not a proposer. */
const senderRole: { readonly [V in Verb]?: RoleName } = {
  "key-prepare": "synod-proposer",
  "key-accept": "synod-proposer",
  "key-chosen": "synod-proposer",
  "key-promise": "acceptor",
  "key-accepted": "acceptor",
  "key-nack": "acceptor",
  promise: "acceptor",
  accepted: "acceptor",
  nack: "acceptor",
  votes: "acceptor",
  "last-heard": "acceptor",
  repair: "learner",
  "ask-basis": "learner",
  entries: "learner",
  outcomes: "learner",
  hint: "elector",
  propose: "gateway",
  follow: "gateway",
  decide: "gateway",
  results: "gateway",
  refused: "gateway",
  "session-opened": "gateway",
  "open-session": "session",
  "end-session": "session",
  request: "session",
};

/** A sender of the role that sends the verb. */
export function exampleSender(verb: Verb): Sender {
  const role = senderRole[verb] ?? "proposer";
  const stored = role === "acceptor" || role === "proposer";
  return {
    role,
    id: `${role[0]}1`,
    storeId: stored ? (role === "acceptor" ? "a1" : "b1").repeat(16) : null,
    incarnation: stored ? 3 : 0,
    writeNumber: stored ? 70_000 : 0,
    process: "0011223344556677",
  };
}
