/**
 * A process of its own: makes every disk that a power cut could leave, opens each with the real
 * adapter and the rules of a store, and holds what it finds against what was acknowledged.
 *
 * Why a process: LMDB trusts its pages, and a disk that it cannot stand may end us. Before each one
 * its number is written to a file, so that the process that started us knows which it was.
 *
 * Argument: a {@link JudgeOrder} in JSON. Standard output: a {@link Verdict} in JSON.
 */
import { closeSync, ftruncateSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { StoreRefused } from "../../../src/actor/refusal.js";
import { type OpenDirectory, openDirectory } from "../../../src/adapters/lmdb/format.js";
import { createSeededRandom } from "../../../src/adapters/memory/random.js";
import { identity, voteOf } from "../../actor/stores.js";
import {
  type Commit,
  type Contents,
  contentsAfterEach,
  contentsOf,
  drawCommits,
  growBytes,
} from "./commits.js";
import { type Crash, type CrashPlan, countOps, crashes } from "./crashes.js";
import { type Op, readRecording } from "./recording.js";

/** What to judge. */
export interface JudgeOrder {
  readonly log: string;
  readonly directory: string;
  readonly seed: string;
  /** Batches that were written. */
  readonly count: number;
  readonly plan: CrashPlan;
  /** Disks to leave out: those before were judged by another process. */
  readonly from: number;
  /** Forgets this sync (from 0), as a disk would that lies: for a test of the judge. */
  readonly withoutSync?: number | undefined;
  /** File of 8 bytes with the number of the disk under way. */
  readonly progress: string;
}

/** What was found. */
export interface Verdict {
  readonly writes: number;
  readonly syncs: number;
  /** Disks that were made and opened. */
  disks: number;
  torn: number;
  /** Of those, how many held a batch that was not acknowledged yet. */
  ahead: number;
  /** Disks on which the store went on and was opened again. */
  continued: number;
  /** Refusals of disks on which the format was not acknowledged yet, by code. */
  readonly refusedUnborn: Record<string, number>;
  /** What may not be, at most {@link failuresMax}. */
  readonly failures: string[];
  failed: number;
}

const failuresMax = 20;
/** The store goes on, on every so many-th disk. */
const continueEvery = 5;

class Judge {
  readonly #order: JudgeOrder;
  readonly #commits: readonly Commit[];
  readonly #expected: readonly Contents[];
  readonly #verdict: Verdict;
  readonly #ops: readonly Op[];

  constructor(order: JudgeOrder) {
    this.#order = order;
    this.#commits = drawCommits(order.seed, order.count);
    this.#expected = contentsAfterEach(this.#commits);
    const ops = readRecording(order.log, this.#file);
    const syncs = [...ops.keys()].filter((at) => ops[at]?.kind === "sync");
    const lie = order.withoutSync === undefined ? undefined : syncs[order.withoutSync];
    this.#ops = ops.filter((_, at) => at !== lie);
    const found = { disks: 0, torn: 0, ahead: 0, continued: 0, failed: 0 };
    this.#verdict = { ...countOps(ops), ...found, refusedUnborn: {}, failures: [] };
  }

  async run(): Promise<Verdict> {
    const { plan, seed, from, progress } = this.#order;
    const file = openSync(progress, "w");
    let number = 0;
    for (const crash of crashes(this.#ops, plan, createSeededRandom(seed).fork("crashes"))) {
      if (number >= from) {
        const bytes = new Uint8Array(8);
        new DataView(bytes.buffer).setFloat64(0, number);
        writeSync(file, bytes, 0, 8, 0);
        await this.#judge(crash, number);
      }
      number += 1;
    }
    closeSync(file);
    return this.#verdict;
  }

  get #file(): string {
    return join(this.#order.directory, "store.mdb");
  }

  async #judge(crash: Crash, number: number): Promise<void> {
    const verdict = this.#verdict;
    this.#lay(crash);
    verdict.disks += 1;
    if (crash.isTorn) verdict.torn += 1;
    try {
      const held = await this.#examine(crash);
      if (held > crash.acknowledged) verdict.ahead += 1;
      if (number % continueEvery === 0) await this.#goOn(held);
    } catch (error) {
      if (error instanceof StoreRefused && crash.acknowledged === 0) {
        verdict.refusedUnborn[error.code] = (verdict.refusedUnborn[error.code] ?? 0) + 1;
        return;
      }
      verdict.failed += 1;
      if (verdict.failures.length < failuresMax) {
        verdict.failures.push(`disk ${number}, ${crash.name}: ${String(error)}`);
      }
    }
  }

  /** Puts the disk where the store was: the same file, since a store knows its own. */
  #lay({ bytes, length }: Crash): void {
    const file = openSync(this.#file, "r+");
    ftruncateSync(file, 0);
    writeSync(file, bytes, 0, length, 0);
    closeSync(file);
    rmSync(`${this.#file}-lock`, { force: true });
  }

  /** Opens the store. @returns how many commits it holds, each in whole and none later */
  async #examine(crash: Crash): Promise<number> {
    return this.#opened(({ store }) => {
      // This opening is a commit of its own.
      const held = store.meta.writeNumber - 1;
      const { acknowledged, begun } = crash;
      if (held < acknowledged) throw new Error(`holds ${held} commits of ${acknowledged} promised`);
      if (held > begun) throw new Error(`holds ${held} commits, and ${begun} had begun`);
      const openings = this.#commits.slice(0, held).filter(({ kind }) => kind === "open").length;
      if (store.meta.incarnation !== openings + 1) {
        throw new Error(`is in life ${store.meta.incarnation} after ${openings} openings`);
      }
      if (contentsOf(store) !== this.#expected[held - 1]) {
        throw new Error(`holds other records than those of its first ${held} commits`);
      }
      return held;
    });
  }

  /** A store that came back must also go on: one more batch, there when it is opened again. */
  async #goOn(held: number): Promise<void> {
    const next = this.#commits[held];
    const batch = next?.kind === "batch" ? next.batch : { records: [voteOf(10_000)] };
    const commits: Commit[] = [...this.#commits.slice(0, held), { kind: "batch", batch }];
    await this.#opened(
      ({ store }) =>
        new Promise<void>((resolve, reject) => {
          store.commit(batch, (error) => (error === null ? resolve() : reject(error)));
        }),
    );
    await this.#opened(({ store }) => {
      if (contentsOf(store) !== contentsAfterEach(commits).at(-1)) {
        throw new Error(`went on, and holds other records than those of ${held + 1} commits`);
      }
    });
    this.#verdict.continued += 1;
  }

  async #opened<T>(use: (open: OpenDirectory) => T | Promise<T>): Promise<T> {
    const open = await openDirectory(this.#order.directory, identity, { growBytes });
    try {
      return await use(open);
    } finally {
      await open.close();
    }
  }
}

const order = JSON.parse(process.argv[2] ?? "{}") as JudgeOrder;
new Judge(order).run().then(
  (verdict) => writeSync(1, JSON.stringify(verdict)),
  (error: unknown) => {
    writeSync(2, `${error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = 1;
  },
);
