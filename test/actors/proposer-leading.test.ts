/**
 * Goal: phase 2 of the proposer's chart: what it adopts, how it leads and how it stops leading; for
 * each transition, the next state and the exact effects.
 * Method: as in proposer.test.ts; votes are written by hand.
 */
import { describe, expect, it } from "vitest";
import { roles } from "../../actors/index.js";
import type { ProposerContext } from "../../actors/proposer/context.js";
import { count, type Effect, send } from "../../src/kernel/effect.js";
import { NOOP } from "../../src/paxos/value.js";
import { type Bench, ballot, heardTogether, testCluster, value } from "../support/steps.js";
import {
  accepted,
  acceptor,
  adopting,
  announces,
  askBasis,
  basis,
  batch,
  beaconOf,
  beacons,
  cancelled,
  chosenRange,
  fireAt,
  g1,
  g2,
  LATE_MS,
  LOST_MS,
  leading,
  limits,
  preparing,
  promise,
  propose,
  proposes,
  set,
  slotVote,
  tellsBasis,
} from "./proposer-steps.js";

const ours = ballot(1);
const dataOf = (bench: Bench) => (bench.snapshot.context as ProposerContext).data;
const noRetry = cancelled("retryDelay", "preparing");
const noTick = cancelled("beaconPause", "leading");
const tick = set("beaconPause", "leading");
const x = batch("x");
const y = batch("y");
describe("the end of phase 1 (PMS §3)", () => {
  it("with no vote reported leads at once, and shows itself", () => {
    const bench = preparing();
    bench.take(promise(1, ours));
    expect(bench.take(promise(2, ours))).toEqual([
      noRetry,
      tellsBasis(0, [1, 0, []], [2, 0, []]),
      beacons(1),
      set("beaconTime", "adopting"),
      cancelled("beaconTime", "adopting"),
      beacons(1),
      tick,
    ]);
    expect(bench.state).toBe("leading.open");
    expect([...bench.snapshot.tags].sort()).toEqual(["canPropose", "hasLeadership"]);
  });

  it("proposes the highest vote of each slot again, and no-ops in the holes", () => {
    const bench = preparing();
    const low = [slotVote(0, 3, "low"), slotVote(3, 2, "three")];
    bench.take(promise(1, ours, { votes: low }));
    const high = [slotVote(0, 4, "high")];
    expect(bench.take(promise(2, ours, { votes: high }))).toEqual([
      noRetry,
      tellsBasis(0, [1, 0, low], [2, 0, high]),
      proposes(1, 0, [value("high"), NOOP, NOOP, value("three")]),
      beacons(1, 4),
      set("beaconTime", "adopting"),
    ]);
    expect(bench.state).toBe("adopting");
  });

  it("proposes nothing below what an acceptor of the quorum knows as chosen or has trimmed", () => {
    const bench = preparing();
    const top = limits.windowMax + 4;
    const votes = [5, top].map((slot) => slotVote(slot, 2, `v${slot}`));
    bench.take(promise(1, ours, { votes, chosenWatermark: 5, trimmed: 5 }));
    const noops = Array.from({ length: top - 6 }, () => NOOP);
    expect(bench.take(promise(3, ours))).toEqual([
      noRetry,
      tellsBasis(5, [1, 5, votes], [3, 0, []]),
      proposes(1, 5, [value("v5"), ...noops, value(`v${top}`)], 5),
      beacons(1, top + 1, 5),
      set("beaconTime", "adopting"),
    ]);
  });
});

describe("the basis of a ballot", () => {
  it("is told again to a learner that asks, whatever the proposer does by now", () => {
    const bench = leading();
    const told = send("learner", "l9", basis(0, [1, 0, []], [2, 0, []]));
    expect(bench.take(askBasis(1, "l9"))).toEqual([told]);
    bench.take(beaconOf(9));
    expect(bench.state).toBe("standby");
    expect(bench.take(askBasis(1, "l9"))).toEqual([told]);
  });

  it("is not told of another ballot, nor before phase 1 has ended", () => {
    expect(leading().take(askBasis(2))).toEqual([]);
    const bench = preparing();
    expect(bench.take(askBasis(1))).toEqual([]);
    expect(bench.heard).toBe(true);
  });
});

