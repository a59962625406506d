/** Acceptors that remember less than they must. */
import { assign } from "xstate";
import { NOTHING } from "../../kernel/effect.js";
import type { Cluster } from "../../paxos/cluster.js";
import type { AcceptorState } from "../../paxos/consensus/acceptor.js";
import type { StoreRecord } from "../../paxos/wire/record.js";
import { type Broken, type Roles, realAssign, replaceIn } from "./broken.js";
import { behead, logScene } from "./scenes.js";

interface Context {
  readonly cluster: Cluster;
  readonly data: AcceptorState;
  readonly records: readonly StoreRecord[];
}
type Args = { context: Context; event: unknown };

/** Keeps the promise alone where one step made a promise and votes. */
const persistPromiseAlone = ({ context: { records } }: Args) => {
  const promises = records.filter(({ kind }) => kind === "promise");
  const kept = promises.length > 0 ? promises : records;
  return kept.length === 0 ? NOTHING : [{ kind: "persist", records: kept }];
};

export const voteLostBehindPromise: Broken = {
  name: "vote-lost-behind-promise",
  what: "a vote is not written where its accept also raises the promise",
  roles: (real) =>
    replaceIn(real, "acceptor", { actions: { persistRecords: persistPromiseAlone } }),
  hunt: {
    plan: logScene({ weather: { loss: 0.2 }, fault: behead, faults: 5 }),
    seedsMax: 20,
    catches: ["durableBeforeSpoken"],
  },
};

/** Votes above the promise, and leaves the promise where it was. */
function recordVotesAlone(real: Roles) {
  const recordVotes = realAssign<Context, unknown>(real, "acceptor", "recordVotes");
  return assign(({ context, event }: Args) => {
    const { promised } = context.data;
    const recorded = recordVotes({ context, event });
    context.data.promised = promised;
    return {
      ...recorded,
      records: (recorded.records ?? []).filter(({ kind }) => kind !== "promise"),
    };
  });
}

export const promiseNotRaised: Broken = {
  name: "promise-not-raised",
  what: "an accept above the promised ballot is voted for without raising the promise",
  roles: (real) =>
    replaceIn(real, "acceptor", { actions: { recordVotes: recordVotesAlone(real) } }),
  hunt: {
    plan: logScene({ weather: { loss: 0.2 }, fault: behead, faults: 5 }),
    seedsMax: 20,
    catches: ["promiseCoversVotes", "votesNeverFall", "P1a"],
  },
};

/** Takes every slot below its own votes for chosen. */
function recordVotesAsChosen(real: Roles) {
  const recordVotes = realAssign<Context, unknown>(real, "acceptor", "recordVotes");
  return assign(({ context, event }: Args) => {
    const recorded = recordVotes({ context, event });
    const { data } = context;
    data.chosenWatermark = data.highestVoted + 1;
    return recorded;
  });
}

export const voteTakenAsChosen: Broken = {
  name: "vote-taken-as-chosen",
  what: "an acceptor does not report the votes below its highest, as if those slots were chosen",
  roles: (real) =>
    replaceIn(real, "acceptor", { actions: { recordVotes: recordVotesAsChosen(real) } }),
  hunt: {
    plan: logScene({ weather: { loss: 0.2 }, fault: behead, faults: 5 }),
    seedsMax: 20,
    catches: ["learnedIsChosen", "liveness", "P2b", "P2c", "phase2a"],
  },
};
