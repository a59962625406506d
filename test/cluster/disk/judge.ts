/**
 * A process of its own: makes every disk that a power cut could leave, opens each with the real
 * adapter and the rules of a store, and holds what it finds against what was acknowledged.
 *
 * Why a process: LMDB trusts its pages, and a disk that it cannot stand may end us. Before each one
 * its number is written to a file, so that the process that started us knows which it was.
 *
 * Argument: a {@link JudgeOrder} in JSON. Standard output: a {@link Verdict} in JSON.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { type OpenDirectory, openDirectory } from "../../../src/adapters/lmdb/format.js";
import { createSeededRandom } from "../../../src/adapters/memory/random.js";
import { type StoreIdentity, StoreRefused } from "../../../src/kernel/store/refusal.js";
import { identity, voteOf } from "../../kernel/stores.js";
import {
  type Contents,
  contentsAfterEach,
  contentsOf,
  difference,
  drawCommits,
  growBytes,
  journalBytes,
  withRecord,
} from "./commits.js";
import { type Crash, type CrashPlan, countOps, crashes, type Start, settled } from "./crashes.js";
import { layFiles, readFiles } from "./laying.js";
import { type Op, readRecording } from "./recording.js";
import { countRecords, type JournalCounts, markCommits } from "./records.js";

/** What to judge. */
export interface JudgeOrder {
  readonly log: string;
  readonly directory: string;
  readonly seed: string;
  /** Batches that were written by {@link drawCommits}; `live`: a worker wrote what it had to. */
  readonly wrote: { readonly count: number } | { readonly live: LiveStore };
  readonly plan: CrashPlan;
  /** Disks to leave out: those before were judged by another process. */
  readonly from: number;
  /** Forgets a sync, as a disk would that lies: for a test of the judge. */
  readonly withoutSync?: ForgottenSync | undefined;
  /** File of 8 bytes with the number of the disk under way. */
  readonly progress: string;
}

/** A sync of a file or of the folder, from 0 in the order of those of its kind. */
export interface ForgottenSync {
  readonly of: "store.mdb" | "store.journal" | "folder";
  readonly number: number;
}

/** The store of a worker. */
export interface LiveStore {
  readonly identity: StoreIdentity;
  /** A copy of its folder from before the recording. */
  readonly base: string;
}

/** What was found. */
export interface Verdict extends JournalCounts {
  readonly writes: number;
  readonly syncs: number;
  /** Commits that were recorded. */
  commits: number;
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
/** A slot that no recording comes near. */
const farSlot = 2 ** 40;

class Judge {
  readonly #order: JudgeOrder;
  readonly #identity: StoreIdentity;
  /** The files of its folder when the recording began. */
  readonly #base: Start["files"];
  readonly #recorded: readonly Op[];
  /** What the store holds after so many commits. */
  readonly #expected = new Map<number, Contents>();
  readonly #lines = new Map<string, string>();
  readonly #verdict: Verdict;

