/**
 * The claim of a data directory: tells people at once that another process runs there.
 *
 * It protects nobody's votes; the store's fence does (src/kernel/store/store.ts). It ends with the
 * process however that ends, and no clock has a part in it.
 */
import { linkSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { isRunning, type NamedProcess, startOf } from "./process.js";

/** How long a holder has to say its pid; one that hangs says nothing. */
const ANSWER_MS = 500;
const LOCK_FILE_NAME = "store.pid";
/** Claims that were begun by processes which then died; each try removes one. */
const STALE_MAX = 8;

/** A directory that is ours until we release it or die. */
export interface Claim {
  readonly kind: "claimed";
  release(): Promise<void>;
}

/** A directory that another process has. */
export interface Held {
  readonly kind: "held";
  /** Its process, if it said so. */
  readonly pid: number | undefined;
}

/** Options of {@link claimDirectory}. */
export interface ClaimOptions {
  /**
   * A socket without a file, or a file that names the process. Default: a socket on Linux,
   * elsewhere a file.
   */
  readonly by?: "socket" | "file" | undefined;
}

/**
 * Claims an existing directory for this process.
 *
 * Details: on Linux a listening socket in the abstract namespace, named after the directory's
 * device and inode: two paths to one directory meet, two directories never do, and the kernel drops
 * it when the process dies. Processes in separate network namespaces (two containers on one volume)
 * do not see each other's; the fence sees them.
 *
 * @throws Error if the directory cannot be read or, where a file is used, written
 */
export async function claimDirectory(
  directory: string,
  options: ClaimOptions = {},
): Promise<Claim | Held> {
  const by = options.by ?? (process.platform === "linux" ? "socket" : "file");
  return by === "socket" ? claimBySocket(directory) : claimByFile(join(directory, LOCK_FILE_NAME));
}

async function claimBySocket(directory: string): Promise<Claim | Held> {
  const { dev, ino } = statSync(directory, { bigint: true });
  const path = `\0synod-${dev}-${ino}`;
  const server = createServer((asker) => {
    asker.on("error", () => asker.destroy());
    asker.end(`${process.pid}\n`);
  });
  if (await listen(server, path)) {
    server.unref();
    return { kind: "claimed", release: () => closed(server) };
  }
  return { kind: "held", pid: await askPid(path) };
}

/** @returns whether it listens now; false if another socket has the name */
function listen(server: Server, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(error);
    });
    server.listen({ path }, () => resolve(true));
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

function askPid(path: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    let said = "";
    const socket = connect({ path });
    const end = () => {
      clearTimeout(timer);
      socket.destroy();
      const pid = Number.parseInt(said, 10);
      resolve(Number.isSafeInteger(pid) ? pid : undefined);
    };
    const timer = setTimeout(end, ANSWER_MS);
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => {
      said += text.slice(0, 32);
      if (said.includes("\n") || said.length >= 32) end();
    });
    socket.on("error", end);
    socket.on("end", end);
  });
}

/** Claims by a file that names a process; one that names a dead process counts for nothing. */
function claimByFile(path: string): Claim | Held {
  // Written beside and linked, so that nobody ever reads a lock file without its pid.
  const own = `${path}.${process.pid}`;
  writeFileSync(own, `${process.pid}\n${startOf(process.pid) ?? ""}\n`);
  try {
    for (let tries = 0; tries < STALE_MAX; tries++) {
      if (linked(own, path)) {
        return { kind: "claimed", release: async () => rmSync(path, { force: true }) };
      }
      const holder = readHolder(path);
      if (holder !== undefined && isRunning(holder)) return { kind: "held", pid: holder.pid };
      if (holder !== undefined || tries > 0) rmSync(path, { force: true });
    }
    return { kind: "held", pid: undefined };
  } finally {
    rmSync(own, { force: true });
  }
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Reads who holds a lock; undefined if the file is gone, or its writer died before the pid. */
function readHolder(path: string): NamedProcess | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const [first = "", second = ""] = text.split("\n");
  const pid = Number.parseInt(first, 10);
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  return { pid, start: second === "" ? undefined : second };
}
