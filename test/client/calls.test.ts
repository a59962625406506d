/**
 * Goal: connecting, deciding and asking for status tell what is so, and errors say what may have
 * happened.
 * Method: the real client against single processes played by the test, on the memory bus.
 */
import { describe, expect, it } from "vitest";
import type { MemoryTransport } from "../../src/adapters/memory/transport.js";
import type { Client } from "../../src/client/client.js";
import {
  errorOfRefusal,
  InvalidError,
  NoQuorumError,
  NotPermittedError,
  OutcomeUnknownError,
  StoppedError,
  SynodError,
  TooLargeError,
  TooManyError,
  UnavailableError,
  WrongClusterError,
} from "../../src/client/errors.js";
import { EXACT, encodeValue } from "../../src/client/values.js";
import * as door from "../../src/index.js";
import { encodeAnswer } from "../../src/kernel/answer.js";
import { parseSubject } from "../../src/kernel/bus/subject.js";
import type { DoorAnswer } from "../../src/kernel/effect.js";
import type { Incoming } from "../../src/kernel/ports.js";
import { digest } from "../../src/paxos/digest.js";
import type { Decide } from "../../src/paxos/wire/messages.js";
import { ballot, testCluster } from "../support/steps.js";
import { Bench, FakeGateway, FakeLog, Watched } from "./bench.js";

/** A synod-proposer that answers as the test says. */
class FakeProposer {
  readonly transport: MemoryTransport;
  readonly held = new Map<string, { type: Decide["valueType"]; value: Uint8Array }>();
  readonly wishes: Decide[] = [];
  /** What it answers before it decides; "silent": nothing. */
  readonly moods: (DoorAnswer | "silent")[] = [];
  readonly #bench: Bench;

  constructor(bench: Bench) {
    this.#bench = bench;
    this.transport = bench.bus.connect("proposer");
    const hear = (incoming: Incoming) => this.#hear(incoming);
    const subject = "synod.test.synod-proposer.decide.all.*";
    this.transport.subscribe(subject, hear, { queue: "synod-proposer" });
  }

  #hear({ payload, reply }: Incoming): void {
    const decoded = this.#bench.codec.decode("decide", payload);
    if ("fault" in decoded || decoded.message.type !== "decide") throw new Error("nonsense");
    const wish = decoded.message;
    this.wishes.push(wish);
    const mood = this.moods.shift() ?? this.#decide(wish);
    if (mood === "silent" || reply === undefined) return;
    const { headers, payload: body } = encodeAnswer(mood);
    this.transport.publish(reply, body, { headers });
  }

  #decide({ key, value, valueType }: Decide): DoorAnswer {
    if (value !== null && !this.held.has(key)) this.held.set(key, { type: valueType, value });
    const held = this.held.get(key);
    if (held === undefined) return { kind: "undecided" };
    return { kind: "decided", ballot: ballot(1), ...held, syncedBy: ["a1"] };
  }
}

async function stage(): Promise<{ bench: Bench; proposer: FakeProposer; client: Client }> {
  const bench = new Bench();
  const proposer = new FakeProposer(bench);
  return { bench, proposer, client: await bench.open() };
}

const refusal = (code: string, rest: object = {}): DoorAnswer => ({
  kind: "refused",
  code,
  message: "because",
  mayHaveHappened: false,
  ...rest,
});

