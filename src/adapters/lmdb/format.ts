/**
 * Data directories: where the claim, the disk and the rules of a store meet.
 */
import { mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Disk } from "../../kernel/ports.js";
import {
  corrupt,
  notFormatted,
  type StoreIdentity,
  StoreRefused,
  unreadable,
} from "../../kernel/store/refusal.js";
import { formatStore, openStore, type Store } from "../../kernel/store/store.js";
import { AccessError, isPresent, ownership } from "./access.js";
import { syncDirectory } from "./folder.js";
import { DiskRefused } from "./header.js";
import { type Claim, claimDirectory } from "./lock.js";
import { type DiskOptions, openDisk as openFiles } from "./open.js";

/** A store's folder, and those made above it, are its owner's alone. */
const DIRECTORY_MODE = 0o700;

/** What a journal takes: a second of a fast cluster's votes, and a moment to put into LMDB. */
const JOURNAL_BYTES = 1024 * 1024;

/** Options of {@link formatDirectory} and {@link openDirectory}. */
export type DirectoryOptions = Pick<
  DiskOptions,
  "bytesMax" | "growBytes" | "journalBytes" | "syncs"
>;

/** A store that is open in a directory of its own. */
export interface OpenDirectory {
  readonly store: Store;
  /** Closes the store and gives the directory up. */
  close(): Promise<void>;
}

/**
 * Makes a store, once, in a directory of its own; makes the directory too.
 *
 * @throws StoreRefused if it already holds one, is in use, or cannot be written
 */
export async function formatDirectory(
  directory: string,
  identity: StoreIdentity,
  options: DirectoryOptions = {},
): Promise<void> {
  makeDirectory(directory);
  const claim = await claimed(directory);
  try {
    const disk = openDisk(directory, { ...options, create: true });
    try {
      await new Promise<void>((done, refuse) => {
        formatStore(disk, identity, directory, (refused) => {
          if (refused === null) done();
          else refuse(refused);
        });
      });
    } finally {
      disk.close();
    }
    syncPlace(directory);
  } finally {
    await claim.release();
  }
}

/**
 * Opens the store of a directory. One that is missing is never made anew.
 *
 * @throws StoreRefused; its message says what to do
 */
export async function openDirectory(
  directory: string,
  identity: StoreIdentity,
  options: DirectoryOptions = {},
): Promise<OpenDirectory> {
  if (!isThere(directory)) throw notFormatted(directory);
  const claim = await claimed(directory);
  let disk: Disk | undefined;
  try {
    const opened = openDisk(directory, { journalBytes: JOURNAL_BYTES, ...options });
    disk = opened;
    const store = await new Promise<Store>((done, refuse) => {
      openStore(opened, identity, directory, (result) => {
        if (result instanceof StoreRefused) refuse(result);
        else done(result);
      });
    });
    const close = async () => {
      store.close();
      await claim.release();
    };
    return { store, close };
  } catch (error) {
    disk?.close();
    await claim.release();
    throw explained(directory, error);
  }
}

/** Turns an error of LMDB, which numbers its own, into what it means: a page that is bad. */
export function explained(directory: string, error: unknown): unknown {
  const isOfLmdb = typeof (error as { code?: unknown }).code === "number";
  return isOfLmdb ? corrupt(directory, (error as Error).message, error) : error;
}

/** Claims a directory for this process. @throws StoreRefused if another one has it */
export async function claimed(directory: string): Promise<Claim> {
  let claim: Awaited<ReturnType<typeof claimDirectory>>;
  try {
    claim = await claimDirectory(directory);
  } catch (error) {
    throw unwritable(directory, error);
  }
  if (claim.kind === "claimed") return claim;
  const who = claim.pid === undefined ? "another process" : `process ${claim.pid}`;
  const what = "stop it, or give this role a folder of its own";
  throw new StoreRefused("in_use", `${directory} is in use by ${who}; ${what}`);
}

/** Opens the disk of a directory. @throws StoreRefused */
export function openDisk(directory: string, options: DiskOptions): Disk {
  try {
    return openFiles(directory, options);
  } catch (error) {
    if (!(error instanceof DiskRefused)) throw error;
    if (error.code === "missing") throw notFormatted(directory);
    if (error.code === "unreadable") throw unreadable(error.message, error);
    if (error.code === "damaged") throw corrupt(directory, error.message, error);
    throw unwritable(directory, error);
  }
}

/** Makes a directory and those above it; each is durable before anything is put in it. */
export function makeDirectory(directory: string): void {
  if (isThere(directory)) return;
  // One by one: `recursive` reports a read-only file system as "no such file".
  const above = dirname(resolve(directory));
  makeDirectory(above);
  try {
    mkdirSync(directory, { mode: DIRECTORY_MODE });
    syncDirectory(above);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return;
    const why = `${(error as Error).message}; ${ownership(directory)}`;
    throw unwritable(directory, new Error(why, { cause: error }));
  }
}

/** Says whether there is something at a path. @throws StoreRefused if it cannot be told */
export function isThere(path: string): boolean {
  try {
    return isPresent(path);
  } catch (error) {
    throw error instanceof AccessError ? unreadable(error.message, error) : error;
  }
}

function unwritable(directory: string, cause: unknown): StoreRefused {
  const why = cause instanceof Error ? cause.message : String(cause);
  const isFull = cause instanceof DiskRefused && cause.code === "full";
  const what = why.includes("EIO")
    ? "Check the disk"
    : "Make it writable for this user, with room on its disk, or choose another folder";
  const message = `${directory} cannot be used for a store: ${why}. ${what}`;
  return new StoreRefused(isFull ? "no_room" : "unwritable", message, { cause });
}

/** Makes a file durable that is synced: that it is there is a fact of the directories above it. */
export function syncPlace(directory: string): void {
  syncDirectory(directory);
  syncDirectory(dirname(resolve(directory)));
}
