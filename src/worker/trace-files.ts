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
import type { LamportClock } from "../actor/lamport.js";
import type { Observer } from "../actor/observer.js";
import type { Logger } from "../actor/ports.js";
import { createTracer } from "../actor/trace.js";
import { countsOf } from "../actor/trace-file.js";
import type { Cluster } from "../paxos/cluster.js";

/** Files open at once: each single-decree key has one. */
const OPEN_MAX = 64;
const CHUNK_BYTES = 64 * 1024;
const LINE_BREAK = 10;

/** Appends lines to files of one folder. */
class TraceFiles {
  readonly #folder: string;
  readonly #logger: Logger;
  /** The one used last is last. */
  readonly #open = new Map<string, number>();
  #isBroken = false;

  constructor(folder: string, logger: Logger) {
    this.#folder = folder;
    this.#logger = logger;
    this.attempt(() => mkdirSync(folder, { recursive: true }));
  }

  /** Appends a line. After a failure nothing is written any more: roles go on without a trace. */
  write(file: string, line: string): void {
    this.attempt(() => {
      const bytes = Buffer.from(`${line}\n`);
      const written = writeSync(this.#descriptor(file), bytes);
      if (written !== bytes.length) throw new Error(`only ${written} of ${bytes.length} bytes`);
    });
  }

  /** Reads the last line of a file; the rest of a line that was cut off is removed. */
  last(file: string): string | undefined {
    return this.attempt(() => {
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
    });
  }

  /** Closes every file. */
  close(): void {
    for (const descriptor of this.#open.values()) closeSync(descriptor);
    this.#open.clear();
    this.#isBroken = true;
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
    const opened = openSync(join(this.#folder, file), "a+");
    this.#open.set(file, opened);
    return opened;
  }

  /** Runs something unless the trace has failed; if it fails, says so once, and that is the end. */
  attempt<T>(run: () => T): T | undefined {
    if (this.#isBroken) return undefined;
    try {
      return run();
    } catch (error) {
      this.#isBroken = true;
      const reason = error instanceof Error ? error.message : String(error);
      this.#logger.error({ folder: this.#folder }, `going on without a trace: ${reason}`);
      return undefined;
    }
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

/** A trace under way. */
export interface RunningTrace {
  readonly observer: Observer;
  close(): void;
}

/**
 * Traces the roles of one process into a folder.
 *
 * @param lamport the clock that the process's envelopes carry, ticked by every line too
 */
export function traceInto(
  folder: string,
  { cluster, lamport, logger }: TraceSetting,
): RunningTrace {
  const files = new TraceFiles(folder, logger);
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
  return { observer: unharmed(observer, files), close: () => files.close() };
}

/** Whatever goes wrong in a tracer, the role goes on. */
function unharmed(observer: Observer, files: TraceFiles): Observer {
  return {
    stepped: (...args) => files.attempt(() => observer.stepped(...args)),
    committed: (...args) => files.attempt(() => observer.committed(...args)),
    refused: (...args) => files.attempt(() => observer.refused(...args)),
    leaves: (...args) => files.attempt(() => observer.leaves(...args)),
  };
}

interface TraceSetting {
  readonly cluster: Cluster;
  readonly lamport: LamportClock;
  readonly logger: Logger;
}
