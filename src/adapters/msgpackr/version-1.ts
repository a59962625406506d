/**
 * Reads wire version 1, which did not say in which slot a session was opened (`openedIn`): there it
 * is null.
 */
import { type VerbCodec, verbCodec } from "./verbs.js";

/** Elements of a body in version 1. */
const SESSION_OPENED = 1;
const REQUEST = 3;
/** The outcomes in the body of `outcomes`, and the elements of one that is `opened`. */
const OUTCOMES_AT = 2;
const OPENED = 2;

/** Cuts an array to the elements that version 1 knew, and appends a null. */
function widen(wire: unknown, known: number): unknown {
  return Array.isArray(wire) && wire.length >= known ? [...wire.slice(0, known), null] : wire;
}

function widenOutcomes(body: unknown): unknown {
  if (!Array.isArray(body) || !Array.isArray(body[OUTCOMES_AT])) return body;
  const outcomes = body[OUTCOMES_AT].map((outcome: unknown) =>
    Array.isArray(outcome) && outcome[0] === "opened" ? widen(outcome, OPENED) : outcome,
  );
  return body.with(OUTCOMES_AT, outcomes);
}

const WIDENED: ReadonlyMap<string, (body: unknown) => unknown> = new Map([
  ["session-opened", (body) => widen(body, SESSION_OPENED)],
  ["request", (body) => widen(body, REQUEST)],
  ["outcomes", widenOutcomes],
]);

/** What version 1 knew of a verb; undefined for what is no verb. */
export function verbCodecOf1(verb: string): VerbCodec | undefined {
  const codec = verbCodec(verb);
  const widened = WIDENED.get(verb);
  if (codec === undefined || widened === undefined) return codec;
  return { ...codec, read: (body) => codec.read(widened(body)) };
}
