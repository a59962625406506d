/**
 * Goal: the gateway's chart does what its picture says: it holds, passes on, passes on again, and
 * tells each outcome; for each transition, the next state and the exact effects.
 * Method: the machine is stepped as the host does, between a leader, learners and clients written
 * by hand. Who is refused is in gateway-answers.test.ts.
 */
import { describe, expect, it } from "vitest";
import type { GatewayContext } from "../../actors/gateway/context.js";
import { roles } from "../../actors/index.js";
import { send } from "../../src/kernel/effect.js";
import { type Bench, ballot, heardTogether, START_MS } from "../support/steps.js";
import {
  asksWho,
  beacon,
  cancelled,
  clients,
  done,
  door,
  follows,
  holding,
  limits,
  OWN,
  open,
  openCommand,
  opened,
  outcomes,
  own,
  proposes,
  request,
  routing,
  SESSION,
  serving,
  set,
  tick,
} from "./gateway-steps.js";

const { beaconMs, suspectMs, retryDelayMs } = limits;
const contextOf = (bench: Bench) => bench.snapshot.context as GatewayContext;
/** Later than any patience with a command on its way. */
const OVERDUE_MS = 4 * retryDelayMs;

describe("holding", () => {
  it("asks which learners there are, at each interval", () => {
    const bench = holding();
    expect([bench.state, bench.effects]).toEqual(["holding", [asksWho, set("holding")]]);
    expect(bench.take(tick("holding", START_MS + beaconMs))).toEqual([
      cancelled("holding"),
      asksWho,
      set("holding"),
    ]);
  });

  it("holds what it is asked: nothing goes out, whoever of the two it lacks", () => {
    const without = holding();
    const leaderless = holding();
    leaderless.take(outcomes());
    const learnerless = holding();
    expect(learnerless.take(beacon(1))).toEqual([]);
    for (const bench of [without, leaderless, learnerless]) {
      expect(bench.state).toBe("holding");
      for (const event of [open(), request([1]), door("t1")]) {
        expect(bench.take(event)).toEqual([]);
        expect(bench.heard).toBe(true);
      }
    }
  });

  it("is left when a leader shows: its own session is the first thing it wants", () => {
    const bench = holding();
    bench.take(outcomes());
    expect(bench.take(beacon(1))).toEqual([
      proposes("p1", openCommand(OWN)),
      cancelled("holding"),
      follows("l1"),
      set("routing"),
    ]);
    expect(bench.state).toBe("routing");
    expect([...bench.snapshot.tags]).toEqual(["canPropose"]);
  });

  it("is left when a learner shows: what was held goes out, in order", () => {
    const bench = holding();
    bench.take(beacon(1));
    bench.take(open());
    expect(bench.take(outcomes())).toEqual([
      proposes("p1", openCommand(OWN), openCommand(SESSION)),
      cancelled("holding"),
      follows("l1"),
      set("routing"),
    ]);
  });

  it("says what it waits for", () => {
    const why = (bench: Bench) => roles.gateway?.waits(bench.snapshot, START_MS);
    expect(why(holding())).toMatchObject([{ for: "a leader's beacon and a learner", need: 1 }]);
    const bench = routing();
    expect(why(bench)).toEqual([]);
    bench.take(door("t1"));
    expect(why(bench)).toMatchObject([{ for: "outcomes of commands", from: ["l1"], need: 1 }]);
  });

  it("says since when: the command awaited longest, the leader or learner heard last", () => {
    const why = (bench: Bench, nowMs: number) => roles.gateway?.waits(bench.snapshot, nowMs)[0];
    const bench = routing();
    bench.take(door("t1", "d", START_MS + 70));
    bench.take(door("t2", "e", START_MS + 90));
    bench.take(outcomes([], "l1", START_MS + 80));
    expect(why(bench, START_MS + 100)).toMatchObject({ need: 2, sinceMs: 30 });
    bench.take(beacon(1, "p1", START_MS + 2000));
    bench.take(tick("routing", START_MS + 2000));
    expect(bench.state).toBe("holding");
    expect(why(bench, START_MS + 2100)?.sinceMs).toBe(2020);
  });
});

