/**
 * Goal: each line of a trace says what was so, and nothing that a checker could take for more: from
 * which slot a promise reports, what was said before, what a restart found.
 * Method: one role in the test's world, asked by hand; its lines without their clocks.
 */

import { describe, expect, it } from "vitest";
import type { ProposerContext } from "../../actors/proposer/context.js";
import { digest } from "../../src/paxos/digest.js";
import { DEFAULT_LIMITS } from "../../src/paxos/limits.js";
import { NOOP } from "../../src/paxos/value.js";
import type { Accept, Message, RoleName, SlotVote } from "../../src/paxos/wire/messages.js";
import type { Member } from "../../src/sim/world/process.js";
import { ballot, sender, value, vote } from "../support/steps.js";
import { World, worldCluster } from "../support/world.js";
import { MemoryTrace } from "./tracing.js";

/** One role in a world that is traced. */
class Stage {
  readonly trace: MemoryTrace;
  readonly world: World;
  readonly #member: Member;
  #shown = 0;

  constructor(role: RoleName, id: string, change: Parameters<typeof worldCluster>[0] = {}) {
    const cluster = worldCluster(change);
    this.trace = new MemoryTrace(cluster);
    this.world = new World(1, cluster, this.trace.observer);
    this.#member = [role, id];
    this.start();
  }

