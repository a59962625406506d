/**
 * Goal: whoever knocks at a public door is answered once, in their words, or told why not; nothing
 * that waits behind a door grows without a bound.
 * Method: doors on the memory bus; behind them stands a role that only takes notes.
 */
import { describe, expect, it } from "vitest";
import { createVirtualClock } from "../../src/adapters/memory/clock.js";
import { createMemoryBus } from "../../src/adapters/memory/transport.js";
import { structured } from "../../src/adapters/msgpackr/structured.js";
import { Doors } from "../../src/kernel/doors.js";
import type { DoorAnswer } from "../../src/kernel/effect.js";
import type { Door } from "../../src/kernel/role.js";
import type { Runner } from "../../src/kernel/runner.js";
import type { Limits } from "../../src/paxos/limits.js";
import type { Message } from "../../src/paxos/wire/messages.js";
import { ballot, testCluster, value } from "../support/steps.js";

const UNDECIDED: DoorAnswer = { kind: "undecided" };
const refusal: DoorAnswer = {
  kind: "refused",
  code: "invalid",
  message: "not like this",
  mayHaveHappened: false,
};
/** Takes what is written as it is; "bad" it refuses. */
const plain: Door = {
  subject: "propose",
  queue: "gateway",
  isStructured: false,
  toEvent: ({ payload }) => {
    const text = new TextDecoder().decode(payload);
    return text === "bad" ? { refused: refusal } : { event: { type: "knock", ...{ text } } };
  },
};
const table: Door = {
  subject: "history",
  queue: undefined,
  isStructured: true,
  toEvent: (_incoming, _limits, body) =>
    body === undefined ? { refused: refusal } : { event: { type: "knock", ...{ body } } },
};

function bench(limits: Partial<Limits> = {}, door = plain) {
  const clock = createVirtualClock();
  const bus = createMemoryBus(clock);
  const counts: string[] = [];
  const told: { token: string; text?: string; body?: unknown }[] = [];
  const room = { is: true };
  const runner = {
    definition: { doors: [door] },
    inbox: { hasRoomForRequests: () => room.is },
    tell: (event: { token: string }) => told.push(event),
  } as unknown as Runner;
  const doors = new Doors({
    cluster: testCluster(limits),
    space: { prefix: "synod", cluster: "test" },
    transport: bus.connect("host"),
    clock,
    count: (reason) => counts.push(reason),
    structured,
  });
  doors.open(runner);
  const client = bus.connect("client");
  const answers: (string | undefined)[] = [];
  const bodies: Uint8Array[] = [];
  /** Asks, and waits for an answer for so long; null: it publishes, and waits for none. */
  const knock = (payload: Uint8Array | string, timeoutMs: number | null = 600_000) => {
    const bytes = typeof payload === "string" ? value(payload) : payload;
    if (timeoutMs === null) {
      client.publish(`synod.test.${door.subject}`, bytes);
      clock.advance(1);
      return;
    }
    client.request(`synod.test.${door.subject}`, bytes, { timeoutMs }, (answer) => {
      if (answer.kind !== "answer") answers.push(answer.kind);
      else {
        const { headers, payload: body } = answer.message;
        answers.push(headers?.["Synod-Code"] ?? headers?.["Synod-Kind"]);
        bodies.push(body);
      }
    });
    clock.advance(1);
  };
  const reply = (token: string, answer = UNDECIDED) => {
    doors.reply(token, answer);
    clock.advance(1);
  };
  return { clock, client, counts, told, room, runner, doors, answers, bodies, knock, reply };
}

describe("a request", () => {
  it("becomes an event with a token, and the token its answer", () => {
    const { knock, told, reply, answers, counts } = bench();
    knock("a");
    knock("b");
    expect(told).toMatchObject([{ text: "a" }, { text: "b" }]);
    expect(new Set(told.map(({ token }) => token)).size).toBe(2);
    reply(told[1]?.token ?? "");
    expect(answers).toEqual(["undecided"]);
    reply(told[0]?.token ?? "");
    expect([answers.length, counts]).toEqual([2, []]);
  });

  it("is answered once: what is said later is counted", () => {
    const { knock, told, reply, answers, counts } = bench();
    knock("a");
    reply(told[0]?.token ?? "");
    reply(told[0]?.token ?? "");
    reply("no token of ours");
    expect([answers, counts]).toEqual([["undecided"], ["reply_too_late", "reply_too_late"]]);
  });

  it("that was published and waits for no answer makes none that is too late", () => {
    const { knock, told, reply, counts } = bench();
    knock("a", null);
    expect(told).toMatchObject([{ text: "a", token: "" }]);
    reply("");
    expect(counts).toEqual([]);
  });

  it("that the role cannot read is refused at the door, and counted", () => {
    const { knock, told, answers, counts } = bench();
    knock("bad");
    expect([told, answers, counts]).toEqual([[], ["invalid"], ["invalid"]]);
  });

  it("that awaits no answer has no token", () => {
    const { client, clock, told } = bench();
    client.publish("synod.test.propose", value("a"));
    clock.advance(1);
    expect(told).toMatchObject([{ token: "", text: "a" }]);
  });
});

