/**
 * Whether a file is there, and who may read it.
 *
 * Why not `existsSync`: it says false for a file that this user may not see, and the advice for a
 * missing store is to format it, which for a store that only cannot be read would break a promise.
 */
import { type Stats, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** A file or folder that may be there and cannot be looked at; the message names both users. */
export class AccessError extends Error {
  override readonly name = "AccessError";

  constructor(path: string, cause: unknown) {
    super(`${path} cannot be read (${codeOf(cause)}): ${ownership(path)}`, { cause });
  }
}

/**
 * Says whether there is a file or folder at a path. Only ENOENT means that there is none.
 *
 * @throws AccessError for every other error
 */
export function isPresent(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw new AccessError(path, error);
  }
}

/**
 * Says whose a path is and which user this process is: `PATH belongs to uid 0 (mode 700), and this
 * process runs as uid 1000`. Where the path cannot be looked at, it names the nearest folder above
 * that can be: the one that is closed.
 */
export function ownership(path: string): string {
  const uid = process.getuid?.();
  const user = uid === undefined ? "" : `, and this process runs as uid ${uid}`;
  for (let at = resolve(path); ; at = dirname(at)) {
    const stats = statsOf(at);
    if (stats !== undefined) {
      const mode = (stats.mode & 0o7777).toString(8).padStart(3, "0");
      return `${at} belongs to uid ${stats.uid} (mode ${mode})${user}`;
    }
    if (at === dirname(at)) return `nothing above it can be looked at${user}`;
  }
}

function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
