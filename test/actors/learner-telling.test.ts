/**
 * Goal: what a learner tells of what it knows, to gateways, other learners, and those who come
 * through the door `history`: the exact effects.
 * Method: as in learner.test.ts.
 */
import { describe, expect, it } from "vitest";
import type { LearnerContext } from "../../actors/learner/context.js";
import { publishedBy } from "../../actors/learner/services.js";
import { type Effect, send } from "../../src/kernel/effect.js";
import { VOTE_OVERHEAD_BYTES } from "../../src/paxos/consensus/acceptor.js";
import { encodeBatch } from "../../src/paxos/value.js";
import type { Outcome } from "../../src/paxos/wire/messages.js";
import { START_MS, sender, testCluster } from "../support/steps.js";
import {
  accept,
  asksBasis,
  at1,
  basis,
  beacon,
  chosen,
  entries,
  feedEntry,
  follow,
  history,
  knowing,
  known,
  learner,
  limits,
  opening,
  publishes,
  repair,
  request,
  SESSION,
  slotValue,
} from "./learner-steps.js";

const outcomes = (gateway: string, appliedWatermark: number, told: Outcome[]): Effect =>
  send("gateway", gateway, { type: "outcomes", learner: "l1", appliedWatermark, outcomes: told });
const opened: Outcome = { kind: "opened", session: SESSION, openedIn: 0 };
const done = (slot: number): Outcome => ({
  kind: "done",
  session: SESSION,
  number: slot + 1,
  position: slot + 1,
  slot,
  ballot: at1,
  syncedBy: ["a1", "a2"],
});
const LEASE_MS = 20 * limits.beaconMs;

describe("the basis of a ballot", () => {
  const p2 = sender("proposer", "p2");

  it("is asked for at each beacon until it came, from whoever it is of", () => {
    const bench = learner();
    expect(bench.take(beacon(0))).toEqual([asksBasis]);
    bench.take(basis(p2)); // a ballot of p1 that p2 speaks of
    expect(bench.take(beacon(0))).toEqual([asksBasis]);
    expect(bench.take(basis())).toEqual([]);
    expect(bench.take(beacon(0))).toEqual([]);
    const { data } = bench.snapshot.context as LearnerContext;
    expect([...data.bases.values()]).toEqual([basis().received[0]?.message]);
  });
});

describe("gateways that follow", () => {
  it("are greeted, and told what became of their commands, in log order", () => {
    const bench = learner();
    expect(bench.take(follow("g1", "l1"))).toEqual([outcomes("g1", 0, [])]);
    bench.take(accept(0, 2));
    expect(bench.take(chosen(0, 2))).toEqual([
      publishes(feedEntry(0), feedEntry(1)),
      outcomes("g1", 2, [opened, done(0), done(1)]),
    ]);
  });

  it("that ask who is there are greeted, but do not follow", () => {
    const bench = learner();
    expect(bench.take(follow("g1", null))).toEqual([outcomes("g1", 0, [])]);
    bench.take(accept(0, 1));
    expect(bench.take(chosen(0, 1))).toEqual([publishes(feedEntry(0))]);
  });

  it("of another learner are nobody's here", () => {
    const bench = learner();
    expect(bench.take(follow("g1", "l2"))).toEqual([]);
    bench.take(accept(0, 1));
    expect(bench.take(chosen(0, 1))).toEqual([publishes(feedEntry(0))]);
  });

  it("are told of their own commands only", () => {
    const bench = learner();
    bench.take(follow("g2", "l1"));
    const mixed = encodeBatch([opening("g1"), request(1, "v0", "g2"), request(2, "v1", "g3")]);
    bench.take(accept(0, 1, { values: [mixed] }));
    expect(bench.take(chosen(0, 1)).slice(1)).toEqual([outcomes("g2", 1, [done(0)])]);
  });

  it("are forgotten after a silence", () => {
    const bench = knowing(1);
    bench.take(follow("g1", "l1"));
    bench.take(follow("g2", "l1", START_MS + LEASE_MS));
    const { followers } = bench.snapshot.context as LearnerContext;
    expect([...followers.keys()]).toEqual(["g1", "g2"]);
    bench.take(follow("g2", "l1", START_MS + LEASE_MS + 1));
    bench.take(accept(1, 1));
    expect(bench.take(chosen(1, 2))).toEqual([publishes(feedEntry(1))]);
  });

  it("are bounded: the ones that came first go", () => {
    const bench = learner();
    for (let n = 0; n <= 1024; n++) bench.take(follow(`g${n}`, "l1"));
    const { followers } = bench.snapshot.context as LearnerContext;
    expect([followers.size, followers.has("g0"), followers.has("g1024")]).toEqual([
      1024,
      false,
      true,
    ]);
  });

  it("are not told again what became of the commands of long ago", () => {
    const bench = learner();
    const count = limits.pipelineSlotsMax + 3;
    bench.take(follow("g1", "l1"));
    bench.take(beacon(count));
    bench.take(accept(0, count));
    const told = bench.take(chosen(0, count)).filter(({ kind }) => kind === "send");
    const recent = Array.from({ length: limits.pipelineSlotsMax }, (_, index) => done(index + 3));
    expect(told).toEqual([outcomes("g1", count, recent)]);
  });

  it("are told much in several messages", () => {
    const bench = learner();
    bench.take(follow("g1", "l1"));
    const many = Array.from({ length: 2050 }, (_, index) => request(index + 1, "v"));
    bench.take(accept(0, 1, { values: [encodeBatch([opening(), ...many])] }));
    const told = bench.take(chosen(0, 1)).flatMap((effect) => {
      if (effect.kind !== "send" || effect.message.type !== "outcomes") return [];
      return [effect.message.outcomes];
    });
    expect(told.map(({ length }) => length)).toEqual([2048, 3]);
    expect(told[1]?.[0]).toMatchObject({ kind: "done", number: 2048 });
  });
});

