/**
 * Goal: what a gateway tells clients and those who come through its door: results, receipts,
 * refusals; the exact effects.
 * Method: as in gateway.test.ts.
 */
import { describe, expect, it } from "vitest";
import { type Effect, send } from "../../src/kernel/effect.js";
import type { Outcome } from "../../src/paxos/wire/messages.js";
import { ballot, heardTogether, testCluster } from "../support/steps.js";
import {
  clients,
  done,
  door,
  expired,
  holding,
  OWN,
  open,
  openCommand,
  opened,
  outcomes,
  own,
  proposes,
  refusesDoor,
  request,
  routing,
  SESSION,
  serving,
  stop,
  toClient,
} from "./gateway-steps.js";

const results = (...numbers: number[]): Effect =>
  send("session", "c1", {
    type: "results",
    session: SESSION,
    results: numbers.map((number) => ({
      number,
      position: number,
      slot: number + 10,
      ballot: ballot(1),
      syncedBy: ["a1", "a2"],
    })),
    leaderGateway: null,
  });
const isOpenIn = (openedIn: number | null) =>
  send("session", "c1", {
    type: "session-opened",
    session: SESSION,
    openedIn,
    leaderGateway: null,
  });
const isOpen = isOpenIn(3);
const receipt = (token: string, number: number): Effect => ({
  kind: "reply",
  token,
  answer: {
    kind: "receipt",
    position: number,
    slot: number + 10,
    ballot: ballot(1),
    syncedBy: ["a1", "a2"],
  },
});

describe("a session", () => {
  it("is told that it is open when the log says so", () => {
    const bench = routing();
    expect(bench.take(open())).toEqual([proposes("p1", openCommand(SESSION))]);
    expect(bench.take(open())).toEqual([]);
    expect(bench.take(outcomes([opened(SESSION)]))).toEqual([isOpen]);
  });

  it("that was open before is served at once: its requests will tell if it is known", () => {
    const bench = routing();
    expect(bench.take(open(false))).toEqual([isOpenIn(null)]);
    const fourth = request([4], undefined, "v", 4);
    expect(bench.take(fourth)).toEqual([proposes("p1", clients(4, "v", 4))]);
  });

  it("is served even if its opening was said elsewhere", () => {
    const fourth = request([4], undefined, "v", 4);
    expect(routing().take(fourth)).toEqual([proposes("p1", clients(4, "v", 4))]);
  });

  it("is not served behind a gap: its client asks again from there", () => {
    const bench = routing();
    expect(bench.take(request([4]))).toEqual([]);
    expect(bench.take(request([1, 2]))).toEqual([proposes("p1", clients(1), clients(2))]);
    expect(bench.take(request([4, 5]))).toEqual([]);
    expect(bench.take(request([3, 4]))).toEqual([proposes("p1", clients(3), clients(4))]);
  });

  it("is told its results, those of one message together", () => {
    const bench = serving();
    bench.take(request([1, 2, 3]));
    expect(bench.take(outcomes([done(SESSION, 1), done(SESSION, 2)]))).toEqual([results(1, 2)]);
    expect(bench.take(outcomes([done(SESSION, 3)]))).toEqual([results(3)]);
  });

  it("is told outcomes of one drain together, those of others not", () => {
    const bench = serving();
    bench.take(request([1, 2]));
    const batch = heardTogether(
      [done(SESSION, 1), done("ee".repeat(16), 1), done(SESSION, 2)].flatMap((outcome) =>
        outcomes([outcome]).received.map(({ from, message }) => [from, message] as const),
      ),
    );
    expect(bench.take(batch)).toEqual([results(1, 2)]);
  });

  it("is told many results in several messages", () => {
    const bench = serving();
    const numbers = Array.from({ length: 2050 }, (_, index) => index + 1);
    bench.take(request(numbers));
    const told: Outcome[] = numbers.map((number) => done(SESSION, number));
    expect(bench.take(outcomes(told))).toEqual([
      results(...numbers.slice(0, 2048)),
      results(2049, 2050),
    ]);
  });

  it("that the log does not know any more is told so, and begins anew elsewhere", () => {
    const bench = serving();
    bench.take(request([1]));
    expect(bench.take(outcomes([expired(SESSION)]))).toEqual([toClient("session_expired", 1)]);
    expect(bench.take(outcomes([expired(SESSION)]))).toEqual([]);
  });

  it("passes on which of its requests did not happen", () => {
    const bench = serving();
    bench.take(request([1]));
    const told = bench.take(outcomes([expired(SESSION, 7)]));
    expect(told).toEqual([toClient("session_expired", 1, 7)]);
  });
});

