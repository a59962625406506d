/**
 * Histories: what clients did and were told, as lines of the format hist/1, for outside judges.
 *
 *     {"hist":"hist/1","model":"kv","init":{},"base":1,"lease":false}
 *     {"e":"call","id":1,"client":"c1","t":10,"op":"put","key":"x","value":"v1"}
 *     {"e":"ok","id":1,"t":25,"out":{"rev":41}}       it happened, this was the answer
 *     {"e":"fail","id":2,"t":30,"err":"overloaded"}   it did not happen and will not
 *     {"e":"info","id":3,"t":40,"err":"outcome_unknown"}   unknown: it may happen yet
 *
 * A call without an end is `info`. A timeout or a lost connection is `info`, never `fail`. One file
 * has one model and one writer; every written value is unique in it.
 */

/** What a history is about. */
export const HISTORY_MODELS = ["kv", "log", "lock", "decide", "propose"] as const;
/** One of {@link HISTORY_MODELS}. */
export type HistoryModel = (typeof HISTORY_MODELS)[number];

/** The first line. */
export interface HistoryHeader {
  readonly hist: "hist/1";
  readonly model: HistoryModel;
  /** Start values of keys; kv and decide only. */
  readonly init: Readonly<Record<string, string>>;
  /** The index of the first log entry. */
  readonly base: number;
  /** Whether locks have a time to live, and may so be lost. */
  readonly lease: boolean;
}

/** What each model can be asked. */
export interface HistoryOperations {
  readonly kv:
    | { readonly op: "get"; readonly key: string }
    | {
        readonly op: "put";
        readonly key: string;
        readonly value: string;
        /** The revision that the key must have; 0: it must be absent. */
        readonly ifrev?: number;
      }
    | { readonly op: "append"; readonly key: string; readonly value: string }
    | {
        readonly op: "cas";
        readonly key: string;
        /** null: it must be absent. */
        readonly expect: string | null;
        readonly value: string;
      }
    | { readonly op: "delete"; readonly key: string; readonly ifrev?: number };
  readonly log:
    | { readonly op: "append"; readonly key: string; readonly value: string }
    | { readonly op: "read"; readonly key: string; readonly index: number }
    | { readonly op: "len" | "list"; readonly key: string };
  readonly lock:
    | { readonly op: "acquire"; readonly key: string; readonly owner: string }
    | {
        readonly op: "release";
        readonly key: string;
        readonly owner: string;
        readonly token?: number;
      };
  readonly decide:
    | { readonly op: "decide"; readonly key: string; readonly value: string }
    | { readonly op: "get"; readonly key: string };
  readonly propose: { readonly op: "propose"; readonly value: string };
}

/** What an answer may hold. */
export type HistoryOut =
  | null
  | boolean
  | number
  | string
  | readonly string[]
  | Readonly<Record<string, string | number | boolean>>;
