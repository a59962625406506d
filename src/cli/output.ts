/**
 * Standard output: one queue for all that a command prints.
 *
 * What cannot be written is never silent: `write` and `flush` reject from the first failed write
 * on, and `main.ts` flushes before a command ends with 0.
 */
import { fstatSync, writeSync } from "node:fs";
import { Writable } from "node:stream";
import { EXIT } from "../worker/exit.js";
import { Failure } from "./failure.js";

/** The code of the failure when the reader of a pipe is gone. */
export const OUTPUT_CLOSED = "output_closed";

/** A queue in front of a stream. */
class Output {
  readonly #stream: Writable;
  #failure: Failure | null = null;
  /** Writes that the stream took and did not finish. */
  #unfinished = 0;
  /** Wait for room in the stream, and for the end of all writes. */
  #roomWaits: Wait[] = [];
  #flushWaits: Wait[] = [];

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on("error", (error) => this.#fail(error));
    stream.on("drain", () => resolveAll(this.#roomWaits.splice(0)));
  }

  /** Whether a write has failed; nothing can be printed any more. */
  get hasFailed(): boolean {
    return this.#failure !== null;
  }

  /**
   * Writes a text or bytes behind everything that was written before.
   *
   * @returns resolves when the stream has room for more
   * @throws Failure (by rejecting) from the first write on that failed
   */
  write(text: string | Uint8Array): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    this.#unfinished += 1;
    const hasRoom = this.#stream.write(text, (error) => {
      this.#unfinished -= 1;
      if (error) this.#fail(error);
      else if (this.#unfinished === 0) resolveAll(this.#flushWaits.splice(0));
    });
    return hasRoom ? Promise.resolve() : this.#wait(this.#roomWaits);
  }

  /** Resolves when the system has taken everything. @throws Failure, by rejecting */
  flush(): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return this.#unfinished === 0 ? Promise.resolve() : this.#wait(this.#flushWaits);
  }

  #wait(waits: Wait[]): Promise<void> {
    return new Promise((resolve, reject) => waits.push({ resolve, reject }));
  }

  #fail(error: NodeJS.ErrnoException): void {
    this.#failure ??= failureOf(error);
    const waits = [...this.#roomWaits.splice(0), ...this.#flushWaits.splice(0)];
    for (const { reject } of waits) reject(this.#failure);
  }
}

interface Wait {
  readonly resolve: () => void;
  readonly reject: (failure: Failure) => void;
}

function resolveAll(waits: readonly Wait[]): void {
  for (const { resolve } of waits) resolve();
}

function failureOf(error: NodeJS.ErrnoException): Failure {
  if (error.code === "EPIPE") {
    return new Failure(EXIT.failed, OUTPUT_CLOSED, "nobody reads standard output any more");
  }
  const message = `cannot write to standard output: ${error.message}`;
  return new Failure(EXIT.failed, "output_failed", message);
}

/**
 * Writes a file as a whole. Node's own stream for a file takes a short write (a disk that becomes
 * full, a limit of its size) for a whole one, and the rest is lost without an error.
 */
class FileStream extends Writable {
  readonly #fd: number;

  constructor(fd: number) {
    super({ decodeStrings: true });
    this.#fd = fd;
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    try {
      for (let at = 0; at < chunk.length; ) at += writeSync(this.#fd, chunk, at);
      done();
    } catch (error) {
      done(error as Error);
    }
  }
}

function streamOf(fd: number): Writable {
  try {
    if (fstatSync(fd).isFile()) return new FileStream(fd);
  } catch {
    // Not ours to say: the first write does.
  }
  return process.stdout;
}

/** The standard output of this process. */
export const output = new Output(streamOf(1));

/**
 * Says what failed: one object a line on standard output with `--json`, else a sentence on standard
 * error; there too if standard output is what failed.
 */
export function sayFailure(failure: Failure, isJson: boolean): void {
  const { code, message, mayHaveHappened } = failure;
  const error = JSON.stringify({ error: { code, message, mayHaveHappened } });
  // A failed write is raised by `flush`.
  if (isJson && !output.hasFailed) output.write(`${error}\n`).catch(() => {});
  else process.stderr.write(isJson ? `${error}\n` : `synod: ${message}\n`);
}
