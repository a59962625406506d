/** Clients on the wire. The order of the properties is the order of the elements. */
import { Type } from "@sinclair/typebox";
import {
  amount,
  ballot,
  blob,
  bodyType,
  id,
  list,
  orNull,
  session,
  slot,
  text,
  voters,
  whole,
  word,
} from "./fields.js";

/** Bytes of an idempotency id: what a command in the log can hold. */
const idBytesMax = 255;

/** A request's number, or a position in the log: both begin at 1. */
const ordinal = whole(1);

const request = Type.Object({
  number: ordinal,
  id: text(0, idBytesMax),
  valueType: bodyType,
  body: blob(),
});

/** What became of a request; the kind is the first element. */
const outcome = Type.Union([
  Type.Object({
    kind: Type.Literal("done"),
    session,
    number: ordinal,
    position: ordinal,
    slot,
    ballot,
    syncedBy: voters,
  }),
  Type.Object({ kind: Type.Literal("opened"), session, openedIn: slot }),
  Type.Object({
    kind: Type.Literal("early"),
    session,
    number: ordinal,
    expected: ordinal,
  }),
  Type.Object({
    kind: Type.Literal("expired"),
    session,
    number: ordinal,
    last: orNull(whole(0)),
  }),
  Type.Object({ kind: Type.Literal("answered"), session, number: ordinal }),
  Type.Object({ kind: Type.Literal("ended"), session, number: ordinal }),
]);

/** The verbs of clients and their gateways. */
export const clientSchemas = {
  propose: Type.Object({ type: Type.Literal("propose"), commands: list(blob(1), 1) }),
  follow: Type.Object({ type: Type.Literal("follow"), learner: orNull(id) }),
  outcomes: Type.Object({
    type: Type.Literal("outcomes"),
    learner: id,
    appliedWatermark: slot,
    outcomes: list(outcome),
  }),
  "open-session": Type.Object({
    type: Type.Literal("open-session"),
    session,
    fresh: Type.Boolean(),
  }),
  "session-opened": Type.Object({
    type: Type.Literal("session-opened"),
    session,
    openedIn: orNull(slot),
    leaderGateway: orNull(id),
  }),
  request: Type.Object({
    type: Type.Literal("request"),
    session,
    answeredBelow: whole(0),
    requests: list(request, 1),
    openedIn: orNull(slot),
  }),
  "end-session": Type.Object({
    type: Type.Literal("end-session"),
    session,
    answeredBelow: ordinal,
    number: ordinal,
    openedIn: slot,
  }),
  results: Type.Object({
    type: Type.Literal("results"),
    session,
    results: list(
      Type.Object({ number: ordinal, position: ordinal, slot, ballot, syncedBy: voters }),
    ),
    leaderGateway: orNull(id),
  }),
  refused: Type.Object({
    type: Type.Literal("refused"),
    session,
    fromNumber: ordinal,
    code: word("overloaded", "session_expired", "too_large", "stopped"),
    retryAfterMs: amount(),
    bytesMax: orNull(whole(0)),
    mayHaveHappened: Type.Boolean(),
    last: orNull(whole(0)),
  }),
};
