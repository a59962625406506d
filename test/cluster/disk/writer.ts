/**
 * A process of its own that is traced: runs the commits of a seed on a directory, and says on
 * standard output when each begins and when it was acknowledged.
 *
 * Arguments: directory, seed, batches; and the number of a life (from 0) for that one alone.
 */
import { spawnSync } from "node:child_process";
import { writeSync } from "node:fs";
import {
  formatDirectory,
  type OpenDirectory,
  openDirectory,
} from "../../../src/adapters/lmdb/format.js";
import type { StoreBatch } from "../../../src/kernel/store/store.js";
import { identity } from "../../kernel/stores.js";
import { type Commit, drawCommits, growBytes, journalBytes } from "./commits.js";

/** So many batches are asked for without waiting: some wait while others are synced. */
const settleEvery = 3;

/** The store of a process that opens it once. */
class Writer {
  readonly #directory: string;
  readonly #syncs: "in place" | "beside";
  #open: OpenDirectory | undefined;
  readonly #underWay: Promise<void>[] = [];

  constructor(directory: string, syncs: "in place" | "beside") {
    this.#directory = directory;
    this.#syncs = syncs;
  }

  async open(): Promise<void> {
    const options = { growBytes, journalBytes, syncs: this.#syncs };
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

/** The lives of a store: each begins with an opening, the first with the format. */
function livesOf(commits: readonly Commit[]): number[] {
  return [...commits.keys()].filter((at) => at === 0 || (at > 1 && commits[at]?.kind === "open"));
}

/**
 * Runs one life. Each odd one ends by SIGKILL, so that the next finds a journal; each third one
 * syncs in the loop, the others beside it.
 */
async function live(directory: string, commits: readonly Commit[], life: number): Promise<void> {
  const say = (word: string, commit: number) => writeSync(1, `${word} ${commit}\n`);
  const writer = new Writer(directory, life % 3 === 2 ? "in place" : "beside");
  const begins = livesOf(commits);
  const end = begins[life + 1] ?? commits.length;
  for (let at = begins[life] ?? 0; at < end; at += 1) {
    const commit = commits[at];
    if (at % settleEvery === 0) await writer.settle();
    say("begin", at);
    if (commit?.kind === "format") await formatDirectory(directory, identity, { growBytes });
    if (commit?.kind === "open") await writer.open();
    if (commit?.kind === "batch") writer.ask(commit.batch, () => say("done", at));
    else say("done", at);
  }
  await writer.settle();
  if (life % 2 === 1) process.kill(process.pid, "SIGKILL");
  await writer.close();
}

/** Runs all lives one after another, each in a process of its own. */
function liveAll(commits: readonly Commit[]): void {
  for (const life of livesOf(commits).keys()) {
    const args = [...process.execArgv, ...process.argv.slice(1), String(life)];
    const { status, signal } = spawnSync(process.execPath, args, { stdio: "inherit" });
    if (status !== 0 && signal !== "SIGKILL") throw new Error(`life ${life} ended with ${status}`);
  }
}

const [directory = "", seed = "", count = "0", life] = process.argv.slice(2);
const commits = drawCommits(seed, Number(count));
if (life === undefined) liveAll(commits);
else {
  live(directory, commits, Number(life)).catch((error: unknown) => {
    writeSync(2, `${String(error)}\n`);
    process.exitCode = 1;
  });
}
