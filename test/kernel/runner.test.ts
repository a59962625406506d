/**
 * Goal: one role runs as the kernel promises: drained as a whole, kept before it is said, stopped
 * by a step that throws, begun anew from a disk that was full.
 * Method: an obedient role whose events carry the effects it asks for; clock and disk are moved by
 * hand. Instances of keyed roles are in runner-instances.test.ts.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { roles } from "../../actors/index.js";
import { type Effect, send } from "../../src/kernel/effect.js";
import { stateName } from "../../src/kernel/role.js";
import type { Message } from "../../src/paxos/wire/messages.js";
import { ballot, persist, sender } from "../support/steps.js";
import { obedientRole, RunnerBench } from "./running.js";
import { promiseOf } from "./stores.js";

const say = (type: string): Effect => send("proposer", "p1", { type } as unknown as Message);
const keep = (round: number) => persist(promiseOf(round));
const doing = (...effects: Effect[]) => ({ type: "do", effects });
const propose = {
  from: sender("gateway", "g1"),
  message: { type: "propose", commands: [] },
} as const;

describe("a drain", () => {
  it("comes with the next turn, and steps what arrived in order", () => {
    const bench = new RunnerBench();
    bench.runner.tell(doing(say("nack")));
    bench.runner.tell(doing(say("promise")));
    expect(bench.take()).toEqual([]);
    bench.clock.turn();
    expect(bench.take()).toEqual(["nack", "promise"]);
  });

  it("is one transaction, and nothing it says leaves before that is on disk", () => {
    const bench = new RunnerBench();
    const before = bench.disk.store.durableWriteNumber;
    bench.runner.tell(doing(keep(1), say("promise")));
    bench.runner.tell(doing(say("nack"), keep(2)));
    bench.clock.turn();
    expect([bench.take(), bench.disk.file.unsynced, bench.runner.pending]).toEqual([[], 1, 3]);
    bench.disk.finish();
    expect(bench.take()).toEqual(["promise", "nack"]);
    expect([bench.disk.store.durableWriteNumber, bench.runner.pending]).toEqual([before + 1, 0]);
    expect(bench.disk.store.reload()).toEqual([promiseOf(2)]);
  });

  it("keeps as many records as a step makes: a batch of accepts may hold many votes", () => {
    const bench = new RunnerBench();
    const records = new Array(150_000).fill(promiseOf(1)) as ReturnType<typeof promiseOf>[];
    bench.do({ kind: "persist", records }, say("promise"));
    bench.disk.finish();
    expect(bench.take()).toEqual(["promise"]);
  });

  it("that wrote nothing waits for the write of the one before it; a beacon does not", () => {
    const bench = new RunnerBench();
    bench.do(keep(1), say("promise"));
    bench.do(say("nack"), say("beacon"));
    expect(bench.take()).toEqual(["beacon"]);
    bench.disk.finish();
    expect(bench.take()).toEqual(["promise", "nack"]);
  });

  it("joins messages that may be judged together", () => {
    const bench = new RunnerBench();
    for (let n = 0; n < 3; n++) bench.runner.deliver({ ...propose, bytes: 1 });
    bench.clock.turn();
    expect([...bench.counts.keys()]).toEqual(["propose ,,"]);
  });

  it("counts what no transition takes", () => {
    const bench = new RunnerBench();
    bench.runner.tell({ type: "unknown" });
    bench.clock.turn();
    expect(bench.counts).toEqual(new Map([["unheard", 1]]));
  });

  it.each<[string, Message]>([
    ["acceptor", { type: "ask-leader", question: 1 }],
    ["proposer", { type: "hint", candidate: "p9", suspects: null }],
    ["proposer", { type: "last-heard", question: 1, promised: null, agoMs: 1, chosenWatermark: 0 }],
  ])("does not count what comes too early or late: to a starting %s, %j", (role, message) => {
    const bench = new RunnerBench(roles[role as "acceptor" | "proposer"]);
    bench.runner.deliver({ from: sender("elector", "e1"), message, bytes: 1 });
    bench.clock.turn();
    expect(bench.counts.get("unheard")).toBeUndefined();
  });

  it("does not count what the host tells everybody", () => {
    const bench = new RunnerBench();
    for (const type of ["connection.down", "connection.up", "stop"]) bench.runner.tell({ type });
    bench.clock.turn();
    expect(bench.counts.size).toBe(0);
  });

  it("counts what found no room", () => {
    const bench = new RunnerBench(obedientRole(), { inboxEventsMax: 2 });
    expect(bench.runner.deliver({ ...propose, bytes: 1 })).toBe(true);
    expect(bench.runner.deliver({ ...propose, bytes: 1 })).toBe(false);
    expect(bench.counts).toEqual(new Map([["inbox_full", 1]]));
  });

  it("signs with what is on disk", () => {
    const bench = new RunnerBench();
    const { writeNumber } = bench.runner.sender;
    bench.do(keep(1));
    expect(bench.runner.sender).toMatchObject({ role: "acceptor", id: "a1", writeNumber });
    bench.disk.finish();
    expect(bench.runner.sender).toMatchObject({ incarnation: 1, writeNumber: writeNumber + 1 });
  });
});

describe("timers", () => {
  const arm = (bench: RunnerBench) => {
    bench.runner.tell({ type: "arm" });
    bench.clock.turn();
    return bench.clock.alarms.at(-1);
  };

  it("come as events of the next drain", () => {
    const bench = new RunnerBench();
    const alarm = arm(bench);
    alarm?.fire();
    expect(bench.counts.size).toBe(0);
    bench.clock.turn();
    expect(bench.counts).toEqual(new Map([["fired", 1]]));
  });

  it("that were set anew before they are stepped are dropped: their generation is past", () => {
    const bench = new RunnerBench();
    const first = arm(bench);
    bench.runner.tell({ type: "arm" });
    first?.fire();
    bench.clock.turn();
    expect([first?.cancelled, bench.counts.size]).toEqual([true, 0]);
    bench.clock.alarms.at(-1)?.fire();
    bench.clock.turn();
    expect(bench.counts).toEqual(new Map([["fired", 1]]));
  });

  it("that were cancelled before they are stepped are dropped", () => {
    const bench = new RunnerBench();
    const first = arm(bench);
    bench.runner.tell({ type: "leave" });
    first?.fire();
    bench.clock.turn();
    expect(bench.counts.size).toBe(0);
  });

  it("fire once", () => {
    const bench = new RunnerBench();
    const alarm = arm(bench);
    alarm?.fire();
    alarm?.fire();
    bench.clock.turn();
    expect(bench.counts).toEqual(new Map([["fired", 1]]));
  });
});

describe("what is carried out and throws", () => {
  it("stops the role, which is named, and nothing else leaves", () => {
    const bench = new RunnerBench();
    bench.carryOut = (name) => {
      if (name === "beacon") throw new Error("no such subject");
    };
    bench.do(say("promise"), say("beacon"), say("nack"));
    expect(bench.take()).toEqual(["promise"]);
    expect(bench.halts).toEqual(["threw: acceptor a1 stopped at send: no such subject"]);
  });

  it("stops the role if it is a write", () => {
    const bench = new RunnerBench();
    const round = Number.MAX_SAFE_INTEGER + 1; // no record holds it
    bench.do(persist(promiseOf(round)), say("promise"));
    bench.disk.finish();
    expect(bench.take()).toEqual([]);
    expect(bench.halts).toEqual([expect.stringMatching(/^threw: acceptor a1 stopped at commit: /)]);
  });
});

describe("a step that throws", () => {
  it("stops the role: nothing of its drain is kept or leaves, of earlier steps neither", () => {
    const bench = new RunnerBench();
    bench.runner.tell(doing(keep(1), say("promise"), say("beacon")));
    bench.runner.tell({ type: "throw" });
    bench.runner.tell(doing(say("nack")));
    bench.clock.turn();
    expect([bench.take(), bench.disk.file.unsynced]).toEqual([[], 0]);
    expect(bench.halts).toEqual(["threw: acceptor a1 stopped at throw: the step threw"]);
  });

  it("holds back what waited for an earlier write, even when that is on disk", () => {
    const bench = new RunnerBench();
    bench.do(keep(1), say("promise"));
    bench.runner.tell({ type: "throw" });
    bench.clock.turn();
    bench.disk.finish();
    expect([bench.take(), bench.halts.length]).toEqual([[], 1]);
  });

  it("is the end: nothing is taken any more, no timer runs", () => {
    const bench = new RunnerBench();
    bench.runner.tell({ type: "arm" });
    bench.runner.tell({ type: "throw" });
    bench.clock.turn();
    expect(bench.clock.alarms.map(({ cancelled }) => cancelled)).toEqual([true]);
    bench.do(say("nack"));
    expect(bench.runner.deliver({ ...propose, bytes: 1 })).toBe(true);
    expect([bench.take(), bench.runner.pending, bench.halts.length]).toEqual([[], 0, 1]);
  });

  it("is no different from a role that wants records kept and has no store", () => {
    const bench = new RunnerBench(obedientRole(), {}, false);
    bench.do(say("nack"), keep(1));
    expect([bench.take(), bench.halts]).toEqual([
      [],
      ["threw: role acceptor wants records kept but has no store"],
    ]);
  });
});

describe("a role that halts itself", () => {
  it("says what it asked for before, and nothing after", () => {
    const bench = new RunnerBench();
    bench.do(say("nack"), { kind: "halt", why: "enough" }, say("promise"));
    expect([bench.take(), bench.halts, bench.runner.halted]).toEqual([
      ["nack"],
      ["halt: enough"],
      "enough",
    ]);
  });

  it("counts", () => {
    const bench = new RunnerBench();
    bench.do({ kind: "count", reason: "odd", by: 3 });
    expect(bench.counts).toEqual(new Map([["odd", 3]]));
  });
});

describe("what a store held", () => {
  it("is in the memory of the role alone once it runs", () => {
    const bench = new RunnerBench(undefined, undefined, true, [promiseOf(1)]);
    expect(bench.input().records).toEqual([promiseOf(1)]);
    expect(bench.runner.store?.records).toEqual([]);
  });

  it("is collected when the role has taken it in", async () => {
    const held = [{ kind: "key", key: "k", promised: ballot(1), vote: null } as const];
    const bench = new RunnerBench(roles.acceptor, undefined, true, held);
    await new Promise((resolve) => setTimeout(resolve, 0));
    setFlagsFromString("--expose-gc");
    (runInNewContext("gc") as () => void)();
    expect(bench.snapshot()?.context.data.keys.has("k")).toBe(true);
    expect(bench.found.map((one) => one.deref())).toEqual([undefined, undefined]);
  });
});

describe("a disk that is full", () => {
  it("costs the memory, which ran ahead: the role begins anew with what is on disk", () => {
    const bench = new RunnerBench();
    bench.do(keep(1));
    bench.disk.finish();
    bench.runner.tell({ type: "arm" });
    bench.clock.turn();
    bench.disk.file.trouble("full");
    bench.do(keep(2), say("promise"));
    bench.do(say("nack"));
    bench.disk.finish();
    expect([bench.take(), bench.halts]).toEqual([[], []]);
    expect(bench.counts).toEqual(new Map([["disk_full", 1]]));
    expect(bench.input().records).toEqual([promiseOf(1)]);
    expect(bench.input().diskFull).toEqual(expect.any(String));
    expect([bench.snapshot()?.value, bench.clock.alarms[0]?.cancelled]).toEqual(["idle", true]);
  });

  it("and rotten beside halts the role: a new start would mend nothing", () => {
    const bench = new RunnerBench();
    bench.do(keep(1));
    bench.disk.finish();
    const [, rotten] = bench.disk.file.pairs();
    bench.disk.file.write(rotten?.key as Uint8Array, Uint8Array.of(1, 2, 3));
    bench.disk.file.trouble("full");
    bench.do(keep(2), say("promise"));
    bench.disk.finish();
    expect([bench.take(), bench.halts]).toEqual([
      [],
      [expect.stringMatching(/^halt: .*is corrupt/)],
    ]);
  });

  it("is forgotten by the next commit that finds room", () => {
    const bench = new RunnerBench();
    bench.disk.file.trouble("full");
    bench.do(keep(2), say("promise"));
    bench.disk.finish();
    bench.do(keep(3), say("promise"));
    bench.disk.finish();
    expect([bench.take(), bench.disk.store.reload()]).toEqual([["promise"], [promiseOf(3)]]);
  });

  it("makes an acceptor refuse until there is room, and then serve what it had promised", () => {
    const bench = new RunnerBench(roles.acceptor);
    const state = () => stateName(bench.snapshot() as never);
    const fire = () => {
      bench.clock.alarms.findLast(({ cancelled }) => !cancelled)?.fire();
      bench.clock.turn();
    };
    const prepare = (round: number) => {
      const message = { type: "prepare", ballot: ballot(round), fromSlot: 0 } as const;
      bench.runner.deliver({ from: sender("proposer", "p1"), message, bytes: 1 });
      bench.clock.turn();
    };
    fire();
    expect([bench.take(), state()]).toEqual([["hello"], "serving"]);
    bench.disk.file.trouble(null, "full");
    prepare(1);
    bench.disk.finish();
    expect(bench.take()).toEqual(["promise"]);
    prepare(5);
    bench.disk.finish();
    expect([bench.take(), state()]).toEqual([["hello"], "refusing"]);
    prepare(6);
    fire();
    expect(bench.take()).toEqual(["checkDisk"]);
    bench.runner.tell({ type: "disk.room" });
    bench.clock.turn();
    expect(state()).toBe("serving");
    expect(bench.snapshot()?.context.data.promised).toEqual(ballot(1));
  });
});

describe("a disk that failed", () => {
  it.each(["failed", "failed_but_written"] as const)("ends the role: %s", (trouble) => {
    const bench = new RunnerBench();
    bench.disk.file.trouble(trouble);
    bench.do(keep(2), say("promise"));
    bench.disk.finish();
    expect([bench.take(), bench.halts]).toEqual([[], []]);
    bench.clock.turn();
    expect([bench.take(), bench.halts]).toEqual([[], [expect.stringContaining("halt: ")]]);
    expect(bench.counts).toEqual(new Map([["disk_failed", 1]]));
  });
});
