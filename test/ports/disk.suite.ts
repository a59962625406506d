import { expect, it } from "vitest";
import type { Disk, DiskBatch, DiskError } from "../../src/kernel/ports.js";

/** A place for a disk, under test. */
export interface DiskPlace {
  /** Opens it; once more means a second process, or the next one. */
  open(): Disk;
  /** Copies what is durable to another place. */
  copy(): DiskPlace;
}

const text = new TextEncoder();
const bytes = (value: string): Uint8Array => text.encode(value);
const key = (...parts: number[]): Uint8Array => Uint8Array.from(parts);
const META = key(0);

/** Commits and waits. */
export function commit(disk: Disk, batch: Partial<DiskBatch>): Promise<DiskError | null> {
  const expectation = { key: META, bytes: disk.get(META)?.slice() ?? null };
  return new Promise((resolve) => {
    disk.commit({ expect: expectation, puts: [], removes: [], ...batch }, resolve);
  });
}

/** Returns all pairs of from ≤ key < to as text. */
function list(disk: Disk, from = META, to: Uint8Array | null = null): string[] {
  const pairs: string[] = [];
  disk.scan(from, to, (at, value) => {
    pairs.push(`${at.join(".")}=${new TextDecoder().decode(value)}`);
    return true;
  });
  return pairs;
}

/**
 * What the store rules may rely on, said once for every disk.
 *
 * Goal: the twin in memory and the real adapter are exchangeable. Method: the port alone; nothing
 * here knows whose `done` comes at once and whose later.
 *
 * @param place makes an empty place
 */
