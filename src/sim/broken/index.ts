/** Every broken thing there is. */
import { acceptorCountedTwice } from "./acceptor-counted-twice.js";
import { promiseNotRaised, voteLostBehindPromise, voteTakenAsChosen } from "./acceptor-writes.js";
import {
  holeCountedAsChosen,
  lowestVoteAdopted,
  noopIntoTrimmed,
  noopOverVote,
} from "./adoption.js";
import { ballotReused, roundForgotten } from "./ballot-reused.js";
import { ballotShared } from "./ballot-shared.js";
import { ballotsCountedTogether } from "./ballots-counted-together.js";
import type { Broken } from "./broken.js";
import { checksumIgnored } from "./checksum-ignored.js";
import { failedSyncIgnored } from "./failed-sync-ignored.js";
import { feedStartedLate, handoverLeftOut, holeSkipped } from "./feeding.js";
import { fenceIgnored } from "./fence-ignored.js";
import { firstProposalRefused } from "./first-proposal-refused.js";
import { gapHeld } from "./gap-held.js";
import {
  heardTailBelieved,
  learnerLeftAlone,
  promiseWatermarkBelieved,
  roundBelieved,
  watermarkBelieved,
} from "./hearsay.js";
import { helloNotSaid } from "./hello-not-said.js";
import { highestVoteIgnored } from "./highest-vote-ignored.js";
import { announcedTooEarly, windowIgnored } from "./leading.js";
import {
  announcementBySlot,
  proposerBelieved,
  repairVoteBelieved,
  votesCountedBySlot,
} from "./learning.js";
import { answerNamedTwice, earlierLifeBelieved, livesJoined } from "./lives.js";
import { lowerBallotAccepted } from "./lower-ballot-accepted.js";
import { lowerBallotPromised } from "./lower-ballot-promised.js";
import { incompletePromiseCounted, phaseOneSkipped, promisePartsMixed } from "./phase-one.js";
import { promiseNotPersisted } from "./promise-not-persisted.js";
import { quorumsThatMiss } from "./quorums-that-miss.js";
import { earlierPromisesAnswer, undecidedByOne } from "./reads.js";
import { repeatBeforeSync } from "./repeat-before-sync.js";
import { replyBeforeSync } from "./reply-before-sync.js";
import { reportedVoteCounted } from "./reported-vote-counted.js";
import {
  earlyApplied,
  lastNumberTooLow,
  openingsMixed,
  repeatApplied,
  unknownSessionTaken,
} from "./sessions.js";
import { corruptTakenAsMissing, voteForgottenAtReload } from "./store-openings.js";
import { unlistedVoteCounted } from "./unlisted-vote-counted.js";
import { voteNotPersisted } from "./vote-not-persisted.js";

/** All of them, by name. */
export const BROKEN: readonly Broken[] = [
  acceptorCountedTwice,
  announcedTooEarly,
  announcementBySlot,
  answerNamedTwice,
  ballotReused,
  ballotShared,
  ballotsCountedTogether,
  checksumIgnored,
  corruptTakenAsMissing,
  earlierLifeBelieved,
  earlierPromisesAnswer,
  earlyApplied,
  failedSyncIgnored,
  feedStartedLate,
  fenceIgnored,
  firstProposalRefused,
  gapHeld,
  handoverLeftOut,
  heardTailBelieved,
  helloNotSaid,
  highestVoteIgnored,
  holeCountedAsChosen,
  holeSkipped,
  incompletePromiseCounted,
  lastNumberTooLow,
  learnerLeftAlone,
  livesJoined,
  lowerBallotAccepted,
  lowerBallotPromised,
  lowestVoteAdopted,
  noopIntoTrimmed,
  noopOverVote,
  openingsMixed,
  phaseOneSkipped,
  promiseNotPersisted,
  promiseNotRaised,
  promisePartsMixed,
  promiseWatermarkBelieved,
  proposerBelieved,
  quorumsThatMiss,
  repairVoteBelieved,
  repeatApplied,
  repeatBeforeSync,
  replyBeforeSync,
  reportedVoteCounted,
  roundBelieved,
  roundForgotten,
  undecidedByOne,
  unknownSessionTaken,
  unlistedVoteCounted,
  voteForgottenAtReload,
  voteLostBehindPromise,
  voteNotPersisted,
  voteTakenAsChosen,
  votesCountedBySlot,
  watermarkBelieved,
  windowIgnored,
];
