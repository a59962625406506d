/**
 * Negative controls: things that are broken on purpose, to see that a search finds what they do.
 *
 * A broken thing replaces roles (by `machine.provide`), the cluster's description, a port, or a
 * rule of the host. Nothing but the simulator and the explorer takes one: no worker can reach them.
 */
import type { Effect } from "../../kernel/effect.js";
import type { RoleDefinition } from "../../kernel/role.js";
import type { Cluster } from "../../paxos/cluster.js";
import type { RoleName } from "../../paxos/wire/messages.js";
import type { Plan } from "../plan/plan.js";
import type { Run } from "../run/run.js";
import type { Parts } from "../world/world.js";

/** Every role by its name, as `actors/index.ts` lists them. */
export type Roles = Readonly<Record<RoleName, RoleDefinition>>;

/** Something broken. */
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
   * Says whether an effect leaves before the writes it should wait for, in place of the outbox's
   * rule. `writes`: its own step wants records kept.
   */
  readonly overtakes?: (effect: Effect, writes: boolean) => boolean;
  /** The 16 hexadecimal digits that a start of a role draws; `start` counts from 1. */
  readonly nonce?: (role: RoleName, id: string, start: number) => string;
  /** Broken ports and rules of the store; the explorer knows none of these. */
  readonly ports?: Pick<Parts, "wrapDisk" | "openStore" | "wrapCodec" | "createOutbox">;
  /** How the simulator looks for it. */
  readonly hunt: Hunt;
}

/** Where a broken thing is looked for by seeds, and what must come of it. */
export interface Hunt {
  /** Narrows the plan of a seed to where the fault can show; the real thing must survive it. */
  readonly plan: (drawn: Plan) => Plan;
  /** Trouble that no plan knows, made for the real thing and the broken one alike. */
  readonly onReady?: (run: Run) => void;
  /** The seed of the first run; 1 if left out. Rare finds name one near them, to spare runs. */
  readonly firstSeed?: number;
  /** It is found within so many seeds from the first one on. */
  readonly seedsMax: number;
  /** The invariants that it breaks; which one is seen first depends on the seed. */
  readonly catches: readonly string[];
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

/** What an `assign` of a chart computes: the new parts of the context. */
export type Assignment<C, E> = (args: { readonly context: C; readonly event: E }) => Partial<C>;

/** Returns what the real `assign` of a name computes, for one that breaks a part of it. */
export function realAssign<C, E>(real: Roles, role: RoleName, name: string): Assignment<C, E> {
  const action: unknown = real[role].machine.implementations.actions[name];
  const { assignment } = action as { readonly assignment?: unknown };
  if (typeof assignment !== "function") throw new Error(`${role} assigns nothing in ${name}`);
  return assignment as Assignment<C, E>;
}
