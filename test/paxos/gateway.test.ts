/**
 * Goal: a gateway holds what it was asked, passes it on in order within its credit, and again when
 * that may be needed, until every outcome is told; nothing is told that is not in the log.
 * Method: the real gateway's rules against the real rules of the log; the test is the network. Any
 * network at all is in gateway-network.test.ts.
 */
import { describe, expect, it } from "vitest";
import { attachSession, clientOf } from "../../src/paxos/clients/gateway.js";
import { proposalsOf } from "../../src/paxos/clients/gateway-door.js";
import { forgetIdle } from "../../src/paxos/clients/gateway-gaps.js";
import { decodeCommand, encodeCommand } from "../../src/paxos/command.js";
import type { Outcome, Propose } from "../../src/paxos/wire/messages.js";
import { GatewayBench, opened, sessionId } from "../support/gateway-world.js";

describe("holding and sending", () => {
  it("sends the requests of a session in order, once", () => {
    const { bench, session } = opened();
    expect(bench.hold(session, 1, 2, 3)).toBeNull();
    expect(bench.sent()).toEqual(["1", "2", "3"]);
    expect(bench.sent()).toEqual([]);
  });

  it("holds a repeat once", () => {
    const { bench, session } = opened();
    bench.hold(session, 1, 2);
    const { heldBytes } = bench.state;
    bench.hold(session, 1, 2);
    expect(bench.state.heldBytes).toBe(heldBytes);
    expect(bench.sent()).toEqual(["1", "2"]);
  });

  it("sends the opening first, and requests only when it is settled", () => {
    const bench = new GatewayBench();
    const session = bench.open("s");
    bench.hold(session, 1, 2);
    const opening = bench.take();
    expect(opening.flatMap(({ commands }) => commands)).toHaveLength(1);
    expect(bench.sent()).toEqual([]);
    const told = bench.hear(...bench.choose(...opening));
    expect(told.opened).toMatchObject([{ session, openedIn: 0 }]);
    expect(bench.sent()).toEqual(["1", "2"]);
  });

  it("opens a session that was asked before its opening came", () => {
    const bench = new GatewayBench();
    const session = sessionId("s");
    bench.hold(session, 1); // the opening is late
    bench.open("s");
    expect(bench.sent()).toEqual(["open"]);
  });

  it("opens no session twice at once", () => {
    const bench = new GatewayBench();
    bench.open("s");
    bench.open("s");
    expect(bench.sent()).toEqual(["open"]);
  });

  it("holds what came late in the order of the numbers", () => {
    const { bench, session } = opened();
    bench.holdFrom(session, 3, 3, 4);
    bench.take();
    bench.hold(session, 1, 2); // copies
    bench.take();
    bench.sendAllAgain();
    expect(bench.sent()).toEqual(["1", "2", "3", "4"]);
  });

  it("holds nothing behind a gap, which nobody may be left to fill", () => {
    const { bench, session } = opened();
    bench.hold(session, 2, 3);
    expect(bench.state.heldBytes).toBe(0);
    bench.hold(session, 1);
    bench.hold(session, 3);
    expect(bench.sent()).toEqual(["1"]);
    bench.hold(session, 2, 3);
    expect(bench.sent()).toEqual(["2", "3"]);
    bench.holdFrom(session, 6, 7);
    bench.holdFrom(session, 6, 6, 7);
    expect(bench.sent()).toEqual(["6", "7"]);
  });

  it("cuts messages by bytes and by commands", () => {
    const { bench, session } = opened(new GatewayBench({ batchCommandsMax: 2 }));
    bench.hold(session, 1, 2, 3, 4, 5);
    expect(bench.take().map(({ commands }) => commands.length)).toEqual([2, 2, 1]);
    const small = opened(new GatewayBench({ partBytesMax: 80 }));
    small.bench.hold(small.session, 1, 2, 3);
    expect(small.bench.take().map(({ commands }) => commands.length)).toEqual([1, 1, 1]);
  });

  it("refuses from the first request there is no room for", () => {
    const { bench, session } = opened(new GatewayBench({ holdBytesMax: 200 }));
    const refused = bench.hold(session, 1, 2, 3, 4, 5, 6);
    expect(refused).toBeGreaterThan(1);
    const held = Array.from({ length: (refused ?? 0) - 1 }, (_, at) => `${at + 1}`);
    expect(bench.sent()).toEqual(held);
    expect(bench.holdDoor("door")).toBe(false);
  });

  it("has room again when outcomes come", () => {
    const { bench, session } = opened(new GatewayBench({ holdBytesMax: 200 }));
    const refused = bench.hold(session, 1, 2, 3, 4, 5, 6) as number;
    bench.hear(...bench.choose(...bench.take()));
    expect(bench.state.heldBytes).toBe(0);
    expect(bench.hold(session, refused)).toBeNull();
  });
});

