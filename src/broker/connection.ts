import type { Socket } from "node:net";
import { ProtocolError } from "./errors.js";
import type { BrokerLimits } from "./limits.js";
import { Outbound } from "./outbound.js";
import { type FrameSink, Parser } from "./parser.js";
import { isPattern, type QueueGroup, type RoutingTable } from "./subjects.js";

/** What the broker counts since it started; all only grow. */
export interface BrokerCounters {
  /** Messages published by clients. */
  messagesIn: number;
  /** Messages handed to subscribers. */
  messagesOut: number;
  /** Bytes of headers and bodies published. */
  bytesIn: number;
  /** Bytes of headers and bodies handed to subscribers. */
  bytesOut: number;
  /** Connections cut because more than `pendingBytesMax` waited for them. */
  slowConsumers: number;
  /** Connections closed because what they sent was not the protocol, or too large. */
  protocolErrors: number;
  /** Connections closed because they did not answer pings. */
  staleConnections: number;
  /** Connections refused because of `connectionsMax`. */
  refusedConnections: number;
}

/** What a connection needs of its broker. */
export interface Hub {
  readonly limits: BrokerLimits;
  readonly table: RoutingTable<Subscription>;
  readonly counters: BrokerCounters;
  /** Asks for `connection.flush()` at the end of the tick. */
  scheduleFlush(connection: Connection): void;
  /** Called once, when the socket is gone. */
  closed(connection: Connection): void;
}

/** One subscription of one connection. */
export interface Subscription {
  readonly connection: Connection;
  readonly subject: string;
  readonly queue: string;
  /** The client's name for it, unique in its connection. */
  readonly sid: string;
  /** Messages delivered so far. */
  delivered: number;
  /** Ends after so many messages; 0 is without end. */
  deliveredMax: number;
  /** Set when it ended: routes in use may still hold it. */
  ended: boolean;
}

/** NATS header block that says: nobody listens. */
const noResponders = Buffer.from("NATS/1.0 503\r\n\r\n", "latin1");

/**
 * Serves one client: its options, its subscriptions, what it is to be sent.
 *
 * Holds: nothing a client sends harms another; what is wrong ends in an `-ERR` line, and closes the
 * connection where nats-server closes it too. The methods of `FrameSink` are for the parser and
 * throw ProtocolError to close.
 */
export class Connection implements FrameSink {
  readonly #hub: Hub;
  readonly #socket: Socket;
  readonly #parser: Parser;
  readonly #outbound: Outbound;
  readonly #subscriptions = new Map<string, Subscription>();
  #closing = false;
  #flushScheduled = false;
  #heard = false;
  #pingsOut = 0;
  // Before CONNECT a client is treated as nats-server does: as a person at a terminal.
  #verbose = true;
  #echo = true;
  #headers = false;
  #noResponders = false;

