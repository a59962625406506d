/**
 * Roles: a statechart with what its host must know to run it.
 */
import type { AnyMachineSnapshot, AnyStateMachine } from "xstate";
import type { Cluster } from "../paxos/cluster.js";
import type { Limits } from "../paxos/limits.js";
import type { Distance } from "../paxos/progress.js";
import type { ChosenEntry, Message, RoleName, Sender } from "../paxos/wire/messages.js";
import type { StoreRecord } from "../paxos/wire/record.js";
import type { Space } from "./bus/subject.js";
import type { Address, Effect, FeedEntry, Refusal } from "./effect.js";
import type { Clock, Incoming, Transport } from "./ports.js";
import type { Plain } from "./show.js";
import type { Store } from "./store/store.js";

/** A machine's state and context, as a step leaves it. */
export type RoleSnapshot = AnyMachineSnapshot;

/** Names the active states as one dotted word: `leading.open`; of parallel ones, joined by `+`. */
export function stateName(snapshot: RoleSnapshot): string {
  return nameOfState(snapshot.value);
}

function nameOfState(value: unknown): string {
  if (typeof value === "string") return value;
  return Object.entries(value as Record<string, unknown>)
    .map(([name, inner]) => `${name}.${nameOfState(inner)}`)
    .join("+");
}

/** A role that runs in the same process. */
export interface Neighbour {
  readonly role: RoleName;
  readonly id: string;
}

/** What a role instance starts from. */
export interface RoleInput {
  readonly id: string;
  readonly cluster: Cluster;
  /** 16 hexadecimal digits drawn at this start; part of every ballot of this process. */
  readonly nonce: string;
  /** Seeds the role's own jitter; integer 0 … 2^32 − 1. */
  readonly seed: number;
  /** Monotonic time of the start. */
  readonly nowMs: number;
  /** What its store held, corrupt records excluded: those stop the start. */
  readonly records: readonly StoreRecord[];
  readonly incarnation: number;
  /**
   * How often this process read the role's memory from its store before: one more after each full
   * disk. ⟨incarnation, life⟩ names a memory; what a memory counts from 0 is no name without it.
   */
  readonly life: number;
  readonly storeId: string | null;
  readonly openings: readonly { readonly incarnation: number; readonly writeNumber: number }[];
  /** Set when the disk was full at the last commit: the role begins by refusing. */
  readonly diskFull: string | null;
  /** The instance: a single-decree key; "" for roles with one instance. */
  readonly instance: string;
  /** Who else runs in this process now; `neighbours` says when that changes. */
  readonly neighbours: readonly Neighbour[];
}

/** A message as a machine sees it. */
export interface Received<M extends Message = Message> {
  readonly from: Sender;
  readonly message: M;
}

/**
 * A drained batch: messages of one verb that may be judged together (the same ballot), in order of
 * arrival. Never empty; most verbs always come alone.
 */
export interface Inbound<M extends Message = Message> {
  readonly type: M["type"];
  readonly received: readonly Received<M>[];
  readonly nowMs: number;
}

/** What the host itself tells a role. */
export type HostEvent =
  | { readonly type: "connection.up"; readonly nowMs: number }
  | { readonly type: "connection.down"; readonly nowMs: number }
  /** A living process speaks under this role's name and store. */
  | { readonly type: "twin.heard"; readonly nowMs: number }
  | { readonly type: "disk.room"; readonly nowMs: number }
  | { readonly type: "disk.failed"; readonly reason: string; readonly nowMs: number }
  | { readonly type: "stop"; readonly nowMs: number }
  | {
      readonly type: "neighbours";
      readonly neighbours: readonly Neighbour[];
      readonly nowMs: number;
    }
  /** The process does not keep up; again and again while it does not. */
  | { readonly type: "host.slow"; readonly nowMs: number };

