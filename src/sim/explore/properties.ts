/**
 * What always holds. The invariants of the paper over all that a state shows, and what is seen only
 * where something moves: on a disk, on the wire, in a name of a ballot.
 */
import { type Ballot, isLower, sameBallot } from "../../paxos/ballot.js";
import { chosenProposals, type Evidence, show, showVote } from "../../paxos/proof/evidence.js";
import { INVARIANTS, promisesNeverFall, votesNeverFall } from "../../paxos/proof/invariants.js";
import type { Message, Vote } from "../../paxos/wire/messages.js";
import { type Actor, recordsOf } from "./actor.js";
import { lookAt } from "./facts.js";

/** A broken property, in a sentence that names an acceptor. */
export interface Violation {
  readonly property: string;
  readonly sentence: (acceptor: string) => string;
}

/** Properties of whole states, causes first: the invariants that evidence of a state can show. */
const OF_STATES = [
  "oneValuePerBallot",
  "votesWereProposed",
  "P2c",
  "P2b",
  "P2a",
  "P2",
  "agreement",
  "validity",
  "learnedIsChosen",
] as const;

/** Properties of single moves, with what they say. */
const OF_MOVES = {
  diskNeverFalls: "promises and votes on a disk never fall, vanish or change",
  durableBeforeSpoken: "a promise, vote or refusal leaves only when its disk backs it",
  P1: "a ballot is refused as stale only by who has promised a higher one",
  ballotsAreNew: "no ballot is begun twice",
  answersAreNew: "no two promises of an acceptor have one name",
  machinesGoOn: "no machine throws or halts",
  watermarkIsChosen: "every slot below anybody's watermark is chosen",
} as const;

/** Every property there is, by name. */
export const PROPERTIES: readonly string[] = [...Object.keys(OF_MOVES), ...OF_STATES];

type Asked = ReadonlySet<string>;

/** Judges all that a state shows. @param watermarks what is taken for chosen, by whom */
export function judgeState(
  asked: Asked,
  evidence: Evidence,
  watermarks: ReadonlyMap<string, number>,
): { readonly property: string; readonly sentence: string } | null {
  for (const property of OF_STATES) {
    if (!asked.has(property)) continue;
    const sentence = INVARIANTS[property]?.(evidence) ?? null;
    if (sentence !== null) return { property, sentence };
  }
  const property = "watermarkIsChosen";
  if (!asked.has(property)) return null;
  const chosen = new Set(chosenProposals(evidence).map(({ slot }) => slot));
  for (const [who, watermark] of watermarks) {
    for (let slot = 0; slot < watermark; slot++) {
      if (chosen.has(slot)) continue;
      const sentence = `watermark: ${who} takes all below ${watermark} for chosen, ${slot} is not`;
      return { property, sentence };
    }
  }
  return null;
}

/** Judges what a move made durable. */
export function judgeDisk(
  asked: Asked,
  key: string | null,
  before: Actor["disk"],
  after: Actor["disk"],
): Violation | null {
  const property = "diskNeverFalls";
  if (!asked.has(property) || before === after) return null;
  const sentence = (acceptor: string) => {
    const looks = [lookAt(acceptor, key, before), lookAt(acceptor, key, after)];
    const evidence = { looks } as unknown as Evidence;
    return promisesNeverFall(evidence) ?? votesNeverFall(evidence);
  };
  if (sentence("a") === null) return null;
  return { property, sentence: (acceptor) => sentence(acceptor) ?? "" };
}

/** Judges what an acceptor says against what its disk holds as the message leaves. */
export function judgeSpoken(asked: Asked, disk: Actor["disk"], message: Message): Violation | null {
  const missing = asked.has("durableBeforeSpoken") ? unbacked(disk, message) : null;
  if (missing !== null) {
    const sentence = (acceptor: string) =>
      `durable before spoken: ${acceptor} says ${missing}, which is not on its disk`;
    return { property: "durableBeforeSpoken", sentence };
  }
  if (!asked.has("P1") || !("reason" in message) || message.reason !== "stale") return null;
  const { ballot, promised } = message;
  if (isLower(ballot, promised)) return null;
  const sentence = (acceptor: string) =>
    `P1: ${acceptor} refuses ${show(ballot)}, though it has promised ${show(promised)}`;
  return { property: "P1", sentence };
}

/** Names what a message states and the disk does not back; null if it backs everything. */
function unbacked(disk: Actor["disk"], message: Message): string | null {
  const promised = promisedOn(disk, "key" in message ? message.key : null);
  const votes = votesOn(disk);
  const lacks = (ballot: Ballot | null) => isLower(promised, ballot);
  const unvoted = (id: string, ballot: Ballot, digest: string) => {
    const vote = votes.get(id);
    if (vote === undefined || isLower(vote.ballot, ballot)) return true;
    return sameBallot(vote.ballot, ballot) && vote.digest !== digest;
  };
  switch (message.type) {
    case "key-promise":
    case "promise": {
      if (lacks(message.ballot)) return `that it promised ${show(message.ballot)}`;
      const reported =
        message.type === "promise"
          ? message.votes.map((vote) => ({ id: `slot ${vote.slot}`, ...vote }))
          : message.vote === null
            ? []
            : [{ id: `key ${message.key}`, ...message.vote }];
      const stray = reported.find(({ id, ballot, digest }) => unvoted(id, ballot, digest));
      return stray === undefined ? null : `that it voted ${showVote(stray)}`;
    }
    case "key-accepted":
      return unvoted(`key ${message.key}`, message.ballot, message.digest)
        ? `that it voted ${showVote(message)}`
        : null;
    case "accepted": {
      const { ballot } = message;
      const stray = message.votes.find(({ slot, digest }) =>
        unvoted(`slot ${slot}`, ballot, digest),
      );
      return stray === undefined ? null : `that it voted ${showVote({ ...stray, ballot })}`;
    }
    case "key-nack":
    case "nack":
      return lacks(message.promised) ? `that it promised ${show(message.promised)}` : null;
    default:
      return null;
  }
}

function promisedOn(disk: Actor["disk"], key: string | null): Ballot | null {
  return lookAt("", key, disk).promised;
}

function votesOn(disk: Actor["disk"]): Map<string, Vote> {
  const votes = new Map<string, Vote>();
  for (const record of recordsOf(disk)) {
    if (record.kind === "vote") votes.set(`slot ${record.slot}`, record);
    if (record.kind === "key" && record.vote !== null) votes.set(`key ${record.key}`, record.vote);
  }
  return votes;
}
