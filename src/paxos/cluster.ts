/**
 * The cluster as its descriptor tells it: who may act, under which store, with which quorums.
 */
import { digest } from "./digest.js";
import type { Limits } from "./limits.js";
import type { QuorumSystem } from "./quorum.js";

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

/** A parsed and checked descriptor; never mutated. */
export interface Cluster {
  /** `[a-z0-9_-]{1,32}`: the second token of every subject. */
  readonly name: string;
  /** 32 hexadecimal digits: tells apart two clusters of one name. */
  readonly clusterId: string;
  /** Integer ≥ 1, grows with every change of the safety part. */
  readonly epoch: number;
  readonly acceptors: readonly Member[];
  readonly proposers: readonly Member[];
  readonly quorums: QuorumSystem;
  readonly learn: LearnMode;
  readonly limits: Limits;
}

/** Returns the ids of the acceptors, in the order of the descriptor. */
export function acceptorIds(cluster: Cluster): readonly string[] {
  return cluster.acceptors.map((acceptor) => acceptor.id);
}

/** Returns the store id that may speak as this acceptor or proposer, or undefined if none may. */
export function storeIdOf(cluster: Cluster, role: string, id: string): string | undefined {
  const members =
    role === "acceptor" ? cluster.acceptors : role === "proposer" ? cluster.proposers : [];
  return members.find((member) => member.id === id)?.storeId;
}

/**
 * Names the part of a descriptor that safety rests on: name, members with their stores, quorums
 * and the window. Stores and messages carry it; another hash is another cluster.
 *
 * @returns 32 hexadecimal digits
 */
export function safetyHash(cluster: Cluster): string {
  const part = JSON.stringify([
    cluster.name,
    cluster.clusterId,
    cluster.epoch,
    cluster.acceptors.map((member) => [member.id, member.storeId]),
    cluster.proposers.map((member) => [member.id, member.storeId]),
    quorumTerms(cluster.quorums),
    cluster.limits.windowMax,
  ]);
  return digest(new TextEncoder().encode(part));
}

function quorumTerms(system: QuorumSystem): unknown[] {
  if (system.kind === "flexible") return [system.kind, system.phase1, system.phase2];
  return system.kind === "grid" ? [system.kind, system.rows] : [system.kind];
}
