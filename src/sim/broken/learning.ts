/** Learners that take for chosen what is not. */
import { assign } from "xstate";
import type { LearnerContext } from "../../../actors/learner/context.js";
import type { Inbound } from "../../kernel/role.js";
import type {
  Accept,
  Accepted,
  Chosen,
  ChosenRange,
  Entries,
  Votes,
} from "../../paxos/wire/messages.js";
import { type Assignment, type Broken, type Roles, realAssign, replaceIn } from "./broken.js";
import { behead, crash, leaveOldVotes, logScene } from "./scenes.js";

/** The actions of the learner's chart that may bring something chosen. */
const LEARN = [
  "learnFromAccept",
  "learnFromAnnouncement",
  "learnFromVotes",
  "learnFromBeacon",
  "learnFromRepair",
] as const;

/** How a learner learns from a message. */
export type Learn = Assignment<LearnerContext, Inbound>;

/** Returns the registry with something around everything by which a learner learns. */
export function learnThrough(real: Roles, around: (learn: Learn) => Learn): Roles {
  const actions = LEARN.map((name) => {
    const learn = around(realAssign<LearnerContext, Inbound>(real, "learner", name));
    return [name, assign((args: Parameters<Learn>[0]) => learn(args))] as const;
  });
  return replaceIn(real, "learner", { actions: Object.fromEntries(actions) });
}

/** Leaders that die in the middle of many open slots. */
const takeovers = {
  setup: { limits: { batchCommandsMax: 1, pipelineSlotsMax: 16 } },
  weather: { loss: 0.15 },
  fault: behead,
  faults: 8,
  requests: 80,
};

/** Takes whatever the leader proposes for chosen. */
const believeProposer =
  (learn: Learn): Learn =>
  ({ context, event }) => {
    if (event.type !== "accept") return learn({ context, event });
    const received = (event as Inbound<Accept>).received.map(({ from, message }) => {
      const to = message.firstSlot + message.values.length;
      const range = { ballot: message.ballot, from: message.firstSlot, to, syncedBy: [] };
      return { from, message: { ...message, chosen: [...message.chosen, range] } };
    });
    return learn({ context, event: { ...event, received } });
  };

export const proposerBelieved: Broken = {
  name: "proposer-believed",
  what: "a learner takes what the leader proposes for chosen, without votes",
  roles: (real) => learnThrough(real, believeProposer),
  hunt: { plan: logScene({ syncMs: 20 }), seedsMax: 5, catches: ["learnedIsChosen"] },
};

/** Announces at the ballot of the first proposal that was heard in the slot, whatever it is. */
function misread({ data }: LearnerContext, ranges: readonly ChosenRange[]): ChosenRange[] {
  return ranges.flatMap((range) => {
    const slots = Array.from({ length: range.to - range.from }, (_, at) => range.from + at);
    return slots.map((slot) => {
      const heard = [...(data.chosen.slots.get(slot)?.candidates.values() ?? [])];
      const first = heard.find(({ value }) => value !== null)?.ballot;
      return { ...range, from: slot, to: slot + 1, ballot: first ?? range.ballot };
    });
  });
}

/** Reads announcements by slot alone. */
const ignoreBallots =
  (learn: Learn): Learn =>
  ({ context, event }) => {
    const received = event.received.map(({ from, message }) => {
      if (message.type === "accept") {
        return { from, message: { ...message, chosen: misread(context, message.chosen) } };
      }
      if (message.type !== "chosen") return { from, message };
      return { from, message: { ...message, ranges: misread(context, message.ranges) } };
    });
    return learn({ context, event: { ...event, received } as Inbound<Accept | Chosen> });
  };

export const announcementBySlot: Broken = {
  name: "announcement-by-slot",
  what: "a learner applies the value it heard first in a slot that is announced at another ballot",
  roles: (real) => learnThrough(real, ignoreBallots),
  hunt: { plan: logScene(takeovers), seedsMax: 15, catches: ["learnedIsChosen"] },
};

/** Lets a vote count for everything that was heard in its slot. */
const countBySlot =
  (learn: Learn): Learn =>
  ({ context, event }) => {
    if (event.type !== "accepted") return learn({ context, event });
    for (const { from, message } of (event as Inbound<Accepted>).received) {
      for (const { slot } of message.votes) {
        const known = context.data.chosen.slots.get(slot);
        for (const { voters } of known?.candidates.values() ?? []) voters.add(from.id);
      }
    }
    return learn({ context, event });
  };

export const votesCountedBySlot: Broken = {
  name: "votes-counted-by-slot",
  what: "a learner counts votes of different ballots and digests together",
  roles: (real) => learnThrough(real, countBySlot),
  hunt: {
    plan: logScene({ ...takeovers, setup: { ...takeovers.setup, learn: { kind: "all" } } }),
    seedsMax: 15,
    catches: ["learnedIsChosen"],
  },
};

/** Takes an acceptor's answer to a repair for a learner's. */
const believeVotes =
  (learn: Learn): Learn =>
  ({ context, event }) => {
    if (event.type !== "votes") return learn({ context, event });
    const received = (event as Inbound<Votes>).received.map(({ from, message }) => {
      const entries = message.votes.map((vote) => ({ ...vote, syncedBy: [from.id] }));
      const { to, trimmed } = message;
      const told: Entries = { type: "entries", from: message.from, to, trimmed, entries };
      return { from, message: told };
    });
    const entries: Inbound<Entries> = { ...event, type: "entries", received };
    return learn({ context, event: entries });
  };

export const repairVoteBelieved: Broken = {
  name: "repair-vote-believed",
  what: "a learner that asks for what it misses takes one acceptor's vote for a chosen value",
  roles: (real) => learnThrough(real, believeVotes),
  hunt: {
    // Learners that come back and ask for all of the log.
    plan: logScene({
      setup: { limits: { batchCommandsMax: 1, pipelineSlotsMax: 16 } },
      fault: (random) => [
        ...leaveOldVotes(random),
        [400, crash(random, "l1")],
        [450, crash(random, "l2")],
        [500, crash(random, "l1")],
      ],
      faults: 2,
      requests: 200,
      clients: 4,
    }),
    seedsMax: 30,
    catches: ["learnedIsChosen"],
  },
};
