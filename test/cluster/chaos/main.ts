/**
 * `npm run chaos -- --seed N --minutes M --placement P --history FILE`: faults on real processes.
 *
 * FILE gets the history (hist/1) of what was proposed, FILE.decide that of the keys.
 *
 * Standard error: the schedule as it happens. Standard output: one line of JSON. Exit code 1 if
 * anything was wrong; then the logs are kept, and it says where.
 */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Processes } from "../../cli/processes.js";
import { castings } from "./casting.js";
import { Chaos } from "./chaos.js";

async function run(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      minutes: { type: "string", default: "2" },
      placement: { type: "string", default: "separated" },
      history: { type: "string" },
    },
  });
  const { seed } = values;
  const placement = Object.keys(castings).find((name) => name === values.placement);
  if (placement === undefined) throw new Error(`--placement: ${Object.keys(castings).join(", ")}`);
  const lines: string[] = [];
  const say = (line: string) => {
    lines.push(line);
    process.stderr.write(`${line}\n`);
  };
  const durationMs = Number(values.minutes) * 60_000;
  const what = { seed, placement: placement as keyof typeof castings, durationMs };
  const chaos = new Chaos(new Processes(), { ...what, history: values.history, say });
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => process.exit(130));
  try {
    const outcome = await chaos.run();
    process.stdout.write(`${JSON.stringify({ ...what, ...outcome })}\n`);
    if (outcome.failures.length === 0) return 0;
    const kept = mkdtempSync(join(tmpdir(), `synod-chaos-${seed}-`));
    chaos.writeLogs(kept);
    writeFileSync(join(kept, "schedule.txt"), `${lines.join("\n")}\n`);
    writeFileSync(join(kept, "outcome.json"), `${JSON.stringify(outcome, null, 2)}\n`);
    say(`what the workers said is in ${kept}`);
    return 1;
  } finally {
    await chaos.end();
  }
}

run().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  },
);
