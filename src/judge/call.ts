/** One call of a history, with what came of it. */
import type { HistoryHeader, HistoryModel, HistoryOperations, HistoryOut } from "./format.js";

/** A call that happened, or may have. One that certainly did not is no call. */
export interface HistoryCall<M extends HistoryModel = HistoryModel> {
  readonly id: number;
  readonly client: string;
  readonly operation: HistoryOperations[M];
  /** The answer, shaped as the operation says; undefined if there was none, or nothing in it. */
  readonly out: HistoryOut | undefined;
  /** Whether nobody knows what came of it: it takes effect at any time after `from`, or never. */
  readonly isPending: boolean;
  /** When it began and ended, as places in the order of all events; `to` is Infinity if pending. */
  readonly from: number;
  readonly to: number;
  /** Where the file says so, and the clock then, in nanoseconds. */
  readonly fromLine: number;
  readonly fromNs: number;
  readonly toLine: number | null;
  readonly toNs: number | null;
}

/** A history as it was read. */
export interface ReadHistory {
  readonly header: HistoryHeader;
  /** In the order in which they began. */
  readonly calls: readonly HistoryCall[];
  /** Calls that certainly did not happen. */
  readonly failed: number;
  /** Whether the last line was cut off, which a writer that is killed or still writes may do. */
  readonly isTorn: boolean;
}

/** What changes nothing, so that it says nothing while it is pending. */
const READS: readonly string[] = ["get", "read", "len", "list"];

/** Says whether a call only looks. */
export function isRead({ operation }: HistoryCall): boolean {
  return READS.includes(operation.op);
}

/** The key that a call is about; models without keys have one history, "". */
export function keyOf({ operation }: HistoryCall): string {
  return "key" in operation ? operation.key : "";
}

/** The value that a call writes. */
export function writtenBy({ operation }: HistoryCall): string | undefined {
  return "value" in operation ? operation.value : undefined;
}

/** The revision that an answer tells, if it tells one. */
export function revisionOf({ out }: HistoryCall): number | undefined {
  const { rev } = (out ?? {}) as { readonly rev?: number };
  return rev;
}
