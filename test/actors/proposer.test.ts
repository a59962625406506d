/**
 * Goal: the proposer's chart does what its picture says until phase 1 is won: for each transition,
 * the next state and the exact effects.
 * Method: the machine is stepped as the host does; phase 2 is in proposer-leading.test.ts.
 */

import { describe, expect, it } from "vitest";
import { roles } from "../../actors/index.js";
import type { ProposerContext } from "../../actors/proposer/context.js";
import { drawBackoff } from "../../src/paxos/consensus/backoff.js";
import {
  type Bench,
  ballot,
  heardTogether,
  roleInput,
  START_MS,
  sender,
} from "../support/steps.js";
import {
  asking,
  asks,
  beaconOf,
  cancelled,
  diskFailed,
  fresh,
  g1,
  g2,
  hint,
  lastHeard,
  leading,
  limits,
  nack,
  prepares,
  preparing,
  promise,
  propose,
  set,
} from "./proposer-steps.js";

const ours = ballot(1);
const contextOf = (bench: Bench) => bench.snapshot.context as ProposerContext;
const noQuestion = cancelled("beaconTime", "asking");
const noRetry = cancelled("retryDelay", "preparing");

describe("standby (PMS §2.4)", () => {
  it("does nothing", () => {
    const bench = fresh();
    expect([bench.state, bench.effects]).toEqual(["standby", []]);
  });

  it("is left by a hint that names it: acceptors are asked first", () => {
    const bench = fresh();
    expect(bench.take(hint("p1"))).toEqual([asks(1), set("beaconTime", "asking")]);
    expect(bench.state).toBe("asking");
  });

  it("hears no hint that names another", () => {
    const bench = fresh();
    expect(bench.take(hint("p2"))).toEqual([]);
    expect([bench.state, bench.heard]).toEqual(["standby", false]);
  });

  it("follows the leader's round by its beacons, and believes no watermark", () => {
    const bench = fresh();
    expect(bench.take(beaconOf(4, { chosenWatermark: 7 }, START_MS + 5))).toEqual([]);
    expect([bench.state, bench.heard]).toEqual(["standby", true]);
    const { data, leader } = contextOf(bench);
    expect([data.highestRound, data.chosenWatermark]).toEqual([4, 0]);
    expect(leader).toEqual({ id: "p2", ballot: ballot(4, "p2"), heardMs: START_MS + 5 });
  });

  it("is not confused by a late beacon of a leader that was replaced", () => {
    const bench = fresh();
    bench.take(beaconOf(4));
    bench.take(beaconOf(3));
    expect(contextOf(bench).leader?.ballot).toEqual(ballot(4, "p2"));
  });

  it.each([
    ["nobody, while one leads", null, false],
    ["a ballot that was replaced", ballot(3, "p2"), false],
    ["the leader it follows", ballot(4, "p2"), true],
    ["a later ballot than it has heard", ballot(5, "p2"), true],
  ])("takes a hint against %s as it is", (_, suspects, moves) => {
    const bench = fresh();
    bench.take(beaconOf(4));
    expect(bench.take(hint("p1", suspects))).toHaveLength(moves ? 2 : 0);
    expect(bench.state).toBe(moves ? "asking" : "standby");
  });

  it.each([null, "p2"])("ignores proposals while this one leads: %s", (leader) => {
    const bench = fresh();
    if (leader !== null) bench.take(beaconOf(4));
    const message = { type: "propose" as const, commands: [] };
    const batch = heardTogether([
      [g1, message],
      [g2, message],
    ]);
    expect([bench.take(batch), bench.heard]).toEqual([[], true]);
  });
});

