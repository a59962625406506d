/**
 * Goal: a store answers only as the process that owns it, only with what it synced, and refuses
 * whatever is not exactly what was written last.
 * Method: the memory disk, whose crashes, full disks and failed syncs each test scripts.
 */
import { describe, expect, it } from "vitest";
import { MemoryFile, type MemoryFileOptions } from "../../src/adapters/memory/disk.js";
import type { DiskError } from "../../src/kernel/ports.js";
import { StoreRefused } from "../../src/kernel/store/refusal.js";
import {
  formatStore,
  openStore,
  type Store,
  TRIM_VOTES_MAX,
} from "../../src/kernel/store/store.js";
import { decodeMeta, META_KEY, type StoreRecord, voteKey } from "../../src/paxos/wire/record.js";
import {
  commitNow,
  formatted,
  identity,
  open,
  promiseOf,
  refusalOf,
  slotsIn,
  voteOf,
} from "./stores.js";

const marks = (chosenWatermark: number, trimmed = 0): StoreRecord => ({
  kind: "marks",
  chosenWatermark,
  trimmed,
  highestVoted: 9,
});
const votes = (...slots: number[]) => slots.map((slot) => voteOf(slot));
const metaOf = (file: MemoryFile) => decodeMeta(file.open().get(META_KEY) as Uint8Array);

/** A store whose commits finish when the test says so. */
function slowStore(options: MemoryFileOptions = {}) {
  const queue: (() => void)[] = [];
  let held = false;
  const soon = (run: () => void) => {
    if (held) queue.push(run);
    else run();
  };
  const file = formatted("memory:slow", { ...options, soon });
  const store = open(file);
  held = true;
  return { file, store, finish: (count = queue.length) => queue.splice(0, count).map((f) => f()) };
}

describe("a store that is opened", () => {
  it("counts incarnations and writes, and remembers where each life began", () => {
    const file = formatted("memory:1");
    expect(metaOf(file)).toMatchObject({ incarnation: 0, writeNumber: 1, openings: [] });
    const first = open(file);
    expect(commitNow(first, [promiseOf(1)])).toBeNull();
    expect(commitNow(first, [promiseOf(2)])).toBeNull();
    expect(first.durableWriteNumber).toBe(4);
    const second = open(file);
    expect(second.meta).toMatchObject({
      incarnation: 2,
      writeNumber: 5,
      openings: [
        { incarnation: 1, writeNumber: 1 },
        { incarnation: 2, writeNumber: 4 },
      ],
    });
    for (let life = 3; life <= 40; life++) open(file);
    const { openings } = metaOf(file);
    expect([openings.length, openings[0]?.incarnation, openings.at(-1)?.incarnation]).toEqual([
      32, 9, 40,
    ]);
  });

  it("shows a witness that an older copy began lower than what it said since", () => {
    const file = formatted("memory:1");
    const store = open(file);
    commitNow(store, votes(1));
    const older = file.copy(file.name);
    commitNow(store, votes(2));
    const seen = store.durableWriteNumber;
    expect(open(older).meta.openings.at(-1)?.writeNumber).toBeLessThan(seen);
    expect(open(file).meta.openings.at(-1)?.writeNumber).toBe(seen);
  });

  it("writes its incarnation before anybody hears of it", () => {
    const file = formatted("memory:1");
    const queue: (() => void)[] = [];
    const slow = file.copy("memory:1", { soon: (run) => queue.push(run) });
    const opened: unknown[] = [];
    openStore(slow.open(), identity, "data", (result) => opened.push(result));
    expect([opened, slow.unsynced]).toEqual([[], 1]);
    queue.shift()?.();
    expect(opened).toMatchObject([{ meta: { incarnation: 1 } }]);
    expect(metaOf(slow).incarnation).toBe(1);
  });

  it("brings back what a role needs at once, and leaves older votes on disk", () => {
    const file = formatted("memory:1");
    const key: StoreRecord = { kind: "key", key: "k", promised: voteOf(0).ballot, vote: null };
    const round: StoreRecord = { kind: "round", round: 7 };
    const kept = [promiseOf(4), marks(3), key, round];
    commitNow(open(file), [...kept, ...votes(1, 2, 3, 8)]);
    const store = open(file);
    expect(store.records).toHaveLength(6);
    expect(store.records).toEqual(expect.arrayContaining([...kept, ...votes(3, 8)]));
    expect(slotsIn(store)).toEqual([1, 2, 3, 8]);
  });
});

