/**
 * Goal: the simulator finds what it is there for: every broken thing, within a stated number of
 * seeds, by an invariant that speaks of it.
 * Method: each control is hunted; then the real thing is put through the very same runs, and must
 * come out clean: what was found is the broken rule, not the scene.
 */
import { describe, expect, it } from "vitest";
import { huntBroken, planOf } from "../../src/sim/broken/hunt.js";
import { BROKEN } from "../../src/sim/broken/index.js";
import { runPlan } from "../../src/sim/run.js";

describe("the controls", () => {
  const names = BROKEN.map(({ name }) => name);

  it("have names for a command line, each its own, in order", () => {
    for (const name of names) expect(name).toMatch(/^[a-z0-9-]+$/);
    expect(names).toEqual([...new Set(names)].sort());
  });
});

describe.each(BROKEN)("$name", (broken) => {
  const { hunt } = broken;
  const caught = huntBroken(broken);

  it("is caught by an invariant that it breaks", () => {
    expect(caught, `not within ${hunt.seedsMax} seeds`).not.toBeNull();
    expect(hunt.catches).toContain(caught?.invariant);
  });

  it("is caught for what is broken: the real thing comes out of the same runs clean", () => {
    for (let seed = 1; seed <= (caught?.seed ?? 1); seed++) {
      const { violation } = runPlan(planOf(broken, seed), { onReady: hunt.onReady });
      expect(violation, `seed ${seed}`).toBeNull();
    }
  });
});