describe("asking", () => {
  it("prepares when a phase-1 quorum has not heard the leader either: the round first", () => {
    const bench = asking();
    expect(bench.take(lastHeard(1, 1, null))).toEqual([]);
    expect(bench.state).toBe("asking");
    expect(bench.take(lastHeard(2, 1, limits.silenceMs))).toEqual([
      noQuestion,
      ...prepares(1),
      set("retryDelay", "preparing"),
    ]);
    expect(bench.state).toBe("preparing");
    expect(roles.proposer?.status(bench.snapshot)).toMatchObject({ elections: 1 });
  });

  it("goes on while acceptors hear the leader: asks four times, then another question", () => {
    const bench = asking();
    bench.take(lastHeard(1, 1, limits.silenceMs - 1));
    bench.take(lastHeard(2, 1, 0));
    bench.take(lastHeard(3, 1, null));
    expect(bench.state).toBe("asking");
    for (const question of [1, 1, 1, 2]) {
      const effects = [noQuestion, asks(question), set("beaconTime", "asking")];
      expect(bench.fire("beaconTime")).toEqual(effects);
    }
    bench.take(lastHeard(1, 2, null));
    expect(bench.state).toBe("asking");
  });

  it("counts answers that take longer than an interval", () => {
    const bench = asking();
    bench.fire("beaconTime");
    bench.take(lastHeard(1, 1, null));
    bench.fire("beaconTime");
    bench.take(lastHeard(2, 1, null));
    expect(bench.state).toBe("preparing");
  });

  it("counts no answer to an earlier question, and of one acceptor only the last", () => {
    const bench = asking();
    for (let n = 0; n < 4; n++) bench.fire("beaconTime");
    for (const event of [lastHeard(1, 1, null), lastHeard(2, 1, null), lastHeard(3, 2, null)]) {
      bench.take(event);
    }
    expect(bench.state).toBe("asking");
    bench.take(lastHeard(3, 2, 10));
    bench.take(lastHeard(1, 2, null));
    expect(bench.state).toBe("asking");
    bench.take(lastHeard(2, 2, null));
    expect(bench.state).toBe("preparing");
  });

  it("counts no answer to a question of the memory before: it counts from its seed", () => {
    const [before, after] = [fresh({ seed: 7 }), fresh({ seed: 70_000 })].map((bench) => {
      bench.take(hint("p1"));
      return contextOf(bench).question;
    });
    expect(after).not.toBe(before);
  });

  it("outbids every round that the answers show, and believes none of their watermarks", () => {
    const bench = asking();
    bench.take(lastHeard(1, 1, null, 8));
    const late = lastHeard(2, 1, null, 5);
    const [received] = late.received;
    if (received === undefined) throw new Error("a batch is never empty");
    const message = { ...received.message, chosenWatermark: 6 };
    expect(bench.take({ ...late, received: [{ ...received, message }] })).toEqual([
      noQuestion,
      ...prepares(9),
      set("retryDelay", "preparing"),
    ]);
  });

  it("ends when a leader shows", () => {
    const bench = asking();
    expect(bench.take(beaconOf(4))).toEqual([noQuestion]);
    expect([bench.state, contextOf(bench).leader?.id]).toEqual(["standby", "p2"]);
  });

  it("ends when another is named, not when it is named again", () => {
    const bench = asking();
    expect(bench.take(hint("p1"))).toEqual([]);
    expect([bench.state, bench.heard]).toEqual(["asking", false]);
    expect(bench.take(hint("p2"))).toEqual([noQuestion]);
    expect(bench.state).toBe("standby");
  });

  it("goes on when an elector that did not name it names another: they may be out of step", () => {
    const bench = asking();
    expect(bench.take(hint("p2", null, sender("elector", "e2")))).toEqual([]);
    expect([bench.state, bench.heard]).toEqual(["asking", false]);
  });
});

