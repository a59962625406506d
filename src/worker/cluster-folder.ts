/**
 * `.synod/`: what `up` keeps in a folder, so that a later `up` continues the same cluster.
 *
 *   cluster.yaml   the descriptor; it is there only once every store is formatted
 *   data/          the stores, one folder each
 *   logs/          one file a process, and what came before it; about 16 MiB a process
 *   server.json    the port of the server that `up` started last
 *   up.json        who is up now: read by the other commands
 */
import {
  copyFile,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { isPresent, ownership } from "../adapters/lmdb/access.js";
import { claimDirectory } from "../adapters/lmdb/lock.js";
import { isRunning, startOf } from "../adapters/lmdb/process.js";
import type { Cluster } from "../paxos/cluster.js";
import { readDescriptor, writeDescriptor } from "./descriptor.js";

/** What an `up` that runs says of itself. */
export interface UpRecord {
  readonly pid: number;
  /** When that process started, where the system tells (src/adapters/lmdb/process.ts). */
  readonly start?: string | undefined;
  /** Where its NATS server is, without credentials. */
  readonly server: string;
  readonly cluster: string;
  /** The first tokens of its subjects. */
  readonly prefix: string;
  /** Where status, why and the descriptor are asked. */
  readonly control: string;
  /** The process ids, by name, at the start. */
  readonly processes: Readonly<Record<string, number>>;
}

/** Another `up` runs in this folder. */
class FolderInUseError extends Error {
  override readonly name = "FolderInUseError";
  readonly pid: number | undefined;

  constructor(folder: string, pid: number | undefined) {
    const who = pid === undefined ? "another process" : `process ${pid}`;
    super(
      `a cluster is up in ${folder} already, run by ${who}: use that one (\`synod status\`), ` +
        `end it with \`kill ${pid ?? "PID"}\`, or run \`up\` in another folder`,
    );
    this.pid = pid;
  }
}

const folderName = ".synod";
/** What `up` keeps is its owner's alone: values, the descriptor, where the server is. */
const ownFolder = { mode: 0o700 };
const ownFile = { mode: 0o600 };
/** Bytes of one log before it is moved aside. */
const logBytesMax = 8 * 1024 * 1024;
/** What `--fresh` removes: nothing that is not ours. */
const ours = ["cluster.yaml", "cluster.yaml.new", "data", "logs", "server.json", "up.json"];

/** The folder of one `up`, locked. */
export class ClusterFolder {
  readonly path: string;
  readonly #release: () => Promise<void>;

  private constructor(path: string, release: () => Promise<void>) {
    this.path = path;
    this.#release = release;
  }

  /**
   * Makes and locks `.synod/` in a folder.
   *
   * @throws FolderInUseError with the process id of the `up` that holds it
   */
  static async open(base: string): Promise<ClusterFolder> {
    const path = join(base, folderName);
    try {
      await makeFolder(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new Error(`cannot make ${path} (${code}): run \`up\` in a folder you may write to`);
    }
    const claim = await claimDirectory(path);
    if (claim.kind === "held") throw new FolderInUseError(path, claim.pid);
    const folder = new ClusterFolder(path, () => claim.release());
    await writeFile(join(path, ".gitignore"), "*\n", ownFile);
    return folder;
  }

  get descriptorPath(): string {
    return join(this.path, "cluster.yaml");
  }

  get dataPath(): string {
    return join(this.path, "data");
  }

  /** Removes everything that `up` made here. */
  async clear(): Promise<void> {
    for (const name of ours) await rm(join(this.path, name), { recursive: true, force: true });
  }

  /** Reads the cluster of this folder; undefined if there is none yet. @throws DescriptorError */
  async cluster(): Promise<Cluster | undefined> {
    return isPresent(this.descriptorPath) ? readDescriptor(this.descriptorPath) : undefined;
  }

  /**
   * Makes a new cluster: writes its descriptor, then formats its stores. Interrupted, it is made
   * anew: the descriptor takes its name last, and nothing has run before.
   *
   * @throws if there are stores whose descriptor is gone: those may have voted, and are not removed
   */
  async create(cluster: Cluster, format: (data: string) => Promise<void>): Promise<void> {
    const unborn = `${this.descriptorPath}.new`;
    if (!isPresent(unborn) && isPresent(this.dataPath)) {
      throw new Error(
        `${this.dataPath} holds stores, but ${this.descriptorPath} is gone: put it back, or say ` +
          "--fresh to remove them and all that was chosen",
      );
    }
    await writeFile(unborn, writeDescriptor(cluster), ownFile);
    await rm(this.dataPath, { recursive: true, force: true });
    await mkdir(this.dataPath, { recursive: true, ...ownFolder });
    await format(this.dataPath);
    await rename(unborn, this.descriptorPath);
  }

  /** Returns the path for a process's log; the log of its last life is kept beside it. */
  async logPath(name: string): Promise<string> {
    const logs = join(this.path, "logs");
    await mkdir(logs, { recursive: true, ...ownFolder });
    const path = join(logs, `${name.replaceAll(/[^a-z0-9_-]+/g, "-")}.log`);
    await rename(path, `${path}.old`).catch(() => {});
    return path;
  }

  /** Moves what is in a log beside it once it is long: two such files a process, at most. */
  async boundLogs(bytesMax = logBytesMax): Promise<void> {
    const logs = join(this.path, "logs");
    for (const name of await readdir(logs).catch(() => [])) {
      if (!name.endsWith(".log")) continue;
      const path = join(logs, name);
      const length = await stat(path).then(
        ({ size }) => size,
        () => 0,
      );
      if (length <= bytesMax) continue;
      // Not renamed: the process goes on writing to the file that it has open, at its end.
      await copyFile(path, `${path}.old`).catch(() => {});
      await truncate(path).catch(() => {});
    }
  }

  /** The port of the server that was started here last. */
  async lastPort(): Promise<number | undefined> {
    const text = (await readIfPresent(join(this.path, "server.json"))) ?? "{}";
    try {
      const { port } = JSON.parse(text) as { port?: unknown };
      return typeof port === "number" && port > 0 && port < 65_536 ? port : undefined;
    } catch {
      return undefined;
    }
  }

  async keepPort(port: number): Promise<void> {
    await writeFile(join(this.path, "server.json"), `${JSON.stringify({ port })}\n`, ownFile);
  }

  /** Says to other commands that this cluster is up. */
  async announce(record: UpRecord): Promise<void> {
    const path = join(this.path, "up.json");
    const named = { ...record, start: startOf(record.pid) };
    await writeFile(`${path}.new`, `${JSON.stringify(named, null, 2)}\n`, ownFile);
    await rename(`${path}.new`, path);
  }

  /** Takes back what was announced, and unlocks. */
  async close(): Promise<void> {
    await rm(join(this.path, "up.json"), { force: true });
    await this.#release();
  }
}

/**
 * Reads who is up in a folder; undefined if nobody is.
 *
 * @throws Error if the folder may say so and this user cannot read it
 */
export async function readUp(base: string): Promise<UpRecord | undefined> {
  const text = await readIfPresent(join(base, folderName, "up.json"));
  if (text === undefined) return undefined;
  let record: UpRecord;
  try {
    record = JSON.parse(text) as UpRecord;
  } catch {
    return undefined;
  }
  return isRunning({ pid: record.pid, start: record.start }) ? record : undefined;
}

/** Reads a file; undefined if it is absent. @throws Error that says who may read it */
async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    throw new Error(`${path} cannot be read (${code}): ${ownership(path)}`, { cause: error });
  }
}

/** Makes a folder unless it is there. Not `recursive`, which says ENOENT on a read-only disk. */
async function makeFolder(path: string): Promise<void> {
  await mkdir(path, ownFolder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
}
