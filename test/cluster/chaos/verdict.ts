/**
 * The judge of a load: holds what clients were told against the log that everybody reads.
 */

/** What one client was told of one value. */
export interface Told {
  readonly client: string;
  /** 1, 2, 3 … of the client. */
  readonly number: number;
  readonly value: string;
  /** Acknowledged at this position. */
  position?: number;
  /** True: it certainly did not happen. Neither this nor a position: nobody knows. */
  refused?: boolean;
}

/** A value of the log. */
export interface LogEntry {
  readonly position: number;
  readonly slot: number;
  readonly value: string;
}

/** A run, as its clients saw it. */
export interface Seen {
  readonly told: readonly Told[];
  /** The log as several readers got it. */
  readonly logs: readonly (readonly LogEntry[])[];
  /** What callers were told of decided keys. */
  readonly decided: readonly { readonly key: string; readonly value: string }[];
}

/** Judges a run. @returns what was wrong, at most {@link failuresMax}, and counts */
export function judge({ told, logs, decided }: Seen): {
  failures: string[];
  counts: Record<string, number>;
} {
  const failures: string[] = [];
  const [log = []] = logs;
  const places = new Map<string, number>();
  for (const [i, { position, value }] of log.entries()) {
    if (position !== i + 1) failures.push(`place ${i + 1} of the log is position ${position}`);
    if (places.has(value)) failures.push(`${short(value)} is in the log twice`);
    places.set(value, position);
  }
  for (const [i, other] of logs.entries()) {
    const at = other.findIndex((entry, j) => !isSame(entry, log[j]));
    if (at >= 0 || other.length !== log.length) {
      failures.push(`reader ${i} has another log: ${other.length} values, apart at ${at}`);
    }
  }
  failures.push(...judgeTold(told, places), ...judgeDecided(decided));
  const proposed = new Set(told.map(({ value }) => value));
  for (const value of places.keys()) {
    if (!proposed.has(value)) failures.push(`${short(value)} was proposed by nobody`);
  }
  const acknowledged = told.filter(({ position }) => position !== undefined).length;
  const counts = {
    acknowledged,
    refused: told.filter(({ refused }) => refused === true).length,
    unknown: told.filter(({ refused }) => refused === false).length,
    chosen: log.length,
    decided: decided.length,
    readers: logs.length,
  };
  return { failures: failures.slice(0, failuresMax), counts };
}

const failuresMax = 20;

function judgeTold(told: readonly Told[], places: ReadonlyMap<string, number>): string[] {
  const failures: string[] = [];
  /** The highest position of a value of a client so far, in the order of its calls. */
  const reached = new Map<string, number>();
  for (const { client, value, position, refused } of told) {
    const place = places.get(value);
    if (position !== undefined && place !== position) {
      failures.push(`${short(value)} was acknowledged at ${position} and is at ${place}`);
    }
    if (refused === true && place !== undefined) {
      failures.push(`${short(value)} certainly did not happen and is at ${place}`);
    }
    if (place === undefined) continue;
    if (place < (reached.get(client) ?? 0))
      failures.push(`${short(value)} overtook an earlier one`);
    reached.set(client, place);
  }
  return failures;
}

function judgeDecided(decided: Seen["decided"]): string[] {
  const values = new Map<string, string>();
  return decided.flatMap(({ key, value }) => {
    const first = values.get(key) ?? value;
    values.set(key, first);
    return value === first ? [] : [`${key} was decided as ${first} and as ${value}`];
  });
}

function isSame(a: LogEntry, b: LogEntry | undefined): boolean {
  return a.position === b?.position && a.slot === b.slot && a.value === b.value;
}

function short(value: string): string {
  return value.trimEnd().slice(0, 24).split(" ")[0] ?? "";
}
