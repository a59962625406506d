/**
 * Goal: a learner knows a key's value when, and only when, a phase-2 quorum voted for it or it was
 * announced; what it knows it keeps; what it counts is bounded.
 * Method: each rule by hand; then fast-check against a count that keeps every message.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Ballot, formatBallot } from "../../src/paxos/ballot.js";
import { acceptorIds, type Cluster } from "../../src/paxos/cluster.js";
import {
  KeyLearnerState,
  type KeyNews,
  noteKeyChosen,
  noteKeyValue,
  noteKeyVote,
} from "../../src/paxos/single/key-learner.js";
import type { KeyAccept, KeyAccepted, KeyChosen } from "../../src/paxos/wire/messages.js";
import { ballot, testCluster, value, vote } from "../support/steps.js";

const cluster = testCluster();
const nothing: KeyNews = { chosen: null, odd: null };
const odd = (word: KeyNews["odd"]): KeyNews => ({ chosen: null, odd: word });

const accept = (text: string, round = 1, key = "k"): KeyAccept => ({
  type: "key-accept",
  key,
  ...vote(ballot(round), text),
});
const accepted = (text: string, round = 1, key = "k"): KeyAccepted => {
  const { ballot: at, digest } = vote(ballot(round), text);
  return { type: "key-accepted", key, ballot: at, digest };
};
const announced = (text: string, syncedBy: string[], round = 1, key = "k"): KeyChosen => ({
  type: "key-chosen",
  key,
  ...vote(ballot(round), text),
  syncedBy,
});

/** A learner of one cluster, written short. */
function learner(at: Cluster = cluster) {
  const state = new KeyLearnerState();
  const read = (key = "k") => {
    const known = state.decided.get(key);
    return known === undefined ? undefined : new TextDecoder().decode(known.value);
  };
  return {
    state,
    read,
    hearValue: (message: KeyAccept) => noteKeyValue(state, message, at),
    hearVote: (acceptor: string, message: KeyAccepted) => noteKeyVote(state, acceptor, message, at),
    hearChosen: (message: KeyChosen) => noteKeyChosen(state, message, at),
  };
}

