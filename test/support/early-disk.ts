/** A broken control: a disk that says that a batch is synced as soon as it is asked to keep it. */
import type { Disk } from "../../src/kernel/ports.js";
import type { RunOptions } from "../../src/sim/run/run.js";

function tooEarly(disk: Disk): Disk {
  return {
    get file() {
      return disk.file;
    },
    get: (key) => disk.get(key),
    scan: (from, to, visit) => disk.scan(from, to, visit),
    commit: (batch, done) => {
      disk.commit(batch, () => undefined);
      done(null);
    },
    hasRoom: (bytes) => disk.hasRoom(bytes),
    room: () => disk.room(),
    close: () => disk.close(),
  };
}

/** What a run is given to run on such disks. */
export const earlyDisk: RunOptions = { parts: { wrapDisk: tooEarly } };
