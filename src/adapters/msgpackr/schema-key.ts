/** Single-decree Synod on the wire. The order of the properties is the order of the elements. */
import { Type } from "@sinclair/typebox";
import {
  ballot,
  blob,
  bodyType,
  digest,
  key,
  nackReason,
  orNull,
  reply,
  vote,
  voters,
} from "./fields.js";

/** The verbs of single-decree Synod. */
export const keySchemas = {
  "key-prepare": Type.Object({ type: Type.Literal("key-prepare"), key, ballot }),
  "key-promise": Type.Object({
    type: Type.Literal("key-promise"),
    key,
    ballot,
    vote: orNull(vote),
  }),
  "key-accept": Type.Object({
    type: Type.Literal("key-accept"),
    key,
    ballot,
    digest,
    value: blob(),
  }),
  "key-accepted": Type.Object({ type: Type.Literal("key-accepted"), key, ballot, digest }),
  "key-nack": Type.Object({
    type: Type.Literal("key-nack"),
    key,
    ballot,
    promised: orNull(ballot),
    reason: nackReason,
  }),
  "key-chosen": Type.Object({
    type: Type.Literal("key-chosen"),
    key,
    ballot,
    digest,
    value: blob(),
    syncedBy: voters,
  }),
  decide: Type.Object({
    type: Type.Literal("decide"),
    key,
    value: orNull(blob()),
    valueType: bodyType,
    reply,
  }),
};
