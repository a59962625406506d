/**
 * Goal: the session's chart does what its picture says: for each transition, the next state and the
 * exact effects.
 * Method: the machine is stepped as the host does. Delays are drawn from a seed: where only their
 * range is promised, the timer is looked at, not compared.
 */
import { describe, expect, it } from "vitest";
import { sessionMachine } from "../../actors/session/machine.js";
import { sessionRole } from "../../actors/session/role.js";
import { send } from "../../src/kernel/effect.js";
import { CLIENT_BOUNDS } from "../../src/paxos/clients/client.js";
import { DEFAULT_LIMITS } from "../../src/paxos/limits.js";
import type { ClientRequests } from "../../src/paxos/wire/messages.js";
import {
  Bench,
  heard,
  heardTogether,
  roleInput,
  START_MS,
  testCluster,
  timerCancelled,
  timerSet,
} from "../support/steps.js";
import {
  at,
  context,
  done,
  failed,
  g1,
  g2,
  OPENED_IN,
  opened,
  openFresh,
  RETRY_MS,
  reattach,
  refused,
  requests,
  results,
  SESSION,
  said,
  serving,
  settle,
  starting,
  submission,
  submit,
  toG1,
  withdraw,
} from "./session-steps.js";

const tooLargeBy = (token: number, bytesMax: number, mayHaveHappened: boolean) => {
  return { kind: "failed" as const, token, code: "too_large" as const, mayHaveHappened, bytesMax };
};

describe("opening", () => {
  it("asks any gateway at once, and again after each silence, longer each time", () => {
    const bench = starting();
    expect(bench.state).toBe("opening");
    expect(bench.effects).toEqual([openFresh, timerSet("retryDelay", "session.opening", RETRY_MS)]);
    for (let time = 0; time < 8; time++) {
      bench.fire("retryDelay");
      expect(said(bench)).toEqual([openFresh]);
      expect(context(bench).delayMs).toBeGreaterThanOrEqual(RETRY_MS);
      expect(context(bench).delayMs).toBeLessThanOrEqual(8 * RETRY_MS);
    }
  });

  it("holds requests, and sends them to the gateway that opened it", () => {
    const bench = starting();
    expect(bench.take(submit(submission(1), submission(2)))).toEqual([]);
    bench.take(heard(opened(), g1));
    expect(bench.state).toBe("open.awaiting");
    expect(bench.effects).toEqual([
      timerCancelled("retryDelay", "session.opening"),
      toG1(requests(1, [1, 2])),
      expect.objectContaining({ kind: "setTimer" }),
    ]);
  });

  it("asks of the opening it was told first, whatever later one another gateway tells of", () => {
    const bench = serving(1);
    bench.take(heard(refused("stopped"), g1));
    expect(bench.state).toBe("reattaching");
    bench.take(heard(opened(SESSION, OPENED_IN + 5), g2));
    const again = send("gateway", "g2", requests(1, [1]));
    expect(said(bench)).toContainEqual(again);
  });

  it("asks of an opening that it was not told, in a cluster that tells none", () => {
    const bench = starting();
    bench.take(heard(opened(SESSION, null), g1));
    bench.take(submit(submission(1)));
    expect(said(bench)).toContainEqual(toG1({ ...requests(1, [1]), openedIn: null }));
  });

  it("drops what never left when nobody waits for it, and leaves no gap", () => {
    const bench = starting();
    bench.take(submit(submission(1), submission(2)));
    const given = { kind: "withdrawn" as const, token: 1, mayHaveHappened: false };
    expect(bench.take(withdraw(1))).toEqual([settle(given)]);
    bench.take(heard(opened(), g1));
    expect(said(bench)).toEqual([toG1(requests(1, [2]))]);
  });

  it("does not take another session for its own, nor a refusal for an answer", () => {
    const bench = starting();
    bench.take(heard(opened("0".repeat(32)), g1));
    expect(bench.state).toBe("opening");
    expect(bench.take(heard(refused("overloaded"), g1))).toEqual([]);
    expect(bench.state).toBe("opening");
  });
});

