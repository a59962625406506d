/**
 * Goal: whatever happens to a process between two commits, the next one finds what was synced; a
 * journal that is not what was written is refused, never read as less.
 * Method: real folders; a process that was killed is the copy of its folder, taken while its disk
 * is open. Cuts in the middle of writes: test/cluster/disk-prefixes.test.ts.
 */
import {
  closeSync,
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DiskOptions, openDisk } from "../../src/adapters/lmdb/open.js";
import { createSeededRandom } from "../../src/adapters/memory/random.js";
import type { Disk, DiskError } from "../../src/kernel/ports.js";
import { commit } from "../ports/disk.suite.js";

const HEAD_BYTES = 4096;
const SECTOR_BYTES = 512;

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "synod-journal-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const fresh = () => mkdtempSync(join(root, "d-"));
const open = (directory: string, options: DiskOptions = {}) =>
  openDisk(directory, { create: true, journalBytes: 64 * 1024, syncs: "in place", ...options });
const journalOf = (directory: string) => join(directory, "store.journal");

/** What a process that is killed now leaves. */
function killed(directory: string): string {
  const copy = fresh();
  cpSync(directory, copy, { recursive: true });
  return copy;
}

const put = (at: number, size = 300) => ({
  key: Uint8Array.of(1, at >> 8, at),
  bytes: new Uint8Array(size).fill(at),
});

/** All that a disk holds: each key with the length and the first byte of its value. */
function contents(disk: Disk): string[] {
  const found: string[] = [];
  disk.scan(Uint8Array.of(0), null, (key, bytes) => {
    found.push(`${key.join(".")}:${bytes.length}×${bytes[0]}`);
    return true;
  });
  return found;
}

function contentsAt(directory: string): string[] {
  const disk = open(directory);
  try {
    return contents(disk);
  } finally {
    disk.close();
  }
}

async function filled(records: number): Promise<{ directory: string; disk: Disk }> {
  const directory = fresh();
  const disk = open(directory);
  for (let at = 0; at < records; at++) {
    expect(await commit(disk, { puts: [put(at)] })).toBeNull();
  }
  return { directory, disk };
}

describe("a process that was killed", () => {
  it("leaves all that it committed, through many fillings, with every kind of batch", async () => {
    const directory = fresh();
    let disk = open(directory);
    const random = createSeededRandom("journal");
    const expected = new Map<number, string>();
    const name = (at: number, size: number) => `1.${at >> 8}.${at & 255}:${size}×${at & 255}`;
    const sizes = [1, 300, 300, 3000, 30_000, 100_000];
    for (let n = 0; n < 400; n++) {
      const puts = Array.from({ length: 1 + random.integer(3) }, () => {
        const size = sizes[random.integer(n % 20 === 0 ? sizes.length : 4)] ?? 1;
        return put(random.integer(600), size);
      });
      const known = [...expected.keys()];
      const gone = Array.from({ length: random.integer(3) }, () => random.integer(600)).filter(
        (at) => known.includes(at) && !puts.some(({ key }) => key[2] === (at & 255)),
      );
      expect(await commit(disk, { puts, removes: gone.map((at) => put(at).key) })).toBeNull();
      for (const { key, bytes } of puts) {
        const at = ((key[1] as number) << 8) | (key[2] as number);
        expected.set(at, name(at, bytes.length));
      }
      for (const at of gone) expected.delete(at);
      if (n % 50 === 49) {
        const left = killed(directory);
        const wanted = [...expected].sort(([a], [b]) => a - b).map(([, text]) => text);
        expect(contents(disk)).toEqual(wanted);
        expect(contentsAt(left)).toEqual(wanted);
        if (n % 100 === 99) {
          disk.close();
          disk = open(directory);
        }
      }
    }
    disk.close();
  });

  it("leaves no journal if it ended in good order, and then needs none", async () => {
    const { directory, disk } = await filled(3);
    expect(existsSync(journalOf(directory))).toBe(true);
    const before = contents(disk);
    disk.close();
    expect(existsSync(journalOf(directory))).toBe(false);
    expect(contentsAt(directory)).toEqual(before);
  });

  it("may have left a record that is not whole: it is dropped, and written over", async () => {
    const { directory, disk } = await filled(3);
    const left = killed(directory);
    const before = contents(disk);
    disk.close();
    const bytes = readFileSync(journalOf(left));
    // Half of a fourth record: its first sector, as it would be at that place.
    const end = HEAD_BYTES + 3 * SECTOR_BYTES;
    bytes.copy(bytes, end, HEAD_BYTES, HEAD_BYTES + 100);
    writeFileSync(journalOf(left), bytes);
    const next = open(left);
    expect(contents(next)).toEqual(before);
    expect(await commit(next, { puts: [put(9)] })).toBeNull();
    const again = killed(left);
    next.close();
    expect(contentsAt(again)).toHaveLength(4);
  });
});

