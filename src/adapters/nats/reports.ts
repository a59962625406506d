import { ErrorCode, type NatsConnection, type Status } from "nats";
import type { Denied } from "../../kernel/ports.js";

/** What a status event of the client says, of either generation of the client. */
export type Report =
  | Denied
  /** The server's words of an `-ERR`, without quotes. */
  | { readonly kind: "error"; readonly words: string }
  | { readonly kind: "disconnect" | "reconnect" | "update" | "staleConnection" | "other" };

/** A status event as version 3 of the client has it: the error itself. */
interface NewerStatus {
  readonly error?: Error & { readonly operation?: unknown; readonly subject?: unknown };
}

/** Where version 2 of the client keeps the words of an error: its status event has only a code. */
interface WithLastError {
  readonly protocol?: { readonly lastError?: { readonly message?: unknown } };
}

/** Reads a status event of a connection. */
export function readStatus(connection: NatsConnection, status: Status): Report {
  const type: string = status.type;
  if (type === "error") {
    const { error } = status as NewerStatus;
    return error === undefined ? readOlder(connection, status) : readNewer(error);
  }
  const known = ["disconnect", "reconnect", "update", "staleConnection"] as const;
  return { kind: known.find((kind) => kind === type) ?? "other" };
}

function readNewer(error: NonNullable<NewerStatus["error"]>): Report {
  if (error.name !== "PermissionViolationError") {
    return { kind: "error", words: unquoted(error.message) };
  }
  return denied(String(error.operation), String(error.subject));
}

function readOlder(connection: NatsConnection, status: Status): Report {
  if (status.data === ErrorCode.PermissionsViolation) {
    const { operation, subject } = status.permissionContext ?? { operation: "", subject: "" };
    return denied(operation, subject);
  }
  const words = (connection as WithLastError).protocol?.lastError?.message;
  return { kind: "error", words: unquoted(String(words ?? status.data)) };
}

function denied(operation: string, subject: string): Report {
  return {
    kind: "denied",
    operation: operation === "subscription" ? "subscribe" : "publish",
    subject,
  };
}

/** Takes off the quotes in which a server sends an error. */
export function unquoted(words: string): string {
  return words.replace(/^'(.*)'$/s, "$1");
}
