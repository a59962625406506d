import { ErrorCode } from "nats";

/**
 * Why a message was not handed to the client.
 * - `disconnected`, `closed`: there is no connection now, or never again;
 * - `too_large`: over `payloadBytesMax`, headers counted in;
 * - `invalid`: a subject or header that cannot be sent.
 */
export type NatsDrop = "disconnected" | "closed" | "too_large" | "invalid";

/** What has a space or a line break would be read by the server as another command. */
export function isSendable(subject: string): boolean {
  return subject !== "" && !/\s/.test(subject);
}

/** Tells why the client did not take a message. */
export function dropOf(error: unknown): NatsDrop {
  const { code, name, message } = error as Error & { readonly code?: unknown };
  // Version 3 of the client has classes where version 2 has codes.
  if (code === ErrorCode.MaxPayloadExceeded || /max_payload/.test(message)) {
    return "too_large";
  }
  const isEnded =
    code === ErrorCode.ConnectionClosed ||
    code === ErrorCode.ConnectionDraining ||
    /^(?:Closed|Draining)ConnectionError$/.test(name);
  return isEnded ? "disconnected" : "invalid";
}
