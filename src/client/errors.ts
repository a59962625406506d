/**
 * What goes wrong, as callers see it: one class a code, and in each whether the call may have taken
 * effect all the same.
 */
import type { Denied } from "../kernel/ports.js";

/** Every code, and what `mayHaveHappened` is unless the thrower knows better. */
const CODES = {
  invalid: false,
  too_large: false,
  too_many: false,
  overloaded: false,
  not_permitted: false,
  conflict: false,
  rejected: false,
  wrong_cluster: false,
  trimmed: false,
  outcome_unknown: true,
  no_quorum: false,
  unavailable: false,
  session_expired: true,
  stopped: false,
  lock_lost: false,
} as const;

/** One word for what went wrong; it does not change from version to version. */
export type SynodErrorCode = keyof typeof CODES;

/** What an error knows beside its message. */
export interface SynodErrorDetails {
  /** Whether the call may have taken effect all the same. */
  readonly mayHaveHappened?: boolean | undefined;
  /** How long to leave the cluster alone before asking again. */
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** Anything that this library throws or rejects with. */
export class SynodError extends Error {
  override readonly name: string = "SynodError";
  readonly code: SynodErrorCode;
  /** False: it certainly took no effect, and may be asked again without doing anything twice. */
  readonly mayHaveHappened: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(code: SynodErrorCode, message: string, details: SynodErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.mayHaveHappened = details.mayHaveHappened ?? CODES[code];
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** Makes the class of a code. */
function errorOf<const C extends SynodErrorCode>(code: C, name: string) {
  return class extends SynodError {
    override readonly name: string = name;
    declare readonly code: C;

    constructor(message: string, details: SynodErrorDetails = {}) {
      super(code, message, details);
    }
  };
}

/** The arguments make no sense; nothing was sent. */
export class InvalidError extends errorOf("invalid", "InvalidError") {}
/** The value is over the cluster's limit, which the message names; nothing was sent. */
export class TooLargeError extends errorOf("too_large", "TooLargeError") {}
/** The cluster holds as many of these as it may, for good. */
export class TooManyError extends errorOf("too_many", "TooManyError") {}
/** Too much is under way: ask again later. */
export class OverloadedError extends errorOf("overloaded", "OverloadedError") {}
/** The server's permissions forbid it. */
export class NotPermittedError extends errorOf("not_permitted", "NotPermittedError") {}
/** What it was conditional on does not hold. */
export class ConflictError extends errorOf("conflict", "ConflictError") {}
/** A state machine refused the command. */
export class RejectedError extends errorOf("rejected", "RejectedError") {}
/** Another cluster answers under this name. */
export class WrongClusterError extends errorOf("wrong_cluster", "WrongClusterError") {}
/** It was sent, and what became of it is not known. */
export class OutcomeUnknownError extends errorOf("outcome_unknown", "OutcomeUnknownError") {}
/** Too few acceptors answer. */
export class NoQuorumError extends errorOf("no_quorum", "NoQuorumError") {}
/** Nobody could be asked. */
export class UnavailableError extends errorOf("unavailable", "UnavailableError") {}
/** The log's table of sessions does not hold this one any more. */
export class SessionExpiredError extends errorOf("session_expired", "SessionExpiredError") {}
/** Ended by `close` or a signal. */
export class StoppedError extends errorOf("stopped", "StoppedError") {}
/** The lock is not held any more. */
export class LockLostError extends errorOf("lock_lost", "LockLostError") {}

/** The positions asked for are not kept any more. */
export class TrimmedError extends errorOf("trimmed", "TrimmedError") {
  /** The first position there is. */
  readonly firstPosition: number;

  constructor(message: string, firstPosition: number, details: SynodErrorDetails = {}) {
    super(message, details);
    this.firstPosition = firstPosition;
  }
}

/** Says what the server forbids. @param advice what to do about it, if that is known */
export function notPermitted({ operation, subject }: Denied, advice?: string): NotPermittedError {
  const what = `the server's permissions forbid this client to ${operation} to ${subject}`;
  return new NotPermittedError(advice === undefined ? what : `${what}: ${advice}`);
}

/** What to do where the inbox for answers is forbidden. */
export const INBOX_ADVICE =
  "name the prefix of inboxes that they allow (option inboxPrefix, inbox_prefix of a context, or " +
  "--inbox-prefix)";

/** The error of what needs a connection that is closed for good. */
export function connectionClosed(reason: string | undefined): UnavailableError {
  return new UnavailableError(`the connection is closed: ${reason ?? "the client ended it"}`);
}

/** Makes the error of a refusal that came from the cluster. */
export function errorOfRefusal(refusal: {
  readonly code: string;
  readonly message: string;
  readonly mayHaveHappened: boolean;
  readonly retryAfterMs?: number | undefined;
  readonly firstPosition?: number | undefined;
}): SynodError {
  const { code, message, mayHaveHappened, retryAfterMs } = refusal;
  const details = { mayHaveHappened, retryAfterMs };
  if (code === "trimmed") return new TrimmedError(message, refusal.firstPosition ?? 1, details);
  const Class = CLASSES.get(code) ?? OutcomeUnknownError;
  return new Class(message, details);
}

const CLASSES = new Map<string, new (message: string, details: SynodErrorDetails) => SynodError>([
  ["invalid", InvalidError],
  ["too_large", TooLargeError],
  ["too_many", TooManyError],
  ["overloaded", OverloadedError],
  ["not_permitted", NotPermittedError],
  ["conflict", ConflictError],
  ["rejected", RejectedError],
  ["wrong_cluster", WrongClusterError],
  ["outcome_unknown", OutcomeUnknownError],
  ["no_quorum", NoQuorumError],
  ["unavailable", UnavailableError],
  ["session_expired", SessionExpiredError],
  ["stopped", StoppedError],
  ["lock_lost", LockLostError],
]);
