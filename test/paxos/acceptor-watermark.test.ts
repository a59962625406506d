/**
 * Goal: an acceptor's watermark is what its own votes show, not what a message or its disk says.
 * Method: the rules, with a window of two slots.
 */
import { expect, it } from "vitest";
import { castVotes, promise, recoverAcceptor } from "../../src/paxos/consensus/acceptor.js";
import { digest } from "../../src/paxos/digest.js";
import { DEFAULT_LIMITS } from "../../src/paxos/limits.js";

const limits = { ...DEFAULT_LIMITS, windowMax: 2 };
const ballot = { round: 1, owner: "p0" };
const value = new Uint8Array([7]);
const vote = { slot: 3, ballot, digest: digest(value), value };

it("takes no watermark for chosen that an accept names: its own votes must show it", () => {
  const state = recoverAcceptor([], 0, limits);
  const proposed = { type: "accept", ballot, firstSlot: 3, values: [value] } as const;
  const named = { digests: [vote.digest], chosenWatermark: 67, chosen: [] };
  const { records } = castVotes(state, [{ ...proposed, ...named }], limits);
  expect(state.chosenWatermark).toBe(2);
  const marks = { kind: "marks", chosenWatermark: 2, trimmed: 0, highestVoted: 3 };
  expect(records.at(-1)).toEqual(marks);
  const again = recoverAcceptor(records, 0, limits);
  const next = { type: "prepare", ballot: { round: 2, owner: "p1" }, fromSlot: 0 } as const;
  const [answer] = promise(again, next, limits).answers;
  expect(answer).toMatchObject({ chosenWatermark: 2, votes: [{ slot: 3 }] });
});

it("heals from a watermark on disk that no vote shows", () => {
  const marks = { kind: "marks", chosenWatermark: 67, trimmed: 0, highestVoted: 3 } as const;
  const state = recoverAcceptor([{ kind: "vote", ...vote }, marks], 0, limits);
  expect([state.chosenWatermark, state.votesFrom]).toEqual([2, 2]);
});
