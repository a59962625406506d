/**
 * The clients of a run: they make the requests of the plan, ask again until they are answered, and
 * hold what they are told against the ledger.
 */

import type { MemoryTransport } from "../../adapters/memory/transport.js";
import { doorSubject, subjectOf } from "../../kernel/bus/subject.js";
import type { Settlement } from "../../kernel/effect.js";
import type { Answer, Codec } from "../../kernel/ports.js";
import { encodeTyped } from "../../paxos/command.js";
import { digest } from "../../paxos/digest.js";
import type { Sender } from "../../paxos/wire/messages.js";
import type { Monitor } from "../monitor/monitor.js";
import type { Request } from "../plan/plan.js";
import type { Coverage } from "../world/coverage.js";
import type { SimProcess } from "../world/process.js";
import type { World } from "../world/world.js";

/** How long a client waits for an answer, and then before it asks again. */
const ANSWER_MS = 1500;
const PAUSE_MS = 100;
/** Bytes of an id; long values differ in their first ones. */
const ID_BYTES_MAX = 255;

/** Hears what clients did and were told; see FORMATS for what becomes of it. */
export interface CallRecorder {
  called(call: Call): void;
  ended(call: Call, outcome: Outcome): void;
}

/** One request of one client. */
export interface Call {
  readonly id: number;
  readonly client: string;
  readonly request: Request;
}

/** What a client was told in the end. */
export type Outcome =
  | { readonly kind: "ok"; readonly position: number; readonly slot: number }
  | { readonly kind: "decided"; readonly value: string | null }
  /** It certainly did not happen and will not. */
  | { readonly kind: "fail"; readonly code: string }
  /** It may have happened, or may happen yet. */
  | { readonly kind: "unknown"; readonly code: string };

interface SessionClient {
  readonly name: string;
  process: SimProcess | null;
  sessions: number;
  /** Grows when it dies: what it asked before may take effect after what it asks then. */
  lives: number;
  isClosed: boolean;
  /** To be asked in another session: they did not happen in the one that expired. */
  again: Call[];
  readonly waiting: Map<number, Call>;
}

/** Makes requests. */
export class Clients {
  /** Sessions are closed as soon as nothing is asked through them. */
  closesSessions = false;
  /** Looks on beside the recorder. */
  onlooker: CallRecorder | null = null;
  readonly #world: World;
  readonly #monitor: Monitor;
  readonly #coverage: Coverage;
  readonly #codec: Codec;
  readonly #recorder: CallRecorder;
  readonly #sessions = new Map<string, SessionClient>();
  readonly #links = new Map<string, MemoryTransport>();
  readonly #denied = new Set<string>();
  /** Calls about keys of which a value was chosen when they were made. */
  readonly #decidedBefore = new Set<number>();
  #calls = 0;
  #open = 0;

  constructor(
    world: World,
    monitor: Monitor,
    coverage: Coverage,
    codec: Codec,
    recorder: CallRecorder,
  ) {
    this.#world = world;
    this.#monitor = monitor;
    this.#coverage = coverage;
    this.#codec = codec;
    this.#recorder = recorder;
  }

  /** Requests without an outcome. */
  get open(): number {
    return this.#open;
  }

