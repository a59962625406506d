/**
 * Goal: a set of slots is a set, whatever the order in which they come.
 * Method: against the built-in set, with holes filled late and slots that come twice.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SlotSet } from "../../src/trace/slot-set.js";

describe("a set of slots", () => {
  it("says of every slot whether it is new", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30)), (slots) => {
        const set = new SlotSet();
        const model = new Set<number>();
        for (const slot of slots) {
          expect(set.add(slot)).toBe(!model.has(slot));
          model.add(slot);
        }
      }),
    );
  });

  it("forgets the lowest when there are too many holes, and all when it is cleared", () => {
    const set = new SlotSet();
    for (let slot = 0; slot <= 2048; slot += 2) set.add(slot);
    expect(set.add(2048)).toBe(false);
    expect(set.add(0)).toBe(true);
    set.clear();
    expect(set.add(2048)).toBe(true);
  });
});
