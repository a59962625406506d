/**
 * Goal: one process answers for one directory, and a directory that is not exactly the formatted
 * one is refused with a sentence.
 * Method: real directories; other processes where one process would know too much.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLmdbDisk } from "../../src/adapters/lmdb/disk.js";
import { formatDirectory, openDirectory } from "../../src/adapters/lmdb/format.js";
import { claimDirectory } from "../../src/adapters/lmdb/lock.js";
import { openDisk } from "../../src/adapters/lmdb/open.js";
import type { StoreRefused } from "../../src/kernel/store/refusal.js";
import type { Store } from "../../src/kernel/store/store.js";
import { commitNow, identity, promiseOf, slotsIn, voteOf } from "../kernel/stores.js";
import { commit } from "../ports/disk.suite.js";
import { buildChildren, lacking, run, writeChild } from "./lmdb-child.js";

let root: string;
let count = 0;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "synod-directory-"));
  buildChildren(root);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Commits end before the call returns. */
const atOnce = { syncs: "in place" } as const;

const fresh = () => join(root, `d${++count}`);

async function formatted(): Promise<string> {
  const directory = fresh();
  await formatDirectory(directory, identity, { growBytes: 4096 });
  return directory;
}

async function using<T>(directory: string, use: (store: Store) => T): Promise<T> {
  const { store, close } = await openDirectory(directory, identity, atOnce);
  try {
    return use(store);
  } finally {
    await close();
  }
}

async function refusal(attempt: Promise<unknown>): Promise<StoreRefused> {
  const error = await attempt.then(
    () => undefined,
    (refused: unknown) => refused,
  );
  if (error === undefined) throw new Error("it was not refused");
  return error as StoreRefused;
}

const refusedAt = (directory: string) => refusal(openDirectory(directory, identity));

