/**
 * Goal: whatever is committed, lost, refused for lack of room or cut off by a crash, a store holds
 * what a plain map would, and what was answered as durable is there.
 * Method: random histories against that map (fast-check), with several commits under way.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import type { MemoryFile } from "../../src/adapters/memory/disk.js";
import { StoreRefused } from "../../src/kernel/store/refusal.js";
import { openStore, type Store } from "../../src/kernel/store/store.js";
import { type StoreRecord, votesReadFrom } from "../../src/paxos/wire/record.js";
import { formatted, identity, promiseOf, voteOf } from "./stores.js";

/** The naive store: a map from key to record. */
type Model = ReadonlyMap<string, StoreRecord>;

function nameOf(record: StoreRecord): string {
  if (record.kind === "vote") return `vote ${record.slot}`;
  return record.kind === "key" ? `key ${record.key}` : record.kind;
}

function after(model: Model, records: readonly StoreRecord[], trimBelow = 0): Model {
  const next = new Map(model);
  for (const record of records) next.set(nameOf(record), record);
  for (const [name, record] of next) {
    if (record.kind === "vote" && record.slot < trimBelow) next.delete(name);
  }
  return next;
}

const slots = fc.nat({ max: 40 });
const rounds = fc.integer({ min: 1, max: 4 });
const records: fc.Arbitrary<StoreRecord> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(slots, rounds).map(([slot, round]) => voteOf(slot, round)) },
  { weight: 1, arbitrary: rounds.map(promiseOf) },
  { weight: 1, arbitrary: rounds.map((round): StoreRecord => ({ kind: "round", round })) },
  {
    weight: 1,
    arbitrary: fc.tuple(slots, slots).map(([chosenWatermark, trimmed]): StoreRecord => {
      return { kind: "marks", chosenWatermark, trimmed, highestVoted: 40 };
    }),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom("a", "b"), fc.boolean())
      .map(([key, voted]): StoreRecord => {
        const { ballot, digest, value } = voteOf(0);
        const vote = voted ? { ballot, digest, value } : null;
        return { kind: "key", key, promised: ballot, vote };
      }),
  },
);

const steps = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("commit" as const),
      records: fc.array(records, { maxLength: 5 }),
      // Seldom: a store that forgets most of its votes shows few mistakes.
      trimBelow: fc.oneof(
        { weight: 5, arbitrary: fc.constant(undefined) },
        { weight: 1, arbitrary: slots },
      ),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("finish" as const), count: rounds }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("full" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const), kept: fc.nat(4) }) },
);
type Step = typeof steps extends fc.Arbitrary<infer T> ? T : never;

interface UnderWay {
  readonly becomes: Model;
  givenUp: boolean;
  said: string | undefined;
}

/** What the histories went through; zero would be a test of nothing. */
const seen = { commits: 0, durable: 0, full: 0, givenUp: 0, crashes: 0, kept: 0, opened: 0 };

class World {
  readonly #queue: (() => void)[] = [];
  readonly #file: MemoryFile;
  #store: Store;
  #durable: Model = new Map();
  #underWay: UnderWay[] = [];
  #incarnation = 0;

  constructor() {
    const soon = (run: () => void) => this.#queue.push(run);
    this.#file = formatted("memory:m").copy("memory:m", { soon });
    this.#store = this.#open();
  }

  step(step: Step): void {
    if (step.do === "commit") this.#commit(step.records, step.trimBelow);
    else if (step.do === "finish") this.#finish(step.count);
    else if (step.do === "full") this.#full();
    else this.#crash(step.kept);
    this.#check();
  }

