/** Ends of calls: whichever comes first of time, the caller's signal, and `close`. */
import type { Clock } from "../actor/ports.js";
import { InvalidError, StoppedError, type SynodErrorDetails } from "./errors.js";

/** What every call takes. */
export interface Call {
  /** How long to wait, in milliseconds; 5,000 if left out. It ends the wait, not the request. */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait with a {@link StoppedError}. */
  readonly signal?: AbortSignal | undefined;
}

/** Why a call ended before its answer. */
export type Ended =
  | { readonly kind: "timeout"; readonly timeoutMs: number }
  | { readonly kind: "signal"; readonly reason: unknown };

const TIMEOUT_MS = 5_000;

/** Reads a call's patience. @throws InvalidError */
export function timeoutOf({ timeoutMs = TIMEOUT_MS }: Call): number {
  if (typeof timeoutMs === "number" && timeoutMs >= 0) return timeoutMs;
  throw new InvalidError("timeoutMs must be a number of milliseconds, 0 or more");
}

/** Calls `ended` once unless cleared before; at once if the signal is aborted already. */
export function watchEnd(clock: Clock, call: Call, ended: (why: Ended) => void): () => void {
  const { signal } = call;
  const timeoutMs = timeoutOf(call);
  const clear = () => {
    cancel();
    signal?.removeEventListener("abort", abort);
  };
  const end = (why: Ended) => {
    clear();
    ended(why);
  };
  const abort = () => end({ kind: "signal", reason: signal?.reason });
  let cancel = () => {};
  if (signal?.aborted === true) {
    abort();
    return clear;
  }
  signal?.addEventListener("abort", abort, { once: true });
  if (timeoutMs !== Number.POSITIVE_INFINITY) {
    cancel = clock.setTimer(timeoutMs, () => end({ kind: "timeout", timeoutMs }));
  }
  return clear;
}

/** The error of a caller's signal. */
export function aborted(reason: unknown, details: SynodErrorDetails = {}): StoppedError {
  return new StoppedError("ended by the caller's signal", { ...details, cause: reason });
}

/** The error of whatever is under way when the client closes. */
export function closed(details: SynodErrorDetails = {}): StoppedError {
  return new StoppedError("the client is closed", details);
}
