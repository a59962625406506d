/**
 * Effects: what a step asks of its host, as data.
 *
 * Order: the host commits every `persist` of a drain in one synced transaction, and only then
 * releases the messages of that drain, in the order in which the steps asked for them.
 */

import type { Ballot } from "../paxos/ballot.js";
import type { BodyType } from "../paxos/command.js";
import type { Receipt } from "../paxos/receipt.js";
import type { Message, RoleName } from "../paxos/wire/messages.js";
import type { StoreRecord } from "../paxos/wire/record.js";

/** One role instance. */
export interface Address {
  readonly role: RoleName;
  readonly id: string;
}

/** A chosen value for the public feed. */
export interface FeedEntry extends Receipt {
  readonly type: BodyType;
  readonly body: Uint8Array;
}

/** The answer to a request that came through a door (a public subject). */
export type DoorAnswer =
  | {
      readonly kind: "decided";
      readonly ballot: Ballot;
      readonly type: BodyType;
      readonly value: Uint8Array;
      readonly syncedBy: readonly string[];
    }
  | { readonly kind: "undecided" }
  | ({ readonly kind: "receipt" } & Receipt)
  | {
      readonly kind: "history";
      /** Entries in order of position, as many as fit. */
      readonly entries: readonly FeedEntry[];
      /** The position after which the asker should ask next; the tail if it is there. */
      readonly last: number;
      /** The highest position this learner has applied; if `entries` is empty, the log's end. */
      readonly tail: number;
    }
  | {
      readonly kind: "refused";
      readonly code: string;
      readonly message: string;
      readonly mayHaveHappened: boolean;
      readonly retryAfterMs?: number | undefined;
      readonly firstPosition?: number | undefined;
    };

/** A {@link DoorAnswer} that refuses. */
export type Refusal = Extract<DoorAnswer, { readonly kind: "refused" }>;

/** What became of a request that this process submitted through its own session. */
export type Settlement =
  | ({ readonly kind: "done"; readonly token: number } & Receipt)
  | {
      readonly kind: "failed";
      readonly token: number;
      readonly code: "overloaded" | "session_expired" | "too_large" | "stopped";
      readonly mayHaveHappened: boolean;
      /** Of `too_large`: the bytes that a value may have where it was refused. */
      readonly bytesMax?: number | undefined;
    }
  /** Answers a `withdraw`. True: it was sent, and goes on until it is settled. */
  | { readonly kind: "withdrawn"; readonly token: number; readonly mayHaveHappened: boolean };

/** Everything a step may ask for. */
export type Effect =
  /** Keep these records; no message of this step or a later one leaves before they are synced. */
  | { readonly kind: "persist"; readonly records: readonly StoreRecord[] }
  /** One recipient. */
  | { readonly kind: "send"; readonly to: Address; readonly message: Message }
  /** Every instance of a role, and whoever listens to what that role is told. */
  | { readonly kind: "broadcast"; readonly role: RoleName; readonly message: Message }
  /** Answer a waiting request. */
  | { readonly kind: "reply"; readonly token: string; readonly answer: DoorAnswer }
  /** Ask a service that the role's definition brings; what it may ask for stands there. */
  | { readonly kind: "service"; readonly name: string; readonly request: unknown }
  /** Something was refused for the server's limit on a message: look whether it was raised. */
  | { readonly kind: "checkPayload" }
  /** Look whether the disk has room again; comes back as event `disk.room` if it has. */
  | { readonly kind: "checkDisk" }
  | {
      readonly kind: "setTimer";
      readonly id: string;
      readonly delayMs: number;
      readonly event: { readonly type: string };
    }
  | { readonly kind: "cancelTimer"; readonly id: string }
  /** Count something refused or odd, under this name in `status`. */
  | { readonly kind: "count"; readonly reason: string; readonly by?: number | undefined }
  /** This instance is finished and may be dropped (single-decree instances). */
  | { readonly kind: "finish" }
  /** Stop this role for good; `why` says what to do. */
  | { readonly kind: "halt"; readonly why: string };

/** Sends to one instance of a role. */
export const send = (role: RoleName, id: string, message: Message): Effect => ({
  kind: "send",
  to: { role, id },
  message,
});

/** Sends to every instance of a role. */
export const broadcast = (role: RoleName, message: Message): Effect => ({
  kind: "broadcast",
  role,
  message,
});

/** Counts under a reason. */
export const count = (reason: string, by = 1): Effect => ({ kind: "count", reason, by });

/** No effect at all. */
export const NOTHING: readonly Effect[] = [];

/**
 * Marks a pure function from context and event to effects as an action, so that a wrong return
 * value does not compile.
 *
 * Why a cast: XState types actions as returning nothing and ignores what they return. The step
 * collects it; a visualizer that runs the same machine is unharmed.
 */
export function effects<A>(action: (args: A) => readonly Effect[]): (args: A) => void {
  return action as (args: A) => void;
}
