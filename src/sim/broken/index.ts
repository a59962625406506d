/** Every broken thing there is. */
import { acceptorCountedTwice } from "./acceptor-counted-twice.js";
import { ballotReused } from "./ballot-reused.js";
import { ballotsCountedTogether } from "./ballots-counted-together.js";
import type { Broken } from "./broken.js";
import { highestVoteIgnored } from "./highest-vote-ignored.js";
import { lowerBallotAccepted } from "./lower-ballot-accepted.js";
import { promiseNotPersisted } from "./promise-not-persisted.js";
import { quorumsThatMiss } from "./quorums-that-miss.js";
import { repeatBeforeSync } from "./repeat-before-sync.js";
import { replyBeforeSync } from "./reply-before-sync.js";
import { voteNotPersisted } from "./vote-not-persisted.js";

/** All of them, by name. */
export const BROKEN: readonly Broken[] = [
  acceptorCountedTwice,
  ballotReused,
  ballotsCountedTogether,
  highestVoteIgnored,
  lowerBallotAccepted,
  promiseNotPersisted,
  quorumsThatMiss,
  repeatBeforeSync,
  replyBeforeSync,
  voteNotPersisted,
];
