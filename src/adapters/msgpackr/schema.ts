/**
 * The shape of every message: one schema a verb, which the compiler holds to `messages.ts`.
 *
 * Why the check: the schemas decide what an actor sees, `messages.ts` what it is written for. A
 * field that is in one of them only would be dropped, or `undefined`, in silence.
 */
import type { Static } from "@sinclair/typebox";
import type { MessageOf, Sender, Verb } from "../../paxos/wire/messages.js";
import { clientSchemas } from "./schema-client.js";
import { keySchemas } from "./schema-key.js";
import { logSchemas } from "./schema-log.js";
import { peerSchemas, senderSchema } from "./schema-peer.js";

/** A type as plain data: everything read-only, bytes as one thing. */
type Plain<T> = T extends Uint8Array
  ? Uint8Array
  : T extends readonly (infer Item)[]
    ? readonly Plain<Item>[]
    : T extends object
      ? { readonly [K in keyof T]: Plain<T[K]> }
      : T;

type Same<A, B> =
  (<T>() => T extends Plain<A> ? 1 : 2) extends <T>() => T extends Plain<B> ? 1 : 2 ? true : false;

const schemas = { ...keySchemas, ...logSchemas, ...peerSchemas, ...clientSchemas };
type Schemas = typeof schemas;

/** The verbs whose schema is missing, is superfluous, or has other fields than the message. */
type Disagreeing =
  | Exclude<keyof Schemas, Verb>
  | Exclude<Verb, keyof Schemas>
  | {
      [V in keyof Schemas & Verb]: Same<Static<Schemas[V]>, MessageOf<V>> extends true ? never : V;
    }[keyof Schemas & Verb];

/** Verb → schema of its message. An error here names the verbs that differ from `messages.ts`. */
export const SCHEMAS: [Disagreeing] extends [never] ? Schemas : { differing: Disagreeing } =
  schemas;

/** The schema of who sent a message. An error here means that it differs from `Sender`. */
export const SENDER_SCHEMA: Same<Static<typeof senderSchema>, Sender> extends true
  ? typeof senderSchema
  : never = senderSchema;
