/** Values of an application, and the typed bytes that the log holds. */
import type { BodyType } from "../paxos/command.js";
import type { Limits } from "../paxos/limits.js";
import { limitsUnder } from "../paxos/wire/payload.js";
import { InvalidError, TooLargeError } from "./errors.js";
import { decodeMsgpack, encodeMsgpack, isBytes, isWellFormed, UnwritableValue } from "./msgpack.js";
import type { Value } from "./value.js";

/** Writes and reads the values that are neither bytes nor a string. */
export interface ValueCodec {
  /** @throws anything: the value is `invalid` */
  encode(value: unknown, bytesMax: number): Uint8Array;
  /** @throws anything: the reader gets the bytes */
  decode(bytes: Uint8Array): Value;
}

/** A value as it stands in the log. */
export interface TypedBody {
  readonly type: BodyType;
  readonly body: Uint8Array;
}

/** MessagePack, exactly. */
export const EXACT: ValueCodec = { encode: encodeMsgpack, decode: decodeMsgpack };

const fromUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Writes a value: bytes and strings as they are, the rest by the codec.
 *
 * @param because says which limit `bytesMax` is, if it is not the cluster's own
 * @throws InvalidError or TooLargeError
 */
export function encodeValue(
  value: unknown,
  bytesMax: number,
  codec: ValueCodec,
  because = "",
): TypedBody {
  const typed = write(value, bytesMax, codec, because);
  checkSize(typed.body.length, bytesMax, because);
  return typed;
}

/** What bounds a value under the server's limit on a message, and why if it is the server's. */
export function valueBound(
  limits: Limits,
  payloadBytesMax: number,
): { readonly bytesMax: number; readonly because: string } {
  const { valueBytesMax: bytesMax } = limitsUnder(limits, payloadBytesMax);
  const isServers = bytesMax < limits.valueBytesMax;
  const because = isServers ? ` (the server takes messages of ${payloadBytesMax} bytes)` : "";
  return { bytesMax, because };
}

/** Refuses a value over the limit. @throws TooLargeError */
export function checkSize(bytes: number, bytesMax: number, because = ""): void {
  if (bytes <= bytesMax) return;
  throw new TooLargeError(`the value has ${bytes} bytes, ${bytesMax} at most${because}`);
}

function write(value: unknown, bytesMax: number, codec: ValueCodec, because: string): TypedBody {
  // A copy: who changes the bytes while they wait must not change what is chosen.
  if (isBytes(value)) {
    checkSize(value.length, bytesMax, because);
    return { type: "bytes", body: new Uint8Array(value) };
  }
  if (typeof value === "string") {
    if (!isWellFormed(value)) {
      throw new InvalidError("the value is a string with half of a surrogate pair");
    }
    return { type: "string", body: bytesOf(value) };
  }
  try {
    return { type: "msgpack", body: codec.encode(value, bytesMax) };
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    if (cause instanceof UnwritableValue && cause.reason === "too_large") {
      throw new TooLargeError(`${message}${because}`, { cause });
    }
    throw new InvalidError(message, { cause });
  }
}

/** Node cuts short texts out of a shared buffer: a quarter of what an encoder's own costs. */
function bytesOf(text: string): Uint8Array {
  const { buffer, byteOffset, length } = Buffer.from(text);
  return new Uint8Array(buffer, byteOffset, length);
}

/**
 * Reads a value.
 *
 * Gotcha: other clients may write anything. What is not what its type says comes as its bytes.
 */
export function decodeValue({ type, body }: TypedBody, codec: ValueCodec): Value {
  try {
    if (type === "string") return fromUtf8.decode(body);
    if (type === "json") return JSON.parse(fromUtf8.decode(body)) as Value;
    if (type === "msgpack") return codec.decode(body);
  } catch {
    // As bytes, below.
  }
  return new Uint8Array(body);
}
