/** Leaders that take over wrongly what the promises report. */

import { assign } from "xstate";
import type { Cluster } from "../../paxos/cluster.js";
import { noteReported } from "../../paxos/consensus/promises.js";
import { adopt, type ProposerState, takeAccepts } from "../../paxos/consensus/proposer.js";
import { digest } from "../../paxos/digest.js";
import { NOOP } from "../../paxos/value.js";
import type { Message, SlotVote } from "../../paxos/wire/messages.js";
import { type Broken, replaceIn } from "./broken.js";
import { behead, crash, leaveHoles, logScene, oldVotes } from "./scenes.js";

interface Context {
  readonly data: ProposerState;
  readonly cluster: Cluster;
  readonly sinceMs: number;
  readonly outgoing: readonly Message[];
  readonly attempts: number;
}
type Args = { context: Context };

/** Leaders that die in the middle of many open slots. */
const takeovers = logScene({
  setup: { limits: { batchCommandsMax: 1, pipelineSlotsMax: 16 } },
  weather: { loss: 0.15 },
  fault: behead,
  faults: 8,
  requests: 80,
});

/** Adopts by the rule, changes what was adopted, and proposes it. */
function adoptAnd(change: (data: ProposerState, promises: ProposerState["promises"]) => void) {
  return assign(({ context: { data, cluster, sinceMs } }: Args) => {
    const promises = new Map(data.promises);
    noteReported(data, cluster);
    adopt(data, sinceMs);
    change(data, promises);
    return { outgoing: takeAccepts(data, cluster, sinceMs), attempts: 0 };
  });
}

/** Changes the promises, and adopts what they then report. */
function adoptAfter(change: (data: ProposerState) => void) {
  return assign(({ context: { data, cluster, sinceMs } }: Args) => {
    change(data);
    noteReported(data, cluster);
    adopt(data, sinceMs);
    return { outgoing: takeAccepts(data, cluster, sinceMs), attempts: 0 };
  });
}

/** Fills a slot for which only one acceptor has reported a vote. */
const fillSingleVotes = adoptAnd((data, promises) => {
  const reports = new Map<number, number>();
  for (const { votes } of promises.values()) {
    for (const { slot } of votes) reports.set(slot, (reports.get(slot) ?? 0) + 1);
  }
  for (const [slot, open] of data.open) {
    if (reports.get(slot) !== 1) continue;
    data.open.set(slot, { ...open, value: NOOP, digest: digest(NOOP) });
  }
});

export const noopOverVote: Broken = {
  name: "noop-over-vote",
  what: "a leader fills a slot with a no-op although one acceptor has reported a vote in it",
  roles: (real) => replaceIn(real, "proposer", { actions: { adoptVotes: fillSingleVotes } }),
  hunt: { plan: takeovers, seedsMax: 5, catches: ["phase2a", "P2b", "P2c"] },
};

/** Takes a slot without a vote for one in which nothing needs to be chosen. */
const passOverHoles = adoptAnd((data) => {
  for (const open of data.open.values()) if (open.value === NOOP) open.chosen = true;
});

export const holeCountedAsChosen: Broken = {
  name: "hole-counted-as-chosen",
  what: "a leader passes over the holes between the votes it was told of, and proposes no no-op",
  roles: (real) => replaceIn(real, "proposer", { actions: { adoptVotes: passOverHoles } }),
  hunt: {
    plan: logScene({
      setup: { limits: { batchCommandsMax: 1, pipelineSlotsMax: 16, retryDelayMs: 300 } },
      fault: leaveHoles,
      faults: 5,
      requests: 400,
      clients: 4,
      calmMs: 1500,
    }),
    firstSeed: 6,
    seedsMax: 30,
    catches: ["learnedIsChosen", "window"],
  },
};

/** Leaves of the votes reported in a slot the lowest alone. */
const adoptLowest = adoptAfter((data) => {
  const lowest = new Map<number, SlotVote>();
  for (const { votes } of data.promises.values()) {
    for (const vote of votes) {
      const known = lowest.get(vote.slot);
      if (known === undefined || vote.ballot.round < known.ballot.round) {
        lowest.set(vote.slot, vote);
      }
    }
  }
  for (const [acceptor, promise] of data.promises) {
    const votes = promise.votes.flatMap(({ slot }) => lowest.get(slot) ?? []);
    data.promises.set(acceptor, { ...promise, votes });
  }
});

export const lowestVoteAdopted: Broken = {
  name: "lowest-vote-adopted",
  what: "a leader takes a vote that was reported, but not the one of the highest ballot",
  roles: (real) => replaceIn(real, "proposer", { actions: { adoptVotes: adoptLowest } }),
  hunt: {
    plan: oldVotes,
    seedsMax: 30,
    // The vote that is left stands in each promise, and so looks like a quorum's.
    catches: ["phase2a", "P2b", "P2c", "learnedIsChosen"],
  },
};

/** Takes votes that are not reported for votes that were never cast. */
const adoptBelow = adoptAfter((data) => {
  for (const [acceptor, promise] of data.promises) {
    data.promises.set(acceptor, { ...promise, trimmed: 0, chosenWatermark: 0 });
  }
});

export const noopIntoTrimmed: Broken = {
  name: "noop-into-trimmed",
  what: "a leader fills slots whose votes acceptors do not report any more, since they are chosen",
  roles: (real) => replaceIn(real, "proposer", { actions: { adoptVotes: adoptBelow } }),
  hunt: {
    plan: logScene({
      setup: { limits: { windowMax: 4, batchCommandsMax: 1, pipelineSlotsMax: 2 } },
      fault: (random, n) => (n % 2 === 0 ? behead(random) : crash(random, "p1")),
      faults: 6,
    }),
    seedsMax: 15,
    catches: ["phase2a", "P2b", "P2c"],
  },
};
