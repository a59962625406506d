import {
  type Authenticator,
  type ConnectionOptions,
  credsAuthenticator,
  nkeyAuthenticator,
} from "nats";
import { NatsConnectError } from "./errors.js";
import type { NatsCredentials, NatsOptions, OpenConnection } from "./given.js";

/** Everything needed to dial, checked. */
export interface DialPlan {
  /** Options for the client, without `servers` and what `credentials` gives. */
  readonly client: ConnectionOptions;
  /** Options for one dial, with the credentials of the moment. @throws NatsConnectError */
  readonly freshClient: () => Promise<ConnectionOptions>;
  /** `host:port`, without credentials. */
  readonly servers: readonly string[];
  /** By what they were chosen. */
  readonly chosenBy: string | undefined;
  /** Whether to try them in any order. */
  readonly isShuffled: boolean;
  /** Rounds over all servers after a loss; -1 is without end. */
  readonly roundsMax: number;
  /** Milliseconds to the next round, drawn for each. */
  readonly pauseMs: () => number;
}

const defaultPort = 4222;
const defaultServer = `nats://127.0.0.1:${defaultPort}`;
const reconnectTimeWaitMs = 250;
const reconnectJitterMs = 100;

/**
 * What differs from the client's own defaults.
 *
 * Why: a dead server is noticed after 3 pings (15 s instead of 6 min), a frozen one delays a dial
 * by 3 s instead of 20 s, and requests make no stack traces.
 */
const defaults = {
  pingInterval: 5_000,
  maxPingOut: 2,
  timeout: 3_000,
  noAsyncTraces: true,
} satisfies ConnectionOptions;

/** Checks and completes options. @throws NatsConnectError `bad_options` or `not_authorized` */
export function planDial(options: NatsOptions): DialPlan {
  const { credentials, connection: _connection, onWaiting: _onWaiting, chosenBy, ...own } = options;
  const { creds: _creds, nkey: _nkey, signal: _signal, ...clientOptions } = own;
  const given = withoutUndefined(clientOptions);
  checkedPrefix(given.inboxPrefix);
  const addresses = addressesOf(given);
  const client: ConnectionOptions = {
    ...defaults,
    ...given,
    // The client's own reconnection is off: see README.md.
    reconnect: false,
    waitOnFirstConnect: false,
  };
  delete client.servers;
  delete client.port;
  if (addresses.some((address) => address.isTls) && client.tls === undefined) {
    client.tls = {};
  }
  const withCredentials = withProof(client, own, addresses);
  return {
    client: withCredentials,
    freshClient: async () => {
      if (credentials === undefined) {
        return withCredentials;
      }
      return withProof(client, { ...own, ...(await askFor(credentials)) }, addresses);
    },
    servers: addresses.map((address) => address.host),
    chosenBy,
    isShuffled: given.noRandomize !== true,
    roundsMax: given.reconnect === false ? 0 : (given.maxReconnectAttempts ?? -1),
    pauseMs: given.reconnectDelayHandler ?? (() => pauseOf(given)),
  };
}

/** The prefix of inboxes: the option, or that of an open connection which was given. */
export function inboxPrefixOf({ inboxPrefix, connection }: NatsOptions): string | undefined {
  // The package keeps the options of a connection there, but does not declare them.
  const { options } = (connection ?? {}) as { readonly options?: ConnectionOptions };
  return checkedPrefix(inboxPrefix ?? options?.inboxPrefix);
}

/** @throws NatsConnectError if it cannot begin a subject */
function checkedPrefix(prefix: string | undefined): string | undefined {
  if (prefix === undefined || /^[^\s.*>]+(?:\.[^\s.*>]+)*$/.test(prefix)) return prefix;
  const message =
    `the inbox prefix ${JSON.stringify(prefix)} cannot begin a subject: ` +
    "use tokens without spaces and wildcards, joined by dots";
  throw new NatsConnectError("bad_options", message);
}

/** Begins a sentence about the function that gives credentials. */
export const noCredentials =
  "the credentials cannot be had now: the function of option credentials";

