/** Learners with another table of sessions than the log's rules make. */
import type { Request } from "../../paxos/command.js";
import type { Limits } from "../../paxos/limits.js";
import { SessionTable, type Verdict } from "../../paxos/log/session.js";
import { crowded } from "../plan/crowd.js";
import type { Broken } from "./broken.js";
import { type Learn, learnThrough } from "./learning.js";
import { logScene } from "./scenes.js";

/** Gives every learner such a table before it learns. */
function applyWith(makeTable: (limits: Limits) => SessionTable) {
  const tables = new WeakSet<SessionTable>();
  return (learn: Learn): Learn =>
    ({ context, event }) => {
      const { log } = context.data;
      if (!tables.has(log.sessions)) log.sessions = makeTable(context.cluster.limits);
      tables.add(log.sessions);
      return learn({ context, event });
    };
}

/** Applies a request again that has taken effect. */
class ForgetfulTable extends SessionTable {
  override judge(request: Request): Verdict {
    const verdict = super.judge(request);
    return verdict.kind === "repeat" && verdict.result !== null ? { kind: "effect" } : verdict;
  }
}

export const repeatApplied: Broken = {
  name: "repeat-applied",
  what: "a request that comes a second time takes effect a second time",
  roles: (real) =>
    learnThrough(
      real,
      applyWith((limits) => new ForgetfulTable(limits)),
    ),
  hunt: {
    plan: logScene({ weather: { loss: 0.1, repeat: 0.3 }, requests: 80 }),
    seedsMax: 5,
    catches: ["oneFeed", "acknowledgedIsChosen"],
  },
};

/** Applies a request whose predecessors are still to come. */
class HastyTable extends SessionTable {
  override judge(request: Request): Verdict {
    const verdict = super.judge(request);
    return verdict.kind === "early" ? { kind: "effect" } : verdict;
  }
}

export const earlyApplied: Broken = {
  name: "early-applied",
  what: "a request takes effect before the earlier ones of its session",
  roles: (real) =>
    learnThrough(
      real,
      applyWith((limits) => new HastyTable(limits)),
    ),
  hunt: {
    plan: logScene({ weather: { loss: 0.2, reorder: 0.3 }, requests: 80 }),
    seedsMax: 5,
    catches: ["oneFeed", "feedOrder", "acknowledgedIsChosen"],
  },
};

/** Opens a session for whoever names one. */
class HospitableTable extends SessionTable {
  override judge(request: Request): Verdict {
    const verdict = super.judge(request);
    if (verdict.kind !== "expired") return verdict;
    this.open(request.session, request.openedIn ?? 0);
    return { kind: "effect" };
  }
}

export const unknownSessionTaken: Broken = {
  name: "unknown-session-taken",
  what: "a request of a session that the table does not know any more begins a new one",
  roles: (real) =>
    learnThrough(
      real,
      applyWith((limits) => new HospitableTable(limits)),
    ),
  hunt: {
    plan: logScene({ setup: { limits: { sessionsMax: 2 } }, clients: 4, requests: 80 }),
    seedsMax: 5,
    catches: ["oneFeed", "feedOrder", "acknowledgedIsChosen"],
  },
};

/** Takes a session that was opened late for the one of that id that was evicted. */
class ForgetfulOfOpenings extends SessionTable {
  override judge(request: Request): Verdict {
    return super.judge({ ...request, openedIn: null });
  }
}

export const openingsMixed: Broken = {
  name: "openings-mixed",
  what: "requests of a session that was evicted take effect in a later opening of its id",
  roles: (real) =>
    learnThrough(
      real,
      applyWith((limits) => new ForgetfulOfOpenings(limits)),
    ),
  hunt: {
    plan: logScene({
      setup: { limits: { sessionsMax: 7 } },
      weather: { repeat: 0.5, late: 0.3 },
      fault: (random) => ({ kind: "crowd", sessions: 4 + random.integer(8) }),
      faults: 8,
      clients: 3,
      requests: 60,
    }),
    seedsMax: 20,
    catches: ["oneFeed", "feedOrder", "acknowledgedIsChosen", "liveness"],
  },
};

/** When crowds begin to come. */
const CROWDS_FROM_MS = 600;

/** Forgets the last requests of a session that it evicts. */
class ShortMemory extends SessionTable {
  override judge(request: Request): Verdict {
    const verdict = super.judge(request);
    if (verdict.kind !== "expired" || verdict.last === null) return verdict;
    return { kind: "expired", last: Math.max(0, verdict.last - 8) };
  }
}

export const lastNumberTooLow: Broken = {
  name: "last-number-too-low",
  what: "a client reads of a request of its evicted session that it never takes effect, and it did",
  roles: (real) =>
    learnThrough(
      real,
      applyWith((limits) => new ShortMemory(limits)),
    ),
  hunt: {
    plan: (drawn) =>
      // An outcome that is lost, and a session that is evicted before it is told again.
      crowded(
        {
          ...drawn,
          setup: { ...drawn.setup, family: "log" },
          weather: { ...drawn.weather, loss: 0.25 },
          faults: [],
        },
        CROWDS_FROM_MS,
      ),
    firstSeed: 28,
    seedsMax: 60,
    catches: ["exactlyOnce"],
  },
};
