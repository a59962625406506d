/**
 * Goal: the recorded histories of a real cluster under load, while processes end, have an order;
 * and the judge does not say so of everything.
 * Method: a whole cluster on the memory bus and the clock of this machine, clients that record into
 * files, the leader and an acceptor stopped; then one answer in the file is changed.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { createCodec } from "../../src/adapters/msgpackr/codec.js";
import { createClock, createRandom } from "../../src/adapters/node/clock.js";
import { openClient } from "../../src/client/connect.js";
import { checkHistory, type Verdict } from "../../src/judge/check.js";
import { explainVerdict } from "../../src/judge/explain.js";
import { HistoryFile } from "../../src/worker/history-file.js";
import { startCluster } from "../../src/worker/start-cluster.js";
import { type HistoryLoad, historyLoad } from "../support/history-load.js";

const kindOf = (verdict: Verdict) => [verdict.kind, explainVerdict(verdict)] as const;

/** Waits until so many more calls of each kind were answered. */
async function answered({ counts }: HistoryLoad, more: number): Promise<void> {
  const { proposed, decided, asked } = counts;
  const isEnough = () =>
    counts.proposed >= proposed + more &&
    counts.decided >= decided + more &&
    counts.asked >= asked + more;
  while (!isEnough()) await sleep(20);
}

it("clients of a cluster whose leader and an acceptor end tell what has an order", async () => {
  const folder = mkdtempSync(join(tmpdir(), "synod-load-"));
  try {
    const [proposals, decisions] = [join(folder, "propose.jsonl"), join(folder, "decide.jsonl")];
    const propose = HistoryFile.open(proposals, { model: "propose" });
    const decide = HistoryFile.open(decisions, { model: "decide" });
    await using running = await startCluster({ transport: "memory", seed: 5 });
    let clients = 0;
    const load = historyLoad({
      open: async (recorder) => {
        const transport = await running.connect(`client ${++clients}`);
        const ports = { transport, clock: createClock(), random: createRandom(), createCodec };
        return openClient(ports, { cluster: running.cluster.name, recorder });
      },
      ...{ propose, decide, timeoutMs: 150 },
    });
    await answered(load, 50);
    for (const name of ["proposer p1", "acceptor a3"]) await running.workers.get(name)?.stop();
    await answered(load, 50);
    await load.stop();
    propose.close();
    decide.close();
    const text = readFileSync(proposals, "utf8");
    const [kind, shown] = kindOf(checkHistory(text, { isComplete: true }));
    expect(kind, shown).toBe("linearizable");
    const [decided, why] = kindOf(checkHistory(readFileSync(decisions, "utf8")));
    expect(decided, why).toBe("linearizable");
    const last = [...text.matchAll(/"position":(\d+)/g)].map(([, digits]) => Number(digits)).at(-1);
    const forged = text.replace(`"position":${last},`, `"position":${Number(last) - 1},`);
    expect(checkHistory(forged).kind).toBe("violation");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
