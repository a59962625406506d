/**
 * Goal: a broken rule of the log is found out, by the invariant that names the fault.
 * Method: the world of multi-world.test.ts with one rule replaced by a wrong one; where chance
 * meets
 * the fault too seldom, the schedule is written by hand.
 */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { suspendAssertions } from "../../src/paxos/assert.js";
import { compareBallots } from "../../src/paxos/ballot.js";
import { AcceptorState, recoverAcceptor } from "../../src/paxos/consensus/acceptor.js";
import { noteRepairVotes, noteVotes } from "../../src/paxos/consensus/learner.js";
import { addPromisePart } from "../../src/paxos/consensus/promises.js";
import { adopt, countVotes, type ProposerState } from "../../src/paxos/consensus/proposer.js";
import { fillWindow } from "../../src/paxos/consensus/queue.js";
import { NOOP } from "../../src/paxos/value.js";
import type { SlotVote } from "../../src/paxos/wire/messages.js";
import type { LogRules } from "../support/multi-rules.js";
import { findLogViolation, type LogShape, logWorld } from "../support/multi-schedule.js";
import type { MultiWorld } from "../support/multi-world.js";

const duel: LogShape = { acceptors: 3, proposers: 2, hearing: "announcements" };

function found(rules: Partial<LogRules>, shape: Partial<LogShape> = {}): string | null {
  return findLogViolation({ ...duel, ...shape, rules }, 1500);
}

/** Adopts after the promises were changed. */
function adoptFrom(change: (state: ProposerState) => void): LogRules["adopt"] {
  return (state, nowMs) => {
    change(state);
    adopt(state, nowMs);
  };
}

// The worlds must see the fault by themselves: with assertions a role stops before it does harm.
let resumeAssertions = () => {};
beforeEach(() => {
  resumeAssertions = suspendAssertions();
});
afterEach(() => resumeAssertions());

describe("a broken proposer is caught", () => {
  it("that ignores every vote reported", () => {
    const deaf = adoptFrom((state) => {
      for (const [id, promise] of state.promises) state.promises.set(id, { ...promise, votes: [] });
    });
    expect(found({ adopt: deaf })).toMatch(/^phase 2a: /);
  });

  it("that puts no-ops over slots with a vote", () => {
    const erase = adoptFrom((state) => {
      for (const [id, promise] of state.promises) {
        const votes = promise.votes.map((vote) => ({ ...vote, value: NOOP }));
        state.promises.set(id, { ...promise, votes });
      }
    });
    expect(found({ adopt: erase })).toMatch(/^phase 2a: /);
  });

  it("that proposes below the watermark of its quorum", () => {
    const low = adoptFrom((state) => {
      for (const [id, promise] of state.promises) {
        state.promises.set(id, { ...promise, chosenWatermark: 0 });
      }
    });
    expect(found({ adopt: low })).toMatch(/^P2c: /);
  });

  it("that counts a promise of which a part is missing", () => {
    const hasty: LogRules["addPromisePart"] = (state, id, incarnation, part) =>
      addPromisePart(state, id, incarnation, { ...part, part: 0, parts: 1 });
    expect(found({ addPromisePart: hasty })).toMatch(/^P2c: /);
  });

  it("that leads without a phase-1 quorum", () => {
    expect(found({ promisesSuffice: ({ promises }) => promises.size > 0 })).toMatch(/^phase 2a: /);
  });

  it("that counts votes for other ballots", () => {
    const blind: LogRules["countVotes"] = (state, id, accepted, cluster) => {
      if (state.ballot === null) return;
      const votes = accepted.votes.flatMap(({ slot }) => {
        const open = state.open.get(slot);
        return open === undefined ? [] : [{ slot, digest: open.digest }];
      });
      countVotes(state, id, { ...accepted, ballot: state.ballot, votes }, cluster, 0);
    };
    expect(found({ countVotes: blind })).toMatch(/^(announced|watermark): /);
  });

  it("that counts one acceptor as many", () => {
    const generous: LogRules["countVotes"] = (state, _id, accepted, cluster) => {
      for (const { id } of cluster.acceptors) countVotes(state, id, accepted, cluster, 0);
    };
    expect(found({ countVotes: generous })).toMatch(/^(announced|watermark): /);
  });

  it("that takes a hole for chosen", () => {
    const leap: LogRules["countVotes"] = (state, id, accepted, cluster, nowMs) => {
      countVotes(state, id, accepted, cluster, nowMs);
      const chosen = [...state.open].filter(([, open]) => open.chosen).map(([slot]) => slot);
      state.chosenWatermark = Math.max(state.chosenWatermark, ...chosen);
    };
    expect(found({ countVotes: leap })).toMatch(/^watermark: /);
  });

  it("that ignores the window", () => {
    const greedy: LogRules["fillWindow"] = (state, limits, nowMs) =>
      fillWindow(state, { ...limits, windowMax: 999, pipelineSlotsMax: 999 }, nowMs);
    expect(found({ fillWindow: greedy })).toMatch(/^window: /);
  });

  it("that uses the ballots of its former life", () => {
    expect(found({ nonce: () => "0".repeat(16) })).toMatch(/^(one value|phase 2a|P2c): /);
  });
});

