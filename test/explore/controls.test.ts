/**
 * Goal: the explorer finds what it is there for, by the shortest way.
 * Method: one thing is broken on purpose; the property that breaks, the length of the way and the
 * states it took are exact. For some, agreement alone is asked too: how it ends if nobody looks.
 */
import { describe, expect, it } from "vitest";
import { BROKEN } from "../../src/sim/broken/index.js";
import { lookFor } from "./searching.js";

/** What each does first. */
const first = [
  ["acceptor-counted-twice", "learnedIsChosen", 7, 384],
  ["answer-named-twice", "answersAreNew", 5, 144],
  ["ballot-reused", "ballotsAreNew", 1, 3],
  ["ballots-counted-together", "learnedIsChosen", 16, 393_914],
  ["first-proposal-refused", "P1", 5, 92],
  ["highest-vote-ignored", "P2c", 10, 2578],
  ["lives-joined", "P2c", 9, 1625],
  ["lower-ballot-accepted", "diskNeverFalls", 6, 173],
  ["promise-not-persisted", "durableBeforeSpoken", 1, 1],
  ["promise-watermark-believed", "watermarkIsChosen", 5, 34],
  ["quorums-that-miss", "P2b", 9, 1176],
  ["repeat-before-sync", "durableBeforeSpoken", 2, 7],
  ["reply-before-sync", "durableBeforeSpoken", 1, 1],
  ["vote-not-persisted", "durableBeforeSpoken", 7, 579],
  ["watermark-believed", "watermarkIsChosen", 7, 95],
] as const;

/** How long it takes until two values are chosen, for some. */
const worst = [
  ["acceptor-counted-twice", 13, 15_195],
  ["highest-vote-ignored", 12, 8877],
  ["lower-ballot-accepted", 12, 15_375],
  ["quorums-that-miss", 10, 2267],
  ["vote-not-persisted", 15, 62_581],
] as const;

describe("a broken thing", () => {
  it("is looked for here if it fits a small world", () => {
    const fitting = BROKEN.filter(({ world }) => world !== undefined).map(({ name }) => name);
    expect(first.map(([name]) => name)).toEqual(fitting);
  });

  it.each(BROKEN.map(({ name }) => name))("%s has a name for a command line", (name) => {
    expect(name).toMatch(/^[a-z0-9-]+$/);
  });

  it.each(first)(
    "%s breaks %s after %i steps",
    (name, property, steps, states) => {
      const found = lookFor(name);
      expect({ property: found?.property, steps: found?.steps, states: found?.states }).toEqual({
        property,
        steps,
        states,
      });
    },
    120_000,
  );

  it.each(worst)(
    "%s ends with two values after %i steps",
    (name, steps, states) => {
      const found = lookFor(name, "agreement");
      expect(found?.sentence).toMatch(/^agreement: key "k" has two values, ⟨1\.p., v.'?⟩ and/);
      expect({ steps: found?.steps, states: found?.states }).toEqual({ steps, states });
    },
    120_000,
  );
});

it("the log's proposer is caught as well", () => {
  const found = lookFor("highest-vote-ignored", undefined, "log-1");
  expect({ property: found?.property, steps: found?.steps }).toEqual({
    property: "P2c",
    steps: 14,
  });
});

it("a counter-example can be read", () => {
  const found = lookFor("lower-ballot-accepted");
  expect(found?.sentence).toBe("promise: a3 fell from ballot 1.p2 to ballot 1.p1");
  const promises = (at: string) =>
    `writes and syncs promise ${at}, no vote; says key-promise ${at} (no vote)`;
  expect(found?.lines).toEqual([
    `a1 hears key-prepare 1.p1 of p1; ${promises("1.p1")} to p1`,
    `a2 hears key-prepare 1.p1 of p1; ${promises("1.p1")} to p1`,
    `a3 hears key-prepare 1.p2 of p2; ${promises("1.p2")} to p2`,
    "p1 hears key-promise 1.p1 (no vote) of a2",
    "p1 hears key-promise 1.p1 (no vote) of a1; is now accepting; " +
      "says key-accept 1.p1 v1 to acceptors",
    "a3 hears key-accept 1.p1 v1 of p1; writes and syncs promise 1.p1, vote ⟨1.p1, v1⟩; " +
      "says key-accepted 1.p1 v1 to p1",
  ]);
});
