/**
 * Messages for tests: an arbitrary of every verb.
 *
 * What comes out is always well formed: digests are those of their values, ranges are not empty,
 * numbers follow each other. Mutations are the business of the tests.
 */
import fc from "fast-check";
import type { Ballot } from "../../src/paxos/ballot.js";
import { BODY_TYPES } from "../../src/paxos/command.js";
import { digest } from "../../src/paxos/digest.js";
import {
  type ChosenEntry,
  type ChosenRange,
  type MessageOf,
  type Outcome,
  ROLES,
  type RoleName,
  type Sender,
  type SlotVote,
  type Verb,
  type Vote,
} from "../../src/paxos/wire/messages.js";

export { exampleMessages } from "./examples.js";

type Arbitrary<T> = fc.Arbitrary<T>;

/** Objects like any other: fast-check's own may lack a prototype. */
const record = <T>(model: { [K in keyof T]: Arbitrary<T[K]> }): Arbitrary<T> =>
  fc.record<T>(model, { noNullPrototype: true }) as Arbitrary<T>;

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const hex = (digits: number): Arbitrary<string> =>
  fc.uint8Array({ minLength: digits / 2, maxLength: digits / 2 }).map(hexOf);

/** Small integers, the borders of the encodings, and the largest. */
const whole = (min: number): Arbitrary<number> =>
  fc.oneof(
    fc.integer({ min, max: 300 }),
    fc.constantFrom(0xffff, 0x10000, 0xffffffff, 0x100000000, Number.MAX_SAFE_INTEGER - 1),
    fc.maxSafeNat().map((n) => Math.max(n, min)),
  );

const idUnit = fc.constantFrom(..."abcxyz0189_-");
const id = fc.string({ unit: idUnit, minLength: 1, maxLength: 32 });
const ids = fc.array(id, { maxLength: 4 });
const slot = whole(0);
const amount = fc.oneof(whole(0), fc.double({ min: 0, max: 1e9, noNaN: true }).map(Math.abs));
const bytes = (minLength = 0): Arbitrary<Uint8Array> => fc.uint8Array({ minLength, maxLength: 40 });
const orNull = <T>(arbitrary: Arbitrary<T>): Arbitrary<T | null> => fc.option(arbitrary);
/** Any text, byte order marks and all; no half surrogate pairs. */
const text = (minLength: number): Arbitrary<string> =>
  fc.oneof(
    fc.string({ minLength, maxLength: 20 }),
    fc.string({ unit: "binary", minLength, maxLength: 60 }),
    fc.string({ minLength, maxLength: 90 }).map((rest) => `\uFEFF${rest}`),
  );

const ballot: Arbitrary<Ballot> = record({
  round: whole(1),
  owner: fc.tuple(id, hex(16)).map(([proposer, nonce]) => `${proposer}.${nonce}`),
});

const named = (value: Uint8Array) => ({ digest: digest(value), value });
const vote: Arbitrary<Vote> = fc
  .tuple(ballot, bytes())
  .map(([at, value]) => ({ ballot: at, ...named(value) }));

/** [from, to) with from < to. */
const range = fc
  .tuple(slot, fc.integer({ min: 1, max: 200 }))
  .map(([low, size]) => ({ from: Math.max(0, low - size), to: Math.max(low, size) }));
const ranges: Arbitrary<ChosenRange[]> = fc.array(
  fc.tuple(range, ballot, ids).map(([span, at, syncedBy]) => ({ ballot: at, ...span, syncedBy })),
  { maxLength: 3 },
);

const slotVotes = (from: number, to: number): Arbitrary<SlotVote[]> =>
  fc.array(
    fc
      .tuple(fc.integer({ min: from, max: to - 1 }), ballot, bytes(1))
      .map(([at, voted, value]) => ({ slot: at, ballot: voted, ...named(value) })),
    { maxLength: 3 },
  );