describe("a refusal", () => {
  const file = formatted("memory:1");
  it.each([
    ["wrong_cluster", { clusterId: "f".repeat(32) }],
    ["wrong_role", { role: "proposer" }],
    ["wrong_role", { id: "a2" }],
    ["wrong_store", { storeId: "f".repeat(32) }],
    ["wrong_cluster", { clusterName: "town" }, /cluster demo, which the descriptor calls town/],
    ["wrong_epoch", { epoch: 2 }, /served under epoch 1, and the descriptor has epoch 2/],
    ["wrong_epoch", { configurationHash: "f".repeat(32) }, /configuration of the same epoch 1/],
  ] as const)("%s for %j, before anything is written", (code, other, says: RegExp = /store/) => {
    const before = file.pairs();
    const message = expect.stringMatching(says);
    expect(refusalOf(file, { ...identity, ...other })).toMatchObject({ code, message });
    expect(file.pairs()).toEqual(before);
  });

  it("not_formatted for an empty disk, which stays empty", () => {
    const empty = new MemoryFile("memory:empty");
    expect(refusalOf(empty)).toMatchObject({ code: "not_formatted" });
    expect(empty.pairs()).toEqual([]);
  });

  it("already_formatted for a second format, which changes nothing", () => {
    const before = file.pairs();
    const refused: unknown[] = [];
    formatStore(file.open(), identity, "data", (result) => refused.push(result));
    expect(refused).toMatchObject([{ code: "already_formatted" }]);
    expect(file.pairs()).toEqual(before);
  });

  it("copied for the same bytes in another file", () => {
    expect(refusalOf(file.copy("memory:2"))).toMatchObject({ code: "copied" });
  });

  it("no_room for a disk that is full at the start, unwritable for one that is broken", () => {
    for (const [trouble, code] of [
      ["full", "no_room"],
      ["failed", "unwritable"],
    ] as const) {
      const place = formatted("memory:1");
      place.trouble(trouble);
      expect(refusalOf(place)).toMatchObject({ code });
    }
  });

  it("fenced for the slower of two that open at once", () => {
    const queue: (() => void)[] = [];
    const slow = file.copy("memory:1", { soon: (run) => queue.push(run) });
    const results: (Store | StoreRefused)[] = [];
    for (const disk of [slow.open(), slow.open()]) {
      openStore(disk, identity, "data", (result) => results.push(result));
    }
    for (const run of queue) run();
    expect(results[0]).not.toBeInstanceOf(StoreRefused);
    expect(results[1]).toMatchObject({ code: "fenced" });
  });

  it("says what happened, where, and what to do", () => {
    const messages = [
      refusalOf(new MemoryFile("memory:empty")),
      refusalOf(file.copy("memory:2")),
      refusalOf(file, { ...identity, epoch: 2 }),
    ].map(({ message }) => message);
    for (const message of messages) expect(message).toMatch(/^data holds .{40}/s);
  });
});

