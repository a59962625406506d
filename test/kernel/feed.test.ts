/**
 * Goal: the public feed is free while nobody listens, and complete for whoever does.
 * Method: one feed on the memory bus, whose clock and listeners the test moves.
 */
import { describe, expect, it } from "vitest";
import { createVirtualClock } from "../../src/adapters/memory/clock.js";
import { createMemoryBus } from "../../src/adapters/memory/transport.js";
import { Feed } from "../../src/kernel/bus/feed.js";
import type { FeedEntry } from "../../src/kernel/effect.js";
import type { Incoming } from "../../src/kernel/ports.js";
import { ballot, value } from "../support/steps.js";

const SUBJECT = "synod.test.chosen.l1";
const PROBE_MS = 100;

const entry = (position: number): FeedEntry => ({
  position,
  slot: position + 10,
  ballot: ballot(1),
  type: "string",
  body: value(`v${position}`),
  syncedBy: ["a1", "a2"],
});

function bench() {
  const clock = createVirtualClock();
  const bus = createMemoryBus(clock);
  const counted: [string, number | undefined][] = [];
  const options = { clock, subject: SUBJECT, cluster: { clusterId: "c1" } };
  const count = (reason: string, by?: number) => counted.push([reason, by]);
  const transport = bus.connect("l1");
  const published: string[] = [];
  const send = transport.publish.bind(transport);
  let forbidden: RegExp | null = null;
  transport.publish = (...message) => {
    published.push(message[0]);
    if (forbidden?.test(message[0]) !== true) send(...message);
  };
  const forbid = (subjects: RegExp) => {
    forbidden = subjects;
  };
  const feed = new Feed({ ...options, transport, count, tooLarge: () => undefined });
  const heard: Incoming[] = [];
  const client = bus.connect("client");
  const listen = () => client.subscribe(SUBJECT, (incoming) => heard.push(incoming));
  const publish = (...entries: FeedEntry[]) => {
    feed.publish(entries);
    clock.advance(1);
  };
  const told = () => heard.splice(0).map(({ headers }) => Number(headers?.["Synod-Position"]));
  return { clock, feed, published, counted, heard, client, listen, publish, told, forbid };
}

describe("a feed", () => {
  it("says each value with its evidence, in order, and asks with the last of a burst", () => {
    const { listen, heard, publish } = bench();
    listen();
    publish(entry(1), entry(2));
    expect(heard.map(({ payload }) => new TextDecoder().decode(payload))).toEqual(["v1", "v2"]);
    expect(heard.map(({ headers }) => headers)).toEqual(
      [1, 2].map((position) => ({
        "Nats-Msg-Id": `c1.${position}`,
        "Synod-Position": String(position),
        "Synod-Slot": String(position + 10),
        "Synod-Ballot": expect.stringContaining("1.p1") as unknown,
        "Synod-Type": "string",
        "Synod-Synced-By": "a1,a2",
      })),
    );
    expect(heard.map(({ reply }) => reply === undefined)).toEqual([true, false]);
  });

  it("pauses when the server says that nobody listens, and counts what nobody got", () => {
    const { publish, counted, clock } = bench();
    publish(entry(1));
    expect(counted).toEqual([]);
    publish(entry(2), entry(3));
    expect(counted).toEqual([]);
    clock.advance(PROBE_MS);
    clock.advance(1);
    expect(counted).toEqual([["feed_unheard", 2]]);
  });

  it("brings what was chosen in a pause to one who came before it, in order", () => {
    const { publish, counted, clock, listen, told } = bench();
    publish(entry(1));
    listen();
    publish(entry(2), entry(3));
    publish(entry(4));
    expect(told()).toEqual([]);
    clock.advance(PROBE_MS);
    clock.advance(1);
    expect([told(), counted]).toEqual([[2, 3, 4], []]);
    publish(entry(5));
    expect(told()).toEqual([5]);
  });

  it("publishes one value and no more of a pause in which nobody comes", () => {
    const { publish, published, clock } = bench();
    publish(entry(1));
    for (let n = 2; n < 50; n++) publish(entry(n));
    clock.advance(PROBE_MS);
    clock.advance(1);
    expect(published.filter((subject) => subject === SUBJECT)).toHaveLength(2);
  });

  it("asks with one value of a burst that comes after a pause", () => {
    const { publish, published, clock, counted } = bench();
    publish(entry(1));
    clock.advance(PROBE_MS + 1);
    publish(entry(2), entry(3), entry(4));
    expect(published.filter((subject) => subject === SUBJECT)).toHaveLength(2);
    expect(counted).toEqual([["feed_unheard", 3]]);
  });

  it("brings a burst that comes after a pause to one who came before it, in order", () => {
    const { publish, clock, listen, told } = bench();
    publish(entry(1));
    clock.advance(PROBE_MS + 1);
    listen();
    publish(entry(2), entry(3), entry(4));
    publish(entry(5));
    expect(told()).toEqual([2, 3, 4, 5]);
  });

  it("keeps a bounded number: the pause ends when it is reached, and nothing is lost", () => {
    const { publish, clock, listen, told } = bench();
    publish(entry(1));
    listen();
    const many = Array.from({ length: 1500 }, (_, n) => entry(n + 2));
    publish(...many);
    clock.advance(1);
    expect(told()).toEqual(many.map(({ position }) => position));
  });

  it("takes a burst of any size while it pauses: a learner that fills a hole applies many", () => {
    const { publish, feed, counted } = bench();
    publish(entry(1));
    feed.publish(new Array<FeedEntry>(200_000).fill(entry(2)));
    expect(counted).toEqual([]);
  });

  it("brings what a pause kept also where the server forbids to publish to its own inbox", () => {
    const { publish, clock, listen, told, forbid } = bench();
    forbid(/\.asked$/);
    publish(entry(1));
    listen();
    publish(entry(2), entry(3), entry(4));
    for (let turn = 0; turn < 3; turn++) clock.advance(PROBE_MS);
    expect(told()).toEqual([2, 3, 4]);
  });

  it("publishes what it keeps when it ends", () => {
    const { publish, clock, listen, told, feed } = bench();
    publish(entry(1));
    listen();
    publish(entry(2));
    feed.close();
    clock.advance(1);
    expect(told()).toEqual([2]);
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
    expect([told(), counted]).toEqual([
      [1, 2],
      [
        ["feed_answered", undefined],
        ["feed_answered", undefined],
      ],
    ]);
  });
});
