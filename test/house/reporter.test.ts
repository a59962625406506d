/**
 * Goal: the last line of a run tells the truth about it; CI reads nothing else.
 * Method: runs as vitest reports them, reduced to what the count looks at.
 */
import { describe, expect, it } from "vitest";
import type { TestModule } from "vitest/node";
import { countLine, countRun } from "../support/reporter.js";

type State = "passed" | "failed" | "skipped" | "pending";

/** A finished file with these tests, and this many errors in a hook or while it loaded. */
function module(states: readonly State[], errors = { file: 0, hooks: 0 }): TestModule {
  const finished = {
    errors: () => Array(errors.file).fill({}),
    children: {
      allSuites: () => Array(errors.hooks).fill({ errors: () => [{}] }),
      allTests: () => states.map((state) => ({ result: () => ({ state }) })),
    },
  };
  return finished as unknown as TestModule;
}

describe("the count of a run", () => {
  it("adds up the tests of every file", () => {
    const modules = [module(["passed", "failed"]), module(["passed", "skipped"])];
    expect(countRun(modules, 0)).toEqual({ passed: 2, failed: 1, skipped: 1 });
  });

  it("takes a test that never ran for a failure", () => {
    expect(countRun([module(["pending"])], 0).failed).toBe(1);
  });

  it("takes a file that does not load, a hook and a stray error for failures", () => {
    const modules = [module([], { file: 1, hooks: 0 }), module(["skipped"], { file: 0, hooks: 1 })];
    expect(countRun(modules, 1)).toEqual({ passed: 0, failed: 3, skipped: 1 });
  });

  it("is one plain line", () => {
    const line = countLine({ passed: 3, failed: 2, skipped: 1 }, 1);
    expect(line).toBe("3 passed, 2 failed, 1 skipped");
  });

  it("never says that nothing failed when the exit code says otherwise", () => {
    const line = countLine({ passed: 3, failed: 0, skipped: 0 }, 1);
    expect(line).toBe("3 passed, 1 failed, 0 skipped");
  });
});
