/**
 * What `test/PAPER.md` names where the compiler cannot tell what is telling: a whole world runs
 * nearly every rule. A choice is checked: its test must come to each rule named here.
 */

/** What is hardly ever the point of a sentence. */
export const helpers: ReadonlySet<string> = new Set([
  ...["acceptorIds", "ballotOwner", "chosenProposals", "compareBallots", "digest", "enqueue"],
  ...["decodeRecord", "openValue", "encodeBatch", "encodeRecord", "formatBallot", "isLower"],
  ...["sameBallot", "DEFAULT_LIMITS", "retryDelayMs", "roundJumpMax"],
]);

/** Rules of a sentence, the most telling first; sentences as the tests write them. */
export const choices: Readonly<Record<string, readonly string[]>> = {
  // 2.1
  "Only a value that has been proposed may be chosen": ["pickValue", "validity"],
  "If no value is proposed, then no value should be chosen": ["pickValue"],
  "Only a single value is chosen": ["pickValue", "alreadyChosen", "agreement"],
  "A process never learns that a value has been chosen unless it actually has": [
    ...["votesFormQuorum", "alreadyChosen", "learnedIsChosen"],
  ],
  "Agents operate at arbitrary speed, may fail by stopping, and may restart": [
    ...["recoverAcceptor", "beginAttempt", "firstViolation"],
  ],
  "Messages can … be duplicated, and can be lost": ["voteForKey", "countVote", "firstViolation"],

  // 2.2
  "A value is chosen when a single proposal … has been accepted by a majority": ["chosenProposals"],
  "We can allow multiple proposals to be chosen": ["alreadyChosen", "pickValue", "p2"],
  "P2b. … every higher-numbered proposal issued by any proposer has value v": ["pickValue", "p2b"],
  "A promise never again to accept a proposal numbered less than n": ["promiseKey", "judgeKey"],
  "The proposal with the highest number less than n that it has accepted, if any": ["promiseKey"],
  "This need not be the same set of acceptors that responded to the initial requests": [
    ...["promisesFormQuorum", "votesFormQuorum"],
  ],
  "An acceptor can ignore any request without compromising safety": [
    ...["judgeKey", "p1a", "firstViolation"],
  ],
  "P1a. … iff it has not responded to a prepare request … greater than n": ["judgeKey", "p1a"],
  "we have the acceptor ignore such a prepare request. Differs: it answers with a nack": [
    ...["judgeKey", "nackKey", "isPreempted"],
  ],
  "ignore a prepare request for a proposal it has already accepted. Differs: repeats": [
    ...["promiseKey", "voteForKey"],
  ],
  "needs to remember only the highest-numbered proposal that it has ever accepted": [
    ...["voteForKey", "encodeRecord"],
  ],
  "must remember this information even if it fails and then restarts": [
    ...["recoverAcceptor", "judgeKey", "promisesNeverFall"],
  ],
  "the proposer can always abandon a proposal and forget all about it": [
    ...["beginAttempt", "pickValue", "firstViolation"],
  ],
  "as long as it never tries to issue another proposal with the same number": [
    ...["ballotOwner", "beginAttempt", "oneValuePerBallot"],
  ],
  "Phase 1 (b) … with a promise … and with the highest-numbered proposal": ["promiseKey"],
  "Phase 2 (b) … accepts the proposal unless it has already responded to a prepare": [
    ...["judgeKey", "voteForKey"],
  ],
  "A proposer can make multiple proposals, so long as it follows the algorithm": [
    ...["beginAttempt", "pickValue", "firstViolation"],
  ],
  "responses … may arrive … long after the proposal was abandoned": [
    ...["countPromise", "firstViolation"],
  ],
  "it should probably inform the proposer, who should then abandon its proposal": [
    ...["nackKey", "isPreempted"],
  ],

  // 2.3
  "respond to all learners, sending them the proposal. Differs: its number and digest": [
    "voteForKey",
  ],
  "Because of message loss, a value could be chosen with no learner ever finding out": [
    ...["pickValue", "votesFormQuorum"],
  ],

  // 2.4
  "two proposers each keep issuing a sequence of proposals with increasing numbers": [
    ...["beginAttempt", "isPreempted"],
  ],
  "a distinguished proposer must be selected as the only one to try issuing proposals": [
    ...["beginAttempt", "votesFormQuorum", "firstViolation"],
  ],
  "the distinguished proposer will eventually choose a high enough proposal number": [
    ...["nackKey", "isPreempted", "beginAttempt"],
  ],
  "safety is ensured regardless of the success or failure of the election": [
    ...["judgeKey", "pickValue", "firstViolation"],
  ],

  // 2.5
  "records its intended response in stable storage before actually sending the response": [
    ...["promiseKey", "voteForKey", "recoverAcceptor"],
  ],
  "a higher proposal number than any it has already used. Differs: or a new name": [
    ...["beginAttempt", "ballotOwner"],
  ],

  // 3
  "the value to be proposed is not chosen until phase 2": ["promise", "castVotes"],
  "executes phase 1 for infinitely many instances of the consensus algorithm": [
    ...["promise", "judgeBallot"],
  ],
  "sending a single reasonably short message to the other servers": ["promise"],
  "more than a simple OK only if it has already received a phase 2 message": ["promise"],
  "can respond for all instances with a single reasonably short message. Differs: parts": [
    "promise",
  ],
  "should know most of the commands that have already been chosen. Differs: a watermark": [
    ...["castVotes", "promise"],
  ],
  "the outcome of these executions determine the value … in instances 135 and 140": [
    ...["promise", "highestVote"],
  ],
  "it will retransmit those messages": ["castVotes"],
  "A gap of up to α−1 commands could then arise": ["windowMax", "castVotes"],
  "executes phase 1 of instances 135–137 and all above 139. Differs: all of them": [
    ...["beginBallot", "addPromisePart", "promisesSuffice"],
  ],
  "then executes phase 2 for instances 135 and 140, thereby choosing commands": [
    ...["adopt", "takeAccepts"],
  ],
  "fill the gap immediately by proposing, as commands 136 and 137, a special “no-op”": [
    ...["adopt", "takeAccepts", "countVotes"],
  ],
  "could take the next two commands requested by clients. Differs: no-ops only": [
    ...["adopt", "fillWindow"],
  ],
  "commands 1–141 … chosen: it begins sending the next with the next number": [
    ...["fillWindow", "takeAccepts"],
  ],
  "It can propose command 142 before it learns that its proposed command 141 is chosen": [
    ...["fillWindow", "takeLateAccepts", "countVotes"],
  ],
  "can execute … once it has learned every command before: never over a gap": ["takeChosen"],
  "the effective cost … is the cost of executing only phase 2": ["castVotes"],
  "two different servers will never disagree on the value … as the ith … command": [
    ...["highestVote", "castVotes", "firstViolation"],
  ],
};
