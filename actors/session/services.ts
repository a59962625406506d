/** What only a session needs: to tell its caller what became of what was submitted. */
import type { Effect, Settlement } from "../../src/kernel/effect.js";
import type { Services } from "../../src/kernel/role.js";

const RESOLVE = "resolve";

/** Tells the caller what became of its requests. */
export const resolve = (settlements: readonly Settlement[]): Effect => ({
  kind: "service",
  name: RESOLVE,
  request: settlements,
});

/** Returns the services of a session whose caller is `onSettled`. */
export function sessionServices(onSettled: (settlements: readonly Settlement[]) => void) {
  return (): Services => ({ byName: { [RESOLVE]: onSettled } });
}
