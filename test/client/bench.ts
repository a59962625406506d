/**
 * A client on the memory bus under a virtual clock, and those it talks to, played by the test.
 *
 * Promises need turns of their own between moves of the clock: `Bench.run` gives both.
 */

import { createVirtualClock, type VirtualClock } from "../../src/adapters/memory/clock.js";
import { createSeededRandom } from "../../src/adapters/memory/random.js";
import {
  createMemoryBus,
  type MemoryBus,
  type MemoryTransport,
} from "../../src/adapters/memory/transport.js";
import { createCodec } from "../../src/adapters/msgpackr/codec.js";
import type { Client } from "../../src/client/client.js";
import { type OpenOptions, openClient } from "../../src/client/connect.js";
import { encodeAnswer } from "../../src/kernel/answer.js";
import { parseSubject, subjectOf } from "../../src/kernel/bus/subject.js";
import type { DoorAnswer, FeedEntry } from "../../src/kernel/effect.js";
import type { Codec, Incoming, Transport } from "../../src/kernel/ports.js";
import type { Cluster } from "../../src/paxos/cluster.js";
import { SessionTable } from "../../src/paxos/log/session.js";
import type {
  ClientRequests,
  Message,
  OpenSession,
  Refused,
} from "../../src/paxos/wire/messages.js";
import { ballot, sender, testCluster } from "../support/steps.js";

const space = { prefix: "synod", cluster: "test" };

const NOTHING_SENT = { bytesMax: null, mayHaveHappened: false, last: null };

/** Rejections and results of a call, looked at while the clock is moved by hand. */
export class Watched<T> {
  value: T | undefined;
  error: unknown;
  isSettled = false;

  constructor(promise: Promise<T>) {
    promise.then(
      (value) => {
        this.value = value;
        this.isSettled = true;
      },
      (error: unknown) => {
        this.error = error;
        this.isSettled = true;
      },
    );
  }
}

/** The bus, the clock, and a client. */
export class Bench {
  readonly clock: VirtualClock;
  readonly bus: MemoryBus;
  readonly cluster: Cluster;
  readonly codec: Codec;
  link!: MemoryTransport;
  #links = 0;

  constructor(cluster = testCluster(), clock = createVirtualClock(), bus?: MemoryBus) {
    this.cluster = cluster;
    this.clock = clock;
    this.bus = bus ?? createMemoryBus(this.clock);
    this.codec = createCodec(cluster);
  }

  /** Answers one control question as a worker does. */
  answer(question: string, told: () => unknown): Transport {
    const transport = this.bus.connect(`control ${question}`);
    transport.subscribe(`synod.test.ctl.${question}`, ({ reply }) => {
      const payload = new TextEncoder().encode(JSON.stringify(told()));
      if (reply !== undefined) {
        transport.publish(reply, payload, { headers: { "Synod-Reply": "1" } });
      }
    });
    return transport;
  }

  /** Opens a client. */
  async open(options: Partial<OpenOptions> = {}): Promise<Client> {
    const told = this.answer("cluster", () => this.cluster);
    this.link = this.bus.connect(`client ${++this.#links}`);
    const client = await this.run(this.dial(options));
    await this.run(told.drain());
    return client;
  }

  /** Begins to open a client on the link. */
  dial(options: Partial<OpenOptions> = {}): Promise<Client> {
    this.link ??= this.bus.connect("client");
    const ports = {
      transport: this.link,
      clock: this.clock,
      random: createSeededRandom(`client ${this.#links}`),
      createCodec,
    };
    return openClient(ports, { cluster: "test", ...options });
  }

  /** Moves the clock from timer to timer until a promise is settled. */
  async run<T>(promise: Promise<T>, msMax = 120_000): Promise<T> {
    const watched = new Watched(promise);
    await this.until(() => watched.isSettled, msMax);
    return promise;
  }

  /** Moves the clock until something holds. */
  async until(holds: () => boolean, msMax = 120_000): Promise<void> {
    const untilMs = this.clock.nowMs() + msMax;
    for (;;) {
      await this.settle();
      if (holds()) return;
      const next = this.clock.nextTimerMs;
      if (next === undefined || next > untilMs) throw new Error(`not within ${msMax} ms`);
      this.clock.advance(next - this.clock.nowMs());
    }
  }

