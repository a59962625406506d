/**
 * The files of a trace on disk: each line is one unbuffered append, so that `kill -9` loses none
 * and a reader may follow while it is written.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { LamportClock } from "../kernel/bus/lamport.js";
import type { Observer } from "../kernel/observer.js";
import type { Cluster } from "../paxos/cluster.js";
import { countsOf } from "../trace/file.js";
import { createTracer } from "../trace/trace.js";

/** Files open at once: each single-decree key has one. */
const OPEN_MAX = 64;
const CHUNK_BYTES = 64 * 1024;
const LINE_BREAK = 10;

/** Appends lines to files of one folder. What fails throws: then the kernel detaches the tracer. */
class TraceFiles {
  readonly #folder: string;
  /** The one used last is last. */
  readonly #open = new Map<string, number>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Appends a line. */
  write(file: string, line: string): void {
    const bytes = Buffer.from(`${line}\n`);
    const written = writeSync(this.#descriptor(file), bytes);
    if (written !== bytes.length) throw new Error(`only ${written} of ${bytes.length} bytes`);
  }

  /** Reads the last line of a file; the rest of a line that was cut off is removed. */
  last(file: string): string | undefined {
    if (!existsSync(join(this.#folder, file))) return undefined;
    const descriptor = this.#descriptor(file);
    const { size } = fstatSync(descriptor);
    const end = lineBreakBefore(descriptor, size) + 1;
    if (end < size) ftruncateSync(descriptor, end);
    if (end === 0) return undefined;
    const start = lineBreakBefore(descriptor, end - 1) + 1;
    const line = Buffer.alloc(end - 1 - start);
    readSync(descriptor, line, 0, line.length, start);
    return line.toString("utf8");
  }

  /** Closes every file. */
  close(): void {
    for (const descriptor of this.#open.values()) closeSync(descriptor);
    this.#open.clear();
  }

  #descriptor(file: string): number {
    const known = this.#open.get(file);
    if (known !== undefined) {
      this.#open.delete(file);
      this.#open.set(file, known);
      return known;
    }
    for (const [oldest, descriptor] of this.#open) {
      if (this.#open.size < OPEN_MAX) break;
      closeSync(descriptor);
      this.#open.delete(oldest);
    }
    mkdirSync(this.#folder, { recursive: true });
    const opened = openSync(join(this.#folder, file), "a+");
    this.#open.set(file, opened);
    return opened;
  }
}

/** Returns where the last line break before `end` is; −1 if there is none. */
function lineBreakBefore(descriptor: number, end: number): number {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  for (let before = end; before > 0; ) {
    const start = Math.max(0, before - CHUNK_BYTES);
    const length = readSync(descriptor, chunk, 0, before - start, start);
    const at = chunk.subarray(0, length).lastIndexOf(LINE_BREAK);
    if (at >= 0) return start + at;
    before = start;
  }
  return -1;
}

/** A trace that an observer of one process writes. */
interface ProcessTrace {
  readonly observer: Observer;
  /** Called once the observer is detached. */
  close(): void;
}

/**
 * Traces the roles of one process into a folder.
 *
 * @param lamport the clock that the process's envelopes carry, ticked by every line too
 */
export function traceInto(folder: string, cluster: Cluster, lamport: LamportClock): ProcessTrace {
  const files = new TraceFiles(folder);
  const observer = createTracer({
    cluster,
    lc: () => lamport.tick(),
    sink: (file, line) => files.write(file, line),
    last: (file) => {
      const line = files.last(file);
      lamport.note(countsOf(line).lc);
      return line;
    },
  });
  return { observer, close: () => files.close() };
}
