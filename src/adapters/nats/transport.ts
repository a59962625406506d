import { createInbox, type NatsConnection, type Status } from "nats";
import type {
  Answer,
  EndSubscription,
  Headers,
  Incoming,
  PublishOptions,
  Transport,
  TransportStatus,
} from "../../kernel/ports.js";
import { Dialer } from "./dialer.js";
import { dropOf, isSendable, type NatsDrop } from "./drops.js";
import { NatsConnectError, placeOf, tooFewSubscriptions } from "./errors.js";
import { Flushes } from "./flushes.js";
import type { NatsOptions, OpenConnection } from "./given.js";
import { toClientHeaders } from "./incoming.js";
import { endOfNone, Listeners } from "./listeners.js";
import { inboxPrefixOf, isConnection, planDial } from "./options.js";
import { readStatus } from "./reports.js";
import { outsideReader, Requests } from "./requests.js";

/** The bus over NATS. */
export interface NatsTransport extends Transport {
  /** Messages that were not sent, by reason; the counts only grow. */
  readonly dropped: Readonly<Record<NatsDrop, number>>;
  /** Ends everything at once; an open connection that was given stays open. */
  close(): Promise<void>;
}

/** Payload bytes until a server has said its own: what a nats-server has by default. */
const payloadBytesDefault = 1_048_576;
/** Milliseconds after which `drain` waits no longer for the server. */
const drainMsMax = 5_000;

/**
 * Connects to NATS.
 *
 * Either fails at once with a sentence that says which server and what to do, or, with
 * `waitOnFirstConnect`, returns a transport that is not connected yet and tries without end
 * (refused credentials end it: status `closed`). Once connected it reconnects without end and
 * renews its subscriptions; what is published in between is lost and counted.
 *
 * Gotcha: of an open connection that was given, reconnection follows the options it was made with.
 *
 * @param given options of the `nats` package and ours, or an open connection
 * @throws NatsConnectError
 */
export async function connectNats(
  given: NatsOptions | OpenConnection = {},
): Promise<NatsTransport> {
  const options = isConnection(given) ? { connection: given } : given;
  const { connection } = options;
  if (connection !== undefined) {
    if (connection.isClosed() || connection.isDraining()) {
      const message = "the given NATS connection is closed: open another, or give options";
      throw new NatsConnectError("bad_options", message);
    }
    // What we use of a connection is alike in both generations of the client: `OpenConnection`.
    return new NatsBus(options, undefined, connection as NatsConnection);
  }
  const plan = planDial(options);
  const dialer = new Dialer(plan);
  const isPatient = options.waitOnFirstConnect === true;
  const bus = new NatsBus(
    options,
    dialer,
    isPatient ? undefined : await dialer.first(options.signal),
  );
  if (isPatient) {
    bus.dial(-1);
  }
  return bus;
}

class NatsBus implements NatsTransport {
  readonly dropped: Record<NatsDrop, number> = {
    disconnected: 0,
    closed: 0,
    too_large: 0,
    invalid: 0,
  };
  readonly #options: NatsOptions;
  /** The server in use or lost last, else those that were named. */
  #servers: readonly string[] = [];
  /** Undefined for a connection that was given. */
  readonly #dialer: Dialer | undefined;
  readonly #inboxPrefix: string | undefined;
  readonly #requests: Requests;
  readonly #listeners: Listeners;
  readonly #statusListeners = new Set<(status: TransportStatus) => void>();
  readonly #flushes = new Flushes();
  #connection: NatsConnection | undefined;
  #statuses: AsyncIterable<Status> | undefined;
  #isConnected = false;
  #isClosed = false;
  #isDraining = false;
  #payloadBytesMax = payloadBytesDefault;

  constructor(
    options: NatsOptions,
    dialer: Dialer | undefined,
    connection: NatsConnection | undefined,
  ) {
    this.#options = options;
    this.#dialer = dialer;
    this.#servers = dialer?.servers ?? [];
    this.#inboxPrefix = inboxPrefixOf(options);
    const unread = (message: Incoming, error: unknown) =>
      this.#emit({ kind: "unread", message, error });
    const granted = (subject: string) => this.#emit({ kind: "granted", subject });
    this.#listeners = new Listeners({ unread, granted });
    this.#requests = new Requests(() => this.newInbox(), unread);
    if (connection !== undefined) {
      this.#attach(connection);
    }
  }