export function diskSuite(place: () => DiskPlace): void {
  const put = (at: Uint8Array, value: string) => ({ key: at, bytes: bytes(value) });

  it("returns what was put, also to the process after", async () => {
    const here = place();
    const disk = here.open();
    expect(disk.get(META)).toBeUndefined();
    expect(await commit(disk, { puts: [put(META, "m"), put(key(2, 7), "seven")] })).toBeNull();
    expect(disk.get(key(2, 7))).toEqual(bytes("seven"));
    disk.close();
    const next = here.open();
    expect(list(next)).toEqual(["0=m", "2.7=seven"]);
    next.close();
  });

  it("orders keys as unsigned bytes, shorter first, and scans from ≤ key < to", async () => {
    const disk = place().open();
    const keys = [key(2, 255), key(2), key(128), key(2, 0), key(1, 9, 9), key(127, 1)];
    await commit(disk, { puts: keys.map((at) => put(at, "x")) });
    const all = ["1.9.9=x", "2=x", "2.0=x", "2.255=x", "127.1=x", "128=x"];
    expect(list(disk)).toEqual(all);
    expect(list(disk, key(2), key(127, 1))).toEqual(["2=x", "2.0=x", "2.255=x"]);
    expect(list(disk, key(2, 1), null)).toEqual(["2.255=x", "127.1=x", "128=x"]);
    expect(list(disk, key(200), null)).toEqual([]);
    disk.close();
  });

  it("ends a scan when it is told to, also by a throw", async () => {
    const disk = place().open();
    await commit(disk, { puts: [put(key(1), "a"), put(key(2), "b"), put(key(3), "c")] });
    const seen: number[] = [];
    disk.scan(key(1), null, (at) => {
      seen.push(at[0] as number);
      return seen.length < 2;
    });
    expect(seen).toEqual([1, 2]);
    const scan = () =>
      disk.scan(key(1), null, () => {
        throw new Error("enough");
      });
    expect(scan).toThrow("enough");
    expect(await commit(disk, { removes: [key(1)] })).toBeNull();
    expect(list(disk)).toEqual(["2=b", "3=c"]);
    disk.close();
  });

  it("replaces and removes in one batch; removing what is absent is nothing", async () => {
    const disk = place().open();
    await commit(disk, { puts: [put(key(1), "a"), put(key(2), "b")] });
    const batch = { puts: [put(key(1), "c")], removes: [key(2), key(9)] };
    expect(await commit(disk, batch)).toBeNull();
    expect(list(disk)).toEqual(["1=c"]);
    disk.close();
  });

  it("keeps large values and long keys", async () => {
    const disk = place().open();
    const large = new Uint8Array(800_000).map((_, at) => at % 251);
    const long = new Uint8Array(1024).fill(3);
    await commit(disk, { puts: [{ key: long, bytes: large }] });
    expect(Buffer.compare(disk.get(long) as Uint8Array, large)).toBe(0);
    disk.close();
  });

  it("refuses keys that are empty or too long", () => {
    const disk = place().open();
    const attempt = (size: number) => () =>
      disk.commit(
        { expect: { key: META, bytes: null }, puts: [put(new Uint8Array(size), "x")], removes: [] },
        () => undefined,
      );
    expect(attempt(0)).toThrow(RangeError);
    expect(attempt(1025)).toThrow(RangeError);
    disk.close();
  });

  it("writes nothing of a batch whose expectation does not hold", async () => {
    const disk = place().open();
    await commit(disk, { puts: [put(META, "1")] });
    const wrong = [null, bytes("2"), bytes("11"), bytes("")];
    for (const value of wrong) {
      const batch = { expect: { key: META, bytes: value }, puts: [put(key(1), "x")] };
      expect(await commit(disk, batch)).toMatchObject({ kind: "fenced" });
    }
    const absent = { expect: { key: key(5), bytes: bytes("1") }, removes: [META] };
    expect(await commit(disk, absent)).toMatchObject({ kind: "fenced" });
    expect(list(disk)).toEqual(["0=1"]);
    disk.close();
  });

  it("writes batches in the order of the calls, each expecting the one before", async () => {
    const disk = place().open();
    const order: string[] = [];
    const steps = [null, "1", "2", "3"].map((before, at) => {
      const expectation = { key: META, bytes: before === null ? null : bytes(before) };
      const puts = [put(META, String(at + 1)), put(key(1, at), "x")];
      return new Promise<void>((resolve) => {
        disk.commit({ expect: expectation, puts, removes: [] }, (error) => {
          order.push(`${at}:${error?.kind ?? "ok"}`);
          resolve();
        });
      });
    });
    await Promise.all(steps);
    expect(order).toEqual(["0:ok", "1:ok", "2:ok", "3:ok"]);
    disk.close();
  });

  it("fences a process once another one has written", async () => {
    const here = place();
    const first = here.open();
    await commit(first, { puts: [put(META, "first")] });
    const second = here.open();
    await commit(second, { puts: [put(META, "second")] });
    const late = { expect: { key: META, bytes: bytes("first") }, puts: [put(key(1), "late")] };
    expect(await commit(first, late)).toMatchObject({ kind: "fenced" });
    expect(list(second)).toEqual(["0=second"]);
    first.close();
    second.close();
  });

  it("names its file, and another after a copy", async () => {
    const here = place();
    const disk = here.open();
    await commit(disk, { puts: [put(META, "m")] });
    const name = disk.file;
    disk.close();
    const again = here.open();
    const copy = here.copy().open();
    expect(again.file).toBe(name);
    expect(copy.file).not.toBe(name);
    expect(list(copy)).toEqual(["0=m"]);
    again.close();
    copy.close();
  });

  it("has room for a little, and none once it is closed", async () => {
    const disk = place().open();
    expect(disk.hasRoom(1000)).toBe(true);
    disk.close();
    expect(disk.hasRoom(1)).toBe(false);
    const late = new Promise((resolve) => {
      disk.commit({ expect: { key: META, bytes: null }, puts: [], removes: [] }, resolve);
    });
    expect(await late).toMatchObject({ kind: "failed" });
  });

  it("says how full it is", async () => {
    const disk = place().open();
    const before = disk.room();
    expect(before.usedBytes).toBeLessThan(before.bytesMax);
    await commit(disk, { puts: [put(META, "m"), put(key(1), "x".repeat(100_000))] });
    const after = disk.room();
    expect(after.usedBytes - before.usedBytes).toBeGreaterThanOrEqual(100_000);
    expect(after.usedBytes).toBeLessThan(after.bytesMax);
    disk.close();
    expect(() => disk.room()).not.toThrow();
  });

  it("calls `done` once, and what it throws is its caller's", async () => {
    const disk = place().open();
    let calls = 0;
    await new Promise<void>((resolve) => {
      const batch = { expect: { key: META, bytes: null }, puts: [put(META, "m")], removes: [] };
      // Only one that comes at once has a caller who can catch what it throws.
      let isInside = !disk.file.startsWith("memory:");
      try {
        disk.commit(batch, () => {
          calls++;
          setTimeout(resolve, 5);
          if (isInside) throw new Error("not the disk's");
        });
      } catch (error) {
        expect((error as Error).message).toBe("not the disk's");
      }
      isInside = false;
    });
    expect(calls).toBe(1);
    expect(await commit(disk, { puts: [put(key(1), "x")] })).toBeNull();
    disk.close();
  });
}