describe("credit", () => {
  it("sends no more than the leader has room for, but always one", () => {
    const { bench, session } = opened();
    bench.state.creditBytes = 0;
    bench.hold(session, 1, 2, 3);
    const first = bench.take();
    expect(first.flatMap(({ commands }) => commands)).toHaveLength(1);
    expect(bench.sent()).toEqual([]);
    bench.hear(...bench.choose(...first));
    expect(bench.sent()).toEqual(["2"]);
  });

  it("counts only what is under way", () => {
    const { bench, session } = opened();
    bench.hold(session, 1, 2);
    const sent = bench.take();
    const size = sent.flatMap(({ commands }) => commands).reduce((sum, one) => sum + one.length, 0);
    expect(bench.state.underWayBytes).toBe(size);
    bench.hear(...bench.choose(...sent));
    expect(bench.state.underWayBytes).toBe(0);
    bench.hold(session, 3);
    bench.take();
    bench.sendAllAgain();
    expect(bench.state.underWayBytes).toBe(0);
  });
});

describe("another leader", () => {
  it("is sent everything that has no outcome, each session in order, the opening first", () => {
    const { bench, session } = opened();
    bench.hold(session, 1, 2, 3);
    const [sent] = bench.take();
    bench.open("t");
    bench.hold(sessionId("t"), 1);
    bench.take();
    const [one] = bench.choose(...(sent === undefined ? [] : [sent]));
    bench.hear(one as Outcome);
    bench.sendAllAgain();
    expect(bench.sent()).toEqual(["2", "3", "open"]);
  });

  it("makes nothing take effect twice", () => {
    const { bench, session } = opened();
    bench.hold(session, 1, 2);
    const before = bench.take();
    bench.sendAllAgain();
    const outcomes = [...bench.choose(...before), ...bench.choose(...bench.take())];
    const { results } = bench.hear(...outcomes);
    expect(results.get(session)?.map(({ number, position }) => [number, position])).toEqual([
      [1, 1],
      [2, 2],
    ]);
    expect(bench.bodies()).toHaveLength(2);
  });
});

describe("a client that went to another gateway", () => {
  it("and has its results leaves nothing behind that is sent for ever", () => {
    const { bench, session } = opened();
    bench.hold(session, 1, 2);
    const sent = bench.take();
    bench.choose(...sent); // the outcomes are told to the other gateway
    const asked = { session, openedIn: null, number: 3, answeredBelow: 3, gateway: "g2" };
    const body = Uint8Array.of(1);
    const blob = encodeCommand({ kind: "request", ...asked, id: "", type: "bytes", body });
    bench.choose({ type: "propose", commands: [blob] }); // it has the results of 1 and 2
    bench.sendAllAgain();
    const { results } = bench.hear(...bench.choose(...bench.take()));
    expect(results.size).toBe(0);
    expect(bench.state.heldBytes).toBe(0);
  });
});

