/**
 * Goal: a failing plan becomes a short one that fails in the same way, and a test file that fails
 * as long as the fault is there and passes without it.
 * Method: a disk that answers before it has synced; the written file is run by Vitest itself.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { drawPlan } from "../../src/sim/plan/draw.js";
import type { Plan } from "../../src/sim/plan/plan.js";
import { foundTestName, writeFoundTest } from "../../src/sim/run/found-test.js";
import { runPlan } from "../../src/sim/run/run.js";
import { type Shrunk, shrink } from "../../src/sim/run/shrink.js";
import { reportOf } from "../../src/sim/story/report.js";
import { earlyDisk } from "../support/early-disk.js";

const RUNS_MAX = 100;
const root = fileURLToPath(new URL("../..", import.meta.url));
const plan = firstWithMuchInIt();
const first = runPlan(plan, earlyDisk).violation;
const shrunk = shrink(plan, earlyDisk, { runsMax: RUNS_MAX }) as Shrunk;

/** The first drawn plan with many faults in which something is forgotten. */
function firstWithMuchInIt(): Plan {
  for (let seed = 1; ; seed++) {
    const drawn = drawPlan(seed);
    if (drawn.faults.length <= 5 || drawn.requests.length <= 10) continue;
    const { violation } = runPlan(drawn, earlyDisk);
    if (violation?.invariant === "nothingForgotten") return drawn;
  }
}

describe("a shrunk plan", () => {
  it("breaks the same invariant, in a run of its own", () => {
    expect(first?.invariant).toBe("nothingForgotten");
    expect(runPlan(shrunk.plan, earlyDisk).violation).toEqual(shrunk.violation);
    expect(shrunk.violation.invariant).toBe(first?.invariant);
    expect(runPlan(shrunk.plan).violation).toBeNull();
  });

  it("has little left in it", () => {
    expect(shrunk.plan.faults.length).toBeLessThanOrEqual(2);
    expect(shrunk.plan.requests.length).toBeLessThanOrEqual(4);
    expect(shrunk.plan.setup).toMatchObject({ placement: "separated", limits: {} });
    expect(shrunk.plan.setup.acceptors).toBeLessThanOrEqual(3);
    expect(shrunk.plan.calmMs).toBeLessThanOrEqual(plan.calmMs);
  });

  it("is found again by the same runs, and costs no more of them than is allowed", () => {
    expect(shrunk.runs).toBeLessThanOrEqual(RUNS_MAX);
    const seen: number[] = [];
    const few = shrink(plan, earlyDisk, { runsMax: 9, onRun: (runs) => seen.push(runs) });
    expect([few?.runs, seen.at(-1)]).toEqual([9, 9]);
    expect(shrink(plan, earlyDisk, { runsMax: 9 })).toEqual(few);
    expect(shrink(plan, earlyDisk, { runsMax: 99, isOver: () => true })?.plan).toEqual(plan);
  });

  it("is null for a plan that breaks nothing", () => {
    expect(shrink(shrunk.plan, {}, { runsMax: 9 })).toBeNull();
  });
});

describe("a found plan as a test file", () => {
  const { lines } = reportOf(shrunk.plan, earlyDisk);
  const found = { seed: plan.seed, plan: shrunk.plan, violation: shrunk.violation, lines };

  it("tells the story, in lines that fit, and carries the plan as data", () => {
    const text = writeFoundTest(found);
    expect(foundTestName(found)).toBe(`seed-${plan.seed}.test.ts`);
    expect(text).toContain("nothingForgotten");
    expect(text).toMatch(/ \* +\d[\d.]* +a\d .*(?:promise|vote)/);
    // A long value of a request is one string, which no line break can part.
    const fitting = text.split("\n").filter((line) => !/"[^" ]{60,}"/.test(line));
    expect(fitting.length).toBeGreaterThan(20);
    for (const line of fitting) expect([...line].length).toBeLessThanOrEqual(100);
    const data = /const plan: Plan = ([\s\S]*?);\n\nit\(/.exec(text)?.[1];
    expect(new Function(`return ${data}`)()).toEqual(shrunk.plan);
  });

  it("fails with the fault in place and passes without it", () => {
    const folder = mkdtempSync(join(tmpdir(), "synod-found-"));
    try {
      symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
      const sim = join(root, "src/sim");
      const control = { name: "earlyDisk", from: join(root, "test/support/early-disk.js") };
      writeFileSync(join(folder, "real.test.ts"), writeFoundTest({ ...found, sim }));
      writeFileSync(join(folder, "broken.test.ts"), writeFoundTest({ ...found, sim, control }));
      writeFileSync(join(folder, "vitest.config.mjs"), "export default {};\n");
      const vitest = join(root, "node_modules/vitest/vitest.mjs");
      const args = [vitest, "run", "--root", folder, "--reporter", "json"];
      const { stdout } = spawnSync(process.execPath, args, { encoding: "utf8", cwd: folder });
      const { testResults } = JSON.parse(stdout) as {
        readonly testResults: readonly { name: string; assertionResults: readonly Ended[] }[];
      };
      const ended = testResults.map(({ name, assertionResults: [one] }) => {
        return [name.slice(name.lastIndexOf("/") + 1), one?.status, one?.failureMessages.join()];
      });
      expect(ended.sort()).toEqual([
        ["broken.test.ts", "failed", expect.stringContaining("nothingForgotten")],
        ["real.test.ts", "passed", ""],
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 60_000);
});

interface Ended {
  readonly status: string;
  readonly failureMessages: readonly string[];
}
