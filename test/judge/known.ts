/** Histories whose verdict is known, as tests. */
import { describe, expect, it } from "vitest";
import { checkHistory } from "../../src/judge/check.js";
import { explainVerdict } from "../../src/judge/explain.js";
import type { HistoryModel } from "../../src/judge/format.js";
import { type Header, type Told, tell } from "./telling.js";

/** What is known of a model. */
export interface Known<M extends HistoryModel> {
  readonly model: M;
  readonly header?: Header;
  readonly isComplete?: boolean;
  readonly good: Readonly<Record<string, readonly Told<M>[]>>;
  readonly bad: Readonly<Record<string, readonly Told<M>[]>>;
}

/** Declares the tests of what is known. */
export function judge<M extends HistoryModel>(
  name: string,
  { model, header, isComplete, good, bad }: Known<M>,
): void {
  describe(name, () => {
    const verdictOf = (calls: readonly Told<M>[]) => {
      const verdict = checkHistory(tell(model, calls, header), { isComplete });
      return { kind: verdict.kind, shown: explainVerdict(verdict) };
    };
    it.each(Object.entries(good))("accepts %s", (_, calls) => {
      const { kind, shown } = verdictOf(calls);
      expect(kind, shown).toBe("linearizable");
    });
    it.each(Object.entries(bad))("refuses %s", (_, calls) => {
      const { kind, shown } = verdictOf(calls);
      expect(kind, shown).toBe("violation");
    });
  });
}
