/**
 * Goal: a verdict is worth its word: what is no history is refused with the place, what is too much
 * is said to be undecided, and a violation names the calls that contradict each other.
 * Method: lines written by hand; exact texts.
 */
import { describe, expect, it } from "vitest";
import { checkHistory, type Verdict } from "../../src/judge/check.js";
import { explainVerdict } from "../../src/judge/explain.js";
import { judgeKey } from "../../src/judge/judge.js";
import { kvModel } from "../../src/judge/kv.js";
import { readHistory } from "../../src/judge/read.js";
import type { Violation } from "../../src/judge/violation.js";
import { busy } from "./busy.js";
import { info, ok, tell } from "./telling.js";

const header = (model: string, more = {}) => JSON.stringify({ hist: "hist/1", model, ...more });
const call = (id: number, fields: object) =>
  JSON.stringify({ e: "call", id, client: `c${id}`, t: 10 * id, ...fields });
const end = (id: number, fields: object) =>
  JSON.stringify({ e: "ok", id, t: 10 * id + 5, ...fields });
const put = (id: number, more = {}) => call(id, { op: "put", key: "x", value: `v${id}`, ...more });
const verdict = (...lines: string[]) => checkHistory(`${lines.join("\n")}\n`);
const shown = (found: Verdict) => explainVerdict(found);

describe("what is no history", () => {
  const kv = header("kv");
  const cases: readonly [string, readonly string[], string][] = [
    ["an empty file", [], 'line 1: the first line must be {"hist":"hist/1",…}'],
    ["another format", ['{"hist":"hist/2"}'], 'line 1: the first line must be {"hist":"hist/1",…}'],
    ["an unknown model", [header("map")], "line 1: model must be one of kv, log, lock, decide"],
    ["a start value that is no string", [header("kv", { init: { x: 1 } })], "line 1: init: every"],
    ["start values of a lock", [header("lock", { init: { x: "a" } })], "line 1: init: model lock"],
    ["a base that is no number", [header("log", { base: "0" })], "line 1: base must be"],
    ["a lease that is no flag", [header("lock", { lease: 5 })], "line 1: lease must be true or"],
    ["no JSON", [kv, "hello"], "line 2: no JSON object"],
    ["an empty line", [kv, "", put(1)], "line 2: no JSON object"],
    ["an array", [kv, "[]"], "line 2: no JSON object"],
    ["an unknown event", [kv, '{"e":"begin","id":1,"t":1}'], "line 2: e must be call, ok, fail"],
    ["no id", [kv, '{"e":"call","t":1}'], "line 2: id must be a whole number"],
    ["half a nanosecond", [kv, put(1, { t: 1.5 })], "line 2: t must be whole nanoseconds"],
    ["no client", [kv, put(1, { client: 7 })], "line 2: client must be a string"],
    ["an unknown op", [kv, call(1, { op: "incr" })], 'line 2: model kv has no op "incr"'],
    ["an op of another model", [header("log"), put(1)], 'line 2: model log has no op "put"'],
    ["no key", [kv, put(1, { key: undefined })], "line 2: put: key is missing"],
    ["a value that is no string", [kv, put(1, { value: 5 })], "line 2: put: value must not be 5"],
    ["cas without expect", [kv, put(1, { op: "cas" })], "line 2: cas: expect is missing"],
    ["ifrev −1", [kv, put(1, { ifrev: -1 })], "line 2: put: ifrev must not be -1"],
    ["an id twice", [kv, put(1), put(1, { client: "c" })], "line 3: id 1 was used before"],
    ["two open calls", [kv, put(1), put(2, { client: "c1" })], "line 3: client c1 still waits for"],
    [
      "a name after info",
      [kv, put(1), '{"e":"info","id":1,"t":15,"err":"x"}', put(2, { client: "c1" })],
      "line 4: client c1 goes on after info",
    ],
    ["an end without a call", [kv, end(1, {})], "line 2: call 1 has not begun by then"],
    ["an end before its call", [kv, put(1), end(1, { t: 5 })], "line 3: call 1 has not begun by"],
    ["two ends", [kv, put(1), end(1, {}), end(1, { t: 17 })], "line 4: call 1 has ended already"],
    ["info without why", [kv, put(1), '{"e":"info","id":1,"t":15}'], "line 3: err must be a"],
    [
      "an answer that does not fit",
      [kv, put(1), end(1, { out: true })],
      'line 3: out of put must be nothing or {"rev"}; with ifrev {"ok":true,"rev"} or {"ok":false}',
    ],
    ["ok without rev", [kv, put(1, { ifrev: 0 }), end(1, { out: { ok: true } })], "line 3: out of"],
    ["no answer to get", [kv, call(1, { op: "get", key: "x" }), end(1, {})], "line 3: out of get"],
    [
      "a value twice",
      [kv, put(1), end(1, {}), put(2, { value: "v1" })],
      'line 4: value "v1" was written on line 2 already',
    ],
  ];
  it.each(cases)("%s", (_, lines, message) => {
    const found = verdict(...lines);
    expect(found.kind).toBe("malformed");
    expect(shown(found)).toContain(`malformed: ${message}`);
  });
});

