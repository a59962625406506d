/** Ends of calls: whichever comes first of time, the caller's signal, and `close`. */
import type { Clock } from "../kernel/ports.js";
import { InvalidError, StoppedError, type SynodError, type SynodErrorDetails } from "./errors.js";

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
  | { readonly kind: "signal"; readonly reason: unknown }
  /** The server forbids what it needs, or the connection is closed for good. */
  | { readonly kind: "failed"; readonly error: SynodError };

const TIMEOUT_MS = 5_000;

/** Reads a call's patience. @throws InvalidError */
export function timeoutOf({ timeoutMs = TIMEOUT_MS }: Call): number {
  if (typeof timeoutMs === "number" && timeoutMs >= 0) return timeoutMs;
  throw new InvalidError("timeoutMs must be a number of milliseconds, 0 or more");
}

/** What waits for each signal, so that a signal has one listener of ours. */
const waitingFor = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `run` when the signal is aborted.
 *
 * Why not a listener for each call: Node takes more than ten of one signal for a leak, and warns.
 *
 * @returns ends that; the listener goes with the last that waits for the signal
 */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  const known = waitingFor.get(signal);
  const waiting = known ?? new Set<() => void>();
  // A function of its own for each call, so that one `run` may wait twice.
  const one = () => run();
  waiting.add(one);
  if (known === undefined) {
    waitingFor.set(signal, waiting);
    signal.addEventListener("abort", runAll);
  }
  return () => {
    if (!waiting.delete(one) || waiting.size > 0) return;
    waitingFor.delete(signal);
    signal.removeEventListener("abort", runAll);
  };
}

function runAll(this: AbortSignal): void {
  for (const one of [...(waitingFor.get(this) ?? [])]) one();
}

/** Waits for a promise, or until the caller's signal. @throws StoppedError, by rejecting */
export function untilAborted<T>(promise: Promise<T>, { signal }: Call): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(aborted(signal.reason));
    const unlisten = onAbort(signal, abort);
    if (signal.aborted) abort();
    promise.then(resolve, reject).finally(unlisten);
  });
}

/** Calls `ended` once unless cleared before; at once if the signal is aborted already. */
export function watchEnd(clock: Clock, call: Call, ended: (why: Ended) => void): () => void {
  const { signal } = call;
  const timeoutMs = timeoutOf(call);
  const clear = () => {
    cancel();
    unlisten();
  };
  const end = (why: Ended) => {
    clear();
    ended(why);
  };
  const abort = () => end({ kind: "signal", reason: signal?.reason });
  let cancel = () => {};
  let unlisten = () => {};
  if (signal?.aborted === true) {
    abort();
    return clear;
  }
  if (signal !== undefined) unlisten = onAbort(signal, abort);
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
