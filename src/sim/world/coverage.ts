/**
 * Coverage: what happened in a run, counted, so that a hunt that saw nothing cannot pass.
 */

/** Counts by name, e.g. `values chosen`. */
export class Coverage {
  readonly counts = new Map<string, number>();

  /** Counts something that happened. */
  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by);
  }

  /** Adds what another run saw. */
  add(counts: Iterable<readonly [string, number]>): void {
    for (const [what, by] of counts) this.count(what, by);
  }
}

/**
 * What every batch of runs must have seen at least once. The names are those under which faults,
 * monitor and workload count.
 */
const EXPECTED: readonly string[] = [
  "values chosen",
  "keys decided",
  "entries fed",
  "requests acknowledged",
  "requests in the log",
  "requests that took effect",
  "histories judged",
  "ballots begun",
  "elections",
  "nacks",
  "preemptions",
  "values proposed again",
  "no-ops into holes",
  "promises in parts",
  "promise parts lost",
  "promises in parts across a reload",
  "syncs that end after a reload",
  "syncs that end after a reload and a later write",
  "slots learned by votes",
  "slots learned from learners",
  "repeats dropped",
  "early requests",
  "requests of expired sessions",
  "requests asked in another session",
  "sessions ended",
  "messages lost",
  "messages repeated",
  "messages late",
  "messages with a flipped bit",
  "messages of dead lives",
  "crash: idle",
  "crash: write lost",
  "crash: write kept",
  "crash: write torn",
  "crash: in mid-sentence",
  "crash: everybody",
  "crash: leader",
  "crash: client",
  "disk: slow",
  "disk: full",
  "disk: sync failed",
  "disk: rotten",
  "store refused: corrupt",
  "store refused: copied",
  "store refused: older copy",
  "store fenced: second process",
  "network: symmetric partition",
  "network: one-way partition",
  "network: partial partition",
  "network: bridge",
  "network: one process cut off",
  "broker restarts",
  "payload: smaller than the descriptor's",
  "payload: limit lowered",
  "payload: limit raised",
  "refused: too_large",
  "stalls",
  "processes slow",
  "leaders that stepped aside",
  "clock jumps",
  "clock drift",
  "lying hints",
  "wrong watermark: accept",
  "wrong watermark: beacon",
  "wrong watermark: last-heard",
  "wrong watermark: promise",
  "wrong round: beacon",
  "wrong round: key-nack",
  "wrong round: last-heard",
  "wrong round: nack",
  "crowds",
  "roles moved",
  "roles added",
  "runs without faults",
  "runs at rest",
];

/** Returns what should have happened and did not. */
export function notSeen(coverage: Coverage, expected = EXPECTED): string[] {
  return expected.filter((what) => (coverage.counts.get(what) ?? 0) === 0);
}
