/**
 * Goal: in phase 1 the proposer of the log counts whole promises only, and adopts what it must.
 * Method: the rules one by one; then adopting against a naive proposer that looks at everything.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addPromisePart, promisesSuffice } from "../../src/paxos/consensus/promises.js";
import {
  adopt,
  adoptionIsDone,
  beginBallot,
  countVotes,
  type ProposerState,
} from "../../src/paxos/consensus/proposer.js";
import { digest } from "../../src/paxos/digest.js";
import { NOOP } from "../../src/paxos/value.js";
import type { SlotVote } from "../../src/paxos/wire/messages.js";
import { accepted, at, promised, voted } from "../support/log-messages.js";
import { naivePick } from "../support/naive.js";
import { cluster, FIRST, leading, openValues, preparing } from "../support/proposers.js";

const texts = new TextDecoder();

describe("a promise in parts", () => {
  const part = (index: number, answer = 0, parts = 3) =>
    promised(FIRST, {
      part: index,
      parts,
      answer,
      votes: [voted(index, at(0), `${answer}.${index}`)],
    });
  const votesOf = (state: ProposerState) =>
    state.promises
      .get("a0")
      ?.votes.map(({ value }) => texts.decode(value))
      .sort();

  it("counts when every part has come, in any order, repeated or not", () => {
    const state = preparing();
    for (const index of [2, 0, 2, 0]) addPromisePart(state, "a0", 1, part(index));
    expect(state.promises.size).toBe(0);
    addPromisePart(state, "a0", 1, part(1));
    expect(votesOf(state)).toEqual(["0.0", "0.1", "0.2"]);
    addPromisePart(state, "a0", 1, part(1));
    expect(state.promises.size).toBe(1);
  });

  it("is never made of parts of two answers: a later one begins anew", () => {
    const state = preparing();
    addPromisePart(state, "a0", 1, part(0));
    addPromisePart(state, "a0", 1, part(1));
    addPromisePart(state, "a0", 1, part(2, 1));
    expect(state.promises.size).toBe(0);
    addPromisePart(state, "a0", 1, part(2)); // of the earlier answer: dropped
    expect(state.promises.size).toBe(0);
    for (const index of [0, 1]) addPromisePart(state, "a0", 1, part(index, 1));
    expect(votesOf(state)).toEqual(["1.0", "1.1", "1.2"]);
  });

  it("is never made of parts of two incarnations, whose answers have the same numbers", () => {
    const state = preparing();
    for (const index of [0, 1]) addPromisePart(state, "a0", 1, part(index));
    addPromisePart(state, "a0", 2, part(2));
    addPromisePart(state, "a0", 1, part(2));
    expect(state.promises.size).toBe(0);
    for (const index of [0, 1]) addPromisePart(state, "a0", 2, part(index));
    expect(state.promises.size).toBe(1);
  });

  it("of another acceptor, or another ballot, is another promise", () => {
    const state = preparing();
    addPromisePart(state, "a0", 1, part(0, 0, 2));
    addPromisePart(state, "a1", 1, part(1, 0, 2));
    addPromisePart(state, "a0", 1, { ...part(1, 0, 2), ballot: at(1, "q") });
    expect(state.promises.size).toBe(0);
    beginBallot(state, "p");
    addPromisePart(state, "a0", 1, { ...part(1, 0, 2), ballot: at(2) }); // part 0 was of round 1
    expect(state.promises.size).toBe(0);
  });

  it("names the marks of its parts", () => {
    const state = preparing();
    const marks = { trimmed: 2, chosenWatermark: 3 };
    addPromisePart(state, "a0", 1, { ...part(0, 0, 2), ...marks });
    addPromisePart(state, "a0", 1, { ...part(1, 0, 2), ...marks });
    expect(state.promises.get("a0")).toMatchObject(marks);
  });

  it("is one of a phase-1 quorum, once", () => {
    const state = preparing();
    addPromisePart(state, "a0", 1, promised(FIRST));
    addPromisePart(state, "a0", 2, promised(FIRST, { answer: 7 }));
    addPromisePart(state, "stranger", 1, promised(FIRST));
    expect(promisesSuffice(state, cluster)).toBe(false);
    addPromisePart(state, "a2", 1, promised(FIRST));
    expect(promisesSuffice(state, cluster)).toBe(true);
  });
});

describe("adopting", () => {
  it("takes the value of the highest ballot in each slot, whoever reports it first", () => {
    const low = { votes: [voted(0, at(1), "low"), voted(1, at(3), "high")] };
    const high = { votes: [voted(0, at(2), "high"), voted(1, at(2), "low")] };
    for (const promises of [
      [low, high],
      [high, low],
    ]) {
      expect(openValues(leading(...promises))).toEqual({ 0: "high", 1: "high" });
    }
  });

  it("fills holes with no-ops up to the highest report, and no further", () => {
    const state = leading({ votes: [voted(1, at(0), "x")] }, { votes: [voted(4, at(0), "y")] });
    expect(openValues(state)).toEqual({ 0: "", 1: "x", 2: "", 3: "", 4: "y" });
    expect(state.nextSlot).toBe(5);
    expect(leading().nextSlot).toBe(0);
  });

  it.each([
    ["chosenWatermark", { chosenWatermark: 3 }],
    ["trimmed", { trimmed: 3, chosenWatermark: 3 }],
  ])("proposes nothing below any %s of the quorum", (_name, marks) => {
    const votes = [voted(2, at(0), "chosen"), voted(3, at(0), "x")];
    const state = leading({ votes }, marks);
    expect(openValues(state)).toEqual({ 3: "x" });
    expect(state.chosenWatermark).toBe(3);
  });

  it("proposes nothing below what it knows to be chosen, however it came to know", () => {
    const state = preparing(2);
    state.chosenWatermark = 5; // a beacon came during phase 1
    const votes = [voted(3, at(0), "chosen"), voted(6, at(0), "x")];
    for (const id of ["a0", "a1"]) addPromisePart(state, id, 1, promised(FIRST, { votes }));
    adopt(state, 0);
    expect(openValues(state)).toEqual({ 5: "", 6: "x" });
    expect(state.chosenWatermark).toBe(5);
  });

  it("is done when every adopted slot is chosen", () => {
    const state = leading({ votes: [voted(1, at(0), "x")] }, {});
    for (const id of ["a0", "a1"]) countVotes(state, id, accepted(FIRST, 1, "x"), cluster, 0);
    expect(adoptionIsDone(state)).toBe(false);
    const noop = [{ slot: 0, digest: digest(NOOP) }];
    for (const id of ["a0", "a1"]) {
      countVotes(state, id, { type: "accepted", ballot: FIRST, votes: noop }, cluster, 0);
    }
    expect(adoptionIsDone(state)).toBe(true);
    expect(adoptionIsDone(leading())).toBe(true);
  });

  /** Promises of a majority or of all: marks, and votes that P2b allows. */
  const reports = fc.array(
    fc.record({
      chosenWatermark: fc.nat({ max: 4 }),
      held: fc.array(fc.option(fc.integer({ min: 1, max: 4 }), { freq: 2 }), { maxLength: 9 }),
    }),
    { minLength: 2, maxLength: 3 },
  );

  it("is what a naive proposer does, slot by slot", () => {
    let noops = 0;
    let values = 0;
    fc.assert(
      fc.property(reports, fc.nat({ max: 3 }), (held, fromSlot) => {
        const state = preparing(fromSlot);
        const promises = held.map(({ chosenWatermark, held: rounds }) => {
          const votes: SlotVote[] = rounds.flatMap((round, slot) => {
            const from = Math.max(fromSlot, chosenWatermark);
            return round === null || slot < from ? [] : voted(slot, at(round), `${slot}@${round}`);
          });
          return { chosenWatermark, votes };
        });
        for (const [index, rest] of promises.entries()) {
          addPromisePart(state, `a${index}`, 1, promised(at(1), rest));
        }
        adopt(state, 0);
        const start = Math.max(fromSlot, ...held.map((one) => one.chosenWatermark));
        const top = Math.max(-1, ...promises.flatMap(({ votes }) => votes.map((v) => v.slot)));
        const naive = new Map<number, Uint8Array>();
        for (let slot = start; slot <= top; slot++) {
          const responses = promises.map(
            ({ votes }) => votes.find((vote) => vote.slot === slot) ?? null,
          );
          naive.set(slot, naivePick(responses, NOOP) as Uint8Array);
        }
        expect(new Map([...state.open].map(([slot, { value }]) => [slot, value]))).toEqual(naive);
        expect(state.nextSlot).toBe(Math.max(start, top + 1));
        noops += [...naive.values()].filter((value) => value === NOOP).length;
        values += [...naive.values()].filter((value) => value !== NOOP).length;
      }),
      { numRuns: 300 },
    );
    expect(noops).toBeGreaterThan(0);
    expect(values).toBeGreaterThan(0);
  });
});
