import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { CountReporter } from "./test/support/reporter.js";

/**
 * Two projects, one count. `house` is what `npm run check` runs and goes first: types, lint, unused
 * code, import directions, tidiness. `synod` is every other test; only it needs a NATS server.
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
          name: "synod",
          include: ["test/**/*.test.ts"],
          exclude: ["test/house/**"],
          globalSetup: ["test/support/global-setup.ts"],
          setupFiles: ["test/support/properties.ts"],
          sequence: { groupOrder: 1 },
        },
      },
    ],
    // Tests fork workers and kill them: each file gets a process of its own.
    pool: "forks",
    // Vitest's default leaves a core idle; more than four only makes timing tests fight.
    maxWorkers: Math.min(4, Math.max(2, availableParallelism())),
    testTimeout: 30_000,
    hookTimeout: 30_000,
    allowOnly: false,
  },
});
