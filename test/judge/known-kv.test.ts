/**
 * Goal: histories of registers and kv known to be good are accepted, and those known to be bad are
 * refused.
 * Method: a few calls each, as ⟨begin, end, asked, told⟩; a call of `info` has no end.
 */
import type { HistoryOperations } from "../../src/judge/format.js";
import { judge } from "./known.js";
import { info, ok } from "./telling.js";

type Kv = HistoryOperations["kv"];
const get = (key = "x"): Kv => ({ op: "get", key });
const put = (value: string, ifrev?: number): Kv => ({
  op: "put",
  key: "x",
  value,
  ...(ifrev === undefined ? {} : { ifrev }),
});
const putIn = (key: string, value: string): Kv => ({ op: "put", key, value });
const append = (value: string): Kv => ({ op: "append", key: "x", value });
const cas = (expect: string | null, value: string): Kv => ({ op: "cas", key: "x", expect, value });
const del = (ifrev?: number): Kv =>
  ifrev === undefined ? { op: "delete", key: "x" } : { op: "delete", key: "x", ifrev };

judge<"kv">("a register", {
  model: "kv",
  header: { init: { x: "v0" } },
  good: {
    "what it began with": [ok(1, 2, get(), "v0")],
    "a read beside a write that sees it": [ok(1, 4, put("v1")), ok(2, 3, get(), "v1")],
    "a read beside a write that does not": [ok(1, 4, put("v1")), ok(2, 3, get(), "v0")],
    "a write that is never answered and took effect later": [
      ...[info(1, put("v1")), ok(2, 3, get(), "v0"), ok(4, 5, put("v2"))],
      ...[ok(6, 7, get(), "v2"), ok(8, 9, get(), "v1"), ok(10, 11, get(), "v1")],
    ],
    "a write that is never answered and never took effect": [
      ...[info(1, put("v1")), ok(2, 3, get(), "v0"), ok(4, 5, put("v2")), ok(6, 7, get(), "v2")],
    ],
    "a write that failed": [
      { from: 1, to: 2, operation: put("v1"), ending: "fail" },
      ok(3, 4, get(), "v0"),
    ],
    "a cas that found another value than one told before": [
      ...[ok(1, 9, put("v1")), ok(2, 3, cas("v0", "v2"), true), ok(4, 5, cas("v2", "v3"), false)],
    ],
    "a chain of cas": [ok(1, 2, cas("v0", "v1"), true), ok(3, 4, cas("v1", "v2"), true)],
    "a cas that nobody heard of again": [
      ...[info(1, cas("v0", "v1")), ok(2, 3, cas("v0", "v2"), false), ok(4, 5, get(), "v1")],
    ],
  },
  bad: {
    "a stale read": [ok(1, 2, put("v1")), ok(3, 4, get(), "v0")],
    "a value nobody wrote": [ok(1, 2, get(), "v7")],
    "a value written later": [ok(1, 2, get(), "v1"), ok(3, 4, put("v1"))],
    "two reads in opposite orders": [
      ...[ok(1, 20, put("v1")), ok(2, 21, put("v2")), ok(3, 4, get(), "v1")],
      ...[ok(5, 6, get(), "v2"), ok(7, 8, get(), "v1")],
    ],
    "a write that took effect twice, never answered": [
      ...[info(1, put("v1")), ok(2, 3, get(), "v1"), ok(4, 5, put("v2"))],
      ...[ok(6, 7, get(), "v2"), ok(8, 9, get(), "v1")],
    ],
    "a write that failed and is seen": [
      { from: 1, to: 2, operation: put("v1"), ending: "fail" },
      ok(3, 4, get(), "v1"),
    ],
    "a lost update: two cas from one value": [
      ok(1, 4, cas("v0", "v1"), true),
      ok(2, 3, cas("v0", "v2"), true),
    ],
    "a cas that refused what the key held": [ok(1, 2, cas("v0", "v1"), false)],
    "a value that was there and is absent": [ok(1, 2, get(), null)],
  },
});

