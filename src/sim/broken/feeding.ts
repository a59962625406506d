/** Learners that know what is chosen, and leave some of it out. */
import type { ChosenEntry } from "../../paxos/wire/messages.js";
import type { Broken } from "./broken.js";
import { type Learn, learnThrough } from "./learning.js";
import { behead, crash, logScene } from "./scenes.js";

/** Goes on behind a hole if something is known there. */
const skipHole =
  (learn: Learn): Learn =>
  ({ context, event }) => {
    const { chosen } = context.data;
    const known = [...chosen.slots].filter(([, { entry }]) => entry !== null);
    const next = Math.min(...known.map(([slot]) => slot));
    if (Number.isFinite(next)) chosen.watermark = Math.max(chosen.watermark, next);
    return learn({ context, event });
  };

export const holeSkipped: Broken = {
  name: "hole-skipped",
  what: "a learner applies what is chosen behind a slot that it does not know",
  roles: (real) => learnThrough(real, skipHole),
  hunt: {
    plan: logScene({
      setup: { limits: { batchCommandsMax: 1, pipelineSlotsMax: 16 } },
      weather: { loss: 0.15 },
    }),
    seedsMax: 5,
    catches: ["oneFeed", "feedOrder", "acknowledgedIsChosen", "noRoleThrows"],
  },
};

/** Publishes from the tail on, and not from a window before it. */
const startAtTail =
  (learn: Learn): Learn =>
  ({ context, event }) => {
    const learned = learn({ context, event });
    if (learned.feedFrom == null) return learned;
    const { tail, heardTail } = context.data.chosen;
    const feedFrom = context.feedFrom ?? Math.max(tail, heardTail);
    const feed = learned.feed?.filter(({ slot }) => slot >= feedFrom) ?? [];
    return { ...learned, feedFrom, feed };
  };

export const feedStartedLate: Broken = {
  name: "feed-started-late",
  what: "a learner that takes over a feed publishes from the tail on, not from a window before it",
  roles: (real) => learnThrough(real, startAtTail),
  hunt: {
    plan: logScene({
      fault: (random, n) => crash(random, n % 2 === 0 ? "l1" : "l2"),
      faults: 8,
      requests: 120,
    }),
    seedsMax: 5,
    catches: ["feedOrder"],
  },
};

/** The latest ballot by which each learner has learned something. */
const ballots = new WeakMap<object, ChosenEntry["ballot"]>();

/** Leaves out what a new leader brings first. */
const skipHandover =
  (learn: Learn): Learn =>
  ({ context, event }) => {
    const learned = learn({ context, event });
    const { data } = context;
    const skipped = new Set<number>();
    for (const { slot, ballot } of learned.taken ?? []) {
      const before = ballots.get(data);
      if (before !== undefined && before.owner !== ballot.owner) skipped.add(slot);
      ballots.set(data, ballot);
    }
    return { ...learned, feed: learned.feed?.filter(({ slot }) => !skipped.has(slot)) ?? [] };
  };

export const handoverLeftOut: Broken = {
  name: "handover-left-out",
  what: "a learner does not publish what a new leader proposes first",
  roles: (real) => learnThrough(real, skipHandover),
  hunt: {
    plan: logScene({ fault: behead, faults: 4, requests: 80 }),
    seedsMax: 5,
    catches: ["feedOrder"],
  },
};