/** Events that the host tells all its roles; most charts have no use for them. */
const ANNOUNCED: ReadonlySet<string> = new Set([
  "connection.up",
  "connection.down",
  "stop",
] satisfies HostEvent["type"][]);

/**
 * Says whether an event that no transition took is out of place, and so to be counted.
 *
 * Why not each: an answer that comes after its quorum, or a question to a role that starts, is part
 * of every day. Only what no state of the chart names should never come.
 */
export function isOutOfPlace({ machine }: RoleDefinition, type: string): boolean {
  return !ANNOUNCED.has(type) && !names(machine.root, type);
}

function names({ transitions, states }: AnyStateMachine["root"], type: string): boolean {
  return transitions.has(type) || Object.values(states).some((inner) => names(inner, type));
}

/** Distributes {@link Inbound} over a union of messages. */
export type InboundOf<M extends Message> = M extends Message ? Inbound<M> : never;

/**
 * Reads the largest message that the server takes at the moment of a step, in bytes. The kernel
 * adds it to every event; a start and a test that say none have no limit.
 */
export function payloadBytesMaxOf(event: { readonly type: string }): number {
  const { payloadBytesMax } = event as { readonly payloadBytesMax?: number };
  return payloadBytesMax ?? Number.POSITIVE_INFINITY;
}

/** An event of any role's machine. */
export type RoleEvent =
  | InboundOf<Message>
  | HostEvent
  | { readonly type: string; readonly nowMs?: number };

/** What a role waits for, for `why`. */
export interface Wait {
  /** What, in a few words: "promises for ballot 7.p1". */
  readonly for: string;
  /** Ids it still waits for. */
  readonly from: readonly string[];
  readonly have: number;
  readonly need: number;
  readonly sinceMs: number;
  readonly reason: string;
}

/** Something bounded that a role fills; what happens at the limit is in `src/worker/bounds.ts`. */
export interface Bound {
  /** The limit of the descriptor, or `diskBytes`; one with `Bytes` in its name is in bytes. */
  readonly name: string;
  readonly used: number;
  readonly limit: number;
}

/** What `status` shows of a role beside its state; absent fields do not apply. */
export interface RoleStatus {
  readonly promised?: string | null;
  readonly ballot?: string | null;
  readonly leader?: string | null;
  /**
   * Every slot below is chosen, as far as the role knows. Absent where it does not know how far the
   * log is: an acceptor whose votes fill no window yet, a proposer that does not lead, a learner
   * that has received nothing from a leader yet.
   */
  readonly chosenWatermark?: number;
  readonly appliedWatermark?: number;
  /** Present while slots that are, or may be, chosen are missing. */
  readonly catchingUp?: Distance;
  readonly firstRetained?: number;
  /** Decided single-decree keys that it knows. */
  readonly keys?: number;
  /** Requests in the log for each that took effect: 1 if none was sent again needlessly. */
  readonly copiesPerValue?: number;
  readonly stateHash?: string;
  readonly elections?: number;
  readonly nacks?: number;
  /** Bounds that end a service for good when they are reached. */
  readonly bounds?: readonly Bound[];
}

/** A public subject of a role, such as `propose`: its requests come as events with a `token`. */
export interface Door {
  /** Tokens after the cluster's name. */
  readonly subject: string;
  /** Set: only one instance of this queue group takes each request. */
  readonly queue: string | undefined;
  /** Set: the body is plain data in JSON or MessagePack, and is answered alike. */
  readonly isStructured: boolean;
  /**
   * Reads a request; never throws. `body`: the data of a structured one, undefined if unreadable.
   */
  readonly toEvent: (
    incoming: Incoming,
    limits: Limits,
    body: unknown,
  ) => { readonly event: { readonly type: string } } | { readonly refused: Refusal };
}