/** Adds what proves who we are to options for the client. @throws NatsConnectError */
function withProof(
  client: ConnectionOptions,
  { user, pass, token, creds, nkey, authenticator }: NatsCredentials,
  addresses: readonly Address[],
): ConnectionOptions {
  const proven = withoutUndefined({ ...client, user, pass, token, authenticator });
  takeCredentials(proven, addresses);
  const seeds = [
    ...(creds === undefined ? [] : [checked(credsAuthenticator(bytes(creds)), "creds")]),
    ...(nkey === undefined ? [] : [checked(nkeyAuthenticator(bytes(nkey.trim())), "nkey")]),
  ];
  if (seeds.length > 0) {
    proven.authenticator = [...[authenticator ?? []].flat(), ...seeds];
  }
  return proven;
}

async function askFor(
  credentials: NonNullable<NatsOptions["credentials"]>,
): Promise<NatsCredentials> {
  try {
    return await credentials();
  } catch (cause) {
    if (cause instanceof NatsConnectError) {
      throw cause;
    }
    // What it says may hold a secret.
    throw new NatsConnectError("not_authorized", `${noCredentials} throws`, cause);
  }
}

/** Tells an open connection from options. */
export function isConnection(given: NatsOptions | OpenConnection): given is OpenConnection {
  return typeof (given as Partial<OpenConnection>).publish === "function";
}

function pauseOf(given: ConnectionOptions): number {
  const wait = given.reconnectTimeWait ?? reconnectTimeWaitMs;
  return wait + Math.random() * (given.reconnectJitter ?? reconnectJitterMs);
}

interface Address {
  readonly host: string;
  readonly isTls: boolean;
  readonly user: string;
  readonly pass: string;
}

function addressesOf(given: ConnectionOptions): Address[] {
  const port = given.port === undefined ? defaultServer : `nats://127.0.0.1:${given.port}`;
  const texts = [given.servers ?? []]
    .flat()
    .flatMap((text) => text.split(","))
    .map((text) => text.trim())
    .filter((text) => text !== "");
  return (texts.length === 0 ? [port] : texts).map(addressOf);
}

function addressOf(text: string): Address {
  const url = parse(text);
  // What is before an @ may be a secret.
  const shown = text.replace(/^(.*:\/\/)?.*@/s, "$1");
  if (url === undefined || url.hostname === "") {
    const message = `"${shown}" is no server address: write nats://HOST:PORT`;
    throw new NatsConnectError("bad_options", message);
  }
  if (url.protocol !== "nats:" && url.protocol !== "tls:") {
    const message = `"${shown}": this client speaks plain TCP or TLS: write nats:// or tls://`;
    throw new NatsConnectError("bad_options", message);
  }
  return {
    host: `${url.hostname}:${url.port === "" ? defaultPort : url.port}`,
    isTls: url.protocol === "tls:",
    user: decodeURIComponent(url.username),
    pass: decodeURIComponent(url.password),
  };
}

function parse(text: string): URL | undefined {
  try {
    const url = new URL(text.includes("://") ? text : `nats://${text}`);
    decodeURIComponent(url.username + url.password);
    return url;
  } catch {
    return undefined;
  }
}

/** The client ignores credentials in an address; they count when the options name none. */
function takeCredentials(client: ConnectionOptions, addresses: readonly Address[]): void {
  const named = addresses.filter((address) => address.user !== "");
  const first = named[0];
  if (first === undefined || client.user !== undefined || client.token !== undefined) {
    return;
  }
  if (named.some((address) => address.user !== first.user || address.pass !== first.pass)) {
    const message = "the server addresses carry different credentials: use the same for all";
    throw new NatsConnectError("bad_options", message);
  }
  if (first.pass === "") {
    client.token = first.user;
  } else {
    client.user = first.user;
    client.pass = first.pass;
  }
}

/** Tries an authenticator once: later, inside the client, its failure has no sentence. */
function checked(authenticator: Authenticator, what: "creds" | "nkey"): Authenticator {
  try {
    authenticator("nonce");
    return authenticator;
  } catch (cause) {
    const text =
      what === "creds"
        ? "the creds hold no user JWT and seed: give the content of a .creds file, as nsc writes it"
        : "the nkey is no seed: give the user's private seed, which begins with SU";
    throw new NatsConnectError("not_authorized", text, cause);
  }
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The client takes an explicit undefined for a value. */
function withoutUndefined(options: object): ConnectionOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
