/**
 * Goal: the way back from a jump makes no old promise count for a new question.
 * Method: as in synod-proposer.test.ts; refusals lie.
 */
import { describe, expect, it } from "vitest";
import {
  decide,
  limits,
  nack,
  ours,
  prepares,
  preparing,
  promise,
  theirs,
} from "../support/synod-steps.js";

describe("a question", () => {
  it("is not answered by promises of before it, also after the way back from a jump", () => {
    const bench = preparing(null);
    bench.take(nack(1, ours(1), theirs(Number.MAX_SAFE_INTEGER)));
    bench.fire("backoff");
    for (const n of [2, 3]) {
      bench.take(nack(n, ours(limits.roundJumpMax + 2), null, "round_jump"));
    }
    bench.take(decide(null, "t2"));
    expect(bench.fire("backoff")).toContainEqual(prepares(ours(2)));
    bench.take(promise(1, ours(1))); // on its way since before a later ballot got a value chosen
    bench.take(promise(2, ours(2)));
    expect(bench.state).toBe("preparing");
  });
});
