/** Goal: jitter is bounded, spread and replayable. Method: fast-check over seeds and bounds. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { draw, drawBackoff } from "../../src/paxos/consensus/backoff.js";

const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const bounds = fc
  .tuple(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 0, max: 60_000 }))
  .map(([minMs, more]) => ({ minMs, maxMs: minMs + more }));

describe("a draw", () => {
  it("is in [0, 1), leaves a seed for the next, and is the same for the same seed", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const drawn = draw(seed);
        expect(drawn).toEqual(draw(seed));
        expect(drawn.value).toBeGreaterThanOrEqual(0);
        expect(drawn.value).toBeLessThan(1);
        expect(drawn.seed).not.toBe(seed);
        expect(Number.isInteger(drawn.seed) && drawn.seed >= 0 && drawn.seed < 2 ** 32).toBe(true);
      }),
    );
  });

  it("falls into every tenth about equally often", () => {
    const counts = new Array<number>(10).fill(0);
    let seed = 1;
    for (let i = 0; i < 10_000; i++) {
      const drawn = draw(seed);
      seed = drawn.seed;
      counts[Math.floor(drawn.value * 10)]! += 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(850);
    expect(Math.max(...counts)).toBeLessThan(1150);
  });
});

describe("the backoff", () => {
  it("stays between its bounds, which double with each attempt", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 2000 }), bounds, (seed, attempt, range) => {
        const { minMs, maxMs } = range;
        const drawn = drawBackoff(seed, attempt, minMs, maxMs);
        expect(Number.isInteger(drawn.delayMs)).toBe(true);
        expect(drawn.delayMs).toBeGreaterThanOrEqual(minMs);
        expect(drawn.delayMs).toBeLessThanOrEqual(maxMs);
        expect(drawn.delayMs).toBeLessThanOrEqual(minMs * 2 ** attempt);
        expect(drawn).toEqual(drawBackoff(seed, attempt, minMs, maxMs));
        expect(drawn.seed).toBe(draw(seed).seed);
      }),
    );
  });

  it("reaches for the whole range: longer after more attempts", () => {
    const longest = [1, 2, 4, 8, 16].map((attempt) => {
      const delays = Array.from({ length: 200 }, (_, seed) => {
        return drawBackoff(seed * 7919, attempt, 20, 1000).delayMs;
      });
      return Math.max(...delays);
    });
    expect(longest[0]).toBeLessThanOrEqual(40);
    expect(longest).toEqual([...longest].sort((a, b) => a - b));
    expect(longest.at(-1)).toBeGreaterThan(900);
  });
});
