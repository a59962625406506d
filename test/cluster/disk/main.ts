/**
 * `npm run disks -- --seed S --seeds N --batches B --live SECONDS`: the power cuts of the tests
 * for longer: N stores that are made to write B batches, and an acceptor that votes under load.
 *
 * Standard output: one line a recording. Exit code 1 if anything was lost.
 */
import { parseArgs } from "node:util";
import { Processes } from "../../cli/processes.js";
import { startNatsServer } from "../../support/nats-server.js";
import { findStrace } from "../../support/strace.js";
import { cutPower, cutPowerOfAcceptor, type Outcome } from "./power-cuts.js";

const plan = { exhaustiveMax: 6, subsets: 64, tears: 48 };
/** An acceptor writes more, and its file is larger. */
const livePlan = { exhaustiveMax: 4, subsets: 12, tears: 8 };

async function run(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: "1" },
      seeds: { type: "string", default: "5" },
      batches: { type: "string", default: "200" },
      live: { type: "string", default: "1" },
    },
  });
  const strace = await findStrace();
  if ("missing" in strace) throw new Error(strace.missing);
  let bad = 0;
  for (let i = 0; i < Number(values.seeds); i += 1) {
    const seed = String(Number(values.seed) + i);
    const what = { strace: strace.path, seed, count: Number(values.batches), plan };
    bad += await tell(`seed ${seed}`, () => cutPower(what));
  }
  if (Number(values.live) > 0) {
    const forMs = Number(values.live) * 1000;
    bad += await tell("an acceptor under load", () => live(strace.path, values.seed, forMs));
  }
  return bad === 0 ? 0 : 1;
}

async function live(strace: string, seed: string, forMs: number): Promise<Outcome> {
  const processes = new Processes();
  const server = await startNatsServer();
  try {
    const what = { processes, nats: server.url, strace, forMs, seed, plan: livePlan };
    return await cutPowerOfAcceptor(what);
  } finally {
    await processes.clear();
    await server.stop();
  }
}

/** @returns how many disks were bad */
async function tell(what: string, cut: () => Promise<Outcome>): Promise<number> {
  const begunMs = performance.now();
  const { failures, deaths, ...counts } = await cut();
  const seconds = Math.round((performance.now() - begunMs) / 1000);
  const bad = counts.failed + deaths.length;
  process.stdout.write(`${what}: ${JSON.stringify({ ...counts, bad, seconds })}\n`);
  for (const line of [...failures, ...deaths]) process.stdout.write(`  ${line}\n`);
  return bad;
}

run().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  },
);
