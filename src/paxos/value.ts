/**
 * Values: what a slot is decided to hold.
 *
 * A value is bytes that begin with a kind. Leaders and acceptors carry them without looking
 * inside; learners open them.
 */
import { ByteReader, ByteWriter, MalformedBytes } from "./bytes.js";

/** First byte of every value; a number is never used for another kind. */
export const VALUE_KIND = { batch: 1, noop: 2 } as const;

/** A value, opened: commands in their order, or nothing at all. */
export type SlotValue =
  | { readonly kind: "batch"; readonly commands: readonly Uint8Array[] }
  | { readonly kind: "noop" };

/**
 * The value that fills a hole (PMS §3 "a special 'no-op' command that leaves the state
 * unchanged").
 */
export const NOOP: Uint8Array = Uint8Array.of(VALUE_KIND.noop);

/** Packs commands, each an opaque blob, into the value of one slot. */
export function encodeBatch(commands: readonly Uint8Array[]): Uint8Array {
  let bytes = 5;
  for (const command of commands) bytes += 4 + command.length;
  const writer = new ByteWriter(bytes).u8(VALUE_KIND.batch).u32(commands.length);
  for (const command of commands) writer.blob(command);
  return writer.finish();
}

/**
 * Opens a value.
 *
 * @throws MalformedBytes if the bytes are no value of a kind that this version knows
 */
export function openValue(bytes: Uint8Array): SlotValue {
  if (isNoop(bytes)) return { kind: "noop" };
  const commands = placesOf(bytes).map(({ from, to }) => bytes.subarray(from, to));
  return { kind: "batch", commands };
}

/** Where a command stands in a value: the bytes from ≤ at < to, behind 4 of their count. */
export interface CommandPlace {
  readonly from: number;
  readonly to: number;
}

/**
 * Finds the commands of a value, in order: none in a no-op.
 *
 * @throws MalformedBytes if the bytes are no value of a kind that this version knows
 */
export function placesOf(bytes: Uint8Array): readonly CommandPlace[] {
  const reader = new ByteReader(bytes);
  const kind = reader.u8();
  if (kind === VALUE_KIND.noop) {
    if (reader.left > 0) throw new MalformedBytes(`${reader.left} bytes after a no-op`);
    return [];
  }
  if (kind !== VALUE_KIND.batch) throw new MalformedBytes(`a value of unknown kind ${kind}`);
  const count = reader.u32();
  if (count > reader.left / 4) throw new MalformedBytes(`a batch of ${count} commands is cut off`);
  const places: CommandPlace[] = [];
  for (let i = 0; i < count; i++) {
    const length = reader.u32();
    const from = reader.at;
    reader.skip(length);
    places.push({ from, to: reader.at });
  }
  if (reader.left > 0) throw new MalformedBytes(`${reader.left} bytes after the last command`);
  return places;
}

/** Reads the command whose bytes begin there, in a batch or in several batches in one buffer. */
export function commandFrom(bytes: Uint8Array, from: number): Uint8Array {
  return new ByteReader(bytes, from - 4).blob();
}

/** Takes the commands out of a value, none from a no-op or from bytes that are no value. */
export function commandsOf(bytes: Uint8Array): readonly Uint8Array[] {
  try {
    const value = openValue(bytes);
    return value.kind === "batch" ? value.commands : [];
  } catch (error) {
    if (error instanceof MalformedBytes) return [];
    throw error;
  }
}

/** Says whether the bytes are the value that fills holes. */
export function isNoop(bytes: Uint8Array): boolean {
  return bytes.length === 1 && bytes[0] === VALUE_KIND.noop;
}
