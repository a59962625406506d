/**
 * Goal: `status` and `why` say of a learner what it knows: how far the log is, how far behind it
 * is, and how fast it comes on.
 * Method: as in learner.test.ts; time comes with the events.
 */
import { describe, expect, it } from "vitest";
import { roles } from "../../actors/index.js";
import { START_MS } from "../support/steps.js";
import { beacon, entries, learner } from "./learner-steps.js";

describe("status", () => {
  it("says how far the log is once a leader has said it, also where nothing is chosen", () => {
    const bench = learner();
    const shown = () => roles.learner?.status(bench.snapshot);
    expect(shown()).toMatchObject({ appliedWatermark: 0 });
    expect(shown()?.chosenWatermark).toBeUndefined();
    bench.take(beacon(0));
    expect(shown()).toMatchObject({ chosenWatermark: 0, appliedWatermark: 0 });
  });

  it("says while it catches up how far it is behind, and its pace once it knows", () => {
    const bench = learner();
    const shown = () => roles.learner?.status(bench.snapshot).catchingUp;
    const why = () => roles.learner?.waits(bench.snapshot, START_MS)[0]?.reason;
    bench.take(beacon(0));
    expect(shown()).toBeUndefined();
    bench.take(beacon(12_345));
    expect(shown()).toEqual({ behindSlots: 12_345, slotsPerSecond: null });
    expect(why()).toMatch(/^catching up: 12,345 slots behind; /);
    bench.fire("repairDelay");
    bench.take(entries(0, 100, undefined, START_MS + 999));
    expect(shown()).toEqual({ behindSlots: 12_245, slotsPerSecond: null });
    bench.take(entries(100, 300, undefined, START_MS + 1200));
    expect(shown()).toEqual({ behindSlots: 12_045, slotsPerSecond: 250 });
    expect(why()).toMatch(/^catching up: 12,045 slots behind, 250 a second; /);
    const type = "xstate.after.retryDelay.learner.repairing";
    bench.take({ type, nowMs: START_MS + 2199 });
    expect(shown()).toMatchObject({ slotsPerSecond: 250 });
    bench.take({ type, nowMs: START_MS + 2200 });
    expect(shown()).toMatchObject({ slotsPerSecond: 0 });
  });

  it("says nothing of catching up once nothing is missing, and measures the next time anew", () => {
    const bench = learner();
    const shown = () => roles.learner?.status(bench.snapshot).catchingUp;
    bench.take(beacon(9));
    bench.fire("repairDelay");
    bench.take(entries(0, 8, undefined, START_MS + 1000));
    expect(shown()).toEqual({ behindSlots: 1, slotsPerSecond: 8 });
    bench.take(entries(8, 9, undefined, START_MS + 1000));
    expect([bench.state, shown()]).toEqual(["listening", undefined]);
    bench.take(beacon(20));
    expect(shown()).toEqual({ behindSlots: 11, slotsPerSecond: null });
  });
});