describe("doors", () => {
  /** A bench whose own session is open. */
  function door(limits = {}): GatewayBench {
    const bench = new GatewayBench(limits);
    bench.openOwn();
    bench.hear(...bench.choose(...bench.take()));
    return bench;
  }

  it("get a receipt each, in order", () => {
    const bench = door();
    for (const token of ["t1", "t2"]) expect(bench.holdDoor(token)).toBe(true);
    const { receipts, results } = bench.hear(...bench.choose(...bench.take()));
    expect(receipts.map(({ token, outcome }) => [token, outcome.position])).toEqual([
      ["t1", 1],
      ["t2", 2],
    ]);
    expect(results.size).toBe(0);
  });

  it("with one id get one position", () => {
    const bench = door();
    bench.holdDoor("t1", "order-1");
    bench.holdDoor("t2", "order-1");
    const { receipts } = bench.hear(...bench.choose(...bench.take()));
    expect(receipts.map(({ outcome }) => outcome.position)).toEqual([1, 1]);
    expect(bench.bodies()).toEqual(["t1"]);
  });

  it("with one id are one request, of which the latest eight askers are told", () => {
    const bench = door();
    for (let n = 1; n <= 10; n++) bench.holdDoor(`t${n}`, "order-1");
    const sent = bench.take();
    expect(sent.flatMap(({ commands }) => commands)).toHaveLength(1);
    const { receipts } = bench.hear(...bench.choose(...sent));
    expect(receipts.map(({ token }) => token)).toEqual([
      "t3",
      "t4",
      "t5",
      "t6",
      "t7",
      "t8",
      "t9",
      "t10",
    ]);
    bench.holdDoor("t11", "order-1"); // it is not awaited any more: the log knows it
    expect(bench.hear(...bench.choose(...bench.take())).receipts).toHaveLength(1);
    expect(bench.bodies()).toEqual(["t1"]);
  });

  it("held before the session is open name the slot in which it then is", () => {
    const bench = new GatewayBench();
    bench.choose({ type: "propose", commands: [] }); // so that it is not slot 0
    bench.openOwn();
    const opening = bench.take();
    bench.holdDoor("d1");
    const { heldBytes } = bench.state;
    const [before] = bench.state.sessions.get(bench.state.ownSession)?.pending.values() ?? [];
    bench.hear(...bench.choose(...opening));
    expect(bench.state.heldBytes).toBe(heldBytes - (before?.blob.length ?? 0));
    bench.holdDoor("d2");
    const blobs = bench.take().flatMap(({ commands }) => commands);
    expect(blobs.map(decodeCommand)).toMatchObject([{ openedIn: 1 }, { openedIn: 1 }]);
    bench.choose({ type: "propose", commands: blobs });
    expect(bench.bodies()).toEqual(["d1", "d2"]);
  });

  it("of a session opened late, after it was evicted, take no effect again", () => {
    const bench = new GatewayBench({ sessionsMax: 1 });
    bench.openOwn();
    const opening = bench.take();
    bench.hear(...bench.choose(...opening));
    bench.holdDoor("d1");
    const asked = bench.take();
    bench.choose(...asked);
    bench.open("s");
    bench.choose(...bench.take());
    expect(bench.choose(...opening, ...asked)).toMatchObject([
      { kind: "opened", openedIn: 3 },
      { kind: "expired", number: 1 },
    ]);
    expect(bench.bodies()).toEqual(["d1"]);
  });

  it("are refused before the gateway has a session", () => {
    expect(new GatewayBench().holdDoor("t1")).toBe(false);
  });

  it("are lost with the gateway's session, and nobody is told that they took effect", () => {
    const bench = door();
    bench.holdDoor("t1");
    const session = bench.state.ownSession;
    const { lost, expired } = bench.hear({ kind: "expired", session, number: 1, last: 1 });
    expect(lost).toEqual(["t1"]);
    expect(expired).toEqual([{ session, client: null, last: 1 }]);
    expect(bench.state.heldBytes).toBe(0);
    expect(bench.state.underWayBytes).toBe(0);
  });

  it("are to be asked again, where the log shows that they did not happen", () => {
    const bench = door();
    for (const [token, id] of [["t1"], ["t2", "order-2"], ["t3", "order-2"]] as const) {
      bench.holdDoor(token, id);
    }
    const session = bench.state.ownSession;
    const { lost, undone } = bench.hear({ kind: "expired", session, number: 1, last: 1 });
    expect(lost).toEqual(["t1"]);
    expect(undone.flatMap(proposalsOf).map(({ token, id }) => [token, id])).toEqual([
      ["t2", "order-2"],
      ["t3", "order-2"],
    ]);
    expect(bench.state.byId.size).toBe(0);
  });

  it("never share a number of a session with those of an earlier one", () => {
    const bench = door({ sessionsMax: 1 });
    /** Another session comes, and the gateway's own is evicted; the door learns that it is. */
    const evict = (token: string): Propose[] => {
      bench.holdDoor(token);
      const sent = bench.take();
      const other = new GatewayBench();
      other.open(token);
      bench.choose(...other.take());
      bench.hear(...bench.choose(...sent));
      bench.openOwn();
      bench.hear(...bench.choose(...bench.take()));
      return sent;
    };
    evict("first");
    const stray = evict("second"); // a copy of it is still under way
    bench.holdDoor("third");
    bench.choose(...stray);
    const { receipts } = bench.hear(...bench.choose(...bench.take()));
    expect(receipts.map(({ token }) => token)).toEqual(["third"]);
    expect(bench.bodies()).toEqual(["third"]);
  });

  it("span no more than the results that the log keeps", () => {
    const bench = door({ sessionResultsMax: 3 });
    for (const token of ["t1", "t2", "t3"]) expect(bench.holdDoor(token)).toBe(true);
    expect(bench.holdDoor("t4")).toBe(false);
    bench.choose(...bench.take()); // applied, and every outcome is lost
    bench.sendAllAgain();
    const { receipts } = bench.hear(...bench.choose(...bench.take()));
    expect(receipts.map(({ outcome }) => outcome.position)).toEqual([1, 2, 3]);
    expect(bench.holdDoor("t4")).toBe(true);
  });

  it("say how far every outcome is known", () => {
    const bench = door();
    const answeredBelow = () => {
      const blob = bench.take().flatMap(({ commands }) => commands)[0] as Uint8Array;
      const command = decodeCommand(blob);
      bench.hear(...bench.choose({ type: "propose", commands: [blob] }));
      return command.kind === "request" ? command.answeredBelow : null;
    };
    bench.holdDoor("t1");
    expect(answeredBelow()).toBe(1);
    bench.holdDoor("t2");
    expect(answeredBelow()).toBe(2);
  });
});

