/** Histories for tests, written by the real writer. */
import { History } from "../../src/client/history.js";
import type { HistoryModel, HistoryOperations, HistoryOut } from "../../src/judge/format.js";

/** What a call came to: an answer, nothing known, or certainly nothing. */
export type Ending = { readonly out?: HistoryOut | undefined } | "info" | "fail" | "open";

/** One call: when it begins and ends, what it asks, what it is told. No two times are equal. */
export interface Told<M extends HistoryModel = HistoryModel> {
  readonly from: number;
  readonly to: number;
  readonly operation: HistoryOperations[M];
  readonly ending: Ending;
}

/** What the header says beside the model. */
export interface Header {
  readonly init?: Readonly<Record<string, string>>;
  readonly base?: number;
  readonly lease?: boolean;
}

/** Writes calls, each by a client of its own, as hist/1. */
export function tell<M extends HistoryModel>(
  model: M,
  calls: readonly Told<M>[],
  header: Header = {},
): string {
  let text = "";
  let now = 0;
  const write = (line: string) => {
    text += line;
  };
  const history = new History({ model, ...header, nowNs: () => BigInt(now), write });
  const events: { readonly at: number; readonly run: () => void }[] = [];
  calls.forEach(({ from, to, operation, ending }, i) => {
    events.push({
      at: from,
      run: () => {
        const open = history.begin(`c${i + 1}`, operation);
        if (ending === "open") return;
        const end = () => {
          if (ending === "info") open.info("outcome_unknown");
          else if (ending === "fail") open.fail("overloaded");
          else open.ok(ending.out);
        };
        events.push({ at: to, run: end });
      },
    });
  });
  for (;;) {
    const next = events.reduce<(typeof events)[number] | undefined>(
      (first, one) => (first === undefined || one.at < first.at ? one : first),
      undefined,
    );
    if (next === undefined) return text;
    events.splice(events.indexOf(next), 1);
    now = next.at;
    next.run();
  }
}

/** A call that is answered. */
export function ok<Operation>(from: number, to: number, operation: Operation, out?: HistoryOut) {
  return { from, to, operation, ending: { out } };
}

/** A call that never ends: nobody knows what came of it. */
export function info<Operation>(from: number, operation: Operation) {
  return { from, to: from, operation, ending: "open" as const };
}
