/**
 * Goal: a proposer goes by what votes show: which promises count, what it need not propose again,
 * and what it proposes again for a learner.
 * Method: as in proposer.test.ts; votes are written by hand.
 */
import { describe, expect, it } from "vitest";
import type { ProposerContext } from "../../actors/proposer/context.js";
import { count } from "../../src/kernel/effect.js";
import { type Bench, ballot, heard, sender, value } from "../support/steps.js";
import {
  accepted,
  announces,
  beacons,
  chosenRange,
  preparing,
  promise,
  proposes,
  slotVote,
} from "./proposer-steps.js";

const ours = ballot(1);
const dataOf = (bench: Bench) => (bench.snapshot.context as ProposerContext).data;

describe("what votes show", () => {
  it.each([
    ["too high by a bit", { chosenWatermark: 64 }],
    ["as high as there is", { chosenWatermark: Number.MAX_SAFE_INTEGER }],
    ["trimmed, which no vote shows", { chosenWatermark: 3, trimmed: 3 }],
  ])("counts no promise whose watermark is %s, and asks again", (_, rest) => {
    const bench = preparing();
    const votes = [slotVote(0, 2, "v0")];
    bench.take(promise(1, ours, { votes }));
    expect(bench.take(promise(2, ours, rest))).toEqual([count("unfounded_watermark", 1)]);
    expect(bench.state).toBe("preparing");
    expect(bench.take(promise(2, ours, { answer: 1 }))).toContainEqual(
      proposes(1, 0, [value("v0")]),
    );
  });

  it("proposes nothing again that a phase-2 quorum reports at one ballot: it is chosen", () => {
    const bench = preparing();
    const votes = [0, 1].map((slot) => slotVote(slot, 2, `v${slot}`));
    bench.take(promise(1, ours, { votes }));
    const taken = bench.take(promise(3, ours, { votes: votes.slice(0, 1) }));
    expect(taken).toContainEqual(proposes(1, 1, [value("v1")], 1));
    expect(taken).toContainEqual(beacons(1, 2, 1));
  });

  it("proposes chosen slots again for a learner that cannot learn them", () => {
    const bench = preparing();
    const votes = [0, 1].map((slot) => slotVote(slot, 2, `v${slot}`));
    for (const n of [1, 3]) bench.take(promise(n, ours, { votes }));
    expect(bench.state).toBe("leading.open");
    const ask = (from: number, to: number) =>
      bench.take(
        heard({ type: "repair" as const, from, to, bytesMax: 1 }, sender("learner", "l1")),
      );
    expect(ask(0, 1)).toEqual([proposes(1, 0, [value("v0")], 2)]);
    expect(ask(0, 1)).toEqual([proposes(1, 1, [value("v1")], 2)]); // the last stands for the rest
    const said = [1, 2].flatMap((n) => bench.take(accepted(n, ours, [[0, value("v0")]])));
    expect(said).toEqual([announces(chosenRange(1, 0, 1, ["a1", "a2"]))]);
    expect(dataOf(bench)).toMatchObject({ chosenWatermark: 2, nextSlot: 2 });
    expect(ask(0, 2)).toEqual([proposes(1, 0, [value("v0")], 2)]);
  });
});