describe("a directory", () => {
  it("that is renamed under its store: how full it is can be asked all the same", async () => {
    const directory = await formatted();
    const { store, close } = await openDirectory(directory, identity);
    const { usedBytes } = store.room();
    renameSync(directory, fresh());
    expect(store.room()).toEqual({ usedBytes, bytesMax: expect.any(Number) });
    expect(() => store.hasRoom()).not.toThrow();
    await close();
  });

  it("is made, formatted, opened, written, and opened again", async () => {
    const directory = join(fresh(), "deep", "acceptor-a1");
    await formatDirectory(directory, identity);
    await using(directory, (store) => {
      const { windowMax: _, ...kept } = identity;
      expect(store.meta).toMatchObject({ ...kept, incarnation: 1 });
      expect(commitNow(store, [promiseOf(1), voteOf(1), voteOf(2)])).toBeNull();
    });
    await using(directory, (store) => {
      expect(store.records).toEqual([promiseOf(1), voteOf(1), voteOf(2)]);
      expect(store.meta.openings).toHaveLength(2);
    });
    expect(readdirSync(directory).sort()).toEqual(["store.mdb", "store.mdb-lock"]);
  });

  it("that holds a store is not formatted again, and keeps it", async () => {
    const directory = await formatted();
    await using(directory, (store) => commitNow(store, [voteOf(1)]));
    const refused = await refusal(formatDirectory(directory, { ...identity, id: "a2" }));
    expect(refused).toMatchObject({ name: "StoreRefused", code: "already_formatted" });
    expect(await using(directory, slotsIn)).toEqual([1]);
  });

  it("that is missing, empty or wiped is never made anew", async () => {
    const missing = fresh();
    expect(await refusedAt(missing)).toMatchObject({ code: "not_formatted" });
    expect(existsSync(missing)).toBe(false);
    const empty = fresh();
    mkdirSync(empty);
    expect(await refusedAt(empty)).toMatchObject({ code: "not_formatted" });
    expect(readdirSync(empty)).toEqual([]);
    const wiped = await formatted();
    rmSync(join(wiped, "store.mdb"));
    const { code, message } = await refusedAt(wiped);
    expect([code, message.includes(wiped)]).toEqual(["not_formatted", true]);
    writeFileSync(join(wiped, "store.mdb"), "");
    expect(await refusedAt(wiped)).toMatchObject({ code: "not_formatted" });
  });

  it("of another cluster, role or epoch is refused", async () => {
    const directory = await formatted();
    const as = (other: object) => refusal(openDirectory(directory, { ...identity, ...other }));
    expect(await as({ clusterId: "f".repeat(32) })).toMatchObject({ code: "wrong_cluster" });
    expect(await as({ id: "a2" })).toMatchObject({ code: "wrong_role" });
    expect(await as({ epoch: 9 })).toMatchObject({ code: "wrong_epoch" });
    expect(await using(directory, ({ meta }) => meta.incarnation)).toBe(1);
  });

  it("that was copied is refused; one that was renamed is not", async () => {
    const directory = await formatted();
    const copy = fresh();
    cpSync(directory, copy, { recursive: true, preserveTimestamps: true });
    expect(await refusedAt(copy)).toMatchObject({ code: "copied" });
    // Over its own path, and with the original gone, too.
    rmSync(directory, { recursive: true });
    cpSync(copy, directory, { recursive: true });
    expect(await refusedAt(directory)).toMatchObject({ code: "copied" });
  });

  it("whose bytes were set back shows it in its openings, for witnesses to see", async () => {
    const directory = await formatted();
    const path = join(directory, "store.mdb");
    await using(directory, (store) => commitNow(store, [voteOf(1)]));
    const older = readFileSync(path);
    const seen = await using(directory, (store) => {
      commitNow(store, [voteOf(2)]);
      return store.meta;
    });
    writeFileSync(path, older);
    const { openings, incarnation } = await using(directory, ({ meta }) => meta);
    expect(incarnation).toBe(seen.incarnation);
    expect(openings.at(-1)?.writeNumber).toBeLessThan(seen.writeNumber);
  });

  it("with a flipped bit in a record, or cut short, is corrupt", async () => {
    const directory = await formatted();
    const path = join(directory, "store.mdb");
    await using(directory, (store) => {
      commitNow(store, [promiseOf(5), voteOf(1)]);
      commitNow(store, [voteOf(2)]);
    });
    const good = readFileSync(path);
    const inRecords = ["value 1 of slot 1", "p1.0123456789abcdef", "acceptor"];
    for (const text of inRecords) {
      const bad = Buffer.from(good);
      for (let at = bad.indexOf(text); at >= 0; at = bad.indexOf(text, at + 1)) bad[at]! ^= 4;
      writeFileSync(path, bad);
      expect(await refusedAt(directory)).toMatchObject({ code: "corrupt" });
    }
    // The head: its mark, its page size, a tree's flags and roots, and its transaction's number.
    const roots = [88 + 5, 136 + 5];
    const isFirstLater = good.readBigUInt64LE(152) > good.readBigUInt64LE(4096 + 152);
    for (const at of [24, 48, 52, ...roots, 152, 152 + 3]) {
      for (const page of [0, 4096]) {
        const bad = Buffer.from(good);
        bad[page + at]! ^= 16;
        writeFileSync(path, bad);
        // The roots of the earlier head lead nowhere that anybody goes.
        const isEarlier = (page === 0) !== isFirstLater;
        if (isEarlier && roots.includes(at)) {
          expect(await using(directory, slotsIn)).toEqual([1, 2]);
        } else expect(await refusedAt(directory)).toMatchObject({ code: "corrupt" });
      }
    }
    writeFileSync(path, good);
    truncateSync(path, 8192);
    expect(await refusedAt(directory)).toMatchObject({ code: "corrupt" });
    writeFileSync(path, "no database at all, but long enough to be looked at".repeat(400));
    expect(await refusedAt(directory)).toMatchObject({ code: "corrupt" });
    writeFileSync(path, good);
    expect(await using(directory, slotsIn)).toEqual([1, 2]);
  });

  it("is fenced when two processes got past its lock", async () => {
    const directory = await formatted();
    const { store, close } = await openDirectory(directory, identity, atOnce);
    const other = openDisk(directory);
    const meta = Uint8Array.of(0);
    await commit(other, { puts: [{ key: meta, bytes: Uint8Array.of(1) }] });
    expect(commitNow(store, [voteOf(1)])).toMatchObject({ kind: "fenced" });
    other.close();
    await close();
  });
});

