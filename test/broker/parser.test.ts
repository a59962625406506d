/**
 * Goal: what the parser reports depends on the bytes, never on how the network cut them; routing
 * agrees with the rules written down naively. Method: fast-check, with a tiny model for each.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProtocolError } from "../../src/broker/errors.js";
import { type FrameSink, Parser } from "../../src/broker/parser.js";
import { isPattern, isSubject, RoutingTable } from "../../src/broker/subjects.js";

type Frame = readonly (string | number)[];

const limits = { controlLineBytesMax: 200, payloadBytesMax: 5_000 };

/** Everything reported for these chunks; a refusal is the last entry. */
function framesOf(chunks: readonly Buffer[]): Frame[] {
  const frames: Frame[] = [];
  const sink: FrameSink = {
    connect: (options) => frames.push(["connect", options]),
    ping: () => frames.push(["ping"]),
    pong: () => frames.push(["pong"]),
    publish: (subject, reply, headerBytes, payload) =>
      frames.push(["publish", subject, reply, headerBytes, payload.toString("latin1")]),
    subscribe: (subject, queue, sid) => frames.push(["subscribe", subject, queue, sid]),
    unsubscribe: (sid, deliveredMax) => frames.push(["unsubscribe", sid, deliveredMax]),
  };
  const parser = new Parser(sink, limits);
  try {
    for (const chunk of chunks) {
      parser.push(chunk);
    }
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError);
    frames.push(["refused", (error as ProtocolError).message]);
  }
  return frames;
}

function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...cuts].map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b);
  // Copies: a chunk of its own, so that reading past its end would show.
  return [0, ...places].map((from, i) =>
    Buffer.from(bytes.subarray(from, places[i] ?? bytes.length)),
  );
}

const token = fc.stringMatching(/^[a-z0-9_*>-]{1,6}$/);
const subject = fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join("."));
const body = fc
  .oneof(
    { weight: 5, arbitrary: fc.uint8Array({ maxLength: 40 }) },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: 1_000, maxLength: 5_000 }) },
  )
  .map((bytes) => Buffer.from(bytes).toString("latin1"));
const frame: fc.Arbitrary<{ text: string; means: Frame }> = fc.oneof(
  fc.constant({ text: "PING\r\n", means: ["ping"] }),
  fc.constant({ text: "pong\n", means: ["pong"] }),
  fc.record({ subject, reply: fc.option(subject, { nil: "" }), body }).map((each) => ({
    text: `PUB ${each.subject} ${each.reply} ${each.body.length}\r\n${each.body}\r\n`,
    means: ["publish", each.subject, each.reply, 0, each.body],
  })),
  fc.record({ subject, headers: body.map((text) => text.slice(0, 40)), body }).map((each) => {
    const payload = (each.headers + each.body).slice(0, limits.payloadBytesMax);
    return {
      text: `HPUB\t${each.subject} ${each.headers.length}  ${payload.length}\r\n${payload}\r\n`,
      means: ["publish", each.subject, "", each.headers.length, payload],
    };
  }),
  fc.record({ subject, queue: fc.option(token, { nil: "" }), sid: token }).map((each) => ({
    text: `SUB ${each.subject} ${each.queue} ${each.sid} \r\n`,
    means: ["subscribe", each.subject, each.queue, each.sid],
  })),
  fc.record({ sid: token, max: fc.nat(1_000) }).map((each) => ({
    text: `unsub ${each.sid} ${each.max}\r\n`,
    means: ["unsubscribe", each.sid, each.max],
  })),
  fc.constant({ text: 'CONNECT {"a": 1}\r\n', means: ["connect", '{"a": 1}'] }),
);
const cuts = fc.array(fc.nat(20_000), { maxLength: 30 });