describe("decide", () => {
  it("the first value wins, and everybody learns it", async () => {
    const { bench, client } = await stage();
    expect(await bench.run(client.decide("k"))).toBe(null);
    expect(await bench.run(client.decide("k", { a: 1n }))).toEqual({ a: 1n });
    expect(await bench.run(client.decide("k", "late"))).toEqual({ a: 1n });
    expect(await bench.run(client.decide("k"))).toEqual({ a: 1n });
    expect(await bench.run(client.decide("other", new Uint8Array([1])))).toEqual(Uint8Array.of(1));
  });

  it("is signed by the clock that the client's session signs with", async () => {
    const { bench, client } = await stage();
    new FakeGateway(bench, "g1", new FakeLog(bench.cluster));
    const clocks: number[] = [];
    bench.bus.intercept(({ message: { subject, payload } }) => {
      const verb = parseSubject({ prefix: "synod", cluster: "test" }, subject)?.verb ?? "";
      const read = bench.codec.decode(verb, payload);
      if (!("fault" in read) && read.sender.role === "session") clocks.push(read.lc);
      return undefined;
    });
    for (const value of ["a", "b", "c"]) {
      await bench.run(client.propose(value));
      await bench.run(client.decide("k", value));
    }
    expect(clocks.length).toBeGreaterThan(6);
    expect(clocks).toEqual([...new Set(clocks)].sort((one, other) => one - other));
  });

  it("asks again when nothing is heard, for load, or when another thing answers", async () => {
    const { bench, proposer, client } = await stage();
    const stream = bench.bus.connect("a stream over our subjects");
    stream.subscribe("synod.test.synod-proposer.>", ({ reply }) => {
      if (reply !== undefined) stream.publish(reply, new TextEncoder().encode('{"seq":1}'));
    });
    proposer.moods.push("silent", refusal("overloaded", { retryAfterMs: 300 }), "silent");
    expect(await bench.run(client.decide("k", 1))).toBe(1);
    expect(proposer.wishes.length).toBe(4);
    expect(client.dropped.get("foreign_reply")).toBe(4);
  });

  it("waits for a proposer, and for a connection", async () => {
    const bench = new Bench();
    const client = await bench.open();
    const call = new Watched(client.decide("k", 1));
    await bench.wait(1000);
    bench.link.disconnect();
    const proposer = new FakeProposer(bench);
    await bench.wait(1000);
    expect(call.isSettled).toBe(false);
    bench.link.reconnect();
    await bench.until(() => call.isSettled, 5000);
    expect(call.value).toBe(1);
    expect(proposer.wishes.length).toBe(1);
  });

  it.each<[string, (DoorAnswer | "silent")[], unknown, new (...args: never[]) => Error, boolean]>([
    ["a wish that nobody answers", ["silent", "silent"], 1, OutcomeUnknownError, true],
    ["a question that nobody answers", ["silent", "silent"], undefined, NoQuorumError, false],
    ["too many keys", [refusal("too_many")], 1, TooManyError, false],
    ["too many keys, after a copy", ["silent", refusal("too_many")], 1, TooManyError, true],
  ])("%s is told as it is", async (_, moods, value, Class, mayHaveHappened) => {
    const { bench, proposer, client } = await stage();
    proposer.moods.push(...moods);
    const call = new Watched(client.decide("k", value as never, { timeoutMs: 2000 }));
    await bench.wait(3000);
    expect(call.error).toBeInstanceOf(Class);
    expect(call.error).toMatchObject({ mayHaveHappened });
  });

  it("that was sent before a right was taken away may have happened", async () => {
    const bench = new Bench();
    let isDenied = false;
    const denies = (_: string, subject: string) => isDenied && subject.includes(".decide.");
    bench.link = bench.bus.connect("client", { denies });
    bench.answer("cluster", () => bench.cluster);
    const client = await bench.run(bench.dial());
    const proposer = new FakeProposer(bench);
    proposer.moods.push("silent");
    const sent = new Watched(client.decide("k", 1));
    await bench.wait(10);
    expect(proposer.wishes.length).toBe(1);
    isDenied = true;
    const denied = new Watched(client.decide("other", 1));
    await bench.wait(10);
    expect(sent.error).toBeInstanceOf(OutcomeUnknownError);
    expect(denied.isSettled).toBe(true);
    const alone = new Watched(client.decide("other", 1));
    await bench.wait(10);
    expect(alone.error).toBeInstanceOf(NotPermittedError);
  });

  it("that nobody got has not happened", async () => {
    const bench = new Bench();
    const client = await bench.open();
    const call = new Watched(client.decide("k", 1, { timeoutMs: 1000 }));
    await bench.wait(2000);
    expect(call.error).toBeInstanceOf(UnavailableError);
    expect(call.error).toMatchObject({ mayHaveHappened: false });
  });

  it("ends by a signal and by close", async () => {
    const { bench, proposer, client } = await stage();
    proposer.moods.push("silent", "silent");
    const controller = new AbortController();
    const first = new Watched(client.decide("k", 1, { signal: controller.signal }));
    const second = new Watched(client.decide("k"));
    await bench.wait(100);
    controller.abort("enough");
    await bench.settle();
    expect(first.error).toMatchObject({ code: "stopped", mayHaveHappened: true, cause: "enough" });
    await bench.run(client.close());
    expect(second.error).toMatchObject({ code: "stopped", mayHaveHappened: false });
    await expect(client.decide("k")).rejects.toThrow(StoppedError);
    await expect(client.status()).rejects.toThrow(StoppedError);
  });

  it.each<[string, unknown, unknown, new (...args: never[]) => Error]>([
    ["an empty key", "", 1, InvalidError],
    ["a key that is no text", 1, 1, InvalidError],
    ["a key over the limit", "é".repeat(257), 1, InvalidError],
    ["a value that is none", "k", new Date(0), InvalidError],
    ["a value over the limit", "k", "x".repeat(512 * 1024 + 1), TooLargeError],
  ])("refuses %s before it is sent", async (_, key, value, Class) => {
    const { proposer, client } = await stage();
    await expect(client.decide(key as string, value as string)).rejects.toThrow(Class);
    expect(proposer.wishes).toEqual([]);
  });
});

