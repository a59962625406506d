/**
 * Goal: two promises of one acceptor never become one, whatever a full disk does to its memory: a
 * vote that is missing from both halves would be overwritten by a no-op (PMS §2.2, P2c).
 * Method: the real rules on both sides; the test carries the parts, and loses two of them.
 */

import { describe, expect, it } from "vitest";
import {
  type AcceptorState,
  castVotes,
  promise,
  recoverAcceptor,
} from "../../src/paxos/consensus/acceptor.js";
import { addPromisePart, promisesSuffice } from "../../src/paxos/consensus/promises.js";
import { adopt, beginBallot, ProposerState } from "../../src/paxos/consensus/proposer.js";
import { digest } from "../../src/paxos/digest.js";
import { NOOP } from "../../src/paxos/value.js";
import type { Promise1b } from "../../src/paxos/wire/messages.js";
import type { StoreRecord } from "../../src/paxos/wire/record.js";
import { testCluster } from "../support/steps.js";

// Two votes fit into one part.
const cluster = testCluster({ partBytesMax: 600 });
const { limits } = cluster;
const first = { round: 1, owner: "p1" };
const values = [0, 1, 2, 3, 4, 5].map((slot) => Uint8Array.of(9, slot));

/** What every acceptor that voted has on disk: the promise and votes of the first ballot. */
function voted(): readonly StoreRecord[] {
  const accept = { type: "accept", ballot: first, firstSlot: 0, chosen: [] } as const;
  const digests = values.map(digest);
  const state = recoverAcceptor([], 0, limits);
  return castVotes(state, [{ ...accept, digests, values, chosenWatermark: 0 }], limits).records;
}

/** A proposer of ballot 2 that waits for promises from slot 0 on. */
function preparing(): ProposerState {
  const state = new ProposerState();
  state.highestRound = 1;
  beginBallot(state, "p2");
  return state;
}

function answer(
  acceptor: AcceptorState,
  proposer: ProposerState,
  partBytesMax = limits.partBytesMax,
): readonly Promise1b[] {
  const ballot = proposer.ballot as NonNullable<ProposerState["ballot"]>;
  const prepare = { type: "prepare", ballot, fromSlot: 0 } as const;
  return promise(acceptor, prepare, { ...limits, partBytesMax }).answers;
}

/** A promise of an acceptor that never voted. */
function empty(proposer: ProposerState): Promise1b {
  return answer(recoverAcceptor([], 0, limits), proposer)[0] as Promise1b;
}

/**
 * Acceptor a1 voted in slots 0 to 5. It answers in two parts; its disk is full and it reads its
 * memory again in the same incarnation; the server's limit is lower now, and it answers in three.
 */
function twoAnswers(proposer: ProposerState) {
  const disk = voted();
  const before = recoverAcceptor(disk, 0, limits);
  const earlier = answer(before, proposer, 900);
  const promised = { kind: "promise", ballot: earlier[0]?.ballot ?? first } as const;
  const after = recoverAcceptor([...disk, promised], 1, limits);
  return { earlier, later: answer(after, proposer) };
}

const slotsOf = (parts: readonly Promise1b[]) =>
  parts.map(({ votes }) => votes.map(({ slot }) => slot));

describe("an acceptor that read its memory again", () => {
  it("cuts its answers elsewhere, and gives them names of their own", () => {
    const { earlier, later } = twoAnswers(preparing());
    expect([slotsOf(earlier), slotsOf(later)]).toEqual([
      [[0, 1, 2], [3, 4, 5]], // biome-ignore format: one answer a line
      [[0, 1], [2, 3], [4, 5]], // biome-ignore format: one answer a line
    ]);
    expect(new Set(earlier.map((part) => part.answer)).size).toBe(1);
    expect(later[0]?.answer).toBeGreaterThan(earlier[0]?.answer as number);
  });

  it("is not counted by halves of two answers: no no-op goes over what is chosen", () => {
    const proposer = preparing();
    const { earlier, later } = twoAnswers(proposer);
    addPromisePart(proposer, "a2", 1, empty(proposer));
    // Lost: slot 2, in both answers.
    addPromisePart(proposer, "a1", 1, earlier[1] as Promise1b);
    addPromisePart(proposer, "a1", 1, later[0] as Promise1b);
    addPromisePart(proposer, "a1", 1, later[2] as Promise1b);
    if (promisesSuffice(proposer, cluster)) adopt(proposer, 0);
    const noops = [...proposer.open].filter(([, { digest: name }]) => name === digest(NOOP));
    expect(noops.map(([slot]) => slot)).toEqual([]);
    expect(promisesSuffice(proposer, cluster)).toBe(false);
    addPromisePart(proposer, "a1", 1, later[1] as Promise1b);
    expect(promisesSuffice(proposer, cluster)).toBe(true);
    adopt(proposer, 0);
    expect([...proposer.open.values()].map(({ digest: name }) => name)).toEqual(values.map(digest));
  });

  it.each([
    ["how many parts there are", { parts: 4 }],
    ["which votes are forgotten", { trimmed: 1 }],
    ["which slots are chosen", { chosenWatermark: 1 }],
  ])("is asked again from the start if its parts disagree about %s", (_what, other) => {
    const proposer = preparing();
    const { later } = twoAnswers(proposer);
    const [one, two, three] = later as [Promise1b, Promise1b, Promise1b];
    addPromisePart(proposer, "a1", 1, one);
    addPromisePart(proposer, "a1", 1, { ...two, ...other });
    addPromisePart(proposer, "a1", 1, three);
    // Each part that disagrees with the first one began again: the last stands alone.
    expect(proposer.promises.has("a1")).toBe(false);
    addPromisePart(proposer, "a1", 1, one);
    addPromisePart(proposer, "a1", 1, two);
    expect(proposer.promises.get("a1")?.votes.length).toBe(6);
  });
});