describe("the lock", () => {
  it("tells a second opener who has the directory, until it is closed", async () => {
    const [one, two] = [await formatted(), await formatted()];
    const first = await openDirectory(one, identity);
    const elsewhere = await openDirectory(two, identity);
    const refused = await refusedAt(one);
    expect(refused).toMatchObject({ code: "in_use" });
    expect(refused.message).toContain(`in use by process ${process.pid}`);
    expect(await refusal(formatDirectory(one, identity))).toMatchObject({ code: "in_use" });
    await first.close();
    await using(one, () => undefined);
    await elsewhere.close();
  });

  it("names another process by its pid, and ends with it, also by kill -9", async () => {
    const directory = await formatted();
    const program = writeChild(
      root,
      "holder",
      `await openDirectory(${JSON.stringify(directory)}, identity);
       say("open");
       setInterval(() => undefined, 1000);`,
    );
    const holder = spawn(process.execPath, [program], { stdio: ["ignore", "pipe", "inherit"] });
    await Promise.race([once(holder.stdout, "data"), once(holder, "exit")]);
    expect((await refusedAt(directory)).message).toContain(`in use by process ${holder.pid}`);
    holder.kill("SIGSTOP");
    expect((await refusedAt(directory)).message).toContain("in use by another process");
    holder.kill("SIGKILL");
    await once(holder, "exit");
    expect(await using(directory, ({ meta }) => meta.incarnation)).toBe(2);
  });

  it("leaves no process waiting for it", async () => {
    const directory = await formatted();
    const program = `await openDirectory(${JSON.stringify(directory)}, identity); say("open");`;
    const path = writeChild(root, "idle", program);
    const idle = spawn(process.execPath, [path], { stdio: "ignore" });
    expect(await once(idle, "exit")).toEqual([0, null]);
  });

  it("by file does the same where there are no such sockets", async () => {
    const directory = fresh();
    mkdirSync(directory);
    const claim = () => claimDirectory(directory, { by: "file" });
    const first = await claim();
    expect(first.kind).toBe("claimed");
    expect(await claim()).toEqual({ kind: "held", pid: process.pid });
    if (first.kind === "claimed") await first.release();
    expect(readdirSync(directory)).toEqual([]);
    // What a process left that was killed, or that never got to write its pid; and a lock of before
    // a reboot, whose pid a living process has now.
    for (const left of ["4194304999\n", "", `${process.ppid}\nstarted before the reboot\n`]) {
      writeFileSync(join(directory, "store.pid"), left);
      const next = await claim();
      expect([left, next.kind]).toEqual([left, "claimed"]);
      if (next.kind === "claimed") await next.release();
    }
    // One that names no start may be of an earlier version, and its process lives.
    writeFileSync(join(directory, "store.pid"), `${process.ppid}\n`);
    expect(await claim()).toEqual({ kind: "held", pid: process.ppid });
  });

  it("by file takes no later process of the same pid for the holder", (context) => {
    const container = ["-rm", "--pid", "--fork", "--mount-proc"];
    const noContainer = lacking("unshare", ...container, process.execPath, "-v");
    if (noContainer !== undefined) return context.skip(noContainer);
    const directory = fresh();
    mkdirSync(directory);
    const path = writeChild(
      root,
      "container",
      `const { claimDirectory } = await import("./src/adapters/lmdb/lock.js");
       const { kind } = await claimDirectory(${JSON.stringify(directory)}, { by: "file" });
       say(process.pid + " " + kind);
       process.kill(process.pid, "SIGKILL");
       process.exit(0);`,
    );
    // A container that is killed and started again: node is process 1 each time.
    for (let start = 0; start < 2; start++) {
      const { out } = run("unshare", ...container, process.execPath, path);
      expect(out).toBe("1 claimed\n");
      expect(readdirSync(directory)).toContain("store.pid");
    }
  });
});

describe("the data file", () => {
  it("grows ahead of its records, far beyond the first map of LMDB", async () => {
    const directory = fresh();
    mkdirSync(directory);
    const disk = openLmdbDisk(directory, { create: true });
    const large = new Uint8Array(700_000).fill(9);
    for (let at = 1; at <= 20; at++) {
      expect(
        await commit(disk, { puts: [{ key: Uint8Array.of(2, at), bytes: large }] }),
      ).toBeNull();
    }
    expect(statSync(join(directory, "store.mdb")).size).toBeGreaterThan(20 * large.length);
    disk.close();
    const again = openLmdbDisk(directory);
    let bytes = 0;
    again.scan(Uint8Array.of(0), null, (_, value) => {
      bytes += value.length;
      return true;
    });
    expect(bytes).toBe(20 * large.length);
    again.close();
  });

  it("is full at the limit that its option sets, and may forget even then", async () => {
    const directory = fresh();
    mkdirSync(directory);
    const options = { create: true, bytesMax: 3_000_000, growBytes: 4096 };
    const disk = openLmdbDisk(directory, options);
    const value = new Uint8Array(100_000);
    const put = (at: number) =>
      commit(disk, { puts: [{ key: Uint8Array.of(2, at), bytes: value }] });
    let stored = 0;
    while ((await put(stored)) === null) stored++;
    expect(await put(200)).toMatchObject({ kind: "full" });
    expect(stored * value.length).toBeGreaterThan(2_000_000);
    expect(stored * value.length).toBeLessThan(3_000_000);
    expect(disk.hasRoom(value.length)).toBe(false);
    const removes = Array.from({ length: stored - 5 }, (_, at) => Uint8Array.of(2, at));
    expect(await commit(disk, { removes })).toBeNull();
    expect(disk.hasRoom(value.length)).toBe(true);
    for (let at = 0; at < 3 * stored; at++) {
      const one = { key: Uint8Array.of(3, at % 10), bytes: value };
      expect(await commit(disk, { puts: [one] })).toBeNull();
    }
    expect(statSync(join(directory, "store.mdb")).size).toBeLessThan(6_000_000);
    disk.close();
  });
});
