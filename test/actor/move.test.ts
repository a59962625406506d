/**
 * Goal: a store that is moved opens in one file at most, whatever is copied, wiped or killed
 * meanwhile; a move that was interrupted can be done again and ends; and no vote is lost by it.
 * Method: memory files. A process dies before its n-th commit, for every n; and random histories of
 * copies, moves and deaths are held against one list of votes.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  leave,
  moveStore,
  prepareTarget,
  readMoveCode,
  takeIn,
  writeMoveCode,
} from "../../src/actor/move.js";
import type { Disk } from "../../src/actor/ports.js";
import { StoreRefused } from "../../src/actor/refusal.js";
import { openStore, type Store } from "../../src/actor/store.js";
import { MemoryFile } from "../../src/adapters/memory/disk.js";
import { META_KEY } from "../../src/paxos/record.js";
import { commitNow, formatted, identity, promiseOf, slotsIn, voteOf } from "./stores.js";

class Killed extends Error {}

/** Commits that a process may still do before it is killed. */
interface Life {
  left: number;
}

const immortal = (): Life => ({ left: Number.POSITIVE_INFINITY });

function mortal(disk: Disk, life: Life): Disk {
  return {
    file: disk.file,
    get: (key) => disk.get(key),
    scan: (from, to, visit) => disk.scan(from, to, visit),
    commit: (batch, done) => {
      if (life.left-- <= 0) throw new Killed();
      disk.commit(batch, done);
    },
    hasRoom: (bytes) => disk.hasRoom(bytes),
    close: () => disk.close(),
  };
}

const placeOf = (file: MemoryFile, life = immortal()) => ({
  disk: mortal(file.open(), life),
  folder: `folder of ${file.name}`,
});

let drawn = 0;
const options = { identity, draw: () => (++drawn).toString(16).padStart(32, "0") };

const move = (from: MemoryFile, to: MemoryFile, life = immortal()) =>
  moveStore(placeOf(from, life), placeOf(to, life), options);

/** Opens the store in a file, and leaves the file as it is. */
function tried(file: MemoryFile): Store | StoreRefused {
  let result: Store | StoreRefused | undefined;
  openStore(file.copy(file.name).open(), identity, `folder of ${file.name}`, (opened) => {
    result = opened;
  });
  return result as Store | StoreRefused;
}

const opens = (file: MemoryFile) => !(tried(file) instanceof StoreRefused);
const codeAt = (file: MemoryFile) => {
  const result = tried(file);
  return result instanceof StoreRefused ? result.code : "opens";
};

function open(file: MemoryFile): Store {
  let result: Store | StoreRefused | undefined;
  openStore(file.open(), identity, file.name, (opened) => {
    result = opened;
  });
  if (result instanceof StoreRefused || result === undefined) throw result;
  return result;
}

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
    expect(after.meta).toMatchObject({ ...identity, incarnation: before.meta.incarnation + 1 });
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

  it("with more records than one transaction takes comes whole, if killed too", async () => {
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

/** A step of a history over a few files; `left`: commits before its process is killed. */
type Step =
  | { readonly kind: "vote" | "wipe" | "prepare"; readonly at: number; readonly left: number }
  | {
      readonly kind: "copy" | "move" | "leave" | "takeIn";
      readonly at: number;
      readonly to: number;
      readonly left: number;
    };

const FILES = 4;
/** One more than there are files: the one that opens, or the first. */
const file = fc.oneof(fc.nat(FILES - 1), fc.constant(FILES));
const left = fc.oneof(fc.nat(6), fc.constant(Number.POSITIVE_INFINITY));
const kindsOf = <K extends string>(...kinds: K[]) => fc.constantFrom(...kinds);
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: kindsOf("vote", "prepare"), at: file, left }) },
  {
    weight: 7,
    arbitrary: fc.record({
      kind: kindsOf("copy", "move", "move", "move", "leave", "takeIn", "takeIn"),
      at: file,
      to: file,
      left,
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("wipe" as const), at: file, left }) },
);

/** Files and what their one store has voted. */
class Cupboard {
  readonly files = Array.from({ length: FILES }, (_, at) => new MemoryFile(`inode ${at}`));
  /** The move that each file was last prepared for. */
  readonly names: string[] = [];
  voted: number[] = [];
  arrivals = 0;
  #inodes = FILES;
  #slots = 0;

  constructor() {
    this.files[0] = formatted("inode 0");
  }

  at(index: number): MemoryFile {
    return this.files[index] as MemoryFile;
  }

  #resolve(step: Step): Step {
    const home = Math.max(this.files.findIndex(opens), 0);
    const which = (at: number) => (at < FILES ? at : home);
    return "to" in step
      ? { ...step, at: which(step.at), to: which(step.to) }
      : { ...step, at: which(step.at) };
  }

  async run(asked: Step): Promise<void> {
    const step = this.#resolve(asked);
    const life = { left: step.left };
    const here = placeOf(this.at(step.at), life);
    switch (step.kind) {
      case "vote":
        return this.#vote(this.at(step.at));
      case "wipe":
        // A person removes what does not open; a store that is destroyed shows nothing more.
        if (opens(this.at(step.at))) return;
        this.files[step.at] = new MemoryFile(`inode ${this.#inodes++}`);
        return;
      case "prepare":
        this.names[step.at] = await prepareTarget(here, options);
        return;
      case "copy":
        if (opens(this.at(step.to))) return;
        this.files[step.to] = this.at(step.at).copy(`inode ${this.#inodes++}`);
        return;
      case "leave":
        if (this.names[step.to] === undefined) return;
        return leave(here, identity, { name: this.names[step.to] as string, to: "" });
      case "move":
        await moveStore(here, placeOf(this.at(step.to), life), options);
        this.arrivals++;
        return;
      case "takeIn":
        await takeIn(here, placeOf(this.at(step.to), life), identity);
        this.arrivals++;
    }
  }

  #vote(at: MemoryFile): void {
    if (!opens(at)) return;
    const store = open(at);
    expect(slotsIn(store)).toEqual(this.voted);
    const slot = this.#slots++;
    const below = slot % 3 === 0 ? slot - 2 : 0;
    expect(commitNow(store, [voteOf(slot)], below)).toBeNull();
    this.voted = [...this.voted.filter((voted) => voted >= below), slot];
  }

  check(): void {
    const homes = this.files.filter(opens);
    expect(homes.length).toBeLessThanOrEqual(1);
    for (const home of homes) {
      const result = tried(home);
      if (!(result instanceof StoreRefused)) expect(slotsIn(result)).toEqual(this.voted);
    }
  }
}

describe("any history of copies, moves and deaths", () => {
  it("leaves at most one file that opens, with every vote of the store", async () => {
    let arrivals = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(steps, { minLength: 10, maxLength: 40, size: "max" }),
        async (history) => {
          const cupboard = new Cupboard();
          for (const step of history) {
            await cupboard.run(step).catch((error: unknown) => {
              if (!(error instanceof StoreRefused || error instanceof Killed)) throw error;
            });
            cupboard.check();
          }
          arrivals += cupboard.arrivals;
        },
      ),
      { numRuns: 250, seed: 4711 },
    );
    // Otherwise the histories would show nothing.
    expect(arrivals).toBeGreaterThan(100);
  });
});
