import type { Reporter, TestModule } from "vitest/node";

/** How many tests a run passed, failed and skipped. */
export interface Count {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/**
 * Counts a finished run, so that whatever makes it fail is in `failed`.
 *
 * Why: a file that does not load, a failing hook and an unhandled error have no test of their own;
 * each counts as one failure. A test that never ran is a failure too, not a skip.
 */
export function countRun(modules: readonly TestModule[], unhandledErrors: number): Count {
  const count = { passed: 0, failed: unhandledErrors, skipped: 0 };
  for (const module of modules) {
    count.failed += module.errors().length > 0 ? 1 : 0;
    for (const suite of module.children.allSuites()) {
      count.failed += suite.errors().length > 0 ? 1 : 0;
    }
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      count[state === "pending" ? "failed" : state] += 1;
    }
  }
  return count;
}

/** Says a count in the words that CI reads; a run that failed without a count has one failure. */
export function countLine(count: Count, exitCode: number): string {
  const failed = count.failed === 0 && exitCode !== 0 ? 1 : count.failed;
  return `${count.passed} passed, ${failed} failed, ${count.skipped} skipped`;
}

/**
 * Prints `N passed, N failed, N skipped` as the last line of a run.
 *
 * Why on exit: the default reporter, a global setup that throws and a close that takes too long all
 * print after the last test; nothing prints after the process's own exit event.
 */
export class CountReporter implements Reporter {
  #count: Count = { passed: 0, failed: 0, skipped: 0 };

  onInit(): void {
    process.once("exit", (code) => {
      process.stdout.write(`${countLine(this.#count, code)}\n`);
    });
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    this.#count = countRun(modules, unhandledErrors.length);
  }
}
