import type {
  Answer,
  Clock,
  Denied,
  EndSubscription,
  Headers,
  Incoming,
  PublishOptions,
  Transport,
  TransportStatus,
} from "../../kernel/ports.js";
import { Hub, type Intercept, type MemoryBusOptions } from "./bus.js";
import { type Listener, pauseAfterDenial } from "./listener.js";
import { Requests } from "./requests.js";
import { bytesOf, isSendable, isSendableMessage } from "./wire.js";

/** Why a message was not sent; the same reasons as over NATS, and what permissions deny. */
export type MemoryDrop = "disconnected" | "closed" | "too_large" | "invalid" | "denied";

/** Options of one connection. */
export interface MemoryLinkOptions {
  /** Whether it receives nothing that it published itself; it does if left out. */
  readonly noEcho?: boolean | undefined;
  /** Says what this connection may not do, as server permissions would. */
  readonly denies?: ((operation: "publish" | "subscribe", subject: string) => boolean) | undefined;
}

/** A bus within one process. */
export interface MemoryBus {
  /** Makes a connection; a name may be used again. */
  connect(name: string, options?: MemoryLinkOptions): MemoryTransport;
  /** Asks `decide` about each delivery; earlier ones are asked first. @returns ends it */
  intercept(decide: Intercept): () => void;
  /**
   * Changes the server's limit on a message. As with NATS, nobody is told: a connection learns it
   * when it connects or asks, and is cut when it sends what is over it.
   */
  limitPayload(bytesMax: number): void;
  /** The server's limit on a message, in bytes. */
  readonly payloadBytesMax: number;
  /** Ends the server: all connections are cut, and new ones wait. */
  stop(): void;
  /** Brings the server back. */
  start(): void;
}

/** A connection to a {@link MemoryBus}, with switches for tests. */
export interface MemoryTransport extends Transport {
  readonly name: string;
  /** Messages that were not sent, by reason; the counts only grow. */
  readonly dropped: Readonly<Record<MemoryDrop, number>>;
  /** Cuts the connection until `reconnect`. */
  disconnect(): void;
  reconnect(): void;
  close(): Promise<void>;
  /** Ends as a killed process does: nothing of this connection is ever called again. */
  vanish(): void;
}

/**
 * Makes a bus for tests and the simulator: NATS without a network, and always the same.
 *
 * Nothing is ever called from within a call: all that happens, happens in turns of the clock.
 * Payloads are handed over as they are, as the client of NATS does: who changes one after
 * publishing it changes what is received.
 */
export function createMemoryBus(
  clock: Pick<Clock, "soon" | "setTimer">,
  options: MemoryBusOptions = {},
): MemoryBus {
  const hub = new Hub(clock, options);
  const turn = (isUp: boolean) => {
    hub.isUp = isUp;
    for (const link of [...hub.links]) {
      link.serverChanged(isUp);
    }
  };
  return {
    connect: (name, linkOptions = {}) => new Link(hub, name, linkOptions),
    intercept: (decide) => {
      const own: Intercept = (delivery) => decide(delivery);
      hub.intercepts.add(own);
      return () => void hub.intercepts.delete(own);
    },
    get payloadBytesMax() {
      return hub.payloadBytesMax;
    },
    limitPayload: (bytesMax) => {
      hub.payloadBytesMax = bytesMax;
    },
    stop: () => turn(false),
    start: () => turn(true),
  };
}

/** Milliseconds that a dial which asks for the limit takes, and one after a violation. */
const checkMs = 100;
const redialMs = 50;

class Link implements MemoryTransport {
  readonly name: string;
  readonly noEcho: boolean;
  readonly silentServers: readonly string[] = [];
  readonly dropped: Record<MemoryDrop, number> = {
    disconnected: 0,
    closed: 0,
    too_large: 0,
    invalid: 0,
    denied: 0,
  };
  readonly #hub: Hub;
  readonly #options: MemoryLinkOptions;
  readonly #inbox: string;
  readonly #listeners = new Set<Listener>();
  readonly #statusListeners = new Set<(status: TransportStatus) => void>();
  readonly #requests: Requests;
  /** The server's limit as it was told last. */
  #payloadBytesMax: number;
  #isChecking = false;
  /** Cut by the server for a message over its limit; dials again soon. */
  #isViolator = false;
  #hasRequested = false;
  #isCut = false;
  #isClosed = false;
  #isDraining = false;
  #isGone = false;

