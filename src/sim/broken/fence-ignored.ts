/** A store without a fence: two processes may have it open, and both write. */
import type { Disk } from "../../kernel/ports.js";
import type { Broken } from "./broken.js";
import { anAcceptor, behead, logScene } from "./scenes.js";

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
    room: () => disk.room(),
    close: () => disk.close(),
  };
}

export const fenceIgnored: Broken = {
  name: "fence-ignored",
  what: "a store is written although another process has opened it since",
  ports: { wrapDisk: unfenced },
  hunt: {
    // It hangs, somebody starts it a second time, another leads; then it goes on.
    plan: logScene({
      fault: (random) => {
        const process = anAcceptor(random);
        return [
          [0, { kind: "stall", process, forMs: 400 }],
          [5, { kind: "twin", process, forMs: 600 }],
          [40, behead(random)],
        ];
      },
      faults: 5,
      requests: 200,
      calmMs: 2000,
    }),
    firstSeed: 9,
    seedsMax: 40,
    // What two have written is corrupt, and is not opened again: "liveness".
    catches: [
      "P1a",
      "promisesNeverFall",
      "votesNeverFall",
      "nothingForgotten",
      "promiseReportsVotes",
      "P2b",
      "liveness",
    ],
  },
};
