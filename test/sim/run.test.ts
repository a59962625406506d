/**
 * Goal: a seed is a run: the same plan gives the same run, to the last message; and a bounded hunt
 * finds nothing, while everything that it is there for has happened.
 * Method: the simulator itself, over a fixed range of seeds.
 */
import { describe, expect, it } from "vitest";
import { createSeededRandom } from "../../src/adapters/memory/random.js";
import { quorumProblems } from "../../src/paxos/quorum.js";
import { drawPlan } from "../../src/sim/plan/draw.js";
import { drawQuorums } from "../../src/sim/plan/setup.js";
import { type Run, runPlan } from "../../src/sim/run/run.js";
import { Coverage, notSeen } from "../../src/sim/world/coverage.js";

/** Every message that the bus carried to a tap, with its time. */
function transcript(seed: number): string[] {
  const lines: string[] = [];
  const listen = ({ world }: Run) => {
    world.bus.connect("tap").subscribe(">", ({ subject, payload }) => {
      const bytes = Buffer.from(payload).toString("hex");
      lines.push(`${world.clock.nowMs()} ${subject} ${bytes}`);
    });
  };
  runPlan(drawPlan(seed), { onReady: listen });
  return lines;
}

describe("a seed", () => {
  it("gives the same plan and the same run, to the last byte", () => {
    expect(drawPlan(7)).toEqual(drawPlan(7));
    const [first, second] = [transcript(7), transcript(7)];
    expect(first.length).toBeGreaterThan(100);
    expect(second).toEqual(first);
  });

  it("gives another run than the next one", () => {
    expect(drawPlan(7)).not.toEqual(drawPlan(8));
  });

  it("is plain data: a plan that was written down runs as it did", () => {
    const plan = drawPlan(9);
    const copy = JSON.parse(JSON.stringify(plan));
    expect([...runPlan(copy).coverage.counts]).toEqual([...runPlan(plan).coverage.counts]);
  });
});

describe("a hunt", () => {
  const seeds = Array.from({ length: 120 }, (_, at) => 2073 + at);
  const coverage = new Coverage();

  it("finds nothing", () => {
    for (const seed of seeds) {
      const { violation, coverage: seen } = runPlan(drawPlan(seed));
      expect(violation, `seed ${seed}`).toBeNull();
      coverage.add(seen.counts);
    }
  }, 300_000);

  it("has seen everything that it is there for", () => {
    expect(notSeen(coverage)).toEqual([]);
  });
});

describe("drawn quorums", () => {
  it("meet, whatever the size", () => {
    const random = createSeededRandom(1);
    for (let acceptors = 1; acceptors <= 7; acceptors++) {
      const ids = Array.from({ length: acceptors }, (_, at) => `a${at + 1}`);
      for (let n = 0; n < 200; n++) {
        expect(quorumProblems(drawQuorums(random, acceptors), ids)).toEqual([]);
      }
    }
  });
});
