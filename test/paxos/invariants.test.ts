/**
 * Goal: each invariant sees its own violation, says it with the evidence, and mixes nothing up.
 * Method: one small run that is sound and one fact that breaks it. What the paper says of each is
 * in paper.test.ts; that they hold of our rules is in synod-world.test.ts and acceptor.test.ts.
 */
import { describe, expect, it } from "vitest";
import type { AcceptorLook, Evidence } from "../../src/paxos/proof/evidence.js";
import {
  firstViolation,
  INVARIANTS,
  phase2a,
  votesNeverFall,
  votesWereProposed,
} from "../../src/paxos/proof/invariants.js";
import { cast, nothing, numbered } from "../support/paper.js";
import { KEY } from "../support/synod-world.js";

const x1 = cast("a0", 1, "x");
const report = { acceptor: "a0", vote: null };

/** x is chosen at 1 by a0 and a1, and learned. */
const sound: Evidence = {
  ...nothing,
  wishes: [{ key: KEY, digest: x1.digest }],
  proposals: [{ ...x1, reports: [report, { ...report, acceptor: "a1" }] }],
  requests: [
    { acceptor: "a0", key: KEY, request: "prepare", ballot: numbered(1), answer: "yes" },
    { acceptor: "a0", key: KEY, request: "accept", ballot: numbered(1), answer: "yes" },
  ],
  votes: [x1, { ...x1, acceptor: "a1" }],
  looks: [look(1, []), look(1, [x1])],
  learned: [{ ...x1, by: "p0" }],
};

function look(promised: number, votes: readonly (typeof x1)[], votesFrom = 0): AcceptorLook {
  return { acceptor: "a0", key: KEY, promised: numbered(promised), votesFrom, votes };
}

/** [invariant, the fact that breaks it, what it says] */
const broken: readonly (readonly [string, Partial<Evidence>, RegExp])[] = [
  [
    "P1",
    {
      requests: [
        { acceptor: "a2", key: KEY, request: "accept", ballot: numbered(1), answer: "stale" },
      ],
    },
    /a2 refused ballot 1\.p as stale, the first/,
  ],
  [
    "P1a",
    {
      requests: [
        { acceptor: "a0", key: KEY, request: "accept", ballot: numbered(2), answer: "yes" },
        ...sound.requests.slice(1),
      ],
    },
    /a0 accepted ballot 1\.p after it had promised ballot 2\.p/,
  ],
  [
    "promisesNeverFall",
    { looks: [look(2, []), look(1, [])] },
    /a0 fell from ballot 2\.p to ballot 1/,
  ],
  [
    "promisesNeverFall",
    { looks: [look(1, [cast("a0", 2, "x")])] },
    /voted ballot 2\.p but promised/,
  ],
  ["votesNeverFall", { looks: [look(1, [x1]), look(2, [])] }, /a0 forgot that it voted ⟨1\.p, /],
  [
    "votesNeverFall",
    { looks: [look(3, [cast("a0", 2, "x")]), look(3, [x1])] },
    /a0 went from ⟨2\.p, .*⟩ to ⟨1\.p, .*⟩ in key "k"/,
  ],
  ["votesNeverFall", { looks: [look(1, [x1]), look(1, [cast("a0", 1, "y")])] }, /a0 changed ⟨1\.p/],
  ["oneValuePerBallot", { votes: [...sound.votes, cast("a2", 1, "y")] }, /ballot 1\.p of key "k"/],
  ["votesWereProposed", { proposals: [] }, /a0 voted ⟨1\.p, .*⟩ in key "k", which nobody proposed/],
  [
    "phase2a",
    { proposals: [{ ...x1, reports: [report, report] }] },
    /rests on \{a0, a0\}, no quorum/,
  ],
  [
    "phase2a",
    {
      proposals: [
        ...sound.proposals,
        {
          ...cast("", 2, "y"),
          reports: [
            { ...report, vote: x1 },
            { ...report, acceptor: "a2" },
          ],
        },
      ],
    },
    /⟨2\.p, .*⟩ of key "k", but the highest vote reported was ⟨1\.p/,
  ],
  [
    "P2c",
    { proposals: [...sound.proposals, { ...cast("", 2, "y"), reports: null }] },
    /no quorum allows ⟨2\.p, .*⟩ in key "k": below are a0 ⟨1\.p, .*, a1 ⟨1\.p/,
  ],
  [
    "P2b",
    { proposals: [...sound.proposals, { ...cast("", 2, "y"), reports: null }] },
    /chosen by \{a0, a1\}, but ⟨2\.p, .*⟩ was issued/,
  ],
  ["P2a", { votes: [...sound.votes, cast("a2", 2, "y")] }, /but ⟨2\.p, .*⟩ was accepted/],
  [
    "P2",
    { votes: [...sound.votes, cast("a1", 2, "y"), cast("a2", 2, "y")] },
    /but ⟨2\.p, .*⟩ was chosen too/,
  ],
  [
    "agreement",
    { learned: [...sound.learned, { ...cast("", 2, "y"), by: "p1" }] },
    /key "k" has two values, ⟨1\.p, .*⟩ and ⟨2\.p/,
  ],
  ["validity", { wishes: [{ key: "other", digest: x1.digest }] }, /but nobody wished for it/],
  [
    "learnedIsChosen",
    { votes: [x1] },
    /p0 takes ⟨1\.p, .*⟩ of key "k" for chosen; voters are \{a0\}/,
  ],
];

describe("the invariants", () => {
  it("hold of a sound run, and of none", () => {
    expect(firstViolation(sound)).toBeNull();
    expect(firstViolation(nothing)).toBeNull();
  });

  it.each(broken)("%s sees what breaks it (%#)", (name, fact, sentence) => {
    const evidence = { ...sound, ...fact };
    expect(INVARIANTS[name]?.(evidence)).toMatch(sentence);
    expect(firstViolation(evidence)).not.toBeNull();
  });

  it("have a fact that breaks each of them, and stand under their names", () => {
    expect(INVARIANTS).toMatchObject({ phase2a, votesNeverFall, votesWereProposed });
    expect(new Set(broken.map(([name]) => name))).toEqual(new Set(Object.keys(INVARIANTS)));
  });

  it("keep the log and the keys apart, and slots from each other", () => {
    const places = [
      { key: KEY, slot: 0 },
      { key: "log", slot: 0 },
      { key: null, slot: 0 },
      { key: null, slot: 1 },
    ];
    const facts = places.map((place, index) => ({ ...cast("a0", 1, `${index}`), ...place }));
    const evidence: Evidence = {
      ...nothing,
      wishes: facts.map(({ key, digest }) => ({ key, digest })),
      proposals: facts.map((fact) => ({ ...fact, reports: null })),
      votes: facts.flatMap((fact) => [fact, { ...fact, acceptor: "a1" }]),
      learned: facts.map((fact) => ({ ...fact, by: "p0" })),
    };
    expect(firstViolation(evidence)).toBeNull();
  });

  it("let an acceptor forget votes below the slot it names", () => {
    const looks = [look(1, [x1]), look(1, [], 1)];
    expect(firstViolation({ ...sound, looks })).toBeNull();
  });
});
