/**
 * Which roles a process is to run: `acceptor:a1`, or `acceptor` with the id that is given for all.
 */

import { roles as registry } from "../../actors/index.js";
import type { Random } from "../kernel/ports.js";
import type { RoleDefinition } from "../kernel/role.js";
import { type Cluster, storeIdOf } from "../paxos/cluster.js";
import type { RoleName } from "../paxos/wire/messages.js";
import { LISTED_ROLES } from "../paxos/wire/verbs.js";
import { closest } from "./closest.js";

/** A role to run, under an id. */
export interface RoleToRun {
  readonly definition: RoleDefinition;
  readonly id: string;
}

/** Something in the options of a worker that cannot be meant. */
export class WorkerOptionsError extends Error {
  override readonly name = "WorkerOptionsError";
}

/** The roles that a worker can run: a session runs in its client. */
export const RUNNABLE_ROLES: readonly RoleName[] = Object.values(registry)
  .map(({ name }) => name)
  .filter((name) => name !== "session");

/** Says whether a worker can run a role. */
export function isRunnable(role: string): role is RoleName {
  return (RUNNABLE_ROLES as readonly string[]).includes(role);
}

/**
 * Reads the roles of a worker.
 *
 * @param words `role` or `role:id`
 * @param id for those without one of their own; roles that the descriptor does not list draw one
 * @throws WorkerOptionsError
 */
export function readRoles(
  words: readonly string[],
  id: string | undefined,
  cluster: Cluster,
  random: Random,
): RoleToRun[] {
  if (words.length === 0) {
    throw new WorkerOptionsError(`name at least one role: ${RUNNABLE_ROLES.join(", ")}`);
  }
  const found = words.map((word) => readRole(word, id, cluster, random));
  const names = found.map(({ definition, id: own }) => `${definition.name} ${own}`);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new WorkerOptionsError(`${twice} is named twice: one process runs it once`);
  }
  return found;
}

function readRole(
  word: string,
  shared: string | undefined,
  cluster: Cluster,
  random: Random,
): RoleToRun {
  const [name = "", own] = word.split(":");
  const definition = isRunnable(name) ? registry[name] : undefined;
  if (definition === undefined) {
    const close = closest(name, RUNNABLE_ROLES);
    const hint =
      close === undefined ? `known are ${RUNNABLE_ROLES.join(", ")}` : `did you mean ${close}?`;
    throw new WorkerOptionsError(`there is no role ${JSON.stringify(name)}: ${hint}`);
  }
  const id = own ?? shared ?? defaultId(definition.name, cluster, random);
  if (!/^[a-z0-9_-]{1,32}$/.test(id)) {
    throw new WorkerOptionsError(
      `${JSON.stringify(id)} is no id: use 1 to 32 characters out of a-z, 0-9, _ and -`,
    );
  }
  if (LISTED_ROLES.has(definition.name) && storeIdOf(cluster, definition.name, id) === undefined) {
    const listed = listedIds(cluster, definition.name).join(", ");
    throw new WorkerOptionsError(
      `the descriptor of ${cluster.name} lists no ${definition.name} ${id}: it lists ${listed}`,
    );
  }
  return { definition, id };
}

function listedIds(cluster: Cluster, role: RoleName): readonly string[] {
  return (role === "acceptor" ? cluster.acceptors : cluster.proposers).map(({ id }) => id);
}

function defaultId(role: RoleName, cluster: Cluster, random: Random): string {
  if (!LISTED_ROLES.has(role)) return `${role.slice(0, 1)}-${random.hex(4)}`;
  const [only, ...others] = listedIds(cluster, role);
  if (only !== undefined && others.length === 0) return only;
  throw new WorkerOptionsError(
    `which ${role}? Name one of ${listedIds(cluster, role).join(", ")}: ${role}:${only}, or an ` +
      "id for all roles (--id)",
  );
}
