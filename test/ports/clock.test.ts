/** One contract for clocks and randomness: the twins, and those of a process. */
import { describe, expect, test } from "vitest";
import { createVirtualClock } from "../../src/adapters/memory/clock.js";
import { createSeededRandom } from "../../src/adapters/memory/random.js";
import { createClock, createRandom } from "../../src/adapters/node/clock.js";
import type { Clock, Random } from "../../src/kernel/ports.js";

interface ClockBench {
  readonly clock: Clock;
  /** Lets milliseconds pass. */
  pass(ms: number): Promise<void>;
}

const clocks: Record<string, () => ClockBench> = {
  virtual: () => {
    const clock = createVirtualClock(1_000);
    return { clock, pass: async (ms) => clock.advance(ms) };
  },
  process: () => ({
    clock: createClock(),
    pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms + 5)),
  }),
};

describe.each(Object.entries(clocks))("clock: %s", (_, open) => {
  test("time goes on and never back", async () => {
    const { clock, pass } = open();
    const before = clock.nowMs();
    await pass(10);
    expect(clock.nowMs() - before).toBeGreaterThanOrEqual(10);
  });

  test("a timer fires once, never early, never within the call", async () => {
    const { clock, pass } = open();
    const firedMs: number[] = [];
    const delays = [0, 1, 3, 7, 12];
    const startMs = clock.nowMs();
    for (const delay of delays) {
      clock.setTimer(delay, () => void firedMs.push(clock.nowMs() - startMs));
    }
    expect(firedMs).toEqual([]);
    await pass(20);
    expect(firedMs).toHaveLength(delays.length);
    for (const [i, delay] of delays.entries()) {
      expect(firedMs[i]).toBeGreaterThanOrEqual(delay);
    }
  });

  test("a cancelled timer does not fire; cancelling late or twice is harmless", async () => {
    const { clock, pass } = open();
    const fired: string[] = [];
    const cancel = clock.setTimer(2, () => void fired.push("cancelled"));
    const late = clock.setTimer(1, () => void fired.push("fired"));
    cancel();
    cancel();
    await pass(10);
    late();
    await pass(5);
    expect(fired).toEqual(["fired"]);
  });

  test("a delay that makes no sense is no delay; a very long one does not fire now", async () => {
    const { clock, pass } = open();
    const fired: number[] = [];
    clock.setTimer(-5, () => void fired.push(-5));
    clock.setTimer(Number.NaN, () => void fired.push(0));
    const cancel = clock.setTimer(2 ** 40, () => void fired.push(2 ** 40));
    await pass(10);
    cancel();
    expect(fired).toEqual([-5, 0]);
  });

  test("soon runs in order, once, after this turn", async () => {
    const { clock, pass } = open();
    const ran: number[] = [];
    clock.soon(() => {
      ran.push(1);
      clock.soon(() => void ran.push(3));
    });
    clock.soon(() => void ran.push(2));
    expect(ran).toEqual([]);
    await pass(5);
    expect(ran).toEqual([1, 2, 3]);
  });
});

describe("virtual clock", () => {
  test("timers fire by time, then by the order of setting; each is followed by its soons", () => {
    const clock = createVirtualClock();
    const seen: string[] = [];
    const note = (what: string) => void seen.push(`${clock.nowMs()} ${what}`);
    clock.setTimer(20, () => note("c"));
    clock.setTimer(10, () => {
      note("a");
      clock.soon(() => note("soon of a"));
      clock.setTimer(5, () => note("set by a"));
    });
    clock.setTimer(10, () => note("b"));
    clock.advance(19);
    expect(seen).toEqual(["10 a", "10 soon of a", "10 b", "15 set by a"]);
    expect([clock.nowMs(), clock.timerCount, clock.nextTimerMs]).toEqual([19, 1, 20]);
    expect(clock.advanceToNext()).toBe(true);
    expect(clock.advanceToNext()).toBe(false);
    expect(clock.nowMs()).toBe(20);
  });

  test("runUntil stops when it is true, or when the time is over", () => {
    const clock = createVirtualClock();
    let count = 0;
    const again = () => {
      count += 1;
      clock.setTimer(10, again);
    };
    clock.setTimer(10, again);
    expect(clock.runUntil(() => count === 3, 1_000)).toBe(true);
    expect(clock.nowMs()).toBe(30);
    expect(clock.runUntil(() => count === 100, 55)).toBe(false);
    expect([clock.nowMs(), count]).toEqual([85, 8]);
  });

  test("many timers keep their order, also among cancelled ones", () => {
    const clock = createVirtualClock();
    const random = createSeededRandom("timers");
    const fired: number[] = [];
    const due: number[] = [];
    for (let i = 0; i < 2_000; i += 1) {
      const at = random.integer(500);
      const cancel = clock.setTimer(at, () => void fired.push(at));
      if (random.integer(3) === 0) cancel();
      else due.push(at);
    }
    clock.advance(500);
    expect(fired).toEqual(due.sort((a, b) => a - b));
    expect(clock.timerCount).toBe(0);
  });

  test("soons without end are a mistake that is named", () => {
    const clock = createVirtualClock();
    const again = () => clock.soon(again);
    again();
    expect(() => clock.runSoon()).toThrow("do not end");
  });
});

const randoms: Record<string, () => Random> = {
  seeded: () => createSeededRandom(7),
  process: createRandom,
};

describe.each(Object.entries(randoms))("random: %s", (_, open) => {
  test("numbers fill [0, 1) evenly", () => {
    const random = open();
    const counts = new Array<number>(16).fill(0);
    for (let i = 0; i < 16_000; i += 1) {
      const drawn = random.next();
      expect(drawn >= 0 && drawn < 1).toBe(true);
      counts[Math.floor(drawn * 16)]! += 1;
    }
    // 1,000 each, with a deviation of 31: ten times that is no accident.
    expect(Math.min(...counts)).toBeGreaterThan(700);
    expect(Math.max(...counts)).toBeLessThan(1_300);
  });

  test("hexadecimal digits, as many as asked for, others each time", () => {
    const random = open();
    expect([0, 1, 3, 8].map((count) => random.hex(count).length)).toEqual([0, 2, 6, 16]);
    const drawn = Array.from({ length: 500 }, () => random.hex(8));
    expect(new Set(drawn).size).toBe(500);
    expect(drawn.every((digits) => /^[0-9a-f]{16}$/.test(digits))).toBe(true);
  });
});

test("a seed repeats its numbers; another seed, and a fork, have their own", () => {
  const draw = (seed: number | string) => createSeededRandom(seed).hex(16);
  expect(draw(1)).toBe(draw(1));
  expect(draw(1)).toBe(draw("1"));
  // What an older run drew must be drawn again: seeds of failures are kept.
  expect(draw("synod")).toMatchInlineSnapshot(`"adf787f0fef982e685ccf1b1633e3033"`);
  const seeds = Array.from({ length: 1_000 }, (_, i) => draw(i));
  expect(new Set(seeds).size).toBe(1_000);
  const [one, two] = [createSeededRandom(1), createSeededRandom(1)];
  two.next();
  expect(one.fork("net").hex(8)).toBe(two.fork("net").hex(8));
  expect(one.fork("net").hex(8)).not.toBe(one.fork("disk").hex(8));
});
