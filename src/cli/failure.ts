/** What a command fails with: a sentence for people, a code for programs, and an exit code. */
import { EXIT } from "../worker/exit.js";

/** A failure that says what happened and what to do. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly exitCode: number;
  /** The word for it in `--json`. */
  readonly code: string;
  /** Whether what was asked for may have taken effect all the same. */
  readonly mayHaveHappened: boolean;

  constructor(exitCode: number, code: string, message: string, mayHaveHappened = false) {
    super(message);
    this.exitCode = exitCode;
    this.code = code;
    this.mayHaveHappened = mayHaveHappened;
  }

  /** The same failure with its place in front: `line 7: …` */
  at(place: string): Failure {
    const message = `${place}: ${this.message}`;
    return new Failure(this.exitCode, this.code, message, this.mayHaveHappened);
  }

  /** The same failure with more to say behind it; what was asked for may have happened in part. */
  inPart(howFar: string): Failure {
    return new Failure(this.exitCode, this.code, `${this.message}: ${howFar}`, true);
  }
}

/** Wrong usage: a person typed something that cannot be meant. */
export function usage(message: string): Failure {
  return new Failure(EXIT.usage, "usage", message);
}

/** Codes of errors after which asking again, or elsewhere, may help. */
const unreached: readonly string[] = [
  "no_quorum",
  "unavailable",
  "outcome_unknown",
  "overloaded",
  "unreachable",
  "server_refused",
  "machine_limit",
  "not_authorized",
  "tls",
  "not_nats",
  "disconnected",
];

/** Codes of errors that only other arguments can mend. */
const misused: readonly string[] = ["bad_options", "invalid", "bad_worker_options"];

/** Codes of errors that have none of their own, by name: their modules are not loaded for this. */
const words: Readonly<Record<string, string>> = {
  DescriptorError: "bad_descriptor",
  WorkerOptionsError: "bad_worker_options",
  WorkerRefused: "refused",
  FolderInUseError: "in_use",
};

/** What to do about a lack of this process or machine, by the code of the system's error. */
const lacks: Readonly<Record<string, string>> = {
  EMFILE: "this process may not open so many files: raise its limit (`ulimit -n 1024`)",
  ENFILE: "this machine has too many files open: end some other program, or raise its limit",
};

/** Turns what was thrown into a failure. */
export function toFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (!(error instanceof Error)) return new Failure(EXIT.failed, "failed", String(error));
  const { code, mayHaveHappened } = error as Error & { code?: unknown; mayHaveHappened?: unknown };
  const word = typeof code === "string" ? code : (words[error.name] ?? "failed");
  const lack = lacks[word];
  if (lack !== undefined) return new Failure(EXIT.failed, word, `${lack}: ${error.message}`);
  const exitCode = unreached.includes(word)
    ? EXIT.unreached
    : misused.includes(word)
      ? EXIT.usage
      : EXIT.failed;
  return new Failure(exitCode, word, error.message, mayHaveHappened === true);
}

/** Says whether an error is the system's (a file, a socket, a limit), and no bug of ours. */
export function isSystemError(error: unknown): boolean {
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  return error instanceof Error && typeof code === "string" && typeof syscall === "string";
}
