/**
 * Goal: `chosen()` yields what is chosen in order, without gaps, each once, ending only when told.
 * Method: learners played by the test publish with gaps, repeats and disorder; history is answered,
 * late or not at all; connections are cut.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSeededRandom } from "../../src/adapters/memory/random.js";
import { FEED_BOUNDS } from "../../src/client/chosen.js";
import type { Client } from "../../src/client/client.js";
import { parseBallot } from "../../src/client/entries.js";
import { NotPermittedError, TrimmedError } from "../../src/client/errors.js";
import type { ChosenEvent } from "../../src/client/synod.js";
import type { FeedEntry } from "../../src/kernel/effect.js";
import { Bench, chosenText, FakeLearner, Watched } from "./bench.js";

interface Stage {
  readonly bench: Bench;
  readonly client: Client;
  readonly entries: FeedEntry[];
  readonly learners: readonly [FakeLearner, FakeLearner];
}

/** A client and two learners that know `count` values. */
async function stage(count = 0): Promise<Stage> {
  const bench = new Bench();
  const entries = Array.from({ length: count }, (_, index) => chosenText(index + 1));
  const learners = [
    new FakeLearner(bench, "l1", entries),
    new FakeLearner(bench, "l2", entries),
  ] as const;
  return { bench, entries, learners, client: await bench.open() };
}

/** Another value is chosen; both learners say so unless told otherwise. */
function choose({ entries, learners }: Stage, said: readonly FakeLearner[] = learners): void {
  const entry = chosenText(entries.length + 1);
  entries.push(entry);
  for (const learner of said) learner.publish(entry);
}

/** A reader that keeps what it got. */
class Reader {
  readonly got: ChosenEvent[] = [];
  ended: "quietly" | Error | null = null;

  constructor(feed: AsyncIterable<ChosenEvent>) {
    void this.#read(feed);
  }

  async #read(feed: AsyncIterable<ChosenEvent>): Promise<void> {
    try {
      for await (const event of feed) this.got.push(event);
      this.ended = "quietly";
    } catch (error) {
      this.ended = error as Error;
    }
  }

  get positions(): number[] {
    return this.got.map(({ position }) => position);
  }
}

const upTo = (last: number, from = 1) =>
  Array.from({ length: last - from + 1 }, (_, index) => from + index);

describe("where to begin", () => {
  it("from the start: what was there, then what comes", async () => {
    const run = await stage(250);
    const reader = new Reader(run.client.chosen({ after: "start" }));
    await run.bench.wait(100);
    expect(reader.positions).toEqual(upTo(250));
    for (let n = 0; n < 10; n++) choose(run);
    await run.bench.wait(1);
    expect(reader.positions).toEqual(upTo(260));
    expect(reader.got[0]).toEqual({
      position: 1,
      slot: 0,
      value: "value 1",
      ballot: { round: 1, owner: "p1.0123456789abcdef" },
      syncedBy: ["a1", "a2"],
    });
  });

  it("after a position: it is a checkpoint", async () => {
    const run = await stage(20);
    const reader = new Reader(run.client.chosen({ after: 17 }));
    await run.bench.wait(100);
    expect(reader.positions).toEqual([18, 19, 20]);
  });

  it("now is when it is asked, not when it is first read", async () => {
    const run = await stage(20);
    const feed = run.client.chosen({ after: "now" });
    await run.bench.settle();
    choose(run);
    const reader = new Reader(feed);
    await run.bench.wait(100);
    choose(run);
    await run.bench.wait(100);
    expect(reader.positions).toEqual([21, 22]);
  });

  it("now is the end of the log, not what a learner has come to that is catching up", async () => {
    const run = await stage(20);
    for (const learner of run.learners) learner.cameTo = 3;
    const feed = run.client.chosen({ after: "now" });
    await run.bench.wait(1000);
    for (const learner of run.learners) learner.cameTo = null;
    await run.bench.wait(FEED_BOUNDS.pollMinMs); // nobody reads: now is known all the same
    choose(run);
    const reader = new Reader(feed);
    await run.bench.wait(100);
    expect(reader.positions).toEqual([21]);
  });

  it("nowhere else", async () => {
    const { client } = await stage();
    for (const after of [-1, 1.5, "later", null]) {
      expect(() => client.chosen({ after: after as never })).toThrow(/after/);
    }
  });
});

