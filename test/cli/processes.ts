/**
 * The command line as a person runs it: processes of `dist`, each ended with its test.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { UpRecord } from "../../src/worker/cluster-folder.js";
import { guardChild, guardFolder } from "../support/guard.js";

/** The built command line. */
const main = fileURLToPath(new URL("../../dist/src/cli/main.js", import.meta.url));

/** How a process ended, and what it wrote. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run a command. */
export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Written to standard input, which then ends; left out: no input at all. */
  readonly input?: string | Buffer;
  /**
   * Shell commands that run first, as root of a mount namespace of their own that ends with the
   * process; `"$1" "$2"` is the command line, the folder is `cwd`.
   */
  readonly mounts?: string;
  /** A command line that runs the command: strace, nsenter. */
  readonly under?: readonly string[];
}

/** Runs a shell script that may mount; each takes the place of the one before, so the pid stays. */
export const mounting = ["unshare", "-rm", "sh", "-c"] as const;

/** Returns why nobody may mount here, undefined if we may. */
export function whyNoMounts(): string | undefined {
  const [file, ...args] = mounting;
  const tried = spawnSync(file, [...args, "mount -t tmpfs none /tmp"], { encoding: "utf8" });
  if (tried.status === 0) return undefined;
  return `unshare -rm is not allowed: ${tried.error?.message ?? tried.stderr.trim()}`;
}

/** A process under way. */
export class Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve) => {
      child.once("close", (code, signal) => {
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  /** Waits for words on standard error or output. */
  async says(words: string | RegExp, waitMsMax = 20_000): Promise<void> {
    await until(() => {
      if (this.child.exitCode !== null) throw new Error(`it ended:\n${this.stderr}`);
      const said = this.stdout + this.stderr;
      return typeof words === "string" ? said.includes(words) : words.test(said);
    }, waitMsMax).catch((error: Error) => {
      throw new Error(`${error.message}; waiting for ${words}, it said:\n${this.stderr}`);
    });
  }

  /** Ends it and waits. */
  end(signal: NodeJS.Signals = "SIGKILL"): Promise<Ended> {
    this.child.kill(signal);
    return this.ended;
  }
}

/** Processes and folders of one test file; call `clear` after each test. */
export class Processes {
  readonly #running: Running[] = [];
  readonly #folders: { readonly path: string; readonly forget: () => void }[] = [];

  /** Starts a command; standard input stays open for `child.stdin`. */
  start(args: readonly string[], options: RunOptions = {}): Running {
    const command = [...(options.under ?? []), process.execPath, main, ...args];
    const script = `set -e; ${options.mounts}; exec "$@"`;
    const [file = "", ...rest] =
      options.mounts === undefined ? command : [...mounting, script, "sh", ...command];
    const child = spawn(file, rest, {
      cwd: options.cwd ?? tmpdir(),
      env: options.env ?? environment(),
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdin.on("error", () => {});
    return this.adopt(child);
  }

  /** Takes over a process that was started elsewhere. */
  adopt(child: ChildProcess): Running {
    guardChild(child);
    const running = new Running(child);
    this.#running.push(running);
    return running;
  }

  /** Runs a command to its end. */
  run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    const running = this.start(args, options);
    running.child.stdin?.end(options.input ?? "");
    return running.ended;
  }

  /** Makes a temporary folder. */
  async folder(place = tmpdir()): Promise<string> {
    const made = await mkdtemp(join(place, "synod-cli-"));
    this.#folders.push({ path: made, forget: guardFolder(made) });
    return made;
  }

  /** Ends everything at once; the folders stay. */
  async clearRunning(): Promise<void> {
    await Promise.all(this.#running.splice(0).map((running) => running.end()));
  }

  /** Ends everything at once and removes the folders. */
  async clear(): Promise<void> {
    await this.clearRunning();
    for (const { path, forget } of this.#folders.splice(0)) {
      await rm(path, { recursive: true, force: true, maxRetries: 5 });
      forget();
    }
  }
}

/** Where many files are written soon: in memory, if there is such a place. */
export function memoryFolder(): string {
  return existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
}

/** Our environment without what would lead elsewhere. @param server its folder goes on PATH */
export function environment(server?: string): NodeJS.ProcessEnv {
  const { NATS_URL: _, PATH = "", ...rest } = process.env;
  const path = server === undefined ? PATH : [dirname(server), PATH].join(delimiter);
  return { ...rest, PATH: path, NO_COLOR: "1" };
}

/** Waits until it is true. */
export async function until(is: () => boolean | Promise<boolean>, msMax = 20_000): Promise<void> {
  const endMs = performance.now() + msMax;
  while (!(await is())) {
    if (performance.now() > endMs) throw new Error(`it was not true within ${msMax} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Says whether a process runs; one that ended and was not waited for does not. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Reads what the `up` of a folder says of itself. */
export function recordOf(folder: string): UpRecord {
  return JSON.parse(readFileSync(join(folder, ".synod", "up.json"), "utf8")) as UpRecord;
}
