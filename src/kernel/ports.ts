/**
 * Ports: everything a role's host needs from outside. Each has a real adapter and a deterministic
 * twin in `src/adapters/memory`; `test/ports` holds both to one contract.
 *
 * Why callbacks and not promises: the simulator must own the order in which things happen.
 */
import type { ConfigurationName } from "../paxos/cluster.js";
import type { HealthReading } from "../paxos/health.js";
import type { Message, Sender } from "../paxos/wire/messages.js";

/** Time that never goes back, and alarms. */
export interface Clock {
  /** Milliseconds since some fixed moment; monotonic. */
  nowMs(): number;
  /**
   * Calls `fire` once, not before `delayMs` have passed. @returns cancels; harmless when too late
   */
  setTimer(delayMs: number, fire: () => void): () => void;
  /** Calls `run` once, after what has already arrived this turn was delivered. */
  soon(run: () => void): void;
  /**
   * Calls `run` once, after what this turn published was handed to the system, and before anything
   * else is delivered.
   */
  endOfTurn(run: () => void): void;
}

/** Reads how this process stands. */
export interface HealthMeter {
  /** Reads; the lag is the longest since the last call. */
  read(): HealthReading;
}

/** Randomness, seeded in the simulator. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** 2 × `count` hexadecimal digits. */
  hex(count: number): string;
}

/** Header names and values; a name occurs once. */
export type Headers = Readonly<Record<string, string>>;

/** A message that came from the bus. */
export interface Incoming {
  readonly subject: string;
  /** May be a view of a larger buffer; valid as long as it is referenced. */
  readonly payload: Uint8Array;
  readonly headers: Headers | undefined;
  /** Where an answer is awaited. */
  readonly reply: string | undefined;
}

/** A subject that the server's permissions forbid. */
export interface Denied {
  readonly kind: "denied";
  readonly operation: "publish" | "subscribe";
  readonly subject: string;
}

/**
 * What became of a request.
 * - `no_responders`: the server knows of no subscriber, at once;
 * - `denied`: the server forbids its subject, or to subscribe to the inbox for its answer.
 */
export type Answer =
  | { readonly kind: "answer"; readonly message: Incoming }
  | { readonly kind: "no_responders" | "timeout" | "disconnected" }
  | Denied;

/**
 * What happens to a connection.
 * - `denied`: the server's permissions forbid a subject. A subscription is tried again with growing
 *   pauses while the connection stands;
 * - `granted`: a subscription that was denied stands now;
 * - `error`: any other error that the server reports, in its own words;
 * - `unread`: reading a message threw, in an adapter or in a listener: a message that nobody took.
 */
export type TransportStatus =
  | { readonly kind: "connected"; readonly server: string }
  | { readonly kind: "disconnected" }
  | Denied
  | { readonly kind: "granted"; readonly subject: string }
  | { readonly kind: "error"; readonly words: string }
  | { readonly kind: "unread"; readonly message: Incoming; readonly error: unknown }
  | { readonly kind: "closed"; readonly reason: string | undefined };

/**
 * The bus: at most once, no order across subjects. Any message may be lost, repeated or late;
 * publishing while disconnected loses silently.
 */
export interface Transport {
  /**
   * Largest message the server takes, headers counted in, in bytes: what it said last. It may
   * change at any moment, so read it when something is sent.
   */
  readonly payloadBytesMax: number;
  /**
   * Says that something did not pass under `payloadBytesMax`: the transport finds out, now and
   * then, whether the server takes more by now. No server announces that.
   */
  checkPayloadBytesMax(): void;
  readonly connected: boolean;
  /** The server, and by what it was chosen: for people, without credentials. */
  readonly place: string;
  /** Servers that this transport knows and dialled, and that never answered it. */
  readonly silentServers: readonly string[];
  /**
   * Draws a subject for answers that no other inbox equals: subscribe to it, or to its `.*`.
   *
   * Every inbox comes from here: the transport knows the prefix that permissions need.
   */
  newInbox(): string;
  /** Hands a message over; returns before it is sent. Messages of one tick leave together. */
  publish(subject: string, payload: Uint8Array, options?: PublishOptions): void;
  /**
   * Calls `heard` for each message of the subject (`*` one token, `>` the rest), in the turn it
   * arrives. Of the subscribers of one `queue` group each message reaches one. A throw of `heard`
   * becomes the status `unread`, and changes nothing else.
   */
  subscribe(
    subject: string,
    heard: (message: Incoming) => void,
    options?: { readonly queue?: string | undefined },
  ): EndSubscription;
  /** Publishes and awaits one answer. `done` is called exactly once. */
  request(
    subject: string,
    payload: Uint8Array,
    options: { readonly timeoutMs: number; readonly headers?: Headers | undefined },
    done: (answer: Answer) => void,
  ): void;
  /** Calls `heard` for each change from now on. @returns stops it */
  onStatus(heard: (status: TransportStatus) => void): () => void;
  /** Resolves once everything published before has reached the server. */
  flush(): Promise<void>;
  /** Ends subscriptions, delivers and sends what is under way, then closes. */
  drain(): Promise<void>;
}