describe("those who listen to the feed", () => {
  const published = (effects: readonly Effect[]) =>
    effects.flatMap((effect) => publishedBy(effect) ?? []);

  it("do not hear the log again from one that starts late: only what may be under way", () => {
    const bench = learner();
    const count = limits.pipelineSlotsMax + 3;
    bench.take(beacon(count));
    expect(published(bench.take(accept(0, count)))).toEqual([]);
    expect(published(bench.take(chosen(0, count)))).toEqual(
      Array.from({ length: limits.pipelineSlotsMax }, (_, index) => feedEntry(index + 3)),
    );
    bench.take(accept(count, 1));
    expect(published(bench.take(chosen(count, count + 1)))).toEqual([feedEntry(count)]);
    expect(bench.take(history(0))).toMatchObject([{ answer: { tail: count + 1 } }]);
  });
});

describe("other learners", () => {
  const answer = (from: number, to: number, slots: number[], trimmed = 0) => [
    send("learner", "l2", {
      type: "entries",
      from,
      to,
      trimmed,
      entries: slots.map((slot) => known(slot)),
    }),
  ];

  it("are told what they miss, as far as it is known", () => {
    const bench = knowing(3);
    expect(bench.take(repair(1, 3))).toEqual(answer(1, 3, [1, 2]));
    expect(bench.take(repair(1, 9))).toEqual(answer(1, 3, [1, 2]));
  });

  it("are told so much as they take, and at least one", () => {
    const bench = knowing(3);
    const one = slotValue(1).length + VOTE_OVERHEAD_BYTES;
    expect(bench.take(repair(1, 3, 2 * one - 1))).toEqual(answer(1, 2, [1]));
    expect(bench.take(repair(1, 3, 1))).toEqual(answer(1, 2, [1]));
  });

  it("hear nothing of one who knows no more than they, nor of their own question", () => {
    const bench = knowing(2);
    expect(bench.take(repair(2, 5))).toEqual([]);
    expect(bench.take(repair(0, 2, 1 << 20, sender("learner", "l1")))).toEqual([]);
    expect(bench.heard).toBe(true);
  });

  it("are answered while it lags itself", () => {
    const bench = knowing(1);
    bench.take(beacon(4));
    expect(bench.take(repair(0, 4))).toEqual(answer(0, 1, [0]));
    expect(bench.state).toBe("lagging");
  });
});

