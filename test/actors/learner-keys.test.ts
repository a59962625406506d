/**
 * Goal: the learner's chart treats single-decree keys as its mode says: for each message about a
 * key the exact effects, and what it knows afterwards.
 * Method: one machine is stepped as the host does, in each mode of `learn`.
 */
import { describe, expect, it } from "vitest";
import { roles } from "../../actors/index.js";
import type { LearnerContext } from "../../actors/learner/context.js";
import { learnerMachine } from "../../actors/learner/machine.js";
import { broadcast, count } from "../../src/kernel/effect.js";
import type { Cluster } from "../../src/paxos/cluster.js";
import type { Vote } from "../../src/paxos/wire/messages.js";
import {
  Bench,
  ballot,
  heard,
  heardTogether,
  roleInput,
  sender,
  testCluster,
  vote,
} from "../support/steps.js";

const KEY = "lock";
const at = ballot(2, "s1");
const x = vote(at, "x");
const y = vote(ballot(3, "s2"), "y");
const proposer = sender("synod-proposer", "s1");
const acceptor = (n: number) => sender("acceptor", `a${n}`);

const LEADER: Cluster["learn"] = { kind: "leader" };
const ALL: Cluster["learn"] = { kind: "all" };
const SOME: Cluster["learn"] = { kind: "some", learners: ["l1", "l2"] };

const bench = (learn: Cluster["learn"], id = "l1", limits = {}) =>
  new Bench(learnerMachine, roleInput({ id, cluster: testCluster(limits, { learn }) }));

const proposed = (v: Vote, key = KEY) => heard({ type: "key-accept", key, ...v }, proposer);
const voted = (n: number, { ballot: when, digest }: Vote, key = KEY) =>
  heard({ type: "key-accepted", key, ballot: when, digest }, acceptor(n));
const chosen = (v: Vote, syncedBy: readonly string[]) =>
  ({ type: "key-chosen", key: KEY, ...v, syncedBy }) as const;

const known = (one: Bench) => {
  const { data } = one.snapshot.context as LearnerContext;
  return new Map(
    [...data.keys.decided].map(([key, { value, syncedBy }]) => [
      key,
      [new TextDecoder().decode(value), ...syncedBy],
    ]),
  );
};
const isX = (syncedBy: readonly string[]) => new Map([[KEY, ["x", ...syncedBy]]]);

describe("mode leader", () => {
  it("takes the word of the synod-proposer, and counts nothing itself", () => {
    const one = bench(LEADER);
    expect(one.take(proposed(x))).toEqual([]);
    expect(one.heard).toBe(true); // overheard, and ignored on purpose
    expect((one.snapshot.context as LearnerContext).data.keys.tallies.size).toBe(0);
    expect(one.take(heard(chosen(x, ["a3", "a1"]), proposer))).toEqual([]);
    expect([one.state, known(one)]).toEqual(["listening", isX(["a3", "a1"])]);
  });

  it("is told no votes: one that comes all the same is unheard", () => {
    const one = bench(LEADER);
    one.take(proposed(x));
    for (const n of [1, 2]) expect(one.take(voted(n, x))).toEqual([]);
    expect([one.heard, known(one).size]).toEqual([false, 0]);
  });
});

describe("mode all", () => {
  it("counts for itself and tells nobody", () => {
    const one = bench(ALL);
    for (const event of [proposed(x), voted(1, x), voted(1, x)]) {
      expect(one.take(event)).toEqual([]);
      expect([one.heard, known(one).size]).toEqual([true, 0]);
    }
    expect(one.take(voted(3, x))).toEqual([]);
    expect(known(one)).toEqual(isX(["a1", "a3"]));
  });

  it("counts votes of one drain together", () => {
    const one = bench(ALL);
    one.take(proposed(x));
    const vote1 = { type: "key-accepted", key: KEY, ballot: at, digest: x.digest } as const;
    one.take(
      heardTogether([
        [acceptor(2), vote1],
        [acceptor(1), vote1],
      ]),
    );
    expect(known(one)).toEqual(isX(["a1", "a2"]));
  });
});

