/**
 * Counters that mean a person's mistake, in words: what went wrong, and what to do about it.
 *
 * Why in words: a counter alone is seen by those who know it. A cluster of which each machine drew
 * its own descriptor says "serving" everywhere, and `wrong_cluster 812` under the table.
 */
import type { Wait } from "./role.js";

/** A mistake that was last counted so long ago is over. */
const KEPT_MS = 60_000;

const SAME_DESCRIPTOR = "give every process the same cluster.yaml";

/**
 * What each counter means. `over_server_limit` is told by message (`over-limit.ts`), `denied_*` by
 * subject (`waitForRights` of the worker).
 */
const WORDS: Readonly<Record<string, string>> = {
  wrong_cluster:
    "messages of another cluster of the same name came, and were dropped: somebody made a second " +
    `descriptor for this name; ${SAME_DESCRIPTOR}, or the other cluster another name`,
  wrong_epoch:
    "messages under another descriptor of this cluster came, and were dropped: one copy of the " +
    `descriptor was edited; ${SAME_DESCRIPTOR}`,
  wrong_version:
    "messages of another version of synod came, and were dropped: run one version everywhere",
  foreign_reply:
    "something that is no synod process answered requests to this cluster, perhaps a JetStream " +
    "stream that captures its subjects: keep those subjects out of the stream",
  server_error:
    "the NATS server reported an error (the log has each in the server's words, and what it " +
    "concerns): mend what it names",
};

interface Counted {
  sinceMs: number;
  lastMs: number;
  times: number;
}

/** Remembers which mistakes are counted at present. Bounded by the reasons that have words. */
export class Mistakes {
  readonly #counted = new Map<string, Counted>();

  /** Takes in what is counted; other reasons are ignored. */
  note(reason: string, by: number, nowMs: () => number): void {
    if (!Object.hasOwn(WORDS, reason)) return;
    const ms = nowMs();
    const known = this.#counted.get(reason);
    if (known === undefined || ms - known.lastMs > KEPT_MS) {
      this.#counted.set(reason, { sinceMs: ms, lastMs: ms, times: by });
      return;
    }
    known.lastMs = ms;
    known.times += by;
  }

  /** What a process that counted mistakes within the last minute waits for. */
  waits(nowMs: number): readonly Wait[] {
    return [...this.#counted]
      .filter(([, { lastMs }]) => nowMs - lastMs <= KEPT_MS)
      .map(([reason, { sinceMs, times }]) => ({
        for: "an operator",
        from: [],
        have: 0,
        need: 1,
        sinceMs: Math.max(0, Math.round(nowMs - sinceMs)),
        reason: `${WORDS[reason]} (${reason}, ${times} times)`,
      }));
  }
}
