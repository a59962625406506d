/**
 * Fail-stop: a broken invariant ends the role before it can answer; the supervisor starts it
 * anew.
 */

/** Thrown when an invariant of the protocol does not hold. */
class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** Stops the role unless `condition` holds. @throws InvariantError naming the invariant */
export function invariant(condition: boolean, what: string): asserts condition {
  if (!condition) throw new InvariantError(what);
}
