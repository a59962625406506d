/**
 * Goal: the leader of a process that does not keep up hands over, at most once a minute.
 * Method: as in proposer.test.ts; the host's event is given by hand.
 */
import { describe, expect, it } from "vitest";
import type { ProposerContext } from "../../actors/proposer/context.js";
import { type Bench, testCluster } from "../support/steps.js";
import { cancelled, leading, propose } from "./proposer-steps.js";

const dataOf = (bench: Bench) => (bench.snapshot.context as ProposerContext).data;
const noTick = cancelled("beaconPause", "leading");

describe("the leader of a process that does not keep up", () => {
  const slow = (nowMs: number) => ({ type: "host.slow", nowMs });

  it("steps aside and stands by; once a minute", () => {
    const bench = leading();
    bench.take(propose(["x"]));
    expect(bench.take(slow(5000))).toEqual([noTick]);
    expect([bench.state, dataOf(bench).open.size]).toEqual(["standby", 0]);
    expect(bench.take(slow(6000))).toEqual([]);
    expect([bench.state, bench.heard]).toEqual(["standby", true]);
  });

  it("leads on if it stepped aside within the last minute, or nobody else can lead", () => {
    const bench = leading();
    const { snapshot } = bench;
    Object.assign(snapshot.context, { steppedAsideMs: 5000 });
    expect([bench.take(slow(64_999)), bench.state]).toEqual([[], "leading.open"]);
    expect([bench.take(slow(65_000)), bench.state]).toEqual([[noTick], "standby"]);
    const [p1] = testCluster().proposers;
    const alone = leading({
      cluster: testCluster({}, { proposers: p1 === undefined ? [] : [p1] }),
    });
    expect([alone.take(slow(5000)), alone.state]).toEqual([[], "leading.open"]);
  });
});