describe("history", () => {
  const page = (slots: number[], last: number, tail: number): Effect[] => [
    {
      kind: "reply",
      token: "t1",
      answer: { kind: "history", entries: slots.map((slot) => feedEntry(slot)), last, tail },
    },
  ];

  it("comes in pages, and says where the next begins", () => {
    const bench = knowing(4);
    expect(bench.take(history(0, 3))).toEqual(page([0, 1, 2], 3, 4));
    expect(bench.take(history(3, 3))).toEqual(page([3], 4, 4));
    expect(bench.take(history(4, 3))).toEqual(page([], 4, 4));
    expect(bench.take(history(2, 0))).toEqual(page([], 2, 4));
  });

  it("beyond the tail is empty, and leads back to the tail", () => {
    expect(knowing(2).take(history(9))).toEqual(page([], 2, 2));
    expect(knowing(0).take(history(0))).toEqual(page([], 0, 0));
  });

  describe("of a learner that is catching up", () => {
    const notYet = (position: number): Effect[] => [
      { kind: "count", reason: "catching_up", by: 1 },
      {
        kind: "reply",
        token: "t1",
        answer: {
          kind: "refused",
          code: "overloaded",
          message: `this learner is catching up and has come to position ${position}: ask again`,
          mayHaveHappened: false,
          retryAfterMs: 100,
        },
      },
    ];
    const end = history(Number.MAX_SAFE_INTEGER, 0);

    it("has no end before it heard a leader", () => {
      const bench = learner();
      expect(bench.take(end)).toEqual(notYet(0));
      expect(bench.take(history(0))).toEqual(notYet(0));
      bench.take(accept(0, 1));
      bench.take(chosen(0, 1));
      expect(bench.take(end)).toEqual(notYet(1));
      bench.take(beacon(1));
      expect(bench.take(end)).toEqual(page([], 1, 1));
    });

    it("has no end before it applied what was proposed then, and what it has comes", () => {
      const bench = learner();
      bench.take(beacon(2, 4)); // slots 2 and 3 are open
      bench.take(entries(0, 2));
      expect(bench.state).toBe("listening");
      expect(bench.take(end)).toEqual(notYet(2));
      expect(bench.take(history(0))).toEqual(page([0, 1], 2, 2));
      expect(bench.take(history(2))).toEqual(notYet(2));
      bench.take(accept(2, 2));
      bench.take(chosen(2, 4));
      expect(bench.take(end)).toEqual(page([], 4, 4));
    });

    it("waits no longer for proposals that no leader knows of any more", () => {
      const bench = learner();
      bench.take(beacon(0, 4));
      bench.take(entries(0, 2));
      expect(bench.take(end)).toEqual(notYet(2));
      bench.take(beacon(2, 2));
      expect(bench.take(end)).toEqual(page([], 2, 2));
    });

    it("that misses something again has no end until it comes", () => {
      const bench = knowing(2);
      bench.take(beacon(4));
      expect(bench.take(end)).toEqual(notYet(2));
      bench.take(entries(2, 4));
      expect(bench.take(end)).toEqual(page([], 4, 4));
    });

    it("waits for the slot that the asker names", () => {
      const bench = knowing(2);
      expect(bench.take(history(2, 10, 2))).toEqual(page([], 2, 2));
      expect(bench.take(history(2, 10, 3))).toEqual(notYet(2));
      expect(bench.take(history(0, 10, 3))).toEqual(page([0, 1], 2, 2));
    });
  });

  it("fits the wire: so many entries as do, and at least one", () => {
    const two = knowing(4, { cluster: testCluster({ partBytesMax: 450 }) });
    expect(two.take(history(1))).toEqual(page([1, 2], 3, 4));
    const none = knowing(4, { cluster: testCluster({ partBytesMax: 1 }) });
    expect(none.take(history(1))).toEqual(page([1], 2, 4));
  });

  it("has at most 4096 entries a page", () => {
    const bench = learner({ cluster: testCluster({ partBytesMax: 1 << 24 }) });
    const many = Array.from({ length: 4100 }, (_, index) => request(index + 1, ""));
    bench.take(beacon(0));
    bench.take(accept(0, 1, { values: [encodeBatch([opening(), ...many])] }));
    bench.take(chosen(0, 1));
    const [reply] = bench.take(history(0, 9999));
    expect(reply).toMatchObject({ answer: { last: 4096, tail: 4100 } });
  });
});

describe("what is kept is bounded", () => {
  const cluster = testCluster({ historyBytesMax: 6000 });
  const many = 100;

  it("forgets the oldest, and says so to those who ask for them", () => {
    const bench = knowing(many, { cluster });
    const { kept } = (bench.snapshot.context as LearnerContext).data;
    const { firstSlot, firstPosition } = kept;
    expect(firstSlot).toBeGreaterThan(1);
    expect(firstSlot).toBeLessThan(many);
    expect(firstPosition).toBe(firstSlot + 1);
    expect(kept.bytes).toBeLessThanOrEqual(6000);
    expect(bench.take(history(firstPosition - 2))).toEqual([
      {
        kind: "reply",
        token: "t1",
        answer: {
          kind: "refused",
          code: "trimmed",
          message: `positions below ${firstPosition} are not kept here any more`,
          mayHaveHappened: false,
          firstPosition,
        },
      },
    ]);
    const last = many;
    expect(bench.take(history(firstPosition - 1))).toMatchObject([
      { answer: { last, tail: last } },
    ]);
  });

  it("tells other learners from where on it can help", () => {
    const bench = knowing(many, { cluster });
    const { firstSlot: trimmed } = (bench.snapshot.context as LearnerContext).data.kept;
    const from = { type: "entries" as const, from: 0, trimmed };
    const all = Array.from({ length: many - trimmed }, (_, n) => known(trimmed + n));
    expect(bench.take(repair(0, many))).toEqual([
      send("learner", "l2", { ...from, to: many, entries: all }),
    ]);
    expect(bench.take(repair(0, trimmed))).toEqual([
      send("learner", "l2", { ...from, to: 0, entries: [] }),
    ]);
  });
});
