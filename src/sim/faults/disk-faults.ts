/** What goes wrong with the bytes of a store. */
import type { World } from "../world/world.js";

/** Leaves no room on the disk of a store. @returns makes room again */
export function fillDisk(world: World, store: string): () => void {
  const file = world.files.get(store);
  if (file === undefined) return () => undefined;
  file.bytesMax = file.bytes;
  return () => {
    file.bytesMax = Number.POSITIVE_INFINITY;
  };
}

/** Makes the next sync of a store fail. @param isWritten it is written all the same */
export function failSync(world: World, store: string, isWritten: boolean): void {
  world.files.get(store)?.trouble(isWritten ? "failed_but_written" : "failed");
}

/** Turns one bit of one record over; which one is drawn by `pick`, an integer ≥ 0. */
export function turnBit(world: World, store: string, pick: number): void {
  const pairs = world.files.get(store)?.pairs() ?? [];
  const pair = pairs[pick % pairs.length];
  if (pair === undefined) return;
  const at = pick % pair.bytes.length;
  pair.bytes[at] = (pair.bytes[at] as number) ^ (1 << (pick % 8));
  world.files.get(store)?.write(pair.key, pair.bytes);
}
