/**
 * A real nats-server for tests. What a test starts here dies with it (guard.ts).
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FoundTool, ToolFinder } from "./debian-tool.js";
import { guardChild, guardFolder } from "./guard.js";

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
  /**
   * Has it read another configuration (SIGHUP); resolves once its log says that it has. It tells no
   * client of it.
   */
  reload(config: string): Promise<void>;
  /** Starts it again on its port, after `stop` or `kill`. */
  again(): Promise<NatsServerProcess>;
}

/** A cluster of servers of which the last one reaches the others through one port. */
export interface ClusterOptions {
  /** The port the others connect to, to reach the last server; it connects to nobody. */
  readonly lastVia: number;
  /** Called with the port behind, before anybody connects. */
  readonly onLast: (port: number) => void;
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
 * @param config more text of each one's configuration
 */
export async function startNatsCluster(
  size: number,
  options?: ClusterOptions,
  config = "",
): Promise<NatsServerProcess[]> {
  const routePorts = await freePorts(size);
  options?.onLast(routePorts.at(-1)!);
  const reached = routePorts.map((port, i) => (i === size - 1 ? (options?.lastVia ?? port) : port));
  const routes = reached.map((port) => `nats://${host}:${port}`).join(", ");
  const configOf = (port: number, i: number) => {
    const isBehind = options !== undefined && i === size - 1;
    const out = isBehind ? `advertise: "${host}:${options.lastVia}"` : `routes: [${routes}]`;
    const cluster = `cluster { name: test, listen: "${host}:${port}", ${out} }`;
    return `server_name: n${i + 1}\n${cluster}\n${config}`;
  };
  const started = await Promise.allSettled(
    routePorts.map((port, i) => startNatsServer({ config: configOf(port, i) })),
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
  guardChild(child);
  const forget = guardFolder(folder);
  // A script that forgets to stop its server must still be able to end, and take it along.
  for (const held of [child, child.stderr]) (held as { unref?(): void }).unref?.();
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  const stop = async () => {
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), stopMsMax);
    await ended;
    clearTimeout(late);
    await rm(folder, { recursive: true, force: true });
    forget();
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
    reload: async (text) => {
      await writeFile(config, text);
      log = "";
      child.kill("SIGHUP");
      const isRead = await poll(async () => /Reloaded server configuration/.test(log));
      if (!isRead) throw new Error(`${name} did not take its new configuration:\n${log}`);
    },
    again: () => startNatsServer({ ...options, port }),
  };
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
