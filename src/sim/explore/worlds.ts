/** The small worlds that there are. */
import { decideWorld, logWorld, reloadWorld } from "./shapes.js";
import type { World } from "./world.js";

const SEEN = ["value-chosen", "preempted", "duplicate-delivered"] as const;
const ADOPTED = ["vote-adopted", "adopted-chosen", "chosen-twice", "duel-in-phase-2"] as const;
const LED = ["later-slots-asked", "leader-deposed"] as const;

const PARTS = ["vote-adopted", "sync-lost", "promise-begun-again"] as const;

/** Every world, by name. */
export const WORLDS: readonly World[] = [
  decideWorld({
    name: "decide-2",
    what: "two proposers of one key, one ballot each",
    rounds: [1, 1],
    mustSee: [...SEEN, ...ADOPTED],
    states: 28_418,
  }),
  decideWorld({
    name: "decide-learner",
    what: "two proposers of one key, one ballot each, a learner that counts the votes",
    rounds: [1, 1],
    learner: true,
    mustSee: [...SEEN, ...ADOPTED, "learner-learned"],
    states: 69_810,
  }),
  decideWorld({
    name: "decide-retry",
    what: "two proposers of one key, one of which tries again",
    rounds: [2, 1],
    mustSee: [...SEEN, ...ADOPTED, "late-answer"],
    states: null,
    statesMax: 5_000_000,
  }),
  decideWorld({
    name: "decide-crash",
    what: "two proposers of one key, one ballot each, one crash of an acceptor",
    rounds: [1, 1],
    crashesMax: 1,
    mustSee: [...SEEN, ...ADOPTED, "sync-lost"],
    states: 79_865,
  }),
  decideWorld({
    name: "decide-restart",
    what: "two proposers of one key, one ballot a start, one crash of anybody, refusals lost",
    rounds: [1, 1],
    lost: ["key-nack"],
    crashesMax: 1,
    crashes: ["acceptor", "synod-proposer"],
    mustSee: ["value-chosen", ...ADOPTED, "proposer-restarted", "sync-lost"],
    states: 628_169,
  }),
  decideWorld({
    name: "decide-3",
    what: "three proposers of one key, one ballot each, refusals lost",
    rounds: [1, 1, 1],
    // Who is refused its only ballot does no more: as if nothing reached it any more.
    lost: ["key-nack"],
    mustSee: ["value-chosen", "duplicate-delivered", ...ADOPTED],
    states: 436_671,
  }),
  decideWorld({
    name: "decide-3-crash",
    what: "three proposers of one key, one ballot each, one crash of an acceptor, refusals lost",
    rounds: [1, 1, 1],
    lost: ["key-nack"],
    crashesMax: 1,
    mustSee: ["value-chosen", "duplicate-delivered", ...ADOPTED, "sync-lost"],
    states: 1_517_099,
  }),
  logWorld({
    name: "log-1",
    what: "two proposers of the log, one ballot each, one slot, no beacons",
    rounds: [1, 1],
    lost: ["beacon"],
    slots: [1, 1],
    mustSee: [...SEEN, ...ADOPTED],
    states: 195_773,
  }),
  logWorld({
    name: "log-wrong",
    what: "two proposers of the log as in log-1; each watermark may arrive one too high",
    rounds: [1, 1],
    lost: ["beacon"],
    slots: [1, 1],
    wrongWatermarks: true,
    mustSee: [...SEEN, ...ADOPTED, "wrong-watermark"],
    states: 195_773,
  }),
  logWorld({
    name: "log-crash",
    what: "two proposers of the log, one ballot each, one slot, one crash, no beacons",
    rounds: [1, 1],
    lost: ["beacon"],
    slots: [1, 1],
    crashesMax: 1,
    mustSee: [...SEEN, ...ADOPTED, "sync-lost"],
    states: 513_436,
  }),
  logWorld({
    name: "log-beacons",
    what: "two proposers of the log, one ballot each, one slot, with beacons",
    rounds: [1, 1],
    slots: [1, 1],
    mustSee: [...SEEN, ...ADOPTED, "leader-deposed"],
    states: 537_055,
  }),
  logWorld({
    name: "log-3",
    what: "three proposers of the log, one ballot each, one slot, beacons and refusals lost",
    rounds: [1, 1, 1],
    lost: ["beacon", "nack"],
    slots: [1, 1, 1],
    mustSee: ["value-chosen", "duplicate-delivered", ...ADOPTED],
    states: 449_581,
  }),
  logWorld({
    name: "log-2",
    what: "two proposers of the log, one ballot each, two slots and one, beacons and refusals lost",
    rounds: [1, 1],
    lost: ["beacon", "nack"],
    slots: [2, 1],
    mustSee: ["value-chosen", "duplicate-delivered", ...ADOPTED, "hole-filled"],
    states: 1_212_445,
  }),
  logWorld({
    name: "log-takeover",
    what: "two proposers of the log, one slot, with beacons, one follows and takes over later",
    rounds: [1, 2],
    slots: [1, 1],
    mustSee: [...SEEN, ...ADOPTED, ...LED],
    states: null,
    statesMax: 5_000_000,
  }),
  reloadWorld({
    name: "log-reload",
    what: "a proposer adopts three slots by promises in parts, one full disk",
    fullsMax: 1,
    mustSee: ["value-chosen", ...PARTS],
    states: 552_087,
  }),
  reloadWorld({
    name: "log-reload-crash",
    what: "a proposer adopts three slots by promises in parts, one full disk, one crash",
    fullsMax: 1,
    crashesMax: 1,
    mustSee: ["value-chosen", ...PARTS, "crash-after-reload"],
    states: 10_877_751,
  }),
];
