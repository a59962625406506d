/**
 * Goal: a learner takes a value for chosen only if it is: in the four ways of the head of
 * learner.ts, and in none of them with a condition missing.
 * Method: each way once as it should be, and once for each condition without it.
 */
import { describe, expect, it } from "vitest";
import {
  forgetHeardTail,
  hearTail,
  LearnerState,
  missingRange,
  noteAccept,
  noteChosenRange,
  noteEntries,
  noteRepairVotes,
  noteVotes,
  tailToProve,
  takeChosen,
} from "../../src/paxos/consensus/learner.js";
import type { ChosenEntry, Votes } from "../../src/paxos/wire/messages.js";
import { accept, accepted, at, bytes, chosen, report, voted } from "../support/log-messages.js";
import { makeCluster } from "../support/synod-world.js";

const cluster = makeCluster(3, { kind: "majority" }, { windowMax: 2 });
const HORIZON = 4 * cluster.limits.windowMax;
const LOW = at(1);
const HIGH = at(2);

/** A learner on a bench. */
class Bench {
  readonly state = new LearnerState();

  accept(...args: Parameters<typeof accept>): this {
    noteAccept(this.state, accept(...args), cluster);
    return this;
  }

  announce(...args: Parameters<typeof chosen>): this {
    noteChosenRange(this.state, chosen(...args), cluster);
    return this;
  }

  votes(acceptor: string, ...args: Parameters<typeof accepted>): this {
    noteVotes(this.state, storeAt(acceptor, 1), accepted(...args), cluster);
    return this;
  }

  report(acceptor: string, answer: Votes, writeNumber = 20): this {
    noteRepairVotes(this.state, storeAt(acceptor, writeNumber), answer, cluster);
    return this;
  }

  /** A watermark that a message names. */
  tail(tail: number): this {
    hearTail(this.state, tail);
    return this;
  }

  /** Every acceptor shows by a vote, at its 10th write, that all slots below are chosen. */
  proven(below: number): this {
    const top = below + cluster.limits.windowMax - 1;
    for (const acceptor of ["a0", "a1", "a2"]) {
      this.report(acceptor, report(top, top + 1, voted(top, LOW, `top ${acceptor}`)), 10);
    }
    return this;
  }

  /** What it learned since, in order. */
  learned(): string[] {
    return takeChosen(this.state).map(({ value }) => new TextDecoder().decode(value));
  }
}

function storeAt(id: string, writeNumber: number) {
  return { id, incarnation: 1, writeNumber };
}

const fresh = () => new Bench();

describe("1: announced, and an accept of that ballot brought the value", () => {
  it("learns, whichever comes first", () => {
    expect(fresh().accept(LOW, 0, ["x"]).announce(LOW, 0).learned()).toEqual(["x"]);
    expect(fresh().announce(LOW, 0).accept(LOW, 0, ["x"]).learned()).toEqual(["x"]);
  });

  it("learns from an accept that carries the announcement of an earlier one", () => {
    const bench = fresh().accept(LOW, 0, ["x"]);
    expect(bench.accept(LOW, 1, ["y"], { chosen: [chosen(LOW, 0)] }).learned()).toEqual(["x"]);
  });

  it("says at which ballot, and by whom", () => {
    const bench = fresh().accept(LOW, 0, ["x"]).announce(LOW, 0);
    const [entry] = takeChosen(bench.state);
    expect(entry).toMatchObject({ slot: 0, ballot: LOW, syncedBy: ["a0", "a1"] });
  });

  it.each<[string, Bench]>([
    ["without an announcement", fresh().accept(LOW, 0, ["x"])],
    ["without the value", fresh().announce(LOW, 0)],
    ["with the announcement of another slot", fresh().accept(LOW, 0, ["x"]).announce(LOW, 1)],
    ["with an accept of a lower ballot", fresh().accept(LOW, 0, ["x"]).announce(HIGH, 0)],
    ["with an accept of a higher ballot", fresh().accept(HIGH, 0, ["x"]).announce(LOW, 0)],
    ["with the accept of another owner", fresh().accept(at(1, "q"), 0, ["x"]).announce(LOW, 0)],
    ["with a watermark alone", fresh().accept(LOW, 0, ["x"]).tail(1)],
  ])("learns nothing %s", (_name, bench) => {
    expect(bench.learned()).toEqual([]);
  });
});