  #open(): Store {
    let store: Store | StoreRefused | undefined;
    openStore(this.#file.open(), identity, "data", (result) => {
      store = result;
    });
    for (const run of this.#queue.splice(0)) run();
    if (store === undefined || store instanceof StoreRefused) throw store;
    this.#incarnation++;
    seen.opened++;
    expect(store.meta.incarnation).toBe(this.#incarnation);
    expect(byName(store.records)).toEqual(byName(this.#needed()));
    return store;
  }

  /** What a role is given when it starts. */
  #needed(): StoreRecord[] {
    const marks = this.#durable.get("marks");
    const watermark = marks?.kind === "marks" ? votesReadFrom(marks, identity.windowMax) : 0;
    return [...this.#durable.values()].filter(
      (record) => record.kind !== "vote" || record.slot >= watermark,
    );
  }

  #commit(changed: readonly StoreRecord[], trimBelow: number | undefined): void {
    const live = this.#underWay.filter(({ givenUp }) => !givenUp);
    const before = live.at(-1)?.becomes ?? this.#durable;
    const becomes = after(before, changed, trimBelow);
    const one: UnderWay = { becomes, givenUp: false, said: undefined };
    this.#underWay.push(one);
    seen.commits++;
    this.#store.commit({ records: changed, trimBelow }, (error) => {
      expect(one.said).toBeUndefined();
      one.said = error?.kind ?? "ok";
    });
  }

  #finish(count: number): void {
    for (const run of this.#queue.splice(0, count)) {
      run();
      const one = this.#underWay.shift() as UnderWay;
      expect(one.said).toBe(one.givenUp ? "full" : "ok");
      if (one.givenUp) seen.givenUp++;
      else {
        seen.durable++;
        this.#durable = one.becomes;
      }
    }
  }

  #full(): void {
    const [one] = this.#underWay;
    if (one === undefined) return;
    this.#file.trouble("full");
    if (!one.givenUp) {
      seen.full++;
      for (const other of this.#underWay) other.givenUp = true;
    }
    this.#finish(1);
    expect(byName(this.#store.reload())).toEqual(byName(this.#needed()));
  }

  #crash(kept: number): void {
    const live = this.#underWay.filter(({ givenUp }) => !givenUp);
    const stale = this.#underWay.length - live.length;
    this.#file.crash((_, index) => (index < stale + kept ? "kept" : "lost"));
    const last = live.slice(0, kept).at(-1);
    if (last !== undefined) {
      this.#durable = last.becomes;
      seen.kept++;
    }
    seen.crashes++;
    const silent = this.#underWay;
    this.#underWay = [];
    for (const run of this.#queue.splice(0)) run();
    for (const { said } of silent) expect(said).toBeUndefined();
    this.#store = this.#open();
  }

  #check(): void {
    const held = [...this.#durable.values()].flatMap((record) =>
      record.kind === "vote" ? [record] : [],
    );
    const wanted = held.toSorted((a, b) => a.slot - b.slot);
    const { votes } = this.#store.readVotes(0, 100, 2 ** 30);
    expect(votes.map((vote) => ({ kind: "vote", ...vote }))).toEqual(wanted);
    expect(this.#store.meta.votes).toBe(wanted.length);
  }
}

function byName(list: readonly StoreRecord[]): Map<string, StoreRecord> {
  return new Map(list.map((record): [string, StoreRecord] => [nameOf(record), record]).toSorted());
}

it("holds what a map would, through full disks and crashes", () => {
  fc.assert(
    fc.property(fc.array(steps, { minLength: 5, maxLength: 40 }), (history) => {
      const world = new World();
      for (const step of history) world.step(step);
    }),
    { numRuns: 200 },
  );
  for (const [what, times] of Object.entries(seen))
    expect([what, times > 20]).toEqual([what, true]);
});

it("after a torn batch is as before, or as after, or found corrupt", () => {
  const outcomes = { before: 0, after: 0, corrupt: 0 };
  const batches = fc.array(records, { minLength: 1, maxLength: 6 });
  const trims = fc.option(slots, { nil: undefined });
  const bits = fc.nat({ max: 2 ** 20 - 1 });
  const torn = fc.property(batches, batches, trims, bits, (first, second, trimBelow, kept) => {
    const queue: (() => void)[] = [];
    const file = formatted("memory:t").copy("memory:t", { soon: (run) => queue.push(run) });
    const opened = () => {
      let result: Store | StoreRefused | undefined;
      openStore(file.open(), identity, "data", (store) => {
        result = store;
      });
      for (const run of queue.splice(0)) run();
      return result as Store | StoreRefused;
    };
    const store = opened() as Store;
    store.commit({ records: first }, () => undefined);
    for (const run of queue.splice(0)) run();
    store.commit({ records: second, trimBelow }, () => undefined);
    file.crash(() => ({ kept: (operation) => (kept & (1 << operation)) !== 0 }));
    const again = opened();
    if (again instanceof StoreRefused) {
      expect(again.code).toBe("corrupt");
      outcomes.corrupt++;
      return;
    }
    const model = after(new Map(), first);
    const votesOf = (of: Model) => byName([...of.values()].filter(({ kind }) => kind === "vote"));
    const { votes } = again.readVotes(0, 100, 2 ** 30);
    const held = byName(votes.map((vote): StoreRecord => ({ kind: "vote", ...vote })));
    const whole = [votesOf(model), votesOf(after(model, second, trimBelow))];
    expect(whole).toContainEqual(held);
    outcomes[again.meta.writeNumber === store.meta.writeNumber + 1 ? "before" : "after"]++;
  });
  fc.assert(torn, { numRuns: 300 });
  for (const [what, times] of Object.entries(outcomes)) {
    expect([what, times > 5]).toEqual([what, true]);
  }
});
