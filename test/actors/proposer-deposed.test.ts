/**
 * Goal: how a leader stops leading: without a quorum, or for a higher ballot; for each transition,
 * the next state and the exact effects.
 * Method: as in proposer-leading.test.ts.
 */
import { describe, expect, it } from "vitest";
import type { ProposerContext } from "../../actors/proposer/context.js";
import { type Bench, ballot, testCluster } from "../support/steps.js";
import {
  accepted,
  batch,
  beaconOf,
  beacons,
  cancelled,
  fireAt,
  LOST_MS,
  leading,
  propose,
  set,
} from "./proposer-steps.js";

const ours = ballot(1);
const dataOf = (bench: Bench) => (bench.snapshot.context as ProposerContext).data;
const noTick = cancelled("beaconPause", "leading");
const tick = set("beaconPause", "leading");
const x = batch("x");

describe("the end of leadership", () => {
  const cluster = testCluster({ windowMax: 1, pipelineSlotsMax: 1 });
  const open = () => {
    const bench = leading();
    bench.take(propose(["x"]));
    return bench;
  };
  const full = () => {
    const bench = leading({ cluster });
    bench.take(propose(["x"]));
    return bench;
  };

  it.each([
    ["leading.open", open],
    ["leading.full", full],
  ])("comes from %s when no phase-2 quorum answers any more", (state, make) => {
    const bench = make();
    expect(bench.state).toBe(state);
    fireAt(bench, "leading", LOST_MS - 1);
    expect(bench.state).toBe(state);
    expect(fireAt(bench, "leading", LOST_MS)).toEqual([noTick]);
    expect([bench.state, bench.timers]).toEqual(["standby", []]);
    expect(dataOf(bench).open.size).toBe(0);
  });

  it("does not come to one that is idle, however long", () => {
    const bench = leading();
    expect(fireAt(bench, "leading", LOST_MS * 9)).toEqual([noTick, beacons(1), tick]);
  });

  it.each([
    ["leading.open", open],
    ["leading.full", full],
  ])("comes from %s by the beacon of a higher ballot", (state, make) => {
    const bench = make();
    bench.take(propose(["waits"]));
    expect(bench.state).toBe(state);
    expect(bench.take(beaconOf(2))).toEqual([noTick]);
    expect(bench.state).toBe("standby");
    const { open: slots, queue, announcements } = dataOf(bench);
    expect([slots.size, queue.length, announcements]).toEqual([0, 0, []]);
    expect([bench.take(propose(["z"])), bench.heard]).toEqual([[], true]);
  });

  it("does not come by its own beacon, nor by a lower ballot's", () => {
    const bench = open();
    const [received] = beaconOf(1).received;
    const own = { ...received, message: { ...received?.message, ballot: ours } };
    for (const event of [{ ...beaconOf(1), received: [own] }, beaconOf(0)]) {
      expect(bench.take(event)).toEqual([]);
      expect([bench.state, bench.heard]).toEqual(["leading.open", true]);
    }
  });

  it("lets no vote of the old ballot count for the next one", () => {
    const bench = open();
    bench.take(beaconOf(2));
    expect(bench.take(accepted(1, ours, [[0, x]]))).toEqual([]);
    expect([bench.state, bench.heard]).toEqual(["standby", false]);
  });
});
