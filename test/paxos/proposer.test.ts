/**
 * Goal: in phase 2 the proposer of the log counts votes as the paper says, and keeps its bounds.
 * Method: the rules one by one. Phase 1 is in proposer-adopt.test.ts.
 */
import { describe, expect, it } from "vitest";
import {
  beginBallot,
  countVotes,
  dropOpen,
  endsBallot,
  isStalled,
  ProposerState,
  takeAccepts,
  takeAnnouncements,
  takeLateAccepts,
  windowIsFull,
} from "../../src/paxos/consensus/proposer.js";
import { enqueue, fillWindow } from "../../src/paxos/consensus/queue.js";
import { digest } from "../../src/paxos/digest.js";
import { encodeBatch, openValue } from "../../src/paxos/value.js";
import { accepted, at, bytes, voted } from "../support/log-messages.js";
import { cluster, FIRST, leading } from "../support/proposers.js";

const texts = new TextDecoder();

/** Commands that wait for a slot, as text. */
function waiting(state: ProposerState): string[] {
  return state.queue.toArray().map(({ command }) => texts.decode(command));
}

/** Commands of the open slots, as text. */
function batches(state: ProposerState): string[][] {
  return [...state.open.values()].map(({ value }) => {
    const opened = openValue(value);
    return opened.kind === "noop" ? [] : opened.commands.map((command) => texts.decode(command));
  });
}

/** A leader with these commands in open slots. */
function proposing(...commands: readonly string[]): ProposerState {
  const state = leading();
  enqueue(state, commands.map(bytes), cluster.limits);
  fillWindow(state, cluster.limits, 0);
  return state;
}

/** Everybody of these votes for what is open in these slots. */
function voteFor(state: ProposerState, acceptors: readonly string[], ...slots: number[]): void {
  const votes = slots.map((slot) => ({ slot, digest: state.open.get(slot)?.digest ?? "gone" }));
  for (const acceptor of acceptors) {
    countVotes(state, acceptor, { type: "accepted", ballot: FIRST, votes }, cluster, 0);
  }
}

describe("the window and the queue", () => {
  it("drops copies of what is queued or proposed, until it is chosen", () => {
    const narrow = { ...cluster.limits, pipelineSlotsMax: 1, batchCommandsMax: 2 };
    const state = leading();
    expect(enqueue(state, ["a", "b", "a", "b"].map(bytes), narrow)).toEqual({
      refused: 0,
      copies: 2,
    });
    fillWindow(state, narrow, 0);
    expect(batches(state)).toEqual([["a", "b"]]);
    enqueue(state, ["c", "a", "d", "c"].map(bytes), narrow);
    expect(waiting(state)).toEqual(["c", "d"]); // the earlier copy keeps its place
    expect(state.queueBytes).toBe(2);
    voteFor(state, ["a0", "a1"], 0);
    expect(enqueue(state, [bytes("a")], narrow).copies).toBe(0); // its outcome may be lost
    expect(waiting(state)).toEqual(["c", "d", "a"]);
  });

  it("drops copies of what an earlier ballot proposed, while it is adopted", () => {
    const value = encodeBatch(["a", "b"].map(bytes));
    const vote = { slot: 0, ballot: at(0), digest: digest(value), value };
    const state = leading({ votes: [vote] }, {});
    expect(batches(state)).toEqual([["a", "b"]]);
    expect(enqueue(state, ["b", "c"].map(bytes), cluster.limits).copies).toBe(1);
    expect(waiting(state)).toEqual(["c"]);
  });

  it("opens no slot at or above the watermark + α", () => {
    const state = proposing("a", "b", "c", "d", "e", "f");
    expect([...state.open.keys()]).toEqual([0, 1, 2, 3]);
    expect(windowIsFull(state, cluster.limits)).toBe(true);
    voteFor(state, ["a0", "a1"], 1, 2, 3); // the first is not chosen: the window stands
    fillWindow(state, cluster.limits, 0);
    expect(state.nextSlot).toBe(4);
    voteFor(state, ["a0", "a1"], 0);
    fillWindow(state, cluster.limits, 0);
    expect([state.chosenWatermark, state.nextSlot]).toEqual([4, 6]);
  });

  it("keeps no more than `pipelineSlotsMax` slots without a quorum of votes", () => {
    const state = leading();
    enqueue(state, ["a", "b", "c", "d"].map(bytes), cluster.limits);
    const narrow = { ...cluster.limits, pipelineSlotsMax: 2 };
    fillWindow(state, narrow, 0);
    expect(state.nextSlot).toBe(2);
    voteFor(state, ["a0", "a1"], 1);
    fillWindow(state, narrow, 0);
    expect(state.nextSlot).toBe(3);
  });

  it("cuts batches by commands and by bytes, keeps their order, and always takes one", () => {
    const wide = { ...cluster.limits, windowMax: 9, pipelineSlotsMax: 9, batchCommandsMax: 3 };
    const commands = ["a", "b", "c", "d", "e".repeat(50), "f", "g"];
    const state = leading();
    enqueue(state, commands.map(bytes), wide);
    fillWindow(state, { ...wide, batchBytesMax: 5 + 2 * 5 }, 0);
    expect(batches(state)).toEqual([["a", "b"], ["c", "d"], ["e".repeat(50)], ["f", "g"]]);
    const other = leading();
    enqueue(other, commands.map(bytes), wide);
    fillWindow(other, wide, 0);
    expect(batches(other)).toEqual([["a", "b", "c"], ["d", "e".repeat(50), "f"], ["g"]]);
    expect([other.queue.length, other.queueBytes]).toEqual([0, 0]);
  });

  it("refuses from the first command there is no room for", () => {
    const state = leading();
    const small = { ...cluster.limits, queueBytesMax: 5 };
    expect(enqueue(state, ["aa", "bb", "cc", "d"].map(bytes), small).refused).toBe(2);
    expect(waiting(state)).toEqual(["aa", "bb"]);
    expect(state.queueBytes).toBe(4);
    expect(enqueue(state, [bytes("e")], small).refused).toBe(0);
  });

  it("forgets queue, open slots and announcements when another leads", () => {
    const state = proposing("a", "b", "c", "d", "e");
    voteFor(state, ["a0", "a1"], 1);
    dropOpen(state);
    expect([state.queue.length, state.queueBytes, state.open.size]).toEqual([0, 0, 0]);
    expect(takeAnnouncements(state, cluster)).toEqual([]);
    expect(takeLateAccepts(state, cluster, 1e6)).toEqual([]);
  });
});

