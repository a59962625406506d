/** What a search asks of the thing whose history it judges. */
import type { HistoryCall } from "./call.js";

/** A sequential specification, made for the calls of one key. States are never mutated. */
export interface Model<S> {
  readonly initial: S;
  /**
   * Takes a call's effect. A pending call is only asked for the effect that changes something: as
   * none it is left out.
   *
   * @returns the next state (the same object if nothing changed), or null: it may not happen here
   */
  step(state: S, call: HistoryCall): S | null;
  /** A text that is equal for states that differ in rank only, after the same answered calls. */
  keyOf(state: S): string;
  /** Of states with the same text, the one of lower rank may do whatever the other may. */
  rankOf(state: S): number;
  /** Says whether a call, where it may take effect, may as well do so before all others. */
  settles(call: HistoryCall): boolean;
  /**
   * Pending calls with the same text are interchangeable: whatever one can explain, the one that
   * began first can. Undefined: it has no like.
   */
  likeOf(call: HistoryCall): string | undefined;
}
