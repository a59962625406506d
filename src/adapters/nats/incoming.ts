import { type Msg, type MsgHdrs, headers as makeHeaders } from "nats";
import type { Headers, Incoming } from "../../actor/ports.js";

/** A message of the client as the port wants it; decodes only what is asked for. */
export class NatsIncoming implements Incoming {
  readonly payload: Uint8Array;
  readonly #message: Msg;
  #headers: Headers | undefined;

  constructor(message: Msg) {
    this.#message = message;
    this.payload = message.data;
  }

  get subject(): string {
    return this.#message.subject;
  }

  get headers(): Headers | undefined {
    const headers = this.#message.headers;
    if (headers !== undefined) {
      this.#headers ??= toRecord(headers);
    }
    return this.#headers;
  }

  get reply(): string | undefined {
    return this.#message.reply || undefined;
  }
}

/** Whether the server says that nobody listens where this is the answer from. */
export function isNoResponders(message: Msg): boolean {
  return message.data.length === 0 && message.headers?.code === 503;
}

/**
 * Makes the client's headers.
 *
 * @returns undefined for none: an empty block is against the protocol
 * @throws Error if a name or value cannot be sent (a line break, a colon in a name)
 */
export function toClientHeaders(headers: Headers | undefined): MsgHdrs | undefined {
  const entries = headers === undefined ? [] : Object.entries(headers);
  if (entries.length === 0) {
    return undefined;
  }
  const made = makeHeaders();
  for (const [name, value] of entries) {
    made.set(name, value);
  }
  return made;
}

/** A status line becomes `Status` and `Description`, as the Go client has it. */
function toRecord(headers: MsgHdrs): Headers {
  const record: Record<string, string> = {};
  for (const [name, values] of headers) {
    record[name] = values[0] ?? "";
  }
  if (headers.code === 0) {
    return record;
  }
  const Description = headers.description;
  return { ...record, Status: String(headers.code), ...(Description !== "" && { Description }) };
}
