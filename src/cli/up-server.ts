/** Which NATS server `up` uses, started if need be, and free of another cluster of the name. */
import { closeSync, openSync } from "node:fs";
import { delimiter, dirname } from "node:path";
import type { NatsOptions } from "../adapters/nats/given.js";
import { connectNats } from "../adapters/nats/transport.js";
import { createClock } from "../adapters/node/clock.js";
import type { Space } from "../kernel/bus/subject.js";
import type { ClusterFolder } from "../worker/cluster-folder.js";
import { isAnswered } from "../worker/control.js";
import { EXIT } from "../worker/exit.js";
import { forkLogged } from "../worker/local-cluster.js";
import { planServer } from "../worker/server.js";
import type { Supervisor } from "../worker/supervisor.js";
import { shownServer } from "./client.js";
import { type ConnectionFlags, natsOptions } from "./connection.js";
import { Failure } from "./failure.js";
import { say } from "./terminal.js";

/** What `up` knows of its server. */
export interface UpServer {
  readonly nats: NatsOptions;
  /** Without credentials. */
  readonly url: string;
  /** For the banner: `nats-server, started for this cluster`. */
  readonly what: string;
  /** Options of the `worker` command that lead there. */
  readonly connection: readonly string[];
  /** The environment of workers: holds an address that may carry credentials. */
  readonly environment: NodeJS.ProcessEnv;
}

/** What is needed to find or start it. */
interface ServerRequest {
  readonly flags: ConnectionFlags;
  readonly port: number | undefined;
  readonly isEmbedded: boolean;
  readonly folder: ClusterFolder;
  readonly supervisor: Supervisor;
  readonly main: string;
}

/**
 * Finds the server: the one that was named, else a nats-server of this machine, else the embedded
 * broker. What is started here listens on loopback; another address must be named.
 */
export async function findServer(request: ServerRequest): Promise<UpServer> {
  const { flags } = request;
  if (flags.nats !== undefined || flags.context !== undefined) return namedServer(flags);
  const { NATS_URL: ignored } = process.env;
  if (ignored) say("synod: NATS_URL is not used by `up`: name a server with --nats to use it");
  return startServer(request);
}

async function namedServer(flags: ConnectionFlags): Promise<UpServer> {
  const chosenBy = flags.nats === undefined ? `--context ${flags.context}` : "--nats";
  const nats = { ...(await natsOptions(flags)), chosenBy };
  const url = shownServer({ nats });
  const { NATS_URL: _, ...environment } = process.env;
  const connection = [
    ...(flags.context === undefined ? [] : ["--context", flags.context]),
    ...(flags.creds === undefined ? [] : ["--creds", flags.creds]),
    ...(flags.inboxPrefix === undefined ? [] : ["--inbox-prefix", flags.inboxPrefix]),
    ...(flags.discovery === false ? ["--no-discovery"] : []),
  ];
  if (flags.nats === undefined) return { nats, url, what: "named", connection, environment };
  if (flags.context === undefined) {
    // Not on the command line, which every user of the machine can read.
    return {
      nats,
      url,
      what: "named",
      connection,
      environment: withServer(environment, flags.nats),
    };
  }
  return {
    nats,
    url,
    what: "named",
    connection: [...connection, "--nats", flags.nats],
    environment,
  };
}

async function startServer(request: ServerRequest): Promise<UpServer> {
  const { folder, supervisor, main, port, isEmbedded } = request;
  const logPath = await folder.logPath("server");
  const log = openSync(logPath, "a", 0o600);
  // Where Debian puts it, only root's PATH leads.
  const searchPath = [process.env["PATH"] ?? "", "/usr/sbin", "/usr/local/sbin"].join(delimiter);
  const server = await planServer({
    folder: folder.path,
    port,
    welcomePort: await folder.lastPort(),
    log,
    startBroker: (at) => forkLogged(main, ["broker", "--port", String(at)], logPath, process.env),
    searchPath,
    isEmbedded,
  });
  try {
    await inTime(supervisor.add(server.launch), server.url, dirname(logPath));
  } finally {
    if (server.kind === "broker") closeSync(log);
  }
  await folder.keepPort(server.port);
  const broker = isEmbedded
    ? "the embedded broker"
    : "the embedded broker: no nats-server was found";
  const what = server.kind === "broker" ? broker : "a nats-server, started for this cluster";
  const environment = withServer(process.env, server.url);
  return {
    nats: { servers: server.url, chosenBy: "`up`" },
    url: server.url,
    what,
    connection: [],
    environment,
  };
}

function withServer(environment: NodeJS.ProcessEnv, url: string): NodeJS.ProcessEnv {
  return { ...environment, NATS_URL: url };
}

/** Milliseconds a server that we start may take to serve. */
const serverMsMax = 15_000;

async function inTime(ready: Promise<void>, url: string, logs: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `the server on ${url} does not start: see ${logs}`;
    timer = setTimeout(
      () => reject(new Failure(EXIT.unreached, "unreachable", message)),
      serverMsMax,
    );
  });
  try {
    await Promise.race([ready, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Milliseconds a cluster of the same name has to answer. */
const twinMsMax = 500;

/** Makes sure that no cluster of the name answers on the server already. @throws Failure */
export async function refuseTwins(server: UpServer, space: Space): Promise<void> {
  const transport = await connectNats({ ...server.nats, name: "synod up" });
  try {
    if (!(await isAnswered({ transport, clock: createClock() }, space, twinMsMax))) return;
    throw new Failure(
      EXIT.failed,
      "name_in_use",
      `a cluster ${space.cluster} answers on ${server.url} already: choose another name ` +
        "(--cluster) or server (--nats), or stop that one",
    );
  } finally {
    await transport.close();
  }
}
