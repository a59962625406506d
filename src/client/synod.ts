/** The library's public shape. */
import type { Proof } from "../paxos/proof/proof.js";
import type { Receipt } from "../paxos/receipt.js";
import type { After } from "./chosen.js";
import type { RoleWaits, Status } from "./control.js";
import type { Call } from "./ending.js";
import type { Unheard } from "./hearing.js";
import type { Value } from "./value.js";

/** Options of {@link Synod.propose}. */
export interface ProposeOptions extends Call {
  /**
   * An idempotency id of at most 255 bytes: proposed again under it, even by another process, the
   * value takes effect once, and the receipt is the first one's.
   */
  readonly id?: string | undefined;
}

/** Options of {@link Synod.chosen}. */
export interface ChosenOptions {
  /** The last position that is not wanted; "start"; "now" (the default): what comes from now on. */
  readonly after?: After | undefined;
  /** Ends the iteration, quietly. */
  readonly signal?: AbortSignal | undefined;
}

/** A chosen value. Keep its position, and give it as `after` to go on there. */
export interface ChosenEvent extends Receipt {
  readonly value: Value;
}

/** Why a value is chosen: the chain of the paper, as far as there is evidence of it. */
export interface ChosenProof extends Proof {
  readonly position: number;
  readonly value: Value;
}

/** A client of one cluster. What rejects, rejects with a `SynodError`. */
export interface Synod extends AsyncDisposable {
  /**
   * Gets a value into the log "default", once. Values of one client take effect in the order of the
   * calls.
   */
  propose(value: unknown, options?: ProposeOptions): Promise<Receipt>;
  /** Iterates over what is chosen: in order, without gaps, each once. Iterate it once. */
  chosen(options?: ChosenOptions): AsyncIterableIterator<ChosenEvent, undefined>;
  /** Decides a key: the first value wins, for ever. @returns the value that won */
  decide(key: string, value: unknown, call?: Call): Promise<Value>;
  /** Asks what a key holds. @returns null if nothing */
  decide(key: string, value?: undefined, call?: Call): Promise<Value | null>;
  /** Who runs, who leads, who lags. */
  status(call?: Call): Promise<Status>;
  /** Which roles some process does not hear, asked at this moment; empty: all hear all. */
  hearing(call?: Call): Promise<readonly Unheard[]>;
  /** What each role waits for, from whom, since when. */
  why(call?: Call): Promise<readonly RoleWaits[]>;
  /**
   * The chain of the paper for what stands at a position, from what the stores, learners and
   * leaders of the cluster hold now. @returns null if nothing is chosen there yet
   */
  prove(position: number, call?: Call): Promise<ChosenProof | null>;
  /** Ends what is under way with `stopped`, iterators quietly, and the connection if it is ours. */
  close(): Promise<void>;
}
