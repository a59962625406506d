/**
 * Goal: whoever repairs gets every durable vote of a range, in bites, and knows how far it came.
 * Method: one small store.
 */
import { describe, expect, it } from "vitest";
import { voteKey } from "../../src/paxos/wire/record.js";
import { commitNow, formatted, open, voteOf } from "./stores.js";

const votes = (...slots: number[]) => slots.map((slot) => voteOf(slot));

describe("reading votes", () => {
  const file = formatted("memory:1");
  const store = open(file);
  commitNow(store, votes(2, 3, 7));
  const size = file.open().get(voteKey(2))?.length ?? 0;
  const read = (from: number, below: number, bytesMax: number) => {
    const { votes: found, to } = store.readVotes(from, below, bytesMax);
    return [found.map((vote) => ({ kind: "vote", ...vote })), to];
  };

  it("gives those of from ≤ slot < below, and says how far it came", () => {
    expect(read(0, 100, 10_000)).toEqual([votes(2, 3, 7), 100]);
    expect(read(3, 7, 10_000)).toEqual([votes(3), 7]);
    expect(read(4, 7, 10_000)).toEqual([[], 7]);
    expect(read(9, 4, 10_000)).toEqual([[], 9]);
  });

  it("stops at the limit, but gives one vote however large it is", () => {
    expect(read(0, 100, 2 * size)).toEqual([votes(2, 3), 7]);
    expect(read(0, 100, 1)).toEqual([votes(2), 3]);
    expect(read(3, 100, 0)).toEqual([votes(3), 7]);
  });

  it("gives bytes that stay what they are", () => {
    const before = read(7, 8, 1000);
    commitNow(store, [voteOf(7, 3)]);
    expect(before).toEqual([votes(7), 8]);
  });
});
