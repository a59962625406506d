import { type Logger as PinoLogger, pino, stdTimeFunctions } from "pino";
import type { LogFields, Logger } from "../../kernel/ports.js";
import { Sink } from "./sink.js";

/** How much is logged; `silent` is nothing. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** Where and how to log. */
export interface LoggerOptions {
  readonly level: LogLevel;
  /** Standard error, or the path of a file, which is appended to. */
  readonly destination: "stderr" | { readonly path: string };
  /** Lines for people instead of JSON. */
  readonly pretty?: boolean | undefined;
}

/** A log with fields of its own. */
export interface FileLogger extends Logger {
  /** Makes a log that adds fields to each line, such as `{ role, id }`. */
  child(fields: LogFields): FileLogger;
  /** Writes what is buffered, before it returns. For the last words of a process. */
  flush(): void;
  /** Flushes and closes the file, for this log and all its children. */
  close(): void;
  /** Lines that could not be written: the disk was full, or nobody read. */
  readonly lostCount: number;
}

/**
 * Makes the log of a process; it never writes to standard output.
 *
 * Lines are written in the background, those of `error` before the call returns. What cannot be
 * written is lost and counted: a full disk must not end a role.
 *
 * @throws Error that names the path if it cannot be opened
 */
export function createLogger(options: LoggerOptions): FileLogger {
  const sink = new Sink(options.destination);
  const root = pino(
    {
      level: options.level,
      base: { pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    options.pretty === true ? { write: (line) => sink.write(prettyLine(line)) } : sink,
  );
  return new PinoAdapter(root, sink);
}

class PinoAdapter implements FileLogger {
  readonly #pino: PinoLogger;
  readonly #sink: Sink;

  constructor(logger: PinoLogger, sink: Sink) {
    this.#pino = logger;
    this.#sink = sink;
  }

  get lostCount(): number {
    return this.#sink.lostCount;
  }

  debug(fields: LogFields, message: string): void {
    this.#pino.debug(fields, message);
  }

  info(fields: LogFields, message: string): void {
    this.#pino.info(fields, message);
  }

  warn(fields: LogFields, message: string): void {
    this.#pino.warn(fields, message);
  }

  error(fields: LogFields, message: string): void {
    this.#pino.error(fields, message);
    this.#sink.flush();
  }

  child(fields: LogFields): FileLogger {
    return new PinoAdapter(this.#pino.child(fields), this.#sink);
  }

  flush(): void {
    this.#sink.flush();
  }

  close(): void {
    this.#sink.close();
  }
}

/** `12:00:00.000 WARN  acceptor a1: message key=value …` */
function prettyLine(line: string): string {
  const { level, time, pid: _pid, msg, role, id, ...fields } = JSON.parse(line);
  const clock = String(time).slice(11, 23);
  const who = [role, id].filter((part) => part !== undefined).join(" ");
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${text(value)}`);
  const head = `${clock} ${String(level).toUpperCase().padEnd(5)}`;
  return `${head} ${who === "" ? "" : `${who}: `}${msg}${rest.join("")}\n`;
}

function text(value: unknown): string {
  return typeof value === "string" && !/[\s"=]/.test(value) ? value : JSON.stringify(value);
}
