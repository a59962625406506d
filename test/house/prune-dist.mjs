/**
 * Deletes from dist/ what no source file builds any more; with `--all`, deletes dist/.
 *
 * Why: tsc never removes the output of a source that is gone. A worker forked by path, or a packed
 * tarball, would go on using it here and miss it in a fresh clone. Plain JavaScript: it runs before
 * anything is built.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");
const dist = join(root, "dist");

if (process.argv.includes("--all")) {
  rmSync(dist, { recursive: true, force: true });
} else if (existsSync(dist)) {
  for (const entry of readdirSync(dist, { recursive: true })) {
    const source = /^(.+?)\.(?:js|js\.map|d\.ts)$/.exec(entry)?.[1];
    if (source !== undefined && !existsSync(join(root, `${source}.ts`))) rmSync(join(dist, entry));
  }
}
