/**
 * Goal: the order rule: a message waits for every write that precedes its step, and only verbs that
 * state nothing the role remembers may overtake.
 * Method: effects and writes are interleaved by hand; what leaves, and when, is written down.
 */
import { describe, expect, it } from "vitest";
import { broadcast, count, type Effect, send } from "../../src/kernel/effect.js";
import { Outbox } from "../../src/kernel/outbox.js";
import type { Message } from "../../src/paxos/wire/messages.js";
import { VERBS } from "../../src/paxos/wire/verbs.js";

const say = (name: string) => count(name);

function bench() {
  const left: string[] = [];
  const outbox = new Outbox((effect) => {
    left.push(effect.kind === "count" ? effect.reason : effect.kind);
  });
  const taken = () => left.splice(0);
  return { outbox, taken };
}

describe("a message", () => {
  it("leaves at once while no write is under way", () => {
    const { outbox, taken } = bench();
    outbox.add([say("a"), say("b")]);
    expect([taken(), outbox.size]).toEqual([["a", "b"], 0]);
  });

  it("waits for the write of its own drain", () => {
    const { outbox, taken } = bench();
    const write = outbox.beginWrite();
    outbox.add([say("a"), say("b")]);
    expect([taken(), outbox.size, outbox.writesInFlight]).toEqual([[], 2, 1]);
    outbox.written(write);
    expect([taken(), outbox.size, outbox.writesInFlight]).toEqual([["a", "b"], 0, 0]);
  });

  it("waits for an earlier drain's write, though its own wrote nothing", () => {
    const { outbox, taken } = bench();
    const write = outbox.beginWrite();
    outbox.add([say("a")]);
    outbox.add([say("b")]);
    expect(taken()).toEqual([]);
    outbox.written(write);
    expect(taken()).toEqual(["a", "b"]);
  });

  it("waits for no later write", () => {
    const { outbox, taken } = bench();
    const first = outbox.beginWrite();
    outbox.add([say("a")]);
    const second = outbox.beginWrite();
    outbox.add([say("b")]);
    outbox.written(first);
    expect([taken(), outbox.size]).toEqual([["a"], 1]);
    outbox.written(second);
    expect(taken()).toEqual(["b"]);
  });

  it("leaves in the order of the steps when a later write is known first", () => {
    const { outbox, taken } = bench();
    const first = outbox.beginWrite();
    outbox.add([say("a")]);
    const second = outbox.beginWrite();
    outbox.add([say("b")]);
    outbox.written(second);
    expect(taken()).toEqual(["a", "b"]);
    outbox.written(first);
    expect([taken(), outbox.writesInFlight]).toEqual([[], 0]);
  });

  it("is forgotten if its write did not happen; what comes then leaves at once", () => {
    const { outbox, taken } = bench();
    outbox.beginWrite();
    outbox.add([say("a")]);
    outbox.discard();
    expect([outbox.size, outbox.writesInFlight]).toEqual([0, 0]);
    outbox.add([say("b")]);
    expect(taken()).toEqual(["b"]);
  });
});

describe("who may overtake a write", () => {
  const verbs: Message["type"][] = [
    ...["promise", "accepted", "nack", "prepare", "accept", "chosen", "last-heard"],
    ...["key-promise", "key-accepted", "key-nack", "votes", "outcomes", "results"],
  ] as Message["type"][];
  const message = (type: string) => ({ type }) as unknown as Message;
  const stateless = Object.entries(VERBS).flatMap(([verb, row]) => (row.stateless ? [verb] : []));

  it.each(stateless)("%s: it states nothing the role remembers", (verb) => {
    const { outbox, taken } = bench();
    outbox.beginWrite();
    outbox.add([send("acceptor", "a1", message(verb)), broadcast("acceptor", message(verb))]);
    expect([taken(), outbox.size]).toEqual([["send", "broadcast"], 0]);
  });

  it.each(verbs)("not %s", (verb) => {
    const { outbox, taken } = bench();
    outbox.beginWrite();
    outbox.add([send("acceptor", "a1", message(verb)), broadcast("acceptor", message(verb))]);
    expect([taken(), outbox.size]).toEqual([[], 2]);
  });

  it("not what is no message: replies, reads, feeds, counts and halts", () => {
    const { outbox, taken } = bench();
    outbox.beginWrite();
    const kinds = ["reply", "service", "checkDisk", "checkPayload", "halt", "count"];
    outbox.add(kinds.map((kind) => ({ kind }) as unknown as Effect));
    expect([taken(), outbox.size]).toEqual([[], kinds.length]);
  });
});