describe("mode some", () => {
  const tells = (syncedBy: readonly string[]) => broadcast("learner", chosen(x, syncedBy));

  it("a distinguished learner tells every learner when a quorum voted, once", () => {
    const one = bench(SOME);
    expect(one.take(proposed(x))).toEqual([]);
    expect(one.take(voted(2, x))).toEqual([]);
    expect(one.take(voted(1, x))).toEqual([tells(["a1", "a2"])]);
    expect(one.take(voted(3, x))).toEqual([]);
    expect(one.take(proposed(x))).toEqual([]);
    expect([one.state, known(one)]).toEqual(["listening", isX(["a1", "a2"])]);
  });

  it("or when the value comes after the votes", () => {
    const one = bench(SOME);
    for (const n of [1, 2]) expect(one.take(voted(n, x))).toEqual([]);
    expect(one.take(proposed(x))).toEqual([tells(["a1", "a2"])]);
  });

  it("or when another distinguished learner was faster: its word may be lost", () => {
    const one = bench(SOME);
    one.take(proposed(x));
    one.take(voted(1, x));
    expect(one.take(heard(chosen(x, ["a2", "a3"]), sender("learner", "l2")))).toEqual([]);
    expect(one.take(voted(3, x))).toEqual([tells(["a1", "a3"])]);
    expect(known(one)).toEqual(isX(["a2", "a3"]));
  });

  it("its own word, which it hears too, changes nothing", () => {
    const one = bench(SOME);
    for (const event of [proposed(x), voted(1, x), voted(2, x)]) one.take(event);
    expect(one.take(heard(chosen(x, ["a1", "a2"]), sender("learner", "l1")))).toEqual([]);
    expect(known(one)).toEqual(isX(["a1", "a2"]));
  });

  it("the others keep no tally and learn what they are told", () => {
    const one = bench(SOME, "l3");
    expect(one.take(proposed(x))).toEqual([]);
    expect(one.heard).toBe(true);
    expect((one.snapshot.context as LearnerContext).data.keys.tallies.size).toBe(0);
    expect(one.take(heard(chosen(x, ["a1", "a2"]), sender("learner", "l2")))).toEqual([]);
    expect(known(one)).toEqual(isX(["a1", "a2"]));
  });
});

describe("what is odd is counted, and stops nobody", () => {
  it("another value for a decided key, in whatever way it is said", () => {
    for (const event of [
      heard({ type: "key-chosen", key: KEY, ...y, syncedBy: ["a1"] }, proposer),
      proposed(y),
      voted(1, y),
    ] as const) {
      const one = bench(ALL);
      one.take(heard(chosen(x, ["a1", "a2"]), proposer));
      expect(one.take(event)).toEqual([count("second_value")]);
      expect(known(one)).toEqual(isX(["a1", "a2"]));
    }
  });

  it("a distinguished learner counts it as well", () => {
    const one = bench(SOME);
    one.take(heard(chosen(x, ["a1", "a2"]), proposer));
    for (const event of [proposed(y), voted(1, y)]) {
      expect(one.take(event)).toEqual([count("second_value")]);
    }
  });

  it("a key too many, and a tally that made room", () => {
    const one = bench(ALL, "l1", { decideKeysMax: 1, decideTalliesMax: 1 });
    one.take(proposed(x));
    expect(one.take(proposed(x, "other"))).toEqual([count("key_tally_dropped")]);
    one.take(heard(chosen(x, ["a1", "a2"]), proposer));
    expect(one.take(proposed(x, "third"))).toEqual([count("too_many_keys")]);
  });
});

it("hears of keys in every state, and goes on with the log", () => {
  const one = bench(LEADER);
  const beacon = { type: "beacon", ballot: at, nextSlot: 1, chosenWatermark: 1, creditBytes: 0 };
  one.take(heard(beacon as never, sender("proposer", "p1")));
  expect(one.state).toBe("lagging");
  expect(one.take(heard(chosen(x, ["a1", "a2"]), proposer))).toEqual([]);
  expect([one.state, known(one).size]).toEqual(["lagging", 1]);
});

it("shows how many decided keys it knows", () => {
  const one = bench(LEADER);
  const status = () => roles.learner.status(one.snapshot);
  expect(status()).toMatchObject({ keys: 0 });
  one.take(heard(chosen(x, ["a1", "a2"]), proposer));
  expect(status()).toMatchObject({ keys: 1 });
});
