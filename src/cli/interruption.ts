/** The signals that ask a command to end: Ctrl-C, `kill`, and a terminal that closes. */

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
type StopSignal = (typeof signals)[number];

/**
 * Calls `stop` with each signal that comes.
 *
 * Gotcha: one Ctrl-C may come twice, from the terminal and from npm. So a second one must not end a
 * command that is about to say how far it came.
 */
export function onStopSignal(stop: (signal: StopSignal) => void): void {
  for (const signal of signals) process.on(signal, () => stop(signal));
}

/** Returns a signal that aborts at the first of them. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  onStopSignal(() => controller.abort());
  return controller.signal;
}

/** Resolves once a signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
