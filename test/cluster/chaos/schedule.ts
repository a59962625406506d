/**
 * What goes wrong and when, drawn from a seed.
 */
import { createSeededRandom, type SeededRandom } from "../../../src/adapters/memory/random.js";

/**
 * - `kill`: kill -9 of a worker, started again afterwards;
 * - `pause`: SIGSTOP and SIGCONT of a worker;
 * - `kill-server`, `pause-server`: the same of a nats-server;
 * - `cut-server`: a nats-server and its clients lose the other servers;
 * - `fill`: a worker's disk is full.
 */
export const faultKinds = [
  "kill",
  "pause",
  "kill-server",
  "pause-server",
  "cut-server",
  "fill",
] as const;

/** One of {@link faultKinds}. */
export type FaultKind = (typeof faultKinds)[number];

/** One thing that goes wrong, and is mended. */
export interface Fault {
  readonly kind: FaultKind;
  readonly target: string;
  /** Milliseconds since the begin. */
  readonly atMs: number;
  /** Milliseconds until it is mended. */
  readonly forMs: number;
}

/** What may go wrong: the targets of each kind. */
export type Targets = Readonly<Record<FaultKind, readonly string[]>>;

interface Habit {
  /** How often, among the others. */
  readonly weight: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** Milliseconds that the target and its group are left alone afterwards: to start, say. */
  readonly restMs: number;
}

const habits: Readonly<Record<FaultKind, Habit>> = {
  kill: { weight: 8, minMs: 0, maxMs: 1500, restMs: 1500 },
  pause: { weight: 6, minMs: 100, maxMs: 5000, restMs: 300 },
  "kill-server": { weight: 1, minMs: 200, maxMs: 3000, restMs: 300 },
  "pause-server": { weight: 1, minMs: 200, maxMs: 4000, restMs: 300 },
  "cut-server": { weight: 1, minMs: 500, maxMs: 6000, restMs: 300 },
  fill: { weight: 1, minMs: 2000, maxMs: 5000, restMs: 1000 },
};
const gapMs = { min: 100, max: 1500 };

/** One fault in so many may hit a target although another one of its group is in trouble. */
const rudeOneIn = 5;

/**
 * Draws a schedule: each kind once at first, then by weight. A target has one fault at a time, and
 * so do the servers together; of a group (the acceptors, say) mostly one is in trouble at a time,
 * or nothing would be chosen. A short schedule has short faults.
 *
 * @param groupOf the group of a worker
 */
export function drawSchedule(
  seed: string,
  durationMs: number,
  targets: Targets,
  groupOf: (target: string) => string,
): Fault[] {
  const random = createSeededRandom(seed).fork("schedule");
  const spread = Math.min(1, durationMs / 60_000);
  const first = shuffled(faultKinds, random);
  const busyUntilMs = new Map<string, number>();
  const faults: Fault[] = [];
  for (let atMs = 500; ; atMs += between(gapMs.min, gapMs.max, random)) {
    const isRude = random.integer(rudeOneIn) === 0;
    const isFree = (place: string) => (busyUntilMs.get(place) ?? 0) <= atMs;
    const free = (kind: FaultKind) =>
      targets[kind].filter((target) => {
        const group = isServer(kind) ? "servers" : groupOf(target);
        return isFree(target) && (isFree(group) || (isRude && !isServer(kind)));
      });
    const kinds = faultKinds.filter((kind) => free(kind).length > 0);
    if (kinds.length === 0) continue;
    const kind = first.find((one) => kinds.includes(one)) ?? weighted(kinds, random);
    const { minMs, maxMs, restMs } = habits[kind];
    const forMs = between(minMs, minMs + (maxMs - minMs) * spread, random);
    if (atMs + forMs > durationMs) return faults;
    if (first.includes(kind)) first.splice(first.indexOf(kind), 1);
    const target = free(kind)[random.integer(free(kind).length)]!;
    const untilMs = atMs + forMs + restMs;
    busyUntilMs.set(target, untilMs);
    busyUntilMs.set(isServer(kind) ? "servers" : groupOf(target), untilMs);
    faults.push({ kind, target, atMs, forMs });
  }
}

function isServer(kind: FaultKind): boolean {
  return kind.endsWith("-server");
}

function weighted(kinds: readonly FaultKind[], random: SeededRandom): FaultKind {
  let left = random.integer(kinds.reduce((sum, kind) => sum + habits[kind].weight, 0));
  for (const kind of kinds) {
    left -= habits[kind].weight;
    if (left < 0) return kind;
  }
  return kinds[0]!;
}

function shuffled<T>(items: readonly T[], random: SeededRandom): T[] {
  const left = [...items];
  return items.map(() => left.splice(random.integer(left.length), 1)[0]!);
}

function between(min: number, max: number, random: SeededRandom): number {
  return min + random.integer(Math.max(1, Math.round(max - min)));
}
