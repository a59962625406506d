/** Lines in and out, byte for byte. */
import { once } from "node:events";

/** A line of input. */
export interface Line {
  /** Without its line break; empty if it is too long. */
  readonly bytes: Buffer;
  /** Bytes of input up to the end of this line. */
  readonly end: number;
  /** Whether a line break follows: the last line of a file may lack it. */
  readonly hasBreak: boolean;
  /** Longer than `bytesMax`. */
  readonly isTooLong: boolean;
}

const lineBreak = 0x0a;

/** Reads lines as they come; never holds more than one line of `bytesMax` and one chunk. */
export async function* readLines(
  input: AsyncIterable<Buffer>,
  bytesMax: number,
): AsyncGenerator<Line, void> {
  let parts: Buffer[] = [];
  let length = 0;
  let end = 0;
  const take = (hasBreak: boolean): Line => {
    const isTooLong = length > bytesMax;
    const bytes = isTooLong ? Buffer.alloc(0) : Buffer.concat(parts);
    parts = [];
    length = 0;
    return { bytes, end, hasBreak, isTooLong };
  };
  const add = (part: Buffer) => {
    length += part.length;
    end += part.length;
    if (length <= bytesMax) parts.push(part);
    else parts = [];
  };
  for await (const chunk of input) {
    let from = 0;
    for (;;) {
      const at = chunk.indexOf(lineBreak, from);
      if (at < 0) break;
      add(chunk.subarray(from, at));
      end += 1;
      from = at + 1;
      yield take(true);
    }
    if (from < chunk.length) add(chunk.subarray(from));
  }
  if (length > 0) yield take(false);
}

/** Writes to standard output and waits if it is slow. */
async function write(text: string | Uint8Array): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, "drain");
}

/** Writes a line to standard output. */
export async function writeLine(text: string | Uint8Array, hasBreak = true): Promise<void> {
  if (!hasBreak) await write(text);
  else if (typeof text === "string") await write(`${text}\n`);
  else await write(Buffer.concat([text, Buffer.of(lineBreak)]));
}
