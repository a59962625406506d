/**
 * Goal: no process and no folder of a test stays behind, however the test ends.
 * Method: a process that guards a sleeping (and stopped) child and a folder is killed.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { isAlive, Processes, until } from "./processes.js";

const loader = fileURLToPath(new URL("../support/typescript.mjs", import.meta.url));
const guard = new URL("../support/guard.ts", import.meta.url).href;

const program = `
import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { guardChild, guardFolder } from ${JSON.stringify(guard)};
const child = spawn("sleep", ["1000"]);
guardChild(child);
child.kill("SIGSTOP");
const folder = mkdtempSync(join(tmpdir(), "synod-guarded-"));
guardFolder(folder);
console.log(child.pid, folder);
setInterval(() => {}, 1000);`;

it.each(["SIGKILL", "SIGTERM"] as const)("what is guarded goes with a %s", async (signal) => {
  const args = ["--import", loader, "--input-type=module", "-e", program];
  const processes = new Processes();
  const keeper = processes.adopt(spawn(process.execPath, args));
  await keeper.says(/^\d+ \S+\n/);
  const [pid = "", folder = ""] = keeper.stdout.trim().split(" ");
  expect(isAlive(Number(pid)) && existsSync(folder)).toBe(true);
  await keeper.end(signal);
  await until(() => !existsSync(folder) && !isAlive(Number(pid)));
  await processes.clear();
});