describe("reading", () => {
  it("leaves out a last line that is cut off, and says so", () => {
    const found = checkHistory(`${header("kv")}\n${put(1)}\n{"e":"ok","id":1,"t":`);
    expect(found).toMatchObject({ kind: "linearizable", answered: 0, pending: 1 });
    expect(shown(found)).toContain("note: the last line is cut off and was left out");
  });

  it("takes a last line without its line break, and lines", () => {
    const lines = [header("kv"), put(1), end(1, {})];
    for (const found of [checkHistory(lines.join("\n")), checkHistory(lines)]) {
      expect(found).toMatchObject({ kind: "linearizable", answered: 1, notes: [] });
    }
  });

  it("says that there was nothing to judge", () => {
    expect(shown(verdict(header("kv")))).toContain("note: no call was answered");
  });

  it("goes by the clock where several writers mix their lines", () => {
    const get = call(2, { op: "get", key: "x" });
    const lines = [header("kv"), get, end(2, { out: "v1" }), put(1), end(1, {})];
    expect(verdict(...lines).kind).toBe("linearizable");
  });

  it("goes by the lines where the clock stands still", () => {
    const still = { t: 7 };
    const get = call(2, { op: "get", key: "x", ...still });
    const [told, answered] = [end(2, { out: null, ...still }), end(1, still)];
    const begin = put(1, still);
    expect(verdict(header("kv"), begin, answered, get, told).kind).toBe("violation");
    expect(verdict(header("kv"), begin, get, answered, told).kind).toBe("linearizable");
  });

  it("lets a value that failed be written again", () => {
    const fail = '{"e":"fail","id":1,"t":15,"err":"overloaded"}';
    const lines = [header("kv"), put(1), fail, put(2, { value: "v1" }), end(2, {})];
    expect(verdict(...lines)).toMatchObject({ kind: "linearizable", failed: 1, answered: 1 });
  });
});

