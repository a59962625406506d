/** Leaders that go too far: with too few votes, or too many slots. */
import { assign } from "xstate";
import type { Cluster } from "../../paxos/cluster.js";
import { type Broken, type Roles, realAssign, replaceIn } from "./broken.js";
import { logScene } from "./scenes.js";

interface Context {
  readonly cluster: Cluster;
}
type Args = { context: Context; event: unknown };

/** Returns actions that see another description than the cluster's. */
function seeing(real: Roles, names: readonly string[], other: (cluster: Cluster) => Cluster) {
  const blinded = names.map((name) => {
    const action = realAssign<Context, unknown>(real, "proposer", name);
    const blind = assign(({ context, event }: Args) =>
      action({ context: { ...context, cluster: other(context.cluster) }, event }),
    );
    return [name, blind] as const;
  });
  return Object.fromEntries(blinded);
}

export const announcedTooEarly: Broken = {
  name: "announced-too-early",
  what: "a leader announces a value as chosen with the first vote for it",
  roles: (real) => {
    const oneVote = { kind: "flexible", phase1: 3, phase2: 1 } as const;
    const actions = seeing(real, ["countVotesAndFill"], (cluster) => ({
      ...cluster,
      quorums: oneVote,
    }));
    return replaceIn(real, "proposer", { actions });
  },
  hunt: { plan: logScene({ syncMs: 20 }), seedsMax: 5, catches: ["learnedIsChosen", "window"] },
};

export const windowIgnored: Broken = {
  name: "window-ignored",
  what: "a leader proposes at or above its chosen watermark + windowMax (Lamport's α)",
  roles: (real) => {
    const filling = ["queueCommands", "countVotesAndFill", "takeLate"];
    const wide = { windowMax: 64, pipelineSlotsMax: 64 };
    const actions = seeing(real, filling, (cluster) => ({
      ...cluster,
      limits: { ...cluster.limits, ...wide },
    }));
    return replaceIn(real, "proposer", { actions });
  },
  hunt: {
    plan: logScene({
      setup: { limits: { windowMax: 2, pipelineSlotsMax: 2, batchCommandsMax: 1 } },
      syncMs: 20,
      requests: 100,
    }),
    seedsMax: 5,
    catches: ["window"],
  },
};
