/**
 * Reads the bodies of wire version 2, to which version 3 appended: the leader's and the gateway's
 * limits on a message, and the last number of an expired session. There they are not said.
 */
import { type VerbCodec, verbCodec } from "./verbs.js";

type Elements = readonly unknown[];

const OUTCOMES_AT = 2;

/** Verb → lays its body of version 2 out as one of version 3. */
const WIDENED: ReadonlyMap<string, (body: Elements) => Elements> = new Map([
  ["beacon", (body: Elements) => widen(body, 4, [null])],
  ["refused", (body: Elements) => widen(body, 4, [null, false, null])],
  ["outcomes", widenOutcomes],
]);

/** What version 2 knew of a verb; undefined for what is no verb. */
export function verbCodecOf2(verb: string): VerbCodec | undefined {
  const codec = verbCodec(verb);
  const widened = WIDENED.get(verb);
  if (codec === undefined || widened === undefined) return codec;
  return { ...codec, read: (body) => codec.read(Array.isArray(body) ? widened(body) : body) };
}

/** Puts `unsaid` behind the elements of version 2; a body that lacks some of them stays so. */
function widen(body: Elements, elements: number, unsaid: Elements): Elements {
  return body.length < elements ? body : [...body.slice(0, elements), ...unsaid];
}

function widenOutcomes(body: Elements): Elements {
  const outcomes = body[OUTCOMES_AT];
  return Array.isArray(outcomes) ? body.with(OUTCOMES_AT, outcomes.map(widenOutcome)) : body;
}

function widenOutcome(outcome: unknown): unknown {
  const isExpired = Array.isArray(outcome) && outcome[0] === "expired";
  return isExpired ? widen(outcome, 3, [null]) : outcome;
}
