/**
 * Goal: histories of log, lock, decide and propose known to be good are accepted, and those known
 * to be bad are refused.
 * Method: a few calls each, as ⟨begin, end, asked, told⟩; a call of `info` has no end.
 */
import type { HistoryOperations } from "../../src/judge/format.js";
import { judge } from "./known.js";
import { info, ok } from "./telling.js";

type Log = HistoryOperations["log"];
const add = (value: string): Log => ({ op: "append", key: "l", value });
const read = (index: number): Log => ({ op: "read", key: "l", index });
const len: Log = { op: "len", key: "l" };
const list: Log = { op: "list", key: "l" };

judge<"log">("log", {
  model: "log",
  good: {
    "appends and looks": [
      ...[ok(1, 2, len, 0), ok(3, 4, add("a"), 1), ok(5, 6, add("b"), 2), ok(7, 8, len, 2)],
      ...[ok(9, 10, read(1), "a"), ok(11, 12, read(3), null), ok(13, 14, list, ["a", "b"])],
    ],
    "an append that was never answered, found where there was room": [
      ...[info(1, add("a")), ok(2, 3, add("b"), 1), ok(4, 5, len, 1), ok(6, 7, add("c"), 3)],
      ok(8, 9, read(2), "a"),
    ],
    "a gap that one of many unanswered appends fills": [
      ...[1, 2, 3, 4, 5, 6, 7, 8].map((i) => info(i, add(`u${i}`))),
      ...[ok(10, 11, add("a"), 1), ok(12, 13, add("b"), 4), ok(14, 15, read(2), "u7")],
    ],
  },
  bad: {
    "an index twice": [ok(1, 4, add("a"), 1), ok(2, 3, add("b"), 1)],
    "a gap that nobody can have filled": [ok(1, 2, add("a"), 1), ok(3, 4, add("b"), 3)],
    "a gap filled by an append that began later": [
      ...[ok(1, 2, add("a"), 1), ok(3, 4, add("b"), 3), info(5, add("c"))],
    ],
    "a duplicate append": [ok(1, 2, add("a"), 1), ok(3, 4, list, ["a", "a"])],
    "an append never answered that is there twice": [
      ...[info(1, add("a")), ok(2, 3, read(1), "a"), ok(4, 5, read(2), "a")],
    ],
    "an entry that changed": [
      ...[ok(1, 4, add("a"), 1), ok(2, 3, read(1), "b"), ok(5, 6, add("b"), 2)],
    ],
    "an entry lost": [ok(1, 2, add("a"), 1), ok(3, 4, list, [])],
    "a length of before": [ok(1, 2, add("a"), 1), ok(3, 4, len, 0)],
    "a read of before": [ok(1, 2, add("a"), 1), ok(3, 4, read(1), null)],
    "order against time": [ok(1, 2, add("a"), 2), ok(3, 4, add("b"), 1)],
  },
});

judge<"log">("log from 0", {
  model: "log",
  header: { base: 0 },
  good: { "the first entry": [ok(1, 2, add("a"), 0), ok(3, 4, read(0), "a")] },
  bad: { "no first entry": [ok(1, 2, add("a"), 1)] },
});

type Lock = HistoryOperations["lock"];
const acquire = (owner: string): Lock => ({ op: "acquire", key: "l", owner });
const release = (owner: string, token?: number): Lock =>
  token === undefined
    ? { op: "release", key: "l", owner }
    : { op: "release", key: "l", owner, token };
const won = (token: number) => ({ ok: true, token });

judge<"lock">("lock", {
  model: "lock",
  good: {
    "one after another": [
      ...[ok(1, 2, acquire("a"), won(3)), ok(3, 4, acquire("b"), { ok: false })],
      ...[ok(5, 6, release("a", 3), true), ok(7, 8, acquire("b"), won(9))],
    ],
    "released while asked for": [
      ...[ok(1, 2, acquire("a"), won(3)), ok(3, 6, release("a"), true)],
      ok(4, 5, acquire("b"), won(4)),
    ],
    "an acquire that was never answered keeps others out": [
      ...[info(1, acquire("a")), ok(2, 3, acquire("b"), { ok: false })],
      ...[ok(4, 5, release("a"), true), ok(6, 7, acquire("b"), won(2))],
    ],
    "a release that was never answered": [
      ...[ok(1, 2, acquire("a"), won(3)), info(3, release("a")), ok(4, 5, acquire("b"), won(5))],
    ],
    "one of two unanswered acquires that kept others out, the other came later": [
      ...[info(1, acquire("a")), info(2, acquire("b")), ok(3, 4, acquire("c"), { ok: false })],
      ...[info(5, release("a")), info(6, release("b")), ok(7, 8, acquire("c"), won(4))],
      ...[ok(9, 10, release("c"), true), ok(11, 12, release("a"), true)],
    ],
    "nothing to release": [ok(1, 2, release("a"), false)],
    "another one's to release": [ok(1, 2, acquire("a"), won(1)), ok(3, 4, release("b"), false)],
    "an old token": [ok(1, 2, acquire("a"), won(5)), ok(3, 4, release("a", 4), false)],
  },
  bad: {
    "held twice": [ok(1, 2, acquire("a"), won(1)), ok(3, 4, acquire("b"), won(2))],
    "held twice by one": [ok(1, 2, acquire("a"), won(1)), ok(3, 4, acquire("a"), won(2))],
    "a token that goes back": [
      ...[ok(1, 2, acquire("a"), won(5)), ok(3, 4, release("a"), true)],
      ok(5, 6, acquire("b"), won(4)),
    ],
    "a token twice": [
      ...[ok(1, 2, acquire("a"), won(5)), ok(3, 4, release("a"), true)],
      ok(5, 6, acquire("b"), won(5)),
    ],
    "refused though it was free": [ok(1, 2, acquire("a"), { ok: false })],
    "released by another": [ok(1, 2, acquire("a"), won(1)), ok(3, 4, release("b"), true)],
    "released twice": [
      ...[ok(1, 2, acquire("a"), won(1)), ok(3, 6, release("a"), true)],
      ok(4, 5, release("a"), true),
    ],
    "lost without a lease": [ok(1, 2, acquire("a"), won(1)), ok(3, 4, release("a"), false)],
    "an acquire never answered that held it twice": [
      ...[info(1, acquire("a")), ok(2, 3, release("a"), true), ok(4, 5, release("a"), true)],
    ],
  },
});