/** How an observer reads what a learner holds. */
export interface Learned {
  /** Chosen values of the log that it took last, in order of slot; some may be of earlier steps. */
  readonly entries: (snapshot: RoleSnapshot) => readonly ChosenEntry[];
  /** The digest of what a single-decree key holds; null as long as it is not known. */
  readonly key: (snapshot: RoleSnapshot, key: string) => string | null;
  /** What an effect publishes on the feed; null for another effect. */
  readonly published: (effect: Effect) => readonly FeedEntry[] | null;
}

/** How a role runs several machines in one process, each under a key of its messages. */
export interface Instances {
  /** The key that a message is for; undefined for a message without one, which is dropped. */
  readonly keyOf: (message: Message) => string | undefined;
  /** Says whether a message begins a machine under a new key; others are dropped there. */
  readonly begins: (message: Message) => boolean;
  /** Machines that may run at once; beyond that, what would begin one is refused as overloaded. */
  readonly countMax: (limits: Limits) => number;
}

/** What the services of a role may use: the role they serve, and the ports of its process. */
export interface ServiceTools {
  readonly id: string;
  readonly cluster: Cluster;
  readonly space: Space;
  readonly transport: Transport;
  readonly clock: Clock;
  /** The role's own store; null for a role without one. */
  readonly store: Store | null;
  /** Sends a message as the role. */
  readonly send: (to: Address, message: Message) => void;
  /**
   * Returns what takes the answers to the request of now, as events of the role. An answer that
   * comes after the role's memory was read from disk again is dropped and counted.
   */
  readonly answers: () => (event: { readonly type: string }) => void;
  /** Says whether a role runs in this process. */
  readonly isHere: (role: RoleName, id: string) => boolean;
  readonly count: (reason: string, by?: number) => void;
  /** Notes that a message of so many bytes is over the server's limit; `what` says what it is. */
  readonly noteOverLimit: (what: string, bytes: number) => void;
}

/** Services of one running role: what it alone needs, beside the effects that every role has. */
export interface Services {
  /** Each carries out the effects of kind `service` with its name. */
  readonly byName: Readonly<Record<string, (request: never) => void>>;
  /** Called when the role stops. */
  readonly close?: () => void;
}

/** A role as the registry lists it: all that the kernel needs to know of it. */
export interface RoleDefinition {
  readonly name: RoleName;
  readonly machine: AnyStateMachine;
  /** Has a formatted store that must be open before it starts. */
  readonly stateful: boolean;
  /** Absent: one machine. */
  readonly instances?: Instances;
  /** Public subjects; their requests come as events. */
  readonly doors?: readonly Door[];
  /**
   * Refuses a message before it is delivered, for the limits of this moment.
   *
   * @param limits the cluster's, cut to what the server takes now
   */
  readonly refuses?: (message: Message, limits: Limits, payloadBytesMax: number) => Refusal | null;
  readonly services?: (tools: ServiceTools) => Services;
  /** Set: the process answers pings for this role as long as it runs. */
  readonly answersPings?: boolean;
  /** Set: it watches for a second living process under its name, which endangers what is chosen. */
  readonly watchesForDuplicate?: boolean;
  /** Set: its process belongs to the cluster, and remembers what it receives of each store. */
  readonly remembersStores?: boolean;
  /** Set: it receives `host.slow`. */
  readonly heedsSlowness?: boolean;
  /** Set: it receives `neighbours`. */
  readonly heedsNeighbours?: boolean;
  /** Present for a role that learns what is chosen. */
  readonly learned?: Learned;
  /**
   * Says whether somebody waits for work of this machine that no other process would finish: a
   * graceful stop lets it work on, within a bound. Absent: never, others finish what it leaves.
   */
  readonly busy?: (snapshot: RoleSnapshot) => boolean;
  readonly status: (snapshot: RoleSnapshot) => RoleStatus;
  /**
   * What a viewer shows of the context: at most some KiB, however much it holds (`show.ts`). It
   * changes nothing.
   */
  readonly show: (snapshot: RoleSnapshot) => Plain;
  readonly waits: (snapshot: RoleSnapshot, nowMs: number) => readonly Wait[];
}
