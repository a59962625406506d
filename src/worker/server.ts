/**
 * The NATS server of `up`: the one that was named, else a nats-server of the machine as a child,
 * else the embedded broker as a process of its own. Both of the latter listen on loopback only.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { access, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { delimiter, join } from "node:path";
import type { Launch } from "./supervisor.js";

/** A server to start. */
export interface ManagedServer {
  readonly kind: "nats-server" | "broker";
  readonly url: string;
  readonly port: number;
  readonly launch: Launch;
}

/** What is needed to start one. */
export interface ManagedServerOptions {
  /** Where its configuration and log may be written. */
  readonly folder: string;
  /** A port that was asked for; it must be free. */
  readonly port: number | undefined;
  /** A port that would be welcome: the one of the last time. */
  readonly welcomePort: number | undefined;
  /** Where its log goes. */
  readonly log: number;
  /** Starts the embedded broker on a port, as a process that says `ready`. */
  readonly startBroker: (port: number) => ChildProcess;
  /** Where programs are looked for. */
  readonly searchPath: string;
  /** Set: the embedded broker even if there is a nats-server. */
  readonly isEmbedded: boolean;
}

const host = "127.0.0.1";
const program = "nats-server";
/** Milliseconds a server may take to greet, and between two looks. */
const readyMsMax = 10_000;
const lookMs = 25;
/** Largest payload, as a nats-server has it by default. */
const payloadBytesMax = 1_048_576;
/** Milliseconds that the server waits for a connection which takes nothing. */
const writeDeadlineMs = 2_000;

/**
 * Chooses the server that `up` starts, and its port.
 *
 * @throws Error if the port that was asked for is in use
 */
export async function planServer(options: ManagedServerOptions): Promise<ManagedServer> {
  const port = await pickPort(options.port, options.welcomePort);
  const url = `nats://${host}:${port}`;
  const path = options.isEmbedded ? undefined : await onPath(options.searchPath);
  if (path === undefined) {
    const start = () => options.startBroker(port);
    return { kind: "broker", url, port, launch: { name: "broker", start, isServer: true } };
  }
  const config = join(options.folder, "nats.conf");
  // By its name we know it from another server that was faster to take the port.
  const name = `synod-up-${randomBytes(4).toString("hex")}`;
  await writeFile(config, configOf(port, name), { mode: 0o600 });
  const launch: Launch = {
    name: program,
    start: () => startServer(path, config, options.log),
    untilReady: (child) => untilGreeted(port, name, child),
    isServer: true,
  };
  return { kind: "nats-server", url, port, launch };
}

async function pickPort(asked: number | undefined, welcome: number | undefined): Promise<number> {
  if (asked !== undefined) {
    if ((await tryPort(asked)) !== undefined) return asked;
    throw new Error(
      `port ${asked} on ${host} is in use: use what listens there with ` +
        `--nats nats://${host}:${asked}, or choose another port (without --port a free one is ` +
        "taken)",
    );
  }
  const port = welcome === undefined ? undefined : await tryPort(welcome);
  const free = port ?? (await tryPort(0));
  if (free === undefined) throw new Error(`no port is free on ${host}: end some other program`);
  return free;
}

/** Returns the port if it is free (any free one for 0). @throws Error if this machine forbids it */
function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const holder = createServer();
    holder.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(undefined);
      else reject(new Error(`cannot listen on ${host}: ${error.message}`, { cause: error }));
    });
    holder.listen({ host, port }, () => {
      const found = (holder.address() as AddressInfo).port;
      holder.close(() => resolve(found));
    });
  });
}

function configOf(port: number, name: string): string {
  return [
    "# Written by `synod up`; it is written anew at every start.",
    `listen: "${host}:${port}"`,
    `server_name: "${name}"`,
    `max_payload: ${payloadBytesMax}`,
    // A process that is frozen is cut off before it holds up the others (10 s by default).
    `write_deadline: "${writeDeadlineMs}ms"`,
    "",
  ].join("\n");
}

async function onPath(searchPath: string): Promise<string | undefined> {
  for (const folder of searchPath.split(delimiter).filter((part) => part !== "")) {
    const path = join(folder, program);
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  return undefined;
}

/**
 * Starts a nats-server that dies with us: a shell holds a pipe to us, and kills it when the pipe
 * closes. In a session of its own, so that Ctrl-C in a terminal does not end it before the roles.
 */
function startServer(path: string, config: string, log: number): ChildProcess {
  const server = spawn(path, ["-c", config], { stdio: ["ignore", log, log], detached: true });
  if (server.pid === undefined) return server;
  const script = 'read -r _; kill -9 "$1" 2>/dev/null';
  const guard = spawn("sh", ["-c", script, "sh", String(server.pid)], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  guard.on("error", () => {});
  // The shell first, then its pipe: it must not kill a process that got the same id later.
  server.once("exit", () => guard.kill("SIGKILL"));
  return server;
}

async function untilGreeted(port: number, name: string, child: ChildProcess): Promise<void> {
  const untilMs = performance.now() + readyMsMax;
  while (child.exitCode === null && child.signalCode === null) {
    if (await greets(port, name)) return;
    if (performance.now() > untilMs) throw new Error(`no greeting on port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

/** Says whether the NATS server of that name greets on a loopback port. */
function greets(port: number, name: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.setTimeout(1000, () => socket.destroy());
    socket.on("error", () => {});
    socket.on("close", () => resolve(false));
    socket.on("data", (chunk) => {
      resolve(chunk.toString().includes(`"server_name":"${name}"`));
      socket.destroy();
    });
  });
}
