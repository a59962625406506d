/** strace for tests: finds one that works here. */
import { spawnSync } from "node:child_process";
import { type FoundTool, ToolFinder } from "./debian-tool.js";

const finder = new ToolFinder({
  name: "strace",
  variable: "STRACE",
  folder: "usr/bin",
  libraries: ["libunwind8"],
});

/**
 * Finds a strace, and tries it: a sandbox may forbid to trace.
 *
 * @throws Error with the reason if there is none and `CI` is `true`
 */
export async function findStrace(): Promise<FoundTool> {
  if (process.platform !== "linux") return { missing: "strace is a tool of Linux" };
  const found = await finder.find();
  if ("missing" in found) return found;
  const tried = spawnSync(found.path, ["-o", "/dev/null", "-e", "trace=fdatasync", "true"], {
    encoding: "utf8",
  });
  if (tried.status === 0) return found;
  const missing = `strace does not work here: ${tried.error?.message ?? tried.stderr.trim()}`;
  if (process.env["CI"] === "true") throw new Error(missing);
  return { missing };
}

/** Finds it once for a whole test run. */
export function prepareStrace(): Promise<void> {
  return finder.prepare();
}