  constructor(hub: Hub, name: string, options: MemoryLinkOptions) {
    this.name = name;
    this.noEcho = options.noEcho === true;
    this.#hub = hub;
    this.#payloadBytesMax = hub.payloadBytesMax;
    this.#options = options;
    this.#inbox = this.newInbox();
    this.#requests = new Requests(this.#inbox, hub.clock, (run) => this.#later(run));
    hub.links.add(this);
  }

  get payloadBytesMax(): number {
    return this.#payloadBytesMax;
  }

  checkPayloadBytesMax(): void {
    if (this.#isChecking || !this.connected) return;
    this.#isChecking = true;
    this.#hub.clock.setTimer(checkMs, () => {
      this.#isChecking = false;
      if (this.connected) this.#payloadBytesMax = this.#hub.payloadBytesMax;
    });
  }

  get place(): string {
    return this.#hub.server;
  }

  get connected(): boolean {
    return this.#hub.isUp && !this.#isCut && !this.#isViolator && !this.#isClosed;
  }

  newInbox(): string {
    return `_INBOX.${this.#hub.nextInbox()}`;
  }

  publish(subject: string, payload: Uint8Array, options: PublishOptions = {}): void {
    const drop = this.#refusal(subject, payload, options);
    if (drop !== undefined) {
      this.dropped[drop] += 1;
      return;
    }
    const { headers, reply } = options;
    const isEmpty = headers === undefined || Object.keys(headers).length === 0;
    const copy = isEmpty ? undefined : { ...headers };
    this.#hub.carry({ from: this, subject, payload, headers: copy, reply });
  }

  subscribe(
    subject: string,
    heard: (message: Incoming) => void,
    options?: { readonly queue?: string | undefined },
  ): EndSubscription {
    const queue = options?.queue;
    const endOfNone: EndSubscription = (drained) => {
      if (drained !== undefined) this.#later(drained);
    };
    if (this.#isClosed || this.#isDraining) {
      return endOfNone;
    }
    if (!isSendable(subject) || (queue !== undefined && !isSendable(queue))) {
      this.dropped.invalid += 1;
      return endOfNone;
    }
    const idle = { route: undefined, denials: 0, cancelRetry: () => {} };
    const listener: Listener = { subject, queue, heard, ...idle };
    this.#listeners.add(listener);
    this.#listen(listener);
    return (drained) => {
      this.#listeners.delete(listener);
      if (drained === undefined) {
        this.#unlisten(listener);
        return;
      }
      listener.cancelRetry();
      const { route } = listener;
      if (route !== undefined) this.#hub.routes.remove(route);
      this.#later(() => {
        // What was under way came before this.
        if (route !== undefined) route.isActive = false;
        drained();
      });
    };
  }

  request(
    subject: string,
    payload: Uint8Array,
    options: { readonly timeoutMs: number; readonly headers?: Headers | undefined },
    done: (answer: Answer) => void,
  ): void {
    if (!this.connected || this.#isDraining) {
      this.dropped[this.#isClosed ? "closed" : "disconnected"] += 1;
      this.#later(() => done({ kind: "disconnected" }));
      return;
    }
    const inboxes = `${this.#inbox}.*`;
    const denied = this.#denial("subscribe", inboxes) ?? this.#denial("publish", subject);
    if (denied !== undefined) {
      this.dropped.denied += 1;
      this.#emit(denied);
      this.#later(() => done(denied));
      return;
    }
    if (!this.#hasRequested) {
      this.#hasRequested = true;
      this.subscribe(inboxes, (message) => this.#requests.read(message));
    }
    const reply = this.#requests.expect(options.timeoutMs, done);
    this.publish(subject, payload, { headers: options.headers, reply });
  }

  onStatus(heard: (status: TransportStatus) => void): () => void {
    const listener = (status: TransportStatus) => heard(status);
    this.#statusListeners.add(listener);
    return () => void this.#statusListeners.delete(listener);
  }

  flush(): Promise<void> {
    if (!this.connected) {
      return Promise.reject(new Error("disconnected: messages may be lost"));
    }
    return new Promise((resolve) => this.#hub.clock.soon(resolve));
  }

  drain(): Promise<void> {
    if (this.#isClosed || this.#isDraining) {
      return Promise.resolve();
    }
    this.#isDraining = true;
    for (const { route } of this.#listeners) {
      if (route !== undefined) {
        this.#hub.routes.remove(route);
      }
    }
    return new Promise((resolve) => {
      // What is under way to us comes before this.
      this.#hub.clock.soon(() => void this.close().then(resolve));
    });
  }

  close(): Promise<void> {
    if (!this.#isClosed) {
      const wasConnected = this.connected;
      this.#isClosed = true;
      this.#hub.links.delete(this);
      this.#lose(wasConnected);
      this.#emit({ kind: "closed", reason: undefined });
    }
    return Promise.resolve();
  }

  vanish(): void {
    this.#isGone = true;
    this.#isClosed = true;
    this.#hub.links.delete(this);
    this.#lose(false);
  }

  disconnect(): void {
    const wasConnected = this.connected;
    this.#isCut = true;
    if (wasConnected) {
      this.#lose(true);
    }
  }

  reconnect(): void {
    const wasConnected = this.connected;
    this.#isCut = false;
    if (!wasConnected) {
      this.#resume();
    }
  }

  serverChanged(isUp: boolean): void {
    if (isUp) {
      this.#resume();
    } else if (!this.#isCut && !this.#isViolator) {
      this.#lose(true);
    }
  }

  #resume(): void {
    if (!this.connected) {
      return;
    }
    this.#payloadBytesMax = this.#hub.payloadBytesMax;
    for (const listener of this.#listeners) {
      if (listener.route === undefined) {
        this.#listen(listener);
      }
    }
    this.#emit({ kind: "connected", server: this.#hub.server });
  }

  #lose(isReported: boolean): void {
    for (const listener of this.#listeners) {
      this.#unlisten(listener);
      listener.denials = 0;
    }
    this.#requests.disconnected();
    if (isReported) {
      this.#emit({ kind: "disconnected" });
    }
  }

  #refusal(subject: string, payload: Uint8Array, options: PublishOptions): MemoryDrop | undefined {
    if (!this.connected) {
      return this.#isClosed ? "closed" : "disconnected";
    }
    if (!isSendableMessage(subject, options)) {
      return "invalid";
    }
    const bytes = bytesOf(payload, options);
    if (bytes > this.#payloadBytesMax) {
      return "too_large";
    }
    if (bytes > this.#hub.payloadBytesMax) {
      this.#violate();
      return "too_large";
    }
    const denied = this.#denial("publish", subject);
    if (denied !== undefined) {
      this.#emit(denied);
      return "denied";
    }
    return undefined;
  }

  #denial(operation: Denied["operation"], subject: string): Denied | undefined {
    const isDenied = this.#options.denies?.(operation, subject) === true;
    return isDenied ? { kind: "denied", operation, subject } : undefined;
  }

  /** The server cuts whoever sends too much; the next dial tells its limit. */
  #violate(): void {
    this.#isViolator = true;
    this.#lose(true);
    this.#hub.clock.setTimer(redialMs, () => {
      this.#isViolator = false;
      this.#resume();
    });
  }

  #listen(listener: Listener): void {
    const { subject, queue, heard } = listener;
    if (!this.connected) {
      return;
    }
    const denied = this.#denial("subscribe", subject);
    if (denied !== undefined) {
      this.#emit(denied);
      const delayMs = pauseAfterDenial(listener);
      listener.cancelRetry = this.#hub.clock.setTimer(delayMs, () => this.#listen(listener));
      return;
    }
    const read = (message: Incoming) => this.#read(heard, message);
    const route = { tokens: subject.split("."), queue, link: this, heard: read, isActive: true };
    listener.route = route;
    this.#hub.routes.add(route);
    if (listener.denials > 0) {
      listener.denials = 0;
      this.#emit({ kind: "granted", subject });
    }
  }

  #read(heard: (message: Incoming) => void, message: Incoming): void {
    try {
      heard(message);
    } catch (error) {
      this.#emit({ kind: "unread", message, error });
    }
  }

  #unlisten(listener: Listener): void {
    listener.cancelRetry();
    if (listener.route !== undefined) {
      listener.route.isActive = false;
      this.#hub.routes.remove(listener.route);
      listener.route = undefined;
    }
  }

  #emit(status: TransportStatus): void {
    for (const listener of this.#statusListeners) {
      this.#later(() => {
        if (this.#statusListeners.has(listener)) {
          listener(status);
        }
      });
    }
  }

  #later(run: () => void): void {
    this.#hub.clock.soon(() => {
      if (!this.#isGone) {
        run();
      }
    });
  }
}
