/**
 * A real nats-server for tests: finds one, or on Debian fetches the package without installing it.
 *
 * Method: what a test starts here dies with it, also when the test process is killed: a shell holds
 * a pipe to us and kills the server when the pipe closes.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { constants, existsSync, rmSync } from "node:fs";
import { access, copyFile, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Where the server is, or why there is none. */
export type FoundNatsServer = { readonly path: string } | { readonly missing: string };

/** How to start a server. */
export interface NatsServerOptions {
  /** TCP port for clients, 1…65_535; a free one if left out. */
  readonly port?: number;
  /** Text of a configuration file (the listen address and port are given apart). */
  readonly config?: string;
  /** More command line arguments. */
  readonly args?: readonly string[];
}

/** A running server on 127.0.0.1. */
export interface NatsServerProcess {
  /** `nats://127.0.0.1:<port>`. */
  readonly url: string;
  /** TCP port for clients. */
  readonly port: number;
  /** The server's process id. */
  readonly pid: number;
  /** Ends the server in good order and removes its folder; harmless when it is gone. */
  stop(): Promise<void>;
  /** Ends the server at once, as a crash would; call `stop()` later to remove its folder. */
  kill(): void;
}

const run = promisify(execFile);
const host = "127.0.0.1";
const name = "nats-server";
/** Milliseconds one apt-get call may take. */
const downloadMsMax = 120_000;
/** Milliseconds a server may take to greet, a cluster to join, a server to end. */
const readyMsMax = 10_000;
const stopMsMax = 5_000;
const pollMs = 20;
const startAttemptsMax = 3;
const logCharsMax = 8_192;
/**
 * Tells the workers of a test run that `prepareNatsServer` looked already and why it found nothing.
 */
const missingVariable = "SYNOD_TEST_NATS_SERVER_MISSING";

let found: Promise<FoundNatsServer> | undefined;

/**
 * Finds a nats-server: `NATS_SERVER`, then PATH, then the copy fetched earlier, then (Debian)
 * fetches one.
 *
 * @returns its path, or the reason to skip with
 * @throws Error with that reason if `CI` is `true`: there a silent skip would be a hole
 */
export async function findNatsServer(): Promise<FoundNatsServer> {
  found ??= search();
  const result = await found;
  const { CI } = process.env;
  if ("missing" in result && CI === "true") {
    throw new Error(`the tests need a nats-server: ${result.missing}`);
  }
  return result;
}

/**
 * Finds the server once for a whole test run; for vitest's `globalSetup`, whose environment the
 * workers inherit.
 */
export async function prepareNatsServer(): Promise<void> {
  const result = await findNatsServer();
  const told =
    "path" in result ? { NATS_SERVER: result.path } : { [missingVariable]: result.missing };
  Object.assign(process.env, told);
}

/**
 * Starts a server in a temporary folder and waits for its greeting.
 *
 * @throws Error with the end of its log if it does not start, or the reason if there is no
 * nats-server
 */
export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServerProcess> {
  const server = await findNatsServer();
  if ("missing" in server) {
    throw new Error(server.missing);
  }
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    try {
      return await launch(server.path, port, options);
    } catch (error) {
      // Between finding a free port and using it somebody else may have taken it.
      if (options.port !== undefined || attempt === startAttemptsMax) {
        throw error;
      }
    }
  }
}

/**
 * Starts servers that route to each other and waits until each knows all.
 *
 * @param size how many servers, 1…
 */
export async function startNatsCluster(size: number): Promise<NatsServerProcess[]> {
  const routePorts = await freePorts(size);
  const routes = routePorts.map((port) => `nats://${host}:${port}`).join(", ");
  const started = await Promise.allSettled(
    routePorts.map((port, i) =>
      startNatsServer({
        config:
          `server_name: n${i + 1}\n` +
          `cluster { name: test, listen: "${host}:${port}", routes: [${routes}] }\n`,
      }),
    ),
  );
  const servers = started.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  try {
    const failure = started.find((each) => each.status === "rejected");
    if (failure !== undefined) {
      throw failure.reason;
    }
    await Promise.all(servers.map((server) => untilJoined(server.port, size)));
    return servers;
  } catch (error) {
    await Promise.all(servers.map((server) => server.stop()));
    throw error;
  }
}

