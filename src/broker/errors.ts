/** Raised by `startBroker` when another process listens on the port already. */
export class PortInUseError extends Error {
  override readonly name = "PortInUseError";
  readonly code = "BROKER_PORT_IN_USE";
  /** The TCP port that was asked for, 1…65_535. */
  readonly port: number;

  constructor(host: string, port: number) {
    super(
      `port ${port} on ${host} is in use, perhaps by a nats-server: connect to that one ` +
        `as nats://${host}:${port}, or choose another port (0 picks a free one)`,
    );
    this.port = port;
  }
}

/** Raised by `startBroker` when asked to listen anywhere but on the loopback address. */
export class HostRefusedError extends Error {
  override readonly name = "HostRefusedError";
  readonly code = "BROKER_HOST_REFUSED";

  constructor(host: string) {
    super(
      `the embedded broker has no authentication and listens on 127.0.0.1 only, not on ` +
        `${JSON.stringify(host)}: run a nats-server to reach other machines`,
    );
  }
}

/**
 * Raised by the parser for bytes that are not the protocol; the connection reports it and closes.
 *
 * `message` is the text of the `-ERR` line: printable ASCII without quotes, never the client's own
 * bytes.
 */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}
