/**
 * Bounds that end a service when they are reached: warned of in the log and in `why` while there is
 * still time.
 *
 * Why at 80 %: people raise a limit of the descriptor by restarts, and make room on a disk.
 */
import type { Clock, Logger } from "../kernel/ports.js";
import type { Bound, Wait } from "../kernel/role.js";

/** The share of a limit from which on it is warned of. */
const WARN_SHARE = 0.8;
/** The share below which a warning is over; between the two it stays as it is. */
const CALM_SHARE = 0.7;
/** Milliseconds between two looks. */
const LOOK_MS = 5000;

const RAISE = "raise it in the limits of every cluster.yaml and restart";

const NO_KEY = `no further key can be decided (too_many), and keys are kept permanently: ${RAISE}`;

/** What happens at each limit, and what to do. */
const AT_LIMIT: Readonly<Record<string, string>> = {
  decideKeysMax: NO_KEY,
  decideBytesMax: NO_KEY,
  historyBytesMax:
    "the oldest values go, and readers that ask for them are refused (trimmed): let readers keep " +
    `up, or ${RAISE}`,
  sessionsMax:
    "each new session ends the one that was idle longest (session_expired): close clients that " +
    `are done, or ${RAISE}`,
  idsMax:
    "each new idempotency id makes the oldest one forgotten, and a retry under that one takes " +
    `effect again: ${RAISE}`,
  heapBytes:
    "the process collects garbage without end, serves nobody, and is killed: give it a larger " +
    "heap (NODE_OPTIONS=--max-old-space-size), or lower historyBytesMax and decideBytesMax",
  diskBytes:
    "the role refuses everything until there is room: make room on this disk, or move the store " +
    "to a larger one (synod move)",
};

/** A role and how full its bounds are. */
export interface BoundedRole {
  readonly role: string;
  readonly id: string;
  readonly bounds: readonly Bound[];
}

/** Says in words how full a bound is, and what happens when it is full. */
function wordsOf({ name, used, limit }: Bound): string {
  const percent = Math.floor((100 * used) / limit);
  return `${percent} % of ${name} is used; at the limit ${AT_LIMIT[name] ?? "it serves no more"}`;
}

/** Watches the bounds of the roles of one process. */
export class BoundWatch {
  readonly #logger: Logger;
  /** Since when each `role id bound` is warned of. */
  readonly #warned = new Map<string, number>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Looks at the bounds of all roles of the process, and logs each that begins to be warned of. */
  look(roles: readonly BoundedRole[], nowMs: number): void {
    for (const { role, id, bounds } of roles) {
      for (const bound of bounds) {
        const key = keyOf(role, id, bound);
        const share = bound.used / bound.limit;
        if (share < CALM_SHARE) this.#warned.delete(key);
        if (share < WARN_SHARE || this.#warned.has(key)) continue;
        this.#warned.set(key, nowMs);
        const { name, used, limit } = bound;
        this.#logger.warn(
          { role, id, bound: name, used, limit },
          `${role} ${id}: ${wordsOf(bound)}`,
        );
      }
    }
  }

  /** Looks again and again. @returns ends it */
  start(clock: Clock, roles: () => readonly BoundedRole[]): () => void {
    let cancel = () => {};
    const look = () => {
      this.look(roles(), clock.nowMs());
      cancel = clock.setTimer(LOOK_MS, look);
    };
    cancel = clock.setTimer(LOOK_MS, look);
    return () => cancel();
  }

  /** What a role waits for whose bounds are warned of. */
  waits({ role, id, bounds }: BoundedRole, nowMs: number): readonly Wait[] {
    return bounds.flatMap((bound) => {
      const since = this.#warned.get(keyOf(role, id, bound));
      if (since === undefined) return [];
      return [
        {
          for: `room under ${bound.name}`,
          from: [],
          have: bound.used,
          need: bound.limit,
          sinceMs: Math.max(0, Math.round(nowMs - since)),
          reason: wordsOf(bound),
        },
      ];
    });
  }
}

function keyOf(role: string, id: string, { name }: Bound): string {
  return `${role} ${id} ${name}`;
}
