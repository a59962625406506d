/**
 * Goal: the learner's chart learns the log as its picture says: for each message, the next state
 * and the exact effects.
 * Method: the machine is stepped as the host does; whom it tells is in learner-telling.test.ts,
 * single-decree keys are in learner-keys.test.ts.
 */
import { describe, expect, it } from "vitest";
import { roles } from "../../actors/index.js";
import { broadcast, count } from "../../src/kernel/effect.js";
import type { Cluster } from "../../src/paxos/cluster.js";
import { encodeBatch, NOOP } from "../../src/paxos/value.js";
import { ballot, START_MS, testCluster, value } from "../support/steps.js";
import {
  accept,
  asksBasis,
  asksFor,
  asksOne,
  basis,
  beacon,
  chosen,
  entries,
  feedEntry,
  knowing,
  l3,
  learner,
  limits,
  noPause,
  noRetry,
  opening,
  pause,
  publishes,
  range,
  request,
  retry,
  slotValue,
  voteAt,
  voted,
  votes,
} from "./learner-steps.js";

const at2 = ballot(2, "p2");
const ALL = { cluster: testCluster({}, { learn: { kind: "all" } }) };
const SOME = { cluster: testCluster({}, { learn: { kind: "some", learners: ["l1"] } }) };

describe("a value is known (PMS §2.3)", () => {
  it("when it was proposed and the leader announces that ballot and slot", () => {
    const bench = learner();
    expect(bench.take(accept(0, 2))).toEqual([]);
    expect(bench.take(chosen(0, 2))).toEqual([publishes(feedEntry(0), feedEntry(1))]);
    expect(bench.state).toBe("listening");
    expect([...bench.snapshot.tags]).toEqual(["upToDate"]);
  });

  it("when it comes after its announcement", () => {
    const bench = learner();
    expect(bench.take(chosen(0, 1))).toEqual([pause]);
    expect(bench.state).toBe("lagging");
    expect(bench.take(accept(0, 1))).toEqual([publishes(feedEntry(0)), noPause]);
    expect(bench.state).toBe("listening");
  });

  it("when the announcement rides on the next accept", () => {
    const bench = learner();
    bench.take(accept(0, 1));
    const next = accept(1, 1, { chosenWatermark: 1, chosen: [range(0, 1)] });
    expect(bench.take(next)).toEqual([publishes(feedEntry(0))]);
    expect(bench.state).toBe("listening");
  });

  it("never from an accept alone, or an announcement of another ballot", () => {
    const bench = learner();
    bench.take(accept(0, 1));
    expect(bench.take(chosen(0, 1, at2))).toEqual([pause]);
    expect(bench.state).toBe("lagging");
    // A proposal above the chosen ballot has its value (P2), but no vote has shown that it exists.
    const higher = knowing(0);
    higher.take(chosen(0, 1));
    expect(higher.take(accept(0, 1, { at: at2 }))).toEqual([]);
    expect(higher.state).toBe("lagging");
  });

  it.each([
    ["all", ALL],
    ["some", SOME],
  ])("when a phase-2 quorum votes for it, if learners count: %s", (kind, input) => {
    const bench = learner(input);
    bench.take(accept(0, 1));
    expect(bench.take(voted(3, 0))).toEqual([]);
    expect(bench.take(voted(3, 0))).toEqual([]);
    expect(bench.take(voted(1, 0, at2))).toEqual([]);
    const syncedBy = ["a1", "a3"];
    const told = broadcast("learner", { type: "chosen", ranges: [{ ...range(0, 1), syncedBy }] });
    expect(bench.take(voted(1, 0))).toEqual([
      publishes(feedEntry(0, undefined, syncedBy)),
      ...(kind === "some" ? [told] : []),
    ]);
  });

  it("never by the vote of a stranger", () => {
    const bench = learner(ALL);
    bench.take(accept(0, 1));
    bench.take(voted(1, 0));
    expect(bench.take(voted(9, 0))).toEqual([]);
  });

  it("when its votes come before it: then it is the proposal that completes it", () => {
    const bench = learner(ALL);
    bench.take(voted(2, 0));
    bench.take(voted(1, 0));
    expect(bench.take(accept(0, 1))).toEqual([publishes(feedEntry(0))]);
  });

  it("never from votes, where the leader counts or other learners do", () => {
    const others: Cluster["learn"] = { kind: "some", learners: ["l2"] };
    const bench = learner();
    bench.take(accept(0, 1));
    bench.take(voted(1, 0));
    expect([bench.take(voted(2, 0)), bench.heard]).toEqual([[], false]);
    const told = learner({ cluster: testCluster({}, { learn: others }) });
    told.take(accept(0, 1));
    told.take(voted(1, 0));
    // It hears votes in this mode only if they are sent to it; then it counts, and tells nobody.
    expect(told.take(voted(2, 0))).toEqual([publishes(feedEntry(0))]);
  });

  it("once: a repeat of any of it changes nothing", () => {
    const bench = knowing(1);
    bench.take(basis());
    for (const event of [accept(0, 1), chosen(0, 1), entries(0, 1), beacon(1), basis()]) {
      expect(bench.take(event)).toEqual([]);
      expect([bench.state, bench.heard]).toEqual(["listening", true]);
    }
    expect(roles.learner?.status(bench.snapshot)).toMatchObject({
      chosenWatermark: 1,
      appliedWatermark: 1,
    });
  });

  it("in order: a later slot waits for the hole before it", () => {
    const bench = learner();
    bench.take(accept(1, 1));
    // The announcement alone proves no hole: what is below may not be chosen.
    expect(bench.take(chosen(1, 2))).toEqual([]);
    expect(bench.state).toBe("listening");
    expect(bench.take(chosen(0, 1))).toEqual([pause]);
    expect(bench.take(accept(0, 1))).toEqual([publishes(feedEntry(0), feedEntry(1)), noPause]);
  });

  it("and a no-op takes no position, an unreadable command is counted", () => {
    const bench = learner();
    const odd = encodeBatch([opening(), value("?"), request(1, "v2", "g1", 2)]);
    bench.take(accept(0, 3, { values: [NOOP, value("?"), odd] }));
    expect(bench.take(chosen(0, 3))).toEqual([
      publishes({ ...feedEntry(2), position: 1 }),
      count("unreadable_value", 2),
    ]);
  });

  it("a copy is kept, not the network's buffer", () => {
    const bench = learner();
    const event = accept(0, 1);
    bench.take(event);
    event.received[0]?.message.values[0]?.fill(0);
    expect(bench.take(chosen(0, 1))).toEqual([publishes(feedEntry(0))]);
  });
});

