/** An earlier commit, built in a temporary folder. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { guardFolder } from "../support/guard.js";
import type { Build } from "./deployment.js";

const run = promisify(execFile);

/**
 * Takes a folder with a build, or builds a commit in a folder that goes with this process.
 *
 * @param root this repository
 * @throws Error if there is neither, or the commit cannot be built
 */
export async function earlierBuild(root: string, against: string): Promise<Build> {
  if (existsSync(join(against, "dist/src/index.js"))) return { name: against, folder: against };
  const folder = await mkdtemp(join(tmpdir(), "synod-bench-"));
  guardFolder(folder);
  const archive = join(folder, "tree.tar");
  // Not a worktree: that would stay in the repository's list when this process is killed.
  await run("git", ["archive", "--output", archive, against], { cwd: root });
  await run("tar", ["xf", archive], { cwd: folder });
  // Its `prepare` builds it.
  await run("npm", ["ci", "--no-audit", "--no-fund"], { cwd: folder });
  return { name: against, folder };
}