judge<"lock">("lock with a lease", {
  model: "lock",
  header: { lease: true },
  good: {
    "lost and held by another": [
      ...[ok(1, 2, acquire("a"), won(1)), ok(3, 4, acquire("b"), won(2))],
      ok(5, 6, release("a"), false),
    ],
    "lost and free": [ok(1, 2, acquire("a"), won(1)), ok(3, 4, release("a"), false)],
  },
  bad: {
    "a token that goes back": [ok(1, 2, acquire("a"), won(2)), ok(3, 4, acquire("b"), won(1))],
    "lost, and released": [
      ...[ok(1, 2, acquire("a"), won(1)), ok(3, 4, acquire("b"), won(2))],
      ok(5, 6, release("a"), true),
    ],
    "found lost, and keeps others out": [
      ...[ok(1, 2, acquire("a"), won(1)), ok(3, 4, release("a"), false)],
      ok(5, 6, acquire("b"), { ok: false }),
    ],
  },
});

type Decide = HistoryOperations["decide"];
const decide = (value: string, key = "k"): Decide => ({ op: "decide", key, value });
const ask: Decide = { op: "get", key: "k" };

judge<"decide">("decide", {
  model: "decide",
  good: {
    "the first wins": [ok(1, 2, decide("a"), "a"), ok(3, 4, decide("b"), "a"), ok(5, 6, ask, "a")],
    "any of two at once": [ok(1, 4, decide("a"), "b"), ok(2, 3, decide("b"), "b")],
    "a wish that was never answered wins later": [
      ...[info(1, decide("a")), ok(2, 3, ask, null), ok(4, 5, decide("b"), "a")],
    ],
    "keys apart": [ok(1, 2, decide("a", "k1"), "a"), ok(3, 4, decide("b", "k2"), "b")],
  },
  bad: {
    "two values": [ok(1, 4, decide("a"), "a"), ok(2, 3, decide("b"), "b")],
    "a value that nobody wished for": [ok(1, 2, decide("a"), "b")],
    "a value wished for later": [ok(1, 2, decide("a"), "b"), ok(3, 4, decide("b"), "b")],
    "undecided again": [ok(1, 2, decide("a"), "a"), ok(3, 4, ask, null)],
    "two gets, two values": [
      ...[info(1, decide("a")), info(2, decide("b")), ok(3, 4, ask, "a"), ok(5, 6, ask, "b")],
    ],
    "nothing, though it had been told": [
      ...[ok(1, 9, decide("a"), "a"), ok(2, 3, ask, "a"), ok(4, 5, ask, null)],
    ],
  },
});

judge<"decide">("decide, decided before", {
  model: "decide",
  header: { init: { k: "z" } },
  good: { "what it began with": [ok(1, 2, decide("a"), "z"), ok(3, 4, ask, "z")] },
  bad: { "another value": [ok(1, 2, decide("a"), "a")] },
});

type Propose = HistoryOperations["propose"];
const propose = (value: string): Propose => ({ op: "propose", value });
const at = (position: number, slot = position - 1) => ({ position, slot });

judge<"propose">("propose", {
  model: "propose",
  good: {
    "in order, slots skipped": [ok(1, 2, propose("a"), at(1)), ok(3, 4, propose("b"), at(2, 9))],
    "in any order at once": [ok(1, 4, propose("a"), at(2)), ok(2, 3, propose("b"), at(1))],
    "two in one slot": [ok(1, 2, propose("a"), at(1, 0)), ok(3, 4, propose("b"), at(2, 0))],
    "others' values between": [ok(1, 2, propose("a"), at(4)), ok(3, 4, propose("b"), at(7))],
  },
  bad: {
    "a position twice": [ok(1, 4, propose("a"), at(1)), ok(2, 3, propose("b"), at(1))],
    "against time": [ok(1, 2, propose("a"), at(2)), ok(3, 4, propose("b"), at(1))],
    "slots against positions": [ok(1, 4, propose("a"), at(1, 5)), ok(2, 3, propose("b"), at(2, 4))],
    "position 0": [ok(1, 2, propose("a"), at(0, 0))],
  },
});

judge<"propose">("propose, everything recorded", {
  model: "propose",
  isComplete: true,
  good: {
    "a hole that an unanswered call fills": [
      ...[info(1, propose("u")), ok(2, 3, propose("a"), at(1)), ok(4, 5, propose("b"), at(3))],
    ],
  },
  bad: {
    "a hole": [ok(1, 2, propose("a"), at(1)), ok(3, 4, propose("b"), at(3))],
    "one unanswered call for two holes": [
      ...[info(1, propose("u")), ok(2, 3, propose("a"), at(1)), ok(4, 5, propose("b"), at(4))],
    ],
    "a hole, and an unanswered call that began too late": [
      ...[ok(1, 2, propose("a"), at(1)), ok(3, 4, propose("b"), at(3)), info(5, propose("u"))],
    ],
  },
});
