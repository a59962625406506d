/**
 * Fail-stop: a broken invariant ends the role before it can answer; the supervisor starts it
 * again, from its disk.
 */

/** Thrown when an invariant of the protocol does not hold. */
class InvariantError extends Error {
  override readonly name = "InvariantError";
}

let areAsserted = true;

/** Stops the role unless `condition` holds. @throws InvariantError naming the invariant */
export function invariant(condition: boolean, what: string): asserts condition {
  if (!condition && areAsserted) throw new InvariantError(what);
}

/**
 * Suspends assertions while something broken on purpose runs: the monitors outside must find it by
 * themselves. For simulator, explorer and tests only. @returns resumes them
 */
export function suspendAssertions(): () => void {
  areAsserted = false;
  return () => {
    areAsserted = true;
  };
}
