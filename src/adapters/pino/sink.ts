import { closeSync, openSync, write, writeSync } from "node:fs";

/** Bytes that wait to be written before lines are lost: a log must not fill the memory. */
const waitingBytesMax = 4_194_304;
/** Milliseconds until a reader that takes nothing is tried again, and how often `flush` does so. */
const retryMs = 10;
const retriesMax = 10;

/** Sinks to flush when the process ends. */
const open = new Set<Sink>();

/**
 * Writes lines to a file in the background, and loses them rather than fail.
 *
 * Why not pino's own destination: its `flushSync`, which it also calls when the process ends, tries
 * for ever and holds the process up when the disk is full (README.md).
 */
export class Sink {
  /** Lines that could not be written. */
  lostCount = 0;
  readonly #file: number;
  readonly #isOwn: boolean;
  #lines: string[] = [];
  #waitingBytes = 0;
  #isWriting = false;
  #isClosed = false;

  /** @throws Error that names the path if it cannot be opened */
  constructor(destination: "stderr" | { readonly path: string }) {
    this.#isOwn = destination !== "stderr";
    this.#file = destination === "stderr" ? process.stderr.fd : openFile(destination.path);
    if (open.size === 0 && !process.listeners("exit").includes(flushAll)) {
      process.on("exit", flushAll);
    }
    open.add(this);
  }

  /** Takes one line, with its line break. */
  write(line: string): void {
    if (this.#isClosed || this.#waitingBytes + line.length > waitingBytesMax) {
      this.lostCount += 1;
      return;
    }
    this.#lines.push(line);
    this.#waitingBytes += line.length;
    if (!this.#isWriting) {
      this.#isWriting = true;
      setImmediate(() => this.#writeOn());
    }
  }

  /** Writes what waits, before it returns. What is being written already may come after it. */
  flush(): void {
    const { lines, rest } = this.#take();
    let left = rest;
    for (let attempt = 0; left.length > 0; ) {
      try {
        left = left.subarray(writeSync(this.#file, left));
      } catch (error) {
        attempt += 1;
        if (!isBusy(error) || attempt > retriesMax) {
          this.lostCount += lines;
          return;
        }
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, retryMs);
      }
    }
  }

  /** Flushes and closes the file; later lines are lost. */
  close(): void {
    if (this.#isClosed) {
      return;
    }
    this.flush();
    this.#isClosed = true;
    open.delete(this);
    if (this.#isOwn && !this.#isWriting) {
      closeSync(this.#file);
    }
  }

  #take(): { lines: number; rest: Buffer } {
    const lines = this.#lines;
    this.#lines = [];
    this.#waitingBytes = 0;
    return { lines: lines.length, rest: Buffer.from(lines.join("")) };
  }

  #writeOn(): void {
    const { lines, rest } = this.#take();
    if (lines > 0) {
      this.#writeRest(lines, rest);
      return;
    }
    this.#isWriting = false;
    if (this.#isClosed && this.#isOwn) {
      closeSync(this.#file);
    }
  }

  #writeRest(lines: number, rest: Buffer): void {
    write(this.#file, rest, (error, written) => {
      if (error !== null && isBusy(error)) {
        setTimeout(() => this.#writeRest(lines, rest), retryMs).unref();
      } else if (error !== null) {
        this.lostCount += lines;
        this.#writeOn();
      } else if (written < rest.length) {
        this.#writeRest(lines, rest.subarray(written));
      } else {
        this.#writeOn();
      }
    });
  }
}

function flushAll(): void {
  for (const sink of open) {
    sink.flush();
  }
}

/** Opens here: opened in the background, a wrong path would only show at the first line. */
function openFile(path: string): number {
  try {
    return openSync(path, "a", 0o640);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new Error(`cannot write the log ${path} (${code}): check the path`, { cause });
  }
}

/** Whether the reader of a pipe takes nothing just now. */
function isBusy(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "EAGAIN" || code === "EBUSY";
}