describe("sessions come and go", () => {
  it("forgets an expired one, and tells its client", () => {
    const { bench, session } = opened();
    bench.hold(session, 1, 2);
    bench.take();
    const { expired } = bench.hear({ kind: "expired", session, number: 1, last: null });
    expect(expired).toEqual([{ session, client: "client-s", last: null }]);
    expect(bench.state.heldBytes).toBe(0);
    expect(bench.sent()).toEqual([]);
    expect(bench.hear({ kind: "expired", session, number: 2, last: null }).expired).toEqual([]);
  });

  it("serves one that was opened elsewhere", () => {
    const { bench, session } = opened();
    attachSession(bench.state, "client-2", session);
    expect(clientOf(bench.state, session)).toBe("client-2");
    bench.hold(session, 1);
    expect(bench.hear(...bench.choose(...bench.take())).results.get(session)).toHaveLength(1);
  });

  it("forgets idle ones beyond the table's bound, none that awaits something, not its own", () => {
    const bench = new GatewayBench({ sessionsMax: 2 });
    bench.openOwn();
    const names = ["s", "t", "u", "v"];
    for (const name of names) bench.open(name);
    const isOpen = (session: string) => ({ kind: "opened" as const, session, openedIn: 0 });
    const outcomes = names.map((name) => isOpen(sessionId(name)));
    bench.hear(...outcomes.slice(1), isOpen(bench.state.ownSession));
    forgetIdle(bench.state, bench.limits);
    expect([...bench.state.sessions.keys()]).toEqual([bench.state.ownSession, sessionId("s")]);
    expect(clientOf(bench.state, sessionId("v"))).toBeNull();
  });

  it("passes over outcomes of what it does not hold", () => {
    const { bench, session } = opened();
    const before = structuredClone([...bench.state.sessions.keys()]);
    bench.hear({ kind: "opened", session: sessionId("x"), openedIn: 0 });
    bench.hear({ kind: "early", session, number: 9, expected: 1 });
    expect([...bench.state.sessions.keys()]).toEqual(before);
    expect(bench.sent()).toEqual([]);
  });
});
