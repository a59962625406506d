/**
 * The contract of the bus, for every adapter.
 *
 * Method: a bench says how to connect and how time passes, for the twin by its clock, for a server
 * by waiting. Each test uses subjects of its own, so that one server serves all.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type {
  Answer,
  Headers,
  Incoming,
  Transport,
  TransportStatus,
} from "../../src/kernel/ports.js";

/** A transport that a test can end. */
export interface TestTransport extends Transport {
  readonly dropped: Readonly<Record<"disconnected" | "closed" | "too_large" | "invalid", number>>;
  close(): Promise<void>;
}

/** One way to have a bus. */
export interface TransportBench {
  connect(name: string, options?: { readonly noEcho: boolean }): Promise<TestTransport>;
  /** Lets time pass until a promise is settled. */
  run<T>(promise: Promise<T>): Promise<T>;
  /** Lets time pass, up to a few seconds, until a condition holds. */
  until(isDone: () => boolean): Promise<void>;
  /** Ends the server; every connection is cut. */
  stopServer(): Promise<void>;
  /** Brings it back at the same address. */
  startServer(): Promise<void>;
  close(): Promise<void>;
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (content: string) => new TextEncoder().encode(content);
const empty = new Uint8Array(0);

/** What was heard, as text. */
class Ear {
  readonly messages: Incoming[] = [];
  readonly hear = (message: Incoming) => void this.messages.push(message);
  get texts(): string[] {
    return this.messages.map((message) => text(message.payload));
  }
}

/** Declares the tests of one adapter. */
export function transportSuite(name: string, open: () => Promise<TransportBench>): void {
  describe(`transport: ${name}`, () => {
    let bench: TransportBench;
    let a: TestTransport;
    let b: TestTransport;
    let c: TestTransport;
    let count = 0;
    /** A prefix nobody else uses. */
    const fresh = () => {
      count += 1;
      return `t.${name.replace(/\W/g, "")}${count}`;
    };
    /** Until the server has seen what each did, and each what the server sent. */
    const settle = async () => {
      await bench.run(Promise.all([a.flush(), b.flush(), c.flush()]));
      await bench.run(Promise.all([a.flush(), b.flush(), c.flush()]));
    };
    const ask = (
      from: Transport,
      subject: string,
      options: { timeoutMs?: number; headers?: Headers; payload?: Uint8Array } = {},
    ) => {
      const answers: Answer[] = [];
      const { timeoutMs = 2_000, headers, payload = empty } = options;
      from.request(subject, payload, { timeoutMs, headers }, (answer) => void answers.push(answer));
      expect(answers).toEqual([]);
      return answers;
    };

    beforeAll(async () => {
      bench = await open();
      a = await bench.connect("a");
      b = await bench.connect("b");
      c = await bench.connect("c");
    });
    afterAll(async () => {
      await Promise.all([a, b, c].map((each) => bench.run(each.close())));
      await bench.close();
    });

    test("a message arrives as it was sent, never within the call", async () => {
      const [subject, ear] = [fresh(), new Ear()];
      b.subscribe(subject, ear.hear);
      await settle();
      a.publish(subject, Uint8Array.of(0, 13, 10, 255));
      a.publish(subject, empty);
      expect(ear.messages).toHaveLength(0);
      await bench.until(() => ear.messages.length === 2);
      expect([...(ear.messages[0]?.payload ?? [])]).toEqual([0, 13, 10, 255]);
      expect(ear.messages[0]).toMatchObject({ subject, headers: undefined, reply: undefined });
      expect(ear.messages[1]?.payload).toHaveLength(0);
    });

    test("wildcards: * is one token, > one or more", async () => {
      const prefix = fresh();
      const patterns = ["x.y", "x.*", "*.y", "x.>", ">", "*.*", "*", "x.*.z"];
      const heard: Record<string, string[]> = {};
      for (const pattern of patterns) {
        heard[pattern] = [];
        b.subscribe(`${prefix}.${pattern}`, (message) => {
          heard[pattern]?.push(message.subject.slice(prefix.length + 1));
        });
      }
      await settle();
      for (const subject of ["x", "x.y", "x.y.z", "q.y"]) {
        a.publish(`${prefix}.${subject}`, empty);
      }
      await settle();
      expect(heard).toEqual({
        "x.y": ["x.y"],
        "x.*": ["x.y"],
        "*.y": ["x.y", "q.y"],
        "x.>": ["x.y", "x.y.z"],
        ">": ["x", "x.y", "x.y.z", "q.y"],
        "*.*": ["x.y", "q.y"],
        "*": ["x"],
        "x.*.z": ["x.y.z"],
      });
    });

    test("what one sends to one arrives in order, over all subjects", async () => {
      const [prefix, ear] = [fresh(), new Ear()];
      b.subscribe(`${prefix}.>`, ear.hear);
      await settle();
      for (let i = 0; i < 500; i += 1) {
        a.publish(`${prefix}.s${i % 7}`, bytes(String(i)));
      }
      await bench.until(() => ear.messages.length === 500);
      expect(ear.texts).toEqual(Array.from({ length: 500 }, (_, i) => String(i)));
    });

    test("payloads stay what they were while they are referenced", async () => {
      const [subject, ear] = [fresh(), new Ear()];
      b.subscribe(subject, ear.hear);
      await settle();
      for (let i = 0; i < 100; i += 1) {
        a.publish(subject, new Uint8Array(2_000).fill(i));
      }
      await bench.until(() => ear.messages.length === 100);
      const changed = ear.messages.filter(({ payload }, i) => payload.some((byte) => byte !== i));
      expect(changed).toEqual([]);
    });

    test("of a queue group one hears each message; who is in none hears all", async () => {
      const [prefix, ears, all] = [fresh(), [new Ear(), new Ear(), new Ear()], new Ear()];
      const others = new Ear();
      a.subscribe(`${prefix}.w`, ears[0]!.hear, { queue: "q" });
      b.subscribe(`${prefix}.w`, ears[1]!.hear, { queue: "q" });
      // A group goes by its name, not by the subject.
      c.subscribe(`${prefix}.*`, ears[2]!.hear, { queue: "q" });
      c.subscribe(`${prefix}.w`, others.hear, { queue: "r" });
      c.subscribe(`${prefix}.w`, all.hear);
      await settle();
      for (let i = 0; i < 60; i += 1) {
        a.publish(`${prefix}.w`, bytes(String(i)));
      }
      await settle();
      const sum = ears.reduce((total, ear) => total + ear.messages.length, 0);
      expect([sum, others.messages.length, all.messages.length]).toEqual([60, 60, 60]);
      expect(new Set(ears.flatMap((ear) => ear.texts)).size).toBe(60);
      expect(ears.every((ear) => ear.messages.length > 0)).toBe(true);
    });

    test("headers arrive; an empty record is none", async () => {
      const [subject, ear] = [fresh(), new Ear()];
      b.subscribe(subject, ear.hear);
      await settle();
      a.publish(subject, bytes("1"), { headers: { "Synod-Type": "json", "x-Mixed_1": "a: b" } });
      a.publish(subject, bytes("2"), { headers: {} });
      a.publish(subject, bytes("3"), { headers: undefined, reply: "some.where" });
      await bench.until(() => ear.messages.length === 3);
      expect(ear.texts).toEqual(["1", "2", "3"]);
      expect(ear.messages.map((message) => message.headers)).toEqual([
        { "Synod-Type": "json", "x-Mixed_1": "a: b" },
        undefined,
        undefined,
      ]);
      expect(ear.messages[2]?.reply).toBe("some.where");
    });

    test("who publishes hears it too, if subscribed", async () => {
      const [subject, ear] = [fresh(), new Ear()];
      a.subscribe(subject, ear.hear);
      a.publish(subject, bytes("own"));
      await bench.until(() => ear.messages.length === 1);
    });

    test("an ended subscription hears nothing, also of what is under way", async () => {
      const [subject, ear, witness] = [fresh(), new Ear(), new Ear()];
      const end = b.subscribe(subject, (message) => {
        ear.hear(message);
        end();
      });
      c.subscribe(subject, witness.hear);
      await settle();
      for (let i = 0; i < 5; i += 1) {
        a.publish(subject, empty);
      }
      await settle();
      end();
      a.publish(subject, empty);
      await settle();
      expect([ear.messages.length, witness.messages.length]).toEqual([1, 6]);
    });

    test("without a subscriber the server answers where an answer is awaited", async () => {
      const [subject, ear] = [fresh(), new Ear()];
      b.subscribe(`${subject}.back`, ear.hear);
      a.subscribe(`${subject}.back`, ear.hear);
      await settle();
      a.publish(`${subject}.nobody`, bytes("x"), { reply: `${subject}.back` });
      await settle();
      expect(ear.messages).toHaveLength(1);
      expect(ear.messages[0]).toMatchObject({ subject: `${subject}.back`, reply: undefined });
      // nats-server 2.12 and later add `Nats-Subject`.
      expect(ear.messages[0]?.headers).toMatchObject({ Status: "503" });
      expect(ear.messages[0]?.payload).toHaveLength(0);
    });

    describe("request", () => {
      test("is answered once, with what was sent", async () => {
        const subject = fresh();
        b.subscribe(subject, ({ payload, headers, reply = "" }) => {
          b.publish(reply, bytes(`${text(payload)}!`), { headers: { ...headers, by: "b" } });
          b.publish(reply, bytes("again"));
        });
        await settle();
        const answers = ask(a, subject, { payload: bytes("hi"), headers: { n: "1" } });
        await bench.until(() => answers.length > 0);
        await settle();
        expect(answers).toHaveLength(1);
        const answer = answers[0];
        const message = answer?.kind === "answer" ? answer.message : undefined;
        expect(text(message?.payload ?? empty)).toBe("hi!");
        expect(message?.headers).toEqual({ n: "1", by: "b" });
      });

      test("many at once keep their answers apart", async () => {
        const subject = fresh();
        b.subscribe(subject, ({ payload, reply = "" }) => b.publish(reply, payload));
        await settle();
        const asked = Array.from({ length: 50 }, (_, i) =>
          ask(a, subject, { payload: bytes(String(i)) }),
        );
        await bench.until(() => asked.every((answers) => answers.length === 1));
        const got = asked.map(([answer]) =>
          answer?.kind === "answer" ? text(answer.message.payload) : answer?.kind,
        );
        expect(got).toEqual(Array.from({ length: 50 }, (_, i) => String(i)));
      });

      test("an empty answer with headers is an answer", async () => {
        const subject = fresh();
        b.subscribe(subject, ({ reply = "" }) => {
          b.publish(reply, empty, { headers: { Status: "503" } });
        });
        await settle();
        const answers = ask(a, subject);
        await bench.until(() => answers.length > 0);
        expect(answers[0]?.kind).toBe("answer");
      });

      test("nobody there: no_responders, at once", async () => {
        const answers = ask(a, fresh());
        await settle();
        expect(answers).toEqual([{ kind: "no_responders" }]);
      });

      test("no answer: timeout; one that is late is nobody's", async () => {
        const subject = fresh();
        const replies: string[] = [];
        b.subscribe(subject, ({ reply = "" }) => void replies.push(reply));
        await settle();
        const answers = ask(a, subject, { timeoutMs: 40 });
        await bench.until(() => answers.length > 0);
        expect(answers).toEqual([{ kind: "timeout" }]);
        b.publish(replies[0] ?? "", bytes("late"));
        await settle();
        expect(answers).toHaveLength(1);
      });

      test("one that cannot be sent runs into its time", async () => {
        const payload = new Uint8Array(a.payloadBytesMax + 1);
        const answers = ask(a, fresh(), { timeoutMs: 20, payload });
        await bench.until(() => answers.length > 0);
        expect(answers).toEqual([{ kind: "timeout" }]);
      });
    });

    test("the largest payload passes; a larger one is dropped and counted", async () => {
      const [subject, ear] = [fresh(), new Ear()];
      const before = a.dropped.too_large;
      b.subscribe(subject, ear.hear);
      await settle();
      a.publish(subject, new Uint8Array(a.payloadBytesMax + 1));
      a.publish(subject, new Uint8Array(a.payloadBytesMax), { headers: { counts: "too" } });
      a.publish(subject, new Uint8Array(a.payloadBytesMax));
      await bench.until(() => ear.messages.length === 1);
      expect(ear.messages[0]?.payload).toHaveLength(a.payloadBytesMax);
      expect(a.dropped.too_large - before).toBe(2);
      expect(a.payloadBytesMax).toBeGreaterThanOrEqual(65_536);
    });

    test("what would be read as another command is not sent", async () => {
      const [subject, ear] = [fresh(), new Ear()];
      const before = a.dropped.invalid;
      b.subscribe(`${subject}.>`, ear.hear);
      b.subscribe(`${subject} bad`, ear.hear);
      await settle();
      a.publish("", empty);
      a.publish(`${subject}.x y`, empty);
      a.publish(`${subject}.x`, empty, { reply: "a b" });
      a.publish(`${subject}.x`, empty, { headers: { name: "one\r\ntwo" } });
      a.publish(`${subject}.ok`, empty);
      await settle();
      expect(ear.messages.map((message) => message.subject)).toEqual([`${subject}.ok`]);
      expect(a.dropped.invalid - before).toBe(4);
    });

    test("drain delivers what is under way, sends what was published, then closes", async () => {
      const [subject, ear] = [fresh(), new Ear()];
      const d = await bench.connect("d");
      const statuses: TransportStatus[] = [];
      d.onStatus((status) => void statuses.push(status));
      d.subscribe(subject, ({ reply = "" }) => d.publish(reply, bytes("answer")));
      b.subscribe(`${subject}.out`, ear.hear);
      await bench.run(d.flush());
      await settle();
      for (let i = 0; i < 200; i += 1) {
        d.publish(`${subject}.out`, bytes(String(i)));
      }
      await bench.run(d.drain());
      await settle();
      expect(ear.messages).toHaveLength(200);
      await bench.until(() => statuses.some((status) => status.kind === "closed"));
      expect(statuses.at(-1)).toEqual({ kind: "closed", reason: undefined });
      expect(d.connected).toBe(false);
    });

    test("after the end nothing throws and nothing happens", async () => {
      const [subject, ear] = [fresh(), new Ear()];
      const d = await bench.connect("d");
      d.subscribe(subject, ear.hear);
      await bench.run(d.close());
      await bench.run(d.close());
      await bench.run(d.drain());
      d.publish(subject, empty);
      d.subscribe(subject, ear.hear)();
      const answers = ask(d, subject);
      a.publish(subject, empty);
      await settle();
      await bench.until(() => answers.length > 0);
      expect(answers).toEqual([{ kind: "disconnected" }]);
      await expect(bench.run(d.flush())).rejects.toThrow("disconnected");
      expect(ear.messages).toHaveLength(0);
      expect(d.dropped.closed).toBe(2);
    });

    test("a lost server: told, requests end, publishing is lost, all is resumed", async () => {
      const [subject, ear] = [fresh(), new Ear()];
      const statuses: TransportStatus[] = [];
      const end = a.onStatus((status) => void statuses.push(status));
      b.subscribe(subject, ear.hear);
      await settle();
      const answers = ask(a, subject, { timeoutMs: 20_000 });
      await bench.until(() => ear.messages.length === 1);
      await bench.stopServer();
      await bench.until(() => answers.length > 0 && ![a, b, c].some((each) => each.connected));
      expect(answers).toEqual([{ kind: "disconnected" }]);
      await bench.until(() => statuses.length > 0);
      expect(statuses).toEqual([{ kind: "disconnected" }]);
      a.publish(subject, bytes("lost"));
      const asked = ask(a, subject);
      await expect(bench.run(a.flush())).rejects.toThrow("disconnected");
      await bench.until(() => asked.length > 0);
      expect(asked).toEqual([{ kind: "disconnected" }]);
      await bench.startServer();
      await bench.until(() => [a, b, c].every((each) => each.connected));
      await settle();
      expect(statuses.map((status) => status.kind)).toEqual(["disconnected", "connected"]);
      end();
      a.publish(subject, bytes("found"));
      await bench.until(() => ear.messages.length === 2);
      expect(ear.texts).toEqual(["", "found"]);
      const again = ask(a, fresh());
      await settle();
      expect(again).toEqual([{ kind: "no_responders" }]);
      expect(a.dropped.disconnected).toBeGreaterThanOrEqual(2);
    });
  });
}
