/** A set of slots that takes little room while they come nearly in order. */

interface Span {
  readonly from: number;
  /** Exclusive. */
  to: number;
}

/** Stretches remembered at once; each hole in the slots costs one. */
const SPANS_MAX = 1024;

/**
 * Slots, as stretches in ascending order. Beyond {@link SPANS_MAX} the lowest are forgotten.
 */
export class SlotSet {
  readonly #spans: Span[] = [];

  /** Adds a slot. @returns false if it was there */
  add(slot: number): boolean {
    const spans = this.#spans;
    let at = spans.length;
    while (at > 0 && (spans[at - 1] as Span).from > slot) at--;
    const before = spans[at - 1];
    if (before !== undefined && slot < before.to) return false;
    const after = spans[at];
    const joinsAfter = after !== undefined && after.from === slot + 1;
    if (before !== undefined && before.to === slot) {
      before.to = joinsAfter ? after.to : slot + 1;
      if (joinsAfter) spans.splice(at, 1);
    } else if (joinsAfter) spans[at] = { from: slot, to: after.to };
    else spans.splice(at, 0, { from: slot, to: slot + 1 });
    if (spans.length > SPANS_MAX) spans.shift();
    return true;
  }

  /** Forgets all of them. */
  clear(): void {
    this.#spans.length = 0;
  }
}