  /**
   * Takes over an accepted socket and greets it.
   *
   * @param info the JSON text of INFO
   */
  constructor(hub: Hub, socket: Socket, info: string) {
    this.#hub = hub;
    this.#socket = socket;
    this.#parser = new Parser(this, hub.limits);
    this.#outbound = new Outbound(socket, hub.limits.pendingBytesMax, () => this.#cutSlow());
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    // The close event follows and does the work; an error nobody hears would end the process.
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      this.#retire();
      hub.closed(this);
    });
    this.#send(`INFO ${info}\r\n`);
  }

  /** How many subscriptions are open. */
  get subscriptions(): number {
    return this.#subscriptions.size;
  }

  /** Bytes that wait to be taken by the system. */
  get pendingBytes(): number {
    return this.#outbound.pendingBytes;
  }

  /** Writes what the tick gathered. */
  flush(): void {
    this.#flushScheduled = false;
    if (!this.#socket.destroyed) {
      this.#outbound.flush();
    }
  }

  /**
   * Pings the client; closes it if too many pings are unanswered. To be called every
   * `pingIntervalMs`.
   */
  keepalive(): void {
    if (this.#closing) {
      return;
    }
    if (this.#heard) {
      this.#heard = false;
      this.#pingsOut = 0;
    }
    if (this.#pingsOut >= this.#hub.limits.pingsOutMax) {
      this.#hub.counters.staleConnections += 1;
      this.close("Stale Connection");
      return;
    }
    this.#pingsOut += 1;
    this.#send("PING\r\n");
  }

  /**
   * Sends what is gathered and closes; cuts after `closeGraceMs` if the client does not take it.
   *
   * @param reason text of a last `-ERR` line, none if left out
   */
  close(reason?: string): void {
    if (this.#closing || this.#socket.destroyed) {
      return;
    }
    if (reason !== undefined) {
      this.#outbound.text(`-ERR '${reason}'\r\n`);
    }
    this.#retire();
    if (this.#socket.destroyed) {
      return;
    }
    this.#outbound.end();
    // Reading goes on, and is ignored: with unread input a close is a reset, and the reason lost.
    const grace = setTimeout(() => this.#socket.destroy(), this.#hub.limits.closeGraceMs);
    this.#socket.once("close", () => clearTimeout(grace));
  }

  connect(options: string): void {
    const parsed = parseOptions(options);
    if (parsed === undefined) {
      throw new ProtocolError("Invalid CONNECT Options");
    }
    this.#verbose = flag(parsed, "verbose", true);
    this.#echo = flag(parsed, "echo", true);
    this.#headers = flag(parsed, "headers", false);
    this.#noResponders = flag(parsed, "no_responders", false);
    if (this.#noResponders && !this.#headers) {
      throw new ProtocolError("no responders requires headers support");
    }
    this.#acknowledge();
  }

  ping(): void {
    this.#send("PONG\r\n");
  }

  pong(): void {
    // `#read` noted that the client is alive.
  }

  subscribe(subject: string, queue: string, sid: string): void {
    const { limits, table } = this.#hub;
    if (!isPattern(subject, limits.subjectTokensMax)) {
      this.#send("-ERR 'Invalid Subject'\r\n");
      return;
    }
    if (!this.#subscriptions.has(sid)) {
      if (this.#subscriptions.size >= limits.subscriptionsPerConnectionMax) {
        this.#send("-ERR 'maximum subscriptions exceeded'\r\n");
        return;
      }
      const counts = { delivered: 0, deliveredMax: 0, ended: false };
      const subscription: Subscription = { connection: this, subject, queue, sid, ...counts };
      this.#subscriptions.set(sid, subscription);
      table.add(subscription);
    }
    this.#acknowledge();
  }

  unsubscribe(sid: string, deliveredMax: number): void {
    const subscription = this.#subscriptions.get(sid);
    if (subscription !== undefined) {
      subscription.deliveredMax = deliveredMax;
      if (subscription.delivered >= deliveredMax) {
        this.#end(subscription);
      }
    }
    this.#acknowledge();
  }

  publish(subject: string, reply: string, headerBytes: number, payload: Buffer): void {
    const { counters, table } = this.#hub;
    if (headerBytes > 0 && !this.#headers) {
      throw new ProtocolError("message headers not supported");
    }
    counters.messagesIn += 1;
    counters.bytesIn += payload.length;
    const route = table.route(subject);
    if (route === undefined) {
      this.#send("-ERR 'Invalid Publish Subject'\r\n");
      return;
    }
    this.#acknowledge();
    let delivered = false;
    for (const subscription of route.everyone) {
      const taken = this.#hand(subscription, subject, reply, headerBytes, payload);
      delivered = taken || delivered;
    }
    for (const group of route.groups) {
      const taken = this.#handOne(group, subject, reply, headerBytes, payload);
      delivered = taken || delivered;
    }
    if (!delivered && reply !== "" && this.#noResponders) {
      this.#sayNoResponders(reply);
    }
  }

  /** Hands a message to one subscription, unless it is over or may not have it. */
  #hand(
    subscription: Subscription,
    subject: string,
    reply: string,
    headerBytes: number,
    payload: Buffer,
  ): boolean {
    const receiver = subscription.connection;
    if (subscription.ended || (receiver === this && !this.#echo)) {
      return false;
    }
    receiver.#deliver(subscription, subject, reply, headerBytes, payload);
    return true;
  }

  #handOne(
    group: QueueGroup<Subscription>,
    subject: string,
    reply: string,
    headerBytes: number,
    payload: Buffer,
  ): boolean {
    const { members } = group;
    group.turn += 1;
    for (let i = 0; i < members.length; i += 1) {
      const member = members[(group.turn + i) % members.length]!;
      if (this.#hand(member, subject, reply, headerBytes, payload)) {
        return true;
      }
    }
    return false;
  }

  #deliver(
    subscription: Subscription,
    subject: string,
    reply: string,
    headerBytes: number,
    payload: Buffer,
  ): void {
    const { counters } = this.#hub;
    const to = reply === "" ? "" : `${reply} `;
    counters.messagesOut += 1;
    subscription.delivered += 1;
    if (headerBytes > 0 && this.#headers) {
      const sizes = `${headerBytes} ${payload.length}`;
      counters.bytesOut += payload.length;
      this.#message(`HMSG ${subject} ${subscription.sid} ${to}${sizes}\r\n`, payload);
    } else {
      const body = headerBytes > 0 ? payload.subarray(headerBytes) : payload;
      counters.bytesOut += body.length;
      this.#message(`MSG ${subject} ${subscription.sid} ${to}${body.length}\r\n`, body);
    }
    if (subscription.deliveredMax > 0 && subscription.delivered >= subscription.deliveredMax) {
      this.#end(subscription);
    }
  }

  /**
   * Tells the requester at once, on its own subscription for the reply, instead of letting it wait.
   */
  #sayNoResponders(reply: string): void {
    const listeners = this.#hub.table.route(reply)?.everyone ?? [];
    const own = listeners.find((each) => each.connection === this && !each.ended);
    if (own !== undefined) {
      this.#deliver(own, reply, "", noResponders.length, noResponders);
    }
  }

  #read(chunk: Buffer): void {
    if (this.#closing) {
      return;
    }
    this.#heard = true;
    try {
      this.#parser.push(chunk);
    } catch (error) {
      if (!(error instanceof ProtocolError)) {
        throw error;
      }
      this.#hub.counters.protocolErrors += 1;
      this.close(error.message);
    }
  }

  #acknowledge(): void {
    if (this.#verbose) {
      this.#send("+OK\r\n");
    }
  }

  #send(text: string): void {
    this.#outbound.text(text);
    this.#wantFlush();
  }

  #message(line: string, payload: Buffer): void {
    this.#outbound.message(line, payload);
    this.#wantFlush();
  }

  #wantFlush(): void {
    if (!this.#flushScheduled) {
      this.#flushScheduled = true;
      this.#hub.scheduleFlush(this);
    }
  }

  #cutSlow(): void {
    if (this.#closing || this.#socket.destroyed) {
      return;
    }
    this.#hub.counters.slowConsumers += 1;
    this.#retire();
    // No last word: a client that does not read would not read that either.
    this.#socket.destroy();
  }

  /** Ends all subscriptions and ignores further input. */
  #retire(): void {
    this.#closing = true;
    this.#parser.stopped = true;
    for (const subscription of this.#subscriptions.values()) {
      this.#end(subscription);
    }
  }

  #end(subscription: Subscription): void {
    subscription.ended = true;
    this.#subscriptions.delete(subscription.sid);
    this.#hub.table.remove(subscription);
  }
}

/** The CONNECT options, or undefined if the text is not a JSON object. */
function parseOptions(text: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    const isObject = typeof parsed === "object" && parsed !== null && !Array.isArray(parsed);
    return isObject ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function flag(options: Record<string, unknown>, name: string, otherwise: boolean): boolean {
  const value = options[name];
  return typeof value === "boolean" ? value : otherwise;
}
