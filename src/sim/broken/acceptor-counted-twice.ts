/** A proposer that counts answers and not acceptors: a repeated vote counts again. */
import { assign } from "xstate";
import type { Inbound } from "../../kernel/role.js";
import { acceptorIds, type Cluster } from "../../paxos/cluster.js";
import { countVote, type SynodAttempt } from "../../paxos/single/synod.js";
import type { KeyAccepted } from "../../paxos/wire/messages.js";
import { type Broken, replaceIn } from "./broken.js";
import { keyScene } from "./scenes.js";

interface Args {
  readonly context: { readonly attempt: SynodAttempt; readonly cluster: Cluster };
  readonly event: Inbound<KeyAccepted>;
}

/** Books a repeat on an acceptor that has not voted. */
const countAnswers = assign(({ context, event }: Args) => {
  let { attempt } = context;
  for (const { from, message } of event.received) {
    const { voters } = attempt;
    const others = acceptorIds(context.cluster).filter((id) => !voters.has(id));
    const booked = voters.has(from.id) ? (others[0] ?? from.id) : from.id;
    attempt = countVote(attempt, booked, message);
  }
  return { attempt };
});

export const acceptorCountedTwice: Broken = {
  name: "acceptor-counted-twice",
  what: "a proposer counts the same acceptor's vote again when it is delivered again",
  world: "decide-2",
  roles: (real) => replaceIn(real, "synod-proposer", { actions: { countVote: countAnswers } }),
  hunt: {
    plan: keyScene({ setup: { placement: "colocated" }, weather: { repeat: 0.4, loss: 0.4 } }),
    seedsMax: 30,
    catches: ["learnedIsChosen"],
  },
};
