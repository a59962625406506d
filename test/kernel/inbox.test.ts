/**
 * Goal: an inbox is bounded, gives way to what ends work before what begins it, and hands over what
 * may be judged together as one.
 * Method: messages of one byte or a few are offered to small inboxes.
 */
import { describe, expect, it } from "vitest";
import { Inbox, joinBatches, type Waiting } from "../../src/kernel/inbox.js";
import type { Message } from "../../src/paxos/wire/messages.js";
import { ballot, START_MS, sender } from "../support/steps.js";

const from = sender("gateway", "g1");
const propose: Message = { type: "propose", commands: [] };
const chosen: Message = { type: "chosen", ranges: [] };
const nack: Message = {
  type: "nack",
  ballot: ballot(1),
  promised: null,
  slot: null,
  reason: "stale",
};
const accepted = (round: number): Message => ({
  type: "accepted",
  ballot: ballot(round),
  votes: [],
});
const waits = (message: Message): Waiting => ({
  kind: "message",
  delivery: { from, message, bytes: 1 },
});

/** Offers until there is no room. @returns how many there was room for */
function fill(inbox: Inbox, message: Message, bytes = 0): number {
  for (let taken = 0; ; taken++) {
    if (!inbox.offer({ from, message, bytes })) return taken;
  }
}

describe("the room of an inbox", () => {
  it("is half for new work, four fifths for the rest, all for what keeps leadership stable", () => {
    const inbox = new Inbox(10, 1000);
    expect(fill(inbox, propose)).toBe(5);
    expect(fill(inbox, chosen)).toBe(3);
    expect(fill(inbox, nack)).toBe(2);
    expect(inbox.size).toBe(10);
  });

  it.each<[string, Message["type"][], number]>([
    ["new work", ["propose", "request", "open-session", "decide"], 5],
    ["the rest", ["accept", "chosen", "hint", "outcomes", "key-promise"], 8],
    ["stability", ["prepare", "promise", "accepted", "nack", "beacon", "objection"], 10],
  ])("is shared by verb: %s", (_, verbs, most) => {
    for (const type of verbs) {
      expect(fill(new Inbox(10, 1000), { type } as unknown as Message)).toBe(most);
    }
  });

  it("is counted in bytes, too, in the same shares", () => {
    const inbox = new Inbox(1000, 100);
    expect(fill(inbox, propose, 10)).toBe(5);
    expect(fill(inbox, chosen, 10)).toBe(3);
    expect(fill(inbox, nack, 10)).toBe(2);
    expect(inbox.offer({ from, message: nack, bytes: 0 })).toBe(true);
  });

  it("is there again when all was taken", () => {
    const inbox = new Inbox(10, 100);
    fill(inbox, nack, 10);
    expect(inbox.take()).toHaveLength(10);
    expect([inbox.size, inbox.take()]).toEqual([0, []]);
    expect(fill(inbox, nack, 10)).toBe(10);
  });

  it("is never too small for what the host itself says, which counts nevertheless", () => {
    const inbox = new Inbox(2, 10);
    fill(inbox, nack);
    for (let n = 0; n < 5; n++) inbox.push({ kind: "event", event: { type: "pong" } }, 4);
    expect(inbox.size).toBe(7);
    expect(inbox.offer({ from, message: nack, bytes: 0 })).toBe(false);
  });

  it("has a share for the requests of doors: that of new work, in events and bytes", () => {
    const events = new Inbox(10, 1000);
    for (let n = 0; n < 4; n++) events.offer({ from, message: nack, bytes: 0 });
    expect(events.hasRoomForRequests()).toBe(true);
    events.push({ kind: "event", event: { type: "door.propose" } });
    expect(events.hasRoomForRequests()).toBe(false);
    const bytes = new Inbox(10, 1000);
    bytes.push({ kind: "event", event: { type: "door.propose" } }, 500);
    expect(bytes.hasRoomForRequests()).toBe(false);
  });
});

describe("what a drain joins", () => {
  const joined = (...waiting: Waiting[]) =>
    joinBatches(waiting, START_MS).map((one) =>
      "received" in one ? [one.type, one.received.length, one.nowMs] : [one.kind],
    );

  it("is neighbours of one verb: votes of one ballot, and no other", () => {
    const [one, two] = [waits(accepted(1)), waits(accepted(2))];
    expect(joined(one, one, two, two, one)).toEqual([
      ["accepted", 2, START_MS],
      ["accepted", 2, START_MS],
      ["accepted", 1, START_MS],
    ]);
  });

  it("is nothing across another message, an event or a timer: order is kept", () => {
    const event: Waiting = { kind: "event", event: { type: "stop" } };
    const timer: Waiting = { kind: "timer", instance: "", id: "t", generation: 1 };
    const p = waits(propose);
    expect(joined(p, p, event, p, timer, p, waits(nack), p)).toEqual([
      ["propose", 2, START_MS],
      ["event"],
      ["propose", 1, START_MS],
      ["timer"],
      ["propose", 1, START_MS],
      ["nack", 1, START_MS],
      ["propose", 1, START_MS],
    ]);
  });

  it("is never what must be judged alone", () => {
    expect(joined(waits(nack), waits(nack))).toHaveLength(2);
  });

  it("keeps the order of arrival within an event", () => {
    const both = ["g1", "g2"].map(
      (id): Waiting => ({
        kind: "message",
        delivery: { from: sender("gateway", id), message: propose, bytes: 0 },
      }),
    );
    const [event] = joinBatches(both, START_MS);
    expect(event).toEqual({
      type: "propose",
      received: ["g1", "g2"].map((id) => ({ from: sender("gateway", id), message: propose })),
      nowMs: START_MS,
    });
  });
});
