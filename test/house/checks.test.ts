/**
 * Goal: types, lint and unused code are counted like any other test.
 * Method: each tool runs once over the tree, changing nothing; what it prints is the failure.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "vitest";
import { root } from "./sources.js";

/** Each tool alone takes seconds; a first run on a busy machine may take a minute. */
const toolTimeoutMs = 180_000;

/** Runs a tool of ours; throws what it printed if it is not content. */
function run(script: string, ...args: readonly string[]): Promise<void> {
  const path = join(root, "node_modules", script);
  return new Promise((resolve, reject) => {
    const options = { cwd: root, maxBuffer: 64 << 20 };
    execFile(process.execPath, [path, ...args], options, (error, stdout, stderr) => {
      if (error === null) return resolve();
      const failure = new Error(`${script} ${args.join(" ")}\n${stdout}${stderr}`.trimEnd());
      failure.stack = ""; // ours would say nothing, and vitest would show it
      reject(failure);
    });
  });
}

describe.concurrent("check", { timeout: toolTimeoutMs }, () => {
  it("types", () => run("typescript/bin/tsc", "-p", "tsconfig.json", "--noEmit"));

  it("lint and format", () =>
    run(
      "@biomejs/biome/bin/biome",
      "check",
      "--error-on-warnings",
      "--diagnostic-level=warn",
      "--colors=off",
    ));

  it("unused code", () => run("knip/bin/knip.js", "--no-progress"));
});
