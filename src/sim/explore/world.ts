/**
 * A small world: which machines run, what may happen to them, and where it ends.
 *
 * Bounds cut behaviour off and add none: what is found in a world can happen, what is not found may
 * need a larger one.
 */
import type { Address } from "../../kernel/effect.js";
import type { RoleSnapshot } from "../../kernel/role.js";
import type { Cluster } from "../../paxos/cluster.js";
import type { Message, RoleName, Verb } from "../../paxos/wire/messages.js";
import type { SightName } from "./sights.js";

/** A role instance that is not one of the interchangeable acceptors. */
export interface Single {
  readonly role: RoleName;
  /** `[a-z0-9]+` */
  readonly id: string;
  /** What it gets to do: the value of a key, or the stem of the commands of a log. */
  readonly wish: string;
}

/** What the world outside may bring at any time. */
export interface Offer {
  /** What it is, for a story: "is named by the elector". */
  readonly label: string;
  /** One after the other, with nothing between. */
  readonly events: readonly { readonly type: string }[];
}

/** A message of a proposer that is gone when the world begins. It stays under way. */
export interface GoneLetter {
  readonly from: Address;
  /** Every instance of this role. */
  readonly to: RoleName;
  readonly message: Message;
  /** So many acceptors received it before the world begins, each what it received in this order. */
  readonly receivers: number;
}

/** A configuration to be explored. */
export interface World {
  readonly name: string;
  /** One sentence for a person who picks one. */
  readonly what: string;
  readonly cluster: Cluster;
  /** The single-decree key; null for the log. */
  readonly key: string | null;
  /** Proposers and learners, at most 8. */
  readonly singles: readonly Single[];
  /** Crashes in all, each of them at any point. */
  readonly crashesMax: number;
  /** Which roles crash; the others never do. */
  readonly crashes: readonly RoleName[];
  /** Full disks of acceptors in all, each of them at any point. */
  readonly fullsMax: number;
  /**
   * Answers that an acceptor gives to prepares between one reading of its memory and the next;
   * null: they are not counted, because each promise fits one part.
   */
  readonly answersMax: number | null;
  /** What was sent before the world begins. */
  readonly gone: readonly GoneLetter[];
  /** Writes that one actor has under way, not yet synced; more work waits. */
  readonly writesMax: number;
  /** Messages of these verbs are always lost. */
  readonly lost: readonly Verb[];
  /** What the server takes in one message, by the life of the memory that sends it. */
  readonly payloadBytesMax?: (life: number) => number;
  /** What else may arrive of a message: the same with a wrong watermark. Absent: nothing. */
  readonly falsify?: (message: Message) => Message | null;
  /** What happens to a starting single before anything else. */
  readonly begin: (single: Single, start: number) => readonly { readonly type: string }[];
  /** What the world outside may bring now. */
  readonly offers: (single: Single, snapshot: RoleSnapshot) => readonly Offer[];
  /** Which timers fire, at any time; the others never do. By the end of their ids. */
  readonly fires: readonly string[];
  /** Says whether a snapshot lies beyond the bounds. */
  readonly isBeyond: (single: Single, snapshot: RoleSnapshot) => boolean;
  /** Digests of all values that anybody wishes for, with a name for stories. */
  readonly wishes: ReadonlyMap<string, string>;
  /** What must be seen, or the search proves nothing. */
  readonly mustSee: readonly SightName[];
  /** How many states the whole space has; null if it was never exhausted. */
  readonly states: number | null;
  /** Where a search stops that is not told otherwise; null: at the end. */
  readonly statesMax: number | null;
}
