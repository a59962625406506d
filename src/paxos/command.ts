/**
 * Commands: what clients ask the log to hold, each with the identity that makes it happen once.
 */
import { ByteReader, ByteWriter, MalformedBytes } from "./bytes.js";

/** How a client's bytes are to be read again. */
export const BODY_TYPES = ["bytes", "string", "json", "msgpack"] as const;

/** One of {@link BODY_TYPES}. */
export type BodyType = (typeof BODY_TYPES)[number];

/**
 * - `open`: begins a session; again for one that is open, it changes nothing;
 * - `request`: the session's request of that number;
 * - `end`: the session asks nothing more, and leaves the table.
 */
export type Command =
  | { readonly kind: "open"; readonly session: string; readonly gateway: string }
  | Request
  | End;

/** The end of a session; it takes effect after the session's last request, like a request. */
export interface End {
  readonly kind: "end";
  readonly session: string;
  /** The slot in which the session was opened. */
  readonly openedIn: number;
  /** The number after that of the session's last request. */
  readonly number: number;
  readonly gateway: string;
}

/** A client's request, as it stands in the log. */
export interface Request {
  readonly kind: "request";
  /** 32 hexadecimal digits, drawn by the client. */
  readonly session: string;
  /**
   * The slot in which the session was opened, as its client was told; null: not known, it is meant
   * for the opening that the table holds.
   */
  readonly openedIn: number | null;
  /** 1, 2, 3 … within the session. */
  readonly number: number;
  /** The client has the result of every request of a lower number. */
  readonly answeredBelow: number;
  /** The gateway that passed it on and awaits the outcome; `[a-z0-9_-]{1,32}`. */
  readonly gateway: string;
  /** The client's idempotency id, at most 255 bytes; "" for none. */
  readonly id: string;
  readonly type: BodyType;
  /** The client's value, byte for byte. */
  readonly body: Uint8Array;
}

/**
 * Kinds on disk and on the wire; a number is never used for another layout (1 and 3: requests that
 * named a log).
 *
 * Gotcha: a learner passes over a kind that it does not know, and counts other positions than those
 * that do: every learner must know a kind before anybody writes it.
 */
const KIND = { open: 2, end: 4, request: 5, requestOfAnyOpening: 6 } as const;

/** Writes a command as the opaque blob that batches carry. */
export function encodeCommand(command: Command): Uint8Array {
  if (command.kind === "open") {
    const writer = new ByteWriter(64).u8(KIND.open);
    return writer.hex(command.session).text(command.gateway).finish();
  }
  if (command.kind === "end") {
    const { session, openedIn, number, gateway } = command;
    return new ByteWriter(64)
      .u8(KIND.end)
      .u53(openedIn)
      .hex(session)
      .u53(number)
      .text(gateway)
      .finish();
  }
  const { openedIn } = command;
  const writer = new ByteWriter(command.body.length + 88);
  if (openedIn === null) writer.u8(KIND.requestOfAnyOpening);
  else writer.u8(KIND.request).u53(openedIn);
  return writer
    .hex(command.session)
    .u53(command.number)
    .u53(command.answeredBelow)
    .text(command.gateway)
    .text(command.id)
    .u8(BODY_TYPES.indexOf(command.type))
    .raw(command.body)
    .finish();
}

/**
 * Reads a command back.
 *
 * @throws MalformedBytes if the blob is no command of a kind that this version knows
 */
export function decodeCommand(blob: Uint8Array): Command {
  return new CommandReader(blob).read(0, blob.length);
}

/**
 * Reads the commands of a value. Those of one session stand together, so it reads the bytes of a
 * session or gateway once and gives the same text to all of them.
 */
