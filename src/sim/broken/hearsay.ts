/** Roles that believe a number because a message names it: a watermark, or a round. */

import { assign } from "xstate";
import type { LearnerContext } from "../../../actors/learner/context.js";
import type { Inbound } from "../../kernel/role.js";
import type { AcceptorState } from "../../paxos/consensus/acceptor.js";
import { addPromisePart } from "../../paxos/consensus/promises.js";
import type { ProposerState } from "../../paxos/consensus/proposer.js";
import type {
  Accept,
  Beacon,
  LastHeard,
  Message,
  Nack,
  Promise1b,
} from "../../paxos/wire/messages.js";
import { type Broken, type Roles, realAssign, replaceIn } from "./broken.js";
import { type Learn, learnThrough } from "./learning.js";
import { behead, crash, type Following, leaveOldVotes, logScene } from "./scenes.js";

const WRONG = { kind: "wrongNumbers", share: 0.4, forMs: 400 } as const;

/** Watermarks and rounds arrive wrong, and leaders die. */
const lies = logScene({
  setup: { limits: { windowMax: 8, batchCommandsMax: 1, pipelineSlotsMax: 4 } },
  fault: (random, n) => (n % 2 === 0 ? WRONG : behead(random)),
  faults: 8,
  requests: 80,
});

/** Takes every slot below a watermark for chosen. */
function believeWatermark(real: Roles, name: "noteLeader" | "recordVotes") {
  type Args = {
    context: { readonly data: AcceptorState };
    event: Inbound<Beacon | Accept>;
  };
  const act = realAssign<Args["context"], Args["event"]>(real, "acceptor", name);
  return assign((args: Args) => {
    const { data } = args.context;
    const acted = act(args);
    for (const { message } of args.event.received) {
      data.chosenWatermark = Math.max(data.chosenWatermark, message.chosenWatermark);
    }
    return acted;
  });
}

export const watermarkBelieved: Broken = {
  name: "watermark-believed",
  what: "an acceptor takes every slot below a watermark for chosen because a message names it",
  world: "log-wrong",
  roles: (real) => {
    const names = ["noteLeader", "recordVotes"] as const;
    const actions = names.map((name) => [name, believeWatermark(real, name)] as const);
    return replaceIn(real, "acceptor", { actions: Object.fromEntries(actions) });
  },
  hunt: { plan: lies, seedsMax: 10, catches: ["learnedIsChosen", "liveness"] },
};

type Promised = { context: { readonly data: ProposerState }; event: Inbound<Promise1b> };

/** Counts promises whatever watermark they name. */
const countUnfounded = assign(({ context, event }: Promised) => {
  for (const { from, message } of event.received) {
    addPromisePart(context.data, from.id, from.incarnation, message);
  }
  return {};
});

export const promiseWatermarkBelieved: Broken = {
  name: "promise-watermark-believed",
  what: "a leader begins behind the watermark of a promise that its votes do not show",
  world: "log-wrong",
  roles: (real) => replaceIn(real, "proposer", { actions: { recordPromise: countUnfounded } }),
  hunt: {
    plan: lies,
    seedsMax: 20,
    catches: ["learnedIsChosen", "window", "phase2a", "P2b", "P2c", "liveness", "noRoleThrows"],
  },
};

/** Follows the round of a beacon, an answer or a refusal however far it is. */
function followFar(real: Roles, name: "noteLeader" | "noteAnswer" | "noteRefusal") {
  type Args = {
    context: { readonly data: ProposerState };
    event: Inbound<Beacon | LastHeard | Nack>;
  };
  const note = realAssign<Args["context"], Args["event"]>(real, "proposer", name);
  return assign((args: Args) => {
    const { data } = args.context;
    const noted = note(args);
    for (const { message } of args.event.received) {
      const ballot = message.type === "beacon" ? message.ballot : message.promised;
      data.highestRound = Math.max(data.highestRound, ballot?.round ?? 0);
    }
    return noted;
  });
}

export const roundBelieved: Broken = {
  name: "round-believed",
  what: "a proposer follows any round that a message names, and never goes back",
  roles: (real) => {
    const names = ["noteLeader", "noteAnswer", "noteRefusal"] as const;
    const follow = names.map((name) => [name, followFar(real, name)] as const);
    const actions = { ...Object.fromEntries(follow), goBack: assign({}) };
    return replaceIn(real, "proposer", { actions });
  },
  hunt: { plan: lies, firstSeed: 111, seedsMax: 40, catches: ["liveness"] },
};

/** Takes a watermark that it heard for proof that acceptors report late enough. */
const reportBelowHeard =
  (learn: Learn): Learn =>
  ({ context, event }) => {
    const { chosen } = (context as LearnerContext).data;
    if (event.type === "votes") {
      for (const { from } of (event as Inbound<Message>).received) {
        const mark = { incarnation: 0, writeNumber: 0, below: chosen.heardTail };
        chosen.marks.set(from.id, mark);
      }
    }
    return learn({ context, event });
  };

export const heardTailBelieved: Broken = {
  name: "heard-tail-believed",
  what: "a learner takes slots for chosen that are below a watermark which a message names",
  roles: (real) => learnThrough(real, reportBelowHeard),
  hunt: {
    plan: logScene({
      setup: { limits: { batchCommandsMax: 1, pipelineSlotsMax: 16 } },
      fault: (random): Following[] => [
        [0, { ...WRONG, share: 0.6, forMs: 700 }],
        ...leaveOldVotes(random),
        [100, crash(random, "l1")],
        [150, crash(random, "l2")],
        [300, crash(random, "l1")],
      ],
      faults: 2,
      requests: 200,
      clients: 4,
    }),
    seedsMax: 30,
    catches: ["learnedIsChosen"],
  },
};

/** All learners are gone until faults end, and then begin again: none can help another. */
const crashLearners: readonly Following[] = ["l1", "l2", "l3"].map((process) => {
  return [0, { kind: "crash", process, fate: "lost", atWrite: false, downMs: 1000 }];
});

export const learnerLeftAlone: Broken = {
  name: "learner-left-alone",
  what: "a leader does not propose chosen slots again for a learner that cannot learn them",
  roles: (real) =>
    replaceIn(real, "proposer", { actions: { proposeAgain: assign({ outgoing: () => [] }) } }),
  hunt: {
    // The leader stays, and an acceptor that voted may be gone when learners begin again.
    plan: (drawn) => ({
      ...logScene({
        // No vote a window above shows that a slot is chosen.
        setup: { proposers: 1, limits: { batchCommandsMax: 1, windowMax: 1024 } },
        weather: { loss: 0.25 },
        fault: () => crashLearners,
        faults: 3,
        requests: 20,
      })(drawn),
      ending: "minority dead",
    }),
    firstSeed: 23,
    seedsMax: 20,
    catches: ["liveness"],
  },
};
