/**
 * Goal: a turn goes on until the roles of a process have nothing more to say to each other, starts
 * each write once, after what it published was handed over, and lets the bus in now and then.
 * Method: roles that note what is asked of them, and a clock whose turns come by hand.
 */
import { describe, expect, it } from "vitest";
import { RunLoop, type Stepped } from "../../src/kernel/loop.js";

/** A loop whose `soon` and `endOfTurn` wait for the test. */
function bench() {
  const soon: (() => void)[] = [];
  const ends: (() => void)[] = [];
  const log: string[] = [];
  const loop = new RunLoop({
    soon: (run) => void soon.push(run),
    endOfTurn: (run) => void ends.push(run),
  });
  /** A role that does `then` whenever it is stepped. */
  const role = (name: string, then: () => void = () => undefined): Stepped => ({
    drain: () => {
      log.push(`${name} steps`);
      then();
    },
    commit: () => {
      log.push(`${name} commits`);
    },
  });
  const turn = () => {
    soon.shift()?.();
    return log.splice(0);
  };
  const end = () => {
    for (const run of ends.splice(0)) run();
    return log.splice(0);
  };
  return { loop, role, turn, end, soon };
}

describe("a turn", () => {
  it("steps a role that another one wakes, and starts writes at its end", () => {
    const { loop, role, turn, end, soon } = bench();
    const acceptor = role("acceptor");
    const proposer = role("proposer", () => loop.wake(acceptor));
    loop.wake(role("gateway", () => loop.wake(proposer)));
    expect(turn()).toEqual(["gateway steps", "proposer steps", "acceptor steps"]);
    expect(end()).toEqual(["gateway commits", "proposer commits", "acceptor commits"]);
    expect(soon).toEqual([]);
  });

  it("starts the writes of a role once, however often it was stepped", () => {
    const { loop, role, turn, end } = bench();
    let left = 3;
    const again: Stepped = role("acceptor", () => {
      if (--left > 0) loop.wake(again);
    });
    loop.wake(again);
    expect(turn()).toEqual(["acceptor steps", "acceptor steps", "acceptor steps"]);
    expect(end()).toEqual(["acceptor commits"]);
  });

  it("steps a role once for all that woke it", () => {
    const { loop, role, turn, soon } = bench();
    const learner = role("learner");
    for (let times = 0; times < 3; times++) loop.wake(learner);
    expect([turn(), soon]).toEqual([["learner steps"], []]);
  });

  it("lets the bus in between roles that never stop talking", () => {
    const { loop, role, turn, soon } = bench();
    const endless: Stepped = role("proposer", () => loop.wake(endless));
    loop.wake(endless);
    const first = turn().length;
    expect([first > 1, first < 1000, soon.length]).toEqual([true, true, 1]);
    expect(turn()).toHaveLength(first);
  });

  it("follows for what a write brought", () => {
    const { loop, role, turn, end, soon } = bench();
    const proposer = role("proposer");
    const acceptor = { ...role("acceptor"), commit: () => loop.wake(proposer) };
    loop.wake(acceptor);
    turn();
    expect(soon).toEqual([]);
    end();
    expect(turn()).toEqual(["proposer steps"]);
  });
});