describe("a journal", () => {
  it("that is missing, of another store or of another time is refused", async () => {
    const { directory, disk } = await filled(3);
    const [gone, foreign, older] = [killed(directory), killed(directory), killed(directory)];
    const other = await filled(2);
    const missing = "its journal is missing";
    rmSync(journalOf(gone));
    expect(() => open(gone)).toThrow(missing);
    cpSync(journalOf(other.directory), journalOf(foreign));
    expect(() => open(foreign)).toThrow("its journal is not the one that it wrote");
    writeFileSync(journalOf(older), "");
    expect(() => open(older)).toThrow("its journal is not the one that it wrote");
    disk.close();
    other.disk.close();
  });

  it("with a bad byte in any record but the last is refused, wherever the byte is", async () => {
    const records = 4;
    const { directory, disk } = await filled(records);
    const left = killed(directory);
    const all = contents(disk);
    disk.close();
    const good = readFileSync(journalOf(left));
    const base = readFileSync(join(left, "store.mdb"));
    for (let at = HEAD_BYTES; at < HEAD_BYTES + records * SECTOR_BYTES; at += 7) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] as number) ^ 0x10;
      writeFileSync(journalOf(left), bad);
      const isLast = at >= HEAD_BYTES + (records - 1) * SECTOR_BYTES;
      if (!isLast) {
        expect(() => open(left), `byte ${at}`).toThrow("its journal lost record");
        continue;
      }
      // The last one cannot be told from one that was under way.
      expect(contentsAt(left), `byte ${at}`).toEqual(all.slice(0, -1));
      writeFileSync(join(left, "store.mdb"), base);
    }
  });

  it("takes no value for a record, however much it looks like one", async () => {
    const directory = fresh();
    const disk = open(directory);
    // As the records of the next generation will be, but for what they begin their checksum with.
    const fake = Buffer.alloc(SECTOR_BYTES);
    fake.write("SYNJ", 0, "latin1");
    fake.writeUInt32LE(4, 4);
    fake.writeDoubleLE(2, 8);
    fake.writeUInt32LE(7, 16);
    fake.writeUInt32LE(crc32(fake), 24);
    const like = { key: put(1).key, bytes: new Uint8Array(20_000) };
    for (let at = 0; at + SECTOR_BYTES <= like.bytes.length; at++) {
      // At every place where a sector of the file may begin.
      if ((at + 32 + 9 + 6 - 5) % SECTOR_BYTES === 0) like.bytes.set(fake, at);
    }
    const names = [put(0, 20_000), like, put(2, 15_000), put(3, 12_000)];
    for (const one of names) expect(await commit(disk, { puts: [one] })).toBeNull();
    const left = killed(directory);
    disk.close();
    expect(contentsAt(left)).toHaveLength(names.length);
  });

  it("is written by one process: a later one ends it, and is not harmed by it", async () => {
    const { directory, disk: first } = await filled(3);
    const second = open(directory);
    expect(await commit(second, { puts: [put(3)] })).toBeNull();
    for (let n = 0; n < 3; n++) {
      expect(await commit(first, { puts: [put(100 + n)] })).toMatchObject({ kind: "fenced" });
    }
    first.close();
    expect(await commit(second, { puts: [put(4)] })).toBeNull();
    const left = killed(directory);
    expect(contents(second)).toHaveLength(5);
    second.close();
    expect(contentsAt(left)).toHaveLength(5);
  });

  it("that was taken over between a sync and its answer answers nothing", async () => {
    const { directory, disk } = await filled(1);
    const late = openDisk(directory, { syncs: "in place" });
    // The first process still sees the value that it expects: only the journal tells.
    const refused = await commit(disk, { puts: [put(1)] });
    expect(refused).toMatchObject({ kind: "fenced" });
    expect(contents(late)).toHaveLength(1);
    late.close();
    disk.close();
  });
});

