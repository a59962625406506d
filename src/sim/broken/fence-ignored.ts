/** A store without a fence: two processes may have it open, and both write. */
import type { Disk } from "../../actor/ports.js";
import type { Broken } from "./broken.js";
import { anAcceptor, logScene } from "./scenes.js";

/** Writes whatever another process has written meanwhile. */
function unfenced(disk: Disk): Disk {
  return {
    file: disk.file,
    get: (key) => disk.get(key),
    scan: (from, to, visit) => disk.scan(from, to, visit),
    commit: (batch, done) => {
      const { key } = batch.expect;
      const bytes = disk.get(key)?.slice() ?? null;
      disk.commit({ ...batch, expect: { key, bytes } }, done);
    },
    hasRoom: (bytes) => disk.hasRoom(bytes),
    close: () => disk.close(),
  };
}

export const fenceIgnored: Broken = {
  name: "fence-ignored",
  what: "a store is written although another process has opened it since",
  ports: { wrapDisk: unfenced },
  hunt: {
    plan: logScene({
      weather: { loss: 0.5 },
      fault: (random, _places, n) => {
        const process = anAcceptor(random);
        if (n % 3 === 2) return { kind: "stall", process, forMs: 100 };
        return { kind: "twin", process, forMs: 400 };
      },
      faults: 9,
    }),
    seedsMax: 40,
    catches: ["promisesNeverFall", "votesNeverFall", "nothingForgotten", "P1a", "P2b"],
  },
};
