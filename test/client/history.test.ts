/**
 * Goal: a history says what clients did and were told, in lines of hist/1, and nothing untrue.
 * Method: exact lines of the writer under a counting clock; the real client on whole clusters.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  InvalidError,
  NoQuorumError,
  OutcomeUnknownError,
  OverloadedError,
  StoppedError,
  type SynodError,
  TooManyError,
  UnavailableError,
} from "../../src/client/errors.js";
import { History } from "../../src/client/history.js";
import { Recorder, showBody } from "../../src/client/recorder.js";
import { EXACT, encodeValue } from "../../src/client/values.js";
import type { HistoryModel } from "../../src/judge/format.js";
import { HistoryFile } from "../../src/worker/history-file.js";
import { SEPARATED, World } from "../support/world.js";
import { Bench } from "./bench.js";

/** A history in memory whose clock ticks with each look. */
function notes<M extends HistoryModel>(model: M, firstNs = 1n) {
  const lines: string[] = [];
  let ns = firstNs;
  const history = new History({ model, nowNs: () => ns++, write: (line) => lines.push(line) });
  return { history, lines, text: () => lines.join("") };
}

const ends = (lines: readonly string[]) =>
  lines.slice(1).map((line) => {
    const { e, err, out } = JSON.parse(line) as Record<string, unknown>;
    return { e, ...(err === undefined ? {} : { err }), ...(out === undefined ? {} : { out }) };
  });