judge<"kv">("kv: absence, append, delete", {
  model: "kv",
  good: {
    "append to nothing": [ok(1, 2, append("a"), "a"), ok(3, 4, append("b"), "ab")],
    "append that tells nothing": [ok(1, 2, append("a")), ok(3, 4, get(), "a")],
    "append after put": [ok(1, 2, put("p")), ok(3, 4, append("b"), "pb"), ok(5, 6, get(), "pb")],
    "an append that was never answered, seen late": [
      ok(1, 2, append("a"), "a"),
      ...[info(3, append("b")), ok(4, 5, get(), "a"), ok(6, 7, append("c"), "abc")],
    ],
    "delete and create": [
      ...[ok(1, 2, del(), false), ok(3, 4, cas(null, "v1"), true), ok(5, 6, del(), true)],
      ...[ok(7, 8, get(), null), ok(9, 10, put("v2", 0), { ok: true, rev: 9 })],
    ],
    "a delete that was never answered": [
      ...[ok(1, 2, put("v1")), info(3, del()), ok(4, 5, get(), "v1"), ok(6, 7, get(), null)],
    ],
  },
  bad: {
    "a duplicate append": [ok(1, 2, append("a"), "a"), ok(3, 4, get(), "aa")],
    "an append lost": [...[ok(1, 2, append("a")), ok(3, 4, append("b")), ok(5, 6, get(), "b")]],
    "an append never answered that took effect twice": [
      ...[info(1, append("a")), ok(2, 3, get(), "a"), ok(4, 5, append("b"), "aba")],
    ],
    "appends in two orders": [
      ...[ok(1, 9, append("a"), "a"), ok(2, 8, append("b"), "ab"), ok(10, 11, get(), "ba")],
    ],
    "deleted twice": [ok(1, 2, put("v1")), ok(3, 6, del(), true), ok(4, 5, del(), true)],
    "deleted and there": [ok(1, 2, put("v1")), ok(3, 4, del(), true), ok(5, 6, get(), "v1")],
    "nothing to delete, though it was written": [ok(1, 2, put("v1")), ok(3, 4, del(), false)],
    "created twice": [ok(1, 4, cas(null, "v1"), true), ok(2, 3, cas(null, "v2"), true)],
  },
});

judge<"kv">("kv: revisions", {
  model: "kv",
  good: {
    "growing, with others between": [
      ok(1, 2, put("v1"), { rev: 3 }),
      ok(3, 4, putIn("y", "w1"), { rev: 5 }),
      ok(5, 6, get(), { value: "v1", rev: 3 }),
      ok(7, 8, put("v2", 3), { ok: true, rev: 9 }),
      ok(9, 10, put("v3", 3), { ok: false }),
    ],
    "told by whoever sees the value first": [
      ok(1, 2, put("v1")),
      ok(3, 4, get(), { value: "v1", rev: 7 }),
      ok(5, 6, put("v2", 7), { ok: true, rev: 8 }),
    ],
    "in either order where calls overlap": [
      ok(1, 4, put("v1"), { rev: 6 }),
      ok(2, 3, putIn("y", "w1"), { rev: 5 }),
    ],
    "0 is absence": [
      ok(1, 2, put("v1", 4), { ok: false }),
      ok(3, 4, put("v2", 0), { ok: true, rev: 1 }),
      ok(5, 6, del(1), { ok: true }),
      ok(7, 8, put("v3", 0), { ok: true, rev: 4 }),
      ok(9, 10, del(3), { ok: false }),
    ],
    "a get that shows an old value of a key, as of before another key was written": [
      ok(1, 20, put("v1"), { rev: 5 }),
      ok(2, 6, get(), null),
      ok(3, 4, putIn("y", "w1"), { rev: 4 }),
    ],
  },
  bad: {
    "going back on a key": [ok(1, 2, put("v1"), { rev: 5 }), ok(3, 4, put("v2"), { rev: 4 })],
    "going back across keys": [
      ok(1, 2, put("v1"), { rev: 5 }),
      ok(3, 4, putIn("y", "w1"), { rev: 4 }),
    ],
    "the same of two keys": [
      ok(1, 4, put("v1"), { rev: 5 }),
      ok(2, 3, putIn("y", "w1"), { rev: 5 }),
    ],
    "two of one write": [ok(1, 2, put("v1"), { rev: 5 }), ok(3, 4, get(), { value: "v1", rev: 6 })],
    "a condition that did not hold": [
      ok(1, 2, put("v1"), { rev: 5 }),
      ok(3, 4, put("v2", 4), { ok: true, rev: 6 }),
    ],
    "a condition that held and was refused": [
      ok(1, 2, put("v1"), { rev: 5 }),
      ok(3, 4, put("v2", 5), { ok: false }),
    ],
    "a delete whose condition did not hold": [
      ok(1, 2, put("v1"), { rev: 5 }),
      ok(3, 4, del(4), { ok: true }),
    ],
    "created though it was there": [
      ok(1, 2, put("v1"), { rev: 5 }),
      ok(3, 4, put("v2", 0), { ok: true, rev: 6 }),
    ],
    // Each key alone has an order.
    "a get of before a write of its key, after a later write of another key was told": [
      ok(1, 20, put("v1"), { rev: 5 }),
      ok(2, 3, putIn("y", "w1"), { rev: 7 }),
      ok(4, 6, get(), null),
    ],
    "a write told by a get, asked for after a greater one was told": [
      ok(1, 2, putIn("y", "w1"), { rev: 7 }),
      info(3, put("v1")),
      ok(4, 5, get(), { value: "v1", rev: 6 }),
    ],
  },
});
