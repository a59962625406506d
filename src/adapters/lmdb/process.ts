/**
 * Which process a file means that names one: its pid and when it started.
 *
 * Why not the pid alone: a pid is given out again, soon after a reboot and in a container, where
 * every first process is number 1. A lock of a dead process would be held by a stranger.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** A process as a file names it. */
export interface NamedProcess {
  readonly pid: number;
  /** What {@link startOf} returned for it; undefined where it could not be told. */
  readonly start: string | undefined;
}

/** How the system is asked: its process files on Linux, elsewhere the program `ps`. */
type Way = "proc" | "ps";

/** Milliseconds that `ps` may take. */
const PS_MS_MAX = 2000;
/** Where the start stands in /proc/PID/stat, counted from the field behind the program's name. */
const START_FIELD = 19;

const usual: Way = process.platform === "linux" ? "proc" : "ps";

/**
 * Says when a process started, as text that another process of the same pid does not have.
 *
 * @returns on Linux the boot and the clock tick in it, elsewhere the second; undefined if there is
 *   no such process or the system does not tell
 */
export function startOf(pid: number, by: Way = usual): string | undefined {
  try {
    return by === "proc" ? startByProc(pid) : startByPs(pid);
  } catch {
    return undefined;
  }
}

/** Says whether the process that a file names still runs. Without a start the pid alone decides. */
export function isRunning({ pid, start }: NamedProcess, by: Way = usual): boolean {
  if (!isAlive(pid)) return false;
  const now = start === undefined ? undefined : startOf(pid, by);
  return now === undefined || now === start;
}

function startByProc(pid: number): string | undefined {
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The program's name stands in brackets and may hold any character, brackets too.
  const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[START_FIELD];
  return ticks === undefined ? undefined : `${boot} ${ticks}`;
}

function startByPs(pid: number): string | undefined {
  const text = execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], {
    encoding: "utf8",
    timeout: PS_MS_MAX,
    stdio: ["ignore", "pipe", "ignore"],
    // The same text whatever language and time zone the asking process has.
    env: { ...process.env, LC_ALL: "C", TZ: "UTC" },
  }).trim();
  return text === "" ? undefined : text;
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