describe("status and why", () => {
  const role = (name: string, id: string, state: string, ballotText: string | null = null) => ({
    role: name,
    id,
    pid: 1,
    data: null,
    incarnation: null,
    state,
    ballot: ballotText,
    dropped: {},
  });

  it("gather what every process says, and name the leader", async () => {
    const { bench, client } = await stage();
    let pid = 0;
    const tell = (roles: unknown[], dropped: Record<string, number> = {}) => {
      const process = { process: `p${++pid}`, pid, cluster: "test" };
      bench.answer("status", () => ({ ...process, roles, dropped }));
    };
    tell([role("proposer", "p1", "leading.open", `9.p1.${"0".repeat(16)}`)], { unheard: 1 });
    tell([role("proposer", "p2", "leading.full", `10.p2.${"0".repeat(16)}`)], { unheard: 2 });
    tell(["a1", "a2", "a3"].map((id) => role("acceptor", id, "serving")));
    const since = bench.clock.nowMs();
    const status = await bench.run(client.status());
    expect(bench.clock.nowMs() - since).toBeLessThan(100); // all that the descriptor lists answered
    expect(status.leader).toEqual({ id: "p2", ballot: `10.p2.${"0".repeat(16)}` });
    expect(status.roles.map(({ id }) => id).sort()).toEqual(["a1", "a2", "a3", "p1", "p2"]);
    expect(status.dropped).toEqual({ unheard: 3 });
    expect(status.cluster).toBe("test");
  });

  it("do not wait long for who does not answer", async () => {
    const { bench, client } = await stage();
    const waits = [{ for: "x", from: ["a1"], have: 1, need: 2, sinceMs: 5, reason: "y" }];
    bench.answer("why", () => ({ roles: [{ role: "proposer", id: "p1", waits }] }));
    const since = bench.clock.nowMs();
    expect(await bench.run(client.why())).toEqual([{ role: "proposer", id: "p1", waits }]);
    expect(bench.clock.nowMs() - since).toBeLessThan(600);
  });

  it("end by a signal at once", async () => {
    const { bench, client } = await stage();
    bench.bus.connect("silent").subscribe("synod.test.ctl.*", () => {});
    const controller = new AbortController();
    const { signal } = controller;
    const asked = [client.status({ signal }), client.why({ signal }), client.prove(1, { signal })];
    const calls = asked.map((call: Promise<unknown>) => new Watched(call));
    await bench.wait(10);
    controller.abort("enough");
    await bench.wait(10);
    for (const { error } of calls) {
      expect(error).toBeInstanceOf(StoppedError);
      expect(error).toMatchObject({ cause: "enough" });
    }
  });

  it("say that nobody answers", async () => {
    const { bench, client } = await stage();
    await expect(bench.run(client.status())).rejects.toThrow(UnavailableError);
  });
});