describe("gaps, repeats and disorder", () => {
  it("learners that catch up bring what they have, and later the rest", async () => {
    const run = await stage(20);
    for (const learner of run.learners) learner.cameTo = 3;
    const reader = new Reader(run.client.chosen({ after: "start" }));
    await run.bench.wait(1000);
    expect(reader.positions).toEqual([1, 2, 3]);
    for (const learner of run.learners) learner.cameTo = null;
    await run.bench.wait(FEED_BOUNDS.pollMaxMs);
    expect(reader.positions).toEqual(upTo(20));
    expect(reader.ended).toBe(null);
  });

  it("what only one feed brings, or none, comes in its place", async () => {
    const run = await stage();
    const reader = new Reader(run.client.chosen({ after: "start" }));
    await run.bench.wait(10);
    const [l1, l2] = run.learners;
    for (const said of [[l1], [l2], [], [l1, l2], [], [], [l1]]) choose(run, said);
    await run.bench.wait(FEED_BOUNDS.gapMs + 5);
    expect(reader.positions).toEqual(upTo(7));
  });

  it("a last value that no feed brought is found by looking at the tail", async () => {
    const run = await stage();
    const reader = new Reader(run.client.chosen({ after: "start" }));
    await run.bench.wait(60_000);
    choose(run, []);
    await run.bench.wait(FEED_BOUNDS.pollMaxMs);
    expect(reader.positions).toEqual([1]);
  });

  it("an idle reader looks rarely", async () => {
    const run = await stage();
    const reader = new Reader(run.client.chosen({ after: "start" }));
    await run.bench.wait(5000);
    const asked = () => run.learners[0].asked + run.learners[1].asked;
    const before = asked();
    await run.bench.wait(60_000);
    expect(asked() - before).toBeLessThanOrEqual(31);
    expect(reader.ended).toBe(null);
  });

  it("nonsense on the feed is passed over and counted", async () => {
    const run = await stage();
    const reader = new Reader(run.client.chosen({ after: "start" }));
    await run.bench.wait(10);
    const { transport } = run.learners[0];
    const body = new Uint8Array([1]);
    transport.publish("synod.test.chosen.l1", body);
    const good = {
      "Synod-Position": "1",
      "Synod-Slot": "0",
      "Synod-Ballot": "1.p1.0123456789abcdef",
      "Synod-Type": "bytes",
    };
    for (const [name, bad] of [
      ["Synod-Position", "0"],
      ["Synod-Slot", "-1"],
      ["Synod-Ballot", "p1"],
      ["Synod-Type", "xml"],
    ] as const) {
      transport.publish("synod.test.chosen.l1", body, { headers: { ...good, [name]: bad } });
    }
    await run.bench.wait(10);
    expect(reader.got).toEqual([]);
    expect(run.client.dropped.get("unreadable_feed")).toBe(5);
    expect(parseBallot("99999999999999999.p1.0123456789abcdef")).toBe(undefined);
  });

  it("answers of others to history are passed over and counted", async () => {
    const run = await stage(3);
    run.learners[0].isDeaf = true;
    run.learners[1].isDeaf = true;
    const stream = run.bench.bus.connect("a stream over our subjects");
    const acknowledgement = new TextEncoder().encode('{"stream":"S","seq":1}');
    stream.subscribe("synod.>", ({ reply }) => {
      if (reply !== undefined) stream.publish(reply, acknowledgement);
    });
    const reader = new Reader(run.client.chosen({ after: "start" }));
    await run.bench.wait(500);
    expect(reader.got).toEqual([]);
    run.learners[0].isDeaf = false;
    run.learners[1].isDeaf = false;
    await run.bench.wait(10_000);
    expect(reader.positions).toEqual([1, 2, 3]);
    expect(run.client.dropped.get("foreign_reply")).toBeGreaterThan(0);
  });

  it.each([1, 2, 3, 4, 5])("seed %i: any loss, repeats, disorder and cuts", async (seed) => {
    const run = await stage(30);
    const { bench, learners } = run;
    const random = createSeededRandom(seed);
    bench.bus.intercept(() => {
      const drawn = random.next();
      if (drawn < 0.2) return [];
      return drawn < 0.4 ? [0, random.integer(300)] : drawn < 0.6 ? [random.integer(100)] : [0];
    });
    const reader = new Reader(run.client.chosen({ after: "start" }));
    for (let n = 0; n < 300; n++) {
      choose(
        run,
        learners.filter(() => random.next() < 0.7),
      );
      await bench.wait(random.integer(20));
      if (random.next() < 0.02) {
        bench.link.disconnect();
        bench.clock.setTimer(random.integer(1000), () => bench.link.reconnect());
      }
    }
    await bench.until(() => reader.got.length === 330, 60_000);
    expect(reader.positions).toEqual(upTo(330));
    expect(reader.got.map(({ value }) => value)).toEqual(upTo(330).map((n) => `value ${n}`));
  });
});

