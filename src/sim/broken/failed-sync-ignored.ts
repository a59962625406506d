/** A store that takes a failed sync for a good one, and runs on. */
import type { Disk } from "../../kernel/ports.js";
import type { Broken } from "./broken.js";
import { anAcceptor, crash, logScene } from "./scenes.js";

/** Says of every write that failed that it is on stable storage. */
function trusting(disk: Disk): Disk {
  return {
    file: disk.file,
    get: (key) => disk.get(key),
    scan: (from, to, visit) => disk.scan(from, to, visit),
    commit: (batch, done) =>
      disk.commit(batch, (error) => done(error?.kind === "failed" ? null : error)),
    hasRoom: (bytes) => disk.hasRoom(bytes),
    room: () => disk.room(),
    close: () => disk.close(),
  };
}

export const failedSyncIgnored: Broken = {
  name: "failed-sync-ignored",
  what: "an acceptor runs on after a failed sync, as if its disk had kept what it says",
  ports: { wrapDisk: trusting },
  hunt: {
    plan: logScene({
      fault: (random, n) => {
        const acceptor = anAcceptor(random);
        if (n % 2 === 1) return crash(random, acceptor);
        return { kind: "failSync", store: `acceptor ${acceptor}`, isWritten: false, downMs: 100 };
      },
      faults: 6,
    }),
    seedsMax: 15,
    catches: ["nothingForgotten", "durableBeforeSpoken", "P2b", "agreement"],
  },
};
