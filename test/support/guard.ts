/**
 * What a test started dies with it, also when the test process is killed: a shell holds a pipe to
 * us, knows our children and folders, and ends them when the pipe closes.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { rmSync } from "node:fs";

/** Children to kill and folders to remove when this process ends. */
const children = new Set<ChildProcess>();
const folders = new Set<string>();
let watchdog: ChildProcess | undefined;

const script = `
all=
while read -r sign kind what; do
  if [ "$sign" = + ]; then all="$all
$kind $what"
  else all=$(printf '%s\\n' "$all" | grep -vxF "$kind $what"); fi
done
printf '%s\\n' "$all" | while read -r kind what; do [ "$kind" = pid ] && kill -9 "$what"; done
printf '%s\\n' "$all" | while read -r kind what; do [ "$kind" = folder ] && rm -rf "$what"; done`;

/** Makes a child end with this process. It may keep this process from ending; see `unref`. */
export function guardChild(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined) return;
  children.add(child);
  tell(`+ pid ${pid}`);
  child.once("exit", () => {
    children.delete(child);
    tell(`- pid ${pid}`);
  });
}

/** Makes a folder end with this process. @returns for when it was removed before */
export function guardFolder(folder: string): () => void {
  folders.add(folder);
  tell(`+ folder ${folder}`);
  return () => {
    folders.delete(folder);
    tell(`- folder ${folder}`);
  };
}

function tell(line: string): void {
  watchdog ??= startWatchdog();
  watchdog.stdin?.write(`${line}\n`);
}

function startWatchdog(): ChildProcess {
  process.on("exit", endAll);
  // A group of its own: Ctrl-C in a terminal must not end it before us.
  const shell = spawn("sh", ["-c", script], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  shell.on("error", () => {});
  shell.stdin.on("error", () => {});
  // A script that forgets to end what it started must still be able to end, and take it along.
  shell.unref();
  (shell.stdin as unknown as { unref(): void }).unref();
  return shell;
}

function endAll(): void {
  for (const child of children) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