describe("a reader that does not pull", () => {
  it("keeps a bounded buffer, and gets the rest when it goes on", async () => {
    const run = await stage();
    const { bench, client } = run;
    const feed = client.chosenRaw({ after: "start" });
    const first = new Watched(feed.next());
    await bench.wait(10);
    choose(run);
    await bench.settle();
    expect(first.value?.value).toMatchObject({ position: 1 });
    const asked = run.learners[0].asked + run.learners[1].asked;
    const many = FEED_BOUNDS.bufferEntriesMax + 500;
    for (let n = 0; n < many; n++) choose(run, [run.learners[0]]);
    await bench.wait(10_000);
    expect(run.learners[0].asked + run.learners[1].asked).toBe(asked); // nobody pulls, nobody asks
    const positions: number[] = [];
    for (let n = 0; n < many; n++) {
      const next = await bench.run(feed.next());
      positions.push(next.value?.position ?? 0);
    }
    expect(positions).toEqual(upTo(many + 1, 2));
  }, 60_000);
});

describe("the end", () => {
  it("break: nothing is heard or asked any more", async () => {
    const run = await stage(5);
    const seen: number[] = [];
    const read = async () => {
      for await (const { position } of run.client.chosen({ after: "start" })) {
        seen.push(position);
        if (position === 3) break;
      }
    };
    await run.bench.run(read());
    expect(seen).toEqual([1, 2, 3]);
    expect(run.bench.clock.timerCount).toBe(0);
  });

  it("a signal, and close: quietly", async () => {
    const run = await stage(2);
    const controller = new AbortController();
    const readers = [
      new Reader(run.client.chosen({ after: "start", signal: controller.signal })),
      new Reader(run.client.chosen({ after: "start" })),
      new Reader(run.client.chosen({ after: "start", signal: AbortSignal.abort() })),
    ];
    await run.bench.wait(100);
    expect(readers.map(({ ended }) => ended)).toEqual([null, null, "quietly"]);
    controller.abort();
    await run.bench.settle();
    expect(readers.map(({ ended }) => ended)).toEqual(["quietly", null, "quietly"]);
    await run.bench.run(run.client.close());
    expect(readers.map(({ ended }) => ended)).toEqual(["quietly", "quietly", "quietly"]);
    expect(readers.map(({ positions }) => positions)).toEqual([[1, 2], [1, 2], []]);
    expect(() => run.client.chosen()).toThrow(/closed/);
  });

  it("trimmed: throws, with the first position there is", async () => {
    const run = await stage(10);
    for (const learner of run.learners) learner.firstPosition = 6;
    const reader = new Reader(run.client.chosen({ after: 2 }));
    await run.bench.wait(5000);
    expect(reader.ended).toBeInstanceOf(TrimmedError);
    expect(reader.ended).toMatchObject({ code: "trimmed", firstPosition: 6 });
    const other = new Reader(run.client.chosen({ after: 5 }));
    await run.bench.wait(100);
    expect(other.positions).toEqual(upTo(10, 6));
  });

  it("is not that one learner keeps less than another", async () => {
    const run = await stage(10);
    run.learners[0].firstPosition = 6;
    const reader = new Reader(run.client.chosen({ after: "start" }));
    await run.bench.wait(5000);
    expect(reader.positions).toEqual(upTo(10));
  });

  it("is not a lost connection", async () => {
    const run = await stage(3);
    const reader = new Reader(run.client.chosen({ after: "start" }));
    await run.bench.wait(100);
    run.bench.link.disconnect();
    await run.bench.wait(60_000);
    for (let n = 0; n < 5; n++) choose(run);
    run.bench.link.reconnect();
    await run.bench.wait(100);
    expect(reader.positions).toEqual(upTo(8));
    expect(reader.ended).toBe(null);
  });

  it("is what the server forbids", async () => {
    const bench = new Bench();
    bench.answer("cluster", () => bench.cluster);
    bench.link = bench.bus.connect("client", {
      denies: (_, subject) => subject.includes(".chosen."),
    });
    const client = await bench.run(bench.dial());
    const reader = new Reader(client.chosen({ after: "start" }));
    await bench.wait(100);
    expect(reader.ended).toBeInstanceOf(NotPermittedError);
  });

  it("comes once: afterwards the iterator is done", async () => {
    const run = await stage(10);
    for (const learner of run.learners) learner.firstPosition = 6;
    const feed = run.client.chosen({ after: 2 });
    await expect(run.bench.run(feed.next())).rejects.toThrow(TrimmedError);
    expect(await run.bench.run(feed.next())).toEqual({ done: true, value: undefined });
  });
});

describe("pulls that overlap", () => {
  it("are answered in their order", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 20 }), async (pulls) => {
        const run = await stage(12);
        const feed = run.client.chosen({ after: "start" });
        const all = upTo(pulls).map(() => new Watched(feed.next()));
        await run.bench.wait(50);
        const got = all.flatMap(({ value }) => value?.value?.position ?? []);
        expect(got).toEqual(upTo(Math.min(pulls, 12)));
      }),
      { numRuns: 20 },
    );
  });
});
