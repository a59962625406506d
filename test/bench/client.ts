/**
 * One process as the client: `client.ts LIBRARY SERVER`, with the client library of the build that
 * it measures. Its parent sends loads and gets a mark where measuring begins, then what was seen.
 */
import { pathToFileURL } from "node:url";
import type { Synod } from "synod";

/** Closed loops: each proposes a value, waits for its receipt, and proposes the next. */
export interface Load {
  /** How many loops. */
  readonly clients: number;
  /** Milliseconds before measuring begins. */
  readonly warmUpMs: number;
  /** Milliseconds that are measured; left out: until `values` receipts have come. */
  readonly measureMs?: number;
  readonly values?: number;
}

/** What the client tells its parent: that it can begin, that measuring begins, what it saw. */
export type Told =
  | { readonly kind: "ready" }
  | { readonly kind: "begins" }
  | {
      readonly kind: "ended";
      readonly receipts: number;
      readonly ms: number;
      /** The median latency. */
      readonly p50Ms: number;
    };

/** Loops share these. */
const connectionCount = 8;
const value = "x".repeat(256);
const timeoutMs = 60_000;

const [, , library = "", nats = ""] = process.argv;
const { connect } = (await import(pathToFileURL(library).href)) as typeof import("synod");
const connections: Synod[] = [];
for (let i = 0; i < connectionCount; i += 1)
  connections.push(await connect({ cluster: "demo", nats }));
// The first one waits for a leader.
await connections[0]?.propose(value, { timeoutMs });

function tell(told: Told): void {
  process.send?.(told);
}

async function run({ clients, warmUpMs, measureMs, values }: Load): Promise<void> {
  const latencies: number[] = [];
  let isMeasured = false;
  let isOver = false;
  let left = values ?? Number.POSITIVE_INFINITY;
  const loop = async (synod: Synod) => {
    while (!isOver && left > 0) {
      left -= 1;
      const startMs = performance.now();
      await synod.propose(value, { timeoutMs });
      if (isMeasured && !isOver) latencies.push(performance.now() - startMs);
    }
  };
  const used = connections.slice(0, clients);
  const loops = Array.from({ length: clients }, (_, i) => loop(used[i % used.length] as Synod));
  await pass(warmUpMs);
  tell({ kind: "begins" });
  isMeasured = true;
  const beginMs = performance.now();
  if (measureMs !== undefined) await pass(measureMs);
  else await Promise.all(loops);
  isOver = true;
  const ms = performance.now() - beginMs;
  const receipts = latencies.length;
  latencies.sort((a, b) => a - b);
  await Promise.all(loops);
  tell({ kind: "ended", receipts, ms, p50Ms: latencies[receipts >> 1] ?? Number.NaN });
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

process.on("message", (load: Load) => {
  run(load).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  });
});
tell({ kind: "ready" });