describe("connect", () => {
  it("waits for the cluster, as long as it is told to", async () => {
    const bench = new Bench();
    const late = new Watched(bench.dial({ timeoutMs: 3000 }));
    const early = new Watched(bench.dial({ timeoutMs: 1000 }));
    await bench.wait(2000);
    expect(early.error).toBeInstanceOf(UnavailableError);
    expect(late.isSettled).toBe(false);
    bench.answer("cluster", () => bench.cluster);
    await bench.wait(1000);
    expect(late.value?.cluster).toEqual(bench.cluster);
  });

  it("ends by a signal", async () => {
    const bench = new Bench();
    const controller = new AbortController();
    const call = new Watched(bench.dial({ signal: controller.signal }));
    await bench.wait(100);
    controller.abort();
    await bench.settle();
    expect(call.error).toBeInstanceOf(StoppedError);
    const aborted = new Watched(bench.dial({ signal: AbortSignal.abort() }));
    await bench.wait(10);
    expect(aborted.error).toBeInstanceOf(StoppedError);
  });

  it("does not take another cluster, or nonsense, for its own", async () => {
    const bench = new Bench();
    const told: unknown[] = [
      "no JSON object",
      { name: "test" },
      { ...bench.cluster, limits: null },
      { ...testCluster(), name: "other" },
    ];
    bench.answer("cluster", () => told.shift());
    const call = new Watched(bench.dial());
    await bench.wait(2000);
    expect(call.error).toBeInstanceOf(WrongClusterError);
    expect(told).toEqual([]);
  });

  it.each([
    ["a cluster's name", { cluster: "A B" }],
    ["no cluster", { cluster: undefined as never }],
    ["a prefix", { prefix: "a.b" }],
    ["pendingMax", { session: { pendingMax: 0 } }],
    ["timeoutMs", { timeoutMs: -1 }],
  ])("refuses at once what cannot be: %s", async (_, options) => {
    await expect(new Bench().dial(options)).rejects.toThrow(InvalidError);
    await expect(door.connect({ cluster: "test", ...options })).rejects.toThrow(InvalidError);
  });

  it("says which server it did not reach, or that the address is none", async () => {
    const closed = door.connect({ cluster: "test", nats: "nats://127.0.0.1:1" });
    await expect(closed).rejects.toThrow(/127\.0\.0\.1:1/);
    await expect(closed).rejects.toBeInstanceOf(UnavailableError);
    const wrong = door.connect({ cluster: "test", nats: { servers: "http://localhost" } });
    await expect(wrong).rejects.toBeInstanceOf(InvalidError);
  });

  it("takes a codec for the values that are neither bytes nor text", async () => {
    const bench = new Bench();
    const proposer = new FakeProposer(bench);
    const codec = {
      encode: (value: unknown) => new TextEncoder().encode(String(value)),
      decode: (bytes: Uint8Array) => `read ${new TextDecoder().decode(bytes)}`,
    };
    const client = await bench.open({ codec });
    expect(await bench.run(client.decide("k", 7))).toBe("read 7");
    expect(proposer.wishes[0]?.value).toEqual(Uint8Array.of(0x37));
  });
});

describe("errors", () => {
  const classes = Object.entries(door).filter(([name]) => name.endsWith("Error"));

  it("have a class each, with a name and a code that do not change", () => {
    expect(classes.map(([name]) => name).sort()).toEqual([
      "ConflictError",
      "InvalidError",
      "LockLostError",
      "NoQuorumError",
      "NotPermittedError",
      "OutcomeUnknownError",
      "OverloadedError",
      "RejectedError",
      "SessionExpiredError",
      "StoppedError",
      "SynodError",
      "TooLargeError",
      "TooManyError",
      "TrimmedError",
      "UnavailableError",
      "WrongClusterError",
    ]);
  });

  it.each([
    ["trimmed", false],
    ["too_many", false],
    ["overloaded", false],
    ["outcome_unknown", true],
    ["a code of a later version", true],
  ])("come from the cluster's words: %s", (code, mayHaveHappened) => {
    const cause = { code, message: "m", mayHaveHappened, retryAfterMs: 5, firstPosition: 3 };
    const error = errorOfRefusal(cause);
    expect(error).toBeInstanceOf(SynodError);
    expect(error).toMatchObject({ message: "m", mayHaveHappened, retryAfterMs: 5 });
    expect(error.code).toBe(code.includes(" ") ? "outcome_unknown" : code);
    expect(error.name).toBe(error.constructor.name);
  });
});

it("keys and values reach a proposer as they are", async () => {
  const { bench, proposer, client } = await stage();
  await bench.run(client.decide("Schloß", "é"));
  const { body } = encodeValue("é", 100, EXACT);
  expect(proposer.wishes[0]).toMatchObject({ key: "Schloß", valueType: "string" });
  expect(digest(proposer.wishes[0]?.value ?? new Uint8Array())).toBe(digest(body));
});
