/**
 * Goal: `why` says of a proposer what it waits for, from whom, how many of how many, since when.
 * Method: the machine is stepped as the host does, and asked.
 */
import { describe, expect, it } from "vitest";
import { roles } from "../../actors/index.js";
import type { QuorumSystem } from "../../src/paxos/quorum.js";
import { type Bench, ballot, START_MS, testCluster } from "../support/steps.js";
import {
  adopting,
  asking,
  beaconOf,
  fresh,
  lastHeard,
  leading,
  nack,
  preparing,
  promise,
  slotVote,
} from "./proposer-steps.js";

const ours = ballot(1);

describe("why", () => {
  const GRID: QuorumSystem = {
    kind: "grid",
    rows: [
      ["a1", "a2"],
      ["a3", "a4"],
    ],
  };
  const FLEXIBLE: QuorumSystem = { kind: "flexible", phase1: 3, phase2: 2 };
  const cluster = (quorums: QuorumSystem) =>
    testCluster(
      {},
      { quorums, acceptors: [1, 2, 3, 4].map((n) => ({ id: `a${n}`, storeId: `${n}` })) },
    );
  const why = (bench: Bench, nowMs = START_MS) => roles.proposer?.waits(bench.snapshot, nowMs)[0];

  it("says nothing of a standby, and when an idle leader has nothing to wait for", () => {
    expect([why(fresh()), why(leading())]).toEqual([undefined, undefined]);
  });

  it("counts as silent only acceptors that say so", () => {
    const bench = asking();
    bench.take(lastHeard(1, 1, 10));
    bench.take(lastHeard(2, 1, null));
    expect(why(bench, START_MS + 70)).toMatchObject({
      from: ["a1", "a3"],
      have: 1,
      need: 2,
      sinceMs: 70,
    });
  });

  it("has waited since it was named, however often it has asked", () => {
    const bench = asking();
    const type = "xstate.after.beaconTime.proposer.asking";
    for (const nowMs of [START_MS + 100, START_MS + 200]) bench.take({ type, nowMs });
    expect(why(bench, START_MS + 300)).toMatchObject({ need: 2, sinceMs: 300 });
  });

  it.each([
    ["majority", { kind: "majority" } as QuorumSystem, ["a2", "a4"], 2, 3],
    ["flexible", FLEXIBLE, ["a2", "a4"], 2, 3],
    ["grid: the row that lacks least", GRID, ["a2"], 1, 2],
  ])("names the promises that phase 1 needs: %s", (_, quorums, from, have, need) => {
    const bench = asking({ cluster: cluster(quorums) });
    for (const n of [1, 2, 3, 4]) bench.take(lastHeard(n, 1, null));
    for (const n of [1, 3, 9]) bench.take(promise(n, ours));
    expect(bench.state).toBe("preparing");
    expect(why(bench)).toMatchObject({ from, have, need });
  });

  it.each([
    ["majority", { kind: "majority" } as QuorumSystem, ["a1", "a2", "a3", "a4"], 0, 3],
    ["flexible", FLEXIBLE, ["a1", "a2", "a3", "a4"], 0, 2],
    ["grid: one of each row", GRID, ["a1", "a2", "a3", "a4"], 0, 2],
  ])("names the votes that phase 2 needs: %s", (_, quorums, from, have, need) => {
    const bench = asking({ cluster: cluster(quorums) });
    for (const n of [1, 2, 3, 4]) bench.take(lastHeard(n, 1, null));
    bench.take(promise(1, ours, { votes: [slotVote(0, 0, "x")] }));
    for (const n of [2, 3]) bench.take(promise(n, ours));
    expect(bench.state).toBe("adopting");
    expect(why(bench)).toMatchObject({ from, have, need });
  });

  it("says how long a preempted one waits", () => {
    const bench = preparing();
    bench.take(nack(2, ours, { promised: ballot(7, "p2") }));
    expect(why(bench)).toMatchObject({ for: "its turn", from: [], have: 0, need: 0 });
  });
});

describe("status", () => {
  it.each([
    ["standby", fresh(), undefined],
    ["asking", asking(), undefined],
    ["preparing", preparing(), undefined],
    ["adopting", adopting([slotVote(0, 2, "u")]), 0],
    ["leading.open", leading(), 0],
  ])("says how far the log is only while it leads: %s", (state, bench, watermark) => {
    expect(bench.state).toBe(state);
    expect(roles.proposer?.status(bench.snapshot).chosenWatermark).toBe(watermark);
  });

  it("says it no more once another leads: it follows the leader's round alone", () => {
    const bench = leading();
    bench.take(beaconOf(9));
    expect(bench.state).toBe("standby");
    expect(roles.proposer?.status(bench.snapshot).chosenWatermark).toBeUndefined();
  });
});