describe("a history", () => {
  it("is written in exactly these lines", () => {
    const { history, text } = notes("kv", 123_456_789n);
    history.begin("c3", { op: "put", key: "x", value: "v1" }).ok({ rev: 41 });
    history.begin("c3", { op: "put", key: "x", value: "v2", ifrev: 41 }).fail("overloaded");
    history.begin("c3", { op: "cas", key: "x", expect: null, value: "v3" }).info("outcome_unknown");
    history.begin("c3", { op: "put", key: "x", value: "v4" }).ok();
    expect(text()).toBe(
      `{"hist":"hist/1","model":"kv","init":{},"base":1,"lease":false}
{"e":"call","id":1,"client":"c3","t":123456789,"op":"put","key":"x","value":"v1"}
{"e":"ok","id":1,"t":123456790,"out":{"rev":41}}
{"e":"call","id":2,"client":"c3","t":123456791,"op":"put","key":"x","value":"v2","ifrev":41}
{"e":"fail","id":2,"t":123456792,"err":"overloaded"}
{"e":"call","id":3,"client":"c3","t":123456793,"op":"cas","key":"x","expect":null,"value":"v3"}
{"e":"info","id":3,"t":123456794,"err":"outcome_unknown"}
{"e":"call","id":4,"client":"c3#2","t":123456795,"op":"put","key":"x","value":"v4"}
{"e":"ok","id":4,"t":123456796}
`,
    );
  });

  it("says null, false and no answer apart", () => {
    const { history, lines } = notes("kv");
    history.begin("c1", { op: "get", key: "x" }).ok(null);
    history.begin("c1", { op: "delete", key: "x" }).ok(false);
    history.begin("c1", { op: "append", key: "x", value: "v" }).ok();
    expect(ends(lines).filter(({ e }) => e === "ok")).toEqual([
      { e: "ok", out: null },
      { e: "ok", out: false },
      { e: "ok" },
    ]);
  });

  it("has one open call a name, and no name after info", () => {
    const { history, lines } = notes("propose");
    const propose = (value: string) => history.begin("c1", { op: "propose", value });
    const [first, second] = [propose("a"), propose("b")];
    first.ok({ position: 1, slot: 0 });
    propose("c").info("outcome_unknown");
    second.ok({ position: 2, slot: 1 });
    propose("d");
    propose("e");
    const calls = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const names = calls.filter(({ e }) => e === "call").map(({ client, value }) => [value, client]);
    expect(names).toEqual([
      ["a", "c1"],
      ["b", "c1#2"],
      ["c", "c1"],
      ["d", "c1#2"],
      ["e", "c1#3"],
    ]);
  });

  it("ends a call once", () => {
    const { history, lines } = notes("propose");
    const call = history.begin("c1", { op: "propose", value: "a" });
    call.info("outcome_unknown");
    expect(() => call.ok({ position: 1, slot: 0 })).toThrow("call 1 of c1 has ended already");
    expect(lines).toHaveLength(3);
  });

  it("gives names that nobody has", () => {
    const { history } = notes("decide");
    history.begin("c2", { op: "get", key: "k" });
    expect([history.join(), history.join(), history.join()]).toEqual(["c1", "c3", "c4"]);
  });

  it("keeps every digit of a time beyond 2^53", () => {
    const { history, text } = notes("decide", 2n ** 60n + 1n);
    history.begin("c1", { op: "get", key: "k" });
    expect(text()).toContain('"t":1152921504606846977,');
  });

  it("in a file replaces what was there, and holds each line as soon as it is said", () => {
    const folder = mkdtempSync(join(tmpdir(), "synod-history-"));
    try {
      const path = join(folder, "h.jsonl");
      HistoryFile.open(path, { model: "kv" }).close();
      const file = HistoryFile.open(path, { model: "decide", init: { k: "v0" } });
      expect(readFileSync(path, "utf8")).toBe(
        '{"hist":"hist/1","model":"decide","init":{"k":"v0"},"base":1,"lease":false}\n',
      );
      const before = process.hrtime.bigint();
      file.begin("c1", { op: "decide", key: "k", value: "größer" });
      const [, call = ""] = readFileSync(path, "utf8").split("\n");
      const { t, ...rest } = JSON.parse(call) as Record<string, unknown>;
      expect(rest).toEqual({
        e: "call",
        id: 1,
        client: "c1",
        op: "decide",
        key: "k",
        value: "größer",
      });
      expect(t).toBeGreaterThanOrEqual(Number(before));
      expect(t).toBeLessThanOrEqual(Number(process.hrtime.bigint()));
      file.close();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("a recorder", () => {
  const outcomes: readonly [SynodError | Error, string][] = [
    [new OverloadedError("no"), "fail overloaded"],
    [new TooManyError("no"), "fail too_many"],
    [new TooManyError("no", { mayHaveHappened: true }), "info too_many"],
    [new StoppedError("no"), "fail stopped"],
    [new StoppedError("no", { mayHaveHappened: true }), "info stopped"],
    [new OutcomeUnknownError("no"), "info outcome_unknown"],
    // Nothing was sent; but they are timeouts, and the format has no timeout that fails.
    [new UnavailableError("no"), "info unavailable"],
    [new NoQuorumError("no"), "info no_quorum"],
    [new Error("surprise"), "info Error: surprise"],
  ];
  it.each(outcomes)("tells %s as it is", async (error, told) => {
    const { history, lines } = notes("decide");
    const recorder = new Recorder([history]);
    const call = recorder.record(
      "decide",
      () => ({ op: "decide", key: "k", value: "v" }),
      () => Promise.reject(error),
      () => null,
    );
    await expect(call).rejects.toBe(error);
    const { e, err } = JSON.parse(lines[2] ?? "") as Record<string, string>;
    expect(`${e} ${err}`).toBe(told);
  });

  it("leaves alone what no history is about", async () => {
    const { history, lines } = notes("decide");
    const shown = () => {
      throw new Error("nobody asked");
    };
    const recorder = new Recorder([history]);
    expect(await recorder.record("propose", shown, () => Promise.resolve(7), shown)).toBe(7);
    expect(lines).toHaveLength(1);
  });

  it("shows strings as they are, the rest by its bytes", () => {
    const shown = (value: unknown) => showBody(encodeValue(value, 1000, EXACT));
    expect(shown("plain \ufeff text")).toBe("plain \ufeff text");
    expect(shown(Uint8Array.of(0, 255))).toBe("bytes:00ff");
    expect(shown(5)).toBe("msgpack:05");
    expect(showBody({ type: "string", body: Uint8Array.of(0xff) })).toBe("string:ff");
  });

  it("is refused where it has nothing to hear, or hears the same twice", async () => {
    const bench = new Bench();
    const kv = notes("kv").history;
    await expect(bench.dial({ recorder: kv })).rejects.toThrow(InvalidError);
    const twice = [notes("decide").history, notes("decide").history];
    await expect(bench.dial({ recorder: twice })).rejects.toThrow("one history for each model");
  });
});

it("clients of a cluster tell each call before it leaves and when it is answered", async () => {
  const world = new World(7);
  world.startAll(SEPARATED);
  world.wait(1500);
  const [proposals, decisions] = [notes("propose"), notes("decide")];
  const bench = new Bench(world.cluster, world.clock, world.bus);
  const first = await bench.open({ recorder: [proposals.history, decisions.history] });
  const second = await bench.open({ recorder: proposals.history });
  const calls = ["a", "b"].map((value) => first.propose(value));
  expect(proposals.lines).toHaveLength(3); // before anything leaves
  await bench.run(Promise.all(calls));
  await bench.run(second.propose({ n: 1 }));
  await bench.run(first.decide("k"));
  await bench.run(first.decide("k", "blue"));
  await bench.run(second.decide("k", "red")); // not told: no history of its is about that
  await bench.run(first.decide("k"));
  for (const name of ["a1", "a2", "a3"]) world.kill(name);
  const wish = bench.run(first.decide("k2", "green", { timeoutMs: 50 }));
  await expect(wish).rejects.toThrow(OutcomeUnknownError);
  await expect(first.propose(() => 1)).rejects.toThrow(InvalidError); // shows nothing: no value
  expect(ends(proposals.lines)).toEqual([
    { e: "call" },
    { e: "call" },
    { e: "ok", out: { position: 1, slot: expect.any(Number) } },
    { e: "ok", out: { position: 2, slot: expect.any(Number) } },
    { e: "call" },
    { e: "ok", out: { position: 3, slot: expect.any(Number) } },
  ]);
  const texts = proposals.lines.join("");
  expect(texts).toMatch(/"client":"c1",.*"value":"a"/);
  expect(texts).toMatch(/"client":"c1#2",.*"value":"b"/);
  expect(texts).toMatch(/"client":"c2",.*"value":"msgpack:81a16e01"/);
  expect(ends(decisions.lines)).toEqual([
    ...[{ e: "call" }, { e: "ok", out: null }],
    ...[{ e: "call" }, { e: "ok", out: "blue" }],
    ...[{ e: "call" }, { e: "ok", out: "blue" }],
    ...[{ e: "call" }, { e: "info", err: "outcome_unknown" }],
  ]);
});
