/**
 * Goal: what a rule or the kernel cuts stays below the server's limit and says the same.
 * Method: the limits at their edges; messages of generated parts taken apart until nothing comes
 * apart any more, and put together again. Sessions, gateway and client across a number given up.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Request } from "../../src/paxos/command.js";
import { DEFAULT_LIMITS } from "../../src/paxos/limits.js";
import { SessionTable } from "../../src/paxos/log/session.js";
import type { Accept, Message, Votes } from "../../src/paxos/wire/messages.js";
import { divide, limitsUnder } from "../../src/paxos/wire/payload.js";

const ballot = { round: 1, owner: "p1.0123456789abcdef" };

describe("limitsUnder", () => {
  it("leaves the defaults as they are under 1 MiB", () => {
    expect(limitsUnder(DEFAULT_LIMITS, 1_048_576)).toBe(DEFAULT_LIMITS);
    expect(limitsUnder(DEFAULT_LIMITS, Number.POSITIVE_INFINITY)).toBe(DEFAULT_LIMITS);
  });

  it("cuts what is larger than the room under 64 KiB, and nothing below zero", () => {
    expect(limitsUnder(DEFAULT_LIMITS, 65_536)).toEqual({
      ...DEFAULT_LIMITS,
      valueBytesMax: 46_080, // 61,440 in base64
      batchBytesMax: 60_416,
      partBytesMax: 61_440,
    });
    const { valueBytesMax, batchBytesMax } = limitsUnder(DEFAULT_LIMITS, 100);
    expect([valueBytesMax, batchBytesMax]).toEqual([0, 0]);
  });
});

/** Takes a message apart as far as it comes. */
function pieces(message: Message): Message[] {
  const parts = divide(message);
  return parts === null ? [message] : parts.flatMap(pieces);
}

describe("divide", () => {
  it("keeps the slots, digests and values of an accept together and in order", () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.integer({ min: 1, max: 40 }), (firstSlot, count) => {
        const values = Array.from({ length: count }, (_, i) => Uint8Array.of(i));
        const digests = values.map((_, i) => String(i).padStart(32, "0"));
        const chosen = [{ ballot, from: 0, to: 1, syncedBy: ["a1"] }];
        const accept = { type: "accept", ballot, firstSlot, digests, values } as const;
        const all = pieces({ ...accept, chosenWatermark: 0, chosen }) as Accept[];
        expect(all.map((one) => one.firstSlot)).toEqual(values.map((_, i) => firstSlot + i));
        expect(all.flatMap((one) => one.values)).toEqual(values);
        expect(all.flatMap((one) => one.digests)).toEqual(digests);
      }),
    );
  });

  it("cuts an answer to a repair so that each part says which slots it covers", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(200), { minLength: 1, maxLength: 30 }), (drawn) => {
        const slots = drawn.sort((a, b) => a - b);
        const value = Uint8Array.of(1);
        const votes = slots.map((slot) => ({ slot, ballot, digest: "0".repeat(32), value }));
        const all = pieces({ type: "votes", from: 0, to: 300, trimmed: 0, votes }) as Votes[];
        expect(all[0]?.from).toBe(0);
        expect(all.at(-1)?.to).toBe(300);
        all.forEach((one, i) => {
          if (i > 0) expect(one.from).toBe(all[i - 1]?.to);
          expect(one.votes.every(({ slot }) => one.from <= slot && slot < one.to)).toBe(true);
        });
        expect(all.flatMap((one) => one.votes)).toEqual(votes);
      }),
    );
  });

  it("leaves one value and a part of a promise whole", () => {
    const answer = { type: "promise", ballot, answer: 0, part: 0, parts: 2 } as const;
    expect(divide({ ...answer, trimmed: 0, chosenWatermark: 0, votes: [] })).toBeNull();
    expect(divide({ type: "propose", commands: [Uint8Array.of(1)] })).toBeNull();
  });
});

describe("a number that its client gave up", () => {
  const request = (
    number: number,
    answeredBelow: number,
    openedIn: number | null = 0,
  ): Request => ({
    ...{ kind: "request", session: "s", openedIn, number, answeredBelow },
    ...{ gateway: "g1", id: "", type: "bytes", body: Uint8Array.of(number) },
  });
  const result = { position: 1, slot: 1, ballot, syncedBy: [] };

  function opened(): SessionTable {
    const table = new SessionTable(DEFAULT_LIMITS);
    table.open("s", 0);
    expect(table.judge(request(1, 1))).toEqual({ kind: "effect" });
    table.record(request(1, 1), result);
    return table;
  }

  it("is passed over when a request says that nobody waits for it, then a repeat", () => {
    const table = opened();
    expect(table.judge(request(3, 1))).toEqual({ kind: "early", expected: 2 });
    expect(table.judge(request(3, 3))).toEqual({ kind: "effect" });
    table.record(request(3, 3), result);
    expect(table.judge(request(2, 1))).toEqual({ kind: "repeat", result: null });
    expect(table.judge(request(3, 3))).toMatchObject({ kind: "repeat" });
  });

  it("is waited for by a request that does not say which opening it is of", () => {
    expect(opened().judge(request(3, 3, null))).toEqual({ kind: "early", expected: 2 });
  });
});
