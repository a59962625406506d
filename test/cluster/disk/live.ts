/**
 * The recording of an acceptor that votes in a cluster under load.
 */
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { storeIdentity } from "../../../src/kernel/store/refusal.js";
import { storeIdOf } from "../../../src/paxos/cluster.js";
import { readDescriptor } from "../../../src/worker/descriptor.js";
import { storeFolder } from "../../../src/worker/stores.js";
import { memoryFolder, type Processes, until } from "../../cli/processes.js";
import { startLoad } from "../chaos/load.js";
import { slowMs } from "../cluster.js";
import { Fleet, fleetCluster, separated } from "../fleet.js";
import type { LiveStore } from "./judge.js";
import { traceArgs } from "./recording.js";

const recorded = "a3";
/** No more than it takes to choose values, and to let another proposer lead. */
const crews = separated.filter(({ name }) => !["l1", "l2", "g2"].includes(name));
const load = { clients: 3, pipeline: 2, valueBytes: [30, 300, 3000], pauseMs: 30 };

/** Where a recording is. */
export interface LiveRecording {
  readonly log: string;
  readonly directory: string;
  readonly store: LiveStore;
}

/**
 * Records an acceptor for a while: it is started under strace, votes for values of two leaders and
 * for keys, and is killed.
 *
 * @param forMs milliseconds of load under each of the leaders
 */
export async function recordAcceptor(
  processes: Processes,
  nats: string,
  strace: string,
  forMs: number,
): Promise<LiveRecording> {
  const fleet = await Fleet.start(processes, nats, crews, memoryFolder());
  const cluster = await readDescriptor(join(fleet.cwd, "cluster.yaml"));
  const directory = storeFolder(fleet.dataOf(recorded), "acceptor", recorded);
  const [log, base] = [join(fleet.cwd, "log"), join(fleet.cwd, "base")];
  await fleet.worker(recorded).end("SIGTERM");
  cpSync(directory, base, { recursive: true });
  const running = await startLoad({ cluster: fleetCluster, nats, ...load });
  // -D: the process that we start is the worker, so that killing it does not set it free.
  const acceptor = await fleet.launch(recorded, [strace, "-D", ...traceArgs(log)]);
  await sleep(forMs);
  const { ballot } = await running.probe(1);
  await fleet.worker(ballot.owner.split(".")[0] ?? "").end();
  let probes = 1;
  await until(async () => {
    probes += 1;
    return (await running.probe(probes)).syncedBy.includes(recorded);
  }, slowMs);
  await sleep(forMs);
  await acceptor.end();
  // strace writes on its own time.
  await until(() => readFileSync(log, "latin1").includes("+++ killed by SIGKILL +++"));
  await running.close();
  await processes.clearRunning();
  const storeId = storeIdOf(cluster, "acceptor", recorded) ?? "";
  const identity = storeIdentity(cluster, "acceptor", recorded, storeId);
  return { log, directory, store: { identity, base } };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
