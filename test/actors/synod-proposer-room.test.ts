/**
 * Goal: a proposer of a key whose value finds no room says so, and that it may be chosen.
 * Method: as synod-proposer.test.ts.
 */
import { describe, expect, it } from "vitest";
import { nack, ours, preparing, promise, reply } from "../support/synod-steps.js";

describe("acceptors without room for a value", () => {
  const full = (n: number) => nack(n, ours(1), null, "too_many");

  it("are the answer when too few are left to vote for it; it may be chosen all the same", () => {
    const bench = preparing("x");
    bench.take(promise(1, ours(1)));
    bench.take(promise(2, ours(1)));
    expect(bench.state).toBe("accepting");
    bench.take(full(1));
    expect(bench.state).toBe("accepting");
    expect(bench.take(full(2))).toContainEqual(
      reply("t1", {
        kind: "refused",
        code: "too_many",
        message: expect.stringMatching(/decideKeysMax .*decideBytesMax/) as unknown as string,
        mayHaveHappened: true,
      }),
    );
    expect(bench.state).toBe("finished");
  });
});
