/**
 * Goal: a story is readable by somebody who knows only the paper, complete, and changes nothing.
 * Method: stories of drawn plans, and of plans written down here.
 */
import { describe, expect, it } from "vitest";
import { CALM, drawPlan, type Plan } from "../../src/sim/plan.js";
import { type Run, runPlan } from "../../src/sim/run.js";
import { tellStory } from "../../src/sim/story/story.js";

/** A short run in calm weather; what is said of it is put on top. */
function quietPlan(change: Partial<Plan> = {}): Plan {
  return {
    seed: 1,
    setup: {
      family: "log",
      acceptors: 3,
      proposers: 2,
      quorums: { kind: "majority" },
      learn: { kind: "leader" },
      placement: "separated",
      limits: {},
      rates: {},
    },
    weather: CALM,
    latencyMs: 1,
    syncMs: 1,
    faults: [],
    requests: [],
    calmMs: 1500,
    ending: "healed",
    ...change,
  };
}

function linesOf(plan: Plan, isAll = false): string[] {
  const lines: string[] = [];
  const onLine = (line: string) => lines.push(line);
  const stories = [];
  const { violation } = runPlan(plan, {
    onReady: (run) => stories.push(tellStory(run, { onLine, isAll })),
  });
  expect(violation).toBeNull();
  return lines;
}

describe("a story", () => {
  it("changes nothing: the run is the same to the last byte", () => {
    const transcript = (look: (run: Run) => void) => {
      const seen: string[] = [];
      const listen = (run: Run) => {
        look(run);
        run.world.bus.connect("tap").subscribe(">", ({ subject, payload }) => {
          seen.push(
            `${run.world.clock.nowMs()} ${subject} ${Buffer.from(payload).toString("hex")}`,
          );
        });
      };
      runPlan(drawPlan(1014), { onReady: listen });
      return seen;
    };
    const plain = transcript(() => undefined);
    expect(plain.length).toBeGreaterThan(500);
    expect(transcript((run) => tellStory(run))).toEqual(plain);
  });

  it("tells a command from the client's wish to its answer, in order, without heartbeats", () => {
    const request = { kind: "propose", value: "ann", hasId: true } as const;
    const lines = linesOf(quietPlan({ requests: [{ atMs: 1000, client: "c1", request }] }));
    const told = lines.join("\n");
    const order = [
      /e\d → p. p. +hint: p1 should lead/,
      /p1 → a. a. a. +prepare 1\.p1 for every slot from 0 on/,
      /a\d +has synced: promise 1\.p1/,
      /a\d.* → p1 +promise 1\.p1: no votes/,
      /p1 +leads at 1\.p1/,
      /c1 +wants ⟨ann⟩ in the log/,
      /g1 → p1 +propose ⟨ann⟩/,
      /p1 → a. a. a. +accept 1\.p1 slot \d ⟨ann⟩/,
      /a\d +has synced: vote 1\.p1 slot \d ⟨ann⟩/,
      /a\d.* → p1 +accepted 1\.p1 slot \d ⟨ann⟩/,
      /CHOSEN +slot \d ⟨ann⟩ at 1\.p1, voted by a\d a\d/,
      /l\d.* +learns slot \d ⟨ann⟩/,
      /c1 +is told: ⟨ann⟩ is at position 1, slot \d/,
    ].map((pattern) => told.search(pattern));
    expect(order).not.toContain(-1);
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(told).not.toMatch(/beacon|follow|[0-9a-f]{16}/);
  });

  it("tells heartbeats if it is asked to", () => {
    expect(linesOf(quietPlan({ calmMs: 700 }), true).join("\n")).toMatch(/beacon 1\.p1/);
  });
});
