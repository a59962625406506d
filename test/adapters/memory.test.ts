/** What only the deterministic twin of the bus can do: interfere with deliveries, repeat a run. */
import { describe, expect, test } from "vitest";
import type { Delivery } from "../../src/adapters/memory/bus.js";
import { createVirtualClock } from "../../src/adapters/memory/clock.js";
import { createSeededRandom } from "../../src/adapters/memory/random.js";
import { createMemoryBus } from "../../src/adapters/memory/transport.js";
import type { Answer, Transport, TransportStatus } from "../../src/kernel/ports.js";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (content: string) => new TextEncoder().encode(content);
const empty = new Uint8Array(0);

function open() {
  const clock = createVirtualClock();
  const bus = createMemoryBus(clock);
  const [a, b] = [bus.connect("a"), bus.connect("b")] as const;
  const heard: string[] = [];
  b.subscribe("to.b", ({ payload }) => void heard.push(`${clock.nowMs()} ${text(payload)}`));
  return { clock, bus, a, b, heard };
}

describe("intercept", () => {
  test("loses, repeats and delays single deliveries", () => {
    const { clock, bus, a, heard } = open();
    const fates: Record<string, number[]> = { lost: [], twice: [0, 0], late: [30], both: [0, 10] };
    const seen: Delivery[] = [];
    const end = bus.intercept((delivery) => {
      seen.push(delivery);
      return fates[text(delivery.message.payload)];
    });
    for (const what of ["lost", "late", "twice", "both", "usual"]) {
      a.publish("to.b", bytes(what));
    }
    clock.advance(50);
    expect(heard).toEqual(["0 twice", "0 twice", "0 both", "0 usual", "10 both", "30 late"]);
    expect(seen[0]).toMatchObject({ from: "a", to: "b", message: { subject: "to.b" } });
    end();
    a.publish("to.b", bytes("lost"));
    clock.runSoon();
    expect(heard.at(-1)).toBe("50 lost");
  });

  test("changes the bytes of one delivery and leaves what was published alone", () => {
    const { clock, bus, a, heard } = open();
    const published = bytes("whole");
    bus.intercept(({ message }) => {
      const payload = message.payload.slice();
      payload[0] = (payload[0] as number) ^ 0x20;
      return [0, { delayMs: 5, payload }];
    });
    a.publish("to.b", published);
    clock.advance(10);
    expect(heard).toEqual(["0 whole", "5 Whole"]);
    expect(text(published)).toBe("whole");
  });

  test("the first who answers decides; the server's 503 is a delivery too", () => {
    const { clock, bus, a, heard } = open();
    bus.intercept(({ from }) => (from === undefined ? [] : undefined));
    bus.intercept(() => [5]);
    bus.intercept(() => []);
    a.publish("to.b", bytes("x"));
    const answers: Answer[] = [];
    a.request("nobody", empty, { timeoutMs: 40 }, (answer) => void answers.push(answer));
    clock.advance(39);
    expect([heard, answers]).toEqual([["5 x"], []]);
    clock.advance(1);
    expect(answers).toEqual([{ kind: "timeout" }]);
  });

  test("what is under way is lost when its receiver's connection is cut", () => {
    const { clock, bus, a, b, heard } = open();
    bus.intercept(() => [10]);
    a.publish("to.b", bytes("lost"));
    b.disconnect();
    b.disconnect();
    clock.advance(5);
    b.reconnect();
    a.publish("to.b", bytes("found"));
    clock.advance(20);
    expect(heard).toEqual(["15 found"]);
  });
});

test("queue members take turns", () => {
  const { clock, bus, a } = open();
  const turns: string[] = [];
  for (const name of ["x", "y", "z"]) {
    bus.connect(name).subscribe("work", () => void turns.push(name), { queue: "q" });
  }
  for (let i = 0; i < 7; i += 1) {
    a.publish("work", empty);
  }
  clock.runSoon();
  expect(turns.join("")).toBe("xyzxyzx");
});

test("denied: told, counted, asked again after a reconnection", () => {
  const { clock, bus } = open();
  let isStrict = true;
  const denies = (operation: string, subject: string) => isStrict && subject === `no.${operation}`;
  const link = bus.connect("c", { denies });
  const statuses: TransportStatus[] = [];
  const end = link.onStatus((status) => void statuses.push(status));
  let heardCount = 0;
  link.subscribe("no.subscribe", () => {
    heardCount += 1;
  });
  link.publish("no.publish", empty);
  clock.runSoon();
  expect(statuses).toEqual([
    { kind: "denied", operation: "subscribe", subject: "no.subscribe" },
    { kind: "denied", operation: "publish", subject: "no.publish" },
  ]);
  end();
  isStrict = false;
  link.disconnect();
  link.reconnect();
  link.publish("no.subscribe", empty);
  clock.runSoon();
  expect([heardCount, link.dropped.denied, statuses.length]).toEqual([1, 1, 2]);
});

