/**
 * Goal: a request takes effect once, in the order of its session; what the table forgets, it
 * forgets
 * by the content of the log alone.
 * Method: the table's rules one by one, with small bounds.
 */
import { describe, expect, it } from "vitest";
import type { Request } from "../../src/paxos/command.js";
import { DEFAULT_LIMITS, type Limits } from "../../src/paxos/limits.js";
import { SessionTable, type Verdict } from "../../src/paxos/log/session.js";
import type { Receipt } from "../../src/paxos/receipt.js";

function request(session: string, number: number, rest: Partial<Request> = {}): Request {
  const body = { gateway: "g1", id: "", type: "bytes", body: Uint8Array.of(1) } as const;
  const asked = { session, openedIn: null, number, answeredBelow: 1 };
  return { kind: "request", ...asked, ...body, ...rest };
}

function resultAt(position: number): Receipt {
  return { position, slot: position + 100, ballot: { round: 1, owner: "p" }, syncedBy: ["a1"] };
}

/** A table, and the positions that were given out. */
class Bench {
  table: SessionTable;
  position = 0;

  constructor(limits: Partial<Limits> = {}, ...sessions: readonly string[]) {
    this.table = new SessionTable({ ...DEFAULT_LIMITS, ...limits });
    for (const session of sessions) this.table.open(session, 0);
  }

  /** Judges as the log does; says in a word what came of it. */
  take(session: string, number: number, rest: Partial<Request> = {}): string {
    const asked = request(session, number, rest);
    const verdict: Verdict = this.table.judge(asked);
    if (verdict.kind === "effect") {
      this.table.record(asked, resultAt(++this.position));
      return `effect ${this.position}`;
    }
    if (verdict.kind === "repeat") return `repeat ${verdict.result?.position ?? "unknown"}`;
    return verdict.kind === "early" ? `early ${verdict.expected}` : verdict.kind;
  }
}

describe("a session", () => {
  it("lets each number take effect once, in order", () => {
    const bench = new Bench({}, "s");
    expect([1, 2, 1, 2, 3].map((number) => bench.take("s", number))).toEqual([
      "effect 1",
      "effect 2",
      "repeat 1",
      "repeat 2",
      "effect 3",
    ]);
  });

  it("tells an early one what is awaited, and lets it take effect in its turn", () => {
    const bench = new Bench({}, "s");
    expect([3, 3, 1, 3, 2, 3].map((number) => bench.take("s", number))).toEqual([
      "early 1",
      "early 1",
      "effect 1",
      "early 2",
      "effect 2",
      "effect 3",
    ]);
  });

  it("that is unknown has expired: it never becomes a new one", () => {
    const bench = new Bench();
    expect(bench.take("s", 1)).toBe("expired");
    expect(bench.table.size).toBe(0);
  });

  it("stays as it is when it is opened again", () => {
    const bench = new Bench({}, "s");
    bench.take("s", 1);
    bench.table.open("s", 1);
    expect([bench.take("s", 1), bench.take("s", 2)]).toEqual(["repeat 1", "effect 2"]);
  });

  it("counts for itself", () => {
    const bench = new Bench({}, "s", "t");
    expect([bench.take("s", 1), bench.take("t", 2), bench.take("t", 1)]).toEqual([
      "effect 1",
      "early 1",
      "effect 2",
    ]);
  });
});

describe("results", () => {
  it("are kept until the client says that it has them", () => {
    const bench = new Bench({}, "s");
    for (const number of [1, 2, 3]) bench.take("s", number);
    expect(bench.take("s", 2)).toBe("repeat 2");
    expect(bench.take("s", 4, { answeredBelow: 3 })).toBe("effect 4");
    expect([1, 2, 3, 4].map((number) => bench.take("s", number))).toEqual([
      "repeat unknown",
      "repeat unknown",
      "repeat 3",
      "repeat 4",
    ]);
  });

  it("are let go by an early request or a repeat, too: a function of the log", () => {
    for (const number of [1, 9]) {
      const bench = new Bench({}, "s");
      for (const before of [1, 2]) bench.take("s", before);
      bench.take("s", number, { answeredBelow: 2 });
      expect([bench.take("s", 1), bench.take("s", 2)]).toEqual(["repeat unknown", "repeat 2"]);
    }
  });

  it("are no more than `sessionResultsMax` of a session, the latest", () => {
    const bench = new Bench({ sessionResultsMax: 2 }, "s");
    for (const number of [1, 2, 3]) bench.take("s", number);
    expect([1, 2, 3].map((number) => bench.take("s", number))).toEqual([
      "repeat unknown",
      "repeat 2",
      "repeat 3",
    ]);
  });
});

