/**
 * The words between a supervisor and the processes it started, over Node's IPC channel.
 */
import type { ChildProcess } from "node:child_process";

/**
 * What a process tells its supervisor.
 * - `ready`: it serves;
 * - `halted`: a role of it stopped for good, others go on;
 * - `ending`: it ends, for this reason.
 */
export type ChildWord =
  | { readonly kind: "ready" }
  | { readonly kind: "halted"; readonly role: string; readonly id: string; readonly why: string }
  | { readonly kind: "ending"; readonly why: string };

/** What a supervisor tells a process: to end in good order. */
type ParentWord = { readonly kind: "stop" };

/** Says whether this process was started by a supervisor. */
export function hasSupervisor(): boolean {
  return process.send !== undefined;
}

/** Tells the supervisor, if there is one that still listens. */
export function tellSupervisor(word: ChildWord): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(word, () => resolve());
  });
}

/**
 * Calls `stop` when the supervisor says so, or is gone: it was killed, and nobody would end this
 * process later.
 */
export function onSupervisorStop(stop: (why: "told" | "orphaned") => void): void {
  process.on("message", (word: Partial<ParentWord> | null) => {
    if (word?.kind === "stop") stop("told");
  });
  process.on("disconnect", () => stop("orphaned"));
}

/** Asks a process to end in good order. */
export function askToStop(child: ChildProcess): void {
  const word: ParentWord = { kind: "stop" };
  if (child.connected) child.send(word, () => {});
  else child.kill("SIGTERM");
}

/** Reads what a process said; undefined if it is none of our words. */
export function readChildWord(message: unknown): ChildWord | undefined {
  if (typeof message !== "object" || message === null) return undefined;
  const { kind } = message as { kind?: unknown };
  return kind === "ready" || kind === "halted" || kind === "ending"
    ? (message as ChildWord)
    : undefined;
}