  constructor(order: JudgeOrder) {
    this.#order = order;
    this.#identity = "live" in order.wrote ? order.wrote.live.identity : identity;
    this.#base = "live" in order.wrote ? readFiles(order.wrote.live.base) : new Map();
    this.#recorded = readRecording(order.log, order.directory, [...this.#base.keys()]);
    const found = { commits: 0, disks: 0, torn: 0, ahead: 0, continued: 0, failed: 0 };
    const counts = { ...countOps(this.#recorded), ...countRecords(this.#recorded) };
    this.#verdict = { ...counts, ...found, refusedUnborn: {}, failures: [] };
  }

  async run(): Promise<Verdict> {
    const { plan, seed, from, progress } = this.#order;
    const { ops, start } = await this.#expect();
    const random = createSeededRandom(seed).fork("crashes");
    const file = openSync(progress, "w");
    const bytes = Buffer.alloc(8);
    let number = 0;
    for (const crash of crashes(this.#withoutLie(ops), plan, random, start)) {
      if (number >= from) {
        bytes.writeDoubleBE(number);
        writeSync(file, bytes, 0, 8, 0);
        await this.#judge(crash, number);
      }
      number += 1;
    }
    closeSync(file);
    return this.#verdict;
  }

  /** Learns what must be there after each commit. */
  async #expect(): Promise<{ ops: readonly Op[]; start?: Start }> {
    const { wrote, seed } = this.#order;
    if ("count" in wrote) {
      const contents = contentsAfterEach(drawCommits(seed, wrote.count));
      for (const [at, one] of contents.entries()) this.#expected.set(at + 1, one);
      this.#verdict.commits = contents.length;
      return { ops: this.#recorded };
    }
    // Nobody but the store knows what it was told: what a shutdown in good order leaves is right.
    layFiles(this.#order.directory, this.#base);
    const commits = await this.#opened(({ store }) => store.meta.writeNumber - 1);
    const start = { files: this.#base, commits };
    const ops = markCommits(this.#recorded, commits);
    for (const disk of settled(ops, start)) {
      layFiles(this.#order.directory, disk.files);
      const [held, contents] = await this.#opened(
        ({ store }) => [store.meta.writeNumber - 1, contentsOf(store)] as const,
      );
      if (held !== disk.acknowledged) throw new Error(`${held} commits, not ${disk.acknowledged}`);
      // Most lines are those of the commit before: kept once.
      const lines = contents.lines.map((line) => this.#lines.get(line) ?? line);
      for (const line of lines) this.#lines.set(line, line);
      this.#expected.set(held, { ...contents, lines });
    }
    this.#verdict.commits = this.#expected.size - 1;
    return { ops, start };
  }

  #withoutLie(ops: readonly Op[]): readonly Op[] {
    const { withoutSync } = this.#order;
    if (withoutSync === undefined) return ops;
    const names = new Map([...this.#base.keys()].map((name, file) => [file, name]));
    const syncs = ops.filter((op) => {
      if (op.kind === "create") names.set(op.file, op.name);
      if (op.kind === "folder") return withoutSync.of === "folder";
      return op.kind === "sync" && names.get(op.file) === withoutSync.of;
    });
    const forgotten = syncs[withoutSync.number];
    if (forgotten === undefined) throw new Error(`there are ${syncs.length} such syncs`);
    return ops.filter((op) => op !== forgotten);
  }

  async #judge(crash: Crash, number: number): Promise<void> {
    const verdict = this.#verdict;
    layFiles(this.#order.directory, crash.files);
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

  /** Opens the store. @returns how many commits it holds, each in whole and none later */
  async #examine({ acknowledged, begun }: Crash): Promise<number> {
    return this.#opened(({ store }) => {
      // This opening is a commit of its own.
      const held = store.meta.writeNumber - 1;
      if (held < acknowledged) throw new Error(`holds ${held} commits of ${acknowledged} promised`);
      if (held > begun) throw new Error(`holds ${held} commits, and ${begun} had begun`);
      this.#compare(contentsOf(store), held, this.#expected.get(held));
      return held;
    });
  }

  /** A store that came back must also go on: one more batch, there when it is opened again. */
  async #goOn(held: number): Promise<void> {
    const vote = voteOf(farSlot);
    await this.#opened(
      ({ store }) =>
        new Promise<void>((resolve, reject) => {
          const done = (error: unknown) => (error === null ? resolve() : reject(error));
          store.commit({ records: [vote] }, done);
        }),
    );
    const before = this.#expected.get(held);
    await this.#opened(({ store }) => {
      const found = contentsOf(store);
      // It was opened twice to come here.
      const once = { ...found, incarnation: found.incarnation - 2 };
      this.#compare(once, held, before === undefined ? undefined : withRecord(before, vote));
    });
    this.#verdict.continued += 1;
  }

  #compare(found: Contents, held: number, expected: Contents | undefined): void {
    if (expected === undefined) throw new Error(`holds ${held} commits, which were not recorded`);
    const differs = difference(found, expected);
    if (differs !== undefined) throw new Error(`after ${held} commits ${differs}`);
  }

  async #opened<T>(use: (open: OpenDirectory) => T | Promise<T>): Promise<T> {
    const options = { growBytes, journalBytes };
    const open = await openDirectory(this.#order.directory, this.#identity, options);
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