describe("counting votes (PMS §2.3)", () => {
  it("knows the value when a phase-2 quorum voted, and says so once", () => {
    const one = learner();
    expect(one.hearValue(accept("x"))).toEqual(nothing);
    expect(one.hearVote("a3", accepted("x"))).toEqual(nothing);
    expect(one.read()).toBeUndefined();
    const chosen = announced("x", ["a1", "a3"]);
    expect(one.hearVote("a1", accepted("x"))).toEqual({ chosen, odd: null });
    expect(one.state.decided.get("k")).toMatchObject({ ballot: ballot(1), syncedBy: ["a1", "a3"] });
    expect(one.hearVote("a2", accepted("x"))).toEqual(nothing);
    expect(one.hearValue(accept("x"))).toEqual(nothing);
  });

  it("waits for the value if the votes come first", () => {
    const one = learner();
    one.hearVote("a1", accepted("x"));
    expect(one.hearVote("a2", accepted("x"))).toEqual(nothing);
    const chosen = announced("x", ["a1", "a2"]);
    expect(one.hearValue(accept("x"))).toEqual({ chosen, odd: null });
    expect(one.read()).toBe("x");
  });

  it("counts an acceptor once, a stranger never, and each ballot and value for itself", () => {
    const one = learner();
    for (const message of [accept("x"), accept("x", 2), accept("y")]) one.hearValue(message);
    one.hearVote("a1", accepted("x"));
    for (const [acceptor, message] of [
      ["a1", accepted("x")],
      ["a9", accepted("x")],
      ["a2", accepted("x", 2)],
      ["a3", accepted("y")],
    ] as const) {
      expect(one.hearVote(acceptor, message)).toEqual(nothing);
    }
    expect(one.state.decided.size).toBe(0);
    one.hearVote("a2", accepted("x"));
    expect(one.read()).toBe("x");
  });

  it("keeps nothing of a stranger's vote, and no tally of a key that was counted", () => {
    const one = learner();
    one.hearVote("a9", accepted("x"));
    expect(one.state.tallies.size).toBe(0);
    for (const round of [1, 2, 3]) one.hearValue(accept("x", round));
    one.hearValue(accept("z", 1, "other"));
    for (const acceptor of ["a1", "a2"]) one.hearVote(acceptor, accepted("x", 2));
    expect(one.state.tallies.size).toBe(1);
    expect([...one.state.talliesOf.keys()]).toEqual(["other"]);
  });

  it("asks the quorum system, not the majority", () => {
    const all = learner(testCluster({}, { quorums: { kind: "flexible", phase1: 1, phase2: 3 } }));
    all.hearValue(accept("x"));
    for (const acceptor of ["a1", "a2"]) all.hearVote(acceptor, accepted("x"));
    expect(all.read()).toBeUndefined();
    all.hearVote("a3", accepted("x"));
    expect(all.read()).toBe("x");
  });

  it("keeps a copy: the value it heard lies in a payload", () => {
    const one = learner();
    const [heard, told] = [accept("x"), announced("y", ["a1", "a2"], 1, "k2")];
    one.hearValue(heard);
    for (const acceptor of ["a1", "a2"]) one.hearVote(acceptor, accepted("x"));
    one.hearChosen(told);
    heard.value.fill(0);
    told.value.fill(0);
    expect([one.read(), one.read("k2")]).toEqual(["x", "y"]);
  });

  it("keeps keys apart whatever they are called", () => {
    const one = learner();
    const { digest } = accepted("x");
    const strange = `k/${formatBallot(ballot(1))}/${digest}/k`;
    one.hearVote("a1", accepted("x"));
    one.hearVote("a2", accepted("x", 1, strange));
    one.hearValue(accept("x"));
    one.hearValue(accept("x", 1, strange));
    expect([one.state.decided.size, one.state.tallies.size]).toEqual([0, 2]);
  });
});

describe("an announcement", () => {
  it("is enough, whatever the mode; a repeat changes nothing", () => {
    const one = learner();
    expect(one.hearChosen(announced("x", ["a1", "a2"], 3))).toEqual(nothing);
    expect(one.hearChosen(announced("x", ["a2", "a3"], 5))).toEqual(nothing);
    expect(one.read()).toBe("x");
    expect(one.state.decided.get("k")).toMatchObject({ ballot: ballot(3), syncedBy: ["a1", "a2"] });
  });

  it("does not keep a distinguished learner from telling what it counts itself", () => {
    const one = learner();
    one.hearValue(accept("x", 2));
    one.hearVote("a1", accepted("x", 2));
    one.hearChosen(announced("x", ["a2", "a3"], 2));
    const chosen = announced("x", ["a1", "a3"], 2);
    expect(one.hearVote("a3", accepted("x", 2))).toEqual({ chosen, odd: null });
    expect(one.state.decided.get("k")?.syncedBy).toEqual(["a2", "a3"]);
    expect(one.hearVote("a2", accepted("x", 2))).toEqual(nothing);
    expect(one.state.tallies.size).toBe(0);
  });
});

