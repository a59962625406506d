import type { Msg, NatsConnection, SubscriptionOptions } from "nats";
import type { EndSubscription, Incoming } from "../../kernel/ports.js";
import { NatsIncoming } from "./incoming.js";
import { outsideReader } from "./requests.js";

/** What {@link Listeners} tell. */
export interface ListenerEvents {
  /** Reading a message threw, in the client or in its listener. */
  readonly unread: (message: Incoming, error: unknown) => void;
  /** A subscription that the server denied stands. */
  readonly granted: (subject: string) => void;
}

/** A subscription that outlives connections. */
interface Listener {
  readonly subject: string;
  readonly queue: string | undefined;
  readonly heard: (message: Incoming) => void;
  /** Undefined while there is no connection, and after the server denied it. */
  live: ReturnType<NatsConnection["subscribe"]> | undefined;
  /** How often the server denied it on this connection, without granting it in between. */
  denials: number;
  /** The next attempt after a denial. */
  retry: NodeJS.Timeout | undefined;
}

/** Milliseconds from a denial to the next attempt: doubled with each denial, up to the second. */
const retryMsMin = 250;
const retryMsMax = 8_000;

/** Subscriptions, renewed with each connection, and after a denial while the connection stands. */
export class Listeners {
  readonly #events: ListenerEvents;
  readonly #all = new Set<Listener>();
  /** Ends of subscriptions that drain. */
  readonly #drains = new Set<() => void>();

  constructor(events: ListenerEvents) {
    this.#events = events;
  }

  /** How many there are, denied ones included. */
  get size(): number {
    return this.#all.size;
  }

  /** Adds one; subscribes at once if there is a connection. @returns ends it */
  add(
    connection: NatsConnection | undefined,
    subject: string,
    queue: string | undefined,
    heard: (message: Incoming) => void,
  ): EndSubscription {
    const idle = { live: undefined, denials: 0, retry: undefined };
    const listener: Listener = { subject, queue, heard, ...idle };
    this.#all.add(listener);
    if (connection !== undefined) {
      this.#listen(connection, listener);
    }
    return (drained) => {
      const { live } = listener;
      if (drained !== undefined && live !== undefined && this.#all.delete(listener)) {
        this.#drain(live, drained);
        return;
      }
      this.#all.delete(listener);
      release(listener);
      endOfNone(drained);
    };
  }

  /** Subscribes what is not: all on a new connection, what was denied on an old one. */
  renew(connection: NatsConnection): void {
    for (const listener of this.#all) {
      if (listener.live === undefined) {
        clearTimeout(listener.retry);
        this.#listen(connection, listener);
      }
    }
  }

  /**
   * Notes that the server removed the subscriptions to a subject.
   *
   * Why by subject: a nats-server 2.9 that takes a right away by reload does not name the queue
   * group, so the client does not find the subscription and believes that it stands.
   */
  denied(connection: NatsConnection, subject: string): void {
    for (const listener of this.#all) {
      if (listener.subject === subject && listener.live !== undefined) {
        this.#denied(connection, listener);
      }
    }
  }

  /** Lets go of a connection; what it still brings is not heard. */
  detach(): void {
    for (const listener of this.#all) {
      release(listener);
      listener.denials = 0;
    }
    for (const end of [...this.#drains]) end();
  }

  /** Resolves once everything under way to a subscription was heard, and none is left. */
  async drain(): Promise<void> {
    const lives = [...this.#all].flatMap((listener) => {
      clearTimeout(listener.retry);
      return listener.live ?? [];
    });
    await Promise.all(lives.map((live) => live.drain().catch(() => {})));
  }

  /** Drains one. The client does not say that it is over when the connection goes before. */
  #drain(live: NonNullable<Listener["live"]>, drained: () => void): void {
    const end = () => {
      if (this.#drains.delete(end)) outsideReader(drained);
    };
    this.#drains.add(end);
    live.drain().then(end, end);
  }

  #listen(connection: NatsConnection, listener: Listener): void {
    const { queue } = listener;
    const options: SubscriptionOptions = {
      callback: (error, message) => {
        if (error === null) {
          this.#read(message, listener);
        } else if (listener.live === live) {
          this.#denied(connection, listener);
        }
      },
      ...(queue !== undefined && { queue }),
    };
    let live: Listener["live"];
    try {
      live = connection.subscribe(listener.subject, options);
      listener.live = live;
    } catch {
      // The connection closed in this turn; its end is on the way to us.
    }
  }

  /** Reads a message. Nothing that this throws may reach the client, which would read no more. */
  #read(message: Msg, listener: Listener): void {
    const incoming = new NatsIncoming(message);
    try {
      incoming.decode();
      listener.heard(incoming);
    } catch (error) {
      this.#events.unread(incoming, error);
    }
  }

  #denied(connection: NatsConnection, listener: Listener): void {
    release(listener);
    // One that is draining has been ended by its owner.
    if (!this.#all.has(listener)) return;
    const delayMs = Math.min(retryMsMax, retryMsMin * 2 ** listener.denials);
    listener.denials += 1;
    listener.retry = setTimeout(() => this.#tryAgain(connection, listener), delayMs);
  }

  /** Subscribes again; a server denies before it answers the ping of a flush. */
  #tryAgain(connection: NatsConnection, listener: Listener): void {
    this.#listen(connection, listener);
    const { live } = listener;
    if (live === undefined) {
      return;
    }
    connection.flush().then(
      () => {
        if (listener.live === live) {
          listener.denials = 0;
          this.#events.granted(listener.subject);
        }
      },
      () => {},
    );
  }
}

/** Ends a subscription that does not stand. */
export function endOfNone(drained?: () => void): void {
  if (drained !== undefined) {
    setImmediate(drained);
  }
}

/** Ends what a listener has of a connection. */
function release(listener: Listener): void {
  clearTimeout(listener.retry);
  listener.live?.unsubscribe();
  listener.live = undefined;
}