describe("adopting", () => {
  const two = () => adopting([slotVote(0, 2, "u"), slotVote(1, 2, "v")]);
  const u = value("u");
  const v = value("v");
  const noWatch = cancelled("beaconTime", "adopting");

  it("announces what is chosen at once, and leads when all of it is", () => {
    const bench = two();
    expect(bench.take(accepted(1, ours, [[1, v]]))).toEqual([]);
    expect(bench.take(accepted(3, ours, [[1, v]]))).toEqual([
      announces(chosenRange(1, 1, 2, ["a1", "a3"])),
    ]);
    expect(bench.state).toBe("adopting");
    bench.take(accepted(1, ours, [[0, u]]));
    expect(bench.take(accepted(2, ours, [[0, u]]))).toEqual([
      announces(chosenRange(1, 0, 1, ["a1", "a2"])),
      noWatch,
      beacons(1, 2, 2),
      tick,
    ]);
    expect(bench.state).toBe("leading.open");
  });

  it("shows itself at each interval, and sends late accepts again", () => {
    const bench = two();
    expect(fireAt(bench, "adopting", LATE_MS - 1)).toEqual([
      noWatch,
      beacons(1, 2),
      set("beaconTime", "adopting"),
    ]);
    bench.take(accepted(1, ours, [[0, u]]));
    bench.take(accepted(2, ours, [[0, u]]));
    expect(fireAt(bench, "adopting", LATE_MS)).toEqual([
      noWatch,
      proposes(1, 1, [v], 1),
      beacons(1, 2, 1),
      set("beaconTime", "adopting"),
    ]);
  });

  it("proposes what its beacon brings behind what it adopted: phase 1 was for all slots", () => {
    const bench = adopting([slotVote(0, 2, "u")]);
    expect(bench.take(propose(["x"]))).toEqual([proposes(1, 1, [x])]);
    bench.take(accepted(1, ours, [[1, x]]));
    expect(bench.take(accepted(2, ours, [[1, x]]))).toEqual([
      announces(chosenRange(1, 1, 2, ["a1", "a2"])),
    ]);
    expect(bench.state).toBe("adopting");
    bench.take(accepted(1, ours, [[0, u]]));
    bench.take(accepted(2, ours, [[0, u]]));
    expect([bench.state, dataOf(bench).chosenWatermark]).toEqual(["leading.open", 2]);
  });

  it("lets commands wait while too much is under way, and proposes them as votes come", () => {
    const cluster = testCluster({ pipelineSlotsMax: 1 });
    const bench = adopting([slotVote(0, 2, "u")], { cluster });
    expect(bench.take(propose(["x"]))).toEqual([]);
    bench.take(accepted(1, ours, [[0, u]]));
    expect(bench.take(accepted(2, ours, [[0, u]]))).toEqual([
      proposes(1, 1, [x], 1, [chosenRange(1, 0, 1, ["a1", "a2"])]),
      noWatch,
      beacons(1, 2, 1),
      tick,
    ]);
  });

  it("refuses commands that its queue has no room for, and counts them", () => {
    const cluster = testCluster({ queueBytesMax: 1, pipelineSlotsMax: 1 });
    const bench = adopting([slotVote(0, 2, "u")], { cluster });
    expect(bench.take(propose(["x", "y"]))).toEqual([count("leader_overloaded", 1)]);
  });

  it("gives up when no quorum answers", () => {
    const bench = two();
    expect(fireAt(bench, "adopting", LOST_MS)).toEqual([noWatch]);
    expect([bench.state, dataOf(bench).open.size]).toEqual(["standby", 0]);
  });

  it("steps down for a higher ballot, not for a lower one", () => {
    const bench = two();
    expect(bench.take(beaconOf(0))).toEqual([]);
    expect(bench.state).toBe("adopting");
    expect(bench.take(beaconOf(9))).toEqual([noWatch]);
    expect([bench.state, dataOf(bench).open.size]).toEqual(["standby", 0]);
  });
});

