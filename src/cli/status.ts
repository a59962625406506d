/** `synod status`: who runs, who leads, who lags. */
import type { Command } from "commander";
import type { CapturingStream } from "../client/captures.js";
import type { ProcessHealth, RoleReport, ServedDescriptor, Status } from "../client/control.js";
import { noneIfForbidden, type Unheard } from "../client/hearing.js";
import type { Bound } from "../kernel/role.js";
import type { Cluster } from "../paxos/cluster.js";
import { describeDistance } from "../paxos/progress.js";
import { withClient } from "./client.js";
import { type ConnectionFlags, withConnection } from "./connection.js";
import { output } from "./output.js";
import { result, size, styled, table } from "./terminal.js";
import { shortBallot } from "./value.js";

/** Milliseconds between two looks of `--watch`. */
const watchMs = 1000;

/** A role as `status` shows it; `pid` is null for one that the descriptor lists and nobody runs. */
type RoleRow = Omit<RoleReport, "pid" | "syncs"> & {
  readonly pid: number | null;
  readonly syncs: number | null;
  /** Roles that do not hear it, each as `role id`. */
  readonly unheardBy: readonly string[];
};

/** Adds the command. */
export function addStatus(program: Command): void {
  withConnection(program.command("status"))
    .description("who runs, who leads, who lags")
    .option("--watch", "again every second until interrupted")
    .addHelpText(
      "after",
      "\nExamples:\n  synod status\n  synod status --json | jq '.roles[].state'\n" +
        "  synod status --nats nats://10.0.0.7:4222 --cluster demo",
    )
    .action(showStatus);
}

async function showStatus(flags: ConnectionFlags & { watch?: boolean }): Promise<void> {
  await withClient(flags, async ({ synod, server }) => {
    for (;;) {
      const [status, cutOff] = await Promise.all([
        synod.status(),
        synod.hearing().catch(noneIfForbidden),
      ]);
      const rows = rowsOf(synod.cluster, status.roles, cutOff);
      if (flags.json === true) result(JSON.stringify(plainStatus(status, rows, server)));
      else for (const line of draw(status, rows, server)) result(line);
      if (flags.watch !== true) return;
      await output.flush();
      await new Promise((resolve) => setTimeout(resolve, watchMs));
      if (flags.json !== true) result("");
    }
  });
}

const order = ["acceptor", "proposer", "elector", "learner", "gateway", "synod-proposer"];

/** Who runs, and among them who should. */
function rowsOf(
  cluster: Cluster,
  running: readonly RoleReport[],
  cutOff: readonly Unheard[],
): RoleRow[] {
  const heard = running.map((row): RoleRow => {
    const unheardBy = cutOff.find(({ role, id }) => role === row.role && id === row.id)?.by;
    return { ...row, unheardBy: unheardBy ?? [] };
  });
  const missing = [
    ...cluster.acceptors.map(({ id }) => ({ role: "acceptor", id })),
    ...cluster.proposers.map(({ id }) => ({ role: "proposer", id })),
  ].filter(({ role, id }) => !running.some((row) => row.role === role && row.id === id));
  return [...heard, ...missing.map(gone)].sort(
    (a, b) => order.indexOf(a.role) - order.indexOf(b.role) || (a.id < b.id ? -1 : 1),
  );
}

/**
 * The contract of `--json`: every field in its place, null where it does not apply.
 *
 * `chosenWatermark` is null, and a dash in the table, where a role does not know how far the log
 * is: an acceptor whose votes fill no window yet, a proposer that does not lead, a learner that
 * has received nothing from a leader yet. A 0 means that nothing is chosen.
 */
function plainStatus(
  { cluster, descriptors, leader, silentServers, dropped, captures, processes }: Status,
  rows: readonly RoleRow[],
  server: string,
) {
  const roles = rows.map((row) => {
    const { role, id, pid, data, incarnation, state, syncs, why, ...of } = row;
    return {
      ...{ role, id, pid, data, incarnation, state, promised: of.promised ?? null },
      chosenWatermark: of.chosenWatermark ?? null,
      appliedWatermark: of.appliedWatermark ?? null,
      firstRetained: of.firstRetained ?? null,
      stateHash: of.stateHash ?? null,
      elections: of.elections ?? null,
      nacks: of.nacks ?? null,
      ...{ syncs, dropped: of.dropped },
      // Beside the contract.
      ...{ ballot: of.ballot ?? null, leader: of.leader ?? null, keys: of.keys ?? null, why },
      ...{ copiesPerValue: of.copiesPerValue ?? null, catchingUp: of.catchingUp ?? null },
      bounds: of.bounds ?? [],
      unheardBy: of.unheardBy,
    };
  });
  return {
    cluster,
    server,
    leader,
    roles,
    dropped,
    descriptors,
    silentServers,
    captures,
    processes,
  };
}

function gone({ role, id }: { readonly role: string; readonly id: string }): RoleRow {
  const nothing = {
    pid: null,
    data: null,
    incarnation: null,
    syncs: null,
    why: null,
    unheardBy: [],
  };
  return { role, id, ...nothing, state: "silent", dropped: {} };
}

