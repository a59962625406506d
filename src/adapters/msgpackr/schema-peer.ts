/**
 * Election, stores under suspicion, and the sender in every envelope. The order of the properties
 * is the order of the elements; the sender alone is laid out by hand, in `codec.ts`.
 */
import { Type } from "@sinclair/typebox";
import { ROLES } from "../../paxos/wire/messages.js";
import { amount, ballot, id, list, orNull, slot, whole, word } from "./fields.js";

/** Openings that a `hello` shows: messages.ts. */
const openingsMax = 32;

/** `count` lower-case hexadecimal digits; a pattern, as what is written is checked, too. */
const digits = (count: number) => Type.String({ pattern: `^[0-9a-f]{${count}}$` });

/** Who sent a message. */
export const senderSchema = Type.Object({
  role: word(...ROLES),
  id,
  storeId: orNull(digits(32)),
  incarnation: whole(0),
  writeNumber: whole(0),
  process: digits(16),
});

/** The verbs of election, and of stores under suspicion. */
export const peerSchemas = {
  hint: Type.Object({ type: Type.Literal("hint"), candidate: id, suspects: orNull(ballot) }),
  "ask-leader": Type.Object({ type: Type.Literal("ask-leader"), question: whole(0) }),
  "last-heard": Type.Object({
    type: Type.Literal("last-heard"),
    question: whole(0),
    promised: orNull(ballot),
    agoMs: orNull(amount()),
    chosenWatermark: slot,
  }),
  hello: Type.Object({
    type: Type.Literal("hello"),
    openings: list(Type.Object({ incarnation: whole(0), writeNumber: whole(0) }), 0, openingsMax),
  }),
  objection: Type.Object({
    type: Type.Literal("objection"),
    reason: word("older_copy", "name_in_use"),
    incarnation: whole(0),
    writeNumber: whole(0),
  }),
};
