/** What the parts of the small world of the log share: its rules, letters and counters. */

import type { Cluster } from "../../src/paxos/cluster.js";
import * as acceptor from "../../src/paxos/consensus/acceptor.js";
import * as learner from "../../src/paxos/consensus/learner.js";
import * as promises from "../../src/paxos/consensus/promises.js";
import * as proposer from "../../src/paxos/consensus/proposer.js";
import { fillWindow } from "../../src/paxos/consensus/queue.js";
import type {
  Accept,
  Accepted,
  Beacon,
  Chosen,
  Entries,
  Nack,
  Prepare,
  Promise1b,
  Repair,
  Votes,
} from "../../src/paxos/wire/messages.js";
import type { Facts } from "./multi-facts.js";

/** The rules that a world runs by; a negative control replaces one. */
export const LOG_RULES = {
  judgeBallot: acceptor.judgeBallot,
  promise: acceptor.promise,
  castVotes: acceptor.castVotes,
  recoverAcceptor: acceptor.recoverAcceptor,
  addPromisePart: promises.addPromisePart,
  promisesSuffice: promises.promisesSuffice,
  adopt: proposer.adopt,
  fillWindow,
  countVotes: proposer.countVotes,
  noteAccept: learner.noteAccept,
  noteVotes: learner.noteVotes,
  noteRepairVotes: learner.noteRepairVotes,
  missingRange: learner.missingRange,
  takeChosen: learner.takeChosen,
  /** Whether answers wait for the disk. */
  answersWait: (): boolean => true,
  /** What a start of a proposer adds to its name. */
  nonce: (starts: number): string => starts.toString(16).padStart(16, "0"),
};

/** The rules of {@link LOG_RULES}. */
export type LogRules = typeof LOG_RULES;

/** How learners hear: announcements, every vote, or nothing but beacons and what they ask for. */
export type Hearing = "announcements" | "tallies" | "repair";

/** What travels in the world. */
export type LogMessage =
  | Prepare
  | Promise1b
  | Accept
  | Accepted
  | Nack
  | Chosen
  | Beacon
  | Repair
  | Votes
  | Entries;

/** What happened in a run, counted: a test that never saw it proves nothing. */
export const COUNTED = {
  elections: 0,
  reproposed: 0,
  noops: 0,
  nacks: 0,
  partsLost: 0,
  crashes: 0,
  repaired: 0,
  applied: 0,
};

/** What a role of the world acts on. */
export interface Surroundings {
  readonly cluster: Cluster;
  readonly facts: Facts;
  readonly rules: LogRules;
  readonly hearing: Hearing;
  readonly counted: typeof COUNTED;
  post(to: string, from: string, message: LogMessage): void;
  toLearners(from: string, message: Accept | Accepted | Chosen): void;
}
