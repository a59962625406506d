/**
 * Goal: the single-decree proposer's chart does what its picture says: for each transition, the
 * next state and the exact effects.
 * Method: one machine of one key is stepped as the host does, against answers written by hand.
 */
import { describe, expect, it } from "vitest";
import { roles } from "../../actors/index.js";
import type { Ballot } from "../../src/paxos/ballot.js";
import type { Cluster } from "../../src/paxos/cluster.js";
import { drawBackoff } from "../../src/paxos/consensus/backoff.js";
import { heardTogether, testCluster, timerSet } from "../support/steps.js";
import {
  accepted,
  accepting,
  acceptor,
  announces,
  cancelled,
  decide,
  decided,
  done,
  EARLIER,
  EARLIEST,
  finish,
  fiveAcceptors,
  fresh,
  held,
  KEY,
  limits,
  linger,
  nack,
  noRetry,
  ours,
  prepares,
  preparing,
  promise,
  proposes,
  ROLE,
  reply,
  retry,
  set,
  theirs,
} from "../support/synod-steps.js";

describe("idle", () => {
  it("does nothing but watch its patience", () => {
    const bench = fresh();
    expect(bench.state).toBe("idle");
    expect(bench.effects).toEqual([timerSet("patience", ROLE, limits.decidePatienceMs)]);
  });

  it.each([["x"], [null]])("is left by a wish or a question (%s): phase 1a", (text) => {
    const bench = fresh();
    expect(bench.take(decide(text, "t1"))).toEqual([prepares(ours(1)), retry("preparing")]);
    expect(bench.state).toBe("preparing");
  });
});

describe("preparing (PMS §2.2, phase 1)", () => {
  it("counts a promise of one acceptor once, and of this ballot only", () => {
    const bench = preparing("x");
    for (const event of [promise(1, ours(1)), promise(1, ours(1)), promise(2, theirs(9))]) {
      expect(bench.take(event)).toEqual([]);
      expect([bench.state, bench.heard]).toEqual(["preparing", true]);
    }
  });

  it("does not count strangers", () => {
    const bench = preparing("x");
    bench.take(promise(1, ours(1)));
    expect(bench.take(promise(7, ours(1)))).toEqual([]);
    expect(bench.state).toBe("preparing");
  });

  it("asks again with the same ballot after a silence, and keeps what it counted", () => {
    const bench = preparing("x");
    bench.take(promise(1, ours(1)));
    expect(bench.fire("retryDelay")).toEqual([
      noRetry("preparing"),
      prepares(ours(1)),
      retry("preparing"),
    ]);
    bench.take(promise(2, ours(1)));
    expect(bench.state).toBe("accepting");
  });

  it("with a quorum's promises and no vote proposes its own value: phase 2a", () => {
    const bench = preparing("x");
    bench.take(promise(1, ours(1)));
    expect(bench.take(promise(2, ours(1)))).toEqual([
      noRetry("preparing"),
      proposes(held(ours(1), "x")),
      retry("accepting"),
    ]);
    expect(bench.state).toBe("accepting");
  });

  it("takes promises of one drain together", () => {
    const bench = preparing("x");
    const message = { type: "key-promise", key: KEY, ballot: ours(1), vote: null } as const;
    const batch = heardTogether([
      [acceptor(3), message],
      [acceptor(1), message],
    ]);
    expect(bench.take(batch)).toContainEqual(proposes(held(ours(1), "x")));
  });

  it("proposes the value of the highest vote reported, not its own (P2c)", () => {
    const bench = preparing("x", { cluster: testCluster({}, fiveAcceptors) });
    bench.take(promise(1, ours(1), held(EARLIEST, "low")));
    bench.take(promise(2, ours(1), null));
    expect(bench.take(promise(3, ours(1), held(EARLIER, "high")))).toEqual([
      noRetry("preparing"),
      proposes({ ...held(EARLIER, "high"), ballot: ours(1) }),
      retry("accepting"),
    ]);
  });

  it("hears more wishes meanwhile, and keeps the first", () => {
    const bench = preparing(null);
    expect(bench.take(decide("x", "t2"))).toEqual([]);
    expect(bench.take(decide("y", "t3"))).toEqual([]);
    bench.take(promise(1, ours(1)));
    expect(bench.take(promise(2, ours(1)))).toContainEqual(proposes(held(ours(1), "x")));
  });
});

