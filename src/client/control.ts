/** `status` and `why` from the library: every process answers for itself, and we gather. */
import type { RoleStatus, Wait } from "../actor/role.js";
import type { Asker } from "./asker.js";
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
  readonly safetyHash: string;
  readonly epoch: number;
  /** Each `role id`, sorted. */
  readonly roles: readonly string[];
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
  /** Servers that some process, or this client, dialled and that never answered it. */
  readonly silentServers: readonly string[];
  /** What was dropped or refused, by reason, over all processes. */
  readonly dropped: Readonly<Record<string, number>>;
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
  /** The body of the question; empty if left out. */
  readonly question?: unknown;
  /** `role/id` of those that should answer. */
  readonly listed: ReadonlySet<string>;
  readonly patienceMs: number;
}

/**
 * Asks all processes.
 *
 * Why in rounds: through a service import of an account a request gets one answer, the first. So
 * after a single answer the question is asked again, of all but those who have answered.
 */
export async function gatherAnswers(
  asker: Asker,
  { subject, question, listed, patienceMs }: ControlAsk,
): Promise<readonly Record<string, unknown>[]> {
  const missing = new Set(listed);
  const quietAfter = (answers: readonly Uint8Array[]) => {
    const last = answers[answers.length - 1];
    for (const { role, id } of last === undefined ? [] : rolesOf(readJson(last))) {
      missing.delete(`${role}/${id}`);
    }
    return missing.size === 0 ? quietAtEndMs : quietMs;
  };
  const ask = async (waitMs: number, quiet: typeof quietAfter) => {
    const except = [...known];
    const isPlain = question === undefined && except.length === 0;
    const text = isPlain ? "" : JSON.stringify({ ...(question as object), except });
    const answers = await asker.gather(subject, new TextEncoder().encode(text), waitMs, quiet);
    const fresh = new Set<string>();
    for (const [index, answer] of answers.map(readJson).entries()) {
      const { process } = answer;
      const name = typeof process === "string" ? process : `unnamed ${index}`;
      if (known.has(name)) continue;
      fresh.add(name);
      // One process may answer in several parts, under a small limit of its server.
      gathered.push(answer);
    }
    for (const name of fresh) known.add(name);
    return fresh.size;
  };
  const known = new Set<string>();
  const gathered: Record<string, unknown>[] = [];
  let fresh = await ask(Math.min(waitMs, patienceMs), quietAfter);
  while (fresh === 1 && known.size < processesMax) {
    fresh = await ask(missing.size === 0 ? furtherMs : quietMs, (answers) => {
      quietAfter(answers);
      return quietAtEndMs;
    });
  }
  return gathered;
}

/** Puts the answers to `status` together. */
export function mergeStatus(
  cluster: string,
  answers: readonly Record<string, unknown>[],
  ownSilentServers: readonly string[],
): Status {
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
  return { cluster, descriptors, leader: leaderOf(roles), roles, silentServers, dropped };
}

/** Groups the processes by what they serve. */
function descriptorsOf(answers: readonly Record<string, unknown>[]): readonly ServedDescriptor[] {
  const groups = new Map<string, ServedDescriptor & { roles: string[] }>();
  for (const answer of answers) {
    const { clusterId, epoch, safetyHash } = answer;
    if (typeof clusterId !== "string" || typeof safetyHash !== "string") continue;
    const key = `${clusterId} ${String(epoch)} ${safetyHash}`;
    const group = groups.get(key) ?? { clusterId, epoch: Number(epoch), safetyHash, roles: [] };
    for (const { role, id } of rolesOf(answer)) group.roles.push(`${role} ${id}`);
    groups.set(key, group);
  }
  for (const { roles } of groups.values()) roles.sort();
  return [...groups.values()].sort((a, b) => b.roles.length - a.roles.length);
}

/** Puts the answers to `why` together. */
export function mergeWaits(answers: readonly Record<string, unknown>[]): RoleWaits[] {
  return answers.flatMap((answer) => rolesOf(answer) as readonly RoleWaits[]);
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
