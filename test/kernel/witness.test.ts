/**
 * Goal: a witness objects to every store that is older than what it saw of it, and to no other.
 * Method: what was seen and what a starting store shows are written by hand.
 */
import { describe, expect, it } from "vitest";
import { Witness } from "../../src/kernel/bus/witness.js";
import type { Hello, Sender } from "../../src/paxos/wire/messages.js";
import { sender } from "../support/steps.js";

const OTHER = "0000000000000002";
/** Acceptor a1 in a life, after so many writes. */
const a1 = (incarnation: number, writeNumber = 0, process = "0000000000000001"): Sender =>
  sender("acceptor", "a1", { incarnation, writeNumber, process });
/** A history: where each life began. */
const hello = (...begins: readonly (readonly [number, number])[]): Hello => ({
  type: "hello",
  openings: begins.map(([incarnation, writeNumber]) => ({ incarnation, writeNumber })),
});

function saw(...senders: readonly Sender[]): Witness {
  const witness = new Witness();
  for (const one of senders) witness.note(one);
  return witness;
}

const olderThan = (incarnation: number, writeNumber: number) => ({
  type: "objection",
  reason: "older_copy",
  incarnation,
  writeNumber,
});

describe("a witness objects", () => {
  it("to an earlier life than it saw", () => {
    const witness = saw(a1(3, 9));
    expect(witness.object(a1(2), hello([1, 1], [2, 4]))).toEqual(olderThan(3, 9));
  });

  it("to a later life that began before a write it saw: a copy made earlier", () => {
    const witness = saw(a1(3, 9));
    expect(witness.object(a1(4), hello([3, 5], [4, 8]))).toEqual(olderThan(3, 9));
    expect(witness.object(a1(6), hello([4, 8], [5, 20], [6, 30]))).toEqual(olderThan(3, 9));
  });

  it("to another process in the same life", () => {
    const witness = saw(a1(3, 9));
    expect(witness.object(a1(3, 0, OTHER), hello([3, 5]))).toEqual(olderThan(3, 9));
  });
});

describe("a witness does not object", () => {
  it("to a store it never saw, nor to one without a store", () => {
    expect(new Witness().object(a1(1), hello([1, 1]))).toBeNull();
    const none = sender("learner", "l1");
    expect(saw(none).object(none, hello())).toBeNull();
  });

  it("to the same store's next life: it kept what it had said", () => {
    const witness = saw(a1(3, 9));
    expect(witness.object(a1(4), hello([3, 5], [4, 9]))).toBeNull();
    expect(witness.object(a1(4), hello([3, 5], [4, 12]))).toBeNull();
  });

  it("to the process it saw, which repeats itself", () => {
    expect(saw(a1(3, 9)).object(a1(3, 0), hello([3, 5]))).toBeNull();
  });

  it("to another store under the same id", () => {
    const other = { ...a1(1), storeId: "c1".repeat(16) };
    expect(saw(a1(3, 9)).object(other, hello([1, 1]))).toBeNull();
  });
});

describe("what a witness remembers", () => {
  it("is the latest life, and the latest write in it", () => {
    const witness = saw(a1(3, 9), a1(3, 7), a1(2, 50));
    expect(witness.object(a1(1), hello([1, 1]))).toEqual(olderThan(3, 9));
    witness.note(a1(4, 1));
    expect(witness.object(a1(3), hello([3, 5]))).toEqual(olderThan(4, 1));
  });

  it("is of each store apart", () => {
    const a2 = sender("acceptor", "a2", { incarnation: 7, writeNumber: 70 });
    const witness = saw(a1(3, 9), a2);
    expect(witness.object(a1(4), hello([4, 9]))).toBeNull();
    expect(witness.object({ ...a2, incarnation: 6 }, hello([6, 1]))).toEqual(olderThan(7, 70));
  });
});
