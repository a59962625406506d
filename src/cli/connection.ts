/** Where a command finds its cluster: the options that all commands share, and their defaults. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { readCreds, readNatsContext } from "../adapters/nats/context.js";
import type { NatsOptions } from "../adapters/nats/given.js";
import { connectNats, type NatsTransport } from "../adapters/nats/transport.js";
import type { Space } from "../kernel/bus/subject.js";
import { readUp } from "../worker/cluster-folder.js";
import { hasSupervisor } from "../worker/parent.js";
import { usage } from "./failure.js";
import { say } from "./terminal.js";

/** Options that every command takes. */
export interface ConnectionFlags {
  readonly nats?: string | undefined;
  readonly context?: string | undefined;
  readonly creds?: string | undefined;
  readonly inboxPrefix?: string | undefined;
  /** False with `--no-discovery`. */
  readonly discovery?: boolean | undefined;
  readonly cluster?: string | undefined;
  readonly prefix?: string | undefined;
  readonly json?: boolean | undefined;
}

/** A server and a cluster on it. */
export interface Place {
  readonly nats: NatsOptions;
  readonly space: Space;
}

const defaultServer = "nats://127.0.0.1:4222";
const defaultCluster = "demo";
const defaultPrefix = "synod";

/** Adds the options that every command takes. */
export function withConnection(command: Command): Command {
  return command
    .option("--nats <url>", "the NATS server (nats://HOST:PORT, several with commas)")
    .option("--context <name>", "the server and credentials of a context of the nats command")
    .option("--creds <file>", "a credentials file")
    .option("--inbox-prefix <subject>", "where answers may come, if permissions say so")
    .option("--no-discovery", "use only the NATS servers that are named, not those they tell of")
    .option(
      "--cluster <name>",
      `the cluster's name (default: what is up here, or ${defaultCluster})`,
    )
    .option("--prefix <token>", "the first token of every subject (default: synod)")
    .option("--json", "print one JSON object a line");
}

/** Finds the server: option, the `up` that runs in this folder, NATS_URL, port 4222 here. */
export async function findPlace(flags: ConnectionFlags): Promise<Place> {
  const isNamed = (flags.nats ?? flags.context) !== undefined;
  const up = await readUp(process.cwd()).catch((error: unknown) => {
    // A `.synod` of another user is in the way only of a command that needs it.
    if (isNamed) return undefined;
    throw error;
  });
  const { server, namedBy } = nameServer(flags, up?.server);
  return {
    nats: { ...(await natsOptions({ ...flags, nats: server })), chosenBy: namedBy },
    space: {
      prefix: checkToken(flags.prefix ?? up?.prefix ?? defaultPrefix, "prefix"),
      cluster: checkToken(flags.cluster ?? up?.cluster ?? defaultCluster, "cluster"),
    },
  };
}

/**
 * Names the server; undefined where a context names it.
 *
 * Why the `up` of this folder goes before NATS_URL: `up` does not use NATS_URL, which is often set
 * for other programs, and a command in its folder must find what `up` started.
 */
function nameServer(
  flags: ConnectionFlags,
  up: string | undefined,
): { readonly server: string | undefined; readonly namedBy: string } {
  const { NATS_URL: fromEnvironment } = process.env;
  if (flags.nats !== undefined) return { server: flags.nats, namedBy: "--nats" };
  if (flags.context !== undefined) {
    return { server: undefined, namedBy: `--context ${flags.context}` };
  }
  // A worker gets its server from `up` so, with credentials that .synod/ does not hold.
  if (fromEnvironment && hasSupervisor()) return { server: fromEnvironment, namedBy: "`up`" };
  if (fromEnvironment && (up === undefined || haveServerInCommon(fromEnvironment, up))) {
    return { server: fromEnvironment, namedBy: "NATS_URL" };
  }
  if (up !== undefined) {
    if (fromEnvironment) {
      say(
        `synod: NATS_URL is not used: \`up\` runs in this folder, on ${up} (--nats names another)`,
      );
    }
    return { server: up, namedBy: ".synod/ of this folder" };
  }
  return { server: defaultServer, namedBy: "default, since no `synod up` runs in this folder" };
}

/** Says whether two lists of servers name one in common; then the one with credentials serves. */
function haveServerInCommon(one: string, other: string): boolean {
  const hosts = (list: string) =>
    list.split(",").map((server) =>
      server
        .trim()
        .replace(/^.*:\/\//s, "")
        .replace(/^.*@/s, ""),
    );
  const known = new Set(hosts(other));
  return hosts(one).some((host) => known.has(host));
}

/** Reads what the options name: a context, a credentials file. */
export async function natsOptions(
  flags: Pick<ConnectionFlags, "nats" | "context" | "creds" | "inboxPrefix" | "discovery">,
): Promise<NatsOptions> {
  const { nats, context, creds, inboxPrefix, discovery } = flags;
  const base = context === undefined ? {} : await readNatsContext(context);
  return {
    ...base,
    ...(nats === undefined ? {} : { servers: nats }),
    ...(creds === undefined ? {} : await credentialsIn(creds)),
    ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
    // A server of a NATS cluster tells of the others, past whatever stands before the named one.
    ...(discovery === false ? { ignoreClusterUpdates: true } : {}),
  };
}

/** Credentials of a file, read now and again at each dial: it may change meanwhile. */
async function credentialsIn(file: string): Promise<Pick<NatsOptions, "credentials">> {
  const credentials = async () => ({ creds: await readCreds(file) });
  await credentials();
  return { credentials };
}

/** Connects for one command. @throws NatsConnectError */
export function connectTo(place: Pick<Place, "nats">): Promise<NatsTransport> {
  return connectNats({ ...place.nats, name: "synod" });
}

function checkToken(text: string, what: string): string {
  if (/^[a-z0-9_-]{1,32}$/.test(text)) return text;
  const given = JSON.stringify(text);
  throw usage(`--${what} ${given}: use 1 to 32 characters out of a-z, 0-9, _ and -`);
}

/** The version of this program. */
export async function version(): Promise<string> {
  for (const up of ["../../..", "../.."]) {
    const url = new URL(join(up, "package.json"), import.meta.url);
    const text = await readFile(url, "utf8").catch(() => undefined);
    if (text !== undefined) return (JSON.parse(text) as { version: string }).version;
  }
  return "unknown";
}