  start(): void {
    this.world.start("here", [this.#member]);
    this.world.wait(300);
  }

  kill(): void {
    this.world.kill("here");
  }

  /** Lets it hear messages one by one. @returns the lines it wrote meanwhile */
  hear(from: Parameters<typeof sender>, ...messages: readonly Message[]): string[] {
    for (const message of messages) {
      const runner = this.world.runner(...this.#member);
      runner.deliver({ from: sender(...from), message, bytes: 0 });
      this.world.wait(5);
    }
    return this.lines();
  }

  /** The lines since the last look: event, incarnation, payload. */
  lines(key?: string): string[] {
    const hash = key === undefined ? "" : `.${digest(value(key))}`;
    const file = `${this.#member.join("-")}${hash}.jsonl`;
    const all = (this.trace.files.get(file) ?? "").split("\n").slice(1, -1);
    const fresh = key === undefined ? all.slice(this.#shown) : all;
    if (key === undefined) this.#shown = all.length;
    return fresh.map((line) => {
      const { lc: _lc, seq: _seq, n: _n, ev, inc, ...payload } = JSON.parse(line);
      return `${inc} ${ev} ${JSON.stringify(payload)}`;
    });
  }
}

const p1 = ["proposer", "p1"] as const;
const bal = (round: number) => `[${round},"p1.0123456789abcdef"]`;
const val = (text: string) => digest(value(text));
const held = (slot: number, round: number, text: string) =>
  `{"slot":${slot},"bal":${bal(round)},"val":"${val(text)}"}`;

function accept(round: number, firstSlot: number, texts: string[], chosenWatermark = 0): Accept {
  const votes = texts.map((text) => vote(ballot(round), text));
  const digests = votes.map((one) => one.digest);
  const values = votes.map((one) => one.value);
  const named = { type: "accept" as const, ballot: ballot(round), firstSlot, digests, values };
  return { ...named, chosenWatermark, chosen: [] };
}

const prepare = (round: number): Message => {
  return { type: "prepare", ballot: ballot(round), fromSlot: 0 };
};

describe("an acceptor's trace", () => {
  it("says from which slot a promise reports, each vote once, and what a restart found", () => {
    const limits = { ...DEFAULT_LIMITS, windowMax: 1, pipelineSlotsMax: 1 };
    const stage = new Stage("acceptor", "a1", { limits });
    expect(stage.lines()).toEqual(['1 recover {"promised":null,"votes":[]}']);
    expect(stage.hear([...p1], prepare(1), prepare(1))).toEqual([
      `1 p1b {"bal":${bal(1)},"from":0,"votes":[]}`,
    ]);
    const four = accept(1, 0, ["a", "b", "c", "d"]);
    expect(stage.hear([...p1], four, four, accept(1, 4, ["e"], 4))).toEqual(
      ["a", "b", "c", "d", "e"].map(
        (text, slot) => `1 p2b {"bal":${bal(1)},"slot":${slot},"val":"${val(text)}"}`,
      ),
    );
    // A promise of the ballot that it votes at says nothing new.
    expect(stage.hear([...p1], prepare(1))).toEqual([]);
    // With a window of one slot, its vote in the fifth shows that the first four are chosen.
    expect(stage.hear([...p1], prepare(2), accept(2, 4, ["e"]))).toEqual([
      `1 p1b {"bal":${bal(2)},"from":4,"votes":[${held(4, 1, "e")}]}`,
      `1 p2b {"bal":${bal(2)},"slot":4,"val":"${val("e")}"}`,
    ]);
    stage.kill();
    stage.start();
    const all = ["a", "b", "c", "d"].map((text, slot) => held(slot, 1, text));
    expect(stage.lines()).toEqual([
      `2 recover {"promised":${bal(2)},"votes":[${[...all, held(4, 2, "e")].join()}]}`,
    ]);
    expect(stage.hear([...p1], prepare(2), accept(2, 4, ["e"]))).toEqual([
      `2 p1b {"bal":${bal(2)},"from":4,"votes":[${held(4, 2, "e")}],"dup":true}`,
      `2 p2b {"bal":${bal(2)},"slot":4,"val":"${val("e")}","dup":true}`,
    ]);
  });

  it("marks a promise as said before if it has voted at its ballot already", () => {
    const stage = new Stage("acceptor", "a1");
    expect(stage.hear([...p1], accept(3, 0, ["a"]), prepare(3)).slice(1)).toEqual([
      `1 p2b {"bal":${bal(3)},"slot":0,"val":"${val("a")}"}`,
      `1 p1b {"bal":${bal(3)},"from":0,"votes":[${held(0, 3, "a")}],"dup":true}`,
    ]);
  });

  it("writes a nack only where a higher promise is the reason", () => {
    const stage = new Stage("acceptor", "a1");
    const far = { round: 5_000_000, owner: ballot(1).owner };
    const hostile: Message = { type: "prepare", ballot: far, fromSlot: 0 };
    const lines = stage.hear([...p1], prepare(4), prepare(3), accept(2, 7, ["a"]), hostile);
    const refused = `"bal":${bal(5_000_000)},"promised":${bal(4)}`;
    expect(lines.slice(2)).toEqual([
      `1 nack {"bal":${bal(3)},"promised":${bal(4)}}`,
      `1 nack {"bal":${bal(2)},"promised":${bal(4)},"slot":7}`,
      `1 note {"what":"refused","reason":"round_jump",${refused}}`,
    ]);
  });

  it("tells each key in a file of its own, with what a restart found of it", () => {
    const stage = new Stage("acceptor", "a1");
    const key = "colour";
    const ask: Message = { type: "key-prepare", key, ballot: ballot(1) };
    const blue: Message = { type: "key-accept", key, ...vote(ballot(1), "blue") };
    const from = ["synod-proposer", "s1"] as const;
    stage.hear([...from], ask, ask, blue, blue);
    stage.kill();
    stage.start();
    const stale: Message = { type: "key-prepare", key, ballot: ballot(0.5) };
    stage.hear([...from], blue, { ...ask, ballot: ballot(2) }, ask, stale);
    const mine = `"mbal":${bal(1)},"mval":"${val("blue")}"`;
    expect(stage.lines(key)).toEqual([
      '1 recover {"promised":null,"mbal":null,"mval":null}',
      '1 note {"key":"colour"}',
      `1 p1b {"bal":${bal(1)},"mbal":null,"mval":null}`,
      `1 p2b {"bal":${bal(1)},"val":"${val("blue")}"}`,
      `2 recover {"promised":${bal(1)},${mine}}`,
      '2 note {"key":"colour"}',
      `2 p2b {"bal":${bal(1)},"val":"${val("blue")}","dup":true}`,
      `2 p1b {"bal":${bal(2)},${mine}}`,
      `2 nack {"bal":${bal(1)},"promised":${bal(2)}}`,
      `2 nack {"bal":${bal(0.5)},"promised":${bal(2)}}`,
    ]);
  });
});

describe("a proposer's trace", () => {
  /** A proposer that has prepared, and the ballot of it. */
  function prepared(change: Parameters<typeof worldCluster>[0] = {}) {
    const stage = new Stage("proposer", "p1", change);
    stage.hear(["elector", "e1"], { type: "hint", candidate: "p1", suspects: null });
    const { owner, question } = stage.world.context<ProposerContext>("proposer", "p1");
    for (const a of ["a1", "a2"]) {
      const none = { promised: null, agoMs: null, chosenWatermark: 0 };
      stage.hear(["acceptor", a], { type: "last-heard", question, ...none });
    }
    return { stage, ballot: { round: 1, owner }, bal: `[1,"${owner}"]` };
  }

  function promise(of: { round: number; owner: string }, votes: readonly SlotVote[]): Message {
    const whole = { answer: 0, part: 0, parts: 1, trimmed: 0, chosenWatermark: 0 };
    return { type: "promise", ballot: of, ...whole, votes };
  }

  it("wishes for values of its own only: not for adopted ones, not for no-ops", () => {
    const { stage, ballot: mine, bal: at } = prepared();
    const adopted = { slot: 1, ...vote(ballot(1, "p0"), "old") };
    stage.hear(["acceptor", "a1"], promise(mine, [adopted]));
    const lines = stage.hear(["acceptor", "a2"], promise(mine, []));
    expect(lines).toEqual([
      `1 p2a {"bal":${at},"slot":0,"val":"noop"}`,
      `1 p2a {"bal":${at},"slot":1,"val":"${val("old")}"}`,
    ]);
    const proposed = stage.hear(["gateway", "g1"], { type: "propose", commands: [value("x")] });
    expect(proposed[0]).toMatch(/^1 propose/);
    expect(proposed[1]).toMatch(/^1 p2a .*"slot":2/);
    // A late vote: everything is sent again, and is not news.
    stage.world.wait(2000);
    expect(stage.lines()).toEqual([]);
  });

  it.each(["leader", "all"] as const)("says what is chosen where %s learns", (kind) => {
    const { stage, ballot: mine, bal: at } = prepared({ learn: { kind } });
    stage.hear(["acceptor", "a1"], promise(mine, []));
    stage.hear(["acceptor", "a2"], promise(mine, []));
    stage.hear(["gateway", "g1"], { type: "propose", commands: [value("x")] });
    const { data } = stage.world.context<{ data: { open: Map<number, { digest: string }> } }>(
      "proposer",
      "p1",
    );
    const votes = [{ slot: 0, digest: data.open.get(0)?.digest ?? "" }];
    const accepted: Message = { type: "accepted", ballot: mine, votes };
    expect(stage.hear(["acceptor", "a3"], accepted, accepted)).toEqual([]);
    expect(stage.hear(["acceptor", "a1"], accepted)).toEqual([
      `1 chosen {"bal":${at},"slot":0,"syncedBy":["a1","a3"]}`,
    ]);
    expect(stage.hear(["acceptor", "a2"], accepted)).toEqual([]);
  });
});

describe("the header of a trace", () => {
  it.each([
    [{ kind: "majority" } as const, '"majority"'],
    [{ kind: "flexible", phase1: 3, phase2: 1 } as const, '{"q1":3,"q2":1}'],
    [
      { kind: "grid", rows: [["a1", "a2"], ["a3"]] } as const,
      '{"q1":[["a1","a2"],["a3"]],"q2":[["a1","a3"],["a2","a3"]]}',
    ],
  ])("names the quorums: %o", (quorums, words) => {
    const stage = new Stage("acceptor", "a1", { quorums });
    const [header] = (stage.trace.files.get("acceptor-a1.jsonl") ?? "").split("\n");
    const head = '{"trace":"ptrace/1","mode":"multi","acceptors":["a1","a2","a3"],';
    expect(header).toBe(`${head}"quorums":${words},"noop":"noop"}`);
    expect(digest(NOOP)).not.toBe("noop");
  });
});
