/** Values as the command line reads and prints them. */

import type { ChosenEvent } from "../client/synod.js";
import type { Value } from "../client/value.js";
import { formatBallot } from "../paxos/ballot.js";
import { styled } from "./terminal.js";

const fromUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads what a person or a file gave: a string if it is valid UTF-8, else the bytes. */
export function readValue(bytes: Uint8Array): string | Uint8Array {
  try {
    return fromUtf8.decode(bytes);
  } catch {
    return bytes;
  }
}

/** A value for one line of text: strings and bytes as they are, the rest as JSON. */
export function valueText(value: Value): string | Uint8Array {
  if (typeof value === "string" || value instanceof Uint8Array) return value;
  return JSON.stringify(toJson(value));
}

/**
 * A value for JSON: bytes as `{ "base64": … }`, a bigint as its digits, a number that JSON has no
 * word for (NaN, the infinities, −0) as `{ "number": "NaN" }`.
 */
export function toJson(value: Value): unknown {
  if (typeof value === "number") return isJsonNumber(value) ? value : { number: numberText(value) };
  if (typeof value === "bigint") return String(value);
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString("base64") };
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, toJson(one)]));
}

function isJsonNumber(value: number): boolean {
  return Number.isFinite(value) && !Object.is(value, -0);
}

/** The number as JavaScript reads it back: `String` loses the sign of −0. */
function numberText(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

/** How chosen values are printed. `lines`: the values alone, one a line. */
export type Printing = "lines" | "terminal" | "json";

/** Picks how to print: JSON if asked, for people on a terminal, values alone in a pipe. */
export function printingOf(isJson: boolean | undefined): Printing {
  if (isJson === true) return "json";
  return process.stdout.isTTY === true ? "terminal" : "lines";
}

/** One chosen value as it is printed, without the line break. */
export function chosenText(entry: ChosenEvent, printing: Printing): string | Uint8Array {
  const { position, slot, value, ballot, syncedBy } = entry;
  if (printing === "lines") return valueText(value);
  if (printing === "json") return JSON.stringify({ position, slot, value: toJson(value) });
  const text = valueText(value);
  const shown = typeof text === "string" ? text : `${text.length} bytes`;
  return `${shown}  ${styled(process.stdout, "dim", evidence(position, slot, ballot, syncedBy))}`;
}

/** `position 3, slot 2, ballot 1.p1.0123…, synced by a1 a2` */
export function evidence(
  position: number,
  slot: number,
  ballot: ChosenEvent["ballot"],
  syncedBy: readonly string[],
): string {
  const where = `position ${position}, slot ${slot}, ballot ${shortBallot(formatBallot(ballot))}`;
  return syncedBy.length === 0 ? where : `${where}, synced by ${syncedBy.join(" ")}`;
}

/** `12.p1.0123…` without most of the nonce. */
export function shortBallot(ballot: string | null | undefined): string {
  return ballot?.replace(/\.([0-9a-f]{4})[0-9a-f]{12}$/, ".$1…") ?? "-";
}
