/** `status` and `why` from the library: every process answers for itself, and we gather. */
import type { RoleStatus, Wait } from "../kernel/role.js";
import type { Asker } from "./asker.js";
import type { CapturingStream } from "./captures.js";
import { readJson } from "./entries.js";

/** One role of one process; null where it does not apply. */
export type RoleReport = {
  readonly role: string;
  readonly id: string;
  readonly pid: number;
  /** The folder of its store. */
  readonly data: string | null;
  readonly incarnation: number | null;
  /** The chart's state; "halted" for a role that stopped for good. */
  readonly state: string;
  /** Why it has halted, or which of its messages is over the server's limit. */
  readonly why: string | null;
  /** Synced transactions of its store in this life. */
  readonly syncs: number;
  /** What its process dropped or refused, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
} & { readonly [K in keyof RoleStatus]?: RoleStatus[K] | null };

/** A descriptor, and the roles that serve it. */
export interface ServedDescriptor {
  /** 32 hexadecimal digits each. */
  readonly clusterId: string;
  readonly configurationHash: string;
  readonly epoch: number;
  /** Each `role id`, sorted. */
  readonly roles: readonly string[];
}

/** How a process stands. */
export interface ProcessHealth {
  /** 16 hexadecimal digits, drawn when it started. */
  readonly process: string;
  readonly pid: number;
  /** Each `role id`. */
  readonly roles: readonly string[];
  /** The longest time for which its event loop stood within the last second. */
  readonly loopLagMs: number;
  readonly heapUsedBytes: number;
  readonly heapBytesMax: number;
}

/** What the processes of a cluster say of themselves. */
export interface Status {
  readonly cluster: string;
  /**
   * The descriptors of all processes that answer under the cluster's name; the one with the most
   * roles first. More than one: a person's mistake, and the groups do not hear each other.
   */
  readonly descriptors: readonly ServedDescriptor[];
  /** The proposer that leads the highest ballot. */
  readonly leader: { readonly id: string; readonly ballot: string } | null;
  readonly roles: readonly RoleReport[];
  readonly processes: readonly ProcessHealth[];
  /** Servers that some process, or this client, dialled and that never answered it. */
  readonly silentServers: readonly string[];
  /** What was dropped or refused, by reason, over all processes. */
  readonly dropped: Readonly<Record<string, number>>;
  /** JetStream streams that answer requests in the place of the roles: a person's mistake. */
  readonly captures: readonly CapturingStream[];
}

/** What one role waits for. */
export interface RoleWaits {
  readonly role: string;
  readonly id: string;
  readonly waits: readonly Wait[];
}

/** For the first answer. */
const waitMs = 2000;
/** After each, while acceptors or proposers of the descriptor are missing, and when none is. */
const quietMs = 400;
const quietAtEndMs = 50;
/** For an answer of those who have not answered yet. */
const furtherMs = 150;

/** Most processes that are asked one by one. */
const processesMax = 1024;

/** What is asked of all processes. */
export interface ControlAsk {
  readonly subject: string;
  /** What the question says; nothing if left out. */
  readonly question?: object | undefined;
  /** `role/id` of those that should answer. */
  readonly listed: ReadonlySet<string>;
  readonly patienceMs: number;
  readonly nowMs: () => number;
}

/**
 * Asks all processes.
 *
 * Why in rounds: through a service import of an account a request gets one answer, the first. So
 * after the answer of a single process the question goes out again, to all but those that answered.
 */
export async function gatherAnswers(
  asker: Asker,
  { subject, question, listed, patienceMs, nowMs }: ControlAsk,
): Promise<readonly Record<string, unknown>[]> {
  const untilMs = nowMs() + patienceMs;
  const missing = new Set(listed);
  /** The processes that have answered. One may answer in several parts, in one round. */
  const except = new Set<unknown>();
  const gathered: Record<string, unknown>[] = [];
  const quietAfter = (answers: readonly Uint8Array[]) => {
    const last = answers[answers.length - 1];
    for (const { role, id } of last === undefined ? [] : rolesOf(readJson(last))) {
      missing.delete(`${role}/${id}`);
    }
    return missing.size === 0 || except.size > 0 ? quietAtEndMs : quietMs;
  };
  for (;;) {
    const silenceMs = missing.size === 0 ? furtherMs : quietMs;
    const firstMs = Math.min(except.size === 0 ? waitMs : silenceMs, untilMs - nowMs());
    const body = encodeQuestion(question, [...except]);
    const answers = (await asker.gather(subject, body, firstMs, quietAfter)).map(readJson);
    const fresh = answers.filter(({ process }) => !except.has(process));
    gathered.push(...fresh);
    const processes = new Set(fresh.map(({ process }) => process));
    for (const process of processes) except.add(process);
    const [only, ...others] = processes;
    const isOneByOne = typeof only === "string" && others.length === 0;
    if (!isOneByOne || except.size >= processesMax || nowMs() >= untilMs) return gathered;
  }
}

function encodeQuestion(question: object | undefined, except: readonly unknown[]): Uint8Array {
  const isEmpty = question === undefined && except.length === 0;
  return new TextEncoder().encode(isEmpty ? "" : JSON.stringify({ ...question, except }));
}

/** Puts the answers to `status` together. */
export function mergeStatus(
  cluster: string,
  answers: readonly Record<string, unknown>[],
  ownSilentServers: readonly string[],
): Omit<Status, "captures"> {
  const roles = answers.flatMap((answer) => rolesOf(answer) as readonly RoleReport[]);
  const dropped: Record<string, number> = {};
  for (const answer of answers) {
    for (const [reason, count] of Object.entries(answer["dropped"] ?? {})) {
      const counted = Number.isSafeInteger(count) ? Number(count) : 0;
      dropped[reason] = (dropped[reason] ?? 0) + counted;
    }
  }
  const descriptors = descriptorsOf(answers);
  const told = answers.flatMap(({ silentServers }) => (isList(silentServers) ? silentServers : []));
  const silent = new Set([...ownSilentServers, ...told.map(String)]);
  const silentServers = [...silent].sort();
  const processes = processesOf(answers);
  const leader = leaderOf(roles);
  return { cluster, descriptors, leader, roles, processes, silentServers, dropped };
}

/** How the processes stand; an answer in parts names its process in each. */
function processesOf(answers: readonly Record<string, unknown>[]): readonly ProcessHealth[] {
  const processes = new Map<string, ProcessHealth & { roles: string[] }>();
  for (const answer of answers) {
    const { process, pid, loopLagMs, heapUsedBytes, heapBytesMax } = answer;
    if (typeof process !== "string" || typeof loopLagMs !== "number") continue;
    const health = { process, pid: Number(pid), loopLagMs };
    const heap = { heapUsedBytes: Number(heapUsedBytes), heapBytesMax: Number(heapBytesMax) };
    const known = processes.get(process) ?? { ...health, ...heap, roles: [] };
    for (const { role, id } of rolesOf(answer)) known.roles.push(`${role} ${id}`);
    processes.set(process, known);
  }
  return [...processes.values()];
}

/** Groups the processes by what they serve. */
function descriptorsOf(answers: readonly Record<string, unknown>[]): readonly ServedDescriptor[] {
  const groups = new Map<string, ServedDescriptor & { roles: string[] }>();
  for (const answer of answers) {
    const { clusterId, epoch, configurationHash } = answer;
    if (typeof clusterId !== "string" || typeof configurationHash !== "string") continue;
    const key = `${clusterId} ${String(epoch)} ${configurationHash}`;
    const group = groups.get(key) ?? {
      clusterId,
      epoch: Number(epoch),
      configurationHash,
      roles: [],
    };
    for (const { role, id } of rolesOf(answer)) group.roles.push(`${role} ${id}`);
    groups.set(key, group);
  }
  for (const { roles } of groups.values()) roles.sort();
  return [...groups.values()].sort((a, b) => b.roles.length - a.roles.length);
}

/** Puts the answers to `why` together; `first` goes before what each role says of itself. */
export function mergeWaits(
  answers: readonly Record<string, unknown>[],
  first: readonly RoleWaits[],
): RoleWaits[] {
  const told = answers.flatMap((answer) => rolesOf(answer) as readonly RoleWaits[]);
  return told.map(({ role, id, waits }) => {
    const before = first.filter((one) => one.role === role && one.id === id);
    return { role, id, waits: [...before.flatMap((one) => one.waits), ...waits] };
  });
}

/** The roles of an answer. */
export function rolesOf(answer: Record<string, unknown>): readonly { role: string; id: string }[] {
  const { roles } = answer;
  return Array.isArray(roles) ? (roles as { role: string; id: string }[]) : [];
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

function leaderOf(roles: readonly RoleReport[]): Status["leader"] {
  let leader: { id: string; ballot: string } | null = null;
  for (const { role, id, state, ballot } of roles) {
    if (role !== "proposer" || !state.startsWith("leading")) continue;
    const higher = leader === null || roundOf(ballot) > roundOf(leader.ballot);
    if (higher) leader = { id, ballot: ballot ?? "" };
  }
  return leader;
}

function roundOf(ballot: string | null | undefined): number {
  return Number(ballot?.split(".")[0] ?? 0);
}