describe("preparing (PMS §3, phase 1 for all slots)", () => {
  it("asks again after a silence, and keeps what it counted; its round is written once", () => {
    const bench = preparing();
    bench.take(promise(1, ours));
    const asksAgain = prepares(1).filter(({ kind }) => kind !== "persist");
    expect(bench.fire("retryDelay")).toEqual([
      noRetry,
      ...asksAgain,
      set("retryDelay", "preparing"),
    ]);
    bench.take(promise(2, ours));
    expect(bench.state).toBe("leading.open");
  });

  it("counts an acceptor once, this ballot only, and no strangers", () => {
    const bench = preparing();
    const events = [1, 1, 7].map((n) => promise(n, ours));
    for (const event of [...events, promise(2, ballot(1, "p2"))]) {
      expect(bench.take(event)).toEqual([]);
      expect([bench.state, bench.heard]).toEqual(["preparing", true]);
    }
  });

  it("counts an answer in parts when it is complete, and never joins two answers", () => {
    const bench = preparing();
    bench.take(promise(1, ours));
    const part = (at: number, answer: number) => promise(2, ours, { answer, part: at, parts: 2 });
    for (const event of [part(0, 1), part(0, 2), part(1, 1)]) {
      expect(bench.take(event)).toEqual([]);
    }
    expect(bench.state).toBe("preparing");
    bench.take(part(1, 2));
    expect(bench.state).toBe("leading.open");
  });

  it("ends by a higher ballot's beacon, not by a lower one's", () => {
    const bench = preparing({ records: [{ kind: "round", round: 4 }] });
    expect(bench.take(beaconOf(3))).toEqual([]);
    expect(bench.state).toBe("preparing");
    expect(bench.take(beaconOf(6))).toEqual([noRetry]);
    expect(bench.state).toBe("standby");
  });

  it("ignores proposals: the gateway keeps them", () => {
    const bench = preparing();
    expect([bench.take(propose(["x"])), bench.heard]).toEqual([[], true]);
  });

  it("begins above the round that its store kept: a ballot is used once", () => {
    const bench = asking({ records: [{ kind: "round", round: 4 }] });
    bench.take(lastHeard(1, 1, null));
    expect(bench.take(lastHeard(2, 1, null))).toEqual(expect.arrayContaining([...prepares(5)]));
  });
});