describe("lagging", () => {
  it("is entered by a beacon that knows more, and left in time", () => {
    const bench = learner();
    expect(bench.take(beacon(2))).toEqual([asksBasis, pause]);
    expect(bench.state).toBe("lagging");
    expect(bench.take(accept(0, 1))).toEqual([]);
    expect(bench.fire("repairDelay")).toEqual([noPause, asksFor("acceptor", 0, 2), retry]);
    expect(bench.state).toBe("repairing");
  });

  it("is entered by an accept that carries a watermark beyond what is known", () => {
    const bench = learner();
    expect(bench.take(accept(1, 1, { chosenWatermark: 1 }))).toEqual([pause]);
  });

  it("says what it waits for", () => {
    const bench = learner();
    const why = () => roles.learner?.waits(bench.snapshot, START_MS + 40);
    expect(why()).toEqual([]);
    bench.take(beacon(3));
    expect(why()).toMatchObject([
      { for: "the values of slots 0 to 2, which are or may be chosen", have: 0, need: 3 },
    ]);
  });
});

describe("repairing (PMS §2.3)", () => {
  const far = 4 * limits.windowMax;

  function repairing(watermark: number) {
    const bench = learner();
    bench.take(beacon(watermark));
    bench.fire("repairDelay");
    expect(bench.state).toBe("repairing");
    return bench;
  }

  it.each([
    ["few", 4, ["acceptor", "learner", "acceptor", "proposer"]],
    ["many", 5, ["learner", "acceptor", "acceptor", "proposer"]],
  ] as const)(
    "asks for %s slots of one role after the other, after a pause each",
    (_, to, turn) => {
      const bench = learner();
      bench.take(beacon(to));
      expect(bench.fire("repairDelay")).toEqual([noPause, asksFor(turn[0], 0, to), retry]);
      for (const asked of turn.slice(1)) {
        expect(bench.fire("retryDelay")).toEqual([noRetry, asksFor(asked, 0, to), retry]);
        expect(bench.state).toBe("repairing");
      }
    },
  );

  it("drops a watermark that it only heard when nobody knows of it, and hears it again", () => {
    const bench = repairing(67);
    for (let tries = 0; tries < 3; tries++) bench.fire("retryDelay");
    expect(bench.fire("retryDelay")).toEqual([noRetry, retry, noRetry]);
    expect([bench.state, bench.snapshot.tags.has("upToDate")]).toEqual(["listening", true]);
    bench.take(beacon(2));
    expect(bench.fire("repairDelay")).toContainEqual(asksFor("acceptor", 0, 2));
  });

  it("publishes what lies below a watermark that it dropped", () => {
    const bench = repairing(1_000_000);
    for (let tries = 0; tries < 4; tries++) bench.fire("retryDelay");
    bench.take(accept(0, 2));
    expect(bench.take(chosen(0, 2))).toEqual([publishes(feedEntry(0), feedEntry(1))]);
  });

  it("keeps asking for what was announced, also after it dropped a watermark", () => {
    const bench = repairing(67);
    bench.take(chosen(0, 2, at2));
    for (let tries = 0; tries < 3; tries++) bench.fire("retryDelay");
    expect(bench.fire("retryDelay")).toContainEqual(asksFor("acceptor", 0, 2));
    expect(bench.state).toBe("repairing");
  });

  it("asks the learner that helped at once for the rest, and nobody else", () => {
    const bench = repairing(3);
    for (const slot of [0, 1]) {
      expect(bench.take(entries(slot, slot + 1))).toEqual([
        publishes(feedEntry(slot)),
        noRetry,
        asksOne("l2", slot + 1, 3),
        retry,
      ]);
    }
    expect(bench.take(entries(2, 3))).toEqual([publishes(feedEntry(2)), noRetry]);
    expect([bench.state, bench.timers]).toEqual(["listening", []]);
  });

  it("begins each repair with those who are likely to know, whoever helped before", () => {
    const bench = repairing(9);
    bench.fire("retryDelay");
    for (const n of [1, 2])
      bench.take(
        votes(
          n,
          0,
          9,
          Array.from({ length: 9 }, (_, s) => voteAt(s)),
        ),
      );
    expect(bench.state).toBe("listening");
    bench.take(beacon(30));
    expect(bench.fire("repairDelay")).toContainEqual(asksFor("learner", 9, 30));
  });

  it("asks all when the learner that helped answers no more, and goes on with another", () => {
    const bench = repairing(5);
    bench.take(entries(0, 2));
    expect(bench.fire("retryDelay")).toEqual([noRetry, asksFor("learner", 2, 5), retry]);
    expect(bench.take(entries(2, 3, l3))).toContainEqual(asksOne("l3", 3, 5));
    for (const asked of ["learner", "acceptor", "acceptor", "proposer"] as const) {
      expect(bench.fire("retryDelay")).toContainEqual(asksFor(asked, 3, 5));
    }
  });

  it("asks the acceptors at once for the rest where they helped: votes count together", () => {
    const bench = repairing(9);
    bench.fire("retryDelay");
    bench.take(votes(1, 0, 2, [voteAt(0), voteAt(1)]));
    expect(bench.take(votes(2, 0, 2, [voteAt(0), voteAt(1)]))).toContainEqual(
      asksFor("acceptor", 2, 9),
    );
    expect(bench.fire("retryDelay")).toContainEqual(asksFor("learner", 2, 9));
  });

  it("does not ask again at once for an answer to an earlier question, or for live news", () => {
    const bench = repairing(4);
    bench.take(entries(0, 1));
    expect(bench.take(entries(0, 2, l3))).toEqual([publishes(feedEntry(1))]);
    bench.take(accept(2, 1));
    expect(bench.take(chosen(2, 3))).toEqual([publishes(feedEntry(2))]);
    bench.take(beacon(9));
    expect(bench.take(entries(5, 6))).toEqual([]);
    expect(bench.take(entries(1, 6))).toContainEqual(asksOne("l2", 6, 9));
  });

  it("does not ask again at once for news that help with nothing", () => {
    const bench = repairing(2);
    expect(bench.take(accept(5, 1))).toEqual([]);
    expect(bench.take(entries(1, 2))).toEqual([]);
    expect(bench.state).toBe("repairing");
    expect(bench.take(entries(0, 1))).toEqual([publishes(feedEntry(0), feedEntry(1)), noRetry]);
  });

  it("asks for no more than it may keep", () => {
    const bench = learner();
    bench.take(beacon(far + 100));
    expect(bench.fire("repairDelay")).toContainEqual(asksFor("learner", 0, far));
    const asked = bench.fire("retryDelay");
    expect(asked).toContainEqual(asksFor("acceptor", 0, far));
    // A vote in the last slot would show that those a window below are chosen.
    expect(asked).toContainEqual(asksFor("acceptor", far + 99, far + 100));
  });

  it("takes the highest vote that a phase-1 quorum reports for a chosen slot (P2c)", () => {
    const bench = repairing(1);
    for (const n of [1, 3]) bench.take(votes(n, limits.windowMax, far, [voteAt(limits.windowMax)]));
    const old = voteAt(0, at2, slotValue(7));
    const highest = voteAt(0, ballot(5));
    expect(bench.take(votes(1, 0, 1, [old]))).toEqual([]);
    expect(bench.take(votes(1, 0, 1, [old]))).toEqual([]);
    expect(bench.take(votes(3, 0, 1, [highest]))).toEqual([
      publishes(feedEntry(0, ballot(5), ["a3"])),
      noRetry,
    ]);
  });

  it("counts the lack of a vote as a report", () => {
    const bench = repairing(1);
    for (const n of [1, 2]) bench.take(votes(n, limits.windowMax, far, [voteAt(limits.windowMax)]));
    bench.take(votes(1, 0, 1, []));
    expect(bench.take(votes(2, 0, 1, [voteAt(0)]))).toContainEqual(
      publishes(feedEntry(0, undefined, ["a2"])),
    );
  });

  it("takes a vote of the announced ballot or a higher one at once (P2)", () => {
    const bench = learner();
    bench.take(chosen(0, 1, at2));
    bench.fire("repairDelay");
    expect(bench.take(votes(1, 0, 1, [voteAt(0)]))).toEqual([]);
    expect(bench.take(votes(3, 0, 1, [voteAt(0, ballot(3))]))).toEqual([
      publishes(feedEntry(0, at2)),
      noRetry,
    ]);
  });

  it("believes no report of a slot that may not be chosen yet", () => {
    const bench = repairing(1);
    bench.take(votes(1, 0, 9, [voteAt(4)]));
    bench.take(votes(2, 0, 9, [voteAt(4)]));
    const { slots } = bench.snapshot.context.data.chosen;
    expect(slots.get(4)?.reports.size ?? 0).toBe(0);
  });

  it("ends by what comes in the ordinary way, too", () => {
    const bench = repairing(1);
    expect(bench.take(accept(0, 1, { chosen: [range(0, 1)] }))).toEqual([
      publishes(feedEntry(0)),
      noRetry,
    ]);
    expect(bench.state).toBe("listening");
  });
});