describe("the room behind a door", () => {
  it("is bounded: one more is told to ask again; an answer makes room", () => {
    const { knock, told, reply, answers, counts } = bench({ requestsOpenMax: 2 });
    for (const text of ["a", "b", "c"]) knock(text);
    expect([told.length, answers, counts]).toEqual([2, ["overloaded"], ["overloaded"]]);
    reply(told[0]?.token ?? "");
    knock("d");
    expect(told.length).toBe(3);
  });

  it("is none while the role's inbox has none; such a request takes no place", () => {
    const { knock, told, room, answers, counts } = bench({ requestsOpenMax: 1 });
    room.is = false;
    for (const text of ["a", "b"]) knock(text);
    expect([told, answers, counts]).toEqual([
      [],
      ["overloaded", "overloaded"],
      ["overloaded", "overloaded"],
    ]);
    room.is = true;
    knock("c");
    expect(told).toHaveLength(1);
  });

  it("is given back in time: a request that nobody answers is forgotten", () => {
    const { knock, clock, told, reply, answers, counts } = bench({
      requestsOpenMax: 1,
      requestPatienceMs: 1000,
    });
    knock("a");
    clock.advance(998);
    knock("b");
    expect([told.length, answers]).toEqual([1, ["overloaded"]]);
    clock.advance(1);
    knock("c");
    expect([told.length, counts]).toEqual([2, ["overloaded", "request_forgotten"]]);
    reply(told[0]?.token ?? "");
    expect([answers, counts.at(-1)]).toEqual([["overloaded"], "reply_too_late"]);
  });
});

describe("a structured door", () => {
  const history: DoorAnswer = { kind: "history", entries: [], last: 3, tail: 9 };

  it("answers in the words that it is asked in: JSON", () => {
    const { knock, told, reply, bodies } = bench({}, table);
    knock(' {"after": 3}');
    expect(told).toMatchObject([{ body: { after: 3 } }]);
    reply(told[0]?.token ?? "", history);
    expect(JSON.parse(new TextDecoder().decode(bodies[0]))).toEqual({
      entries: [],
      last: 3,
      tail: 9,
    });
  });

  it("answers in the words that it is asked in: MessagePack", () => {
    const { knock, told, reply, bodies } = bench({}, table);
    knock(structured.encode({ after: 3 }));
    expect(told).toMatchObject([{ body: { after: 3 } }]);
    reply(told[0]?.token ?? "", history);
    expect(structured.decode(bodies[0] as Uint8Array)).toEqual({ entries: [], last: 3, tail: 9 });
  });

  it.each([
    ["broken JSON", value("{")],
    ["a MessagePack map that is cut off", Uint8Array.of(0x81)],
    ["text that is no UTF-8", Uint8Array.of(0x7b, 0xff, 0x7d)],
    ["nothing", new Uint8Array(0)],
  ])("refuses %s, and does not fall over", (_, payload) => {
    const { knock, told, answers } = bench({}, table);
    knock(payload);
    expect([told, answers]).toEqual([[], ["invalid"]]);
  });
});

describe("a message that came as a request", () => {
  const decide: Message = { type: "decide", key: "k", value: null, valueType: "bytes", reply: "x" };
  const incoming = (reply: string | undefined) => ({
    subject: "s",
    payload: new Uint8Array(0),
    headers: undefined,
    reply,
  });

  it("is given a token in place of what its sender wrote there", () => {
    const { doors, client, clock, answers, reply } = bench();
    client.subscribe("inbox.c1", ({ headers }) => answers.push(headers?.["Synod-Kind"]));
    const carried = doors.withToken(decide, incoming("inbox.c1"));
    expect(carried).toEqual({ ...decide, reply: expect.stringMatching(/^\d+$/) as unknown });
    reply(carried?.type === "decide" ? carried.reply : "", {
      kind: "decided",
      ballot: ballot(1),
      type: "bytes",
      value: value("v"),
      syncedBy: ["a1"],
    });
    clock.advance(1);
    expect(answers).toEqual(["decided"]);
  });

  it("finds no room beyond the bound: one more is told to ask again, and counted", () => {
    const { doors, client, clock, answers, counts } = bench({ requestsOpenMax: 1 });
    client.subscribe("inbox.c2", ({ headers }) => answers.push(headers?.["Synod-Code"]));
    expect(doors.withToken(decide, incoming("inbox.c1"))).toBeDefined();
    expect(doors.withToken(decide, incoming("inbox.c2"))).toBeUndefined();
    clock.advance(1);
    expect([answers, counts]).toEqual([["overloaded"], ["overloaded"]]);
  });

  it("that waits for no answer takes no other's, whatever token its sender wrote there", () => {
    const { doors, knock, told } = bench();
    knock("a");
    const [asked] = told;
    const forged = { ...decide, reply: asked?.token ?? "" };
    expect(doors.withToken(forged, incoming(undefined))).toEqual({ ...decide, reply: "" });
  });

  it("is left as it is if it is no wish", () => {
    const { doors } = bench();
    const propose: Message = { type: "propose", commands: [] };
    expect(doors.withToken(propose, incoming("i1"))).toBe(propose);
  });
});

describe("a door that is shut", () => {
  it.each(["shut", "ended"] as const)("finds nobody: %s", (how) => {
    const { doors, runner, knock, told, answers } = bench();
    if (how === "shut") doors.shut(runner);
    else for (const end of doors.takeEnds()) end();
    knock("a");
    expect([told, answers]).toEqual([[], ["no_responders"]]);
  });

  it("still lets out the answers to what came before", () => {
    const { doors, knock, told, reply, answers } = bench();
    knock("a");
    for (const end of doors.takeEnds()) end();
    expect(doors.waiting).toBe(1);
    reply(told[0]?.token ?? "");
    expect([answers, doors.waiting]).toEqual([["undecided"], 0]);
  });

  it("refuses what is not answered when its process ends", () => {
    const { clock, doors, knock, answers } = bench();
    knock("a");
    for (const end of doors.takeEnds()) end();
    doors.refuseWaiting();
    clock.advance(1);
    expect([answers, doors.waiting]).toEqual([["stopped"], 0]);
  });
});
