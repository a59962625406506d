/**
 * Goal: a leader with nothing to propose sends fewer beacons, and the usual ones as soon as it has.
 * Method: the machine is stepped as the host does; its clock fires when the test says so.
 */
import { describe, expect, it } from "vitest";
import { type Bench, testCluster } from "../support/steps.js";
import {
  batch,
  beacons,
  cancelled,
  fireAt,
  LATE_MS,
  leading,
  limits,
  propose,
  proposes,
  set,
} from "./proposer-steps.js";

const noTick = cancelled("beaconPause", "leading");
const tick = set("beaconPause", "leading");
const [x, y] = [batch("x"), batch("y")];

describe("a leader at rest", () => {
  /** @returns one that had nothing to propose for ten intervals */
  function atRest(change: Partial<typeof limits> = {}): Bench {
    const bench = leading({ cluster: testCluster(change) });
    for (let n = 0; n < 10; n++) fireAt(bench, "leading", LATE_MS);
    return bench;
  }
  const pauseOf = (change: Partial<typeof limits>) => {
    const [, , last] = fireAt(atRest(change), "leading", LATE_MS);
    return last?.kind === "setTimer" ? last.delayMs : undefined;
  };

  it("shows itself at half the rate after ten intervals with nothing to propose", () => {
    const bench = leading();
    for (let n = 0; n < 8; n++) expect(fireAt(bench, "leading", LATE_MS)).toContainEqual(tick);
    expect(pauseOf({})).toBe(2 * limits.beaconMs);
  });

  it("never rests for so long that a beacon a little late makes it silent", () => {
    expect(pauseOf({ silenceMs: 240 })).toBe(160);
    expect(pauseOf({ suspectMs: 240 })).toBe(160);
    expect(pauseOf({ silenceMs: 1 })).toBe(limits.beaconMs);
  });

  it("shows itself at once, and each interval again, when it has something to propose", () => {
    const bench = atRest();
    expect(bench.take(propose(["x"]))).toEqual([
      noTick,
      proposes(1, 0, [x]),
      beacons(1, 1, 0),
      tick,
    ]);
    expect(bench.take(propose(["y"]))).toEqual([proposes(1, 1, [y])]);
    expect(fireAt(bench, "leading", LATE_MS)).toContainEqual(tick);
  });
});