describe("where the leader's gateway is", () => {
  it("stands in what it says to clients, as the leader's beacon said last", () => {
    const told = (bench: Bench) =>
      bench.effects.flatMap((effect) =>
        effect.kind === "send" && "leaderGateway" in effect.message
          ? [effect.message.leaderGateway]
          : [],
      );
    const bench = serving();
    bench.take(request([1]));
    bench.take(outcomes([done(SESSION, 1)]));
    expect(told(bench)).toEqual([null]);
    const event = beacon(1, "p1");
    const { from, message } = event.received[0] as (typeof event.received)[0];
    bench.take({ ...event, received: [{ from, message: { ...message, gateway: "g7" } }] });
    bench.take(request([1]));
    expect(told(bench)).toEqual(["g7"]);
    bench.take(open(false));
    expect(told(bench)).toEqual(["g7"]);
  });
});

describe("routing", () => {
  it("passes requests on as they come, and keeps their order", () => {
    const noResults = send("session", "c1", {
      type: "results",
      session: SESSION,
      results: [],
      leaderGateway: null,
    });
    const bench = serving();
    expect(bench.take(request([1, 2]))).toEqual([proposes("p1", clients(1), clients(2))]);
    // A client that asks again is answered, also where there is no result: the gateway lives.
    expect(bench.take(request([2, 3]))).toEqual([noResults, proposes("p1", clients(3))]);
    expect(bench.take(door("t1"))).toEqual([proposes("p1", own(1))]);
    expect(bench.take(door("t2", "e"))).toEqual([proposes("p1", own(2, "e", 1))]);
  });

  it("lets no request overtake the opening of its session", () => {
    const bench = routing();
    expect(bench.take(open())).toEqual([proposes("p1", openCommand(SESSION))]);
    expect(bench.take(request([1]))).toEqual([]);
    expect(bench.take(outcomes([opened(SESSION)]))).toContainEqual(proposes("p1", clients(1)));
  });

  it("follows its learner at each interval while it awaits an outcome, else at every 4th", () => {
    const bench = routing();
    const next = () => bench.take(tick("routing", START_MS + beaconMs));
    expect(next()).toEqual([cancelled("routing"), follows("l1"), set("routing", 4)]);
    bench.take(door("t1"));
    expect(next()).toEqual([cancelled("routing"), follows("l1"), set("routing")]);
  });

  it("sends again with the leader's beacon what is overdue, and what that makes room for", () => {
    const bench = routing();
    bench.take(beacon(1, "p1", START_MS, own(1).length));
    expect(bench.take(door("t1"))).toEqual([proposes("p1", own(1))]);
    expect(bench.take(door("t2"))).toEqual([]);
    expect(bench.take(beacon(1))).toEqual([proposes("p1", own(2))]);
    expect(bench.take(beacon(1, "p1", START_MS + OVERDUE_MS - 1))).toEqual([]);
    const both = [proposes("p1", own(1), own(2))];
    expect(bench.take(beacon(1, "p1", START_MS + OVERDUE_MS))).toEqual(both);
    expect(bench.take(beacon(1, "p1", START_MS + OVERDUE_MS))).toEqual([]);
  });

  it("sends no more than the leader has room for; an outcome makes room", () => {
    const bench = routing();
    bench.take(beacon(1, "p1", START_MS, own(1).length));
    expect(bench.take(door("t1"))).toEqual([proposes("p1", own(1))]);
    expect(bench.take(door("t2"))).toEqual([]);
    expect(bench.take(outcomes([done(OWN, 1)]))).toContainEqual(proposes("p1", own(2)));
  });

  it("sends everything again to a new leader, in order", () => {
    const bench = serving();
    bench.take(request([1, 2]));
    bench.take(door("t1"));
    expect(bench.take(beacon(2, "p2"))).toEqual([proposes("p2", own(1), clients(1), clients(2))]);
    expect(contextOf(bench).leader).toMatchObject({ id: "p2", ballot: ballot(2, "p2") });
  });

  it("sends nothing again for a beacon of the same leader, or a replaced one", () => {
    const bench = serving();
    bench.take(request([1]));
    expect([bench.take(beacon(1)), bench.heard]).toEqual([[], true]);
    bench.take(beacon(2, "p2"));
    expect([bench.take(beacon(1)), bench.heard]).toEqual([[], false]);
    expect(contextOf(bench).leader?.id).toBe("p2");
  });

  it("sends again what is overdue, and all that came after it", () => {
    const bench = serving();
    bench.take(request([1]));
    bench.take(request([2], START_MS + OVERDUE_MS - 1));
    bench.take(outcomes([], "l1", START_MS + OVERDUE_MS - 1));
    const early = bench.take(tick("routing", START_MS + OVERDUE_MS - 1));
    expect(early).toEqual([cancelled("routing"), follows("l1"), set("routing")]);
    expect(bench.take(tick("routing", START_MS + OVERDUE_MS))).toEqual([
      cancelled("routing"),
      proposes("p1", clients(1), clients(2)),
      follows("l1"),
      set("routing"),
    ]);
    const next = bench.take(tick("routing", START_MS + OVERDUE_MS + beaconMs));
    expect(next).toEqual([cancelled("routing"), follows("l1"), set("routing")]);
  });

  it("sends again from the number that the log awaits, once for one gap", () => {
    const bench = serving();
    bench.take(request([1, 2, 3]));
    const early = (number: number) =>
      ({ kind: "early", session: SESSION, number, expected: 2 }) as const;
    expect(bench.take(outcomes([early(3)]))).toEqual([proposes("p1", clients(2), clients(3))]);
    expect(bench.take(outcomes([early(3)]))).toEqual([]);
    const later = START_MS + retryDelayMs;
    expect(bench.take(outcomes([early(3)], "l1", later))).toHaveLength(1);
  });
});

