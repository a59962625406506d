/**
 * Goal: whatever an earlier life of a role's memory asked for and is answered late changes nothing
 * in the present one: writes, timers, answers of the host.
 * Method: a runner on a real store over an asynchronous disk, whose syncs end when the test says:
 * late, together, and after the memory was read again. The acceptor is the real one.
 */
import { describe, expect, it } from "vitest";
import { roles } from "../../actors/index.js";
import { type Effect, send } from "../../src/kernel/effect.js";
import { stateName } from "../../src/kernel/role.js";
import type { Message } from "../../src/paxos/wire/messages.js";
import { ballot, persist, sender } from "../support/steps.js";
import { RunnerBench } from "./running.js";
import { promiseOf } from "./stores.js";

const say = (type: string): Effect => send("proposer", "p1", { type } as unknown as Message);
const keep = (round: number) => persist(promiseOf(round));
const doing = (...effects: Effect[]) => ({ type: "do", effects });

describe("a life", () => {
  it("is numbered from 0, one more each time the memory is read again", () => {
    const bench = new RunnerBench();
    const lives = [bench.input().life];
    for (let round = 1; round < 3; round++) {
      bench.disk.file.trouble("full");
      bench.do(keep(round));
      bench.disk.finish();
      lives.push(bench.input().life);
    }
    expect([lives, bench.input().incarnation]).toEqual([[0, 1, 2], 1]);
  });
});

describe("a write of an earlier life", () => {
  it("that is answered late discards nothing of the present one, nor its memory", () => {
    const bench = new RunnerBench();
    bench.disk.file.trouble("full");
    bench.do(keep(1), say("promise"));
    bench.do(keep(2), say("promise"));
    bench.disk.finishOne();
    expect(bench.input().life).toBe(1);
    // The present life writes while the second write of the earlier one is still under way.
    bench.do(keep(3), say("nack"));
    const memory = bench.snapshot();
    bench.disk.finishOne();
    expect([bench.input().life, bench.snapshot() === memory, bench.take()]).toEqual([1, true, []]);
    bench.disk.finishOne();
    expect([bench.take(), bench.disk.store.reload()]).toEqual([["nack"], [promiseOf(3)]]);
    expect(bench.counts).toEqual(
      new Map([
        ["disk_full", 1],
        ["earlier_life", 1],
      ]),
    );
  });

  it("lets nothing of the present life out before its own write is durable", () => {
    const bench = new RunnerBench();
    bench.disk.file.trouble("full");
    for (const round of [1, 2, 3]) bench.do(keep(round), say("promise"));
    bench.disk.finishOne();
    bench.do(keep(4), say("nack"));
    bench.disk.finishOne();
    bench.disk.finishOne();
    expect(bench.take()).toEqual([]);
    bench.disk.finishOne();
    expect(bench.take()).toEqual(["nack"]);
  });

  it("does not make the acceptor forget a promise that is on its way to the disk", () => {
    const bench = new RunnerBench(roles.acceptor);
    const fire = () => {
      bench.clock.alarms.findLast(({ cancelled }) => !cancelled)?.fire();
      bench.clock.turn();
    };
    const prepare = (round: number, proposer = "p1") => {
      const message = { type: "prepare", ballot: ballot(round, proposer), fromSlot: 0 } as const;
      bench.runner.deliver({ from: sender("proposer", proposer), message, bytes: 1 });
      bench.clock.turn();
    };
    fire();
    bench.disk.file.trouble("full");
    prepare(1);
    prepare(2);
    bench.disk.finishOne();
    bench.runner.tell({ type: "disk.room" });
    bench.clock.turn();
    expect(stateName(bench.snapshot() as never)).toBe("serving");
    prepare(5, "p2");
    bench.disk.finish();
    // Whatever the late answer did, the disk has promised round 5.
    bench.runner.tell({ type: "disk.room" });
    bench.clock.turn();
    bench.take();
    prepare(3);
    bench.disk.finish();
    expect(bench.take()).toEqual(["nack"]);
    expect(bench.disk.store.readPromise()).toEqual(ballot(5, "p2"));
  });
});

describe("writes of one life", () => {
  it("whose syncs end out of step let out what waits for them in order", () => {
    const bench = new RunnerBench();
    bench.do(keep(1), say("promise"));
    bench.do(keep(2), say("nack"));
    bench.disk.finishOne(1);
    expect(bench.take()).toEqual(["promise", "nack"]);
    bench.disk.finishOne();
    expect([bench.take(), bench.disk.store.reload()]).toEqual([[], [promiseOf(2)]]);
  });
});

describe("an answer of the host", () => {
  it("to what an earlier life asked for is dropped, and counted", () => {
    const bench = new RunnerBench();
    const early = bench.runner.answers();
    bench.disk.file.trouble("full");
    bench.do(keep(1));
    bench.disk.finish();
    early(doing(say("promise")));
    bench.runner.answers()(doing(say("nack")));
    bench.clock.turn();
    expect([bench.take(), bench.counts.get("earlier_life")]).toEqual([["nack"], 1]);
  });

  it("that already waits for its turn is dropped too", () => {
    const bench = new RunnerBench();
    bench.disk.file.trouble("full");
    bench.do(keep(1));
    bench.runner.answers()(doing(say("promise")));
    bench.disk.finish();
    bench.clock.turn();
    expect(bench.take()).toEqual([]);
  });

  it("to a timer that had fired is dropped too", () => {
    const bench = new RunnerBench();
    bench.runner.tell({ type: "arm" });
    bench.clock.turn();
    bench.disk.file.trouble("full");
    bench.do(keep(1));
    bench.clock.alarms.at(-1)?.fire();
    bench.disk.finish();
    bench.clock.turn();
    expect(bench.counts.has("fired")).toBe(false);
  });
});

describe("a sync that failed", () => {
  it("ends the role before anything else is answered from its memory", () => {
    const bench = new RunnerBench();
    bench.disk.file.trouble("failed");
    bench.do(keep(1), say("promise"));
    // A repeat that came meanwhile: the memory has promised already, and has nothing to write.
    bench.runner.tell(doing(say("promise")));
    bench.disk.finish();
    bench.clock.turn();
    expect([bench.take(), bench.halts]).toEqual([[], [expect.stringContaining("halt: ")]]);
  });
});
