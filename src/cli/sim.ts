/** `synod sim`: whole clusters in a seeded world, by the thousand, judged at every step. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Command } from "commander";
import { checkHistory } from "../judge/check.js";
import { explainVerdict } from "../judge/explain.js";
import { brokenOptions, huntBroken, planOf } from "../sim/broken/hunt.js";
import { BROKEN } from "../sim/broken/index.js";
import type { Violation } from "../sim/monitor/ledger.js";
import { drawPlan } from "../sim/plan/draw.js";
import type { Plan } from "../sim/plan/plan.js";
import { foundTestName, writeFoundTest } from "../sim/run/found-test.js";
import type { Catch } from "../sim/run/hunt.js";
import { type Run, type RunOptions, runPlan } from "../sim/run/run.js";
import { shrink } from "../sim/run/shrink.js";
import { traceRun } from "../sim/run/traces.js";
import { reportOf, runInSteps } from "../sim/story/report.js";
import { Coverage, notSeen } from "../sim/world/coverage.js";
import { closest } from "../worker/closest.js";
import { EXIT } from "../worker/exit.js";
import { usage } from "./failure.js";
import { wholeNumber } from "./format.js";
import type { Errand } from "./sim-hunter.js";
import { duration, result, resultRows, say, styled, table } from "./terminal.js";

interface SimFlags {
  readonly seeds?: string;
  readonly from: string;
  readonly seed?: string;
  readonly threads?: string;
  readonly broken?: string;
  readonly steps?: boolean;
  readonly out: string;
  readonly history?: string;
  readonly trace?: string;
  readonly check?: string;
  readonly json?: boolean;
}

/** Seeds that a thread hunts before it reports. */
const ERRAND_SEEDS = 20;
/** Most runs, and time, to cut a failing plan down. */
const SHRINK_RUNS_MAX = 400;
const SHRINK_MS = 120_000;
/** Batches of fewer seeds are not asked whether they have seen everything. */
const COVERED_SEEDS = 500;

const examples = `
A seed is a cluster of the real roles, its clients, its faults and its luck; the same seed is always
the same run. It is judged by the invariants of the paper at every step; in the end all that was
asked must be answered, and every learner must have the same log.

Examples:
  synod sim                          500 seeds: what happened in them, and what was found
  synod sim --seeds 100000           a long hunt
  synod sim --seed 4711              one seed again
  synod sim --seed 4711 --steps      step by step
  synod sim --broken list            what can be broken on purpose, to see that it is found
  synod sim --broken reply-before-sync
  synod sim --seed 4711 --history h  what its clients did and were told (hist/1)
  synod sim --check h                is there an order that explains a history?`;

/** Adds the command. */
export function addSim(program: Command): void {
  program
    .command("sim")
    .description("hunt for bugs in simulated clusters, by seed")
    .option("--seeds <n>", "how many seeds; 500 if left out, or what a broken thing needs")
    .option("--from <seed>", "the first of them", "1")
    .option("--seed <n>", "one seed only")
    .option("--threads <n>", "how many at once; as many as there are cores if left out")
    .option("--broken <name>", "hunt with something broken on purpose; list")
    .option("--steps", "tell --seed step by step")
    .option("--out <folder>", "where the test of what was found goes", ".")
    .option("--trace <folder>", "write what the roles of --seed did (ptrace/1)")
    .option("--history <file>", "write what the clients of --seed did and were told")
    .option("--check <file>", "judge a history instead: is it linearizable?")
    .option("--json", "print one JSON object a line")
    .addHelpText("after", examples)
    .action(sim);
}

async function sim(flags: SimFlags): Promise<void> {
  if (flags.check !== undefined) check(flags.check, flags);
  else if (flags.broken !== undefined) control(flags.broken, flags);
  else if (flags.seed !== undefined) one(wholeNumber(flags.seed, "--seed", 0, 2 ** 31), flags);
  else if ((flags.history ?? flags.trace) !== undefined) {
    throw usage("--history and --trace need --seed: a file has one run");
  } else await many(flags);
}

/** Judges a file. */
function check(file: string, { json }: SimFlags): void {
  const verdict = checkHistory(readFileSync(file, "utf8"));
  const sentence = explainVerdict(verdict);
  if (verdict.kind === "malformed") throw usage(`${file}: ${sentence}`);
  result(json === true ? JSON.stringify({ file, verdict: verdict.kind, sentence }) : sentence);
  if (verdict.kind !== "linearizable") process.exitCode = EXIT.failed;
}

