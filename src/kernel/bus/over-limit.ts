/**
 * What could not pass under the server's limit on a message: counted, logged once for each limit,
 * and told by `why` and `status` for as long as it is tried again.
 */
import type { Message } from "../../paxos/wire/messages.js";
import { divide } from "../../paxos/wire/payload.js";
import type { Clock, Logger, Transport } from "../ports.js";
import type { Wait } from "../role.js";

/** A role in this process. */
interface Named {
  readonly definition: { readonly name: string };
  readonly id: string;
}

/** What an {@link OverLimit} is built from. */
export interface OverLimitOptions {
  readonly transport: Pick<Transport, "payloadBytesMax" | "checkPayloadBytesMax">;
  readonly clock: Pick<Clock, "nowMs">;
  readonly logger: Logger;
  readonly count: (reason: string) => void;
}

interface Refused {
  readonly role: string;
  readonly what: string;
  bytes: number;
  /** The limit that was logged. */
  limitBytes: number;
  sinceMs: number;
  lastMs: number;
}

/** Milliseconds without another try after which it is over: it passed, or nobody needs it. */
const FORGET_MS = 10_000;
/** Kinds of messages that are remembered; roles and verbs are few. */
const KINDS_MAX = 256;

/** Remembers the messages that this process could not send. */
export class OverLimit {
  readonly #options: OverLimitOptions;
  readonly #refused = new Map<string, Refused>();

  constructor(options: OverLimitOptions) {
    this.#options = options;
  }

  /**
   * Encodes a message, in as many parts as the limit of this moment asks for; nothing for what
   * cannot come apart and is over it.
   */
  payloadsOf(
    from: Named,
    message: Message,
    encode: (message: Message) => Uint8Array,
  ): readonly Uint8Array[] {
    const payload = encode(message);
    if (payload.length <= this.#options.transport.payloadBytesMax) return [payload];
    const parts = divide(message);
    if (parts === null) {
      this.note(from, message.type, payload.length);
      return [];
    }
    this.#options.count("cut_to_server_limit");
    return parts.flatMap((part) => this.payloadsOf(from, part, encode));
  }

  /**
   * Notes a message that was not sent.
   *
   * @param what the verb, or what it is for
   */
  note(from: Named, what: string, bytes: number): void {
    const { transport, clock, logger, count } = this.#options;
    const limitBytes = transport.payloadBytesMax;
    const nowMs = clock.nowMs();
    const role = nameOf(from);
    const key = `${role} ${what}`;
    count("over_server_limit");
    transport.checkPayloadBytesMax();
    const known = this.#refused.get(key);
    if (known !== undefined && nowMs - known.lastMs < FORGET_MS) {
      known.bytes = bytes;
      known.lastMs = nowMs;
      if (known.limitBytes === limitBytes) return;
      known.limitBytes = limitBytes;
    } else {
      if (this.#refused.size >= KINDS_MAX) this.#refused.clear();
      this.#refused.set(key, { role, what, bytes, limitBytes, sinceMs: nowMs, lastMs: nowMs });
    }
    const fields = { role: from.definition.name, id: from.id, what, bytes, limitBytes };
    logger.error(fields, `not sent: ${sentence(what, bytes, limitBytes)}`);
  }

  /** What a role waits for because it could not be sent. */
  waitsOf(from: Named): readonly Wait[] {
    const limitBytes = this.#options.transport.payloadBytesMax;
    const nowMs = this.#options.clock.nowMs();
    const role = nameOf(from);
    return [...this.#refused.values()].flatMap((one) => {
      const isOver = one.bytes <= limitBytes || nowMs - one.lastMs >= FORGET_MS;
      if (one.role !== role || isOver) return [];
      const { what, bytes, sinceMs } = one;
      return {
        for: `a server that takes a message of ${bytes} bytes`,
        from: [],
        have: limitBytes,
        need: bytes,
        sinceMs: Math.max(0, Math.round(nowMs - sinceMs)),
        reason: sentence(what, bytes, limitBytes),
      };
    });
  }
}

function nameOf({ definition, id }: Named): string {
  return `${definition.name} ${id}`;
}

function sentence(what: string, bytes: number, limitBytes: number): string {
  return (
    `a message (${what}) has ${bytes} bytes, over the server's limit of ${limitBytes}: raise ` +
    "max_payload of the server or of the account"
  );
}
