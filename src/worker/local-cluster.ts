/**
 * Starting the processes of a whole cluster on this machine under a supervisor: what `up` does
 * between finding its server and reading its input.
 */
import { type ChildProcess, fork } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { acceptorIds, type Cluster } from "../paxos/cluster.js";
import { isPhase1Quorum, isPhase2Quorum } from "../paxos/quorum.js";
import type { ClusterFolder } from "./cluster-folder.js";
import { EXIT } from "./exit.js";
import { type PlacedProcess, type Placement, placeRoles } from "./placement.js";
import { isRunnable } from "./roles.js";
import { formatRoleStore } from "./stores.js";
import type { Launch, Supervised, Supervisor } from "./supervisor.js";

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
 * was wiped, say) does not keep the others from it. Whether the others are enough, {@link findLoss}
 * says.
 */
export async function startWorkers(options: LocalOptions): Promise<void> {
  const { cluster, placement, supervisor } = options;
  const placed = placeRoles(cluster, placement, isRunnable);
  const launches = await Promise.all(placed.map((one) => launchOf(one, options)));
  await Promise.allSettled(launches.map((launch) => supervisor.add(launch)));
}

/** Why a cluster can choose nothing with the roles that run on this machine. */
export interface Loss {
  /** `0 of 3 acceptors run: ` and the reason of the first that does not. */
  readonly message: string;
  /** The code with which those that refuse end: {@link EXIT}. */
  readonly exitCode: number;
}

/**
 * Finds out whether roles that are gone for good leave no quorum, or nobody who could lead.
 *
 * A process that died and is started again counts as one that runs.
 *
 * @returns null while something may be chosen
 */
export function findLoss(
  { cluster, placement }: Pick<LocalOptions, "cluster" | "placement">,
  processes: readonly Supervised[],
): Loss | null {
  const lost = new Map<string, { readonly why: string; readonly code: number }>();
  for (const { name, roles } of placeRoles(cluster, placement, isRunnable)) {
    const one = processes.find((known) => known.name === name);
    if (one?.refusedWith !== undefined) {
      for (const role of roles) lost.set(role, { why: one.why ?? "", code: one.refusedWith });
    }
    for (const { role, id, why } of one?.halted ?? []) {
      lost.set(`${role}:${id}`, { why, code: EXIT.refused });
    }
  }
  for (const [role, ids] of [
    ["acceptor", acceptorIds(cluster)],
    ["proposer", cluster.proposers.map(({ id }) => id)],
  ] as const) {
    const running = ids.filter((id) => !lost.has(`${role}:${id}`));
    if (role === "acceptor" ? canChoose(cluster, running) : running.length > 0) continue;
    const reasons = ids.flatMap((id) => lost.get(`${role}:${id}`) ?? []);
    const isFull = reasons.every(({ code }) => code === EXIT.noRoom);
    const message = `${running.length} of ${ids.length} ${role}s run: ${reasons[0]?.why ?? ""}`;
    return { message, exitCode: isFull ? EXIT.noRoom : EXIT.refused };
  }
  return null;
}

/** Whether these acceptors form a quorum of each phase. */
function canChoose(cluster: Cluster, running: readonly string[]): boolean {
  const { quorums } = cluster;
  const [all, present] = [acceptorIds(cluster), new Set(running)];
  return isPhase1Quorum(quorums, all, present) && isPhase2Quorum(quorums, all, present);
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
