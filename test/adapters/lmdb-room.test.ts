/**
 * Goal: the room for a commit is taken before LMDB needs it, though the pages are counted now and
 * then only.
 * Method: drawn commits, large and small, that put, replace and remove, on a real file; after each
 * one the pages are counted, and the file must have been long enough without LMDB's doing.
 */
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "lmdb";
import { expect, it } from "vitest";
import { loadOf, pagesOf, Room } from "../../src/adapters/lmdb/room.js";
import { createSeededRandom } from "../../src/adapters/memory/random.js";

const SIZES = [20, 300, 3000, 5000, 40_000, 300_000];

it.each([1, 2, 3, 4])("no commit makes the file longer: drawn %i", (seed) => {
  const folder = mkdtempSync(join(tmpdir(), "synod-room-"));
  const path = join(folder, "store.mdb");
  writeFileSync(path, "");
  const options = { path, noSubdir: true, overlappingSync: false, noSync: true, maxDbs: 1 };
  const encodings = { keyEncoding: "binary", encoding: "binary" } as const;
  const db = open<Buffer, Uint8Array>({ ...options, ...encodings, mapSize: 2 ** 31 });
  const room = new Room(path, 2 ** 30, 64 * 1024);
  const random = createSeededRandom(seed);
  const keys: Uint8Array[] = [];
  let counts = 0;
  const count = () => {
    counts++;
    return pagesOf(db);
  };
  const commits = 600;
  try {
    for (let n = 0; n < commits; n++) {
      const size = SIZES[random.integer(n % 50 === 0 ? SIZES.length : 3)] ?? 20;
      const puts = Array.from({ length: 1 + random.integer(n % 10 === 0 ? 200 : 5) }, () => {
        const isNew = keys.length === 0 || random.integer(3) > 0;
        const key = isNew
          ? Uint8Array.of(1, random.integer(256), random.integer(256), random.integer(256))
          : (keys[random.integer(keys.length)] as Uint8Array);
        if (isNew) keys.push(key);
        return { key, bytes: new Uint8Array(size) };
      });
      const removes = keys.splice(0, random.integer(n % 20 === 0 ? 100 : 3));
      let lengthBytes = 0;
      db.transactionSync(() => {
        expect(room.take(count, loadOf(puts, removes.length))).toBeNull();
        lengthBytes = statSync(path).size;
        for (const { key, bytes } of puts) void db.put(key, bytes as Buffer);
        for (const key of removes) void db.remove(key);
      });
      expect(statSync(path).size).toBe(lengthBytes);
      const { last, size: pageBytes } = pagesOf(db);
      expect((last + 1) * pageBytes).toBeLessThanOrEqual(lengthBytes);
    }
    expect(counts).toBeLessThan(commits / 2);
  } finally {
    room.close();
    void db.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
