/**
 * Reads the bodies of wire version 2, to which version 3 appended: the leader's and the gateway's
 * limits on a message. There they are not said.
 */
import { type VerbCodec, verbCodec } from "./verbs.js";

/** Elements of a body in version 2, and what stands for those behind them. */
interface Appended {
  readonly after: number;
  readonly unsaid: readonly unknown[];
}

const APPENDED: ReadonlyMap<string, Appended> = new Map([
  ["beacon", { after: 4, unsaid: [null] }],
  ["refused", { after: 4, unsaid: [null, false] }],
]);

/** What version 2 knew of a verb; undefined for what is no verb. */
export function verbCodecOf2(verb: string): VerbCodec | undefined {
  const codec = verbCodec(verb);
  const appended = APPENDED.get(verb);
  if (codec === undefined || appended === undefined) return codec;
  const { after, unsaid } = appended;
  const widened = (body: unknown) =>
    Array.isArray(body) && body.length >= after ? [...body.slice(0, after), ...unsaid] : body;
  return { ...codec, read: (body) => codec.read(widened(body)) };
}
