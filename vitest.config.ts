import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { CountReporter } from "./test/support/reporter.js";

/** Tests of rules and machines: they start nothing and share nothing but the modules they load. */
const pure = ["paxos", "actors", "kernel", "scenarios", "explore", "sim", "judge"].map(
  (folder) => `test/${folder}/**/*.test.ts`,
);

/**
 * Tests of what stands behind ports, and of the client: they close what they open. The package is
 * compiled by processes that it starts, and gains nothing.
 */
const shared = [
  ...["adapters", "broker", "charts", "ports"].map((folder) => `test/${folder}/**/*.test.ts`),
  "test/client/!(package).test.ts",
];

/**
 * Four projects, one count. `house` is what `npm run check` runs and goes first: types, lint,
 * unused code, import directions, tidiness. `rules` tests what starts nothing, `ports` what stands
 * behind ports: their files share processes, so that each module loads once. `synod` is every other
 * test.
 */
export default defineConfig({
  test: {
    reporters: ["default", new CountReporter()],
    projects: [
      {
        extends: true,
        test: {
          name: "house",
          include: ["test/house/**/*.test.ts"],
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "rules",
          include: pure,
          setupFiles: ["test/support/properties.ts"],
          isolate: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "ports",
          include: shared,
          globalSetup: ["test/support/global-setup.ts"],
          setupFiles: ["test/support/properties.ts"],
          isolate: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "synod",
          include: ["test/**/*.test.ts"],
          exclude: ["test/house/**", ...pure, ...shared],
          globalSetup: ["test/support/global-setup.ts"],
          setupFiles: ["test/support/properties.ts"],
          sequence: { groupOrder: 1 },
        },
      },
    ],
    // The tests of `synod` fork workers and kill them: each file gets a process of its own.
    pool: "forks",
    // One more than cores, because many tests wait; more than four only makes timing tests fight.
    maxWorkers: Math.min(4, 1 + availableParallelism()),
    // For what hangs, and no measure of speed: a busy machine may take long.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    allowOnly: false,
  },
});