describe("syncs beside the loop", () => {
  it("are fewer than the batches that come meanwhile, and answer them in order", async () => {
    const directory = fresh();
    const disk = open(directory, { syncs: "beside", journalBytes: 16 * 1024 });
    const order: string[] = [];
    const all = Array.from({ length: 200 }, (_, at) => {
      const before = at === 0 ? null : Uint8Array.of(at - 1);
      const puts = [put(at, at % 50 === 0 ? 20_000 : 100)];
      puts.push({ key: Uint8Array.of(0), bytes: Uint8Array.of(at) });
      return new Promise<void>((resolve) => {
        disk.commit(
          { expect: { key: Uint8Array.of(0), bytes: before }, puts, removes: [] },
          (e) => {
            order.push(`${at} ${e?.kind ?? "ok"}`);
            resolve();
          },
        );
      });
    });
    // Only what is synced is shown.
    expect(contents(disk).length).toBeLessThan(3);
    await Promise.all(all);
    expect(order).toEqual(all.map((_, at) => `${at} ok`));
    const left = killed(directory);
    expect(contents(disk)).toHaveLength(201);
    disk.close();
    expect(contentsAt(left)).toHaveLength(201);
  });

  it("that are under way when it closes fail, each once; nothing synced is lost", async () => {
    const directory = fresh();
    const disk = open(directory, { syncs: "beside" });
    expect(await commit(disk, { puts: [put(1)] })).toBeNull();
    const ends: (DiskError | null)[] = [];
    const ended = [2, 3].map(
      (at) =>
        new Promise<void>((resolve) => {
          const expect = { key: Uint8Array.of(0), bytes: null };
          disk.commit({ expect, puts: [put(at)], removes: [] }, (error) => {
            ends.push(error);
            resolve();
          });
        }),
    );
    disk.close();
    await Promise.all(ended);
    expect(ends.map((error) => error?.kind)).toEqual(["failed", "failed"]);
    expect(contentsAt(directory).length).toBeGreaterThanOrEqual(1);
  });

  it("may end in a `done` that closes the disk, or throws: the others are answered", async () => {
    const directory = fresh();
    const disk = open(directory, { syncs: "beside" });
    const expected = { key: Uint8Array.of(0), bytes: null };
    const batch = (at: number) => ({ expect: expected, puts: [put(at)], removes: [] });
    const ends: string[] = [];
    const uncaught = await new Promise<unknown[]>((resolve) => {
      const errors: unknown[] = [];
      const before = process.listeners("uncaughtException");
      process.removeAllListeners("uncaughtException");
      process.on("uncaughtException", (error) => errors.push(error));
      disk.commit(batch(1), () => {
        throw new Error("the caller's own");
      });
      disk.commit(batch(2), (error) => {
        ends.push(`2 ${error?.kind ?? "ok"}`);
        disk.commit(batch(3), (last) => ends.push(`3 ${last?.kind ?? "ok"}`));
        disk.close();
        // Whoever gets the number of the descriptor next keeps it.
        const other = openSync(directory, "r");
        setTimeout(() => {
          expect(() => closeSync(other)).not.toThrow();
          process.removeAllListeners("uncaughtException");
          for (const listener of before) process.on("uncaughtException", listener);
          resolve(errors);
        }, 50);
      });
    });
    expect(ends).toEqual(["2 ok", "3 failed"]);
    expect(uncaught.map(String)).toEqual(["Error: the caller's own"]);
  });
});
