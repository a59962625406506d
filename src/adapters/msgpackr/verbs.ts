/** Bodies of messages, verb by verb: written, taken apart and checked. */
import type { TObject } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import type { Message, Verb } from "../../paxos/wire/messages.js";
import { COHERENT } from "./coherence.js";
import { compilePositional } from "./positional.js";
import { SCHEMAS } from "./schema.js";
import type { PlainWriter } from "./writer.js";

/** What the wire knows of one verb. */
export interface VerbCodec {
  write(message: Message, out: PlainWriter): void;
  /** @returns undefined unless the body is a message of this verb, in shape and sense */
  read(body: unknown): Message | undefined;
}

/**
 * Verb → its codec, compiled when first asked for: a role speaks few verbs, and compiling all of
 * them takes longer than starting a role should.
 *
 * @returns undefined for what is no verb
 */
export function verbCodec(verb: string): VerbCodec | undefined {
  const ready = compiled.get(verb);
  if (ready !== undefined || !Object.hasOwn(SCHEMAS, verb)) return ready;
  const codec = compile(verb as Verb);
  compiled.set(verb, codec);
  return codec;
}

const compiled = new Map<string, VerbCodec>();

function compile(verb: Verb): VerbCodec {
  const schema: TObject = SCHEMAS[verb];
  const layout = compilePositional(schema);
  const check = TypeCompiler.Compile(schema);
  const coherent = COHERENT[verb] as ((message: Message) => boolean) | undefined;
  const isMessage = (value: unknown): value is Message =>
    check.Check(value) && (coherent?.(value as unknown as Message) ?? true);
  return {
    write: layout.write,
    read(body) {
      const message = layout.fromArray(body);
      return isMessage(message) ? message : undefined;
    },
  };
}
