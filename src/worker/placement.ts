/**
 * Placements: which roles share a process when one machine runs a whole cluster.
 */
import type { Cluster } from "../paxos/cluster.js";
import type { RoleName } from "../paxos/wire/messages.js";

/**
 * - `separated`: one role a process, the one to learn from;
 * - `colocated`: equal processes with every role, the one to run fast;
 * - `single`: everything in one process.
 */
export const PLACEMENTS = ["separated", "colocated", "single"] as const;

/** One of {@link PLACEMENTS}. */
export type Placement = (typeof PLACEMENTS)[number];

/** A process and its roles, each as `role:id`. */
export interface PlacedProcess {
  readonly name: string;
  readonly roles: readonly string[];
}

/** First letters of the ids of roles that the descriptor does not list. */
const letters = { elector: "e", learner: "l", gateway: "g", "synod-proposer": "s" } as const;
/** Learners of their own in `separated`. */
const learnersAlone = 2;

/** How many proposers a new cluster is drawn with. */
export function proposersFor(placement: Placement, acceptors: number): number {
  return placement === "colocated" ? acceptors : 2;
}

/**
 * Places the roles of a cluster.
 *
 * @param has says which roles there are; the others are left out
 */
export function placeRoles(
  cluster: Cluster,
  placement: Placement,
  has: (role: RoleName) => boolean,
): PlacedProcess[] {
  const placed = {
    separated: () => separated(cluster),
    colocated: () => colocated(cluster),
    single: () => [{ name: "all", roles: colocated(cluster).flatMap(({ roles }) => roles) }],
  }[placement]();
  return placed
    .map(({ name, roles }) => ({ name, roles: roles.filter((role) => has(nameIn(role))) }))
    .filter(({ roles }) => roles.length > 0)
    .map(({ name, roles }) => ({ name: placement === "separated" ? title(roles) : name, roles }));
}

function separated(cluster: Cluster): PlacedProcess[] {
  const one = (...roles: string[]): PlacedProcess => ({ name: "", roles });
  return [
    ...cluster.acceptors.map(({ id }) => one(`acceptor:${id}`)),
    ...cluster.proposers.map(({ id }, i) => one(`proposer:${id}`, elastic("elector", i))),
    ...Array.from({ length: learnersAlone }, (_, i) => one(elastic("learner", i))),
    one(elastic("gateway", 0), elastic("learner", learnersAlone), elastic("synod-proposer", 0)),
  ];
}

/** One process an acceptor; further proposers go round. */
function colocated(cluster: Cluster): PlacedProcess[] {
  return cluster.acceptors.map(({ id }, i) => {
    const proposers = cluster.proposers.filter((_, j) => j % cluster.acceptors.length === i);
    const roles = [
      `acceptor:${id}`,
      ...proposers.flatMap((proposer) => [`proposer:${proposer.id}`]),
      ...(Object.keys(letters) as (keyof typeof letters)[]).map((role) => elastic(role, i)),
    ];
    return { name: `node ${i + 1}`, roles };
  });
}

function elastic(role: keyof typeof letters, index: number): string {
  return `${role}:${letters[role]}${index + 1}`;
}

function nameIn(role: string): RoleName {
  return role.split(":")[0] as RoleName;
}

/** `gateway g1 + learner l3` */
function title(roles: readonly string[]): string {
  return roles.map((role) => role.replace(":", " ")).join(" + ");
}
