/**
 * `npm run disks -- --seed S --seeds N --batches B`: the power cuts of the tests, for longer.
 *
 * Standard output: one line a seed, and a sum. Exit code 1 if anything was lost.
 */
import { parseArgs } from "node:util";
import { findStrace } from "../../support/strace.js";
import { cutPower } from "./power-cuts.js";

const plan = { exhaustiveMax: 6, subsets: 64, tears: 48 };

async function run(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: "1" },
      seeds: { type: "string", default: "5" },
      batches: { type: "string", default: "200" },
    },
  });
  const strace = await findStrace();
  if ("missing" in strace) throw new Error(strace.missing);
  const sum = { writes: 0, syncs: 0, disks: 0, torn: 0, ahead: 0, continued: 0, bad: 0 };
  for (let i = 0; i < Number(values.seeds); i += 1) {
    const seed = String(Number(values.seed) + i);
    const begunMs = performance.now();
    const found = await cutPower({
      strace: strace.path,
      seed,
      count: Number(values.batches),
      plan,
    });
    const { writes, syncs, disks, torn, ahead, continued, failed, deaths, failures } = found;
    const bad = failed + deaths.length;
    const counts = { writes, syncs, disks, torn, ahead, continued, bad };
    for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += counts[key];
    const seconds = Math.round((performance.now() - begunMs) / 1000);
    print(
      `seed ${seed}: ${JSON.stringify({ ...counts, refusedUnborn: found.refusedUnborn, seconds })}`,
    );
    for (const line of [...failures, ...deaths]) print(`  ${line}`);
  }
  print(`all: ${JSON.stringify(sum)}`);
  return sum.bad === 0 ? 0 : 1;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

run().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exitCode = 1;
  },
);
