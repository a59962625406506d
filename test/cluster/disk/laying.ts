/**
 * Puts a disk that a power cut left where a store was.
 */
import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { LeftFile } from "./crashes.js";
import { isRecorded } from "./recording.js";

/** A store knows this file by its inode and birth time: it is never removed. */
const kept = "store.mdb";

/** Reads the files of a folder that count, by name. */
export function readFiles(folder: string): ReadonlyMap<string, LeftFile> {
  const files = new Map<string, LeftFile>();
  for (const name of readdirSync(folder).filter(isRecorded)) {
    const bytes = readFileSync(join(folder, name));
    files.set(name, { bytes, length: bytes.length });
  }
  return files;
}

/** Gives a store's folder these files and no others; the store's own stays the same file. */
export function layFiles(folder: string, files: ReadonlyMap<string, LeftFile>): void {
  const away = `${folder}.away`;
  if (existsSync(away)) renameSync(away, join(folder, kept));
  if (!files.has(kept)) renameSync(join(folder, kept), away);
  for (const name of readdirSync(folder)) {
    if (name !== kept) rmSync(join(folder, name));
  }
  for (const [name, { bytes, length }] of files) {
    const file = openSync(join(folder, name), name === kept ? "r+" : "wx+", 0o600);
    ftruncateSync(file, 0);
    for (let at = 0; at < length; ) at += writeSync(file, bytes, at, length - at, at);
    closeSync(file);
  }
}
