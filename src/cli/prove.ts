/** `synod prove`: why what stands at a position is chosen, as the chain of the paper. */
import type { Command } from "commander";
import { plainProof, type RawProof } from "../client/prove.js";
import { decodeValue, EXACT } from "../client/values.js";
import { formatBallot } from "../paxos/ballot.js";
import { acceptorIds, type Cluster } from "../paxos/cluster.js";
import type { BallotValue } from "../paxos/proof/evidence.js";
import type { HeldBasis, ProofVote } from "../paxos/proof/proof.js";
import { describeQuorums } from "../paxos/quorum.js";
import { EXIT } from "../worker/exit.js";
import { withClient } from "./client.js";
import { type ConnectionFlags, withConnection } from "./connection.js";
import { Failure } from "./failure.js";
import { wholeNumber } from "./format.js";
import { askTail } from "./tail.js";
import { result, styled, table } from "./terminal.js";
import { shortBallot, toJson, valueText } from "./value.js";

const help = `
The chain, from what the stores, learners and leaders of the cluster hold now:
  (1) the value is chosen
  (2) because these acceptors voted for it at one ballot, synced
  (3) as they could, because these promised the ballot, and the highest vote they reported is for it
Promises are kept in memory by learners and the leader: after a restart of all of them (3) is not
known any more, and that is said.

Exit code ${EXIT.failed}: it is not chosen, or something contradicts the chain.
Exit code ${EXIT.unreached}: too few acceptors answer.

Examples:
  synod prove 5
  synod prove 5 --json | jq .votes`;

/** Adds the command. */
export function addProve(program: Command): void {
  withConnection(program.command("prove"))
    .description("why the value at a position is chosen, from real evidence")
    .argument("<position>", "1 or more")
    .addHelpText("after", help)
    .action(showProof);
}

async function showProof(word: string, flags: ConnectionFlags): Promise<void> {
  const position = wholeNumber(word, "the position", 1, Number.MAX_SAFE_INTEGER);
  await withClient(flags, async (client) => {
    const tail = await askTail(client);
    const proof = position > tail ? null : await client.synod.proveRaw(position);
    if (proof === null) {
      const last = tail === 0 ? "nothing is chosen yet" : `the last one is ${tail}`;
      throw new Failure(EXIT.failed, "not_chosen", `position ${position} is not chosen: ${last}`);
    }
    const value = decodeValue(proof, EXACT);
    if (flags.json === true) {
      const { position: at, ...chain } = plainProof(proof);
      result(JSON.stringify({ position: at, value: toJson(value), ...chain }));
    } else {
      const text = valueText(value);
      const shown = typeof text === "string" ? JSON.stringify(text) : `${text.length} bytes`;
      for (const line of draw(proof, shown, client.synod.cluster)) result(line);
    }
    process.exitCode = exitCodeOf(proof);
  });
}

function exitCodeOf({ contradictions, votes, votesFrom }: RawProof): number {
  if (contradictions.length > 0) return EXIT.failed;
  const isSilent = votes.some(({ standing }) => standing === "silent");
  return votesFrom !== "stores" && isSilent ? EXIT.unreached : EXIT.done;
}

function draw(proof: RawProof, value: string, cluster: Cluster): string[] {
  const { position, slot, ballot, digest, learned, basis, missing, contradictions } = proof;
  const bold = (text: string) => styled(process.stdout, "bold", text);
  const at = shortBallot(formatBallot(ballot));
  const learners = learned.map(({ learner }) => learner).join(", ");
  const quorums = describeQuorums(cluster.quorums, acceptorIds(cluster));
  return [
    bold(`position ${position} holds ${value}: slot ${slot}, value ${digest}`),
    `${bold("(1)")} it is chosen, say ${learners}`,
    `${bold("⇐ (2)")} the proposal ⟨ballot ${at}, value ${digest.slice(0, 8)}…⟩ was accepted by ` +
      `a phase-2 quorum (${quorums})${howShown(proof)}`,
    ...table(proof.votes.map((vote) => [`      ${vote.acceptor}`, voteText(vote, ballot)])),
    ...(basis === null ? [`${bold("⇐ (3)")} not known`] : promisesOf(proof, basis, at, bold)),
    ...missing.map((sentence) => `not shown: ${sentence}`),
    ...contradictions.map((sentence) => styled(process.stdout, "red", `BROKEN: ${sentence}`)),
  ];
}

function howShown({ votesFrom }: RawProof): string {
  if (votesFrom === "stores") return ": their stores hold the votes, synced";
  if (votesFrom === "tally") return ": as counted by the learner; not all stores show it now";
  return ", but no quorum of votes at one ballot is to be seen now";
}

function voteText({ standing, isTold, stored }: ProofVote, ballot: BallotValue["ballot"]): string {
  const life =
    stored === null ? "" : ` (incarnation ${stored.incarnation}, write ${stored.writeNumber})`;
  const later = stored?.vote ? shortBallot(formatBallot(stored.vote.ballot)) : "";
  const told = isTold ? "; a learner counts its vote" : "";
  const known = `${life}${told}`;
  switch (standing) {
    case "voted":
      return `voted for it at ballot ${shortBallot(formatBallot(ballot))}${life}`;
    case "again":
      return `voted for the same value at ballot ${later}, which replaced an earlier vote${known}`;
    case "before":
      return `voted for the same value at ballot ${later} before${life}`;
    case "not":
      return `has not voted for it${life}`;
    case "forgotten":
      return `has forgotten its votes below slot ${stored?.trimmed}, which are chosen${known}`;
    case "silent":
      return `does not answer${told}`;
  }
}

function promisesOf(
  { highest, slot }: RawProof,
  basis: HeldBasis,
  at: string,
  bold: (text: string) => string,
): string[] {
  const reported = (vote: BallotValue | null) =>
    vote === null
      ? "had accepted nothing in this slot"
      : `had accepted ⟨${shortBallot(formatBallot(vote.ballot))}, ${vote.digest.slice(0, 8)}…⟩`;
  const rows = basis.promises.map(({ acceptor, incarnation, answer, vote }) => {
    return [
      `      ${acceptor}`,
      `${reported(vote)} (incarnation ${incarnation}, answer ${answer})`,
    ];
  });
  const isCut = basis.cutAt !== null && slot >= basis.cutAt;
  const free = 'so its leader was free to propose "any value" (PMS §2.2, phase 2(a))';
  const bound =
    highest === null
      ? ""
      : `the highest is of ballot ${shortBallot(formatBallot(highest.ballot))}, ` +
        "so its leader had to propose this value again (PMS §2.2, phase 2(a) and P2c)";
  return [
    `${bold("⇐ (3)")} a phase-1 quorum promised ballot ${at} (PMS §2.2, phase 1(b)), as ` +
      `${basis.keptBy} keeps it`,
    ...table(rows),
    ...(isCut ? [] : [`      ${highest === null ? free : bound}`]),
  ];
}
