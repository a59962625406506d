/**
 * The histories of a run: what its clients did and were told, in the format hist/1, one for each
 * model that occurs. They are judged by our own checker, and can be by others.
 */
import { History, type OpenCall } from "../../client/history.js";
import { checkHistory } from "../../judge/check.js";
import { explainVerdict } from "../../judge/explain.js";
import type { Violation } from "../monitor/ledger.js";
import type { Coverage } from "../world/coverage.js";
import type { Call, CallRecorder, Outcome } from "./clients.js";

/** States that the search of one history may visit. */
const STATES_MAX = 200_000;

/** Writes down the calls of a run. */
export class Histories implements CallRecorder {
  /** Lines of each model, without line breaks. */
  readonly lines: { readonly propose: string[]; readonly decide: string[] } = {
    propose: [],
    decide: [],
  };
  readonly #nowNs: () => bigint;
  readonly #coverage: Coverage;
  readonly #open = new Map<number, OpenCall>();
  #propose: History<"propose"> | undefined;
  #decide: History<"decide"> | undefined;

  /** @param nowMs the world's clock */
  constructor(nowMs: () => number, coverage: Coverage) {
    this.#nowNs = () => BigInt(Math.round(nowMs() * 1e6));
    this.#coverage = coverage;
  }

  called({ id, client, request }: Call): void {
    if (request.kind === "decide") {
      this.#decide ??= new History({ ...this.#options("decide"), model: "decide" });
      const { key, value } = request;
      const operation =
        value === null ? ({ op: "get", key } as const) : ({ op: "decide", key, value } as const);
      this.#open.set(id, this.#decide.begin(client, operation));
    } else {
      this.#propose ??= new History({ ...this.#options("propose"), model: "propose" });
      this.#open.set(id, this.#propose.begin(client, { op: "propose", value: request.value }));
    }
  }

  ended({ id }: Call, outcome: Outcome): void {
    const call = this.#open.get(id);
    this.#open.delete(id);
    if (outcome.kind === "ok") call?.ok({ position: outcome.position, slot: outcome.slot });
    else if (outcome.kind === "decided") call?.ok(outcome.value);
    else if (outcome.kind === "fail") call?.fail(outcome.code);
    else call?.info(outcome.code);
  }

  /**
   * Judges them.
   *
   * @param isComplete every position of the log is some call's, once
   * @returns the first that has no order
   */
  judge(isComplete: boolean): Violation | null {
    for (const lines of [this.lines.propose, this.lines.decide]) {
      if (lines.length === 0) continue;
      const verdict = checkHistory(lines, { statesMax: STATES_MAX, isComplete });
      const isJudged = verdict.kind !== "undecided";
      this.#coverage.count(isJudged ? "histories judged" : "histories too intricate to judge");
      if (verdict.kind === "linearizable" || !isJudged) continue;
      return { invariant: "linearizable", sentence: explainVerdict(verdict) };
    }
    return null;
  }

  #options(model: "propose" | "decide") {
    const write = (line: string) => void this.lines[model].push(line.trimEnd());
    return { nowNs: this.#nowNs, write };
  }
}