describe("2: votes of a phase-2 quorum for one ballot and digest, and the value", () => {
  it("learns, whichever comes last", () => {
    const value = fresh().votes("a0", LOW, 0, "x").votes("a1", LOW, 0, "x").accept(LOW, 0, ["x"]);
    expect(value.learned()).toEqual(["x"]);
    const vote = fresh().accept(LOW, 0, ["x"]).votes("a0", LOW, 0, "x").votes("a2", LOW, 0, "x");
    expect(takeChosen(vote.state)).toMatchObject([{ ballot: LOW, syncedBy: ["a0", "a2"] }]);
  });

  it("counts a vote told in a repair with those heard", () => {
    const bench = fresh().tail(1).votes("a0", LOW, 0, "x");
    expect(bench.report("a1", report(0, 1, voted(0, LOW, "x"))).learned()).toEqual(["x"]);
  });

  const withValue = () => fresh().accept(LOW, 0, ["x"]).votes("a0", LOW, 0, "x");

  it.each<[string, Bench]>([
    ["from one acceptor twice", withValue().votes("a0", LOW, 0, "x")],
    ["without a quorum, a stranger among them", withValue().votes("a9", LOW, 0, "x")],
    ["at different ballots", withValue().votes("a1", HIGH, 0, "x").votes("a2", at(3), 0, "x")],
    ["for different digests", withValue().votes("a1", LOW, 0, "y")],
    ["in another slot", withValue().votes("a1", LOW, 1, "x")],
    ["without the value", fresh().votes("a0", LOW, 0, "x").votes("a1", LOW, 0, "x")],
    [
      "with a value of another ballot",
      fresh().votes("a0", LOW, 0, "x").votes("a1", LOW, 0, "x").accept(HIGH, 0, ["x"]),
    ],
    [
      "with the value of another digest",
      fresh().votes("a0", LOW, 0, "x").votes("a1", LOW, 0, "x").accept(LOW, 0, ["y"]),
    ],
  ])("learns nothing %s", (_name, bench) => {
    expect(bench.learned()).toEqual([]);
  });
});

describe("3: announced, and a vote of that ballot or a higher one shows the value", () => {
  const oneVote = (ballot = HIGH) => report(0, 1, voted(0, ballot, "x"));

  it("learns from one vote, at the announced ballot", () => {
    for (const ballot of [LOW, HIGH]) {
      const bench = fresh().announce(LOW, 0).report("a2", oneVote(ballot));
      expect(takeChosen(bench.state)).toMatchObject([{ ballot: LOW, value: bytes("x") }]);
    }
  });

  it("learns from a vote and the accept that it names", () => {
    const bench = fresh().announce(LOW, 0).votes("a2", HIGH, 0, "x");
    expect(bench.learned()).toEqual([]);
    expect(bench.accept(HIGH, 0, ["x"]).learned()).toEqual(["x"]);
  });

  it("keeps to the lowest ballot announced", () => {
    const bench = fresh().announce(HIGH, 0).announce(LOW, 0).report("a2", oneVote(LOW));
    expect(bench.learned()).toEqual(["x"]);
  });

  it.each<[string, Bench]>([
    ["from a vote of a lower ballot", fresh().announce(HIGH, 0).report("a2", oneVote(LOW))],
    ["without an announcement", fresh().tail(1).report("a2", oneVote())],
    ["from no vote", fresh().announce(LOW, 0).report("a2", report(0, 1))],
  ])("learns nothing %s", (_name, bench) => {
    expect(bench.learned()).toEqual([]);
  });
});

describe("4: known to be chosen, and a phase-1 quorum has reported", () => {
  const x = report(0, 1, voted(0, LOW, "x"));
  const y = report(0, 1, voted(0, HIGH, "y"));
  const none = report(0, 1);

  it("learns the value of the highest vote, in any order, a repeat or not", () => {
    for (const [one, other] of [
      [x, y],
      [y, x],
    ] as const) {
      const bench = fresh().proven(1).report("a0", one).report("a0", one).report("a1", other);
      expect(bench.learned()).toEqual(["y"]);
    }
    expect(fresh().proven(1).report("a0", none).report("a1", y).learned()).toEqual(["y"]);
  });

  it.each<[string, Bench]>([
    ["from one acceptor twice", fresh().proven(1).report("a0", y).report("a0", y)],
    ["from an acceptor and a stranger", fresh().proven(1).report("a0", y).report("a9", none)],
    ["from nothing but empty hands", fresh().proven(1).report("a0", none).report("a1", none)],
    ["of a slot not known to be chosen", fresh().report("a0", y).report("a1", none)],
    [
      "that an acceptor gave before the slot was chosen",
      fresh().proven(1).report("a0", none, 9).report("a1", x),
    ],
    ["below a watermark that is only heard", fresh().tail(1).report("a0", y).report("a1", none)],
    [
      "below what an acceptor trimmed: it may have voted and forgotten",
      fresh()
        .proven(1)
        .report("a0", { ...none, trimmed: 1 })
        .report("a1", x),
    ],
    [
      "of other slots",
      fresh()
        .proven(2)
        .report("a0", report(1, 2))
        .report("a1", report(1, 2, voted(1, LOW, "x"))),
    ],
  ])("learns nothing %s", (_name, bench) => {
    expect(bench.learned()).toEqual([]);
  });

  /**
   * Why an acceptor must show that it is late enough: a1 answers before anything is chosen and
   * votes y later; a0 has an old vote. Together they look like a quorum that has x; y is chosen.
   */
  it("would be wrong with a report from before the choice, however late it comes", () => {
    const bench = fresh().tail(67).report("a1", none, 5).proven(1);
    bench.report("a0", x).report("a1", none, 5);
    expect(bench.learned()).toEqual([]);
    expect(missingRange(bench.state, cluster)).toEqual({ from: 0, to: HORIZON });
    expect(bench.report("a1", y).learned()).toEqual(["y"]);
  });
});

