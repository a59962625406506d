/** A proposer that proposes what it wishes, whatever the promises report. */
import { assign } from "xstate";
import type { Cluster } from "../../paxos/cluster.js";
import type { ProposerState } from "../../paxos/consensus/proposer.js";
import { adopt, takeAccepts } from "../../paxos/consensus/proposer.js";
import { digest } from "../../paxos/digest.js";
import type { SynodAttempt } from "../../paxos/single/synod.js";
import type { Message } from "../../paxos/wire/messages.js";
import { type Broken, replaceIn } from "./broken.js";
import { behead, logScene } from "./scenes.js";

interface SynodContext {
  readonly attempt: SynodAttempt;
  readonly wish: Uint8Array;
}

interface LogContext {
  readonly data: ProposerState;
  readonly cluster: Cluster;
  readonly sinceMs: number;
  readonly outgoing: readonly Message[];
  readonly attempts: number;
}

/** Proposes its own value at its ballot. */
const pickOwn = assign(({ context }: { context: SynodContext }) => {
  const { attempt, wish } = context;
  const proposed = { ballot: attempt.ballot, value: wish, digest: digest(wish) };
  return { attempt: { ...attempt, proposed } };
});

/** Takes every slot for free. */
const adoptNothing = assign(({ context }: { context: LogContext }) => {
  const { data, cluster, sinceMs } = context;
  for (const [acceptor, promise] of data.promises) {
    data.promises.set(acceptor, { ...promise, votes: [] });
  }
  adopt(data, sinceMs);
  return { outgoing: takeAccepts(data, cluster, sinceMs), attempts: 0 };
});

export const highestVoteIgnored: Broken = {
  name: "highest-vote-ignored",
  what: "a proposer ignores the votes that the promises report",
  world: "decide-2",
  roles: (real) =>
    replaceIn(replaceIn(real, "synod-proposer", { actions: { pickValue: pickOwn } }), "proposer", {
      actions: { adoptVotes: adoptNothing },
    }),
  hunt: {
    plan: logScene({ fault: behead, faults: 6 }),
    seedsMax: 15,
    catches: ["phase2a", "P2b", "P2c"],
  },
};