describe("corruption", () => {
  const small = () => {
    const file = formatted("memory:1");
    const { ballot } = voteOf(1);
    const key: StoreRecord = { kind: "key", key: "k", promised: ballot, vote: voteOf(1) };
    commitNow(open(file), [promiseOf(3), marks(1), key, ...votes(0, 1)]);
    return file;
  };

  it("is found for a flip of any bit of any record", () => {
    const file = small();
    let flips = 0;
    for (const { key, bytes } of file.pairs()) {
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = new Uint8Array(bytes);
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
        file.write(key, flipped);
        expect(refusalOf(file).code).toBe("corrupt");
        flips++;
      }
      file.write(key, bytes);
    }
    expect(flips).toBeGreaterThan(3000);
    expect(open(file).meta.incarnation).toBe(2);
  });

  it("is found for a vote that vanished, came or was exchanged, and without a meta record", () => {
    const harms: ((file: MemoryFile) => void)[] = [
      (file) => file.remove(voteKey(0)),
      (file) => file.remove(voteKey(1)),
      (file) => file.remove(META_KEY),
      (file) => {
        const other = formatted("memory:o");
        commitNow(open(other), votes(7));
        file.write(voteKey(7), other.open().get(voteKey(7)) as Uint8Array);
      },
      (file) => {
        const other = formatted("memory:o");
        commitNow(open(other), [voteOf(0, 9)]);
        file.write(voteKey(0), other.open().get(voteKey(0)) as Uint8Array);
      },
      (file) => file.write(Uint8Array.of(99), Uint8Array.of(1, 2, 3)),
    ];
    for (const harm of harms) {
      const file = small();
      harm(file);
      expect(refusalOf(file).code).toBe("corrupt");
    }
  });

  it("that comes while it is open is found by a reader, and by a reload", () => {
    const file = small();
    const store = open(file);
    const rotten = new Uint8Array(file.open().get(voteKey(1)) as Uint8Array);
    rotten[20] = (rotten[20] as number) ^ 1;
    file.write(voteKey(1), rotten);
    expect(store.readVotes(0, 1, 1000).votes).toHaveLength(1);
    expect(() => store.readVotes(0, 2, 1000)).toThrow(StoreRefused);
    expect(() => store.reload()).toThrow(/corrupt/);
  });
});

describe("a commit", () => {
  it("keeps the last of two records of one key, and counts a replaced vote once", () => {
    const file = formatted("memory:1");
    const store = open(file);
    commitNow(store, [promiseOf(1), promiseOf(2), voteOf(5, 1), voteOf(5, 2), voteOf(6, 1)]);
    expect(store.meta.votes).toBe(2);
    commitNow(store, [voteOf(5, 3)]);
    expect(store.meta.votes).toBe(2);
    const again = open(file);
    expect(again.records).toEqual([promiseOf(2), voteOf(5, 3), voteOf(6, 1)]);
  });

  it("trims below, votes of the same batch too, and takes them out of count and sum", () => {
    const file = formatted("memory:1");
    const store = open(file);
    commitNow(store, votes(0, 1, 2, 3));
    expect(commitNow(store, [marks(3, 3), voteOf(1, 9), voteOf(4)], 3)).toBeNull();
    expect(store.meta.votes).toBe(2);
    expect(slotsIn(open(file))).toEqual([3, 4]);
    const last = open(file);
    commitNow(last, [], 100);
    expect(last.meta).toMatchObject({ votes: 0, votesSum: [0, 0] });
  });

  it("spreads a large trim over the commits that follow", () => {
    const file = formatted("memory:1");
    const store = open(file);
    const many = TRIM_VOTES_MAX + 10;
    commitNow(store, votes(...Array(many + 2).keys()));
    file.trouble("full");
    expect(commitNow(store, [], many)).toMatchObject({ kind: "full" });
    // A trim that was given up must not happen later: the marks that go with it are not written.
    expect(commitNow(store, [promiseOf(1)])).toBeNull();
    expect(store.meta.votes).toBe(many + 2);
    commitNow(store, [], many);
    expect(store.meta.votes).toBe(12);
    commitNow(store, [promiseOf(1)]);
    expect(slotsIn(store)).toEqual([many, many + 1]);
    expect(slotsIn(open(file))).toEqual([many, many + 1]);
  });

  it("is fenced once another process has opened the store, for good", () => {
    const file = formatted("memory:1");
    const first = open(file);
    commitNow(first, votes(1));
    const second = open(file);
    expect(commitNow(first, votes(2))).toMatchObject({ kind: "fenced" });
    expect(commitNow(first, votes(3))).toMatchObject({ kind: "fenced" });
    expect(first.hasRoom()).toBe(false);
    expect(commitNow(second, votes(4))).toBeNull();
    expect(slotsIn(second)).toEqual([1, 4]);
  });

  it("that failed to sync ends the store", () => {
    const file = formatted("memory:1");
    const store = open(file);
    file.trouble("failed_but_written");
    expect(commitNow(store, votes(1))).toMatchObject({ kind: "failed" });
    expect(commitNow(store, votes(2))).toMatchObject({ kind: "failed" });
    expect([store.durableWriteNumber, store.hasRoom()]).toEqual([2, false]);
    // What the disk then holds, the next process finds out.
    expect(slotsIn(open(file))).toEqual([1]);
  });

  it("after close is refused, and so is one under way", () => {
    const { store, finish } = slowStore();
    const said: (DiskError | null)[] = [];
    store.commit({ records: votes(1) }, (error) => said.push(error));
    store.close();
    finish();
    store.commit({ records: votes(2) }, (error) => said.push(error));
    expect(said.map((error) => error?.kind)).toEqual(["failed", "failed"]);
  });
});

