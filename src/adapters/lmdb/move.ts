/**
 * Moving stores between directories: the rules of src/kernel/store/move.ts with claims and disks.
 */
import { resolve } from "node:path";
import {
  awaitsNothing,
  leave,
  type MoveOptions,
  moveStore,
  type Place,
  prepareTarget,
  takeIn,
} from "../../kernel/store/move.js";
import { notFormatted, type StoreIdentity, StoreRefused } from "../../kernel/store/refusal.js";
import { claimed, explained, isThere, makeDirectory, openDisk, syncPlace } from "./format.js";

/**
 * Moves the store of a directory to another one on this machine. Done again after an interruption,
 * it ends what that one began.
 *
 * @throws StoreRefused
 */
export async function moveDirectory(from: string, to: string, options: MoveOptions): Promise<void> {
  if (resolve(from) === resolve(to)) {
    throw new StoreRefused("already_formatted", `the store is in ${from}: name another folder`);
  }
  // Opened before the target is made: a source that is refused leaves no empty target behind.
  await withPlace(from, false, (source) =>
    withPlace(to, true, (target) => moveStore(source, target, options)),
  );
}

/** Makes a directory that awaits a store from another machine. @returns the name of the move */
export function prepareDirectory(directory: string, options: MoveOptions): Promise<string> {
  return withPlace(directory, true, (target) => prepareTarget(target, options));
}

/** Ends the store of a directory: it leaves under a move for another machine. */
export function leaveDirectory(
  directory: string,
  identity: StoreIdentity,
  name: string,
): Promise<void> {
  return withPlace(directory, false, (source) => leave(source, identity, { name, to: "" }));
}

/** Takes a store in, from the directory that it left or from a copy of that. */
export async function takeInDirectory(
  from: string,
  to: string,
  identity: StoreIdentity,
): Promise<void> {
  if (!isThere(to)) throw awaitsNothing(to);
  await withPlace(from, false, (source) =>
    withPlace(to, true, (target) => takeIn(source, target, identity)),
  );
}

/** Claims a directory and opens its disk while `use` runs. */
async function withPlace<T>(
  folder: string,
  create: boolean,
  use: (place: Place) => Promise<T>,
): Promise<T> {
  if (create) makeDirectory(folder);
  else if (!isThere(folder)) throw notFormatted(folder);
  const claim = await claimed(folder);
  try {
    const disk = openDisk(folder, { create });
    try {
      if (create) syncPlace(folder);
      return await use({ disk, folder: resolve(folder) });
    } catch (error) {
      throw explained(folder, error);
    } finally {
      disk.close();
    }
  } finally {
    await claim.release();
  }
}