describe("the door", () => {
  it("is answered with a receipt", () => {
    const bench = routing();
    bench.take(door("t1"));
    bench.take(door("t2"));
    expect(bench.take(outcomes([done(OWN, 1), done(OWN, 2)]))).toEqual([
      receipt("t1", 1),
      receipt("t2", 2),
    ]);
  });

  it("says that the outcome is unknown when its session was evicted, and opens another", () => {
    const bench = routing();
    bench.take(door("t1"));
    const [lost, opening, ...rest] = bench.take(outcomes([expired(OWN)]));
    expect(lost).toEqual({
      kind: "reply",
      token: "t1",
      answer: {
        kind: "refused",
        code: "outcome_unknown",
        message: "the gateway's session was evicted: the value may or may not be in the log",
        mayHaveHappened: true,
      },
    });
    const { ownSession } = bench.snapshot.context.data as { ownSession: string };
    expect([opening, rest]).toEqual([proposes("p1", openCommand(ownSession)), []]);
  });

  it("goes on in another session with what did not happen in the one that was evicted", () => {
    const bench = routing();
    bench.take(door("t1"));
    const told = bench.take(outcomes([expired(OWN, 0)]));
    const { ownSession } = bench.snapshot.context.data as { ownSession: string };
    expect(told).toEqual([proposes("p1", openCommand(ownSession))]);
    const opened = { kind: "opened" as const, session: ownSession, openedIn: 9 };
    expect(bench.take(outcomes([opened]))).toHaveLength(1);
    expect(bench.take(outcomes([done(ownSession, 1)]))).toEqual([receipt("t1", 1)]);
  });

  it("opens a session that was not there before", () => {
    const bench = routing();
    const sessions = new Set([OWN]);
    for (let round = 1; round <= 3; round++) {
      const { ownSession } = bench.snapshot.context.data as { ownSession: string };
      bench.take(door("t"));
      bench.take(outcomes([expired(ownSession)]));
      sessions.add((bench.snapshot.context.data as { ownSession: string }).ownSession);
    }
    expect(sessions.size).toBe(4);
  });
});

describe("a session that is gone", () => {
  it.each([
    ["expired", expired(SESSION)],
    ["ended", { kind: "ended", session: SESSION, number: 2 } as Outcome],
  ])("%s in the batch of a result still has the result", (_, end) => {
    const bench = serving();
    bench.take(request([1]));
    const [first] = bench.take(outcomes([done(SESSION, 1), end]));
    expect(first).toEqual(results(1));
  });
});

describe("refusals", () => {
  const room = openCommand(OWN).length + own(1).length;
  const cluster = testCluster({ holdBytesMax: room });

  it("of the door, when it holds all it may; an outcome makes room", () => {
    const bench = holding({ cluster });
    expect(bench.take(door("t1"))).toEqual([]);
    expect(bench.take(door("t2"))).toEqual([refusesDoor("t2", "overloaded")]);
    const open = routing({ cluster: testCluster({ holdBytesMax: own(1).length }) });
    open.take(door("t1"));
    expect(open.take(door("t2"))).toEqual([refusesDoor("t2", "overloaded")]);
    expect(open.take(outcomes([done(OWN, 1)]))).toEqual([receipt("t1", 1)]);
    expect(open.take(door("t3"))).toHaveLength(1);
  });

  it("of requests, from the first that has no room; those before it are held", () => {
    const bench = holding({ cluster });
    expect(bench.take(request([1, 2, 3]))).toEqual([toClient("overloaded", 2)]);
  });

  it("of all that is new while it drains; what was taken is still told", () => {
    const bench = serving();
    bench.take(request([1]));
    bench.take(door("t1"));
    bench.take(stop);
    expect(bench.take(request([2, 3]))).toEqual([toClient("stopped", 2)]);
    expect(bench.take(door("t2"))).toEqual([refusesDoor("t2", "stopped")]);
    expect([bench.take(open()), bench.heard]).toEqual([[], true]);
    expect(bench.take(outcomes([done(SESSION, 1), done(OWN, 1)]))).toEqual([
      results(1),
      receipt("t1", 1),
    ]);
  });
});
