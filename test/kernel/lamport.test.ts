/** Goal: a clock that never goes back, is above all it has heard, and stays in its bounds. */
import { describe, expect, it } from "vitest";
import { LamportClock } from "../../src/kernel/bus/lamport.js";

describe("a Lamport clock", () => {
  it("counts events, and goes above what it is told", () => {
    const clock = new LamportClock();
    expect([clock.tick(), clock.tick()]).toEqual([1, 2]);
    clock.note(40);
    clock.note(7);
    expect(clock.tick()).toBe(41);
    expect(new LamportClock(1000).tick()).toBe(1001);
  });

  it("stays at the highest number that an envelope may carry", () => {
    const clock = new LamportClock();
    clock.note(Number.MAX_SAFE_INTEGER);
    expect([clock.tick(), clock.tick()]).toEqual(Array(2).fill(Number.MAX_SAFE_INTEGER));
  });
});
