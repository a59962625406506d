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
import type { StoreBatch } from "../../../src/kernel/store/store.js";
import { identity } from "../../kernel/stores.js";
import { drawCommits, growBytes, journalBytes } from "./commits.js";

/** So many batches are asked for without waiting: some wait while others are synced. */
const settleEvery = 3;

/** The store of a process that opens it again and again. */
class Writer {
  readonly #directory: string;
  #open: OpenDirectory | undefined;
  #openings = 0;
  readonly #underWay: Promise<void>[] = [];

  constructor(directory: string) {
    this.#directory = directory;
  }

  async open(): Promise<void> {
    // Syncs beside the loop in one life, in the loop in the next: both must be safe.
    this.#openings += 1;
    const syncs = this.#openings % 2 === 0 ? "in place" : "beside";
    const options = { growBytes, journalBytes, syncs } as const;
    this.#open = await openDirectory(this.#directory, identity, options);
  }

  ask(batch: StoreBatch, done: () => void): void {
    const ended = new Promise<void>((resolve, reject) => {
      this.#open?.store.commit(batch, (error) => {
        if (error !== null) reject(error);
        else resolve();
        done();
      });
    });
    this.#underWay.push(ended);
  }

  async settle(): Promise<void> {
    await Promise.all(this.#underWay.splice(0));
  }

  async close(): Promise<void> {
    await this.settle();
    await this.#open?.close();
    this.#open = undefined;
  }
}

async function write(directory: string, seed: string, count: number): Promise<void> {
  const say = (word: string, commit: number) => writeSync(1, `${word} ${commit}\n`);
  const writer = new Writer(directory);
  for (const [at, commit] of drawCommits(seed, count).entries()) {
    if (commit.kind === "open") await writer.close();
    else if (at % settleEvery === 0) await writer.settle();
    say("begin", at);
    if (commit.kind === "format") await formatDirectory(directory, identity, { growBytes });
    if (commit.kind === "open") await writer.open();
    if (commit.kind === "batch") writer.ask(commit.batch, () => say("done", at));
    else say("done", at);
  }
  await writer.close();
}

const [directory = "", seed = "", count = "0"] = process.argv.slice(2);
write(directory, seed, Number(count)).catch((error: unknown) => {
  writeSync(2, `${String(error)}\n`);
  process.exitCode = 1;
});
