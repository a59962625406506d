/** Fills a disk, and empties it again. */
import { closeSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { dirname } from "node:path";

const chunk = new Uint8Array(64 * 1024).fill(1);

/** Writes a file until only so much is free on its disk. */
export function fillDisk(path: string, keepFreeKiB: number): void {
  const { bavail, bsize } = statfsSync(dirname(path));
  const file = openSync(path, "w");
  try {
    for (let left = bavail * bsize - keepFreeKiB * 1024; left > 0; ) {
      left -= writeSync(file, chunk, 0, Math.min(left, chunk.length));
    }
  } catch (error) {
    // Somebody else was faster.
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  } finally {
    closeSync(file);
  }
}

/** Makes room again. */
export function emptyDisk(path: string): void {
  rmSync(path, { force: true });
}