describe("the end of routing", () => {
  it("comes when the learner is silent for long: others are asked for", () => {
    const bench = routing();
    bench.take(beacon(1, "p1", START_MS + 10 * beaconMs));
    bench.take(tick("routing", START_MS + 10 * beaconMs));
    expect(bench.state).toBe("routing");
    const late = bench.take(tick("routing", START_MS + 10 * beaconMs + 1));
    expect(late).toEqual([
      cancelled("routing"),
      asksWho,
      set("routing"),
      cancelled("routing"),
      asksWho,
      set("holding"),
    ]);
    expect(bench.state).toBe("holding");
    expect(bench.take(door("t1"))).toEqual([]);
    expect(bench.take(outcomes([], "l2"))).toContainEqual(proposes("p1", own(1)));
    expect(bench.state).toBe("routing");
  });

  it("comes when the leader is silent for long: any leader is new then", () => {
    const bench = serving();
    bench.take(request([1]));
    const goneMs = START_MS + 2 * suspectMs + 1;
    bench.take(outcomes([], "l1", goneMs));
    expect(bench.take(tick("routing", goneMs))).toEqual([
      cancelled("routing"),
      asksWho,
      follows("l1"),
      set("routing"),
      cancelled("routing"),
      follows("l1"),
      set("holding"),
    ]);
    expect(bench.state).toBe("holding");
    expect(bench.take(beacon(1, "p1", goneMs))).toContainEqual(proposes("p1", clients(1)));
    expect(bench.state).toBe("routing");
  });

  it("forgets a silent leader while it holds, too", () => {
    const bench = holding();
    bench.take(beacon(1));
    bench.take(tick("holding", START_MS + 2 * suspectMs + 1));
    expect(contextOf(bench).leader).toBeNull();
  });
});

