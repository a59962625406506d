/** Histories of things that work, for properties; and the same with one answer changed. */
import fc from "fast-check";
import type { HistoryModel, HistoryOperations, HistoryOut } from "../../src/judge/format.js";
import type { Naive } from "./naive.js";
import type { Told } from "./telling.js";

/** What is drawn for a call: what it is, how long before and after its effect, what is told. */
export interface Drawn {
  readonly kind: number;
  readonly key: number;
  readonly pick: number;
  readonly before: number;
  readonly after: number;
  /** 0: nothing is known, it took effect; 1: nothing is known, it did not; 2: it failed. */
  readonly fate: number;
}

/** Says what a call asks, seeing the state that it will meet. */
export type Draw<M extends HistoryModel> = (
  drawn: Drawn,
  place: number,
  state: never,
) => HistoryOperations[M];

/** Draws calls whose times overlap with those of up to `overlap` neighbours on each side. */
export function drawnCalls(callsMax: number, overlap: number): fc.Arbitrary<readonly Drawn[]> {
  const one = fc.record({
    kind: fc.nat(99),
    key: fc.nat(2),
    pick: fc.nat(999),
    before: fc.nat(overlap),
    after: fc.nat(overlap),
    fate: fc.nat(11),
  });
  return fc.array(one, { minLength: 1, maxLength: callsMax });
}

/** How far above the last number the next may be. */
const NUMBERS_AHEAD = 2;
const isSeen = ({ fate }: Drawn) => fate > 2;

/** An execution, and other answers that its calls might have got elsewhere. */
export interface Execution<M extends HistoryModel> {
  readonly calls: readonly Told<M>[];
  readonly others: readonly (readonly (HistoryOut | undefined)[])[];
}

/** Runs drawn calls one after another, and lays their times around it. */
export function execute<M extends HistoryModel>(
  naive: Naive<M>,
  draw: Draw<M>,
  all: readonly Drawn[],
): Execution<M> {
  let state = naive.initial;
  const outs = new Map<string, (HistoryOut | undefined)[]>();
  const kinds: string[] = [];
  const calls = all.map((drawn, i): Told<M> => {
    const operation = draw(drawn, i, state as never);
    const last = (state as { readonly last?: number; readonly position?: number }) ?? {};
    const numbersMax = (last.last ?? last.position ?? 0) + NUMBERS_AHEAD;
    const ways = naive.ways(state as never, operation, numbersMax);
    const way = ways[drawn.pick % ways.length]!;
    const kind = `${operation.op} ${"ifrev" in operation}`;
    kinds.push(kind);
    outs.set(kind, [...(outs.get(kind) ?? []), ...ways.map(({ out }) => out)]);
    if (drawn.fate === 0 || isSeen(drawn)) state = way.state;
    // No two times are equal: each place has a remainder of its own.
    const from = 1_000_000 + 1000 * (i - drawn.before) - 1 - 3 * i;
    const to = 1_000_000 + 1000 * (i + drawn.after) + 2 + 3 * i;
    const ending = isSeen(drawn) ? { out: way.out } : drawn.fate === 2 ? "fail" : "info";
    return { from, to, operation, ending };
  });
  return { calls, others: kinds.map((kind) => variants(outs.get(kind) ?? [])) };
}

/** Answers and their neighbours. */
function variants(outs: readonly (HistoryOut | undefined)[]): readonly (HistoryOut | undefined)[] {
  const more = outs.flatMap((out): readonly HistoryOut[] => {
    if (typeof out === "boolean") return [!out];
    if (typeof out === "number") return [out + 1, Math.max(0, out - 1)];
    if (Array.isArray(out))
      return [(out as readonly string[]).slice(1), [...(out as readonly string[])].reverse()];
    if (typeof out !== "object" || out === null) return [];
    return Object.entries(out).flatMap(([name, field]) => {
      if (typeof field !== "number") return [];
      return [1, -1].map((by) => ({ ...out, [name]: Math.max(0, field + by) }));
    });
  });
  const unlike = new Map([...outs, ...more].map((out) => [JSON.stringify(out), out]));
  return [...unlike.values()];
}

/** Changes one answer. @returns null if there is none to change */
export function mutate<M extends HistoryModel>(
  { calls, others }: Execution<M>,
  which: number,
  how: number,
): readonly Told<M>[] | null {
  const answered = calls.flatMap(({ ending }, i) => (typeof ending === "object" ? [i] : []));
  const at = answered[which % Math.max(1, answered.length)];
  if (at === undefined) return null;
  const call = calls[at]!;
  const is = JSON.stringify((call.ending as { readonly out?: HistoryOut }).out);
  const unlike = (others[at] ?? []).filter((out) => JSON.stringify(out) !== is);
  if (unlike.length === 0) return null;
  const ending = { out: unlike[how % unlike.length] };
  return calls.map((one, i) => (i === at ? { ...one, ending } : one));
}