  /** Lets time pass, timer by timer. */
  async wait(ms: number): Promise<void> {
    const untilMs = this.clock.nowMs() + ms;
    for (;;) {
      await this.settle();
      const next = this.clock.nextTimerMs;
      if (next === undefined || next > untilMs) break;
      this.clock.advance(next - this.clock.nowMs());
    }
    this.clock.advance(untilMs - this.clock.nowMs());
    await this.settle();
  }

  /** Runs what is due now: callbacks, and what promises do with them. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 4; quiet++) {
      if (this.clock.soonCount > 0) quiet = 0;
      this.clock.runSoon();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** The log as all gateways of a test see it: the real rules of sessions. */
export class FakeLog {
  readonly table: SessionTable;
  /** The first byte of each body that took effect, in order. */
  readonly bodies: Uint8Array[] = [];

  constructor(cluster: Cluster) {
    this.table = new SessionTable(cluster.limits);
  }
}

/** A gateway that decides by itself. */
export class FakeGateway {
  readonly id: string;
  readonly transport: MemoryTransport;
  /** Numbers in the order they were heard, repeats included. */
  readonly heard: number[] = [];
  /** What it answers instead of serving; null: it serves; "silent": nothing. */
  refuses: ((message: ClientRequests) => Refused["code"] | "silent" | null) | null = null;
  opened = 0;
  /** Serves, and tells nobody. */
  isMute = false;
  /** The most numbers between the lowest unanswered and the highest sent one, both counted. */
  widestSpan = 0;
  readonly #bench: Bench;
  readonly #log: FakeLog;

  constructor(bench: Bench, id: string, log: FakeLog) {
    this.id = id;
    this.#bench = bench;
    this.#log = log;
    this.transport = bench.bus.connect(`gateway ${id}`);
    const hear = (incoming: Incoming) => this.#hear(incoming);
    for (const verb of ["open-session", "request", "end-session"] as const) {
      this.transport.subscribe(subjectOf(space, "gateway", verb, id, "*"), hear);
    }
    const all = subjectOf(space, "gateway", "open-session", "all", "*");
    this.transport.subscribe(all, hear, { queue: "gateway" });
  }

  #hear({ subject, payload }: Incoming): void {
    const route = parseSubject(space, subject);
    const decoded = this.#bench.codec.decode(route?.verb ?? "", payload);
    if (route === undefined || "fault" in decoded) throw new Error("the client wrote nonsense");
    const { message } = decoded;
    if (decoded.sender.id !== route.fromId) throw new Error("the client lies about its name");
    if (message.type === "open-session") this.#open(route.fromId, message);
    if (message.type === "request") this.#serve(route.fromId, message);
    if (message.type === "end-session") {
      this.#log.table.end({ ...message, kind: "end", gateway: this.id });
    }
  }

