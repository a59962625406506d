/** Judges the calls of one key, and says what contradicts what where no order explains them. */
import { type HistoryCall, isRead } from "./call.js";
import type { Model } from "./model.js";
import { type Budget, findOrder } from "./search.js";
import type { Violation } from "./violation.js";

/** Makes a model for calls. */
export type ModelFor = (calls: readonly HistoryCall[]) => Model<unknown>;

const SHORTEN_STATES = 100_000;
/** States for one try with fewer calls. */
const TRY_STATES = 10_000;

/**
 * Judges.
 *
 * @param budget counted down by every state visited
 * @param shortenStates states for the shortest prefix, and again for few calls in it
 * @returns the violation, null if there is an order, or "budget" if that is not known
 */
export function judgeKey(
  key: string,
  calls: readonly HistoryCall[],
  modelFor: ModelFor,
  budget: Budget,
  shortenStates = SHORTEN_STATES,
): Violation | null | "budget" {
  const { kind, reached } = findOrder(calls, modelFor(calls), budget);
  if (kind !== "none") return kind === "order" ? null : "budget";
  const prefix = shortestPrefix(calls, modelFor, reached, { states: shortenStates });
  if (prefix === null) return stuck(key, calls, reached);
  const core = coreOf(prefix, modelFor, { states: shortenStates });
  const last = prefix.reduce((one, other) => (endOf(other) > endOf(one) ? other : one));
  const line = last.toLine ?? last.fromLine;
  const why = "no order of the calls explains the answers";
  const others = prefix.length - core.length;
  return { key, why, line, isShortest: true, isCore: true, calls: core, others };
}

/** A violation for which there was no time to make it short: what the search could not get past. */
function stuck(key: string, calls: readonly HistoryCall[], reached: number): Violation {
  const around = calls.filter((call) => !call.isPending && call.from <= reached);
  around.sort((one, other) => one.to - other.to);
  const at = around.filter(({ to }) => to >= reached);
  const line = at[0]?.toLine ?? 0;
  const why = "no order of the calls explains the answers, and none gets past this one";
  return { key, why, line, isShortest: false, isCore: false, calls: at, others: null };
}

const endOf = ({ isPending, to }: HistoryCall) => (isPending ? -1 : to);

/** A call as it was known before its end. */
function pending(call: HistoryCall): HistoryCall {
  if (call.isPending) return call;
  return { ...call, isPending: true, to: Number.POSITIVE_INFINITY, out: undefined };
}

/** What had been told up to an event. */
function prefixOf(calls: readonly HistoryCall[], event: number): readonly HistoryCall[] {
  const begun = calls.filter(({ from }) => from <= event);
  return begun.map((call) => (call.to <= event ? call : pending(call)));
}

/**
 * Finds the shortest prefix without an order. What has none has none however it goes on, so the
 * answers can be halved; and as a rule it ends where the search got no further.
 *
 * @returns null if that takes too long
 */
function shortestPrefix(
  calls: readonly HistoryCall[],
  modelFor: ModelFor,
  reached: number,
  budget: Budget,
): readonly HistoryCall[] | null {
  const ends = calls.flatMap(({ to, isPending }) => (isPending ? [] : [to]));
  ends.sort((one, other) => one - other);
  const hasOrder = (last: number) => {
    const prefix = prefixOf(calls, ends[last]!);
    return findOrder(prefix, modelFor(prefix), budget).kind !== "none";
  };
  let low = ends.findIndex((end) => end >= reached);
  let high = ends.length - 1;
  for (let step = 0; low + step < high; step = 2 * step + 1) {
    if (hasOrder(low + step)) low += step + 1;
    else high = low + step;
  }
  while (low < high) {
    const middle = (low + high) >> 1;
    if (hasOrder(middle)) low = middle + 1;
    else high = middle;
  }
  return budget.states < 0 ? null : prefixOf(calls, ends[high]!);
}

/**
 * Leaves out answers as long as what is left has no order: a call that only looked is left out, one
 * that writes is taken as pending, which explains more, never less. So the calls whose answers are
 * left contradict each other whatever all others did.
 */
function coreOf(
  prefix: readonly HistoryCall[],
  modelFor: ModelFor,
  budget: Budget,
): readonly HistoryCall[] {
  let calls = prefix.filter((call) => !(call.isPending && isRead(call)));
  const without = (weak: ReadonlySet<number>) =>
    calls.flatMap((call) => {
      if (!weak.has(call.id)) return [call];
      return isRead(call) ? [] : [pending(call)];
    });
  const stillNone = (fewer: readonly HistoryCall[]) => {
    const limit = { states: Math.min(TRY_STATES, budget.states) };
    const before = limit.states;
    const { kind } = findOrder(fewer, modelFor(fewer), limit);
    budget.states -= before - limit.states + fewer.length;
    return kind === "none";
  };
  const answered = () => calls.filter(({ isPending }) => !isPending);
  for (let size = answered().length >> 1; size >= 1; size >>= 1) {
    const ids = answered().map(({ id }) => id);
    for (let at = 0; at < ids.length && budget.states > 0; at += size) {
      const fewer = without(new Set(ids.slice(at, at + size)));
      if (stillNone(fewer)) calls = fewer;
    }
  }
  return answered();
}
