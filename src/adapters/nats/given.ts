/**
 * What a caller gives: options, or an open connection.
 *
 * Why our own types: these are public, and must not make a program check those of one package. A
 * connection of `nats` 2 fits, and so does one of `@nats-io/transport-node` 3.
 */
import type { NatsConnectError } from "./errors.js";

/** What is used of an open connection. */
export interface OpenConnection {
  /** What the server said of itself last. */
  readonly info?: { readonly max_payload: number };
  publish(
    subject: string,
    payload?: Uint8Array,
    options?: { reply?: string; headers?: unknown },
  ): void;
  subscribe(
    subject: string,
    options?: { queue?: string; callback?: (error: never, message: never) => void },
  ): { unsubscribe(): void; drain(): Promise<void> };
  flush(): Promise<void>;
  status(): AsyncIterable<{ readonly type: string }>;
  getServer(): string;
  isClosed(): boolean;
  isDraining(): boolean;
  /** Resolves when it is closed for good. */
  closed(): Promise<unknown>;
}

/** Answers a server's question for credentials, as authenticators of the `nats` package do. */
type Authenticator = (nonce?: string) => Proof;
type Proof =
  // biome-ignore lint/suspicious/noConfusingVoidType: the package's word for no credentials
  | void
  | { auth_token: string }
  | { user: string; pass?: string }
  | { nkey: string; sig: string }
  | { jwt: string; nkey?: string; sig?: string };

/** What proves who we are. */
export interface NatsCredentials {
  readonly user?: string | undefined;
  readonly pass?: string | undefined;
  readonly token?: string | undefined;
  /** Content of a credentials file (a JWT and a seed). */
  readonly creds?: string | undefined;
  /** The seed of an nkey user (`SU…`). */
  readonly nkey?: string | undefined;
  readonly authenticator?: Authenticator | Authenticator[] | undefined;
}

/** Files are PEM; a content goes before the file of its name. */
interface TlsOptions {
  readonly handshakeFirst?: boolean;
  readonly cert?: string;
  readonly certFile?: string;
  readonly key?: string;
  readonly keyFile?: string;
  readonly ca?: string;
  readonly caFile?: string;
}

/** The options of the `nats` package that reach it as they are. */
interface PackageOptions {
  /** Called what in the server's list of connections. */
  readonly name?: string | undefined;
  /** Null forbids TLS. */
  readonly tls?: TlsOptions | null | undefined;
  readonly timeout?: number | undefined;
  readonly pingInterval?: number | undefined;
  readonly maxPingOut?: number | undefined;
  /**
   * Whether the connection receives none of its own messages. A worker's does not, if left out. A
   * connection that a worker shares with a client or another worker needs its own messages.
   */
  readonly noEcho?: boolean | undefined;
  readonly pedantic?: boolean | undefined;
  readonly verbose?: boolean | undefined;
  readonly debug?: boolean | undefined;
  readonly noAsyncTraces?: boolean | undefined;
  readonly ignoreAuthErrorAbort?: boolean | undefined;
  readonly resolve?: boolean | undefined;
  readonly reconnectJitterTLS?: number | undefined;
}

/**
 * How to connect: any option of the `nats` package, and a few of ours.
 *
 * Differs from the package: `servers` may be a list in one text and may carry credentials
 * (`nats://user:password@host`, `nats://token@host`), `tls://` asks for TLS; `maxReconnectAttempts`
 * counts rounds over all servers; `waitOnFirstConnect` returns at once and goes on trying.
 */
export interface NatsOptions extends NatsCredentials, PackageOptions {
  readonly servers?: string | string[] | undefined;
  /** Of a server on 127.0.0.1, where `servers` is left out. */
  readonly port?: number | undefined;
  /** Keeps the order of `servers`. */
  readonly noRandomize?: boolean | undefined;
  /** Uses only the servers that are named, not those they tell of. */
  readonly ignoreClusterUpdates?: boolean | undefined;
  readonly reconnect?: boolean | undefined;
  readonly maxReconnectAttempts?: number | undefined;
  readonly reconnectTimeWait?: number | undefined;
  readonly reconnectJitter?: number | undefined;
  readonly reconnectDelayHandler?: (() => number) | undefined;
  readonly waitOnFirstConnect?: boolean | undefined;
  /** First tokens of the subjects for answers, where permissions ask for others. */
  readonly inboxPrefix?: string | undefined;
  /**
   * Asked at every dial, so that credentials may be rotated; what it gives counts before the other
   * options. A failure is waited out like an outage once a connection stood.
   */
  readonly credentials?: (() => NatsCredentials | Promise<NatsCredentials>) | undefined;
  /** Ends a first connection that is being made; no later one. */
  readonly signal?: AbortSignal | undefined;
  /** An open connection to use instead; it is never closed by us. */
  readonly connection?: OpenConnection | undefined;
  /** By what the servers were chosen, for messages: `NATS_URL`. */
  readonly chosenBy?: string | undefined;
  /** Hears, in a sentence, why there is no connection yet; each new reason once. */
  readonly onWaiting?: ((reason: NatsConnectError) => void) | undefined;
}