describe("leading.open (PMS §3, phase 2 alone)", () => {
  it("proposes what gateways bring: what one drain brought is one batch", () => {
    const bench = leading();
    const message = (text: string) => ({ type: "propose" as const, commands: [value(text)] });
    const drain = heardTogether([
      [g1, message("x")],
      [g2, message("y")],
    ]);
    expect(bench.take(drain)).toEqual([proposes(1, 0, [batch("x", "y")])]);
    expect(bench.take(propose(["z"]))).toEqual([proposes(1, 1, [batch("z")])]);
  });

  it("announces at once what is chosen when nothing goes out to carry it", () => {
    const bench = leading();
    bench.take(propose(["x"]));
    expect(bench.take(accepted(2, ours, [[0, x]]))).toEqual([]);
    expect(bench.take(accepted(1, ours, [[0, x]]))).toEqual([
      announces(chosenRange(1, 0, 1, ["a1", "a2"])),
    ]);
    expect(bench.take(accepted(3, ours, [[0, x]]))).toEqual([]);
    expect(roles.proposer?.status(bench.snapshot)).toMatchObject({ chosenWatermark: 1 });
  });

  it("lets the announcement ride on the next accept", () => {
    const bench = leading({ cluster: testCluster({ pipelineSlotsMax: 1 }) });
    bench.take(propose(["x"]));
    expect(bench.take(propose(["y"]))).toEqual([]);
    bench.take(accepted(2, ours, [[0, x]]));
    expect(bench.take(accepted(1, ours, [[0, x]]))).toEqual([
      proposes(1, 1, [y], 1, [chosenRange(1, 0, 1, ["a1", "a2"])]),
    ]);
  });

  it("joins announcements of slots that the same acceptors voted for", () => {
    const bench = leading();
    bench.take(propose(["x"]));
    bench.take(propose(["y"]));
    const both: readonly (readonly [number, Uint8Array])[] = [
      [0, x],
      [1, y],
    ];
    bench.take(accepted(1, ours, both));
    expect(bench.take(accepted(3, ours, both))).toEqual([
      announces(chosenRange(1, 0, 2, ["a1", "a3"])),
    ]);
  });

  it.each([["all"], ["some"]] as const)("announces nothing where learners count: %s", (kind) => {
    const learn = kind === "all" ? { kind } : { kind, learners: ["l1"] };
    const bench = leading({ cluster: testCluster({}, { learn }) });
    bench.take(propose(["x"]));
    bench.take(accepted(1, ours, [[0, x]]));
    expect(bench.take(accepted(2, ours, [[0, x]]))).toEqual([]);
    expect(dataOf(bench).chosenWatermark).toBe(1);
  });

  it.each([
    ["another ballot", accepted(2, ballot(2), [[0, x]])],
    ["another value", accepted(2, ours, [[0, y]])],
    ["the same acceptor", accepted(1, ours, [[0, x]])],
    ["a stranger", accepted(9, ours, [[0, x]])],
    ["a slot that is not open", accepted(2, ours, [[5, x]])],
  ])("does not count a vote for or of %s", (_, event) => {
    const bench = leading();
    bench.take(propose(["x"]));
    bench.take(accepted(1, ours, [[0, x]]));
    expect(bench.take(event)).toEqual([]);
    expect(dataOf(bench).chosenWatermark).toBe(0);
  });

  it("counts votes of one drain together", () => {
    const bench = leading();
    bench.take(propose(["x"]));
    const [first] = accepted(1, ours, [[0, x]]).received;
    if (first === undefined) throw new Error("a batch is never empty");
    const drain = heardTogether([
      [acceptor(1), first.message],
      [acceptor(2), first.message],
    ]);
    expect(bench.take(drain)).toEqual([announces(chosenRange(1, 0, 1, ["a1", "a2"]))]);
  });

  it("shows itself each interval, with the credit that its queue leaves", () => {
    const bench = leading({ cluster: testCluster({ pipelineSlotsMax: 1 }) });
    bench.take(propose(["x"]));
    bench.take(propose(["12345"]));
    expect(fireAt(bench, "leading", LATE_MS - 1)).toEqual([noTick, beacons(1, 1, 0, 5), tick]);
    expect(bench.state).toBe("leading.open");
  });

  it("sends accepts again that have waited too long, each time after twice the wait", () => {
    const bench = leading();
    bench.take(propose(["x"]));
    bench.take(propose(["y"], g1, LATE_MS - 1));
    expect(fireAt(bench, "leading", LATE_MS)).toEqual([
      noTick,
      proposes(1, 0, [x]),
      beacons(1, 2),
      tick,
    ]);
    const second = fireAt(bench, "leading", LATE_MS + limits.retryDelayMs);
    expect(second).toContainEqual(proposes(1, 1, [y]));
    const first = fireAt(bench, "leading", LATE_MS + 2 * limits.retryDelayMs);
    expect(first).toContainEqual(proposes(1, 0, [x]));
  });

  it("refuses commands that its queue has no room for, and counts them", () => {
    const bench = leading({ cluster: testCluster({ queueBytesMax: 4, pipelineSlotsMax: 1 }) });
    const event = propose(["12", "34", "5", "6"]);
    expect(bench.take(event)).toEqual([
      proposes(1, 0, [batch("12", "34")]),
      count("leader_overloaded", 2),
    ]);
    expect(bench.take(propose(["7"]))).toEqual([]);
  });
});