/** Hunts what is broken on purpose, and tells how it was found. */
function control(name: string, flags: SimFlags): void {
  const { json, seeds } = flags;
  if (name === "list") {
    resultRows(BROKEN, json);
    return;
  }
  const broken = findBroken(name);
  const seedsMax = seeds === undefined ? undefined : wholeNumber(seeds, "--seeds", 1, 2 ** 31);
  const caught = huntBroken(broken, seedsMax);
  if (caught !== null) process.exitCode = EXIT.failed;
  if (json === true) result(JSON.stringify({ broken: name, found: caught }));
  else if (caught === null) {
    say(`${name} was not found in ${seedsMax ?? broken.hunt.seedsMax} seeds`);
  } else {
    result(`${name}: ${broken.what}; found after ${caught.seeds} seeds`);
    const violation = { invariant: caught.invariant, sentence: caught.sentence };
    tellViolation(planOf(broken, caught.seed), violation, flags, brokenOptions(broken));
  }
}

function findBroken(name: string): (typeof BROKEN)[number] {
  const broken = BROKEN.find((one) => one.name === name);
  if (broken !== undefined) return broken;
  const near = closest(
    name,
    BROKEN.map((one) => one.name),
  );
  const hint = near === undefined ? "" : `; did you mean ${near}?`;
  throw usage(`nothing called ${JSON.stringify(name)} can be broken${hint} (--broken list)`);
}

/** Runs one seed. */
function one(seed: number, flags: SimFlags): void {
  const plan = drawPlan(seed);
  const { history, trace, json, steps } = flags;
  const onLine = (step: string) => result(json === true ? JSON.stringify({ step }) : step);
  if (json !== true) describe(plan);
  let traces: ReadonlyMap<string, readonly string[]> = new Map();
  const onReady = (run: Run) => {
    if (trace !== undefined) traces = traceRun(run);
  };
  const { violation, coverage, virtualMs, histories } =
    steps === true ? runInSteps(plan, { onReady }, { onLine }) : runPlan(plan, { onReady });
  if (history !== undefined) writeHistories(history, histories.lines);
  if (trace !== undefined) writeTraces(trace, traces);
  if (json === true) {
    const counts = Object.fromEntries(coverage.counts);
    result(JSON.stringify({ seed, violation, virtualMs: Math.round(virtualMs), counts }));
  } else {
    if (steps !== true) for (const line of countLines(coverage)) result(line);
    if (violation === null) result("no violation");
    else tellViolation(plan, violation, flags);
  }
  if (violation !== null) process.exitCode = EXIT.failed;
}

function writeTraces(folder: string, files: ReadonlyMap<string, readonly string[]>): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, lines] of files) writeFileSync(join(folder, name), `${lines.join("\n")}\n`);
}

/** One file has one model: the log's calls; those about keys beside them if there are both. */
function writeHistories(
  file: string,
  { propose, decide }: { readonly propose: readonly string[]; readonly decide: readonly string[] },
): void {
  const both = propose.length > 0 && decide.length > 0;
  const text = (lines: readonly string[]) => `${lines.join("\n")}\n`;
  writeFileSync(file, text(propose.length > 0 ? propose : decide));
  if (both) writeFileSync(`${file}.decide`, text(decide));
}

/** Runs many seeds on all cores. */
async function many(flags: SimFlags): Promise<void> {
  const seeds = wholeNumber(flags.seeds ?? "500", "--seeds", 1, 2 ** 31);
  const from = wholeNumber(flags.from, "--from", 0, 2 ** 31);
  const threads =
    flags.threads === undefined
      ? availableParallelism()
      : wholeNumber(flags.threads, "--threads", 1, 64);
  const startMs = performance.now();
  const coverage = new Coverage();
  let done = 0;
  let virtualMs = 0;
  let found: Catch["found"] = null;
  let isInterrupted = false;
  // A long hunt that is interrupted has seen something all the same.
  process.once("SIGINT", () => {
    isInterrupted = true;
  });
  await inThreads(threads, from, from + seeds, (caught) => {
    done += caught.to - caught.from;
    virtualMs += caught.virtualMs;
    coverage.add(caught.counts);
    if (caught.found !== null && (found === null || caught.found.plan.seed < found.plan.seed)) {
      found = caught.found;
    }
    showProgress(done, seeds);
    return found === null && !isInterrupted;
  });
  if (process.stderr.isTTY === true) process.stderr.write("\r\u001b[K");
  const missing = found === null && done >= COVERED_SEEDS ? notSeen(coverage) : [];
  const ms = performance.now() - startMs;
  if (flags.json === true) {
    const counts = Object.fromEntries(coverage.counts);
    result(JSON.stringify({ seeds: done, from, ms, virtualMs, counts, missing, found }));
  } else report({ done, ms, virtualMs, coverage, missing, found }, flags);
  if (found !== null || missing.length > 0) process.exitCode = EXIT.failed;
  else if (isInterrupted) process.exitCode = EXIT.interrupted;
}