describe("the parser", () => {
  it("reads the same frames from any chunks", () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 12 }), cuts, (frames, places) => {
        const bytes = Buffer.from(frames.map((each) => each.text).join(""), "latin1");
        expect(framesOf(cutAt(bytes, places))).toEqual(frames.map((each) => each.means));
      }),
      { numRuns: 300 },
    );
  });

  it("refuses the same bytes at the same place from any chunks", () => {
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
      fc.constantFrom(
        "PUB a 9999\r\n",
        "PUB a 1\r\nxyz",
        "SUB a\r\n",
        `SUB ${"a".repeat(300)} 1\r\n`,
      ),
    );
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 4 }), noise, cuts, (frames, bad, places) => {
        const bytes = Buffer.from(frames.map((each) => each.text).join("") + bad, "latin1");
        expect(framesOf(cutAt(bytes, places))).toEqual(framesOf([bytes]));
      }),
      { numRuns: 300 },
    );
  });

  it("reads one byte at a time", () => {
    const text = "SUB a 1\r\nPUB a r 5\r\nhello\r\nHPUB a 2 3\r\nabc\r\nPING\r\n";
    const bytes = Buffer.from(text);
    expect(framesOf(Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)))).toEqual([
      ["subscribe", "a", "", "1"],
      ["publish", "a", "r", 0, "hello"],
      ["publish", "a", "", 2, "abc"],
      ["ping"],
    ]);
  });

  it("takes a control line of exactly the limit and not one byte more", () => {
    const line = (bytes: number) => Buffer.from(`SUB ${"a".repeat(bytes - 7)} 1\r\n`);
    expect(framesOf([line(limits.controlLineBytesMax)])[0]?.[0]).toBe("subscribe");
    expect(framesOf([line(limits.controlLineBytesMax + 1)])[0]?.[0]).toBe("refused");
  });

  it("says nothing more once stopped, also within a chunk", () => {
    let pings = 0;
    const ignore = () => {};
    const sink: FrameSink = {
      connect: ignore,
      pong: ignore,
      publish: ignore,
      subscribe: ignore,
      unsubscribe: ignore,
      ping: () => {
        pings += 1;
        parser.stopped = true;
      },
    };
    const parser = new Parser(sink, limits);
    parser.push(Buffer.from("PING\r\nPING\r\nnonsense\r\n"));
    expect(pings).toBe(1);
  });
});

describe("the routing table", () => {
  const few = fc.constantFrom("a", "b", "*", ">");
  const pattern = fc
    .array(few, { minLength: 1, maxLength: 4 })
    .map((tokens) => tokens.join("."))
    .filter((text) => isPattern(text, 8));
  const literal = fc
    .array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 4 })
    .map((tokens) => tokens.join("."));
  const step = fc.oneof(
    fc.record({ add: pattern, queue: fc.constantFrom("", "", "q", "r") }),
    fc.record({ remove: fc.nat(40) }),
    fc.record({ ask: literal }),
  );

  it("answers like the rules, through additions and removals, with a small memory", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const table = new RoutingTable<{ subject: string; queue: string }>(8, 3);
        const open: { subject: string; queue: string }[] = [];
        for (const each of steps) {
          if ("add" in each) {
            const subscription = { subject: each.add, queue: each.queue };
            open.push(subscription);
            table.add(subscription);
          } else if ("remove" in each) {
            const [subscription] = open.splice(each.remove % (open.length + 1), 1);
            if (subscription !== undefined) {
              table.remove(subscription);
              table.remove(subscription);
            }
          } else {
            const route = table.route(each.ask)!;
            const hearing = open.filter((one) => hears(one.subject, each.ask));
            expect(new Set(route.everyone)).toEqual(new Set(hearing.filter((one) => !one.queue)));
            expect(route.everyone.length).toBe(hearing.filter((one) => !one.queue).length);
            for (const queue of ["q", "r"]) {
              const members = route.groups.find((group) => group.queue === queue)?.members ?? [];
              expect(new Set(members)).toEqual(
                new Set(hearing.filter((one) => one.queue === queue)),
              );
            }
            expect(table.cached).toBeLessThanOrEqual(3);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ["a", true, true],
    ["a.b-c_d.$x", true, true],
    ["a*b.c>", true, true],
    ["a.*", false, true],
    ["*.a", false, true],
    ["a.>", false, true],
    [">", false, true],
    ["a.>.b", false, false],
    ["", false, false],
    [".", false, false],
    ["a.", false, false],
    [".a", false, false],
    ["a..b", false, false],
    ["a b", false, false],
    ["a\u0000b", false, false],
    ["a.b.c.d.e", false, false],
  ])("judges %j: to publish %s, to subscribe %s", (text, publish, subscribe) => {
    expect([isSubject(text, 4), isPattern(text, 4)]).toEqual([publish, subscribe]);
  });
});

/** The rules, naively. */
function hears(pattern: string, subject: string): boolean {
  const expression = pattern
    .split(".")
    .map((each) => (each === "*" ? "[^.]+" : each === ">" ? ".+" : each))
    .join("\\.");
  return new RegExp(`^${expression}$`).test(subject);
}
