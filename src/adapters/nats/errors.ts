import { ErrorCode } from "nats";
import { unquoted } from "./reports.js";

/**
 * What stands between us and a server.
 * - `unreachable`: nobody answers there;
 * - `server_refused`: the server answered and refused the connection: a limit of it, mostly;
 * - `machine_limit`: this machine lacks what a connection needs, and no server was asked;
 * - `not_authorized`: the server refused the credentials, or they cannot be read;
 * - `tls`: the encrypted connection could not be made;
 * - `not_nats`: something else answers there;
 * - `bad_options`: the options contradict each other or say something impossible;
 * - `missing_file`: a context or credentials file is not there or not what it should be;
 * - `disconnected`: the connection is gone, and what was published may be lost.
 */
export type NatsFault =
  | "unreachable"
  | "server_refused"
  | "machine_limit"
  | "not_authorized"
  | "tls"
  | "not_nats"
  | "bad_options"
  | "missing_file"
  | "disconnected";

/**
 * Says in one sentence what is wrong and what to do; fit to be shown to a person.
 *
 * Holds: no password, token or seed is ever part of the message.
 */
export class NatsConnectError extends Error {
  override readonly name = "NatsConnectError";
  readonly code: NatsFault;

  constructor(code: NatsFault, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** Codes of the client after which the same credentials cannot succeed. */
const refusals: readonly string[] = [
  ErrorCode.AuthorizationViolation,
  ErrorCode.AuthenticationExpired,
  ErrorCode.AccountExpired,
  ErrorCode.BadAuthentication,
  ErrorCode.BadCreds,
];

/** What this machine lacks, by the code of its operating system. */
const lacks: Readonly<Record<string, string>> = {
  EMFILE: "this process may open no more files and sockets (EMFILE): raise `ulimit -n`",
  ENFILE: "this machine has no free file handle (ENFILE): end programs, or raise fs.file-max",
  ENOMEM: "this machine has no memory left for a connection (ENOMEM): end programs",
  ENOBUFS: "this machine has no memory left for a connection (ENOBUFS): end programs",
  EADDRNOTAVAIL:
    "this machine has no free local port or address for a connection (EADDRNOTAVAIL): wait until " +
    "closed connections are forgotten, or widen net.ipv4.ip_local_port_range",
  EACCES: "this machine forbids the connection (EACCES): ask who looks after its firewall",
  EPERM: "this machine forbids the connection (EPERM): ask who looks after its firewall",
};

/** What a server refuses a connection for, and what to do. */
const serverLimits: readonly (readonly [words: RegExp, what: string, advice: string])[] = [
  [
    /maximum account active connections/i,
    "takes no more connections",
    "raise max_connections of the account, or end other clients of it",
  ],
  [
    /maximum connections/i,
    "takes no more connections",
    "raise its max_connections, or end other clients of it",
  ],
  [/maximum control line/i, "takes no lines as long as ours", "leave its max_control_line at 4096"],
];

/**
 * Returns why a connection is of no use any more, if the server's words are that it allows no more
 * subscriptions; undefined for other words.
 *
 * @param needed how many this connection needs
 */
export function tooFewSubscriptions(
  words: string,
  needed: number,
  server: string,
): string | undefined {
  if (!/maximum (?:\w+ )*subscriptions exceeded/i.test(words)) {
    return undefined;
  }
  return (
    `the NATS server at ${server} allows this connection too few subscriptions (${words}): it ` +
    `needs ${needed}: raise max_subscriptions of the server or the account`
  );
}

/**
 * Turns what the client threw into a sentence.
 *
 * @param servers where it tried, without credentials
 * @param chosenBy by what they were chosen
 */
export function explain(
  error: unknown,
  servers: readonly string[],
  chosenBy?: string,
): NatsConnectError {
  const { code = "", message = String(error) } = error as { code?: string; message?: string };
  const where = placeOf(servers, chosenBy);
  const told = `the NATS server at ${where}${chosenBy === undefined ? "" : ","}`;
  if (refusals.includes(code)) {
    const text =
      `${told} refused the credentials (${readable(code)}): ` +
      "check the user, token, creds or nkey that belong to it (--creds, --context)";
    return new NatsConnectError("not_authorized", text, error);
  }
  if (code === ErrorCode.ServerOptionNotAvailable && message.includes("tls")) {
    const text = `${told} offers no TLS, and the options ask for it: use nats:// or configure it`;
    return new NatsConnectError("tls", text, error);
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    const { reason = message } = error as { reason?: string };
    const text =
      `the certificate of ${told} is for another name or address (${reason}): ` +
      "name the server as its certificate does";
    return new NatsConnectError("tls", text, error);
  }
  if (isTls(code, message)) {
    const text = `TLS with ${told} failed (${readable(code || message)}): check ca, cert and key`;
    return new NatsConnectError("tls", text, error);
  }
  if (message === "unexpected response from server") {
    const text = `what answers at ${where} is no NATS server: check the address`;
    return new NatsConnectError("not_nats", text, error);
  }
  const lack = lacks[code];
  if (lack !== undefined) {
    return new NatsConnectError("machine_limit", `${lack}; ${told} was not asked`, error);
  }
  if (code === ErrorCode.ProtocolError) {
    return new NatsConnectError("server_refused", refusal(told, unquoted(message)), error);
  }
  const text =
    `no NATS server answers at ${where} (${readable(code || message)}): start one there ` +
    "(nats-server), or say where it is (--nats nats://HOST:PORT, or NATS_URL)";
  return new NatsConnectError("unreachable", text, error);
}

/** Names servers and by what they were chosen. */
export function placeOf(servers: readonly string[], chosenBy: string | undefined): string {
  return `${servers.join(", ")}${chosenBy === undefined ? "" : `, chosen by ${chosenBy}`}`;
}

/** The sentence of a refusal in the server's own words. */
function refusal(told: string, words: string): string {
  const [, what, advice] = serverLimits.find(([pattern]) => pattern.test(words)) ?? [];
  return what === undefined
    ? `${told} refused the connection with the words "${words}": see its log`
    : `${told} ${what} (${words}): ${advice}`;
}

function isTls(code: string, message: string): boolean {
  return /^(?:ERR_(?:TLS|SSL)|TLS|CERT|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|EPROTO)/i.test(
    code || message,
  );
}

const words: Readonly<Record<string, string>> = {
  [ErrorCode.Timeout]: "no answer in time",
  ECONNRESET: "it closed the connection",
  ENOTFOUND: "the name is not known",
  EAI_AGAIN: "the name could not be looked up",
  ENETUNREACH: "this machine has no route to it",
  EHOSTUNREACH: "this machine has no route to it",
};

/** `CONNECTION_REFUSED` → `connection refused`. */
function readable(code: string): string {
  return words[code] ?? code.toLowerCase().replaceAll("_", " ");
}