const entries = (from: number, to: number): Arbitrary<ChosenEntry[]> =>
  fc.array(
    record({
      slot: fc.integer({ min: from, max: to - 1 }),
      ballot,
      value: bytes(1),
      syncedBy: ids,
    }),
    { maxLength: 3 },
  );

const session = hex(32);
const number = whole(1);
const outcome: Arbitrary<Outcome> = fc.oneof(
  record({
    kind: fc.constant("done" as const),
    session,
    number,
    position: number,
    slot,
    ballot,
    syncedBy: ids,
  }),
  record({ kind: fc.constant("opened" as const), session, openedIn: slot }),
  record({ kind: fc.constant("early" as const), session, number, expected: number }),
  record({ kind: fc.constant("expired" as const), session, number, last: orNull(whole(0)) }),
  record({ kind: fc.constant("ended" as const), session, number }),
);

const requests = fc
  .tuple(
    fc.nat(1e6),
    fc.nat(5),
    fc.array(
      record({
        id: text(0),
        valueType: fc.constantFrom(...BODY_TYPES),
        body: bytes(),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  )
  .map(([answeredBelow, gap, bodies]) => ({
    answeredBelow,
    requests: bodies.map((body, i) => ({ number: answeredBelow + gap + i + 1, ...body })),
  }));

const openings = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.nat(1000)), { maxLength: 32 })
  .map((steps) => {
    let incarnation = 0;
    let writeNumber = 0;
    return steps.map(([more, writes]) => {
      incarnation += more;
      writeNumber += writes;
      return { incarnation, writeNumber };
    });
  });

/** The fields of a verb's message, without its type. */
type Fields<V extends Verb> = { [K in Exclude<keyof MessageOf<V>, "type">]: MessageOf<V>[K] };

const nackReason = fc.constantFrom<MessageOf<"nack">["reason"]>(
  ...(["stale", "round_jump", "too_many", "second_digest", "trimmed"] as const),
);
const key = text(1);
const digests = bytes().map(digest);
const bodyType = fc.constantFrom(...BODY_TYPES);
const promised = orNull(ballot);

const promise: Arbitrary<Fields<"promise">> = fc
  .tuple(ballot, whole(0), fc.nat(9), fc.integer({ min: 1, max: 9 }), fc.nat(1e6), fc.nat(99))
  .chain(([at, answer, part, more, trimmed, kept]) =>
    slotVotes(trimmed + kept, trimmed + kept + 100).map((votes) => ({
      ballot: at,
      answer,
      part,
      parts: part + more,
      trimmed,
      chosenWatermark: trimmed + kept,
      votes,
    })),
  );

const accept: Arbitrary<Fields<"accept">> = fc
  .tuple(ballot, slot, fc.array(bytes(1), { minLength: 1, maxLength: 4 }), slot, ranges)
  .map(([at, first, values, chosenWatermark, chosen]) => ({
    ballot: at,
    firstSlot: Math.min(first, Number.MAX_SAFE_INTEGER - values.length),
    digests: values.map(digest),
    values,
    chosenWatermark,
    chosen,
  }));

const basis: Arbitrary<Fields<"basis">> = fc
  .tuple(ballot, fc.nat(1e6), orNull(fc.nat(50)))
  .chain(([at, start, kept]) => {
    const votes = fc
      .array(fc.tuple(fc.nat(99), ballot, digests), { maxLength: kept === 0 ? 0 : 4 })
      .map((all) =>
        all.map(([above, low, of]) => {
          return { slot: start + (above % (kept ?? 99)), ballot: low, digest: of };
        }),
      );
    const promises = fc.array(
      record({ acceptor: id, incarnation: number, answer: whole(0), chosenWatermark: slot, votes }),
      { minLength: 1, maxLength: 3 },
    );
    const cutAt = kept === null ? null : start + kept;
    return promises.map((held) => ({ ballot: at, start, cutAt, promises: held }));
  });

const fields: { readonly [V in Verb]: Arbitrary<Fields<V>> } = {
  "key-prepare": record({ key, ballot }),
  "key-promise": record({ key, ballot, vote: orNull(vote) }),
  "key-accept": fc.tuple(key, vote).map(([name, cast]) => ({ key: name, ...cast })),
  "key-accepted": record({ key, ballot, digest: digests }),
  "key-nack": record({ key, ballot, promised, reason: nackReason }),
  "key-chosen": fc
    .tuple(key, vote, ids)
    .map(([name, cast, syncedBy]) => ({ key: name, ...cast, syncedBy })),
  decide: record({ key, value: orNull(bytes()), valueType: bodyType, reply: text(0) }),
  prepare: record({ ballot, fromSlot: slot }),
  promise,
  accept,
  accepted: record({
    ballot,
    votes: fc.array(record({ slot, digest: digests }), { maxLength: 4 }),
  }),
  nack: record({ ballot, promised, slot: orNull(slot), reason: nackReason }),
  chosen: record({ ranges }),
  beacon: record({
    ballot,
    nextSlot: slot,
    chosenWatermark: slot,
    creditBytes: slot,
    payloadBytesMax: fc.option(slot),
    gateway: orNull(id),
  }),
  basis,
  "ask-basis": record({ ballot }),
  repair: fc.tuple(range, whole(1)).map(([span, bytesMax]) => ({ ...span, bytesMax })),
  votes: fc
    .tuple(range, slot)
    .chain(([span, trimmed]) =>
      slotVotes(span.from, span.to).map((votes) => ({ ...span, trimmed, votes })),
    ),
  entries: fc
    .tuple(range, slot)
    .chain(([span, trimmed]) =>
      entries(span.from, span.to).map((chosen) => ({ ...span, trimmed, entries: chosen })),
    ),
  hint: record({ candidate: id, suspects: orNull(ballot) }),
  "ask-leader": record({ question: whole(0) }),
  "last-heard": record({
    question: whole(0),
    promised,
    agoMs: orNull(amount),
    chosenWatermark: slot,
  }),
  propose: record({ commands: fc.array(bytes(1), { minLength: 1, maxLength: 4 }) }),
  follow: record({ learner: orNull(id) }),
  outcomes: record({
    learner: id,
    appliedWatermark: slot,
    outcomes: fc.array(outcome, { maxLength: 5 }),
  }),
  "end-session": record({ session, answeredBelow: number, number, openedIn: slot }),
  "open-session": record({ session, fresh: fc.boolean() }),
  "session-opened": record({ session, openedIn: orNull(slot), leaderGateway: orNull(id) }),
  request: fc
    .tuple(session, requests, orNull(slot))
    .map(([opened, sent, openedIn]) => ({ session: opened, ...sent, openedIn })),
  results: record({
    session,
    results: fc.array(record({ number, position: number, slot, ballot, syncedBy: ids }), {
      maxLength: 3,
    }),
    leaderGateway: orNull(id),
  }),
  refused: record({
    session,
    fromNumber: number,
    code: fc.constantFrom(...(["overloaded", "session_expired", "too_large", "stopped"] as const)),
    retryAfterMs: amount,
    bytesMax: fc.option(slot),
    mayHaveHappened: fc.boolean(),
    last: orNull(whole(0)),
  }),
  hello: record({ openings }),
  objection: record({
    reason: fc.constantFrom(...(["older_copy", "name_in_use"] as const)),
    incarnation: whole(0),
    writeNumber: whole(0),
  }),
};

/** Every verb. */
export const VERBS = Object.keys(fields) as readonly Verb[];

/** Any message of the verb. */
export function messageArbitrary<V extends Verb>(type: V): Arbitrary<MessageOf<V>> {
  const all = fields[type] as Arbitrary<object>;
  return all.map((body) => ({ type, ...body }) as unknown as MessageOf<V>);
}

/** Any sender. */
export const senderArbitrary: Arbitrary<Sender> = record({
  role: fc.constantFrom<RoleName>(...ROLES),
  id,
  storeId: orNull(hex(32)),
  incarnation: whole(0),
  writeNumber: whole(0),
  process: hex(16),
});
