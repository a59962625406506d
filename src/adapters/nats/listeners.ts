import type { NatsConnection, SubscriptionOptions } from "nats";
import type { Incoming } from "../../actor/ports.js";
import { NatsIncoming } from "./incoming.js";
import { outsideReader } from "./requests.js";

/** A subscription that outlives connections. */
interface Listener {
  readonly subject: string;
  readonly queue: string | undefined;
  readonly heard: (message: Incoming) => void;
  /** Undefined while there is no connection, or if the server denied it. */
  live: ReturnType<NatsConnection["subscribe"]> | undefined;
}

/** Subscriptions, renewed with each connection. */
export class Listeners {
  readonly #all = new Set<Listener>();

  /** Adds one; subscribes at once if there is a connection. @returns ends it */
  add(
    connection: NatsConnection | undefined,
    subject: string,
    queue: string | undefined,
    heard: (message: Incoming) => void,
  ): () => void {
    const listener: Listener = { subject, queue, heard, live: undefined };
    this.#all.add(listener);
    if (connection !== undefined) {
      listen(connection, listener);
    }
    return () => {
      this.#all.delete(listener);
      listener.live?.unsubscribe();
      listener.live = undefined;
    };
  }

  /** Subscribes what is not: all on a new connection, what was denied on an old one. */
  renew(connection: NatsConnection): void {
    for (const listener of this.#all) {
      if (listener.live === undefined) {
        listen(connection, listener);
      }
    }
  }

  /** Lets go of a connection; what it still brings is not heard. */
  detach(): void {
    for (const listener of this.#all) {
      listener.live?.unsubscribe();
      listener.live = undefined;
    }
  }

  /** Resolves once everything under way to a subscription was heard, and none is left. */
  async drain(): Promise<void> {
    const lives = [...this.#all].flatMap((listener) => listener.live ?? []);
    await Promise.all(lives.map((live) => live.drain().catch(() => {})));
  }
}

function listen(connection: NatsConnection, listener: Listener): void {
  const { queue } = listener;
  const options: SubscriptionOptions = {
    callback: (error, message) => {
      if (error === null) {
        outsideReader(() => listener.heard(new NatsIncoming(message)));
      } else {
        // Denied, and dropped by the client; tried again with the next connection.
        listener.live = undefined;
      }
    },
    ...(queue !== undefined && { queue }),
  };
  try {
    listener.live = connection.subscribe(listener.subject, options);
  } catch {
    // The connection closed in this turn; its end is on the way to us.
  }
}