describe("preempted", () => {
  const draws = (attempt: number, seed = 1) =>
    drawBackoff(seed, attempt, limits.backoffMinMs, limits.backoffMaxMs);
  const higher = { promised: ballot(7, "p2") };

  it.each([
    ["preparing", cancelled("retryDelay", "preparing"), preparing],
    ["leading.open", cancelled("beaconPause", "leading"), leading],
  ])("comes from %s, by a nack with a higher ballot", (state, noTimer, make) => {
    const bench = make();
    expect(bench.state).toBe(state);
    expect(bench.take(nack(2, ours, higher))).toEqual([
      noTimer,
      set("backoff", "preempted", draws(1).delayMs),
    ]);
    expect(bench.state).toBe("preempted");
    expect(roles.proposer?.status(bench.snapshot)).toMatchObject({ nacks: 1 });
  });

  it.each([
    ["of another ballot", ballot(3), higher],
    ["that shows no higher ballot", ours, { promised: ballot(0, "p2") }],
  ])("does not come from a nack %s", (_, at, rest) => {
    for (const bench of [preparing(), leading()]) {
      const { state } = bench;
      expect(bench.take(nack(2, at, rest))).toEqual([]);
      expect([bench.state, bench.heard]).toEqual([state, false]);
    }
  });

  it("comes from refusals as a jump only if the rest form no quorum, and goes back", () => {
    const { roundJumpMax } = limits;
    const bench = fresh();
    bench.take(beaconOf(Number.MAX_SAFE_INTEGER));
    expect(contextOf(bench).leader).toBeNull();
    bench.take(hint("p1"));
    for (const n of [1, 2]) bench.take(lastHeard(n, 1, null));
    const far = ballot(roundJumpMax + 1);
    expect(contextOf(bench).data.ballot).toEqual(far);
    const jump = { reason: "round_jump", promised: ballot(3, "p2") } as const;
    expect(bench.take(nack(1, far, jump))).toEqual([]);
    expect(bench.take(nack(1, far, jump))).toEqual([]);
    expect(bench.state).toBe("preparing");
    bench.take(nack(3, far, jump));
    expect(bench.state).toBe("preempted");
    bench.fire("backoff");
    bench.take(hint("p1"));
    bench.take(lastHeard(1, 2, null));
    expect(bench.take(lastHeard(2, 2, null))).toEqual(expect.arrayContaining([...prepares(4)]));
  });

  it("does not come from a refusal as a jump while it leads: that acceptor was away", () => {
    const bench = leading();
    expect(bench.take(nack(2, ours, { reason: "round_jump" }))).toEqual([]);
    expect([bench.state, bench.heard]).toEqual(["leading.open", false]);
  });

  it("comes from the news that its slots are trimmed", () => {
    const bench = leading();
    bench.take(nack(2, ours, { promised: ours, reason: "trimmed", slot: 0 }));
    expect(bench.state).toBe("preempted");
  });

  it("stands by after the wait; the next ballot is above the one that was refused for", () => {
    const bench = preparing();
    bench.take(nack(2, ours, higher));
    expect(bench.fire("backoff")).toEqual([cancelled("backoff", "preempted")]);
    expect(bench.state).toBe("standby");
    bench.take(hint("p1"));
    bench.take(lastHeard(1, 2, null));
    expect(bench.take(lastHeard(2, 2, null))).toEqual(expect.arrayContaining([...prepares(8)]));
  });

  it("waits longer each time, until a ballot is won", () => {
    const bench = preparing();
    const again = () => {
      bench.fire("backoff");
      bench.take(hint("p1"));
      const question = contextOf(bench).question - roleInput().seed;
      for (const n of [1, 2]) bench.take(lastHeard(n, question, null));
      return contextOf(bench).data.ballot ?? ours;
    };
    bench.take(nack(1, ours, higher));
    const second = draws(2, draws(1).seed);
    bench.take(nack(1, again(), { promised: ballot(20, "p2") }));
    expect(contextOf(bench).backoffMs).toBe(second.delayMs);
    const won = again();
    for (const n of [1, 2]) bench.take(promise(n, won));
    expect(bench.state).toBe("leading.open");
    bench.take(nack(1, won, { promised: ballot(40, "p2") }));
    expect(contextOf(bench).backoffMs).toBe(draws(1, second.seed).delayMs);
  });

  it("ends at once by the beacon of the higher ballot; no hint ends it", () => {
    const bench = preparing();
    bench.take(nack(2, ours, higher));
    expect(bench.take(hint("p1"))).toEqual([]);
    expect([bench.state, bench.heard]).toEqual(["preempted", false]);
    expect(bench.take(beaconOf(7))).toEqual([cancelled("backoff", "preempted")]);
    expect(bench.state).toBe("standby");
  });

  it("ignores proposals, and drops what waited", () => {
    const bench = leading();
    bench.take(propose(["x"]));
    bench.take(nack(2, ours, higher));
    expect([bench.take(propose(["y"])), bench.heard]).toEqual([[], true]);
    const { open, queue, queueBytes } = contextOf(bench).data;
    expect([open.size, queue.length, queueBytes]).toEqual([0, 0, 0]);
  });
});

describe("a failed disk", () => {
  const halts = { kind: "halt", why: diskFailed.reason };

  it.each([
    ["standby", fresh, []],
    ["asking", asking, [noQuestion]],
    ["preparing", preparing, [noRetry]],
    ["leading.open", leading, [cancelled("beaconPause", "leading")]],
  ])("halts it while %s", (state, make, before) => {
    const bench = make();
    expect(bench.state).toBe(state);
    expect(bench.take(diskFailed)).toEqual([...before, halts]);
    expect([bench.state, bench.timers]).toEqual(["halted", []]);
  });

  it("is the end: neither a leader nor a gateway leads it out", () => {
    const bench = fresh();
    bench.take(diskFailed);
    for (const event of [beaconOf(9), propose(["x"]), hint("p1"), diskFailed]) {
      expect(bench.take(event)).toEqual([]);
      expect(bench.state).toBe("halted");
    }
  });
});