describe("an explanation", () => {
  it("names the shortest prefix, and the calls that contradict each other", () => {
    const text = tell("kv", [
      ok(1, 2, { op: "put", key: "x", value: "v1" }),
      ok(3, 4, { op: "put", key: "y", value: "w1" }),
      ok(5, 6, { op: "get", key: "x" }, "v1"),
      info(7, { op: "put", key: "x", value: "v2" }),
      ok(8, 9, { op: "put", key: "x", value: "v3" }),
      ok(10, 11, { op: "get", key: "x" }, "v1"),
      ok(12, 13, { op: "get", key: "x" }, "v3"),
    ]);
    expect(shown(checkHistory(text))).toBe(
      `violation: kv, 2 keys: 6 calls answered, 1 unknown, 0 failed; 3 states visited
key "x": no order of the calls explains the answers (up to line 12, and up to no line before it)
these calls contradict each other, whatever 2 other calls did:
  lines 6-7  c3  get key="x"  → "v1"  at 5…6 ns
  lines 9-10  c5  put key="x" value="v3"  → done  at 8…9 ns
  lines 11-12  c6  get key="x"  → "v1"  at 10…11 ns`,
    );
  });

  it("names the two calls whose revisions contradict each other", () => {
    const text = tell("kv", [
      ok(1, 2, { op: "put", key: "x", value: "v1" }, { rev: 5 }),
      ok(3, 4, { op: "put", key: "y", value: "w1" }, { rev: 4 }),
    ]);
    expect(shown(checkHistory(text))).toContain(
      `revision 5 had been told before revision 4 was asked for (up to line 5)
these calls contradict each other:
  lines 2-3  c1  put key="x" value="v1"  → {"rev":5}  at 1…2 ns
  lines 4-5  c2  put key="y" value="w1"  → {"rev":4}  at 3…4 ns`,
    );
  });

  it("names holes, which are a violation only if everything was recorded", () => {
    const text = tell("propose", [
      ok(1, 2, { op: "propose", value: "a" }, { position: 1, slot: 0 }),
      ok(3, 4, { op: "propose", value: "b" }, { position: 4, slot: 3 }),
    ]);
    const hole = "position 2 was taken by no call of this history";
    const open = checkHistory(text);
    expect(open.kind).toBe("linearizable");
    expect(shown(open)).toContain(`note: 2 holes: ${hole}`);
    const whole = checkHistory(text, { isComplete: true });
    expect(whole.kind).toBe("violation");
    expect(shown(whole)).toContain(`${hole} (up to line 5)`);
  });
});

describe("a long history", () => {
  const long = { seed: 3, calls: 10_000, clients: 20, keys: 50, pending: 0.02 };

  it.each([true, false])("of 10,000 calls is judged, revisions: %s", (revs) => {
    const found = checkHistory(busy({ ...long, stale: 0, revs }));
    expect(found.kind, shown(found)).toBe("linearizable");
    // About a state a call: it went nowhere in vain.
    expect((found as { readonly states: number }).states).toBeLessThan(12_000);
  });

  it.each([true, false])("with one stale get is refused, revisions: %s", (revs) => {
    const found = checkHistory(busy({ ...long, stale: 1, revs }));
    if (found.kind !== "violation") throw new Error(shown(found));
    const [violation] = found.violations;
    expect(violation?.isShortest).toBe(true);
    // The value, what overwrote it, and who saw it afterwards.
    expect(violation?.calls.length).toBeLessThanOrEqual(4);
    expect(violation?.calls.at(-1)?.operation.op).toBe("get");
  });

  it("of many calls on one key is undecided when the states run out, never accepted", () => {
    const text = busy({ ...long, calls: 2000, keys: 1, pending: 0.2, stale: 1, revs: false });
    const found = checkHistory(text, { statesMax: 3000 });
    expect(found).toMatchObject({ kind: "undecided", undecided: ["k0"], states: 3000 });
    expect(shown(found)).toContain('the search ran out of states on "k0"');
  });

  it("that is a violation, and too long to make short, is shown where the search got stuck", () => {
    const text = busy({
      ...long,
      calls: 300,
      clients: 5,
      keys: 1,
      pending: 0,
      stale: 1,
      revs: true,
    });
    const { calls } = readHistory(text);
    const whole = judgeKey("k0", calls, (some) => kvModel(some), { states: 100_000 });
    const quick = judgeKey("k0", calls, (some) => kvModel(some), { states: 100_000 }, 0);
    if (whole === null || whole === "budget") throw new Error("it is a violation");
    expect(whole).toMatchObject({ isShortest: true, isCore: true });
    expect(quick).toMatchObject({ isShortest: false, isCore: false });
    expect((quick as Violation).line).toBeLessThanOrEqual(whole.line);
    expect((quick as Violation).line).toBeGreaterThan(whole.line / 2);
  });
});