/**
 * Ends a subscription. Without `drained` at once: what is under way to it is lost. With it, what
 * the server has sent is delivered first, then `drained` is called once, never within the call.
 */
export type EndSubscription = (drained?: () => void) => void;

/** Options of {@link Transport.publish}. */
export interface PublishOptions {
  readonly headers?: Headers | undefined;
  /** Where answers go; a server without a subscriber for the subject answers there (503). */
  readonly reply?: string | undefined;
}

/** One atomic change of a disk. */
export interface DiskBatch {
  /** Nothing is written unless this key holds exactly these bytes; null: unless it is absent. */
  readonly expect: { readonly key: Uint8Array; readonly bytes: Uint8Array | null };
  readonly puts: readonly { readonly key: Uint8Array; readonly bytes: Uint8Array }[];
  readonly removes: readonly Uint8Array[];
}

/**
 * Why a disk refused.
 * - `full`: no room; nothing of the batch was written, and a later one may succeed;
 * - `failed`: a write or sync failed: what the disk holds is uncertain, and it must not be used on;
 * - `fenced`: `expect` did not hold: another process has taken the store.
 */
export interface DiskError {
  readonly kind: "full" | "failed" | "fenced";
  readonly message: string;
}

/**
 * A small ordered key-value file with atomic, synced batches.
 *
 * Keys are 1 … 1024 bytes, ordered as unsigned bytes.
 */
export interface Disk {
  /** Names the file itself, as text: another after a copy, the same after a move or remount. */
  readonly file: string;
  /** Returns the bytes under a key (valid until the next commit), or undefined. */
  get(key: Uint8Array): Uint8Array | undefined;
  /** Visits every pair with from ≤ key < to in order, until `visit` returns false. */
  scan(
    from: Uint8Array,
    to: Uint8Array | null,
    visit: (key: Uint8Array, bytes: Uint8Array) => boolean | undefined,
  ): void;
  /**
   * Writes a batch, atomically. `done` is called exactly once, perhaps long after this returns, and
   * with null only after the batch is on stable storage. Batches become durable, and their `done`
   * is called, in the order of the calls.
   */
  commit(batch: DiskBatch, done: (error: DiskError | null) => void): void;
  /**
   * Says whether a batch of `bytes` has a chance now: asked while the role refuses for lack of
   * room.
   */
  hasRoom(bytes: number): boolean;
  /** How full it is. */
  room(): DiskRoom;
  close(): void;
}

/** How full a disk is. */
export interface DiskRoom {
  readonly usedBytes: number;
  /** By its own bound, or by what the file system has left; Infinity if neither is known. */
  readonly bytesMax: number;
}

/** Structured log of a role. Fields are plain data; never secrets, never whole values. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

/** Fields of a log line. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What an envelope says beside its message. */
export interface Envelope {
  readonly sender: Sender;
  /** What the sender serves under; whether that may be judged here, rules decide. */
  readonly configuration: ConfigurationName;
  /** Integer Lamport clock of the sending process. */
  readonly lc: number;
  readonly message: Message;
}

/** Why bytes were not taken for a message; counted under this name in `status`. */
export type WireFault =
  | "undecodable"
  | "wrong_checksum"
  | "wrong_version"
  | "wrong_shape"
  | "wrong_cluster"
  | "unknown_verb";

/** Messages to bytes and back, for one cluster. */
export interface Codec {
  encode(sender: Sender, lc: number, message: Message): Uint8Array;
  /**
   * Reads bytes that came under a verb; never throws.
   *
   * Blobs in the result may be views of `payload`.
   */
  decode(verb: string, payload: Uint8Array): Envelope | { readonly fault: WireFault };
}

/** Plain data in MessagePack, for doors that answer in the words they are asked in. */
export interface StructuredCodec {
  encode(value: unknown): Uint8Array;
  /** @throws on bytes that are no MessagePack */
  decode(bytes: Uint8Array): unknown;
}