  #open(client: string, { session, fresh }: OpenSession): void {
    this.opened++;
    const openedIn = fresh ? this.#log.table.open(session, this.opened) : null;
    this.say(client, { type: "session-opened", session, openedIn, leaderGateway: null });
  }

  #serve(client: string, message: ClientRequests): void {
    const { session, openedIn, answeredBelow } = message;
    this.heard.push(...message.requests.map(({ number }) => number));
    const highest = message.requests.at(-1)?.number ?? 0;
    this.widestSpan = Math.max(this.widestSpan, highest - answeredBelow + 1);
    const code = this.refuses?.(message) ?? null;
    if (code === "silent") return;
    const first = message.requests[0]?.number ?? 1;
    if (code !== null) {
      const refused = { type: "refused" as const, session, fromNumber: first, code };
      this.say(client, { ...refused, retryAfterMs: 50, ...NOTHING_SENT });
      return;
    }
    const told = [];
    const { table, bodies } = this.#log;
    for (const { number, id, valueType: type, body } of message.requests) {
      const gateway = this.id;
      const request = { kind: "request" as const, session, openedIn, number, answeredBelow };
      const whole = { ...request, gateway, id, type, body };
      const verdict = table.judge(whole);
      if (verdict.kind === "expired") {
        const { last } = verdict;
        const refused = { type: "refused" as const, session, fromNumber: 1, retryAfterMs: 0 };
        this.say(client, { ...refused, code: "session_expired", ...NOTHING_SENT, last });
        return;
      }
      if (verdict.kind === "effect") {
        bodies.push(body.slice());
        const result = {
          position: bodies.length,
          slot: bodies.length - 1,
          ballot: ballot(1),
          syncedBy: ["a1", "a2"],
        };
        table.record(whole, result);
        told.push({ number, ...result });
      } else if (verdict.kind === "repeat" && verdict.result !== null) {
        told.push({ number, ...verdict.result });
      }
    }
    if (told.length > 0 && !this.isMute)
      this.say(client, { type: "results", session, results: told, leaderGateway: null });
  }

  /** Says something to a client. */
  say(client: string, message: Message): void {
    const payload = this.#bench.codec.encode(sender("gateway", this.id), 1, message);
    const subject = subjectOf(space, "session", message.type, client, this.id);
    this.transport.publish(subject, payload);
  }
}

/** A learner that publishes and answers what the test wants. */
export class FakeLearner {
  readonly transport: MemoryTransport;
  readonly id: string;
  /** All there is, by position − 1. */
  readonly entries: FeedEntry[];
  firstPosition = 1;
  asked = 0;
  isDeaf = false;
  /** It reads the log again, and has come to this position; null: it has caught up. */
  cameTo: number | null = null;

  constructor(bench: Bench, id: string, entries: FeedEntry[]) {
    this.id = id;
    this.entries = entries;
    this.transport = bench.bus.connect(`learner ${id}`);
    const hear = (incoming: Incoming) => this.#history(incoming);
    this.transport.subscribe("synod.test.history", hear, { queue: "learner" });
  }

  /** Publishes one entry on the feed, as `Feed` does. */
  publish(entry: FeedEntry): void {
    const headers = {
      "Synod-Position": String(entry.position),
      "Synod-Slot": String(entry.slot),
      "Synod-Ballot": `${entry.ballot.round}.${entry.ballot.owner}`,
      "Synod-Type": entry.type,
      "Synod-Synced-By": entry.syncedBy.join(","),
    };
    this.transport.publish(`synod.test.chosen.${this.id}`, entry.body, { headers });
  }

  #history({ payload, reply }: Incoming): void {
    this.asked++;
    if (this.isDeaf || reply === undefined) return;
    const { after, max } = JSON.parse(new TextDecoder().decode(payload)) as {
      after: number;
      max: number;
    };
    const { headers, payload: body } = encodeAnswer(this.#answer(after, Math.min(max, 100)));
    this.transport.publish(reply, body, { headers });
  }

  #answer(after: number, max: number): DoorAnswer {
    const tail = this.cameTo ?? this.entries.length;
    if (after + 1 < this.firstPosition) {
      return {
        kind: "refused",
        code: "trimmed",
        message: `positions below ${this.firstPosition} are not kept`,
        mayHaveHappened: false,
        firstPosition: this.firstPosition,
      };
    }
    const known = this.cameTo === null ? this.entries : this.entries.slice(0, this.cameTo);
    const entries = known.slice(after, after + max);
    if (this.cameTo !== null && entries.length === 0) {
      const message = `this learner is catching up and has come to position ${this.cameTo}`;
      return { kind: "refused", code: "overloaded", message, mayHaveHappened: false };
    }
    return { kind: "history", entries, last: Math.min(after + entries.length, tail), tail };
  }
}

/** A chosen text at a position. */
export function chosenText(position: number, text = `value ${position}`): FeedEntry {
  const body = new TextEncoder().encode(text);
  const syncedBy = ["a1", "a2"];
  return {
    position,
    slot: position - 1,
    ballot: ballot(1),
    type: "string",
    body,
    syncedBy,
  };
}