describe("open", () => {
  it("sends what is submitted at once, numbered", () => {
    const bench = serving();
    bench.take(submit(submission(7), submission(8)));
    expect(bench.state).toBe("open.awaiting");
    expect(said(bench)).toEqual([toG1(requests(1, [7, 8]))]);
    expect(bench.take(submit(submission(9)))).toEqual([toG1(requests(3, [9]))]);
  });

  it("completes in any order, and says below which number all is answered", () => {
    const bench = serving(1, 2, 3);
    expect(bench.take(heard(results([2]), g1))).toEqual([settle(done(2))]);
    expect(bench.take(submit(submission(4)))).toEqual([toG1(requests(4, [4], 1))]);
    bench.take(heardTogether([[g1, results([1])] as const, [g1, results([3])] as const]));
    expect(said(bench)).toEqual([settle(done(1), done(3))]);
    expect(bench.take(submit(submission(5)))).toEqual([toG1(requests(5, [5], 4))]);
  });

  it("is idle when all is answered", () => {
    const bench = serving(1);
    bench.take(heard(results([1]), g1));
    expect(bench.state).toBe("open.idle");
    expect(bench.timers).toEqual([]);
  });

  it("passes over results told twice, or of another session", () => {
    const bench = serving(1, 2);
    bench.take(heard(results([1]), g1));
    expect(bench.take(heard(results([1]), g1))).toEqual([]);
    expect(bench.take(heard(results([2], "0".repeat(32)), g1))).toEqual([]);
    expect(bench.state).toBe("open.awaiting");
  });

  it("sends the unanswered again after a silence, in runs without gaps", () => {
    const bench = serving(1, 2, 3, 4);
    bench.take(heard(results([2]), g1, START_MS + 200));
    const fire = (nowMs: number) => {
      const [id] = bench.timers;
      return bench.take({ type: id as string, nowMs });
    };
    fire(START_MS + 799);
    expect(said(bench)).toEqual([]); // results take 200 ms, or somewhat longer
    fire(START_MS + 800);
    expect(bench.state).toBe("open.awaiting");
    expect(said(bench)).toEqual([toG1(requests(1, [1])), toG1(requests(3, [3, 4]))]);
  });

  it("withdraws nothing that has a number", () => {
    const bench = serving(1);
    const kept = { kind: "withdrawn" as const, token: 1, mayHaveHappened: true };
    expect(bench.take(withdraw(1))).toEqual([settle(kept)]);
    expect(bench.take(heard(results([1]), g1))).toContainEqual(settle(done(1)));
  });

  it("keeps messages and its window within bounds", () => {
    const bench = serving();
    const many = Array.from({ length: 40 }, (_, index) => submission(index + 1, 200 * 1024));
    bench.take(submit(...many));
    const messages = said(bench).map((effect) => (effect as { message: ClientRequests }).message);
    const bytes = (message: ClientRequests) =>
      message.requests.reduce((sum, { body }) => sum + body.length, 0);
    for (const message of messages) {
      expect(bytes(message)).toBeLessThanOrEqual(DEFAULT_LIMITS.partBytesMax);
    }
    expect(messages.length).toBe(10);
    expect(messages.flatMap((message) => message.requests).map(({ number }) => number)).toEqual(
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
    bench.take(heard(results([1, 2]), g1));
    expect(said(bench).at(-1)).toMatchObject({ message: { answeredBelow: 3 } });
  });

  it("numbers no further than the results that the log keeps of one session", () => {
    const cluster = testCluster({ sessionResultsMax: 8 });
    const bench = new Bench(sessionMachine, roleInput({ id: SESSION, cluster }));
    bench.take(heard(opened(), g1));
    bench.take(submit(...Array.from({ length: 10 }, (_, index) => submission(index + 1))));
    expect(said(bench)).toEqual([toG1(requests(1, [1, 2, 3, 4]))]);
    bench.take(heard(results([2, 3]), g1));
    expect(said(bench)).toEqual([settle(done(2), done(3))]);
    bench.take(heard(results([1]), g1));
    expect(said(bench)).toEqual([settle(done(1)), toG1(requests(5, [5, 6, 7], 4))]);
  });

  it("turns away what it may not hold", () => {
    const bench = serving();
    const { pendingBytesMax } = CLIENT_BOUNDS;
    bench.take(submit(submission(1, pendingBytesMax), submission(2)));
    expect(said(bench)[0]).toEqual(settle(failed(2, "overloaded", false)));
  });
});

describe("refusals of the gateway", () => {
  it("overloaded: leaves it alone, then sends from the refused number on", () => {
    const bench = serving(1, 2, 3);
    bench.take(heard(refused("overloaded", 2, 100), g1));
    expect(bench.state).toBe("open.backingOff");
    expect(said(bench)).toEqual([]);
    const { retryAfterMs } = context(bench);
    expect(retryAfterMs).toBeGreaterThanOrEqual(100);
    expect(retryAfterMs).toBeLessThanOrEqual(200);
    expect(bench.take(submit(submission(4)))).toEqual([]);
    bench.fire("retryAfter");
    expect(bench.state).toBe("open.awaiting");
    expect(said(bench)).toEqual([toG1(requests(2, [2, 3, 4]))]);
  });

  it("of a gateway that does not serve us say nothing, but that the session is unknown", () => {
    const bench = serving(1);
    for (const code of ["overloaded", "stopped", "too_large"] as const) {
      bench.take(heard(refused(code), g2));
      expect(bench.state).toBe("open.awaiting");
    }
    bench.take(heard(refused("session_expired"), g2));
    expect(bench.state).toBe("expired");
  });

  it("session_expired: what was sent may have happened, the rest not; the session halts", () => {
    const bench = starting();
    bench.take(heard(opened(), g1));
    const tokens = Array.from({ length: 9 }, (_, index) => index + 1);
    bench.take(submit(...tokens.map((token) => submission(token, 500 * 1024)))); // 8 in the window
    bench.take(heard(refused("session_expired"), g1));
    expect(bench.state).toBe("expired");
    const why = "the session is not in the log's table any more";
    expect(said(bench)).toEqual([
      settle(...tokens.map((token) => failed(token, "session_expired", token < 9))),
      { kind: "halt", why },
    ]);
    const late = settle(failed(10, "session_expired", false));
    expect(bench.take(submit(submission(10)))).toEqual([late]);
  });

  it("too_large: that one fails with the limit, and those behind it go on", () => {
    const bench = serving(1, 2, 3);
    bench.take(heard({ ...refused("too_large", 2), bytesMax: 700 }, g1));
    expect(bench.state).toBe("open.awaiting");
    const tooLarge = tooLargeBy(2, 700, false);
    expect(said(bench)).toEqual([
      settle(tooLarge),
      send("gateway", "g1", requests(3, [3])), // 1 is still awaited: 2 may not be passed over yet
    ]);
    bench.take(heard(results([1]), g1));
    expect(said(bench)).toEqual([
      settle(done(1)),
      send("gateway", "g1", requests(3, [3], 3)), // nobody waits for anything below 3
    ]);
  });

  it("too_large: a copy that the gateway passed on before may be chosen yet", () => {
    const bench = serving(1);
    bench.take(heard({ ...refused("too_large", 1), bytesMax: 700, mayHaveHappened: true }, g1));
    expect(said(bench)).toEqual([settle(tooLargeBy(1, 700, true))]);
    expect(bench.state).toBe("open.idle");
    bench.take(submit(submission(2)));
    expect(said(bench)).toEqual([send("gateway", "g1", requests(2, [2], 2))]);
  });

  it("a server that takes less by now: what it cannot take fails, the rest goes on", () => {
    const bench = starting();
    bench.take(heard(opened(), g1));
    const event = { ...submit(submission(1), submission(2, 60_000), submission(3)) };
    bench.take({ ...event, payloadBytesMax: 65_536 });
    const tooLarge = tooLargeBy(2, 46_080, false);
    expect(said(bench)).toEqual([
      settle(tooLarge),
      { kind: "checkPayload" },
      send("gateway", "g1", requests(1, [1, 3])),
    ]);
  });

  it("stopped: asks for another gateway at once, and sends it all that is unanswered", () => {
    const bench = serving(1, 2, 3);
    bench.take(heard(results([1]), g1));
    bench.take(heard(refused("stopped", 3), g1));
    expect(bench.state).toBe("reattaching");
    expect(said(bench)).toEqual([reattach]);
    bench.take(heard(opened(), g2));
    expect(bench.state).toBe("open.awaiting");
    expect(said(bench)).toEqual([send("gateway", "g2", requests(2, [2, 3], 2))]);
  });

  it("after one single copy: it has not happened", () => {
    const bench = serving(1, 2);
    bench.take(heard(refused("overloaded", 2), g1));
    bench.take(at("stop"));
    const numbers = { answeredBelow: 1, number: 3, openedIn: OPENED_IN };
    expect(said(bench)).toEqual([
      send("gateway", "g1", { type: "end-session", session: SESSION, ...numbers }),
      settle(failed(1, "stopped", true), failed(2, "stopped", false)),
    ]);
  });
});

describe("silence of the gateway", () => {
  it("leads to another, or back to it when it is heard again", () => {
    const bench = serving(1, 2);
    for (let nowMs = START_MS; bench.state !== "reattaching"; nowMs += RETRY_MS) {
      expect(nowMs - START_MS).toBeLessThanOrEqual(4 * RETRY_MS);
      bench.take({ type: bench.timers[0] as string, nowMs });
    }
    expect(said(bench)).toEqual([reattach]);
    bench.fire("retryDelay");
    expect(said(bench)).toEqual([reattach]);
    expect(bench.take(submit(submission(3)))).toEqual([]);
    bench.take(heard(results([2]), g2));
    expect(bench.state).toBe("reattaching");
    expect(said(bench)).toEqual([settle(done(2))]);
    bench.take(heard(results([1]), g1));
    expect(bench.state).toBe("open.awaiting");
    expect(said(bench)).toEqual([settle(done(1)), toG1(requests(3, [3], 3))]);
  });

  it("ends with the session if the log does not know it", () => {
    const bench = serving(1);
    bench.take(heard(refused("stopped"), g1));
    bench.take(heard(refused("overloaded"), g2));
    expect(bench.state).toBe("reattaching");
    bench.take(heard(refused("session_expired"), g2));
    expect(bench.state).toBe("expired");
  });
});

describe("the connection", () => {
  it("lost: holds; back: sends all that is unanswered to the same gateway", () => {
    const bench = serving(1);
    bench.take(at("connection.down"));
    expect(bench.state).toBe("offline");
    expect(bench.timers).toEqual([]);
    expect(bench.take(submit(submission(2)))).toEqual([]);
    bench.take(at("connection.up", START_MS + 60_000));
    expect(bench.state).toBe("open.awaiting");
    expect(said(bench)).toEqual([toG1(requests(1, [1, 2]))]);
    bench.take({ type: bench.timers[0] as string, nowMs: START_MS + 60_000 + RETRY_MS });
    expect(bench.state).toBe("open.awaiting"); // the silence counts from there
  });

  it("lost before it was open: opens it when it is back", () => {
    const bench = starting();
    bench.take(at("connection.down"));
    bench.take(at("connection.up"));
    expect(bench.state).toBe("opening");
    expect(said(bench)).toEqual([openFresh]);
  });
});

describe("closed", () => {
  it("ends all it holds, says what may have happened, and takes nothing more", () => {
    const bench = starting();
    bench.take(submit(submission(1)));
    bench.take(at("stop"));
    expect(bench.state).toBe("closed");
    expect(said(bench)).toEqual([settle(failed(1, "stopped", false))]);
    expect(bench.timers).toEqual([]);
    expect(bench.take(submit(submission(2)))).toEqual([settle(failed(2, "stopped", false))]);
    for (const event of [at("connection.down"), at("connection.up"), at("stop")]) {
      expect(bench.take(event)).toEqual([]);
      expect(bench.state).toBe("closed");
    }
  });
});

describe("what it shows", () => {
  const waits = (bench: Bench) => sessionRole.waits(bench.snapshot, START_MS + 500);

  it("is what it waits for, from whom, since when", () => {
    expect(waits(starting())[0]).toMatchObject({ for: "a gateway to open the session", need: 1 });
    const bench = serving(1, 2);
    expect(waits(bench)[0]).toMatchObject({ for: "results of 2 requests", from: ["g1"] });
    expect(waits(bench)[0]).toMatchObject({ need: 2, sinceMs: 500 });
    bench.take(heard(refused("overloaded"), g1));
    expect(waits(bench)[0]?.reason).toContain("overloaded");
    const copy = context(bench).data.clone();
    expect(copy.describe()).toBe(context(bench).data.describe());
    bench.take(heard(results([1]), g1));
    expect(copy.open.size).toBe(2);
    bench.take(at("connection.down"));
    expect(waits(bench)[0]?.reason).toContain("no connection");
    expect(waits(serving())).toEqual([]);
    expect(sessionRole.status(bench.snapshot)).toEqual({ nacks: 1 });
  });
});
