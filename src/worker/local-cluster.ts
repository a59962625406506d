/**
 * Starting the processes of a whole cluster on this machine under a supervisor: what `up` does
 * between finding its server and reading its input.
 */
import { type ChildProcess, fork } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import type { Cluster } from "../paxos/cluster.js";
import type { ClusterFolder } from "./cluster-folder.js";
import { type PlacedProcess, type Placement, placeRoles } from "./placement.js";
import { isRunnable } from "./roles.js";
import { formatRoleStore } from "./stores.js";
import type { Launch, Supervisor } from "./supervisor.js";

/** How the processes of a local cluster are started. */
export interface LocalOptions {
  readonly folder: ClusterFolder;
  readonly cluster: Cluster;
  readonly placement: Placement;
  readonly supervisor: Supervisor;
  /** The command line's main module. */
  readonly main: string;
  /** Options of the `worker` command that name the server, without secrets. */
  readonly connection: readonly string[];
  /** The environment of the workers; credentials go here, where other users cannot read them. */
  readonly environment: NodeJS.ProcessEnv;
}

/** Formats the stores of every listed member that a worker can run. */
export async function formatStores(cluster: Cluster, data: string): Promise<void> {
  const members = [
    ...cluster.acceptors.map(({ id }) => ({ role: "acceptor", id })),
    ...cluster.proposers.map(({ id }) => ({ role: "proposer", id })),
  ];
  for (const { role, id } of members) {
    if (isRunnable(role)) await formatRoleStore(cluster, role, id, data);
  }
}

/**
 * Starts the workers of a cluster and waits until all serve that will: one that refuses (its store
 * was wiped, say) does not keep the others from it.
 *
 * @throws Error if all refuse
 */
export async function startWorkers(options: LocalOptions): Promise<readonly PlacedProcess[]> {
  const { cluster, placement, supervisor } = options;
  const placed = placeRoles(cluster, placement, isRunnable);
  const launches = await Promise.all(placed.map((one) => launchOf(one, options)));
  const added = await Promise.allSettled(launches.map((launch) => supervisor.add(launch)));
  const refused = added.filter((one) => one.status === "rejected");
  if (refused.length === added.length) throw refused[0]?.reason;
  return placed;
}

async function launchOf(placed: PlacedProcess, options: LocalOptions): Promise<Launch> {
  const { folder, main, connection, environment } = options;
  const log = await folder.logPath(placed.name);
  const args = ["worker", ...placed.roles, "--descriptor", folder.descriptorPath];
  args.push("--data", folder.dataPath, ...connection);
  return { name: placed.name, start: () => forkLogged(main, args, log, environment) };
}

/** Forks a module of ours with its standard error in a file. */
export function forkLogged(
  main: string,
  args: readonly string[],
  log: string,
  environment: NodeJS.ProcessEnv,
): ChildProcess {
  const file = openSync(log, "a", 0o600);
  try {
    return fork(main, args, { stdio: ["ignore", "ignore", file, "ipc"], env: environment });
  } finally {
    closeSync(file);
  }
}
