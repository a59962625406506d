import type { MemoryFile } from "../../src/adapters/memory/disk.js";
import type { Disk } from "../../src/kernel/ports.js";
import { StoreRefused } from "../../src/kernel/store/refusal.js";
import { openStore, type Store } from "../../src/kernel/store/store.js";
import { identity } from "./stores.js";

/** What a process that was killed ends with. */
export class Killed extends Error {}

/** Commits that a process may still do before it is killed. */
interface Life {
  left: number;
}

/** A life that nothing ends. */
export const immortal = (): Life => ({ left: Number.POSITIVE_INFINITY });

function mortal(disk: Disk, life: Life): Disk {
  return {
    file: disk.file,
    get: (key) => disk.get(key),
    scan: (from, to, visit) => disk.scan(from, to, visit),
    commit: (batch, done) => {
      if (life.left-- <= 0) throw new Killed();
      disk.commit(batch, done);
    },
    hasRoom: (bytes) => disk.hasRoom(bytes),
    room: () => disk.room(),
    close: () => disk.close(),
  };
}

/** A file as the place of a move, for a process of so long a life. */
export const placeOf = (file: MemoryFile, life = immortal()) => ({
  disk: mortal(file.open(), life),
  folder: `folder of ${file.name}`,
});

let drawn = 0;
/** Whose store is moved, and names of moves. */
export const options = { identity, draw: () => (++drawn).toString(16).padStart(32, "0") };

/** Opens the store in a file, and leaves the file as it is. */
export function tried(file: MemoryFile): Store | StoreRefused {
  let result: Store | StoreRefused | undefined;
  openStore(file.copy(file.name).open(), identity, `folder of ${file.name}`, (opened) => {
    result = opened;
  });
  return result as Store | StoreRefused;
}

/** Says whether the store in a file opens. */
export const opens = (file: MemoryFile) => !(tried(file) instanceof StoreRefused);
