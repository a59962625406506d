/**
 * A cable between two processes: a TCP proxy that can be cut, frozen and slowed down.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

const host = "127.0.0.1";

/** One direction of a connection: keeps the order also while the delay changes. */
class Lane {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #proxy: TcpProxy;
  #lastMs = 0;

  constructor(from: Socket, to: Socket, proxy: TcpProxy) {
    this.#from = from;
    this.#to = to;
    this.#proxy = proxy;
    from.on("data", (bytes: Buffer) => this.#carry(bytes));
    from.on("end", () => this.#after(() => to.end()));
    from.on("error", () => to.destroy());
    from.on("close", () => to.destroy());
  }

  freeze(isFrozen: boolean): void {
    if (isFrozen) this.#from.pause();
    else this.#from.resume();
  }

  #carry(bytes: Buffer): void {
    this.#after(() => {
      if (this.#to.destroyed) return;
      // A reader that is slow holds back the writer, as on a wire.
      if (this.#to.write(bytes)) return;
      this.#from.pause();
      this.#to.once("drain", () => {
        if (!this.#proxy.isFrozen) this.#from.resume();
      });
    });
  }

  #after(act: () => void): void {
    const nowMs = performance.now();
    this.#lastMs = Math.max(this.#lastMs, nowMs + this.#proxy.delayMs);
    if (this.#lastMs <= nowMs) act();
    else setTimeout(act, this.#lastMs - nowMs);
  }
}

/** A proxy on 127.0.0.1 to a port on it. */
export class TcpProxy {
  readonly #server: Server;
  readonly #pairs = new Map<Socket, readonly [Lane, Lane, Socket]>();
  #isCut = false;
  /** Nothing passes, and nobody is told. */
  isFrozen = false;
  /** Milliseconds added in each direction. */
  delayMs = 0;
  /** Connections that were made through it. */
  accepted = 0;

  private constructor(port: () => number) {
    this.#server = createServer((near) => {
      if (this.#isCut) {
        near.destroy();
        return;
      }
      this.accepted += 1;
      const far = connect({ host, port: port() });
      for (const socket of [near, far]) socket.setNoDelay(true);
      const lanes = [new Lane(near, far, this), new Lane(far, near, this)] as const;
      this.#pairs.set(near, [...lanes, far]);
      near.once("close", () => this.#pairs.delete(near));
      if (this.isFrozen) for (const lane of lanes) lane.freeze(true);
    });
  }

  /** Starts one. @param port where it leads; asked for each connection */
  static start(port: () => number): Promise<TcpProxy> {
    const proxy = new TcpProxy(port);
    return new Promise((resolve, reject) => {
      proxy.#server.once("error", reject);
      proxy.#server.listen({ host, port: 0 }, () => resolve(proxy));
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends every connection, and refuses new ones until {@link heal}. */
  cut(): void {
    this.#isCut = true;
    for (const [near, [, , far]] of this.#pairs) {
      near.destroy();
      far.destroy();
    }
  }

  /** Holds everything back, as a cable does that was pulled. */
  freeze(): void {
    this.isFrozen = true;
    for (const [near, far] of this.#pairs.values()) {
      near.freeze(true);
      far.freeze(true);
    }
  }

  /** Lets everything pass again, at once. */
  heal(): void {
    this.#isCut = false;
    this.isFrozen = false;
    this.delayMs = 0;
    for (const [near, far] of this.#pairs.values()) {
      near.freeze(false);
      far.freeze(false);
    }
  }

  /** Ends it. */
  close(): Promise<void> {
    this.cut();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}
