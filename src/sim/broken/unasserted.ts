/**
 * Runs what is broken on purpose without the assertions of the rules: monitors and explorer must
 * find the fault by themselves. With assertions most of these roles stop before they do harm.
 */
import { suspendAssertions } from "../../paxos/assert.js";

/** Runs with assertions, or without them if something is broken on purpose. */
export function assertedUnless<T>(isBroken: boolean, run: () => T): T {
  if (!isBroken) return run();
  const resume = suspendAssertions();
  try {
    return run();
  } finally {
    resume();
  }
}