describe("room", () => {
  it("is made by the session longest unused", () => {
    const bench = new Bench({ sessionsMax: 2 }, "s", "t");
    bench.take("s", 1);
    bench.table.open("u", 1);
    expect(bench.table.size).toBe(2);
    expect([bench.take("t", 1), bench.take("s", 2), bench.take("u", 1)]).toEqual([
      "expired",
      "effect 2",
      "effect 3",
    ]);
  });

  it.each([
    ["an opening", (bench: Bench) => bench.table.open("s", 1)],
    ["a repeat", (bench: Bench) => bench.take("s", 1)],
    ["an early request", (bench: Bench) => bench.take("s", 9)],
  ])("is not made by one that %s has used", (_name, use) => {
    const bench = new Bench({ sessionsMax: 2 }, "s");
    bench.take("s", 1);
    bench.table.open("t", 1);
    use(bench);
    bench.table.open("u", 1);
    expect([bench.take("s", 2), bench.take("t", 1)]).toEqual(["effect 2", "expired"]);
  });

  it("once made, leaves a session that is opened late without what the evicted one asked", () => {
    const bench = new Bench({ sessionsMax: 1 }, "s");
    expect(bench.take("s", 1, { openedIn: 0 })).toBe("effect 1");
    bench.table.open("t", 1);
    expect(bench.table.open("s", 2)).toBe(2);
    expect([
      bench.take("s", 1, { openedIn: 0 }), // it would take effect again
      bench.take("s", 2, { openedIn: 0 }), // it would be early for ever
      bench.take("s", 1, { openedIn: 2 }),
    ]).toEqual(["expired", "expired", "effect 2"]);
  });

  it("once made, leaves the last number of the evicted one, of each opening", () => {
    const bench = new Bench({ sessionsMax: 1 }, "s");
    for (const number of [1, 2]) bench.take("s", number, { openedIn: 0 });
    bench.table.open("t", 1);
    bench.table.open("s", 2);
    bench.take("s", 1, { openedIn: 2 });
    bench.table.open("t", 3);
    expect([
      bench.table.judge(request("s", 3, { openedIn: 0 })),
      bench.table.judge(request("s", 2, { openedIn: 2 })),
      bench.table.judge(request("s", 9, { openedIn: null })),
      bench.table.judge(request("u", 1, { openedIn: 0 })),
    ]).toEqual([2, 1, null, null].map((last) => ({ kind: "expired", last })));
  });

  it("holds the last numbers of the latest evictions; sessions that ended take none of it", () => {
    const bench = new Bench({ sessionsMax: 1 }, "s");
    const lastOf = (session: string, openedIn: number) =>
      bench.table.judge(request(session, 1, { openedIn }));
    bench.table.open("t", 1);
    for (let slot = 2; slot < 20; slot++) {
      const before = slot === 2 ? "t" : "u";
      const end = { kind: "end" as const, session: before, openedIn: slot - 1, number: 1 };
      expect(bench.table.end({ ...end, gateway: "g1" })).toEqual({ kind: "ended" });
      bench.table.open("u", slot);
    }
    expect(lastOf("s", 0)).toEqual({ kind: "expired", last: 0 });
    expect(lastOf("t", 1)).toEqual({ kind: "expired", last: null });
    for (let slot = 20; slot < 24; slot++) bench.table.open(`v${slot}`, slot);
    expect(lastOf("s", 0)).toEqual({ kind: "expired", last: null });
    expect(lastOf("u", 19)).toEqual({ kind: "expired", last: 0 });
  });

  it("shares no last number with a copy of the table", () => {
    const bench = new Bench({ sessionsMax: 1 }, "s");
    const copy = bench.table.clone();
    bench.table.open("t", 1);
    const evicted = bench.table.clone();
    const asked = request("s", 1, { openedIn: 0 });
    expect(copy.judge(asked)).toEqual({ kind: "effect" });
    expect(evicted.judge(asked)).toEqual({ kind: "expired", last: 0 });
  });

  it("is not made by requests of an opening that was evicted", () => {
    const bench = new Bench({ sessionsMax: 2 }, "s");
    bench.table.open("t", 1);
    bench.take("s", 1, { openedIn: 9 });
    bench.table.open("u", 2);
    expect([bench.take("s", 1), bench.take("t", 1)]).toEqual(["expired", "effect 1"]);
  });

  it("is told by a command of before for whichever opening there is", () => {
    const bench = new Bench({ sessionsMax: 1 }, "s");
    bench.table.open("t", 1);
    bench.table.open("s", 2);
    expect(bench.take("s", 1, { openedIn: null })).toBe("effect 1");
  });
});

describe("ids", () => {
  const order = { id: "order-1" };

  it("take effect once, under whatever session and number", () => {
    const bench = new Bench({}, "s", "t");
    expect([
      bench.take("s", 1, order),
      bench.take("t", 1, order),
      bench.take("t", 1, order),
      bench.take("s", 2, order),
      bench.take("s", 3),
    ]).toEqual(["effect 1", "repeat 1", "repeat 1", "repeat 1", "effect 2"]);
  });

  it("wait for their turn, too", () => {
    const bench = new Bench({}, "s", "t");
    bench.take("s", 1, order);
    expect(bench.take("t", 2, order)).toBe("early 1");
  });

  it("outlive their session", () => {
    const bench = new Bench({ sessionsMax: 1 }, "s");
    bench.take("s", 1, order);
    bench.table.open("t", 1);
    expect(bench.take("t", 1, order)).toBe("repeat 1");
  });

  it("are no more than `idsMax`, the latest; none is no id", () => {
    const bench = new Bench({ idsMax: 2 }, "s");
    for (const number of [1, 2, 3]) bench.take("s", number, { id: `order-${number}` });
    for (const number of [4, 5]) expect(bench.take("s", number)).toBe(`effect ${number}`);
    expect(bench.take("s", 6, { id: "order-2" })).toBe("repeat 2");
    expect(bench.take("s", 7, { id: "order-1" })).toBe("effect 6");
  });
});

describe("a copy", () => {
  it("shares nothing that changes", () => {
    const bench = new Bench({}, "s");
    bench.take("s", 1, { id: "order-1" });
    const table = bench.table.clone();
    bench.take("s", 2, { id: "order-2" });
    bench.take("s", 3, { answeredBelow: 3 });
    bench.table = table;
    expect([bench.take("s", 1), bench.take("s", 2, { id: "order-2" })]).toEqual([
      "repeat 1",
      "effect 4",
    ]);
  });
});
