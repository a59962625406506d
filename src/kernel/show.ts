/** How roles show what they remember: as plain data that stays small, however much it is. */
import { digest } from "../paxos/digest.js";

/** Plain data, as JSON has it; numbers are finite. */
export type Plain =
  | null
  | boolean
  | number
  | string
  | readonly Plain[]
  | { readonly [name: string]: Plain };

/** Items of a collection that are shown; the others are counted. */
const FIRST_ITEMS_MAX = 4;
/** Characters of a text that are shown. */
const TEXT_CHARS_MAX = 64;

/** Shows a text, cut if it is long. */
export function showText(text: string): string;
export function showText(text: string | null | undefined): string | null;
export function showText(text: string | null | undefined): string | null {
  if (text === null || text === undefined) return null;
  return text.length <= TEXT_CHARS_MAX ? text : `${text.slice(0, TEXT_CHARS_MAX - 1)}…`;
}

/** Shows bytes as their length and digest. */
export function showBytes(bytes: Uint8Array | null | undefined): Plain {
  if (bytes === null || bytes === undefined) return null;
  return { bytes: bytes.length, digest: digest(bytes) };
}

/** Shows how many items there are, and the first few of them. */
export function showSome<T>(
  items: Iterable<T> & ({ readonly size: number } | { readonly length: number }),
  show: (item: T) => Plain,
): Plain {
  const first: Plain[] = [];
  for (const item of items) {
    if (first.length === FIRST_ITEMS_MAX) break;
    first.push(show(item));
  }
  return { count: "size" in items ? items.size : items.length, first };
}

/** Shows how many names there are, and the first few of them. */
export function showNames(names: Parameters<typeof showSome<string>>[0]): Plain {
  return showSome(names, showText);
}
