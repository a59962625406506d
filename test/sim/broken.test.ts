/**
 * Goal: the simulator finds what it is there for: every broken thing, within a stated number of
 * seeds, by an invariant that speaks of it.
 * Method: each control is hunted; then the real thing is put through the run in which it was found,
 * and must come out clean: what was found is the broken rule, not the scene.
 */
import { describe, expect, it, vi } from "vitest";
import { brokenOptions, type Caught, huntBroken, planOf } from "../../src/sim/broken/hunt.js";
import { BROKEN } from "../../src/sim/broken/index.js";
import { runPlan } from "../../src/sim/run/run.js";

vi.setConfig({ testTimeout: 120_000 });

/** What each hunt found, so that the real thing is put through the same seeds. */
const found = new Map<string, Caught>();

describe("the controls", () => {
  const names = BROKEN.map(({ name }) => name);

  it("have names for a command line, each its own, in order", () => {
    for (const name of names) expect(name).toMatch(/^[a-z0-9-]+$/);
    expect(names).toEqual([...new Set(names)].sort());
  });

  it("are as many as the rules that can be broken alone", () => {
    expect(names.length).toBeGreaterThanOrEqual(40);
  });

  it.each(BROKEN)("$name is caught by an invariant that it breaks", (broken) => {
    const { seedsMax, catches } = broken.hunt;
    const caught = huntBroken(broken);
    expect(caught, `not within ${seedsMax} seeds`).not.toBeNull();
    expect(catches).toContain(caught?.invariant);
    if (caught !== null) found.set(broken.name, caught);
  });

  it.each(BROKEN)("$name: the real thing comes out of the same run clean", (broken) => {
    const { seed = 1 } = found.get(broken.name) ?? {};
    const { violation } = runPlan(planOf(broken, seed), { onReady: broken.hunt.onReady });
    expect(violation).toBeNull();
  });

  it("are caught again by the seed alone", () => {
    for (const broken of BROKEN.filter((_, at) => at % 10 === 0)) {
      const { seed = 1, invariant, sentence } = found.get(broken.name) ?? {};
      const { violation } = runPlan(planOf(broken, seed), brokenOptions(broken));
      expect(violation, broken.name).toEqual({ invariant, sentence });
    }
  });
});
