/** What callers are told of submissions that end without a result. */
import type { Settlement } from "../../src/kernel/effect.js";
import { giveUp, type Submission } from "../../src/paxos/clients/client.js";
import type { SessionContext } from "./context.js";

/** One value is over the limit; those behind it go on. */
export function failTooLarge(
  token: number,
  mayHaveHappened: boolean,
  bytesMax: number | undefined,
) {
  return { kind: "failed" as const, token, code: "too_large" as const, mayHaveHappened, bytesMax };
}

/** Turns submissions away that were not sent. */
export function refuseAll(
  submissions: readonly Submission[],
  code: "overloaded" | "session_expired" | "stopped",
): Settlement[] {
  return submissions.map(({ token }) => ({ kind: "failed", token, code, mayHaveHappened: false }));
}

/** Ends the session with everything it holds; `last` as in {@link giveUp}. */
export function endAll(
  context: SessionContext,
  code: "session_expired" | "stopped",
  last: number | null,
): Settlement[] {
  return giveUp(context.data, last).map(({ token, mayHaveHappened }) => ({
    kind: "failed",
    token,
    code,
    mayHaveHappened,
  }));
}
