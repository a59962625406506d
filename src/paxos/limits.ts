/**
 * Every bound of the protocol, with its unit in the name. A descriptor may change them within the
 * ranges that `src/worker/descriptor.ts` checks; none but `windowMax` bears on safety.
 */
export interface Limits {
  /** Slots open at once: Lamport's α. The only limit in the descriptor's safety part. */
  readonly windowMax: number;
  /** Slots a leader keeps under way before it lets batches grow instead; at most `windowMax`. */
  readonly pipelineSlotsMax: number;
  /** Bytes of commands that wait at the leader; what is free is the gateways' credit. */
  readonly queueBytesMax: number;
  /** Largest client value. */
  readonly valueBytesMax: number;
  /** Largest value of a slot: a batch of commands. */
  readonly batchBytesMax: number;
  /** Commands of one batch. */
  readonly batchCommandsMax: number;
  /** Largest part of a promise, a repair or a history answer on the wire. */
  readonly partBytesMax: number;
  /** How far above the promised round a ballot may be before it is refused. */
  readonly roundJumpMax: number;
  /** Keys decided by single-decree Synod, for ever. */
  readonly decideKeysMax: number;
  /** Bytes of those keys and their values, with 256 for each key. */
  readonly decideBytesMax: number;
  /** Single-decree instances a synod-proposer works on at once. */
  readonly decideOpenMax: number;
  /** How long a synod-proposer works on a key that nothing decides before it drops it. */
  readonly decidePatienceMs: number;
  /** How long it remembers a decided key, to answer late askers without asking again. */
  readonly decideLingerMs: number;
  /** Votes for keys that a learner counts at once: one tally a ⟨key, ballot, digest⟩. */
  readonly decideTalliesMax: number;
  /** Bytes of one `decide` key. */
  readonly keyBytesMax: number;
  /** Events waiting for one role. */
  readonly inboxEventsMax: number;
  /** Bytes of messages waiting for one role. */
  readonly inboxBytesMax: number;
  /** Requests of clients that one process has not answered yet. */
  readonly requestsOpenMax: number;
  /** How long such a request is remembered. */
  readonly requestPatienceMs: number;
  /** Sessions that the replicated table holds. */
  readonly sessionsMax: number;
  /** Results kept for one session. */
  readonly sessionResultsMax: number;
  /** Idempotency ids that the replicated table holds. */
  readonly idsMax: number;
  /** Bytes of commands a gateway holds before it answers `overloaded`. */
  readonly holdBytesMax: number;
  /** Bytes of memory in which a learner keeps chosen values for `history`, index included. */
  readonly historyBytesMax: number;
  /** How long a proposer waits for promises or votes before it asks again. */
  readonly retryDelayMs: number;
  /** Least and most a preempted proposer waits before the next ballot. */
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** Between two beacons of the leader, and two pings of an elector that misses them. */
  readonly beaconMs: number;
  /** How long acceptors must not have heard the leader before a standby prepares. */
  readonly silenceMs: number;
  /** Silence after which a leader that still has a subscription is suspected. */
  readonly suspectMs: number;
  /** Pause between the first 503 and the ping that must confirm it, before jitter. */
  readonly confirmMs: number;
  /** How long a starting acceptor listens for a witness against its store. */
  readonly witnessMs: number;
  /** How long a learner waits before it asks for what it misses. */
  readonly repairDelayMs: number;
  /** Pause between two looks at a disk that was full. */
  readonly recheckMs: number;
}

/** What a single-decree key costs beside itself and its value: ballots, digest, its record. */
const KEY_OVERHEAD_BYTES = 256;

/** What a key and its value count for against `decideBytesMax`. */
export function keyBytes(key: string, valueBytes: number): number {
  return KEY_OVERHEAD_BYTES + key.length + valueBytes;
}

/** The limits of a descriptor that names none. */
export const DEFAULT_LIMITS: Limits = {
  windowMax: 64,
  pipelineSlotsMax: 4,
  queueBytesMax: 16 * 1024 * 1024,
  valueBytesMax: 512 * 1024,
  batchBytesMax: 768 * 1024,
  batchCommandsMax: 4096,
  partBytesMax: 512 * 1024,
  roundJumpMax: 1_000_000,
  decideKeysMax: 100_000,
  decideBytesMax: 256 * 1024 * 1024,
  decideOpenMax: 1024,
  decidePatienceMs: 60_000,
  decideLingerMs: 2000,
  decideTalliesMax: 4096,
  keyBytesMax: 512,
  inboxEventsMax: 16_384,
  inboxBytesMax: 128 * 1024 * 1024,
  requestsOpenMax: 65_536,
  requestPatienceMs: 60_000,
  sessionsMax: 4096,
  sessionResultsMax: 16_384,
  idsMax: 65_536,
  holdBytesMax: 64 * 1024 * 1024,
  historyBytesMax: 256 * 1024 * 1024,
  retryDelayMs: 250,
  backoffMinMs: 20,
  backoffMaxMs: 1000,
  beaconMs: 100,
  silenceMs: 300,
  suspectMs: 1500,
  confirmMs: 20,
  witnessMs: 250,
  repairDelayMs: 50,
  recheckMs: 500,
};

/** Limits that may be 0: then that wait is left out. */
const MAY_BE_ZERO: readonly string[] = ["decideLingerMs", "witnessMs"];

/**
 * Reads limits that another process told: one that it lacks, because it is older, is the default.
 *
 * Why no upper bounds: a newer process may know wider ranges than this one.
 *
 * @returns undefined if one is no whole number, or lower than any process works with
 */
export function readLimits(told: Readonly<Record<string, unknown>>): Limits | undefined {
  const limits = Object.entries(DEFAULT_LIMITS).map(([name, usual]) => {
    const value = told[name] ?? usual;
    const least = MAY_BE_ZERO.includes(name) ? 0 : 1;
    const isUsable = Number.isSafeInteger(value) && (value as number) >= least;
    return [name, isUsable ? value : undefined] as const;
  });
  if (limits.some(([, value]) => value === undefined)) return undefined;
  return Object.fromEntries(limits) as unknown as Limits;
}
