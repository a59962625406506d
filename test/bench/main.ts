/**
 * `npm run bench -- --against COMMIT`: this build held against an earlier one. See README.md.
 *
 * Standard error: what it does. Standard output: a table, or one line of JSON with `--json`.
 */
import { cpus, loadavg } from "node:os";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Build, Deployment, type placements } from "./deployment.js";
import { earlierBuild } from "./earlier-build.js";

type Placement = keyof typeof placements;

/** How long and how often. */
interface Plan {
  readonly rounds: number;
  /** Load before anything is measured. */
  readonly settleMs: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
  readonly idleMs: number;
  /** Values before memory is read; 0: it is not. */
  readonly values: number;
}

/** Everything that was measured of one thing, by build: one number a round. */
interface Row {
  readonly placement: Placement;
  readonly what: string;
  readonly samples: readonly [before: number[], now: number[]];
}

const full: Plan = {
  rounds: 3,
  settleMs: 20_000,
  warmUpMs: 2000,
  measureMs: 4000,
  idleMs: 10_000,
  values: 100_000,
};
const quick: Plan = {
  rounds: 1,
  settleMs: 8000,
  warmUpMs: 500,
  measureMs: 1500,
  idleMs: 3000,
  values: 5000,
};
const clientCounts = [1, 64, 256];
/** Milliseconds after which a cluster that did nothing is idle. */
const calmMs = 2000;
const root = fileURLToPath(new URL("../..", import.meta.url));

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

class Bench {
  readonly #builds: readonly [Build, Build];
  readonly #plan: Plan;
  readonly rows: Row[] = [];

  constructor(builds: readonly [Build, Build], plan: Plan) {
    this.#builds = builds;
    this.#plan = plan;
  }

  /** Measures both builds side by side. */
  async run(placement: Placement): Promise<void> {
    const { rounds, settleMs, warmUpMs, measureMs, idleMs } = this.#plan;
    const running = await Promise.all(this.#builds.map((one) => Deployment.start(one, placement)));
    try {
      for (const one of running) {
        say(`${placement}, ${one.build.name}: ${settleMs} ms until it is compiled`);
        await one.measure({ clients: 256, warmUpMs: 0, measureMs: settleMs });
      }
      for (let round = 0; round < rounds; round += 1) {
        for (const [at, clients] of clientCounts.entries()) {
          for (const i of turns(round + at)) {
            const point = await running[i]!.measure({ clients, warmUpMs, measureMs });
            const { throughput, p50Ms, cpuUs } = point;
            say(
              `${placement}, ${clients} clients, ${this.#builds[i]!.name}: ${shown(throughput)}/s`,
            );
            this.#add(placement, `${clients} clients, values/s`, i, throughput);
            this.#add(placement, `${clients} clients, p50 ms`, i, p50Ms);
            this.#add(placement, `${clients} clients, CPU µs/value`, i, cpuUs);
          }
        }
        await new Promise((over) => setTimeout(over, calmMs));
        const idle = await Promise.all(running.map((one) => one.idle(idleMs)));
        for (const [i, percent] of idle.entries()) {
          this.#add(placement, "idle, CPU % of a core", i as 0 | 1, percent);
        }
      }
    } finally {
      await Promise.all(running.map((one) => one.end()));
    }
  }

  /** Reads the memory of a worker that began with nothing. */
  async fill(placement: Placement): Promise<void> {
    const { values, warmUpMs } = this.#plan;
    for (const i of turns(0)) {
      say(`${placement}, ${shown(values)} values, ${this.#builds[i]!.name}`);
      const one = await Deployment.start(this.#builds[i]!, placement);
      try {
        await one.measure({ clients: 256, warmUpMs, values });
        this.#add(placement, `MB of a worker, ${shown(values)} values`, i, one.residentMb());
      } finally {
        await one.end();
      }
    }
  }

  #add(placement: Placement, what: string, build: 0 | 1, sample: number): void {
    let row = this.rows.find((one) => one.placement === placement && one.what === what);
    if (row === undefined) {
      row = { placement, what, samples: [[], []] };
      this.rows.push(row);
    }
    row.samples[build].push(sample);
  }
}

/** Which build is first: another one each time. */
function turns(at: number): readonly (0 | 1)[] {
  return at % 2 === 0 ? [0, 1] : [1, 0];
}

function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

function shown(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 1 : 0 });
}

function table(rows: readonly Row[], names: readonly string[]): string {
  const lines = [["", "", ...names, "ratio"]];
  for (const { placement, what, samples } of rows) {
    const [before, now] = [median(samples[0]), median(samples[1])];
    lines.push([placement, what, shown(before), shown(now), (now / before).toFixed(2)]);
  }
  const widths = [0, 1, 2, 3, 4].map((at) => Math.max(...lines.map((line) => line[at]!.length)));
  return lines
    .map((line) => line.map((cell, at) => pad(cell, widths[at]!, at < 2)).join("  "))
    .join("\n");
}

function pad(cell: string, width: number, isLeft: boolean): string {
  return isLeft ? cell.padEnd(width) : cell.padStart(width);
}

async function run(): Promise<void> {
  const { values: flags } = parseArgs({
    options: {
      against: { type: "string", default: "fc4f65a" },
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      values: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  const usual = flags.quick ? quick : full;
  const plan = {
    ...usual,
    rounds: Number(flags.rounds ?? usual.rounds),
    values: Number(flags.values ?? usual.values),
  };
  if (!(plan.rounds >= 1 && plan.values >= 0)) throw new Error("--rounds and --values are numbers");
  const loadBefore = loadavg()[0];
  say(`preparing ${flags.against}`);
  const before = await earlierBuild(root, flags.against);
  const bench = new Bench([before, { name: "this build", folder: resolve(root) }], plan);
  for (const placement of ["colocated", "separated"] as const) await bench.run(placement);
  if (plan.values > 0) await bench.fill("colocated");
  const machine = { cores: cpus().length, model: cpus()[0]?.model, load: loadBefore };
  const medians = bench.rows.map(({ placement, what, samples }) => {
    const [then, now] = [median(samples[0]), median(samples[1])];
    return { placement, what, before: then, now, ratio: now / then, samples };
  });
  if (flags.json) {
    const { name } = before;
    process.stdout.write(`${JSON.stringify({ against: name, machine, plan, medians })}\n`);
  } else process.stdout.write(`${table(bench.rows, [before.name, "this build"])}\n`);
}

for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => process.exit(130));
run().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  },
);
