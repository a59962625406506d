/**
 * Negative controls: things that are broken on purpose, to see that a search finds what they do.
 *
 * A broken thing replaces roles (by `machine.provide`), the cluster's description, or a rule of the
 * host. Nothing but the simulator and the explorer takes one: no worker can reach them.
 */
import type { Effect } from "../../actor/effect.js";
import type { HostOptions } from "../../actor/host.js";
import type { RoleDefinition } from "../../actor/role.js";
import type { Cluster } from "../../paxos/cluster.js";
import type { RoleName } from "../../paxos/messages.js";

/** Every role by its name, as `actors/index.ts` lists them. */
export type Roles = Readonly<Record<RoleName, RoleDefinition>>;

/** Something broken. One file each, named as it is. */
export interface Broken {
  /** `[a-z0-9-]+` */
  readonly name: string;
  /** What is broken, in one sentence. */
  readonly what: string;
  /** The small world in which `synod explore --broken` looks; absent: it fits none. */
  readonly world?: string;
  /** Makes the broken registry. */
  readonly roles?: (real: Roles) => Roles;
  /** Makes the broken description: quorums, limits, ways of learning. */
  readonly cluster?: (real: Cluster) => Cluster;
  /**
   * For the explorer, whose host is a model: says whether an effect leaves before the writes it
   * should wait for, in place of the outbox's rule. `writes`: its own step wants records kept.
   */
  readonly overtakes?: (effect: Effect, writes: boolean) => boolean;
  /** The same for the simulator, whose hosts are real: the outbox that they get. */
  readonly createOutbox?: NonNullable<HostOptions["createOutbox"]>;
  /** The 16 hexadecimal digits that a start of a role draws; `start` counts from 1. */
  readonly nonce?: (role: RoleName, id: string, start: number) => string;
}

/** What `machine.provide` takes: other actions and guards under the names of the chart. */
type Replacements = Parameters<RoleDefinition["machine"]["provide"]>[0];

/** Returns the registry with other actions or guards in the machine of one role. */
export function replaceIn(real: Roles, role: RoleName, replacements: Replacements): Roles {
  const definition = real[role];
  const machine = definition.machine.provide(replacements);
  return { ...real, [role]: { ...definition, machine } };
}

/** A guard of a chart, for one that breaks it in some cases only. */
export type Guard = (args: {
  readonly context: never;
  readonly event: { type: string };
}) => boolean;

/** Returns the real guard of a name. */
export function realGuard(real: Roles, role: RoleName, name: string): Guard {
  const guard = real[role].machine.implementations.guards[name];
  if (typeof guard !== "function") throw new Error(`${role} has no guard ${name}`);
  return guard as unknown as Guard;
}