async function search(): Promise<FoundNatsServer> {
  const { NATS_SERVER: told, [missingVariable]: known } = process.env;
  if (told !== undefined && told !== "") {
    const missing = `NATS_SERVER is ${told}, which is not an executable file`;
    return (await isExecutable(told)) ? { path: told } : { missing };
  }
  if (known !== undefined) {
    return { missing: known };
  }
  const cached = join(cacheFolder(), name, name);
  // Debian installs it where only root's PATH leads.
  const path = (await onPath(name)) ?? (await firstExecutable([`/usr/sbin/${name}`, cached]));
  if (path !== undefined) {
    return { path };
  }
  if (!existsSync("/etc/debian_version") || (await onPath("apt-get")) === undefined) {
    return { missing: `${name} is not on PATH; install it or set NATS_SERVER to its path` };
  }
  try {
    await download(cached);
    return { path: cached };
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    const reason = stderr?.trim().split("\n").at(-1) ?? message;
    return { missing: `${name} is not on PATH and could not be fetched: ${reason}` };
  }
}

/**
 * Unpacks Debian's package next to `target`'s folder, then renames: several workers may do so at
 * once.
 */
async function download(target: string): Promise<void> {
  const folder = join(cacheFolder(), `${name}.${process.pid}.${randomUUID()}`);
  const result = join(folder, "result");
  const [state, cache] = [join(folder, "state"), join(folder, "cache")];
  try {
    await mkdir(join(state, "lists", "partial"), { recursive: true });
    await mkdir(join(cache, "archives", "partial"), { recursive: true });
    await mkdir(result);
    const settings = [`Dir::State=${state}`, `Dir::Cache=${cache}`, "Acquire::Languages=none"];
    // Root's apt drops to a user of its own, who may not write into our folder.
    settings.push("APT::Sandbox::User=root", "Acquire::http::Timeout=20", "Acquire::Retries=1");
    const options = ["-qq", ...settings.flatMap((setting) => ["-o", setting])];
    const within = { cwd: folder, timeout: downloadMsMax };
    // One dead source fails the update although the others suffice; the download is the judge.
    await run("apt-get", [...options, "update"], within).catch(() => {});
    await run("apt-get", [...options, "download", name], within);
    const archive = (await readdir(folder)).find((file) => file.endsWith(".deb"));
    if (archive === undefined) {
      throw new Error("apt-get download left no package");
    }
    await run("dpkg-deb", ["-x", archive, "tree"], within);
    await copyFile(join(folder, "tree", "usr", "sbin", name), join(result, name));
    await rename(result, dirname(target)).catch(async (error: unknown) => {
      // Somebody else was faster, which is as good.
      if (!(await isExecutable(target))) {
        throw error;
      }
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** `node_modules/.cache` of the package this file is in. */
function cacheFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json")) && dirname(folder) !== folder) {
    folder = dirname(folder);
  }
  return join(folder, "node_modules", ".cache");
}

function onPath(command: string): Promise<string | undefined> {
  const { PATH = "" } = process.env;
  const folders = PATH.split(delimiter).filter((folder) => folder !== "");
  return firstExecutable(folders.map((folder) => join(folder, command)));
}

async function firstExecutable(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    if (await isExecutable(path)) {
      return path;
    }
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function launch(
  path: string,
  port: number,
  options: NatsServerOptions,
): Promise<NatsServerProcess> {
  const folder = await mkdtemp(join(tmpdir(), "synod-nats-"));
  const config = join(folder, "nats.conf");
  await writeFile(config, options.config ?? "");
  const listen = ["-a", host, "-p", String(port), "-c", config, "-sd", join(folder, "store")];
  const child = spawn(path, [...listen, ...(options.args ?? [])], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-logCharsMax);
  });
  const ended = guard(child, folder);
  const stop = async () => {
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), stopMsMax);
    await ended;
    clearTimeout(late);
    await rm(folder, { recursive: true, force: true });
  };
  const isUp = await poll(async () => (await greeting(port)) !== undefined, ended);
  if (!isUp || child.pid === undefined) {
    await stop();
    throw new Error(`${name} did not start on port ${port}:\n${log}`);
  }
  return {
    url: `nats://${host}:${port}`,
    port,
    pid: child.pid,
    stop,
    kill: () => void child.kill("SIGKILL"),
  };
}

