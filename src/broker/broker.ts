import { randomBytes } from "node:crypto";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { type BrokerCounters, Connection, type Hub, type Subscription } from "./connection.js";
import { HostRefusedError, PortInUseError } from "./errors.js";
import { type BrokerLimits, completeLimits } from "./limits.js";
import { RoutingTable } from "./subjects.js";

/** The protocol level announced to clients: what they may use is what nats-server 2.9 has. */
const version = "2.9.10-synod";
const loopback = "127.0.0.1";
/** Connections over the limit that may be told so at the same time; more are dropped unheard. */
const refusalsMax = 64;

/** How to start the embedded broker. */
export interface BrokerOptions {
  /** TCP port, 0…65_535; 0 picks a free one. */
  readonly port: number;
  /** `127.0.0.1` or nothing; anything else is refused. */
  readonly host?: string;
  /** The name announced in INFO; `synod-broker` if left out. */
  readonly serverName?: string;
  /** The limits that differ from the defaults in `limits.ts`. */
  readonly limits?: Partial<BrokerLimits>;
}

/** What the broker does now and did so far. */
export interface BrokerStats extends Readonly<BrokerCounters> {
  /** Connections open now. */
  readonly connections: number;
  /** Subscriptions open now. */
  readonly subscriptions: number;
  /** Bytes that wait now for slow readers. */
  readonly pendingBytes: number;
  /** Subjects whose subscribers are remembered now. */
  readonly routesCached: number;
}

/** A running broker. */
export interface Broker {
  /** Where to connect, `nats://127.0.0.1:<port>`. */
  readonly url: string;
  /** TCP port, 1…65_535. */
  readonly port: number;
  /**
   * Sends what is gathered, closes every connection and the port; calling it again waits for the
   * same end.
   */
  close(): Promise<void>;
  stats(): BrokerStats;
}

/**
 * Starts a broker that speaks the NATS client protocol to programs on this machine.
 *
 * Why: one machine without a nats-server must still be able to run a cluster. It has no
 * authentication, hence loopback only. Gotcha: it listens in this process; a busy event loop is a
 * slow broker, so `up` gives it its own process.
 *
 * @throws HostRefusedError if `host` is not 127.0.0.1
 * @throws PortInUseError if something listens on the port
 * @throws RangeError if a limit or the port is out of range
 */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  if (options.host !== undefined && options.host !== loopback) {
    throw new HostRefusedError(options.host);
  }
  const hub = new BrokerHub(completeLimits(options.limits), options.serverName ?? "synod-broker");
  await listen(hub.server, options.port);
  const { port } = hub.server.address() as AddressInfo;
  hub.open(port);
  return {
    url: `nats://${loopback}:${port}`,
    port,
    close: () => hub.close(),
    stats: () => hub.stats(),
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(error.code === "EADDRINUSE" ? new PortInUseError(loopback, port) : error);
    });
    server.listen({ host: loopback, port }, resolve);
  });
}

/** Holds what all connections share. */
class BrokerHub implements Hub {
  readonly limits: BrokerLimits;
  readonly table: RoutingTable<Subscription>;
  readonly counters: BrokerCounters = {
    messagesIn: 0,
    messagesOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    slowConsumers: 0,
    protocolErrors: 0,
    staleConnections: 0,
    refusedConnections: 0,
  };
  readonly server: Server;
  readonly #serverName: string;
  readonly #serverId = randomBytes(16).toString("hex").toUpperCase();
  readonly #connections = new Set<Connection>();
  /** Connections with something to write at the end of the tick. */
  #unflushed: Connection[] = [];
  #port = 0;
  #clientId = 0;
  #keepalive: NodeJS.Timeout | undefined;
  #end: Promise<void> | undefined;
  /** Set while closing; to be called when the last connection is gone. */
  #emptied: (() => void) | undefined;

  constructor(limits: BrokerLimits, serverName: string) {
    this.limits = limits;
    this.#serverName = serverName;
    this.table = new RoutingTable(limits.subjectTokensMax, limits.routesCachedMax);
    this.server = createServer((socket) => this.#accept(socket));
    this.server.maxConnections = limits.connectionsMax + refusalsMax;
    this.server.on("drop", () => {
      this.counters.refusedConnections += 1;
    });
  }

  open(port: number): void {
    this.#port = port;
    // Accepting may fail for a while (no file descriptors left); those who are connected are served
    // on.
    this.server.on("error", () => {});
    this.#keepalive = setInterval(() => {
      for (const connection of this.#connections) {
        connection.keepalive();
      }
    }, this.limits.pingIntervalMs);
    this.#keepalive.unref();
  }

  scheduleFlush(connection: Connection): void {
    if (this.#unflushed.length === 0) {
      // After all sockets that are readable now were read: their messages to one client leave in
      // one write.
      setImmediate(() => this.#flush());
    }
    this.#unflushed.push(connection);
  }

  closed(connection: Connection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) {
      this.#emptied?.();
    }
  }

  stats(): BrokerStats {
    let subscriptions = 0;
    let pendingBytes = 0;
    for (const connection of this.#connections) {
      subscriptions += connection.subscriptions;
      pendingBytes += connection.pendingBytes;
    }
    const connections = this.#connections.size;
    const routesCached = this.table.cached;
    return { ...this.counters, connections, subscriptions, pendingBytes, routesCached };
  }

  close(): Promise<void> {
    this.#end ??= this.#close();
    return this.#end;
  }

  async #close(): Promise<void> {
    clearInterval(this.#keepalive);
    const isPortClosed = new Promise((resolve) => this.server.close(resolve));
    const areAllGone = new Promise<void>((resolve) => {
      this.#emptied = resolve;
    });
    if (this.#connections.size === 0) {
      this.#emptied?.();
    }
    for (const connection of this.#connections) {
      connection.close();
    }
    await Promise.all([isPortClosed, areAllGone]);
  }

  #accept(socket: Socket): void {
    // Refused ones stay in the set until they are gone, so the port's own bound still counts them.
    const isRefused = this.#connections.size >= this.limits.connectionsMax;
    const connection = new Connection(this, socket, this.#info(socket));
    this.#connections.add(connection);
    if (isRefused) {
      this.counters.refusedConnections += 1;
      connection.close("maximum connections exceeded");
    }
  }

  #flush(): void {
    const unflushed = this.#unflushed;
    this.#unflushed = [];
    for (const connection of unflushed) {
      connection.flush();
    }
  }

  #info(socket: Socket): string {
    this.#clientId += 1;
    return JSON.stringify({
      server_id: this.#serverId,
      server_name: this.#serverName,
      version,
      proto: 1,
      host: loopback,
      port: this.#port,
      headers: true,
      max_payload: this.limits.payloadBytesMax,
      client_id: this.#clientId,
      client_ip: socket.remoteAddress ?? loopback,
    });
  }
}