describe("leading.full (PMS §3: α commands ahead)", () => {
  const cluster = testCluster({ windowMax: 2, pipelineSlotsMax: 2 });

  function full(): Bench {
    const bench = leading({ cluster });
    bench.take(propose(["x"]));
    bench.take(propose(["y"]));
    return bench;
  }

  it("is entered with the last slot of the window", () => {
    const bench = leading({ cluster });
    bench.take(propose(["x"]));
    expect(bench.take(propose(["y"]))).toEqual([proposes(1, 1, [y])]);
    expect(bench.state).toBe("leading.full");
  });

  it("shows itself by one clock, however often it is entered and left", () => {
    const bench = full();
    const told = new Set<string>();
    const note = (effects: readonly Effect[]) => {
      for (const effect of effects) {
        told.add(effect.kind === "broadcast" ? effect.message.type : effect.kind);
      }
    };
    for (let slot = 0; slot < 9; slot++) {
      const oldest = dataOf(bench).open.get(slot)?.value ?? NOOP;
      for (const n of [1, 2]) note(bench.take(accepted(n, ours, [[slot, oldest]])));
      expect(bench.state).toBe("leading.open");
      note(bench.take(propose([`next${slot}`])));
      expect(bench.state).toBe("leading.full");
    }
    expect([...told].sort()).toEqual(["accept", "chosen"]);
    expect(bench.timers).toEqual(["xstate.after.beaconPause.proposer.leading"]);
    expect(fireAt(bench, "leading", LATE_MS)).toContainEqual(beacons(1, 11, 9));
  });

  it("lets commands wait, and is left when the first slot is chosen", () => {
    const bench = full();
    expect(bench.take(propose(["z"]))).toEqual([]);
    bench.take(accepted(1, ours, [[1, y]]));
    expect(bench.take(accepted(2, ours, [[1, y]]))).toEqual([
      announces(chosenRange(1, 1, 2, ["a1", "a2"])),
    ]);
    expect(bench.state).toBe("leading.full");
    bench.take(accepted(1, ours, [[0, x]]));
    expect(bench.take(accepted(2, ours, [[0, x]]))).toEqual([
      proposes(1, 2, [batch("z")], 2, [chosenRange(1, 0, 1, ["a1", "a2"])]),
    ]);
    expect(bench.state).toBe("leading.open");
  });

  it("stays when the room is taken at once", () => {
    const bench = full();
    bench.take(propose(["z"]));
    bench.take(accepted(1, ours, [[0, x]]));
    const chosen = [chosenRange(1, 0, 1, ["a1", "a2"])];
    expect(bench.take(accepted(2, ours, [[0, x]]))).toEqual([
      proposes(1, 2, [batch("z")], 1, chosen),
    ]);
    expect(bench.state).toBe("leading.full");
  });

  it("shows itself each interval, and sends late accepts again", () => {
    const bench = full();
    bench.take(propose(["z"]));
    expect(fireAt(bench, "leading", LATE_MS)).toEqual([
      noTick,
      proposes(1, 0, [x, y]),
      beacons(1, 2, 0, 1),
      tick,
    ]);
    expect(bench.state).toBe("leading.full");
  });
});