/** Children to kill when this process exits, each with its folder to remove. */
const alive = new Map<ChildProcess, string>();

/** Makes a child and its folder go with this process; the promise ends when the child did. */
function guard(child: ChildProcess, folder: string): Promise<void> {
  if (!process.listeners("exit").includes(killAll)) {
    process.on("exit", killAll);
  }
  alive.set(child, folder);
  // `exit` does not run when we are killed; then the end of the pipe wakes this shell.
  const script = 'read -r _; kill -9 "$1"; rm -rf "$2"';
  const watchdog = spawn("sh", ["-c", script, "sh", String(child.pid), folder], {
    stdio: ["pipe", "ignore", "ignore"],
  });
  watchdog.on("error", () => {});
  // A script that forgets to stop its server must still be able to end, and take it along.
  for (const held of [child, child.stderr, watchdog, watchdog.stdin]) {
    (held as { unref?(): void } | null)?.unref?.();
  }
  return new Promise((resolve) => {
    const over = () => {
      // The shell first, then its pipe: it must not kill a process that got the same id later.
      watchdog.kill("SIGKILL");
      alive.delete(child);
      resolve();
    };
    child.once("exit", over);
    child.once("error", over);
  });
}

function killAll(): void {
  for (const [child, folder] of alive) {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Asks again until the answer is yes; no when the time or `ended` is over first. */
async function poll(ask: () => Promise<boolean>, ended?: Promise<void>): Promise<boolean> {
  let isOver = false;
  void ended?.then(() => {
    isOver = true;
  });
  const until = performance.now() + readyMsMax;
  while (!isOver && performance.now() < until) {
    if (await ask()) {
      return !isOver;
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  return false;
}

async function untilJoined(port: number, size: number): Promise<void> {
  const isJoined = await poll(async () => {
    const { connect_urls: urls } = (await greeting(port)) ?? {};
    return size === 1 || (Array.isArray(urls) && urls.length === size);
  });
  if (!isJoined) {
    throw new Error(`the server on port ${port} did not join a cluster of ${size}`);
  }
}

/** What a server on the port says in INFO, undefined if nobody answers. */
function greeting(port: number): Promise<Record<string, unknown> | undefined> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect({ host, port });
    socket.setTimeout(1_000, () => socket.destroy());
    socket.on("error", () => {});
    socket.on("close", () => resolve(undefined));
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const info = /^INFO (\{.*\}) *\r\n/.exec(text)?.[1];
      if (info !== undefined) {
        resolve(JSON.parse(info) as Record<string, unknown>);
        socket.destroy();
      }
    });
  });
}

async function freePort(): Promise<number> {
  return (await freePorts(1))[0]!;
}

/** Distinct ports: all are held until the last one is found. */
async function freePorts(count: number): Promise<number[]> {
  const holders = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    holders.map(
      (holder) =>
        new Promise<number>((resolve, reject) => {
          holder.once("error", reject);
          holder.listen({ host, port: 0 }, () => resolve((holder.address() as AddressInfo).port));
        }),
    ),
  );
  await Promise.all(holders.map((holder) => new Promise((resolve) => holder.close(resolve))));
  return ports;
}
