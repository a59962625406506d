/**
 * Fields that several messages share, with their bounds.
 *
 * `wire` is our own keyword: how `positional.ts` carries a string. Without it a string travels as
 * MessagePack str and must be ASCII.
 * - `hex`: an even number of hexadecimal digits, as half as many raw bytes;
 * - `text`: what people wrote, as UTF-8 in a bin.
 */
import { type TSchema, Type } from "@sinclair/typebox";
import { BODY_TYPES } from "../../paxos/command.js";

/** Most elements of a list: far above every limit of a descriptor, far below what hurts. */
const listItemsMax = 65_536;
/** Most acceptors that can have voted. */
export const votersMax = 256;
/** A store's keys are 1 … 1024 bytes, and some of that is its own prefix. */
const keyBytesMax = 1000;
const replyBytesMax = 256;

/** An integer from `minimum` to 2^53 − 1. */
export const whole = (minimum: number) =>
  Type.Integer({ minimum, maximum: Number.MAX_SAFE_INTEGER });

/** Milliseconds or the like: finite, not negative, not always whole. */
export const amount = () => Type.Number({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** `digits` hexadecimal digits. No pattern: what is read from so many bytes has no others. */
const hex = (digits: number) => Type.String({ minLength: digits, maxLength: digits, wire: "hex" });

/** A text of at most `bytesMax` bytes of UTF-8. */
export const text = (minLength: number, bytesMax: number) =>
  Type.String({ minLength, maxLength: bytesMax, wire: "text" });

/** Bytes, as views of what was received. */
export const blob = (minByteLength = 0) => Type.Uint8Array({ minByteLength });

/** A list, bounded even where the caller names no bounds. */
export const list = <T extends TSchema>(item: T, minItems = 0, maxItems = listItemsMax) =>
  Type.Array(item, { minItems, maxItems });

/** What the schema says, or null. */
export const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** One of the words. */
export const word = <const W extends readonly string[]>(...words: W) =>
  Type.Unsafe<W[number]>(Type.Union(words.map((one) => Type.Literal(one))));

/** The name of a role's instance. */
export const id = Type.String({ pattern: "^[a-z0-9_-]{1,32}$" });
/** A slot, or a watermark: all slots below it. */
export const slot = whole(0);
/** A ballot. */
export const ballot = Type.Object({
  round: whole(1),
  owner: Type.String({ pattern: "^[a-z0-9_-]{1,32}\\.[0-9a-f]{16}$" }),
});
/** The digest of a value. */
export const digest = hex(32);
/** The name of a session. */
export const session = hex(32);
/** The acceptors that voted for something. */
export const voters = list(id, 0, votersMax);
/** The name of a single-decree instance. */
export const key = text(1, keyBytesMax);
/** A host's token for a waiting request. */
export const reply = text(0, replyBytesMax);
/** How a client's bytes are to be read again. */
export const bodyType = word(...BODY_TYPES);
/** Why an acceptor refuses. */
export const nackReason = word("stale", "round_jump", "too_many", "second_digest", "trimmed");
/** A vote in a key; the value may be empty. */
export const vote = Type.Object({ ballot, digest, value: blob() });
