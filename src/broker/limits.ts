/**
 * Every bound of the embedded broker. A client may misbehave in any way; what it can cost is the
 * product of these.
 */
export interface BrokerLimits {
  /** Connections, 1…; one more is told `maximum connections exceeded` and closed. */
  readonly connectionsMax: number;
  /**
   * Subscriptions of one connection, 1…; one more is answered with an error, the connection stays.
   */
  readonly subscriptionsPerConnectionMax: number;
  /**
   * Bytes of one control line without its line feed, 64…1_048_576; a longer one closes the
   * connection.
   */
  readonly controlLineBytesMax: number;
  /**
   * Bytes of headers and body of one message, 0…67_108_864; announced as `max_payload`, a larger
   * one closes.
   */
  readonly payloadBytesMax: number;
  /**
   * Bytes that wait for one connection to read them, at least one payload and two control lines;
   * one byte more disconnects it.
   */
  readonly pendingBytesMax: number;
  /**
   * Tokens of a subject, 1…; a longer subject is refused (it bounds the depth of the routing tree).
   */
  readonly subjectTokensMax: number;
  /** Subjects whose subscriber list is remembered, 1…; when full, the memory starts afresh. */
  readonly routesCachedMax: number;
  /** Milliseconds between keepalive pings, 1…2_147_483_647. */
  readonly pingIntervalMs: number;
  /**
   * Keepalive pings a connection may leave unanswered, 1…; at the next one it is closed as stale.
   */
  readonly pingsOutMax: number;
  /** Milliseconds a closing connection gets to read its last bytes, 1…2_147_483_647. */
  readonly closeGraceMs: number;
}

/** The limits that apply when nothing else is said; those nats-server has too are set as there. */
const defaultBrokerLimits: BrokerLimits = {
  connectionsMax: 1_024,
  subscriptionsPerConnectionMax: 10_000,
  controlLineBytesMax: 4_096,
  payloadBytesMax: 1_048_576,
  pendingBytesMax: 67_108_864,
  subjectTokensMax: 64,
  routesCachedMax: 4_096,
  pingIntervalMs: 30_000,
  pingsOutMax: 2,
  closeGraceMs: 1_000,
};

/** The longest delay a Node timer takes; a longer one would fire at once. */
const timerMsMax = 2_147_483_647;

/** From and to, both inclusive, where the range is not 1…2^53 − 1 (or a timer's). */
const ranges: Partial<Record<keyof BrokerLimits, readonly [number, number]>> = {
  controlLineBytesMax: [64, 1_048_576],
  payloadBytesMax: [0, 67_108_864],
};

/**
 * Completes a partial set of limits with the defaults and checks each.
 *
 * @param chosen the limits that differ from the defaults
 * @returns the full set, frozen
 * @throws RangeError naming the limit, its value and the range, if one is not a whole number in
 * range, or if a message of the largest size would cut whoever receives it
 */
export function completeLimits(chosen: Partial<BrokerLimits> = {}): BrokerLimits {
  const limits: BrokerLimits = { ...defaultBrokerLimits, ...chosen };
  for (const key of Object.keys(defaultBrokerLimits) as (keyof BrokerLimits)[]) {
    const value = limits[key];
    const longest = key.endsWith("Ms") ? timerMsMax : Number.MAX_SAFE_INTEGER;
    const [from, to] = ranges[key] ?? [1, longest];
    if (!Number.isSafeInteger(value) || value < from || value > to) {
      throw new RangeError(`${key} is ${value}; it must be a whole number from ${from} to ${to}`);
    }
  }
  // Its control line comes with it: subject, reply and subscription id came in lines themselves.
  const pendingBytesMin = limits.payloadBytesMax + 2 * limits.controlLineBytesMax;
  if (limits.pendingBytesMax < pendingBytesMin) {
    throw new RangeError(
      `pendingBytesMax is ${limits.pendingBytesMax}; with these limits on payload and control ` +
        `line it must be at least ${pendingBytesMin}`,
    );
  }
  return Object.freeze(limits);
}