describe("its learner", () => {
  it("is the first that answers, and stays", () => {
    const bench = routing();
    bench.take(outcomes([], "l2"));
    expect(contextOf(bench).learner?.id).toBe("l1");
  });

  it("is the one of its own process, as soon as that answers", () => {
    const bench = routing();
    bench.take(outcomes([], "here"));
    expect(contextOf(bench).learner?.id).toBe("here");
    bench.take(outcomes([], "l1"));
    expect(contextOf(bench).learner?.id).toBe("here");
  });

  it.each([
    ["that is the first to answer", holding],
    ["that it follows", routing],
  ])("is the one of its own process, also if one drain brings another before it, %s", (_, make) => {
    const bench = make();
    const batch = heardTogether(
      ["l1", "here"].flatMap((id) =>
        outcomes([], id).received.map(({ from, message }) => [from, message] as const),
      ),
    );
    bench.take(batch);
    expect(contextOf(bench).learner?.id).toBe("here");
  });

  describe("is the furthest on", () => {
    const { windowMax } = limits;
    const far = windowMax + 2;
    const at = (id: string, applied: number, nowMs = START_MS) => outcomes([], id, nowMs, applied);
    const followed = (bench: Bench) => contextOf(bench).learner?.id;

    it("so one of its own process that reads the log again is not it", () => {
      const bench = holding();
      bench.take(beacon(1));
      bench.take(at("here", 1));
      expect(followed(bench)).toBe("here");
      bench.take(at("l2", far));
      expect(followed(bench)).toBe("l2");
      bench.take(at("here", far - windowMax - 1));
      expect(followed(bench)).toBe("l2");
      bench.take(at("here", far - windowMax));
      expect(followed(bench)).toBe("here");
    });

    it("by more than a window: it does not change for less", () => {
      const bench = routing();
      bench.take(at("l2", far - 1));
      expect(followed(bench)).toBe("l1");
      bench.take(at("l2", far));
      expect(followed(bench)).toBe("l2");
      bench.take(at("l1", far));
      expect(followed(bench)).toBe("l2");
    });

    it("so it asks who is, as long as the leader knows of more than its own has", () => {
      const bench = routing({}, "here");
      const atMs = START_MS + beaconMs;
      bench.take(beacon(1, "p1", atMs, 1 << 20, far - 1));
      expect(bench.take(tick("routing", atMs))).toContainEqual(follows("here"));
      expect(bench.take(tick("routing", atMs))).not.toContainEqual(asksWho);
      bench.take(beacon(1, "p1", atMs, 1 << 20, far));
      expect(bench.take(tick("routing", atMs))).toEqual([
        cancelled("routing"),
        asksWho,
        follows("here"),
        set("routing", 4),
      ]);
      bench.take(at("l2", far));
      const next = bench.take(tick("routing", atMs));
      expect(next).toEqual([cancelled("routing"), follows("l2"), set("routing", 4)]);
    });

    it("so it asks now and then, until one of its own process is it", () => {
      const bench = routing();
      const asked: number[] = [];
      for (let n = 1; n <= 60; n++) {
        const nowMs = START_MS + n * beaconMs;
        bench.take(beacon(1, "p1", nowMs));
        bench.take(at(n > 45 ? "here" : "l1", 1, nowMs));
        const told = bench.take(tick("routing", nowMs));
        if (told.some((effect) => effect.kind === "broadcast")) asked.push(n);
      }
      expect(asked).toEqual([20, 40]);
    });
  });

  it("tells outcomes, whichever it is: what is told twice is passed over", () => {
    const bench = serving();
    bench.take(request([1]));
    expect(bench.take(outcomes([done(SESSION, 1)], "l2"))).toHaveLength(1);
    expect(bench.take(outcomes([done(SESSION, 1)], "l1"))).toEqual([]);
  });
});
