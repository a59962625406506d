/**
 * The cluster as its descriptor tells it: who may act, under which store, with which quorums.
 */
import { digest } from "./digest.js";
import type { Limits } from "./limits.js";
import {
  isPhase1Quorum,
  isPhase2Quorum,
  type QuorumStanding,
  type QuorumSystem,
  quorumStanding,
} from "./quorum.js";

/** Who learns of a vote: the leader, every learner, or these distinguished ones (PMS §2.3). */
export type LearnMode =
  | { readonly kind: "leader" }
  | { readonly kind: "all" }
  | { readonly kind: "some"; readonly learners: readonly string[] };

/** An acceptor and the only store that may answer under its name. */
export interface Member {
  /** `[a-z0-9_-]{1,32}` */
  readonly id: string;
  /** 32 hexadecimal digits, drawn when the descriptor was written. */
  readonly storeId: string;
}

/** Which cluster it is, under every configuration: it never changes. Another one is foreign. */
export interface Identity {
  /** `[a-z0-9_-]{1,32}`: the second token of every subject. */
  readonly name: string;
  /** 32 hexadecimal digits: tells apart two clusters of one name. */
  readonly clusterId: string;
}

/** What safety rests on: who votes, under which stores and quorums, and how far ahead. */
export interface Configuration {
  /** Integer ≥ 1, grows with every change of the configuration. */
  readonly epoch: number;
  readonly acceptors: readonly Member[];
  readonly proposers: readonly Member[];
  readonly quorums: QuorumSystem;
  readonly limits: Pick<Limits, "windowMax">;
}

/** A parsed and checked descriptor; never mutated. */
export interface Cluster extends Identity, Configuration {
  readonly learn: LearnMode;
  readonly limits: Limits;
}

/**
 * Returns the configuration that a slot is chosen under: rules ask for it wherever they count
 * promises or votes.
 *
 * Why: today one configuration holds for every slot; a cluster that changes its members will have
 * another one from some slot on, and no rule may count votes of one slot by the quorums of another.
 */
export function configAt(cluster: Cluster, _slot: number): Configuration {
  return cluster;
}

/** Returns the configuration that single-decree keys are chosen under: they have no slot. */
export function configOfKeys(cluster: Cluster): Configuration {
  return cluster;
}

/** Says whether these acceptors form a phase-1 quorum of the configuration. */
export function formsPhase1Quorum(config: Configuration, present: ReadonlySet<string>): boolean {
  return isPhase1Quorum(config.quorums, acceptorIds(config), present);
}

/** Says whether these acceptors form a phase-2 quorum of the configuration. */
export function formsPhase2Quorum(config: Configuration, present: ReadonlySet<string>): boolean {
  return isPhase2Quorum(config.quorums, acceptorIds(config), present);
}

/** Says how far a quorum of the configuration has come. */
export function standingIn(
  config: Configuration,
  phase: 1 | 2,
  present: ReadonlySet<string>,
): QuorumStanding {
  return quorumStanding(config.quorums, acceptorIds(config), phase, present);
}

/** Returns the ids of the acceptors, in the order of the descriptor. */
export function acceptorIds({ acceptors }: Configuration): readonly string[] {
  return acceptors.map((acceptor) => acceptor.id);
}

/** Returns the store id that may speak as this acceptor or proposer, or undefined if none may. */
export function storeIdOf(cluster: Configuration, role: string, id: string): string | undefined {
  const members =
    role === "acceptor" ? cluster.acceptors : role === "proposer" ? cluster.proposers : [];
  return members.find((member) => member.id === id)?.storeId;
}

/**
 * Names a configuration by its content: epoch, members with their stores, quorums and the window.
 * A store keeps it of the configuration that it last served under.
 *
 * @returns 32 hexadecimal digits
 */
export function configurationHash(configuration: Configuration): string {
  const part = JSON.stringify([
    configuration.epoch,
    configuration.acceptors.map((member) => [member.id, member.storeId]),
    configuration.proposers.map((member) => [member.id, member.storeId]),
    quorumTerms(configuration.quorums),
    configuration.limits.windowMax,
  ]);
  return digest(new TextEncoder().encode(part));
}

/** How a message names the configuration that its sender serves under. */
export interface ConfigurationName {
  readonly epoch: number;
  /** The first 16 hexadecimal digits of {@link configurationHash}. */
  readonly hash: string;
}

/** Names a configuration as messages do. */
export function configurationName(configuration: Configuration): ConfigurationName {
  const hash = configurationHash(configuration).slice(0, 16);
  return { epoch: configuration.epoch, hash };
}

/**
 * Says whether a message that was written under a configuration may be judged by a process that
 * serves one. Today both must be the same: promises and votes of two configurations never mix.
 *
 * Why the hash too: two descriptors of one epoch may differ by mistake.
 */
export function mayJudge(serves: ConfigurationName, writtenUnder: ConfigurationName): boolean {
  return serves.epoch === writtenUnder.epoch && serves.hash === writtenUnder.hash;
}

function quorumTerms(system: QuorumSystem): unknown[] {
  if (system.kind === "flexible") return [system.kind, system.phase1, system.phase2];
  return system.kind === "grid" ? [system.kind, system.rows] : [system.kind];
}
