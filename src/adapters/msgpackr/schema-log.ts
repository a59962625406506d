/** Multi-Paxos on the wire. The order of the properties is the order of the elements. */
import { Type } from "@sinclair/typebox";
import {
  ballot,
  blob,
  digest,
  id,
  list,
  nackReason,
  orNull,
  slot,
  voters,
  votersMax,
  whole,
} from "./fields.js";

/** Most parts of one answer. */
const partsMax = 2 ** 20;

/** What a slot holds is never empty: it begins with a kind. */
const slotValue = blob(1);
const slotVote = Type.Object({ slot, ballot, digest, value: slotValue });
const bareVote = Type.Object({ slot, ballot, digest });
const heldPromise = Type.Object({
  acceptor: id,
  incarnation: whole(1),
  answer: whole(0),
  chosenWatermark: slot,
  votes: list(bareVote),
});
const chosenRange = Type.Object({ ballot, from: slot, to: slot, syncedBy: voters });
const chosenEntry = Type.Object({ slot, ballot, value: slotValue, syncedBy: voters });

/** The verbs of Multi-Paxos. */
export const logSchemas = {
  prepare: Type.Object({ type: Type.Literal("prepare"), ballot, fromSlot: slot }),
  promise: Type.Object({
    type: Type.Literal("promise"),
    ballot,
    answer: whole(0),
    part: Type.Integer({ minimum: 0, maximum: partsMax - 1 }),
    parts: Type.Integer({ minimum: 1, maximum: partsMax }),
    trimmed: slot,
    chosenWatermark: slot,
    votes: list(slotVote),
  }),
  accept: Type.Object({
    type: Type.Literal("accept"),
    ballot,
    firstSlot: slot,
    digests: list(digest, 1),
    values: list(slotValue, 1),
    chosenWatermark: slot,
    chosen: list(chosenRange),
  }),
  accepted: Type.Object({
    type: Type.Literal("accepted"),
    ballot,
    votes: list(Type.Object({ slot, digest })),
  }),
  nack: Type.Object({
    type: Type.Literal("nack"),
    ballot,
    promised: orNull(ballot),
    slot: orNull(slot),
    reason: nackReason,
  }),
  chosen: Type.Object({ type: Type.Literal("chosen"), ranges: list(chosenRange) }),
  beacon: Type.Object({
    type: Type.Literal("beacon"),
    ballot,
    nextSlot: slot,
    chosenWatermark: slot,
    creditBytes: whole(0),
    payloadBytesMax: orNull(whole(0)),
    gateway: orNull(id),
  }),
  basis: Type.Object({
    type: Type.Literal("basis"),
    ballot,
    start: slot,
    cutAt: orNull(slot),
    promises: list(heldPromise, 1, votersMax),
  }),
  "ask-basis": Type.Object({ type: Type.Literal("ask-basis"), ballot }),
  repair: Type.Object({
    type: Type.Literal("repair"),
    from: slot,
    to: slot,
    bytesMax: whole(1),
  }),
  votes: Type.Object({
    type: Type.Literal("votes"),
    from: slot,
    to: slot,
    trimmed: slot,
    votes: list(slotVote),
  }),
  entries: Type.Object({
    type: Type.Literal("entries"),
    from: slot,
    to: slot,
    trimmed: slot,
    entries: list(chosenEntry),
  }),
};
