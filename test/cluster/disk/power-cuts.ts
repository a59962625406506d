/**
 * Power cuts of a real store: records what a process wrote, and has every disk judged that a cut
 * could have left.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { memoryFolder, type Processes } from "../../cli/processes.js";
import { guardChild, guardFolder } from "../../support/guard.js";
import type { CrashPlan } from "./crashes.js";
import type { ForgottenSync, JudgeOrder, Verdict } from "./judge.js";
import { recordAcceptor } from "./live.js";
import { trace } from "./recording.js";

/** What to record and how hard to look. */
export interface PowerCutOptions {
  /** Path of strace. */
  readonly strace: string;
  readonly seed: string;
  /** Batches the store is made to write. */
  readonly count: number;
  readonly plan: CrashPlan;
  /** Forgets this sync: a disk that lies, for a test of the judge. */
  readonly withoutSync?: ForgottenSync | undefined;
  /** Ends at the first disk that ended the judge, instead of going on behind it. */
  readonly untilDeath?: boolean | undefined;
}

/** How to record a worker, and how hard to look. */
export interface AcceptorOptions {
  /** The processes and folders of the cluster, to be ended by the caller. */
  readonly processes: Processes;
  readonly nats: string;
  readonly strace: string;
  /** Milliseconds of load under each of two leaders. */
  readonly forMs: number;
  readonly seed: string;
  readonly plan: CrashPlan;
}

/** Verdict over all disks; `deaths` are disks that ended the process that opened them. */
export type Outcome = Verdict & { readonly deaths: readonly string[] };

const deathsMax = 10;
const loader = fileURLToPath(new URL("../../support/typescript.mjs", import.meta.url));

/** Returns the command line that runs one of our TypeScript files. */
function program(name: string): string[] {
  const path = fileURLToPath(new URL(name, import.meta.url));
  return [process.execPath, "--import", loader, path];
}

/** Records one life of a store and judges every disk. Its folder goes with it. */
export async function cutPower(options: PowerCutOptions): Promise<Outcome> {
  const folder = mkdtempSync(join(memoryFolder(), "synod-disks-"));
  const forget = guardFolder(folder);
  try {
    const { strace, seed, count, plan, withoutSync } = options;
    const wrote = { count };
    const directory = join(folder, "store");
    const [log, progress] = [join(folder, "log"), join(folder, "progress")];
    trace(strace, log, [...program("writer.ts"), directory, seed, String(count)]);
    const order: JudgeOrder = { log, directory, seed, wrote, plan, withoutSync, progress, from: 0 };
    return await judgeAll(order, options.untilDeath === true ? 1 : deathsMax);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    forget();
  }
}

/** Records an acceptor in a cluster under load, and judges every disk. */
export async function cutPowerOfAcceptor(options: AcceptorOptions): Promise<Outcome> {
  const { processes, nats, strace, forMs, seed, plan } = options;
  const { log, directory, store } = await recordAcceptor(processes, nats, strace, forMs);
  const order = { log, directory, seed, wrote: { live: store }, plan, from: 0 };
  return judgeAll({ ...order, progress: `${log}.progress` }, deathsMax);
}

/** Judges, and goes on behind each disk that ended the judge. */
async function judgeAll(order: JudgeOrder, deathsAllowed: number): Promise<Outcome> {
  const deaths: string[] = [];
  for (let from = 0; ; ) {
    const ended = await judge({ ...order, from });
    if (ended.verdict !== undefined) return { ...ended.verdict, deaths };
    const number = readFileSync(order.progress).readDoubleBE(0);
    deaths.push(`disk ${number}: ${ended.how}`);
    if (deaths.length === deathsAllowed) return { ...nothing, deaths };
    from = number + 1;
  }
}

/** What is told when the judge was given up: the deaths say why. */
const nothing: Verdict = {
  writes: 0,
  syncs: 0,
  records: 0,
  journaled: 0,
  groups: 0,
  emptied: 0,
  commits: 0,
  disks: 0,
  torn: 0,
  ahead: 0,
  continued: 0,
  failed: 0,
  refusedUnborn: {},
  failures: [],
};

function judge(order: JudgeOrder): Promise<{ verdict?: Verdict; how: string }> {
  const [file = "", ...args] = program("judge.ts");
  const child = spawn(file, [...args, JSON.stringify(order)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err = (err + text).slice(-2000);
  });
  guardChild(child);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      const how = `${signal ?? `code ${code}`} ${err.trim().split("\n").at(-1) ?? ""}`;
      if (code === 0) resolve({ verdict: JSON.parse(out) as Verdict, how });
      else if (code === 1) reject(new Error(`the judge failed: ${err}`));
      else resolve({ how });
    });
  });
}
