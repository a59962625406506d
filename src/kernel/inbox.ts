/**
 * The inbox of one role: bounded, and drained as a whole.
 *
 * Full means lost: the protocol repeats whatever matters. New work is turned away first, so that
 * work under way can end; what keeps leadership stable has a share of its own.
 */
import { batchKey, VERBS } from "../paxos/wire/verbs.js";
import type { Inbound, Received } from "./role.js";

/** A message and the size it had on the wire. */
export interface Delivery extends Received {
  readonly bytes: number;
}

/** Anything that waits for a step. */
export type Waiting =
  | { readonly kind: "message"; readonly delivery: Delivery }
  | {
      readonly kind: "event";
      readonly event: { readonly type: string };
      /** The life of the role's memory that it is for; any life if absent. */
      readonly life?: number;
    }
  | {
      readonly kind: "timer";
      readonly instance: string;
      readonly id: string;
      readonly generation: number;
    };

/** How much of the inbox each share may fill. */
const NEW_WORK = 0.5;
const SHARES = { "new work": NEW_WORK, leadership: 1 } as const;
const COMMON_SHARE = 0.8;

/** A bounded queue of what one role has yet to see. */
export class Inbox {
  readonly #eventsMax: number;
  readonly #bytesMax: number;
  #waiting: Waiting[] = [];
  #bytes = 0;

  constructor(eventsMax: number, bytesMax: number) {
    this.#eventsMax = eventsMax;
    this.#bytesMax = bytesMax;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** Adds a message. @returns false if there is no room for one of its kind: it is lost */
  offer(delivery: Delivery): boolean {
    const row = VERBS[delivery.message.type];
    const share = row.share === undefined ? COMMON_SHARE : SHARES[row.share];
    if (this.#waiting.length >= this.#eventsMax * share) return false;
    if (this.#bytes + delivery.bytes > this.#bytesMax * share) return false;
    this.#bytes += delivery.bytes;
    this.#waiting.push({ kind: "message", delivery });
    return true;
  }

  /** Says whether a door may take one more request. */
  hasRoomForRequests(): boolean {
    const isLong = this.#waiting.length >= this.#eventsMax * NEW_WORK;
    return !isLong && this.#bytes < this.#bytesMax * NEW_WORK;
  }

  /** Adds what the host itself has to say, which is never lost; `bytes` for what doors bring. */
  push(waiting: Waiting, bytes = 0): void {
    this.#bytes += bytes;
    this.#waiting.push(waiting);
  }

  /** Takes everything. */
  take(): readonly Waiting[] {
    const taken = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    return taken;
  }
}

/** Joins neighbours that may be judged together into one event each; order is kept. */
export function joinBatches(
  waiting: readonly Waiting[],
  nowMs: number,
): (Inbound | Exclude<Waiting, { kind: "message" }>)[] {
  const joined: (Inbound | Exclude<Waiting, { kind: "message" }>)[] = [];
  let open: { type: string; key: string; received: Received[] } | null = null;
  for (const one of waiting) {
    if (one.kind !== "message") {
      open = null;
      joined.push(one);
      continue;
    }
    const { from, message } = one.delivery;
    const key = batchKey(message);
    if (open !== null && key !== null && open.type === message.type && open.key === key) {
      open.received.push({ from, message });
      continue;
    }
    const received: Received[] = [{ from, message }];
    joined.push({ type: message.type, received, nowMs } as Inbound);
    open = key === null ? null : { type: message.type, key, received };
  }
  return joined;
}