describe("accepts", () => {
  it("go once, and name the watermark", () => {
    const state = proposing("a", "b");
    const [accept] = takeAccepts(state, cluster, 0);
    expect(accept).toMatchObject({ ballot: FIRST, firstSlot: 0, chosenWatermark: 0, chosen: [] });
    expect(accept?.values).toHaveLength(2);
    expect(accept?.digests).toEqual([...state.open.values()].map((open) => open.digest));
    expect(takeAccepts(state, cluster, 0)).toEqual([]);
  });

  it("carry what became chosen, once, on the first message", () => {
    const state = proposing("a", "b", "c");
    takeAccepts(state, cluster, 0);
    voteFor(state, ["a0", "a1"], 0);
    enqueue(state, ["d", "e"].map(bytes), cluster.limits);
    fillWindow(state, cluster.limits, 0);
    const one = { ...cluster, limits: { ...cluster.limits, batchBytesMax: 1 } };
    const sent = takeAccepts(state, one, 0);
    expect(sent.map(({ firstSlot, chosen }) => [firstSlot, chosen.length])).toEqual([
      [3, 1],
      [4, 0],
    ]);
    expect(takeAnnouncements(state, cluster)).toEqual([]);
  });

  it("go again when they are late, those without a quorum, gaps apart", () => {
    const state = proposing("a", "b", "c");
    takeAccepts(state, cluster, 0);
    voteFor(state, ["a0", "a1"], 1);
    expect(takeLateAccepts(state, cluster, 99)).toEqual([]);
    const late = takeLateAccepts(state, cluster, 100);
    expect(late.map(({ firstSlot, values }) => [firstSlot, values.length])).toEqual([
      [0, 1],
      [2, 1],
    ]);
    expect(takeLateAccepts(state, cluster, 299)).toEqual([]);
    expect(takeLateAccepts(state, cluster, 300)).toHaveLength(2);
  });

  it("go again later where votes usually take long", () => {
    const state = proposing("a");
    takeAccepts(state, cluster, 0);
    const votes = [{ slot: 0, digest: state.open.get(0)?.digest ?? "gone" }];
    for (const acceptor of ["a0", "a1"]) {
      countVotes(state, acceptor, { type: "accepted", ballot: FIRST, votes }, cluster, 600);
    }
    enqueue(state, [bytes("b")], cluster.limits);
    fillWindow(state, cluster.limits, 600);
    takeAccepts(state, cluster, 600);
    expect(takeLateAccepts(state, cluster, 600 + 399)).toEqual([]);
    expect(takeLateAccepts(state, cluster, 600 + 400)).toHaveLength(1); // the longest wait
  });
});