  /** Values of which a client was told that they certainly did not happen, but which did. */
  lies(): string[] {
    return [...this.#denied].filter((value) => this.#monitor.feed.positionOf(value) > 0);
  }

  /** Makes a request in a client's name. */
  make(client: string, request: Request): void {
    const call = { id: ++this.#calls, client, request };
    this.#open++;
    this.#recorder.called(call);
    this.onlooker?.called(call);
    if (request.kind === "submit") this.#submit(call, request.value);
    else if (request.kind === "propose") this.#propose(call, request, 1);
    else this.#decide(call, request, 1);
  }

  /** A client with a session dies: what it awaits may happen or not. @returns false for no such */
  end(client: string): boolean {
    const session = this.#sessions.get(client);
    if (session === undefined) return false;
    this.#world.kill(client);
    for (const call of session.waiting.values()) {
      this.#end(call, { kind: "unknown", code: "client_died" });
    }
    session.waiting.clear();
    session.again = [];
    session.lives++;
    return true;
  }

  #end(call: Call, outcome: Outcome): void {
    this.#open--;
    this.#recorder.ended(call, outcome);
    this.onlooker?.ended(call, outcome);
    if (outcome.kind === "ok") this.#coverage.count("requests acknowledged");
    if (outcome.kind === "decided") this.#coverage.count("keys decided");
    if (outcome.kind === "fail") {
      this.#coverage.count(`refused: ${outcome.code}`);
      if ("value" in call.request && call.request.kind !== "decide") {
        this.#denied.add(call.request.value);
      }
    }
  }

  // --- sessions --------------------------------------------------------------------------------

  #submit(call: Call, value: string): void {
    const client = this.#client(call.client);
    client.waiting.set(call.id, call);
    const order = { id: `${client.name}/${client.lives}`, number: call.id };
    this.#monitor.feed.wish({ value, session: order, isOnce: true });
    this.#askAgain(client);
    this.#ask(client, call, value);
  }