  /** The client keeps the last INFO: an account's own limit comes with a second one. */
  get payloadBytesMax(): number {
    this.#payloadBytesMax = this.#connection?.info?.max_payload ?? this.#payloadBytesMax;
    return this.#payloadBytesMax;
  }

  get place(): string {
    const { chosenBy } = this.#options;
    return placeOf(
      this.#servers,
      this.#dialer === undefined ? "the connection that was given" : chosenBy,
    );
  }

  checkPayloadBytesMax(): void {
    if (this.#connection !== undefined && this.#isConnected) {
      this.#dialer?.checkPayloadBytesMax(this.#connection);
    }
  }

  get connected(): boolean {
    return this.#isConnected;
  }

  get silentServers(): readonly string[] {
    return this.#dialer?.silentServers ?? [];
  }

  newInbox(): string {
    return createInbox(this.#inboxPrefix);
  }

  publish(subject: string, payload: Uint8Array, options?: PublishOptions): void {
    const connection = this.#connection;
    if (connection === undefined || !this.#isConnected) {
      this.dropped[this.#isClosed ? "closed" : "disconnected"] += 1;
      return;
    }
    if (!isSendable(subject) || (options?.reply !== undefined && !isSendable(options.reply))) {
      this.dropped.invalid += 1;
      return;
    }
    try {
      if (options === undefined) {
        connection.publish(subject, payload);
        return;
      }
      const headers = toClientHeaders(options.headers);
      connection.publish(subject, payload, {
        ...(headers !== undefined && { headers }),
        ...(options.reply !== undefined && { reply: options.reply }),
      });
    } catch (error) {
      this.dropped[dropOf(error)] += 1;
    }
  }

  subscribe(
    subject: string,
    heard: (message: Incoming) => void,
    options?: { readonly queue?: string | undefined },
  ): EndSubscription {
    const queue = options?.queue;
    if (this.#isClosed || this.#isDraining) {
      return endOfNone;
    }
    if (!isSendable(subject) || (queue !== undefined && !isSendable(queue))) {
      this.dropped.invalid += 1;
      return endOfNone;
    }
    const live = this.#isConnected ? this.#connection : undefined;
    return this.#listeners.add(live, subject, queue, heard);
  }

  request(
    subject: string,
    payload: Uint8Array,
    options: { readonly timeoutMs: number; readonly headers?: Headers | undefined },
    done: (answer: Answer) => void,
  ): void {
    const connection = this.#connection;
    const isEnding = this.#isDraining || connection?.isClosed() || connection?.isDraining();
    if (connection === undefined || !this.#isConnected || isEnding) {
      this.dropped[this.#isClosed ? "closed" : "disconnected"] += 1;
      // Not in a microtask: who asks again at once would keep the connection from coming back.
      setImmediate(() => done({ kind: "disconnected" }));
      return;
    }
    const reply = this.#requests.expect(connection, subject, options.timeoutMs, done);
    this.publish(subject, payload, { headers: options.headers, reply });
  }

  onStatus(heard: (status: TransportStatus) => void): () => void {
    // A function of its own per call: the same listener may be added twice.
    const listener = (status: TransportStatus) => heard(status);
    this.#statusListeners.add(listener);
    return () => void this.#statusListeners.delete(listener);
  }

  flush(): Promise<void> {
    return this.#flushes.flush(this.#isConnected ? this.#connection : undefined);
  }

  async drain(): Promise<void> {
    if (this.#isClosed || this.#isDraining) {
      return;
    }
    this.#isDraining = true;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, drainMsMax);
    });
    // The client's own drain of a connection never ends while it is disconnected.
    await Promise.race([this.#settle(), late]);
    clearTimeout(timer);
    await this.close();
  }

  async close(): Promise<void> {
    if (this.#isClosed) {
      return;
    }
    this.#isClosed = true;
    this.#dialer?.stop();
    const connection = this.#connection;
    this.#detach();
    await (this.#dialer === undefined ? undefined : connection?.close());
    this.#emit({ kind: "closed", reason: undefined });
    this.#statusListeners.clear();
  }

  /** Tries until there is a connection. @param roundsMax rounds over all servers, -1 without end */
  dial(roundsMax: number): void {
    const waiting = (reason: NatsConnectError) => this.#options.onWaiting?.(reason);
    this.#dialer?.untilConnected(roundsMax, waiting).then(
      (connection) => {
        if (connection !== undefined) {
          this.#attach(connection);
        }
      },
      (reason: NatsConnectError) => this.#giveUp(reason.message),
    );
  }

  #attach(connection: NatsConnection): void {
    this.#connection = connection;
    this.#dialer?.learn(connection);
    void connection.closed().then((reason) => this.#lost(connection, reason));
    this.#statuses = connection.status();
    void this.#follow(connection, this.#statuses);
    // One that was given may be without a server just now; then the client says `reconnect`.
    if (connection.info !== undefined) {
      this.#connectedTo(connection);
    }
  }

  #connectedTo(connection: NatsConnection): void {
    this.#isConnected = true;
    this.#listeners.renew(connection);
    const server = `nats://${connection.getServer()}`;
    this.#servers = [server];
    this.#emit({ kind: "connected", server });
  }

  #disconnected(): void {
    if (!this.#isConnected) {
      return;
    }
    this.#isConnected = false;
    this.#requests.disconnected();
    this.#flushes.disconnected();
    this.#emit({ kind: "disconnected" });
  }

  #lost(connection: NatsConnection, reason: unknown): void {
    if (connection !== this.#connection) {
      return;
    }
    const server = connection.getServer();
    this.#detach();
    if (this.#dialer === undefined) {
      this.#giveUp("the given NATS connection was closed");
      return;
    }
    const why =
      reason === undefined ? undefined : this.#dialer.explain(reason, [`nats://${server}`]);
    const { roundsMax } = this.#dialer;
    if (roundsMax === 0) {
      this.#giveUp(why?.message ?? "the connection was lost, and the options forbid another");
      return;
    }
    this.#dialer.lost(connection);
    this.dial(roundsMax);
  }

