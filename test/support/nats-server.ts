/**
 * A real nats-server for tests.
 *
 * Method: what a test starts here dies with it, also when the test process is killed: a shell holds
 * a pipe to us and kills the server when the pipe closes.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FoundTool, ToolFinder } from "./debian-tool.js";

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

const host = "127.0.0.1";
const name = "nats-server";
/** Milliseconds a server may take to greet, a cluster to join, a server to end. */
const readyMsMax = 10_000;
const stopMsMax = 5_000;
const pollMs = 20;
const startAttemptsMax = 3;
const logCharsMax = 8_192;
const finder = new ToolFinder({ name, variable: "NATS_SERVER", folder: "usr/sbin" });

/** Finds a nats-server. @throws Error with the reason if there is none and `CI` is `true` */
export function findNatsServer(): Promise<FoundTool> {
  return finder.find();
}

/** Finds it once for a whole test run. */
export function prepareNatsServer(): Promise<void> {
  return finder.prepare();
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
