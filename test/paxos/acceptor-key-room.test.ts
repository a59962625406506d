/**
 * Goal: the bytes of single-decree keys are bounded, and the bound never stands in the way of a
 * value that is chosen: who voted for it may vote for it again.
 * Method: rules against a bound that a few keys fill, before and after a crash.
 */
import { expect, it } from "vitest";
import {
  judgeKey,
  promiseKey,
  recoverAcceptor,
  voteForKey,
} from "../../src/paxos/consensus/acceptor.js";
import { digest } from "../../src/paxos/digest.js";
import { DEFAULT_LIMITS, type Limits } from "../../src/paxos/limits.js";
import { NaiveDisk } from "../support/naive.js";

it("keys and values end at decideBytesMax; what is held already may be voted for again", () => {
  const bound: Limits = { ...DEFAULT_LIMITS, decideBytesMax: 1000 };
  const disk = new NaiveDisk();
  let state = recoverAcceptor([], 0, bound);
  const ask = (key: string, round: number) => {
    const prepare = { type: "key-prepare", key, ballot: { round, owner: "p1.0" } } as const;
    const reason = judgeKey(state, prepare, bound);
    if (reason === null) disk.keep(promiseKey(state, prepare).records);
    return reason;
  };
  const vote = (key: string, round: number, length: number) => {
    const value = new Uint8Array(length);
    const ballot = { round, owner: "p1.0" };
    const accept = { type: "key-accept", key, ballot, value, digest: digest(value) } as const;
    const reason = judgeKey(state, accept, bound);
    if (reason === null) disk.keep(voteForKey(state, accept));
    return reason;
  };
  // Each key costs 256 bytes and itself; 1000 bytes hold k1 with 400 of value, and k2.
  expect([ask("k1", 1), vote("k1", 1, 400)]).toEqual([null, null]);
  expect([ask("k2", 1), vote("k2", 1, 84)]).toEqual([null, null]);
  for (const life of [1, 2]) {
    expect([ask("k3", 1), vote("k3", 1, 1)], `life ${life}`).toEqual(["too_many", "too_many"]);
    expect(vote("k2", life + 1, 85), "one byte more").toBe("too_many");
    expect([ask("k2", life + 1), vote("k2", life + 1, 84)], "no byte more").toEqual([null, null]);
    expect([vote("k2", life, 85), vote("k2", life + 1, 85)]).toEqual(["stale", "second_digest"]);
    state = disk.recover();
  }
});
