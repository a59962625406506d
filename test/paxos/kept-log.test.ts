/**
 * Goal: a learner's kept log gives back what it took, as far as it reaches, within its bound.
 * Method: fast-check; the same appends into arrays of objects, which forget nothing.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BodyType, encodeCommand } from "../../src/paxos/command.js";
import { KeptLog } from "../../src/paxos/log/kept-log.js";
import { applyEntry, type LogEntry, LogState } from "../../src/paxos/log/log.js";
import { encodeBatch, NOOP } from "../../src/paxos/value.js";
import { testCluster } from "../support/steps.js";

const SESSION = "5e".repeat(16);
const open = encodeCommand({ kind: "open", session: SESSION, gateway: "g1" });

/** A slot: how long the bodies of its requests are; a repeat has no effect; null is a no-op. */
interface Brought {
  readonly bodies: readonly { readonly length: number; readonly isRepeat: boolean }[] | null;
  readonly round: number;
  readonly syncedBy: readonly string[];
}

const brought: fc.Arbitrary<Brought> = fc.record({
  bodies: fc.option(
    fc.array(fc.record({ length: fc.nat({ max: 200 }), isRepeat: fc.boolean() }), { maxLength: 6 }),
  ),
  round: fc.integer({ min: 1, max: 3 }),
  syncedBy: fc.subarray(["a1", "a2", "a3"], { minLength: 2 }),
});

/** One line of text: quicker to compare than bytes one by one. */
const shown = (entry: object | undefined) =>
  JSON.stringify(
    Object.entries(entry ?? {})
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, of]) => [name, of instanceof Uint8Array ? Buffer.from(of).toString("hex") : of]),
  );

/** Applies slots as a learner does, and keeps what they bring both ways. */
function keep(slots: readonly Brought[], bytesMax: number) {
  const kept = new KeptLog(bytesMax);
  const log = new LogState(testCluster().limits);
  const values: Parameters<typeof applyEntry>[1][] = [];
  const entries: LogEntry[] = [];
  let number = 0;
  for (const [slot, { bodies, round, syncedBy }] of slots.entries()) {
    const requests = (bodies ?? []).map(({ length, isRepeat }) => {
      if (!isRepeat || number === 0) number++;
      const body = new Uint8Array(length).fill(number);
      const type: BodyType = "bytes";
      const named = { session: SESSION, openedIn: 0, number, answeredBelow: 1, gateway: "g1" };
      return encodeCommand({ kind: "request", ...named, id: "", type, body });
    });
    const opened = slot === 0 ? [open] : [];
    const value = bodies === null && slot > 0 ? NOOP : encodeBatch([...opened, ...requests]);
    const entry = { slot, ballot: { round, owner: "p1.0123456789abcdef" }, value, syncedBy };
    const applied = applyEntry(log, entry);
    kept.append(entry, applied.commandsAt);
    values.push(entry);
    entries.push(...applied.entries);
    expect(kept.bytes).toBeLessThanOrEqual(bytesMax);
  }
  return { kept, values, entries };
}

describe("a kept log", () => {
  it.each([1_000_000, 10_000, 3000])("gives back what it took, within %i bytes", (bytesMax) => {
    fc.assert(
      fc.property(fc.array(brought, { minLength: 1, maxLength: 60 }), (slots) => {
        const { kept, values, entries } = keep(slots, bytesMax);
        if (bytesMax === 1_000_000) expect([kept.firstSlot, kept.firstPosition]).toEqual([0, 1]);
        const slotsAsked = Array.from({ length: values.length + 2 }, (_, slot) => slot);
        const held = values.map((value) => (value.slot < kept.firstSlot ? undefined : value));
        expect(slotsAsked.map((slot) => shown(kept.chosenAt(slot)))).toEqual(
          slotsAsked.map((slot) => shown(held[slot])),
        );
        const asked = Array.from({ length: entries.length + 2 }, (_, position) => position);
        expect(asked.map((position) => shown(kept.entryAt(position)))).toEqual(
          asked.map((n) => shown(n < kept.firstPosition ? undefined : entries[n - 1])),
        );
        // What it forgets goes by slots: the first position that it keeps is of the first slots.
        const first = entries[kept.firstPosition - 1];
        if (first !== undefined) expect(first.slot).toBeGreaterThanOrEqual(kept.firstSlot);
        const before = entries[kept.firstPosition - 2];
        if (before !== undefined) expect(before.slot).toBeLessThan(kept.firstSlot);
      }),
    );
  });

  it("keeps nothing of a value that is over its bound, and goes on", () => {
    const small = { bodies: [{ length: 10, isRepeat: false }], round: 1, syncedBy: ["a1", "a2"] };
    const large = { ...small, bodies: [{ length: 9000, isRepeat: false }] };
    const { kept } = keep([small, small, large], 4096);
    expect([kept.firstSlot, kept.firstPosition, kept.bytes]).toEqual([3, 4, 0]);
    expect([kept.chosenAt(2), kept.entryAt(3)]).toEqual([undefined, undefined]);
    const { kept: later } = keep([small, large, small], 4096);
    expect(later.entryAt(3)?.slot).toBe(2);
  });

  it("gives views that later values do not change", () => {
    const one = { bodies: [{ length: 30, isRepeat: false }], round: 1, syncedBy: ["a1", "a2"] };
    const { kept, entries } = keep([one], 100_000);
    const entry = kept.entryAt(1);
    const [first] = entries;
    for (let slot = 1; slot < 100; slot++) {
      const value = encodeBatch([new Uint8Array(50).fill(slot)]);
      kept.append({ slot, ballot: { round: 1, owner: "p1.0" }, value, syncedBy: ["a1"] }, []);
    }
    expect(entry).toEqual(first);
  });

  it("takes slots in order alone", () => {
    const kept = new KeptLog(1000);
    const entry = { slot: 1, ballot: { round: 1, owner: "p1.0" }, value: NOOP, syncedBy: [] };
    expect(() => kept.append(entry, [])).toThrow("slot 0 is kept next");
  });
});