describe("a question", () => {
  it("is answered undecided if a quorum holds no vote", () => {
    const bench = preparing(null);
    bench.take(promise(1, ours(1)));
    expect(bench.take(promise(2, ours(1)))).toEqual([
      noRetry("preparing"),
      reply("t1", { kind: "undecided" }),
      finish,
    ]);
    expect(bench.state).toBe("finished");
  });

  it("that comes later is asked anew: what was promised before is no answer to it", () => {
    const bench = preparing(null);
    bench.take(promise(1, ours(1)));
    bench.take(decide(null, "t2"));
    expect(bench.take(promise(2, ours(1)))).toEqual([
      noRetry("preparing"),
      reply("t1", { kind: "undecided" }),
      prepares(ours(2)),
      retry("preparing"),
    ]);
    bench.take(promise(1, ours(2)));
    const answers = bench.take(promise(2, ours(2)));
    expect(answers).toContainEqual(reply("t2", { kind: "undecided" }));
    expect(answers).not.toContainEqual(reply("t1", { kind: "undecided" }));
  });

  it("is answered without phase 2 if a quorum reports one vote: with its ballot", () => {
    const bench = preparing(null);
    bench.take(promise(1, ours(1), held(EARLIER, "z")));
    expect(bench.take(promise(3, ours(1), held(EARLIER, "z")))).toEqual([
      noRetry("preparing"),
      decided("t1", EARLIER, "z", ["a1", "a3"]),
      linger,
    ]);
    expect(bench.state).toBe("decided");
  });

  it("finishes the round first if less than a quorum reports the vote", () => {
    const bench = preparing(null);
    bench.take(promise(1, ours(1), held(EARLIER, "z")));
    const proposed = { ...held(EARLIER, "z"), ballot: ours(1) };
    expect(bench.take(promise(2, ours(1)))).toEqual([
      noRetry("preparing"),
      proposes(proposed),
      retry("accepting"),
    ]);
    bench.take(accepted(2, proposed));
    expect(bench.take(accepted(3, proposed))).toEqual([
      noRetry("accepting"),
      announces(proposed, ["a2", "a3"]),
      decided("t1", ours(1), "z", ["a2", "a3"]),
      linger,
    ]);
  });

  it("finishes the round first if the votes reported are of two ballots", () => {
    const bench = preparing(null);
    bench.take(promise(1, ours(1), held(EARLIEST, "z")));
    bench.take(promise(2, ours(1), held(EARLIER, "z")));
    expect(bench.state).toBe("accepting");
  });
});

describe("accepting (PMS §2.2, phase 2)", () => {
  const x = held(ours(1), "x");

  it("counts a vote of one acceptor once, for this ballot and value only", () => {
    const bench = accepting("x");
    const other = held(ours(1), "y");
    for (const vote of [
      accepted(1, x),
      accepted(1, x),
      accepted(2, other),
      accepted(3, held(theirs(1), "x")),
    ]) {
      expect(bench.take(vote)).toEqual([]);
      expect([bench.state, bench.heard]).toEqual(["accepting", true]);
    }
  });

  it("with a quorum's votes tells learners (PMS §2.3) and everybody who asked: chosen", () => {
    const bench = accepting("x");
    bench.take(decide("y", "t2"));
    bench.take(accepted(3, x));
    expect(bench.take(accepted(1, x))).toEqual([
      noRetry("accepting"),
      announces(x, ["a3", "a1"]),
      decided("t1", ours(1), "x", ["a3", "a1"]),
      decided("t2", ours(1), "x", ["a3", "a1"]),
      linger,
    ]);
    expect(bench.state).toBe("decided");
  });

  it.each<[string, Cluster["learn"]]>([
    ["all", { kind: "all" }],
    ["some", { kind: "some", learners: ["l1"] }],
  ])("tells no learner in mode %s: the acceptors have", (_mode, learn) => {
    const bench = accepting("x", { cluster: testCluster({}, { learn }) });
    bench.take(accepted(3, x));
    expect(bench.take(accepted(1, x))).toEqual([
      noRetry("accepting"),
      decided("t1", ours(1), "x", ["a3", "a1"]),
      linger,
    ]);
  });

  it("proposes again after a silence, the same value at the same ballot", () => {
    const bench = accepting("x");
    bench.take(accepted(1, x));
    expect(bench.fire("retryDelay")).toEqual([
      noRetry("accepting"),
      proposes(x),
      retry("accepting"),
    ]);
    bench.take(accepted(2, x));
    expect(bench.state).toBe("decided");
  });

  it("takes no more promises", () => {
    const bench = accepting("x");
    expect(bench.take(promise(3, ours(1), held(EARLIEST, "z")))).toEqual([]);
    expect([bench.state, bench.heard]).toEqual(["accepting", false]);
  });
});

