/**
 * Goal: the public feed is free while nobody listens, and complete for whoever does.
 * Method: one feed on the memory bus, whose clock and listeners the test moves.
 */
import { describe, expect, it } from "vitest";
import type { FeedEntry } from "../../src/actor/effect.js";
import { Feed } from "../../src/actor/feed.js";
import type { Incoming } from "../../src/actor/ports.js";
import { createVirtualClock } from "../../src/adapters/memory/clock.js";
import { createMemoryBus } from "../../src/adapters/memory/transport.js";
import { ballot, value } from "../support/steps.js";

const SUBJECT = "synod.test.chosen.l1";
const PROBE_MS = 100;

const entry = (position: number, log = ""): FeedEntry => ({
  position,
  slot: position + 10,
  ballot: ballot(1),
  type: "string",
  log,
  body: value(`v${position}`),
  by: ["a1", "a2"],
});

function bench() {
  const clock = createVirtualClock();
  const bus = createMemoryBus(clock);
  const counted: [string, number | undefined][] = [];
  const options = { clock, subject: SUBJECT, nonce: "0123456789abcdef" };
  const count = (reason: string, by?: number) => counted.push([reason, by]);
  const feed = new Feed({
    ...options,
    transport: bus.connect("l1"),
    count,
    tooLarge: () => undefined,
  });
  const heard: Incoming[] = [];
  const client = bus.connect("client");
  const listen = () => client.subscribe(SUBJECT, (incoming) => heard.push(incoming));
  const publish = (...entries: FeedEntry[]) => {
    feed.publish(entries);
    clock.advance(1);
  };
  const told = () => heard.splice(0).map(({ headers }) => Number(headers?.["Synod-Position"]));
  return { clock, bus, feed, counted, heard, client, listen, publish, told };
}

describe("a feed", () => {
  it("says each value with its evidence, in order, and asks with the last of a burst", () => {
    const { listen, heard, publish } = bench();
    listen();
    publish(entry(1), entry(2, "jobs"));
    expect(heard.map(({ payload }) => new TextDecoder().decode(payload))).toEqual(["v1", "v2"]);
    expect(heard.map(({ headers }) => headers)).toEqual(
      [1, 2].map((position) => ({
        "Synod-Position": String(position),
        "Synod-Slot": String(position + 10),
        "Synod-Ballot": expect.stringContaining("1.p1") as unknown,
        "Synod-Type": "string",
        "Synod-Synced-By": "a1,a2",
        ...(position === 2 ? { "Synod-Log": "jobs" } : {}),
      })),
    );
    expect(heard.map(({ reply }) => reply === undefined)).toEqual([true, false]);
  });

  it("pauses when the server says that nobody listens, and counts what it skips", () => {
    const { publish, counted, listen, told } = bench();
    publish(entry(1));
    expect(counted).toEqual([]);
    publish(entry(2), entry(3));
    expect(counted).toEqual([["feed_unheard", 2]]);
    listen();
    publish(entry(4));
    expect(told()).toEqual([]);
  });

  it("probes again after a while, and pauses again if nobody is there", () => {
    const { publish, counted, clock } = bench();
    for (const position of [1, 2]) {
      publish(entry(position));
      expect(counted).toEqual([]);
      clock.advance(PROBE_MS);
    }
    publish(entry(3));
    publish(entry(4));
    expect(counted).toEqual([["feed_unheard", 1]]);
  });

  it("goes on with the first burst after the pause if somebody came", () => {
    const { publish, counted, clock, listen, told } = bench();
    publish(entry(1));
    listen();
    clock.advance(PROBE_MS);
    publish(entry(2), entry(3));
    publish(entry(4));
    expect([told(), counted]).toEqual([[2, 3, 4], []]);
  });

  it("does not pause for what somebody answers", () => {
    const { publish, client, told, clock, counted, listen } = bench();
    listen();
    client.subscribe(SUBJECT, ({ reply }) => {
      if (reply !== undefined) client.publish(reply, value("thanks"));
    });
    publish(entry(1));
    clock.advance(1);
    publish(entry(2));
    expect([told(), counted]).toEqual([[1, 2], []]);
  });
});
