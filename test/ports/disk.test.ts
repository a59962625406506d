/**
 * Goal: the twin in memory behaves like the disk it stands for, and both as the port says.
 * Method: one suite over both; then what only the twin can do, because tests ask it to.
 */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DiskOptions, openDisk } from "../../src/adapters/lmdb/open.js";
import { MemoryFile } from "../../src/adapters/memory/disk.js";
import type { DiskError } from "../../src/kernel/ports.js";
import { commit, type DiskPlace, diskSuite } from "./disk.suite.js";

let root: string;
let count = 0;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "synod-disk-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const inMemory = (file: MemoryFile): DiskPlace => ({
  open: () => file.open(),
  copy: () => inMemory(file.copy(`memory:${++count}`)),
});

const inDirectory = (directory: string, options: DiskOptions = {}): DiskPlace => ({
  open: () => openDisk(directory, { create: true, growBytes: 4096, ...options }),
  copy: () => {
    const to = join(root, `d${++count}`);
    cpSync(directory, to, { recursive: true });
    return inDirectory(to, options);
  },
});

function newDirectory(): string {
  return mkdtempSync(join(root, "n-"));
}

describe("memory, finished at once", () => {
  diskSuite(() => inMemory(new MemoryFile(`memory:${++count}`)));
});

describe("memory, finished later", () => {
  diskSuite(() =>
    inMemory(new MemoryFile(`memory:${++count}`, { soon: (run) => queueMicrotask(run) })),
  );
});

describe("lmdb", () => {
  diskSuite(() => inDirectory(newDirectory()));
});

describe.each(["in place", "beside"] as const)("lmdb behind a journal, synced %s", (syncs) => {
  describe.each([16 * 1024, 1024 * 1024])("of %i bytes", (journalBytes) => {
    diskSuite(() => inDirectory(newDirectory(), { journalBytes, syncs }));
  });
});

describe("the twin", () => {
  const bytes = (value: number) => Uint8Array.of(value);
  const META = bytes(0);
  const queue: (() => void)[] = [];
  const slow = () => new MemoryFile("memory:slow", { soon: (run) => queue.push(run) });
  const chain = (file: MemoryFile, length: number, said: (DiskError | null)[] = []) => {
    const disk = file.open();
    for (let at = 0; at < length; at++) {
      const before = at === 0 ? null : bytes(at);
      const puts = [
        { key: META, bytes: bytes(at + 1) },
        { key: Uint8Array.of(1, at), bytes: bytes(at) },
      ];
      disk.commit({ expect: { key: META, bytes: before }, puts, removes: [] }, (error) =>
        said.push(error),
      );
    }
    return disk;
  };
  const names = (file: MemoryFile) => file.pairs().map(({ key }) => key.join("."));

  it("shows a batch to nobody before it is synced, and loses it in a crash", () => {
    const file = slow();
    const said: (DiskError | null)[] = [];
    const disk = chain(file, 2, said);
    expect([file.unsynced, disk.get(META), said]).toEqual([2, undefined, []]);
    queue.shift()?.();
    expect([file.unsynced, disk.get(META), said]).toEqual([1, bytes(1), [null]]);
    file.crash();
    for (const run of queue.splice(0)) run();
    expect([said, names(file)]).toEqual([[null], ["0", "1.0"]]);
  });

  it("keeps of unsynced batches what the test chooses, whole or torn", () => {
    const kept = slow();
    chain(kept, 3);
    kept.crash((_, index) => (index < 2 ? "kept" : "lost"));
    expect(names(kept)).toEqual(["0", "1.0", "1.1"]);
    const torn = slow();
    chain(torn, 1);
    torn.crash(() => ({ kept: (operation) => operation === 1 }));
    expect(names(torn)).toEqual(["1.0"]);
    // A batch behind one that was lost expected what is not there.
    const gap = slow();
    chain(gap, 2);
    gap.crash((_, index) => (index === 1 ? "kept" : "lost"));
    expect(names(gap)).toEqual([]);
    queue.length = 0;
  });

  it("fails as scripted: full once, failed for good, written or not", async () => {
    const file = new MemoryFile("memory:script");
    const disk = file.open();
    const put = (at: number) => commit(disk, { puts: [{ key: bytes(at), bytes: bytes(1) }] });
    file.trouble(null, "full", "failed_but_written");
    expect(await put(1)).toBeNull();
    expect(await put(2)).toMatchObject({ kind: "full" });
    expect(await put(3)).toMatchObject({ kind: "failed" });
    expect(await put(4)).toMatchObject({ kind: "failed" });
    expect(names(file)).toEqual(["1", "3"]);
    expect(disk.hasRoom(1)).toBe(false);
    expect(file.open().hasRoom(1)).toBe(true);
  });

  it("is full at its limit, and lends bytes only until the next commit", async () => {
    const file = new MemoryFile("memory:small", { bytesMax: 10 });
    const disk = file.open();
    const put = (size: number) =>
      commit(disk, { puts: [{ key: bytes(1), bytes: new Uint8Array(size).fill(7) }] });
    expect(await put(9)).toBeNull();
    const lent = disk.get(bytes(1));
    expect(lent?.[0]).toBe(7);
    expect(await put(9)).toMatchObject({ kind: "full" });
    expect(lent?.[0]).not.toBe(7);
    expect(disk.hasRoom(1)).toBe(false);
    file.bytesMax = 100;
    expect(await put(20)).toBeNull();
    expect(file.bytes).toBe(21);
  });
});
