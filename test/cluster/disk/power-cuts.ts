/**
 * Power cuts of a real store: records what a process wrote, and has every disk judged that a cut
 * could have left.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { guardChild, guardFolder } from "../../support/guard.js";
import type { CrashPlan } from "./crashes.js";
import type { JudgeOrder, Verdict } from "./judge.js";
import { trace } from "./recording.js";

/** What to record and how hard to look. */
export interface PowerCutOptions {
  /** Path of strace. */
  readonly strace: string;
  readonly seed: string;
  /** Batches the store is made to write. */
  readonly count: number;
  readonly plan: CrashPlan;
  /** Forgets this sync (from 0): a disk that lies, for a test of the judge. */
  readonly withoutSync?: number | undefined;
  /** Ends at the first disk that ended the judge, instead of going on behind it. */
  readonly untilDeath?: boolean | undefined;
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
  // Many thousand small files are written: in memory, where there is such a place.
  const place = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const folder = mkdtempSync(join(place, "synod-disks-"));
  const forget = guardFolder(folder);
  try {
    const { strace, seed, count, plan, withoutSync } = options;
    const directory = join(folder, "store");
    const [log, progress] = [join(folder, "log"), join(folder, "progress")];
    trace(strace, log, [...program("writer.ts"), directory, seed, String(count)]);
    const order: JudgeOrder = { log, directory, seed, count, plan, withoutSync, progress, from: 0 };
    return await judgeAll(order, options.untilDeath === true ? 1 : deathsMax);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    forget();
  }
}

/** Judges, and goes on behind each disk that ended the judge. */
async function judgeAll(order: JudgeOrder, deathsAllowed: number): Promise<Outcome> {
  const deaths: string[] = [];
  for (let from = 0; ; ) {
    const ended = await judge({ ...order, from });
    if (ended.verdict !== undefined) return { ...ended.verdict, deaths };
    const number = new DataView(readFileSync(order.progress).buffer).getFloat64(0);
    deaths.push(`disk ${number}: ${ended.how}`);
    if (deaths.length === deathsAllowed) return { ...nothing, deaths };
    from = number + 1;
  }
}

/** What is told when the judge was given up: the deaths say why. */
const nothing: Verdict = {
  writes: 0,
  syncs: 0,
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