export class CommandReader {
  readonly #bytes: Uint8Array;
  #session = { at: 0, text: "" };
  #gateway = { at: 0, text: "" };

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /**
   * Reads the command that takes the bytes from ≤ at < to.
   *
   * @throws MalformedBytes if they are no command of a kind that this version knows
   */
  read(from: number, to: number): Command {
    const reader = new ByteReader(this.#bytes, from, to);
    const kind = reader.u8();
    if (kind === KIND.open) {
      const session = this.#sessionOf(reader);
      const gateway = this.#gatewayOf(reader);
      if (reader.left > 0) throw new MalformedBytes(`${reader.left} bytes after the command`);
      return { kind: "open", session, gateway };
    }
    if (kind === KIND.end) return this.#end(reader);
    if (kind !== KIND.request && kind !== KIND.requestOfAnyOpening) {
      throw new MalformedBytes(`a command of unknown kind ${kind}`);
    }
    const openedIn = kind === KIND.request ? reader.u53() : null;
    const session = this.#sessionOf(reader);
    const number = reader.u53();
    const answeredBelow = reader.u53();
    const gateway = this.#gatewayOf(reader);
    const id = reader.text();
    const type = BODY_TYPES[reader.u8()];
    if (type === undefined) throw new MalformedBytes("a body of unknown type");
    if (number < 1) throw new MalformedBytes("request numbers begin at 1");
    const body = reader.rest();
    return {
      kind: "request",
      session,
      openedIn,
      number,
      answeredBelow,
      gateway,
      id,
      type,
      body,
    };
  }

  #end(reader: ByteReader): End {
    const openedIn = reader.u53();
    const session = this.#sessionOf(reader);
    const number = reader.u53();
    const gateway = this.#gatewayOf(reader);
    if (number < 1) throw new MalformedBytes("request numbers begin at 1");
    if (reader.left > 0) throw new MalformedBytes(`${reader.left} bytes after the command`);
    return { kind: "end", session, openedIn, number, gateway };
  }

  #sessionOf(reader: ByteReader): string {
    const { at } = reader;
    const known = this.#session;
    if (known.text !== "" && reader.left >= 16 && this.#same(known.at, at, 16)) {
      reader.skip(16);
      return known.text;
    }
    const text = reader.hex(16);
    this.#session = { at, text };
    return text;
  }

  #gatewayOf(reader: ByteReader): string {
    const { at } = reader;
    const known = this.#gateway;
    const bytes = 1 + known.text.length;
    if (known.text !== "" && reader.left >= bytes && this.#same(known.at, at, bytes)) {
      reader.skip(bytes);
      return known.text;
    }
    const text = reader.text();
    // What is not ASCII has more bytes than the text has units.
    if (reader.at - at === 1 + text.length) this.#gateway = { at, text };
    return text;
  }

  #same(one: number, other: number, count: number): boolean {
    for (let i = 0; i < count; i++) {
      if (this.#bytes[one + i] !== this.#bytes[other + i]) return false;
    }
    return true;
  }
}

/** Bytes of a request before `answeredBelow`, behind which the gateway's name stands. */
const REQUEST_HEAD_BYTES = { [KIND.request]: 33, [KIND.requestOfAnyOpening]: 25 } as const;

/**
 * Names a command by its identity: session, opening, number and the gateway that awaits it. Copies
 * of one command have one name; the same request through another gateway has another, since that
 * gateway must have its outcome too.
 *
 * The name is a hash of 53 bits. Should two commands share one, the later counts as a copy of the
 * other until that one is chosen; its gateway sends it again.
 *
 * Cost: O(1); the body is not read. Bytes that are no command are named by all of them.
 */
export function commandName(blob: Uint8Array): number {
  const head =
    blob[0] === KIND.request || blob[0] === KIND.requestOfAnyOpening
      ? REQUEST_HEAD_BYTES[blob[0]]
      : undefined;
  const gatewayAt = (head ?? 0) + 8;
  const end = gatewayAt + 1 + (blob[gatewayAt] ?? 0);
  if (head === undefined || end > blob.length) return nameOf(blob, blob.length, blob.length, 0);
  return nameOf(blob, head, gatewayAt, end);
}

/** Hashes the bytes below `head` and those from ≤ at < end: FNV-1a, two lanes of 32 bits. */
function nameOf(bytes: Uint8Array, head: number, from: number, end: number): number {
  let low = 0x811c9dc5;
  let high = 0x9e3779b9;
  for (let at = 0; at < end || at < head; at++) {
    if (at === head) at = from;
    const byte = bytes[at] as number;
    low = Math.imul(low ^ byte, 0x01000193);
    high = Math.imul(high ^ byte, 0x85ebca6b);
  }
  return (high >>> 11) * 2 ** 32 + (low >>> 0);
}

/** Writes a single-decree value: the type of the client's bytes, then the bytes. */
export function encodeTyped(type: BodyType, body: Uint8Array): Uint8Array {
  return new ByteWriter(body.length + 1).u8(BODY_TYPES.indexOf(type)).raw(body).finish();
}

/** Reads a single-decree value back. @throws MalformedBytes if it is of an unknown type */
export function decodeTyped(value: Uint8Array): { type: BodyType; body: Uint8Array } {
  const reader = new ByteReader(value);
  const type = BODY_TYPES[reader.u8()];
  if (type === undefined) throw new MalformedBytes("a value of unknown type");
  return { type, body: reader.rest() };
}