  #ask(client: SessionClient, call: Call, value: string): void {
    const body = new TextEncoder().encode(value);
    const submission = { token: call.id, id: "", valueType: "string", body };
    const event = { type: "submit", requests: [submission] };
    client.process?.host?.runners[0]?.tell(event, body.length);
  }

  #client(name: string): SessionClient {
    let client = this.#sessions.get(name);
    if (client === undefined) {
      client = {
        name,
        process: null,
        sessions: 0,
        lives: 0,
        isClosed: false,
        again: [],
        waiting: new Map(),
      };
      this.#sessions.set(name, client);
    }
    const runner = client.process?.host?.runners[0];
    if (client.isClosed || runner === undefined || runner.halted !== null)
      this.#openSession(client);
    return client;
  }

  /** A session that expired is followed by another. */
  #openSession(client: SessionClient): void {
    const id = this.#world.random.fork(`${client.name} ${++client.sessions}`).hex(16);
    client.isClosed = false;
    client.process = this.#world.start(client.name, [["session", id]], {
      onSettle: (settlements) => this.#settled(client, settlements),
    });
  }

  /** Closes a session as the library does; the next request opens another. */
  #closeSession(client: SessionClient): void {
    client.process?.host?.runners[0]?.tell({ type: "stop" });
    client.isClosed = true;
  }

  #settled(client: SessionClient, settlements: readonly Settlement[]): void {
    for (const settlement of settlements) {
      const call = client.waiting.get(settlement.token);
      if (call === undefined || settlement.kind === "withdrawn") continue;
      if (settlement.kind === "failed" && settlement.code === "session_expired") {
        if (!settlement.mayHaveHappened) {
          client.again.push(call);
          continue;
        }
      }
      client.waiting.delete(settlement.token);
      if (settlement.kind === "done") {
        const { position, slot } = settlement;
        if (call.request.kind === "submit") {
          this.#monitor.feed.acknowledged(call.request.value, settlement, client.name);
        }
        this.#end(call, { kind: "ok", position, slot });
      } else {
        const kind = settlement.mayHaveHappened ? "unknown" : "fail";
        this.#end(call, { kind, code: settlement.code });
      }
    }
    if (this.closesSessions && client.waiting.size === 0) this.#closeSession(client);
    if (client.again.length > 0) this.#world.clock.setTimer(0, () => this.#askAgain(client));
  }

  /** Asks in another session, as the library does; its session has halted by now. */
  #askAgain({ name, again }: SessionClient): void {
    if (again.length === 0) return;
    const client = this.#client(name);
    client.again = [];
    this.#coverage.count("requests asked in another session", again.length);
    for (const call of again) {
      if (call.request.kind === "submit") this.#ask(client, call, call.request.value);
    }
  }

  // --- the door --------------------------------------------------------------------------------

  #link(name: string): MemoryTransport {
    let link = this.#links.get(name);
    if (link === undefined) {
      link = this.#world.bus.connect(name);
      this.#links.set(name, link);
    }
    return link;
  }

  #propose(call: Call, request: Extract<Request, { kind: "propose" }>, attempt: number): void {
    const { value, hasId } = request;
    if (attempt === 1) this.#monitor.feed.wish({ value, isOnce: hasId });
    const headers: Record<string, string> = { "Synod-Type": "string" };
    if (hasId) headers["Nats-Msg-Id"] = value.slice(0, ID_BYTES_MAX);
    const subject = doorSubject({ prefix: "synod", cluster: this.#world.cluster.name }, "propose");
    const body = new TextEncoder().encode(value);
    const options = { timeoutMs: ANSWER_MS, headers };
    this.#link(call.client).request(subject, body, options, (answer) =>
      this.#proposed(call, request, attempt, answer),
    );
  }

  #proposed(
    call: Call,
    request: Extract<Request, { kind: "propose" }>,
    attempt: number,
    answer: Answer,
  ): void {
    const told = answer.kind === "answer" ? readJson(answer.message.payload) : {};
    const { position, slot, syncedBy, error } = told as {
      position?: number;
      slot?: number;
      syncedBy?: readonly string[];
      error?: { code: string; mayHaveHappened: boolean };
    };
    if (position !== undefined && slot !== undefined) {
      const receipt = { position, slot, syncedBy: syncedBy ?? [] };
      if (request.hasId) this.#monitor.feed.acknowledged(request.value, receipt, call.client);
      this.#end(call, { kind: "ok", position, slot });
    } else if (request.hasId) {
      this.#world.clock.setTimer(PAUSE_MS, () => this.#propose(call, request, attempt + 1));
    } else if (error !== undefined && !error.mayHaveHappened) {
      this.#end(call, { kind: "fail", code: error.code });
    } else if (answer.kind === "no_responders") {
      this.#end(call, { kind: "fail", code: answer.kind });
    } else this.#end(call, { kind: "unknown", code: error?.code ?? answer.kind });
  }

  // --- single decrees --------------------------------------------------------------------------

  #decide(call: Call, request: Extract<Request, { kind: "decide" }>, attempt: number): void {
    const { key, value } = request;
    const { name } = this.#world.cluster;
    const isDecided = this.#monitor.ledger.chosen({ key, slot: 0 }) !== null;
    if (attempt === 1 && isDecided) this.#decidedBefore.add(call.id);
    const space = { prefix: "synod", cluster: name };
    const subject = subjectOf(space, "synod-proposer", "decide", "all", call.client);
    const body = value === null ? null : new TextEncoder().encode(value);
    const message = { type: "decide" as const, key, value: body, valueType: "string" as const };
    const payload = this.#codec.encode(senderOf(call.client), attempt, { ...message, reply: "" });
    this.#link(call.client).request(subject, payload, { timeoutMs: ANSWER_MS }, (answer) =>
      this.#decided(call, request, attempt, answer),
    );
  }

  #decided(
    call: Call,
    request: Extract<Request, { kind: "decide" }>,
    attempt: number,
    answer: Answer,
  ): void {
    const kind = answer.kind === "answer" ? answer.message.headers?.["Synod-Kind"] : undefined;
    if (kind === "undecided") {
      if (this.#decidedBefore.has(call.id)) {
        const what = `${call.client} was told that key ${request.key} is undecided`;
        this.#monitor.ledger.break("decidedIsForEver", `${what}; it was decided before it asked`);
      }
      this.#end(call, { kind: "decided", value: null });
      return;
    }
    if (kind === "decided" && answer.kind === "answer") {
      const body = answer.message.payload;
      const instance = { key: request.key, slot: 0 };
      this.#monitor.ledger.learned(instance, digest(encodeTyped("string", body)), call.client);
      this.#end(call, { kind: "decided", value: new TextDecoder().decode(body) });
      return;
    }
    this.#world.clock.setTimer(PAUSE_MS, () => this.#decide(call, request, attempt + 1));
  }
}

function senderOf(client: string): Sender {
  const nobody = { storeId: null, incarnation: 0, writeNumber: 0 };
  return {
    role: "session",
    id: client,
    ...nobody,
    process: digest(new TextEncoder().encode(client)).slice(0, 16),
  };
}

function readJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return {};
  }
}
