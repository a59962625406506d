/**
 * Goal: a store that is moved opens in one file at most, whatever is copied, wiped or killed
 * meanwhile; a move that was interrupted can be done again and ends; and no vote is lost by it.
 * Method: memory files; a process dies before its n-th commit, for every n.
 */
import { describe, expect, it } from "vitest";
import { MemoryFile } from "../../src/adapters/memory/disk.js";
import type { Disk } from "../../src/kernel/ports.js";
import {
  leave,
  moveStore,
  prepareTarget,
  readMoveCode,
  takeIn,
  writeMoveCode,
} from "../../src/kernel/store/move.js";
import { StoreRefused } from "../../src/kernel/store/refusal.js";
import { META_KEY } from "../../src/paxos/wire/record.js";
import { immortal, Killed, opens, options, placeOf, tried } from "./moves.js";
import { commitNow, formatted, identity, open, promiseOf, slotsIn, voteOf } from "./stores.js";

const move = (from: MemoryFile, to: MemoryFile, life = immortal()) =>
  moveStore(placeOf(from, life), placeOf(to, life), options);

const codeAt = (file: MemoryFile) => {
  const result = tried(file);
  return result instanceof StoreRefused ? result.code : "opens";
};
async function refusal(attempt: Promise<unknown>): Promise<StoreRefused> {
  const error = await attempt.then(
    () => new Error("it was not refused"),
    (refused: unknown) => refused,
  );
  if (!(error instanceof StoreRefused)) throw error;
  return error;
}

function written(name: string): MemoryFile {
  const file = formatted(name);
  const store = open(file);
  commitNow(store, [promiseOf(3), voteOf(1), voteOf(2), { kind: "round", round: 9 }]);
  commitNow(store, [voteOf(5)], 2);
  return file;
}

