/**
 * Doors: the public subjects of the roles of one process, and the requests that wait behind them.
 *
 * A role names its doors in the registry; a door turns a message of any NATS client into an event
 * with a token, and the role's `reply` effect answers the token.
 */
import type { Cluster } from "../paxos/cluster.js";
import type { Message } from "../paxos/wire/messages.js";
import { limitsUnder } from "../paxos/wire/payload.js";
import { awaitsAnswer } from "../paxos/wire/verbs.js";
import { encodeAnswerUnder, OVERLOADED, type Pack, STOPPED } from "./answer.js";
import { doorSubject, type Space } from "./bus/subject.js";
import type { DoorAnswer } from "./effect.js";
import type { Clock, EndSubscription, Incoming, StructuredCodec, Transport } from "./ports.js";
import type { Door } from "./role.js";
import type { Runner } from "./runner.js";

interface DoorsOptions {
  readonly cluster: Cluster;
  readonly space: Space;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly count: (reason: string, by?: number) => void;
  readonly structured?: StructuredCodec | undefined;
}

interface Waiting {
  readonly reply: string;
  /** Set if the asker wrote MessagePack. */
  readonly pack: Pack | undefined;
  readonly sinceMs: number;
}

/** The open doors of one process. */
export class Doors {
  readonly #options: DoorsOptions;
  readonly #waiting = new Map<string, Waiting>();
  readonly #ends = new Map<Runner, EndSubscription[]>();
  #tokens = 0;

  constructor(options: DoorsOptions) {
    this.#options = options;
  }

  /** Subscribes to the doors of a role. */
  open(runner: Runner): void {
    const { transport, space } = this.#options;
    const ends = (runner.definition.doors ?? []).map((door) =>
      transport.subscribe(
        doorSubject(space, door.subject),
        (incoming) => this.#enter(runner, door, incoming),
        { queue: door.queue },
      ),
    );
    this.#ends.set(runner, ends);
  }

  /** Ends the doors of a role. */
  shut(runner: Runner): void {
    for (const end of this.#ends.get(runner) ?? []) end();
    this.#ends.delete(runner);
  }

  /** Requests that came and are not answered yet. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Hands over the ends of all doors, to be called once each. */
  takeEnds(): readonly EndSubscription[] {
    const ends = [...this.#ends.values()].flat();
    this.#ends.clear();
    return ends;
  }

  /** Refuses what still waits: this process ends. */
  refuseWaiting(): void {
    for (const token of [...this.#waiting.keys()]) this.reply(token, STOPPED);
  }

  /**
   * Gives a message that awaits an answer the token that its answer will name: "" if its sender
   * waits for none. The token that its sender wrote there may be another's.
   *
   * @returns undefined if it was turned away
   */
  withToken(message: Message, incoming: Incoming): Message | undefined {
    if (!awaitsAnswer(message)) return message;
    const { reply } = incoming;
    if (reply === undefined) return { ...message, reply: "" };
    const token = this.#admit(reply, undefined);
    if (token !== undefined) return { ...message, reply: token };
    this.#turnAway(reply, undefined);
    return undefined;
  }

  /** Answers a message that its role refuses before it is delivered. @returns whether it does */
  refuses(runner: Runner, message: Message): boolean {
    const { refuses } = runner.definition;
    if (refuses === undefined) return false;
    const { cluster, transport } = this.#options;
    const { payloadBytesMax } = transport;
    const limits = limitsUnder(cluster.limits, payloadBytesMax);
    const refusal = refuses(message, limits, payloadBytesMax);
    if (refusal !== null) this.answer(message, refusal);
    return refusal !== null;
  }

  /** Answers a message that awaits an answer. */
  answer(message: Message, answer: DoorAnswer): void {
    if (awaitsAnswer(message)) this.reply(message.reply, answer);
  }

  /** Answers a waiting request; one that is not waiting any more is counted. */
  reply(token: string, answer: DoorAnswer): void {
    if (token === "") return; // a request that was published, and waits for no answer
    const waiting = this.#waiting.get(token);
    if (waiting === undefined) {
      this.#options.count("reply_too_late");
      return;
    }
    this.#waiting.delete(token);
    this.#say(waiting.reply, answer, waiting.pack);
  }

  #enter(runner: Runner, door: Door, incoming: Incoming): void {
    const { cluster, transport } = this.#options;
    const limits = limitsUnder(cluster.limits, transport.payloadBytesMax);
    const isPacked = door.isStructured && !looksLikeJson(incoming.payload);
    const pack = isPacked ? this.#options.structured?.encode : undefined;
    const body = door.isStructured ? this.#read(incoming.payload, isPacked) : undefined;
    const made = door.toEvent(incoming, limits, body);
    if ("refused" in made) {
      this.#options.count(made.refused.code);
      if (incoming.reply !== undefined) this.#say(incoming.reply, made.refused, pack);
      return;
    }
    const token = incoming.reply === undefined ? "" : this.#admit(incoming.reply, pack);
    if (token === undefined || !runner.inbox.hasRoomForRequests()) {
      if (token !== undefined) this.#waiting.delete(token);
      this.#turnAway(incoming.reply, pack);
      return;
    }
    const event = { ...made.event, token };
    runner.tell(event, incoming.payload.length);
  }

  /** Reads plain data; undefined if it is none. */
  #read(payload: Uint8Array, isPacked: boolean): unknown {
    try {
      if (isPacked) return this.#options.structured?.decode(payload);
      return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
    } catch {
      return undefined;
    }
  }

  #admit(reply: string, pack: Pack | undefined): string | undefined {
    const { cluster, clock, count } = this.#options;
    const { requestsOpenMax, requestPatienceMs } = cluster.limits;
    const nowMs = clock.nowMs();
    for (const [token, { sinceMs }] of this.#waiting) {
      if (nowMs - sinceMs < requestPatienceMs) break; // oldest first: the rest is younger
      this.#waiting.delete(token);
      count("request_forgotten");
    }
    if (this.#waiting.size >= requestsOpenMax) return undefined;
    const token = String(++this.#tokens);
    this.#waiting.set(token, { reply, sinceMs: nowMs, pack });
    return token;
  }

  #turnAway(reply: string | undefined, pack: Pack | undefined): void {
    this.#options.count("overloaded");
    if (reply !== undefined) this.#say(reply, OVERLOADED, pack);
  }

  #say(reply: string, answer: DoorAnswer, pack: Pack | undefined): void {
    const { transport, count } = this.#options;
    const { headers, payload } = encodeAnswerUnder(transport.payloadBytesMax, answer, pack);
    if (headers["Synod-Code"] === "too_large") {
      count("answer_too_large");
      transport.checkPayloadBytesMax();
    }
    transport.publish(reply, payload, { headers });
  }
}

/** JSON text begins with a brace or white space; a MessagePack map begins with neither. */
function looksLikeJson(payload: Uint8Array): boolean {
  const first = payload[0];
  return first === undefined || first === 0x7b || first <= 0x20;
}
