/**
 * The plan of a run: all that will be done to it, drawn from the seed before it begins. Plain data,
 * so that a plan can be printed, kept, cut down and run again.
 *
 * What depends on the run itself (which message is lost) is drawn while it runs, from a stream of
 * the same seed: the same plan always gives the same run.
 */
import type { Setup } from "./setup.js";

/** How messages fare; probabilities, 0 … 1. */
export interface Weather {
  readonly loss: number;
  readonly repeat: number;
  /** Some milliseconds late, so that others overtake it. */
  readonly reorder: number;
  /** Seconds late: its sender may be dead by then. */
  readonly late: number;
  /** One bit of a copy of a message between roles is flipped; 0 if left out. */
  readonly flip?: number;
}

/** What became of writes that were not synced when the power went. */
export type CrashFate = "lost" | "kept" | "torn";

/** One thing that goes wrong. Milliseconds throughout; a `downMs` ends with a restart. */
export type Fault =
  /** `atWrite`: it waits for a moment in which a write is not synced. */
  | {
      readonly kind: "crash";
      readonly process: string;
      readonly fate: CrashFate;
      readonly atWrite: boolean;
      readonly downMs: number;
    }
  /** It dies when it has sent so many more messages: the rest of a burst is lost. */
  | {
      readonly kind: "crashSpeaking";
      readonly process: string;
      readonly messages: number;
      readonly downMs: number;
    }
  /** Half of what the leader says is lost for a while, and then it dies. */
  | { readonly kind: "behead"; readonly forMs: number; readonly downMs: number }
  | { readonly kind: "crashAll"; readonly fate: CrashFate; readonly downMs: number }
  | { readonly kind: "stall"; readonly process: string; readonly forMs: number }
  /** The leader's process stands for `lagMs` again and again. */
  | { readonly kind: "slow"; readonly lagMs: number; readonly forMs: number }
  | { readonly kind: "jump"; readonly process: string; readonly aheadMs: number }
  | { readonly kind: "cut"; readonly process: string; readonly forMs: number }
  | { readonly kind: "broker"; readonly forMs: number }
  /** The server takes other messages than before; nobody is told. */
  | { readonly kind: "payload"; readonly bytesMax: number; readonly forMs: number }
  | {
      readonly kind: "partition";
      readonly shape: "symmetric" | "one-way" | "partial" | "bridge";
      /** Each message from the first to the second is lost. */
      readonly blocked: readonly (readonly [string, string])[];
      readonly forMs: number;
    }
  | { readonly kind: "weather"; readonly weather: Weather; readonly forMs: number }
  | {
      readonly kind: "slowDisk";
      readonly store: string;
      readonly syncMs: number;
      readonly forMs: number;
    }
  | { readonly kind: "fullDisk"; readonly store: string; readonly forMs: number }
  | {
      readonly kind: "failSync";
      readonly store: string;
      readonly isWritten: boolean;
      readonly downMs: number;
    }
  /** A bit of one record turns over; which one is drawn by `pick`. */
  | {
      readonly kind: "rot";
      readonly acceptor: string;
      readonly pick: number;
      readonly downMs: number;
    }
  | { readonly kind: "twin"; readonly process: string; readonly forMs: number }
  | { readonly kind: "copy"; readonly process: string }
  /** The store of an acceptor is put back to what it was `backMs` ago; later the right one. */
  | { readonly kind: "olderCopy"; readonly acceptor: string; readonly backMs: number }
  /** Somebody signs as an elector and names candidates at random. */
  | { readonly kind: "lie"; readonly everyMs: number; readonly forMs: number }
  /** A share of the messages arrives with a wrong watermark or round. */
  | { readonly kind: "wrongNumbers"; readonly share: number; readonly forMs: number }
  /** A client with a session is gone, with what it awaits; the next one of its name is another. */
  | { readonly kind: "clientCrash"; readonly client: string }
  /** Strangers open so many sessions. */
  | { readonly kind: "crowd"; readonly sessions: number }
  /** The roles of one process go to another. */
  | { readonly kind: "move"; readonly process: string; readonly to: string }
  /** One more process with elastic roles. */
  | {
      readonly kind: "add";
      readonly name: string;
      readonly role: "learner" | "gateway" | "synod-proposer";
    };

/** A fault and when it strikes, in milliseconds of the world. */
export interface TimedFault {
  readonly atMs: number;
  readonly fault: Fault;
}

/** A request of a client. Values are unique in the plan. */
export type Request =
  /** Through a session, pipelined. */
  | { readonly kind: "submit"; readonly value: string }
  /** Through the door, with or without an idempotency id. */
  | { readonly kind: "propose"; readonly value: string; readonly hasId: boolean }
  | { readonly kind: "decide"; readonly key: string; readonly value: string | null };

/** A request, who makes it and when. */
export interface TimedRequest {
  readonly atMs: number;
  readonly client: string;
  readonly request: Request;
}

/** How the run ends, before it is asked whether it is alive. */
export type Ending =
  /** Everything works again. */
  | "healed"
  /** As many of each role as may die are dead for ever. */
  | "minority dead"
  /** One proposer alone can reach a quorum of acceptors, the others cannot. */
  | "one proposer connected";

/** All that is done to a run. */
export interface Plan {
  readonly seed: number;
  readonly setup: Setup;
  /** The weather between faults. */
  readonly weather: Weather;
  /** Most that a message takes in calm weather. */
  readonly latencyMs: number;
  /** Most that a sync takes on a good disk. */
  readonly syncMs: number;
  readonly faults: readonly TimedFault[];
  readonly requests: readonly TimedRequest[];
  /** When faults end. */
  readonly calmMs: number;
  readonly ending: Ending;
  /** Clients close their sessions when all is answered, and open another for the next request. */
  readonly closesSessions?: boolean;
  /** How long the run goes on when all is answered, to see that it comes to rest; 0 if left out. */
  readonly restMs?: number;
}

/** Weather without wind. */
export const CALM: Weather = { loss: 0, repeat: 0, reorder: 0, late: 0 };
