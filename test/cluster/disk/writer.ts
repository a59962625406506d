/**
 * A process of its own that is traced: runs the commits of a seed on a directory, and says on
 * standard output when each begins and when it was acknowledged.
 *
 * Arguments: directory, seed, batches.
 */
import { writeSync } from "node:fs";
import {
  formatDirectory,
  type OpenDirectory,
  openDirectory,
} from "../../../src/adapters/lmdb/format.js";
import { identity } from "../../actor/stores.js";
import { drawCommits, growBytes } from "./commits.js";

async function write(directory: string, seed: string, count: number): Promise<void> {
  const say = (word: string, commit: number) => writeSync(1, `${word} ${commit}\n`);
  let opened: OpenDirectory | undefined;
  for (const [at, commit] of drawCommits(seed, count).entries()) {
    if (commit.kind === "open") await opened?.close();
    say("begin", at);
    if (commit.kind === "format") await formatDirectory(directory, identity, { growBytes });
    if (commit.kind === "open") opened = await openDirectory(directory, identity, { growBytes });
    if (commit.kind === "batch") {
      const { batch } = commit;
      await new Promise<void>((resolve, reject) => {
        opened?.store.commit(batch, (error) => (error === null ? resolve() : reject(error)));
      });
    }
    say("done", at);
  }
  await opened?.close();
}

const [directory = "", seed = "", count = "0"] = process.argv.slice(2);
write(directory, seed, Number(count)).catch((error: unknown) => {
  writeSync(2, `${String(error)}\n`);
  process.exitCode = 1;
});