describe("another value for a decided key", () => {
  const decided = () => {
    const one = learner();
    one.hearChosen(announced("x", ["a1", "a2"], 3));
    return one;
  };

  it("announced at any ballot is counted, and the first one kept", () => {
    for (const round of [1, 3, 5]) {
      const one = decided();
      expect(one.hearChosen(announced("y", ["a1"], round))).toEqual(odd("second_value"));
      expect(one.read()).toBe("x");
    }
  });

  it("proposed or voted for at its ballot or above breaks P2b: counted", () => {
    for (const round of [3, 4]) {
      const one = decided();
      expect(one.hearValue(accept("y", round))).toEqual(odd("second_value"));
      expect(one.hearVote("a1", accepted("y", round))).toEqual(odd("second_value"));
      expect(one.state.tallies.size).toBe(0);
    }
  });

  it("below its ballot is what late messages say: nothing, unless a quorum voted", () => {
    const one = decided();
    expect(one.hearValue(accept("y", 2))).toEqual(nothing);
    expect(one.hearVote("a1", accepted("y", 2))).toEqual(nothing);
    expect(one.hearVote("a2", accepted("y", 2))).toEqual(odd("second_value"));
    expect(one.hearVote("a3", accepted("y", 2))).toEqual(nothing);
    expect([one.read(), one.state.tallies.size]).toEqual(["x", 0]);
  });
});

describe("bounds", () => {
  it("decideTalliesMax: the oldest tally goes; its votes are lost with it", () => {
    const one = learner(testCluster({ decideTalliesMax: 2 }));
    one.hearValue(accept("x", 1, "k1"));
    one.hearVote("a1", accepted("x", 1, "k1"));
    one.hearValue(accept("x", 1, "k2"));
    expect(one.hearValue(accept("x", 1, "k3"))).toEqual(odd("key_tally_dropped"));
    expect([...one.state.talliesOf.keys()]).toEqual(["k2", "k3"]);
    expect(one.hearVote("a2", accepted("x", 1, "k1"))).toEqual(odd("key_tally_dropped"));
    expect(one.state.decided.size).toBe(0);
    for (const acceptor of ["a1", "a2"]) one.hearVote(acceptor, accepted("x", 1, "k3"));
    expect(one.read("k3")).toBe("x");
    expect([...one.state.talliesOf.keys()]).toEqual(["k1"]);
  });

  it.each([{ decideKeysMax: 1 }, { decideBytesMax: 250 }])(
    "%o: no other key is learned, and none forgotten",
    (limits) => {
      const one = learner(testCluster(limits));
      one.hearChosen(announced("x", ["a1", "a2"], 1, "k1"));
      expect(one.hearChosen(announced("y", [], 1, "k2"))).toEqual(odd("too_many_keys"));
      expect(one.hearValue(accept("y", 1, "k2"))).toEqual(odd("too_many_keys"));
      expect(one.hearVote("a1", accepted("y", 1, "k2"))).toEqual(odd("too_many_keys"));
      expect(one.hearChosen(announced("x", ["a1"], 1, "k1"))).toEqual(nothing);
      expect([[...one.state.decided.keys()], one.state.tallies.size]).toEqual([["k1"], 0]);
    },
  );
});

// --- against a count that keeps everything ---------------------------------------------------

type Heard =
  | { readonly kind: "value"; readonly message: KeyAccept }
  | { readonly kind: "vote"; readonly acceptor: string; readonly message: KeyAccepted }
  | { readonly kind: "chosen"; readonly message: KeyChosen };

/** So few keys, ballots and values that they meet; one value for each ballot of a key. */
const named = fc.record({
  key: fc.constantFrom("k1", "k2"),
  round: fc.integer({ min: 1, max: 3 }),
  text: fc.constantFrom("x", "y"),
});
const heard: fc.Arbitrary<Heard> = fc.oneof(
  named.map(({ key, round, text }) => ({
    kind: "value" as const,
    message: accept(text, round, key),
  })),
  {
    arbitrary: fc
      .tuple(fc.constantFrom("a1", "a2", "a3", "a4", "a5", "s1"), named)
      .map(([acceptor, { key, round, text }]) => ({
        kind: "vote" as const,
        acceptor,
        message: accepted(text, round, key),
      })),
    weight: 6,
  },
);
const announcement: fc.Arbitrary<Heard> = named.map(({ key, round, text }) => ({
  kind: "chosen" as const,
  message: announced(text, ["a1"], round, key),
}));

