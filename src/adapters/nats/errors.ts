import { ErrorCode } from "nats";

/**
 * What stands between us and a server.
 * - `unreachable`: nobody answers there;
 * - `not_authorized`: the server refused the credentials, or they cannot be read;
 * - `tls`: the encrypted connection could not be made;
 * - `not_nats`: something else answers there;
 * - `bad_options`: the options contradict each other or say something impossible;
 * - `missing_file`: a context or credentials file is not there or not what it should be;
 * - `disconnected`: the connection is gone, and what was published may be lost.
 */
export type NatsFault =
  | "unreachable"
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

/**
 * Turns what the client threw into a sentence.
 *
 * @param servers where it tried, without credentials
 */
export function explain(error: unknown, servers: readonly string[]): NatsConnectError {
  const { code = "", message = String(error) } = error as { code?: string; message?: string };
  const where = servers.join(", ");
  const told = `the NATS server at ${where}`;
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
  if (isTls(code, message)) {
    const text = `TLS with ${told} failed (${readable(code || message)}): check ca, cert and key`;
    return new NatsConnectError("tls", text, error);
  }
  if (message === "unexpected response from server") {
    const text = `what answers at ${where} is no NATS server: check the address`;
    return new NatsConnectError("not_nats", text, error);
  }
  const text =
    `no NATS server answers at ${where} (${readable(code || message)}): start one there ` +
    "(nats-server), or say where it is (--nats nats://HOST:PORT, or NATS_URL)";
  return new NatsConnectError("unreachable", text, error);
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
};

/** `CONNECTION_REFUSED` → `connection refused`. */
function readable(code: string): string {
  return words[code] ?? code.toLowerCase().replaceAll("_", " ");
}