describe("another learner's word", () => {
  const entry = (slot: number, text: string): ChosenEntry => {
    return { slot, ballot: LOW, value: bytes(text), syncedBy: ["a0"] };
  };
  const entries = (...known: readonly ChosenEntry[]) =>
    ({ type: "entries", from: 0, to: 9, trimmed: 0, entries: known }) as const;

  it("is taken, in the order of the slots", () => {
    const bench = fresh();
    noteEntries(bench.state, entries(entry(1, "y")), cluster);
    expect(bench.learned()).toEqual([]);
    noteEntries(bench.state, entries(entry(0, "x")), cluster);
    expect(bench.learned()).toEqual(["x", "y"]);
  });

  it("is not taken of what is applied, or beyond the horizon", () => {
    const bench = fresh();
    noteEntries(bench.state, entries(entry(0, "x"), entry(HORIZON + 1, "far")), cluster);
    expect(bench.learned()).toEqual(["x"]);
    noteEntries(bench.state, entries(entry(0, "again")), cluster);
    expect(bench.learned()).toEqual([]);
    expect(bench.state.slots.size).toBe(0);
  });
});

describe("order, bounds and repair", () => {
  it("gives entries in order, without a hole, once", () => {
    const bench = fresh();
    for (const slot of [2, 1]) bench.accept(LOW, slot, [`${slot}`]).announce(LOW, slot);
    expect(bench.learned()).toEqual([]);
    bench.accept(LOW, 0, ["0"]).announce(LOW, 0);
    expect(bench.learned()).toEqual(["0", "1", "2"]);
    bench.accept(LOW, 0, ["0"]).announce(LOW, 0, 3);
    expect(bench.learned()).toEqual([]);
    expect([bench.state.watermark, bench.state.slots.size]).toEqual([3, 0]);
  });

  it("keeps nothing at or above the horizon, whatever a number off the wire says", () => {
    const bench = fresh();
    const far = Number.MAX_SAFE_INTEGER - 1;
    bench.accept(LOW, far, ["x"]).announce(LOW, 0, far).votes("a0", LOW, HORIZON, "x");
    bench.tail(far).report("a0", report(0, far));
    expect(Math.max(...bench.state.slots.keys())).toBe(HORIZON - 1);
    expect(missingRange(bench.state, cluster)).toEqual({ from: 0, to: HORIZON });
  });

  it("asks from the watermark to what is known to be chosen", () => {
    const bench = fresh();
    expect(missingRange(bench.state, cluster)).toBeNull();
    bench.announce(LOW, 0, 2);
    expect(missingRange(bench.state, cluster)).toEqual({ from: 0, to: 2 });
    bench.announce(LOW, 3); // 2 is a hole: the tail waits
    expect(missingRange(bench.state, cluster)).toEqual({ from: 0, to: 2 });
    bench.announce(LOW, 2);
    expect(missingRange(bench.state, cluster)).toEqual({ from: 0, to: 4 });
    bench.accept(LOW, 0, ["a", "b", "c", "d"]);
    expect(bench.learned()).toHaveLength(4);
    expect(missingRange(bench.state, cluster)).toBeNull();
    expect(bench.accept(LOW, 4, ["e"], { chosenWatermark: 5 }).learned()).toEqual([]);
    expect(missingRange(bench.state, cluster)).toEqual({ from: 4, to: 5 });
  });

  it("only asks for what is below a watermark that it heard, and may drop it", () => {
    const bench = fresh().announce(LOW, 0, 2).tail(5).tail(3);
    expect([bench.state.tail, bench.state.heardTail]).toEqual([2, 5]);
    expect(missingRange(bench.state, cluster)).toEqual({ from: 0, to: 5 });
    expect(tailToProve(bench.state, cluster)).toEqual({ from: 4, to: 5 });
    forgetHeardTail(bench.state);
    expect(missingRange(bench.state, cluster)).toEqual({ from: 0, to: 2 });
    expect(tailToProve(bench.state, cluster)).toBeNull();
  });

  it("keeps values of its own: what brought them may be overwritten", () => {
    const message = accept(LOW, 0, ["x"]);
    const bench = fresh();
    noteAccept(bench.state, message, cluster);
    message.values[0]?.fill(0);
    expect(bench.announce(LOW, 0).learned()).toEqual(["x"]);
  });
});
