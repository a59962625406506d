/** Lines in and out, byte for byte. */
import { fstatSync } from "node:fs";
import { EXIT } from "../worker/exit.js";
import { Failure, usage } from "./failure.js";
import { output } from "./output.js";

/** Where a line stands in the input. */
interface Place {
  /** 1 for the first line. */
  readonly number: number;
  /** Bytes of input up to the end of this line. */
  readonly end: number;
  /** Whether a line break follows: the last line of a file may lack it. */
  readonly hasBreak: boolean;
}

/** A line of input. One that is too long has no bytes that could be proposed for it. */
export type Line = Place &
  (
    | {
        readonly kind: "line";
        /** Without its line break. */
        readonly bytes: Buffer;
      }
    | {
        readonly kind: "tooLong";
        /** Bytes of the whole line, without its line break. */
        readonly length: number;
      }
  );

const lineBreak = 0x0a;

/** Reads lines as they come; never holds more than one line of `bytesMax` and one chunk. */
export async function* readLines(
  input: AsyncIterable<Buffer>,
  bytesMax: number,
): AsyncGenerator<Line, void> {
  let parts: Buffer[] = [];
  let length = 0;
  let end = 0;
  let number = 0;
  const take = (hasBreak: boolean): Line => {
    number += 1;
    const place = { number, end, hasBreak };
    const line: Line =
      length > bytesMax
        ? { kind: "tooLong", length, ...place }
        : { kind: "line", bytes: Buffer.concat(parts), ...place };
    parts = [];
    length = 0;
    return line;
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

/** The failure of a line that is over the limit of the cluster. Nothing of it was proposed. */
export function tooLong(bytes: number, bytesMax: number): Failure {
  const message = `it has ${bytes} bytes, ${bytesMax} at most: it was not proposed`;
  return new Failure(EXIT.failed, "too_large", message);
}

/** Refuses a directory as standard input: Node reads that as empty. @throws Failure */
export function checkInput(): void {
  if (isDirectory(0)) throw usage("standard input is a directory: give a file, or a pipe");
}

/** Reads the lines of standard input until `signal`. @throws Failure if it cannot be read */
export async function* readInput(bytesMax: number, signal: AbortSignal): AsyncGenerator<Line> {
  checkInput();
  const input = process.stdin;
  const stop = () => input.destroy();
  if (signal.aborted) return;
  signal.addEventListener("abort", stop, { once: true });
  let last = 0;
  try {
    for await (const line of readLines(input, bytesMax)) {
      last = line.number;
      yield line;
    }
  } catch (error) {
    if (signal.aborted) return;
    const why = error instanceof Error ? error.message : String(error);
    const message = `cannot read standard input behind line ${last}: ${why}`;
    throw new Failure(EXIT.failed, "input_failed", message);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function isDirectory(fd: number): boolean {
  try {
    return fstatSync(fd).isDirectory();
  } catch {
    return false;
  }
}

/** Writes a line to standard output. @throws Failure, by rejecting */
export function writeLine(text: string | Uint8Array, hasBreak = true): Promise<void> {
  if (!hasBreak) return output.write(text);
  if (typeof text === "string") return output.write(`${text}\n`);
  return output.write(Buffer.concat([text, Buffer.of(lineBreak)]));
}
