import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { type ConnectionOptions, connect, ErrorCode, type NatsConnection } from "nats";
import { lastWords } from "./last-words.js";

/** One attempt to connect. */
export interface Dial {
  readonly connection: Promise<NatsConnection>;
  /** Ends the attempt; `connection` is rejected, unless it was there already. */
  abort(): void;
}

/** The sockets of an attempt under way. */
interface Attempt {
  readonly sockets: Set<Socket>;
  /** The end of what the server said. */
  said: string;
  isOver: boolean;
}

/** An error of a server, and what may stand before it in the same chunk. */
const saidCharsMax = 1_024;

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
      const { socket } = message as { readonly socket: Socket };
      if (attempt?.isOver === true) {
        // The name was resolved after the attempt was given up. Not before the socket connects:
        // that makes a destroyed one whole, and it would fail with nobody listening.
        process.nextTick(() => socket.destroy());
      } else if (attempt !== undefined) {
        attempt.sockets.add(socket);
        keepWords(socket, attempt);
      }
    });
  }
  const attempt: Attempt = { sockets: new Set(), said: "", isOver: false };
  underWayCount += 1;
  const made = attempts.run(attempt, () => connect(options)).finally(forget);
  const explained = made.catch(async (error: unknown) => {
    const isAborted = attempt.isOver;
    end(attempt);
    throw isAborted ? error : await lastWords(error, attempt.said, options.servers);
  });
  let giveUp: (reason: unknown) => void = () => {};
  const givenUp = new Promise<never>((_, reject) => {
    giveUp = reject;
  });
  const abort = (reason: unknown = new Error("given up")) => {
    giveUp(reason);
    end(attempt);
  };
  // The client counts its time from when the name is resolved, and for each address of it.
  const late = setTimeout(
    () => abort(Object.assign(new Error("timeout"), { code: ErrorCode.Timeout })),
    addressesPerName * (options.timeout ?? clientTimeoutMs),
  );
  const connection = Promise.race([explained, givenUp]).finally(() => clearTimeout(late));
  made.then(
    (won) => {
      if (attempt.isOver) void won.close();
      attempt.isOver = true;
    },
    () => {},
  );
  return { connection, abort: () => abort() };
}

/**
 * Keeps the end of what a server says during an attempt.
 *
 * Why: a server that refuses a connection says why and closes it. The client reads that, but the
 * error that it throws is the one of the closed socket (EPIPE).
 */
function keepWords(socket: Socket, attempt: Attempt): void {
  const push = socket.push;
  socket.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
    if (!attempt.isOver && chunk !== null) {
      attempt.said = (attempt.said + chunk.toString("latin1")).slice(-saidCharsMax);
    }
    return push.call(socket, chunk, encoding);
  };
}

/** How many times the client's timeout an attempt may take: a name may have several addresses. */
const addressesPerName = 3;
/** The timeout of the client if the options have none. */
const clientTimeoutMs = 20_000;

function end(attempt: Attempt): void {
  if (attempt.isOver) return;
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
