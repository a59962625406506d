/**
 * Goal: a leader's beacon names the gateway of its process, so that sessions can move there.
 * Method: as in proposer-leading.test.ts.
 */
import { describe, expect, it } from "vitest";
import { roles } from "../../actors/index.js";
import { proposerContext } from "../../actors/proposer/context.js";
import { type Bench, roleInput, START_MS } from "../support/steps.js";
import { leading } from "./proposer-steps.js";

describe("the gateway of its process", () => {
  it("is named in the beacon: known at the start, or since it came", () => {
    const gateways = (bench: Bench) =>
      bench.effects.flatMap((effect) =>
        effect.kind === "broadcast" && effect.message.type === "beacon"
          ? [effect.message.gateway]
          : [],
      );
    const bench = leading();
    const beside = [{ role: "learner" as const, id: "l1" }];
    expect(roles.proposer?.heedsNeighbours).toBe(true);
    bench.fire("beaconPause");
    expect(gateways(bench)).toEqual([null]);
    const came = [...beside, { role: "gateway" as const, id: "g7" }];
    bench.take({ type: "neighbours", neighbours: came, nowMs: START_MS });
    bench.fire("beaconPause");
    expect(gateways(bench)).toEqual(["g7"]);
    bench.take({ type: "neighbours", neighbours: beside, nowMs: START_MS });
    bench.fire("beaconPause");
    expect(gateways(bench)).toEqual([null]);
    const context = proposerContext(roleInput({ neighbours: came }));
    expect(context.gateway).toBe("g7");
  });
});