describe("a higher ballot", () => {
  const firstWait = drawBackoff(1, 1, limits.backoffMinMs, limits.backoffMaxMs);
  const secondWait = drawBackoff(firstWait.seed, 2, limits.backoffMinMs, limits.backoffMaxMs);
  const waits = (delayMs: number) => set("backoff", "backingOff", delayMs);

  it.each([
    ["preparing", () => preparing("x")],
    ["accepting", () => accepting("x")],
  ])("makes it back off while %s", (state, make) => {
    const bench = make();
    expect(bench.take(nack(2, ours(1), theirs(7)))).toEqual([
      noRetry(state),
      waits(firstWait.delayMs),
    ]);
    expect(bench.state).toBe("backingOff");
    expect(roles["synod-proposer"]?.status(bench.snapshot)).toMatchObject({ nacks: 1 });
  });

  it("is outbid after the wait: above every round seen; nothing old counts", () => {
    const bench = accepting("x");
    bench.take(nack(2, ours(1), theirs(7)));
    expect(bench.fire("backoff")).toEqual([
      cancelled("backoff", "backingOff"),
      prepares(ours(8)),
      retry("preparing"),
    ]);
    bench.take(promise(1, ours(1)));
    bench.take(promise(1, ours(8), held(theirs(7), "z")));
    expect(bench.state).toBe("preparing");
    const proposed = { ...held(theirs(7), "z"), ballot: ours(8) };
    expect(bench.take(promise(2, ours(8)))).toContainEqual(proposes(proposed));
  });

  it("that shows again makes it wait anew, for another draw from a longer span", () => {
    const bench = preparing("x");
    bench.take(nack(2, ours(1), theirs(7)));
    bench.fire("backoff");
    expect(bench.take(nack(1, ours(8), theirs(9)))).toEqual([
      noRetry("preparing"),
      waits(secondWait.delayMs),
    ]);
    expect(firstWait.delayMs).toBeGreaterThanOrEqual(limits.backoffMinMs);
    expect(firstWait.delayMs).toBeLessThanOrEqual(2 * limits.backoffMinMs);
    expect(secondWait.delayMs).toBeLessThanOrEqual(4 * limits.backoffMinMs);
  });

  it("ends a duel by unequal waits: another seed, another wait", () => {
    const backoffs = [1, 2, 3, 4].map((seed) => {
      const bench = preparing("x", { seed });
      bench.take(nack(2, ours(1), theirs(7)));
      return bench.snapshot.context.backoffMs;
    });
    expect(new Set(backoffs).size).toBeGreaterThan(1);
  });

  it("takes wishes while it waits, and hears no late answers", () => {
    const bench = preparing("x");
    bench.take(nack(2, ours(1), theirs(7)));
    expect(bench.take(decide(null, "t2"))).toEqual([]);
    expect([bench.state, bench.heard]).toEqual(["backingOff", true]);
    expect(bench.take(promise(1, ours(1)))).toEqual([]);
    expect([bench.state, bench.heard]).toEqual(["backingOff", false]);
  });

  it("is none if the nack is of an earlier ballot, or names no higher one", () => {
    const bench = preparing("x");
    bench.take(nack(2, ours(1), theirs(7)));
    bench.fire("backoff");
    for (const event of [nack(1, ours(1), theirs(9)), nack(1, ours(8), null, "round_jump")]) {
      expect(bench.take(event)).toEqual([]);
      expect(bench.state).toBe("preparing");
    }
  });
});

describe("acceptors without room for another key", () => {
  const full = (n: number) => nack(n, ours(1), null, "too_many");

  it("are no reason as long as the others may form a quorum: the key may be decided", () => {
    const bench = preparing(null);
    expect(bench.take(full(3))).toEqual([]);
    expect(bench.take(full(3))).toEqual([]);
    expect([bench.state, bench.heard]).toEqual(["preparing", true]);
    bench.take(promise(1, ours(1), held(EARLIER, "z")));
    expect(bench.take(promise(2, ours(1), held(EARLIER, "z")))).toContainEqual(
      decided("t1", EARLIER, "z", ["a1", "a2"]),
    );
  });

  it("are the answer when too many of them refuse: nothing was proposed", () => {
    const bench = preparing("x");
    bench.take(full(3));
    expect(bench.take(full(1))).toEqual([
      noRetry("preparing"),
      reply("t1", {
        kind: "refused",
        code: "too_many",
        message: expect.stringContaining("decideKeysMax") as unknown as string,
        mayHaveHappened: false,
      }),
      finish,
    ]);
    expect(bench.state).toBe("finished");
  });
});

describe("decided", () => {
  it("answers late askers at once, wish or question, and each once", () => {
    const bench = done("x");
    for (const [wish, token] of [
      ["y", "t2"],
      [null, "t3"],
    ] as const) {
      expect(bench.take(decide(wish, token))).toEqual([
        cancelled("linger", "decided"),
        decided(token, ours(1), "x", ["a1", "a3"]),
        linger,
      ]);
    }
  });

  it("is dropped when nobody asks any more", () => {
    const bench = done("x");
    expect(bench.fire("linger")).toEqual([cancelled("linger", "decided"), finish]);
    expect(bench.state).toBe("finished");
  });
});

it("draws other ballots than an earlier instance: each has its own nonce", () => {
  const [first, second] = ["0", "1"].map((digit) => {
    const bench = preparing("x", { nonce: digit.repeat(16) });
    return bench.snapshot.context.attempt.ballot as Ballot;
  });
  expect(first?.round).toBe(second?.round);
  expect(first?.owner).not.toBe(second?.owner);
});

it("patience ends whatever it does: the instance is dropped", () => {
  for (const bench of [fresh(), preparing("x"), accepting("x"), done("x")]) {
    expect(bench.fire("patience")).toContainEqual(finish);
    expect(bench.state).toBe("finished");
    expect(bench.timers).toEqual([]);
  }
});