  /** Forgets the connection; listeners stay. */
  #detach(): void {
    this.#connection = undefined;
    this.#listeners.detach();
    this.#requests.close();
    (this.#statuses as { stop?: () => void } | undefined)?.stop?.();
    this.#statuses = undefined;
    this.#disconnected();
  }

  #giveUp(reason: string): void {
    if (this.#isClosed) {
      return;
    }
    this.#isClosed = true;
    this.#emit({ kind: "closed", reason });
    this.#statusListeners.clear();
  }

  async #follow(connection: NatsConnection, statuses: AsyncIterable<Status>): Promise<void> {
    for await (const status of statuses) {
      if (connection !== this.#connection) {
        return;
      }
      this.#heardStatus(connection, status);
    }
  }

  #heardStatus(connection: NatsConnection, status: Status): void {
    const report = readStatus(connection, status);
    if (report.kind === "denied") {
      if (report.operation === "subscribe") {
        this.#listeners.denied(connection, report.subject);
      }
      this.#requests.denied(report);
      this.#emit(report);
    } else if (report.kind === "error") {
      this.#emit(report);
      this.#refused(connection, report.words);
    } else if (report.kind === "update") {
      this.#dialer?.learn(connection);
    } else if (report.kind === "staleConnection" && this.#dialer !== undefined) {
      // Left alone, the client waits until the frozen server takes what was written to it.
      void connection.close();
    } else if (report.kind === "disconnect") {
      this.#disconnected();
    } else if (report.kind === "reconnect" && !this.#isConnected) {
      this.#connectedTo(connection);
    }
  }

  /**
   * Ends the transport when the server's error leaves it deaf while the connection stands.
   *
   * Why: the server says it once, the client goes on, and nothing is ever heard.
   */
  #refused(connection: NatsConnection, words: string): void {
    // The answers to requests come by one more.
    const needed = this.#listeners.size + 1;
    const reason = tooFewSubscriptions(words, needed, `nats://${connection.getServer()}`);
    if (reason === undefined || this.#isClosed) {
      return;
    }
    const isOurs = this.#dialer !== undefined;
    this.#dialer?.stop();
    this.#detach();
    this.#giveUp(reason);
    if (isOurs) {
      void connection.close();
    }
  }

  /** Ends subscriptions after what is under way to them, then sends what is under way from us. */
  async #settle(): Promise<void> {
    if (this.#isConnected) {
      await this.#listeners.drain();
      await this.flush().catch(() => {});
    }
  }

  #emit(status: TransportStatus): void {
    for (const listener of [...this.#statusListeners]) {
      outsideReader(() => listener(status));
    }
  }
}
