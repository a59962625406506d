import { type Msg, type MsgHdrs, headers as makeHeaders } from "nats";
import type { Headers, Incoming } from "../../kernel/ports.js";

/** A message of the client as the port wants it. */
export class NatsIncoming implements Incoming {
  readonly payload: Uint8Array;
  /** Undefined until `decode` has read them. */
  headers: Headers | undefined;
  readonly #message: Msg;

  constructor(message: Msg) {
    this.#message = message;
    this.payload = message.data;
  }

  /**
   * Reads the headers.
   *
   * Why not when somebody asks for them: the client refuses to decode some that servers let pass,
   * and a reader of headers need not reckon with a throw.
   *
   * @throws Error of the client
   */
  decode(): void {
    const headers = this.#message.headers;
    this.headers = headers === undefined ? undefined : toRecord(headers);
  }

  get subject(): string {
    return this.#message.subject;
  }

  get reply(): string | undefined {
    return this.#message.reply || undefined;
  }
}

/** Whether the server says that nobody listens there. @throws Error of the client, as `decode` */
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