describe("counting votes", () => {
  it("counts an acceptor once, in a slot, for this ballot and digest", () => {
    const state = leading({ votes: [voted(0, at(0), "x")] }, {});
    countVotes(state, "a0", accepted(FIRST, 0, "x"), cluster, 0);
    countVotes(state, "a0", accepted(FIRST, 0, "x"), cluster, 0);
    countVotes(state, "a1", accepted(at(0), 0, "x"), cluster, 0);
    countVotes(state, "a1", accepted(at(1, "q"), 0, "x"), cluster, 0);
    countVotes(state, "a1", accepted(FIRST, 0, "other"), cluster, 0);
    countVotes(state, "a1", accepted(FIRST, 7, "x"), cluster, 0);
    countVotes(state, "stranger", accepted(FIRST, 0, "x"), cluster, 0);
    expect(state.chosenWatermark).toBe(0);
    countVotes(state, "a1", accepted(FIRST, 0, "x"), cluster, 0);
    expect(state.chosenWatermark).toBe(1);
  });

  it("announces ranges: slots that follow each other, chosen by the same acceptors", () => {
    const state = proposing("a", "b", "c", "d");
    voteFor(state, ["a0", "a1"], 0, 1);
    voteFor(state, ["a0", "a2"], 3);
    voteFor(state, ["a0", "a2"], 2);
    expect(takeAnnouncements(state, cluster)).toEqual([
      { ballot: FIRST, from: 0, to: 2, syncedBy: ["a0", "a1"] },
      { ballot: FIRST, from: 3, to: 4, syncedBy: ["a0", "a2"] },
      { ballot: FIRST, from: 2, to: 3, syncedBy: ["a0", "a2"] },
    ]);
    expect(takeAnnouncements(state, cluster)).toEqual([]);
  });

  it("announces a slot once, and nothing where learners tally for themselves", () => {
    const state = proposing("a");
    voteFor(state, ["a0", "a1"], 0);
    voteFor(state, ["a2"], 0);
    expect(takeAnnouncements(state, cluster)).toHaveLength(1);
    const tallied = proposing("a");
    voteFor(tallied, ["a0", "a1"], 0);
    expect(takeAnnouncements(tallied, { ...cluster, learn: { kind: "all" } })).toEqual([]);
  });

  it("moves the watermark over chosen slots without a hole", () => {
    const state = proposing("a", "b", "c");
    voteFor(state, ["a0", "a1"], 2);
    expect(state.chosenWatermark).toBe(0);
    voteFor(state, ["a0", "a1"], 0);
    expect(state.chosenWatermark).toBe(1);
    voteFor(state, ["a0", "a1"], 1);
    expect([state.chosenWatermark, state.open.size]).toEqual([3, 0]);
  });
});

describe("giving up", () => {
  const nack = { type: "nack", ballot: FIRST, slot: null } as const;

  it("a higher promise or a trimmed slot ends the ballot, nothing else does", () => {
    const state = leading();
    const refusal = { ...nack, promised: at(2), reason: "stale" } as const;
    expect(endsBallot(state, refusal)).toBe(true);
    expect(endsBallot(state, { ...refusal, ballot: at(1, "q") })).toBe(false);
    expect(endsBallot(state, { ...nack, promised: FIRST, reason: "trimmed" })).toBe(true);
    expect(endsBallot(state, { ...nack, promised: FIRST, reason: "second_digest" })).toBe(false);
    expect(endsBallot(new ProposerState(), refusal)).toBe(false);
  });

  it("a vote that is overdue shows as a stall; a resend does not hide it", () => {
    const state = proposing("a", "b");
    takeLateAccepts(state, cluster, 900);
    expect([isStalled(state, 999, 1000), isStalled(state, 1000, 1000)]).toEqual([false, true]);
    voteFor(state, ["a0", "a1"], 0, 1);
    expect(isStalled(state, 1000, 1000)).toBe(false);
  });

  it("the next ballot is above every round seen, and begins with nothing under way", () => {
    const state = proposing("a");
    state.highestRound = 7;
    beginBallot(state, "p");
    expect(state.ballot).toEqual(at(8));
    expect([state.open.size, state.promises.size]).toEqual([0, 0]);
  });

  it("a copy shares nothing that changes", () => {
    const state = proposing("a", "b");
    const copy = state.clone();
    voteFor(copy, ["a0", "a1"], 0, 1);
    expect([state.chosenWatermark, state.open.get(0)?.voters.size]).toEqual([0, 0]);
    expect([copy.chosenWatermark, copy.open.size]).toEqual([2, 0]);
  });
});