const five = testCluster(
  {},
  { acceptors: [1, 2, 3, 4, 5].map((n) => ({ id: `a${n}`, storeId: `a${n}`.repeat(16) })) },
);

/** Whether more than half of the acceptors are in a story as voters for this, and its value. */
function isCounted(story: readonly Heard[], at: Ballot, digest: string, key: string): boolean {
  const alike = story.filter(
    ({ message }) =>
      message.key === key &&
      message.digest === digest &&
      formatBallot(message.ballot) === formatBallot(at),
  );
  const voters = acceptorIds(five).filter((id) =>
    alike.some((one) => one.kind === "vote" && one.acceptor === id),
  );
  return voters.length > 2 && alike.some(({ kind }) => kind === "value");
}

/** The first value each key is known to hold, found by looking at every beginning of the story. */
function naiveDecided(story: readonly Heard[]): Map<string, string> {
  const decided = new Map<string, string>();
  for (let end = 1; end <= story.length; end++) {
    const { kind, message } = story[end - 1] as Heard;
    const { key, ballot: at, digest } = message;
    const known = kind === "chosen" || isCounted(story.slice(0, end), at, digest, key);
    if (known && !decided.has(key)) decided.set(key, digest);
  }
  return decided;
}

function hearAll(story: readonly Heard[]) {
  const one = learner(five);
  const news = story.map((told) => {
    if (told.kind === "value") return one.hearValue(told.message);
    if (told.kind === "chosen") return one.hearChosen(told.message);
    return one.hearVote(told.acceptor, told.message);
  });
  return { ...one, news };
}

describe("against a naive count", () => {
  const digests = ({ state }: { state: KeyLearnerState }) =>
    new Map([...state.decided].map(([key, { digest }]) => [key, digest]));

  it("learns the same values from votes, and tells each once", () => {
    let learned = 0;
    fc.assert(
      fc.property(fc.array(heard, { minLength: 20, maxLength: 80 }), (story) => {
        const one = hearAll(story);
        const naive = naiveDecided(story);
        expect(digests(one)).toEqual(naive);
        const told = one.news.flatMap(({ chosen }) => chosen ?? []);
        expect(new Map(told.map(({ key, digest }) => [key, digest]))).toEqual(naive);
        expect(told.length).toBe(naive.size);
        learned += naive.size;
      }),
      { numRuns: 300 },
    );
    expect(learned).toBeGreaterThan(100);
  });

  it("learns the same values from votes and announcements, true or not", () => {
    const anything = fc.oneof({ arbitrary: heard, weight: 12 }, announcement);
    fc.assert(
      fc.property(fc.array(anything, { maxLength: 60 }), (story) => {
        expect(digests(hearAll(story))).toEqual(naiveDecided(story));
      }),
      { numRuns: 300 },
    );
  });

  it("keeps its index of tallies whole under any bound", () => {
    const many = fc.array(heard, { maxLength: 60 });
    fc.assert(
      fc.property(many, fc.integer({ min: 1, max: 4 }), (story, decideTalliesMax) => {
        const limits = { ...five.limits, decideTalliesMax };
        const one = learner({ ...five, limits });
        for (const told of story) {
          if (told.kind === "value") one.hearValue(told.message);
          if (told.kind === "vote") one.hearVote(told.acceptor, told.message);
          const { tallies, talliesOf } = one.state;
          expect(tallies.size).toBeLessThanOrEqual(decideTalliesMax);
          const indexed = [...talliesOf.values()].flatMap((names) => [...names]);
          expect(indexed.sort()).toEqual([...tallies.keys()].sort());
        }
      }),
    );
  });
});

it("learns an empty value", () => {
  const one = learner();
  expect(value("").length).toBe(0);
  one.hearValue(accept(""));
  for (const acceptor of ["a1", "a2"]) one.hearVote(acceptor, accepted(""));
  expect(one.read()).toBe("");
});