describe("a store that is moved", () => {
  it("opens in its new file with all it held, and never again in the old one", async () => {
    const [from, to] = [written("inode 1"), new MemoryFile("inode 2")];
    const before = open(from);
    await move(from, to);
    expect([codeAt(from), codeAt(to)]).toEqual(["moved", "opens"]);
    const after = open(to);
    expect(slotsIn(after)).toEqual([2, 5]);
    expect(after.records).toEqual(open(written("inode 1")).records);
    const { windowMax: _, ...kept } = identity;
    expect(after.meta).toMatchObject({ ...kept, incarnation: before.meta.incarnation + 1 });
    // It goes on above all that the old file can have said, as a witness wants it.
    expect(after.meta.openings.at(-1)?.writeNumber).toBeGreaterThan(before.durableWriteNumber);
    // The process that had it open is fenced, as by any second one.
    expect(commitNow(before, [voteOf(6)])).toMatchObject({ kind: "fenced" });
    expect(commitNow(after, [voteOf(6)])).toBeNull();
    // Done again it changes nothing.
    await move(from, to);
    expect(slotsIn(open(to))).toEqual([2, 5, 6]);
    const { message } = tried(from) as StoreRefused;
    expect(message).toContain("moved from folder of inode 1 to folder of inode 2");
    expect(message).toContain("synod move acceptor:a1");
  });

  it("opens in one of the two at most, whenever it is killed, and the move ends", async () => {
    const ways = new Set<string>();
    let kills = 0;
    for (let left = 0; ; left++) {
      const [from, to] = [written("inode 1"), new MemoryFile("inode 2")];
      const life = { left };
      const killed = await move(from, to, life).then(
        () => false,
        (error: unknown) => error instanceof Killed,
      );
      ways.add(`${codeAt(from)} ${codeAt(to)}`);
      expect([opens(from), opens(to)]).not.toEqual([true, true]);
      // A store that can still run where it was, runs on and says more.
      if (opens(from)) commitNow(open(from), [voteOf(7)], 5);
      const held = opens(from) ? [5, 7] : [2, 5];
      await move(from, to);
      expect([codeAt(from), codeAt(to)]).toEqual(["moved", "opens"]);
      expect(slotsIn(open(to))).toEqual(held);
      if (!killed) break;
      kills++;
    }
    expect(kills).toBe(4);
    expect([...ways]).toEqual([
      "opens not_formatted",
      "opens awaiting",
      "moved awaiting",
      "moved opens",
    ]);
  });

  it("with more records than a transaction takes comes whole, wherever killed", async () => {
    const from = formatted("inode 1");
    const slots = Array.from({ length: 2500 }, (_, slot) => slot);
    commitNow(
      open(from),
      slots.map((slot) => voteOf(slot)),
    );
    const to = new MemoryFile("inode 2");
    for (let left = 0; !opens(to); left++) await move(from, to, { left }).catch(() => undefined);
    expect(slotsIn(open(to))).toEqual(slots);
  });

  it("is carried: one file in the world takes it in, once, from any copy", async () => {
    const from = written("inode 1");
    const to = new MemoryFile("inode 9 of another machine");
    const name = await prepareTarget(placeOf(to), options);
    expect(await prepareTarget(placeOf(to), options)).toBe(name);
    expect(codeAt(to)).toBe("awaiting");
    // Not before it left.
    const early = from.copy("carried too early");
    expect(await refusal(takeIn(placeOf(early), placeOf(to), identity))).toMatchObject({
      code: "not_moved",
    });
    await leave(placeOf(from), identity, { name, to: "" });
    await leave(placeOf(from), identity, { name, to: "" });
    expect(codeAt(from)).toBe("moved");
    const [carried, again] = [from.copy("carried"), from.copy("carried again")];
    expect(codeAt(carried)).toBe("moved");
    // No other file takes it in: a copy of the one that awaits it, one that awaits another move.
    const copied = to.copy("copy of inode 9");
    expect(await refusal(takeIn(placeOf(carried), placeOf(copied), identity))).toMatchObject({
      code: "copied",
    });
    const other = new MemoryFile("inode 10");
    await prepareTarget(placeOf(other), options);
    expect(await refusal(takeIn(placeOf(carried), placeOf(other), identity))).toMatchObject({
      code: "wrong_move",
    });
    expect(
      await refusal(leave(placeOf(from), identity, { name: "f".repeat(32), to: "" })),
    ).toMatchObject({ code: "moved" });
    await takeIn(placeOf(carried), placeOf(to), identity);
    expect(commitNow(open(to), [voteOf(8)])).toBeNull();
    // Once more it changes nothing, and what awaits still gets nothing.
    await takeIn(placeOf(again), placeOf(to), identity);
    expect(slotsIn(open(to))).toEqual([2, 5, 8]);
    expect(await refusal(takeIn(placeOf(again), placeOf(copied), identity))).toBeDefined();
    expect([from, carried, again, copied, other].filter(opens)).toEqual([]);
  });

  it("that was damaged on its way is carried again", async () => {
    const [from, to] = [written("inode 1"), new MemoryFile("inode 2")];
    const name = await prepareTarget(placeOf(to), options);
    await leave(placeOf(from), identity, { name, to: "" });
    const damaged = from.copy("carried");
    const { key, bytes } = damaged.pairs().at(-1) as { key: Uint8Array; bytes: Uint8Array };
    damaged.write(key, bytes.with(5, (bytes[5] as number) ^ 1));
    const refused = await refusal(takeIn(placeOf(damaged), placeOf(to), identity));
    expect(refused).toMatchObject({ code: "corrupt" });
    expect(refused.message).toContain("carry it here again");
    await takeIn(placeOf(from.copy("carried again")), placeOf(to), identity);
    expect(slotsIn(open(to))).toEqual([2, 5]);
  });

  it("stays where it is if the new place is taken, or has no room", async () => {
    const from = written("inode 1");
    const taken = [from.copy("a copy"), written("inode 3"), from];
    for (const to of taken) {
      expect(await refusal(move(from, to))).toMatchObject({ code: "already_formatted" });
      expect(opens(from)).toBe(true);
    }
    const small = new MemoryFile("inode 4", { bytesMax: 500 });
    expect(await refusal(move(from, small))).toMatchObject({ code: "no_room" });
    expect([opens(from), opens(small)]).toEqual([true, false]);
    small.bytesMax = 10_000;
    await move(from, small);
    expect([opens(from), opens(small)]).toEqual([false, true]);
  });

  it("is not ended if another process wrote to it meanwhile", async () => {
    const [from, to] = [written("inode 1"), new MemoryFile("inode 2")];
    const disk = from.open();
    let commits = 0;
    const meddling: Disk = {
      file: disk.file,
      get: (key) => disk.get(key),
      scan: (first, end, visit) => disk.scan(first, end, visit),
      commit: (batch, done) => disk.commit(batch, done),
      hasRoom: () => true,
      room: () => disk.room(),
      close: () => undefined,
    };
    const target = placeOf(to);
    const { commit } = target.disk;
    target.disk.commit = (batch, done) => {
      // The first makes the target, the second copies.
      if (++commits === 2) commitNow(open(from), [voteOf(7)]);
      commit(batch, done);
    };
    const refused = await refusal(moveStore({ disk: meddling, folder: "here" }, target, options));
    expect(refused).toMatchObject({ code: "fenced" });
    expect([opens(from), opens(to)]).toEqual([true, false]);
    await move(from, to);
    expect(slotsIn(open(to))).toEqual([2, 5, 7]);
  });

  it("of another role or cluster is not taken for it", async () => {
    const [from, to] = [written("inode 1"), new MemoryFile("inode 2")];
    const other = { ...options, identity: { ...identity, id: "a2" } };
    const attempt = moveStore(placeOf(from), placeOf(to), other);
    expect(await refusal(attempt)).toMatchObject({ code: "wrong_role" });
    expect(to.pairs()).toEqual([]);
    expect(await refusal(move(new MemoryFile("inode 3"), to))).toMatchObject({
      code: "not_formatted",
    });
    const rotten = written("inode 4");
    rotten.remove(META_KEY);
    expect(await refusal(move(rotten, to))).toMatchObject({ code: "corrupt" });
    expect(to.pairs()).toEqual([]);
  });
});

describe("a code", () => {
  const name = "0123456789abcdef0123456789abcdef";

  it("is read back for its store, and for no other; a typing error is found", () => {
    const code = writeMoveCode(name, identity.storeId);
    expect(readMoveCode(` ${code.toUpperCase()}\n`, identity.storeId)).toBe(name);
    expect(readMoveCode(code, "f".repeat(32))).toBeUndefined();
    for (let at = 0; at < code.length; at++) {
      const wrong = code.slice(0, at) + (code[at] === "7" ? "8" : "7") + code.slice(at + 1);
      expect([wrong, readMoveCode(wrong, identity.storeId)]).toEqual([wrong, undefined]);
    }
    for (const bad of ["", name, `${name}-`, code.slice(1)]) {
      expect(readMoveCode(bad, identity.storeId)).toBeUndefined();
    }
  });
});
