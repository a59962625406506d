import type { Clock, Headers, Incoming } from "../../kernel/ports.js";
import { type Route, Routes } from "./routes.js";

/** Options of `createMemoryBus`. */
export interface MemoryBusOptions {
  /** Largest payload with its headers, in bytes; 1 MiB if left out. */
  readonly payloadBytesMax?: number | undefined;
  /** The name in status `connected`. */
  readonly server?: string | undefined;
}

/** One message on its way to one subscription. */
export interface Delivery {
  /** Name of the connection that published; undefined for the server itself (503). */
  readonly from: string | undefined;
  /** Name of the connection that subscribed. */
  readonly to: string;
  readonly message: Incoming;
}

/** One copy that arrives: after so many milliseconds, with other bytes if it names a payload. */
export type Copy = number | { readonly delayMs: number; readonly payload: Uint8Array };

/**
 * Decides what becomes of a delivery: one entry per copy.
 *
 * `[]` loses it, `[0]` is as usual, `[0, 0]` repeats it, `[50]` makes it late, and
 * `[{ delayMs, payload }]` changes it on its way. Undefined leaves the decision to the next one
 * asked.
 */
export type Intercept = (delivery: Delivery) => readonly Copy[] | undefined;

/** What a connection hands to the bus. */
export interface Publication {
  readonly from: MemoryLink;
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly headers: Headers | undefined;
  readonly reply: string | undefined;
}

/** A connection as the bus sees it. */
export interface MemoryLink {
  readonly name: string;
  /** Receives nothing that it published itself, as a NATS client with the option of that name. */
  readonly noEcho: boolean;
  /** Told when the server goes or comes back. */
  serverChanged(isUp: boolean): void;
}

/** A subscription as the bus sees it. */
export interface MemoryRoute extends Route {
  readonly link: MemoryLink;
  readonly heard: (message: Incoming) => void;
  /** False once it ended: what is under way to it is lost. */
  isActive: boolean;
}

const payloadBytesDefault = 1_048_576;
/** The one object: an answer may carry headers of the same text. */
const saidByServer: Headers = Object.freeze({ Status: "503" });
const asUsual: readonly number[] = [0];

/** The server in the middle: routes, and asks the interceptors. */
export class Hub {
  readonly clock: Pick<Clock, "soon" | "setTimer">;
  payloadBytesMax: number;
  readonly server: string;
  readonly routes = new Routes<MemoryRoute>();
  readonly links = new Set<MemoryLink>();
  readonly intercepts = new Set<Intercept>();
  isUp = true;
  #inboxCount = 0;

  constructor(clock: Pick<Clock, "soon" | "setTimer">, options: MemoryBusOptions) {
    this.clock = clock;
    this.payloadBytesMax = options.payloadBytesMax ?? payloadBytesDefault;
    this.server = options.server ?? "memory";
  }

  /** A number that tells an inbox from all others. */
  nextInbox(): number {
    this.#inboxCount += 1;
    return this.#inboxCount;
  }

  /** Routes a message now; it arrives in a later turn. */
  carry({ from, subject, payload, headers, reply }: Publication): void {
    const receivers = this.routes.receivers(subject, (route) => from.noEcho && route.link === from);
    const message: Incoming = { subject, payload, headers, reply };
    for (const route of receivers) {
      this.#deliver(route, from.name, message);
    }
    if (receivers.length === 0 && reply !== undefined) {
      const own = this.routes
        .matching(reply)
        .find((route) => route.link === from && route.queue === undefined);
      if (own !== undefined) {
        this.#deliver(own, undefined, noResponders(reply));
      }
    }
  }

  #deliver(route: MemoryRoute, from: string | undefined, message: Incoming): void {
    for (const copy of this.#copies({ from, to: route.link.name, message })) {
      const isChanged = typeof copy !== "number";
      const arriving = isChanged ? { ...message, payload: copy.payload } : message;
      const delayMs = isChanged ? copy.delayMs : copy;
      const arrive = () => {
        if (route.isActive) {
          route.heard(arriving);
        }
      };
      if (delayMs > 0) {
        this.clock.setTimer(delayMs, arrive);
      } else {
        this.clock.soon(arrive);
      }
    }
  }

  #copies(delivery: Delivery): readonly Copy[] {
    for (const intercept of this.intercepts) {
      const copies = intercept(delivery);
      if (copies !== undefined) {
        return copies;
      }
    }
    return asUsual;
  }
}

/** Tells the server's word from an answer. */
export function isNoResponders({ payload, headers }: Incoming): boolean {
  return payload.length === 0 && headers === saidByServer;
}

/** The message with which a server says that nobody listens. */
function noResponders(subject: string): Incoming {
  return { subject, payload: new Uint8Array(0), headers: saidByServer, reply: undefined };
}