interface Report {
  readonly done: number;
  readonly ms: number;
  readonly virtualMs: number;
  readonly coverage: Coverage;
  readonly missing: readonly string[];
  readonly found: Catch["found"];
}

function report({ done, ms, virtualMs, coverage, missing, found }: Report, flags: SimFlags): void {
  for (const line of countLines(coverage)) result(line);
  result("");
  const minutes = ms / 60_000;
  const hours = (virtualMs / 3_600_000 / minutes).toFixed(1);
  const rate = Math.round(done / minutes).toLocaleString("en");
  const whole = `${done.toLocaleString("en")} seeds in ${duration(ms)}`;
  result(`${whole}: ${rate} seeds and ${hours} simulated hours a minute`);
  if (found !== null) tellViolation(found.plan, found.violation, flags);
  else if (missing.length > 0) {
    result(styled(process.stdout, "red", `never seen: ${missing.join(", ")}`));
  } else result("no violation");
}

/** Gives errands to threads until there are none left, or `take` has enough. */
async function inThreads(
  threads: number,
  from: number,
  to: number,
  take: (caught: Catch) => boolean,
): Promise<void> {
  let next = from;
  let goesOn = true;
  const work = () =>
    new Promise<void>((resolve, reject) => {
      const thread = new Worker(new URL("./sim-hunter.js", import.meta.url));
      const send = () => {
        if (!goesOn || next >= to) {
          void thread.terminate().then(() => resolve());
          return;
        }
        const errand: Errand = { from: next, to: Math.min(to, next + ERRAND_SEEDS) };
        next = errand.to;
        thread.postMessage(errand);
      };
      thread.on("message", (caught: Catch) => {
        if (!take(caught)) goesOn = false;
        send();
      });
      thread.on("error", reject);
      send();
    });
  await Promise.all(Array.from({ length: Math.min(threads, to - from) }, work));
}

function showProgress(done: number, seeds: number): void {
  if (process.stderr.isTTY !== true) return;
  const part = Math.floor((done / seeds) * 100);
  process.stderr.write(`\r${part} %, ${done.toLocaleString("en")} seeds`);
}

function countLines(coverage: Coverage): string[] {
  const rows = [...coverage.counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([what, count]) => [what, count.toLocaleString("en")]);
  return table([["what happened", "times"], ...rows]);
}

function describe({ seed, setup, faults, requests, ending }: Plan): void {
  const { acceptors, proposers, quorums, learn, placement, family } = setup;
  say(
    `seed ${seed}: ${family}, ${acceptors} acceptors (${quorums.kind}), ${proposers} proposers, ` +
      `learn ${learn.kind}, ${placement}; ${faults.length} faults, ${requests.length} requests; ` +
      `then ${ending}`,
  );
}

/** Cuts a failing plan down, tells its story, and writes it as a test. */
function tellViolation(
  plan: Plan,
  violation: Violation,
  { out, broken }: SimFlags,
  options: RunOptions = {},
): void {
  const { seed } = plan;
  result(styled(process.stdout, "red", `violated: ${violation.invariant}, seed ${seed}`));
  result(violation.sentence);
  say("looking for a shorter way there …");
  const untilMs = performance.now() + SHRINK_MS;
  const isOver = () => performance.now() > untilMs;
  const budget = { runsMax: SHRINK_RUNS_MAX, isOver };
  const shrunk = shrink(plan, options, budget) ?? { plan, violation, runs: 1 };
  const { sentence, lines, diagram } = reportOf(shrunk.plan, options);
  const { faults, requests } = shrunk.plan;
  result("");
  const enough = `${faults.length} faults and ${requests.length} requests are enough`;
  result(`After ${shrunk.runs} runs: ${enough}.`);
  result(sentence ?? violation.sentence);
  result("");
  for (const line of lines) result(line);
  result("");
  result(diagram);
  if (broken !== undefined) return; // a test of what is broken on purpose would never pass
  const file = join(out, foundTestName({ seed }));
  mkdirSync(out, { recursive: true });
  const left = { ...shrunk.violation, sentence: sentence ?? shrunk.violation.sentence };
  writeFileSync(file, writeFoundTest({ seed, plan: shrunk.plan, violation: left, lines }));
  say(`wrote ${file}: in test/sim/found it is a test`);
}