describe("several commits under way", () => {
  it("stand on each other: replaced, trimmed and counted before any is durable", () => {
    const { file, store, finish } = slowStore();
    const said: string[] = [];
    const commit = (name: string, records: readonly StoreRecord[], trimBelow?: number) =>
      store.commit({ records, trimBelow }, (error) => said.push(`${name}:${error?.kind ?? "ok"}`));
    commit("a", votes(1, 2, 3));
    commit("b", [voteOf(2, 8)]);
    commit("c", [voteOf(3, 8), voteOf(4)], 3);
    commit("d", [voteOf(5)], 4);
    expect([store.meta.votes, store.durableWriteNumber]).toEqual([0, 2]);
    finish(1);
    expect([store.meta.votes, store.durableWriteNumber]).toEqual([3, 3]);
    finish();
    expect(said).toEqual(["a:ok", "b:ok", "c:ok", "d:ok"]);
    expect(store.meta.votes).toBe(2);
    file.crash();
    const again = file.copy(file.name);
    expect(slotsIn(open(again))).toEqual([4, 5]);
  });

  it("are all given up when one finds no room; then the store goes on", () => {
    const { file, store, finish } = slowStore();
    const said: string[] = [];
    const commit = (name: string, records: readonly StoreRecord[], trimBelow?: number) =>
      store.commit({ records, trimBelow }, (error) => said.push(`${name}:${error?.kind ?? "ok"}`));
    commit("a", votes(1, 2));
    commit("b", votes(3), 2);
    commit("c", votes(4));
    file.trouble(null, "full");
    finish(2);
    expect(said).toEqual(["a:ok", "b:full"]);
    expect(store.reload()).toEqual(votes(1, 2));
    // A new batch is asked for while one of the given-up ones is still under way.
    commit("d", [voteOf(2, 5)]);
    finish();
    expect(said).toEqual(["a:ok", "b:full", "c:full", "d:ok"]);
    // The trim that was given up must not happen later.
    commit("e", [promiseOf(1)]);
    finish();
    expect(slotsIn(store)).toEqual([1, 2]);
    expect(store.reload()).toEqual([promiseOf(1), voteOf(1), voteOf(2, 5)]);
    expect(slotsIn(open(file.copy(file.name)))).toEqual([1, 2]);
  });

  it("are told of a fence that was met behind a full disk", () => {
    const { file, store, finish } = slowStore();
    const said: string[] = [];
    store.commit({ records: votes(1) }, (error) => said.push(error?.kind ?? "ok"));
    file.trouble("full");
    finish();
    const thief = file.copy(file.name);
    open(thief);
    for (const { key, bytes } of thief.pairs()) file.write(key, bytes);
    expect(() => store.reload()).toThrow(/another process/);
    store.commit({ records: votes(2) }, (error) => said.push(error?.kind ?? "ok"));
    finish();
    expect(said).toEqual(["full", "fenced"]);
  });

  it("ask for as much room as the batch that found none", () => {
    const file = formatted("memory:1", { bytesMax: 3_000_000 });
    const store = open(file);
    const large = { ...voteOf(1), value: new Uint8Array(4_000_000) };
    expect(commitNow(store, [large])).toMatchObject({ kind: "full" });
    expect(store.hasRoom()).toBe(false);
    file.bytesMax = 4_500_000;
    expect(store.hasRoom()).toBe(true);
  });
});
