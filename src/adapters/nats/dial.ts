import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { type ConnectionOptions, connect, type NatsConnection } from "nats";

/** One attempt to connect. */
export interface Dial {
  readonly connection: Promise<NatsConnection>;
  /** Ends the attempt; `connection` is rejected, unless it was there already. */
  abort(): void;
}

/** The sockets of an attempt under way. */
interface Attempt {
  readonly sockets: Set<Socket>;
  isOver: boolean;
}

const attempts = new AsyncLocalStorage<Attempt>();
let underWayCount = 0;
let isSubscribed = false;

/**
 * Tries one server, and leaves no socket behind when that fails.
 *
 * Why: the client forgets the socket of an attempt that timed out, without closing it. It keeps the
 * process alive, and a frozen server collects one with each attempt. Node tells of new sockets
 * on a diagnostics channel; the storage says which attempt they belong to.
 */
export function dial(options: ConnectionOptions): Dial {
  if (!isSubscribed) {
    isSubscribed = true;
    subscribe("net.client.socket", (message) => {
      const attempt = attempts.getStore();
      if (attempt !== undefined && !attempt.isOver) {
        attempt.sockets.add((message as { readonly socket: Socket }).socket);
      }
    });
  }
  const attempt: Attempt = { sockets: new Set(), isOver: false };
  const abort = () => {
    if (!attempt.isOver) {
      end(attempt);
    }
  };
  underWayCount += 1;
  const connection = attempts
    .run(attempt, () => connect(options))
    .then(
      (made) => {
        attempt.isOver = true;
        return made;
      },
      (error: unknown) => {
        abort();
        throw error;
      },
    )
    .finally(forget);
  return { connection, abort };
}

function end(attempt: Attempt): void {
  attempt.isOver = true;
  for (const socket of attempt.sockets) {
    socket.destroy();
  }
  attempt.sockets.clear();
}

/** The storage costs every promise of the process a little: it is on only while somebody dials. */
function forget(): void {
  underWayCount -= 1;
  if (underWayCount === 0) {
    attempts.disable();
  }
}