function draw(status: Status, rows: readonly RoleRow[], server: string): string[] {
  const { cluster, descriptors, leader, silentServers, dropped, captures } = status;
  const head = ["role", "id", "pid", "state", "chosen", "promised", "syncs", "nacks"];
  const cells = rows.map((row) => [
    row.role,
    row.id,
    String(row.pid ?? "-"),
    colour(row.state, row.unheardBy.length),
    String(row.chosenWatermark ?? "-"),
    shortBallot(row.promised ?? row.ballot),
    String(row.syncs ?? "-"),
    String(row.nacks ?? "-"),
  ]);
  const counts = Object.entries(dropped).map(([reason, count]) => `${reason} ${count}`);
  const led =
    leader === null ? "no leader" : `leader ${leader.id}, ballot ${shortBallot(leader.ballot)}`;
  return [
    `cluster ${cluster} on ${server}: ${disagreement(descriptors)}${led}`,
    ...table([head.map((cell) => styled(process.stdout, "dim", cell)), ...cells]),
    ...rows.flatMap(remark),
    ...elsewhere(rows, server),
    ...captures.map(captured),
    ...fullest(rows),
    ...slowest(status.processes),
    ...silentServers.map((silent) => `server ${silent} has never answered: it was dialled here`),
    ...(counts.length === 0 ? [] : [`dropped: ${counts.join(", ")}`]),
  ];
}

/** Says that a stream answers requests. */
function captured({ name, subjects }: CapturingStream): string {
  const what = `the JetStream stream ${name} captures requests to this cluster`;
  return (
    `${styled(process.stdout, "red", what)} (${subjects.join(", ")}) and answers them in the ` +
    "place of the roles: let it keep the chosen values alone (….chosen.>)"
  );
}

/** From here on `status` says that the log is filled with copies. */
const copiesPerValueShown = 1.5;

/** Each bound that ends a service, at the role that has used most of it. */
function fullest(rows: readonly RoleRow[]): string[] {
  const most = new Map<string, { readonly bound: Bound; readonly who: string }>();
  for (const { role, id, bounds } of rows) {
    for (const bound of bounds ?? []) {
      const { used, limit } = most.get(bound.name)?.bound ?? { used: -1, limit: 1 };
      if (bound.used / bound.limit <= used / limit) continue;
      most.set(bound.name, { bound, who: `${role} ${id}` });
    }
  }
  const shown = [...most.values()].map(({ bound: { name, used, limit }, who }) => {
    const amount = (count: number) => (name.includes("Bytes") ? size(count) : String(count));
    return `${name} ${amount(used)} of ${amount(limit)} (${who})`;
  });
  return shown.length === 0 ? [] : [`used: ${shown.join(", ")}`];
}

/** The process whose event loop stood longest, and the one whose heap is fullest. */
function slowest(processes: readonly ProcessHealth[]): string[] {
  const [slow] = [...processes].sort((a, b) => b.loopLagMs - a.loopLagMs);
  const shareOf = ({ heapUsedBytes, heapBytesMax }: ProcessHealth) => heapUsedBytes / heapBytesMax;
  const [full] = [...processes].sort((a, b) => shareOf(b) - shareOf(a));
  if (slow === undefined || full === undefined) return [];
  const lag = `event loops stood for at most ${Math.round(slow.loopLagMs)} ms (pid ${slow.pid})`;
  const of = `${size(full.heapUsedBytes)} of ${size(full.heapBytesMax)}`;
  return [`processes: ${lag}, fullest heap ${of} (pid ${full.pid})`];
}

/** Most roles that are named of one descriptor. */
const namedMax = 6;

/** Says that several descriptors are served under one name; nothing if there is one. */
function disagreement(descriptors: readonly ServedDescriptor[]): string {
  if (descriptors.length < 2) return "";
  const groups = descriptors.map(({ clusterId, epoch, configurationHash, roles }) => {
    const more = roles.length - namedMax;
    const named = `${roles.slice(0, namedMax).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
    const configuration = `epoch ${epoch} configuration ${configurationHash.slice(0, 8)}`;
    return `id ${clusterId} ${configuration} (${named})`;
  });
  const what = `${descriptors.length} different descriptors are served under this name`;
  const advice = "give every process the same cluster.yaml";
  return `${styled(process.stdout, "red", what)}: ${groups.join("; ")}: ${advice}; `;
}

/** What is to be said of a role beside its row. */
function remark({ role, id, state, why, copiesPerValue, catchingUp }: RoleRow): string[] {
  if (state === "silent") return [`${role} ${id}: no process answers for it`];
  return [
    ...(typeof why === "string" ? [`${role} ${id}: ${why}`] : []),
    // A learner that lags may have the rest within a moment.
    ...(state === "repairing" && catchingUp != null
      ? [`${role} ${id}: ${describeDistance(catchingUp)}`]
      : []),
    ...((copiesPerValue ?? 0) < copiesPerValueShown
      ? []
      : [`${role} ${id}: the log holds ${copiesPerValue} requests a value: many were sent again`]),
  ];
}

/** Where roles may be that are silent. */
function elsewhere(rows: readonly RoleRow[], server: string): string[] {
  if (!rows.some(({ state }) => state === "silent")) return [];
  return [
    "a role that runs and is silent here may be connected to a NATS server that is not joined to " +
      `${server} (as a cluster, by a gateway or as a leaf node), or be frozen`,
  ];
}

function colour(state: string, unheardBy: number): string {
  if (state === "halted" || state === "silent") return styled(process.stdout, "red", state);
  if (unheardBy > 0) return styled(process.stdout, "red", `${state}, unheard by ${unheardBy}`);
  return state.startsWith("leading") ? styled(process.stdout, "green", state) : state;
}
