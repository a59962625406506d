/** A process of the world: what runs in it, and how a role of it ends. */
import type { MemoryFile } from "../../adapters/memory/disk.js";
import type { Host } from "../../kernel/host.js";
import type { RoleName } from "../../paxos/wire/messages.js";
import type { DriftingClock, Gate, GatedTransport } from "./gate.js";

/** A role and the id it runs under. */
export type Member = readonly [RoleName, string];

/** Why a role stopped. */
export interface Halt {
  readonly role: RoleName;
  readonly id: string;
  readonly why: string;
  readonly cause: "halt" | "threw";
}

/** One life of a node. */
export interface SimProcess {
  readonly name: string;
  /** Counts the starts of all processes of this world, from 1. */
  readonly life: number;
  readonly members: readonly Member[];
  readonly gate: Gate;
  readonly clock: DriftingClock;
  readonly transport: GatedTransport;
  /** Files that it has open, by `role id`. */
  readonly files: Map<string, MemoryFile>;
  /** Null while its stores are being opened. */
  host: Host | null;
}