test("denied: a request ends with the subject that is forbidden", () => {
  const { clock, bus } = open();
  const kinds: Answer[] = [];
  const ask = (link: Transport, subject: string) =>
    link.request(subject, empty, { timeoutMs: 60_000 }, (answer) => void kinds.push(answer));
  ask(bus.connect("mute", { denies: (_, subject) => subject === "no.way" }), "no.way");
  const deaf = bus.connect("deaf", { denies: (operation) => operation === "subscribe" });
  ask(deaf, "yes");
  expect(kinds).toEqual([]);
  clock.runSoon();
  const inbox = expect.stringMatching(/^_INBOX\.\d+\.\*$/);
  expect(kinds).toEqual([
    { kind: "denied", operation: "publish", subject: "no.way" },
    { kind: "denied", operation: "subscribe", subject: inbox },
  ]);
});

test("denied: tried again while the connection stands, with growing pauses", () => {
  const { clock, bus } = open();
  let isStrict = true;
  const link = bus.connect("c", { denies: () => isStrict });
  const kinds: string[] = [];
  link.onStatus(({ kind }) => void kinds.push(kind));
  const end = link.subscribe("no.subscribe", () => {});
  clock.advance(250 + 500);
  expect(kinds).toEqual(["denied", "denied", "denied"]);
  isStrict = false;
  clock.advance(1_000);
  expect(kinds.slice(3)).toEqual(["granted"]);
  end();
  isStrict = true;
  link.subscribe("no.subscribe", () => {})();
  clock.advance(60_000);
  expect(kinds.slice(4)).toEqual(["denied"]);
});

test("a listener that throws: the message is reported, the next one arrives", () => {
  const { clock, bus } = open();
  const link = bus.connect("c");
  const statuses: TransportStatus[] = [];
  link.onStatus((status) => void statuses.push(status));
  let heardCount = 0;
  link.subscribe("throw", () => {
    heardCount += 1;
    if (heardCount === 1) throw new Error("cannot read this");
  });
  link.publish("throw", empty, { reply: "some.where" });
  link.publish("throw", empty);
  clock.runSoon();
  expect(heardCount).toBe(2);
  expect(statuses).toMatchObject([{ kind: "unread", message: { reply: "some.where" } }]);
});

test("one that vanished is never called again, and the server knows", () => {
  const { clock, a, b, heard } = open();
  const called: string[] = [];
  b.onStatus(({ kind }) => void called.push(kind));
  b.request("to.b", empty, { timeoutMs: 10 }, ({ kind }) => void called.push(kind));
  a.publish("to.b", bytes("lost"));
  b.vanish();
  const answers: Answer[] = [];
  a.request("to.b", empty, { timeoutMs: 10 }, (answer) => void answers.push(answer));
  clock.advance(20);
  expect([heard, called, answers]).toEqual([[], [], [{ kind: "no_responders" }]]);
  expect(clock.timerCount).toBe(0);
});

test("a stopped server cuts all; who connects meanwhile waits for it", () => {
  const { clock, bus, a, heard } = open();
  bus.stop();
  const late = bus.connect("late");
  const kinds: string[] = [];
  late.onStatus(({ kind }) => void kinds.push(kind));
  expect([a.connected, late.connected]).toEqual([false, false]);
  bus.start();
  late.publish("to.b", bytes("x"));
  clock.runSoon();
  expect([heard, kinds]).toEqual([["0 x"], ["connected"]]);
});

test("the same seed gives the same run", () => {
  const run = (seed: number) => {
    const clock = createVirtualClock();
    const bus = createMemoryBus(clock);
    const random = createSeededRandom(seed);
    bus.intercept(() => Array.from({ length: random.integer(3) }, () => random.integer(20)));
    const trace: string[] = [];
    const links = ["a", "b", "c"].map((name) => bus.connect(name));
    for (const link of links) {
      link.subscribe("all.*", ({ subject, payload }) => {
        trace.push(`${clock.nowMs()} ${link.name} ${subject}`);
        if (payload.length < 4) {
          link.publish(`all.${link.name}`, new Uint8Array(payload.length + 1));
        }
      });
    }
    links[0]?.publish("all.start", empty);
    clock.advance(1_000);
    return trace.join("\n");
  };
  expect(run(3)).toBe(run(3));
  expect(run(3)).not.toBe(run(4));
  expect(run(3).length).toBeGreaterThan(100);
});