/** Adopts the lowest vote of each slot. */
const adoptLowest = adoptFrom((state) => {
  const all = [...state.promises.values()].flatMap(({ votes }) => votes);
  const isLowest = ({ slot, ballot }: SlotVote) =>
    all.every((vote) => vote.slot !== slot || compareBallots(vote.ballot, ballot) >= 0);
  for (const [id, promise] of state.promises) {
    state.promises.set(id, { ...promise, votes: promise.votes.filter(isLowest) });
  }
});

function expectViolation({ facts }: MultiWorld, sentence: RegExp | null): void {
  if (sentence === null) expect(facts.violation()).toBeNull();
  else expect(facts.violation()).toMatch(sentence);
}

describe("a broken proposer is caught by a schedule written for it", () => {
  it.each([
    ["highest", adopt, null],
    ["lowest", adoptLowest, /^phase 2a: /],
  ])("that adopts the %s ballot reported", (_name, rule, violation) => {
    const world = logWorld({ ...duel, rules: { adopt: rule } });
    world.begin("p0");
    world.phase("a0", "a1");
    world.propose("p0");
    world.phase("a0"); // a0 votes for what p0 proposed
    world.begin("p1");
    world.phase("a1", "a2");
    world.propose("p1");
    world.phase("a1", "a2"); // what p1 proposed is chosen
    expect(world.chosenIn(0)).not.toBeNull();
    world.begin("p0");
    world.phase("a0", "a1"); // both are reported
    expect(world.counted).toMatchObject({ elections: 3, reproposed: 2 });
    expectViolation(world, violation);
  });
});

describe("a broken acceptor is caught", () => {
  it("that votes below its promise", () => {
    expect(found({ judgeBallot: () => null })).toMatch(/^(P1a|promise): /);
  });

  it("that forgets its promise at a crash", () => {
    const forget: LogRules["recoverAcceptor"] = (records, life, limits) => {
      const state = recoverAcceptor(records, life, limits);
      state.promised = null;
      for (const { ballot } of state.votes.values()) {
        if (state.promised === null || compareBallots(ballot, state.promised) > 0) {
          state.promised = ballot;
        }
      }
      return state;
    };
    expect(found({ recoverAcceptor: forget })).toMatch(/^promise: /);
  });

  it("that forgets everything at a crash", () => {
    expect(found({ recoverAcceptor: () => new AcceptorState() })).toMatch(/^(promise|vote): /);
  });

  it("that answers before its disk has it", () => {
    expect(found({ answersWait: () => false })).toMatch(
      /^(P1a|promise|vote|P2c|P2b|agreement|learned|announced|watermark): /,
    );
  });
});

describe("a broken learner is caught", () => {
  const tallies = { hearing: "tallies" } as const;

  it("that counts votes of different ballots and digests together", () => {
    const mix: LogRules["noteVotes"] = (state, id, accepted, cluster) => {
      const [vote] = accepted.votes;
      const known = [...(state.slots.get(vote?.slot ?? -1)?.candidates.values() ?? [])].at(-1);
      if (vote === undefined || known === undefined) noteVotes(state, id, accepted, cluster);
      else {
        const votes = [{ slot: vote.slot, digest: known.digest }];
        noteVotes(state, id, { ...accepted, ballot: known.ballot, votes }, cluster);
      }
    };
    expect(found({ noteVotes: mix }, tallies)).toMatch(/^(agreement|learned): /);
  });

  it("that takes one vote for a quorum", () => {
    const generous: LogRules["noteVotes"] = (state, from, accepted, cluster) => {
      for (const { id } of cluster.acceptors) noteVotes(state, { ...from, id }, accepted, cluster);
    };
    expect(found({ noteVotes: generous }, tallies)).toMatch(/^(learned|watermark): /);
  });

  it("that counts reports given before the value was chosen", () => {
    const rules: Partial<LogRules> = {
      missingRange: ({ watermark }) => ({ from: watermark, to: watermark + 3 }),
      noteRepairVotes: (state, from, answer, cluster) => {
        const mark = { incarnation: 0, writeNumber: 0, below: answer.to };
        state.marks.set(from.id, mark);
        noteRepairVotes(state, from, answer, cluster);
      },
    };
    expect(found(rules, { hearing: "repair" })).toMatch(/^(agreement|learned): /);
  });

  it("that skips a hole", () => {
    const hasty: LogRules["takeChosen"] = (state) => {
      const known = [...state.slots].filter(([, { entry }]) => entry !== null);
      for (const [slot] of known) state.slots.delete(slot);
      return known.flatMap(([, { entry }]) => entry ?? []);
    };
    expect(found({ takeChosen: hasty })).toMatch(/^order: /);
  });
});

describe("broken quorums are caught", () => {
  it.each([
    [1, 2],
    [2, 1],
  ])("that miss each other: %i and %i of 3", (phase1, phase2) => {
    const quorums = { kind: "flexible", phase1, phase2 } as const;
    expect(found({}, { quorums })).toMatch(/^(P2b|P2a|P2|agreement): /);
  });
});
