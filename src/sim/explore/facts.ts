/**
 * Facts: what letters and actors show of a run, for the invariants to judge.
 *
 * Letters never vanish here, so a state shows all votes that were ever told and all proposals that
 * were ever made; what is durable and not told stands on the disks.
 */
import type { RoleSnapshot } from "../../kernel/role.js";
import type { Ballot } from "../../paxos/ballot.js";
import type { ProposerState } from "../../paxos/consensus/proposer.js";
import { digest } from "../../paxos/digest.js";
import type {
  AcceptorLook,
  BallotValue,
  Evidence,
  Instance,
  LearnedValue,
} from "../../paxos/proof/evidence.js";
import { NOOP } from "../../paxos/value.js";
import type { Message, RoleName } from "../../paxos/wire/messages.js";
import { type Actor, recordsOf } from "./actor.js";
import { textOf } from "./text.js";
import type { World } from "./world.js";

type Fact = Instance & BallotValue;

/** What one letter or actor shows. */
export interface Facts {
  /** Votes of the acceptor that it belongs to. */
  readonly votes: readonly Fact[];
  readonly proposals: readonly Fact[];
  readonly learned: readonly LearnedValue[];
  /** Every slot below is taken for chosen. */
  readonly watermark: number;
}

const NO_FACTS: Facts = { votes: [], proposals: [], learned: [], watermark: 0 };

/** Facts, each kept once. */
export class FactsTable {
  readonly #all: Facts[] = [];
  readonly #known = new Map<string, number>();

  get(facts: number): Facts {
    return this.#all[facts] as Facts;
  }

  intern(facts: Facts): number {
    const text = textOf(facts);
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    this.#all.push(facts);
    this.#known.set(text, this.#all.length - 1);
    return this.#all.length - 1;
  }
}

/** What a message shows. */
export function factsOfMessage(message: Message): Facts {
  switch (message.type) {
    case "key-accept":
      return { ...NO_FACTS, proposals: [keyFact(message)] };
    case "key-accepted":
      return { ...NO_FACTS, votes: [keyFact(message)] };
    case "accept": {
      const { ballot, firstSlot, digests } = message;
      const proposals = digests.map((one, index) => slotFact(ballot, firstSlot + index, one));
      return { ...NO_FACTS, proposals };
    }
    case "accepted": {
      const { ballot } = message;
      return { ...NO_FACTS, votes: message.votes.map((v) => slotFact(ballot, v.slot, v.digest)) };
    }
    default:
      return NO_FACTS;
  }
}

function keyFact({ key, ballot, digest: name }: BallotValue & { readonly key: string }): Fact {
  return { key, slot: 0, ballot, digest: name };
}

function slotFact(ballot: Ballot, slot: number, name: string): Fact {
  return { key: null, slot, ballot, digest: name };
}

/** What an actor shows: votes on its disk, what it takes for chosen. */
export function factsOfActor(role: RoleName, id: string, actor: Actor): Facts {
  if (role === "acceptor") {
    const { data } = actor.snapshot.context as { data: { chosenWatermark: number } };
    return { ...NO_FACTS, votes: durableVotes(actor.disk), watermark: data.chosenWatermark };
  }
  if (role === "proposer") {
    const { data } = actor.snapshot.context as { data: ProposerState };
    return { ...NO_FACTS, learned: learnedSlots(id, data), watermark: data.chosenWatermark };
  }
  return { ...NO_FACTS, learned: learnedKeys(role, id, actor.snapshot) };
}

function durableVotes(disk: Actor["disk"]): Fact[] {
  return recordsOf(disk).flatMap((record): Fact[] => {
    if (record.kind === "vote") return [slotFact(record.ballot, record.slot, record.digest)];
    if (record.kind !== "key" || record.vote === null) return [];
    return [keyFact({ key: record.key, ...record.vote })];
  });
}

/** Slots that a leader takes for chosen, above its watermark. */
function learnedSlots(by: string, { ballot, open }: ProposerState): LearnedValue[] {
  return [...open].flatMap(([slot, { chosen, digest: name }]) =>
    chosen && ballot !== null ? [{ ...slotFact(ballot, slot, name), by }] : [],
  );
}

function learnedKeys(role: RoleName, by: string, snapshot: RoleSnapshot): LearnedValue[] {
  if (role === "learner") {
    const { data } = snapshot.context as {
      data: { keys: { decided: ReadonlyMap<string, BallotValue> } };
    };
    return [...data.keys.decided].map(([key, held]) => ({ ...keyFact({ key, ...held }), by }));
  }
  const { key, chosen } = snapshot.context as {
    key: string;
    chosen: { ballot: Ballot; value: Uint8Array } | null;
  };
  if (chosen === null) return [];
  return [{ key, slot: 0, ballot: chosen.ballot, digest: digest(chosen.value), by }];
}

/** A look at an acceptor's disk, of the key or of the log. */
export function lookAt(acceptor: string, key: string | null, disk: Actor["disk"]): AcceptorLook {
  let promised: Ballot | null = null;
  for (const record of recordsOf(disk)) {
    if (record.kind === "promise" && key === null) promised = record.ballot;
    if (record.kind === "key" && record.key === key) promised = record.promised;
  }
  return { acceptor, key, promised, votesFrom: 0, votes: durableVotes(disk) };
}

/** Joins facts, each of them once. */
export function join(all: readonly Facts[]): Facts {
  return {
    votes: distinct(all.flatMap(({ votes }) => votes)),
    proposals: distinct(all.flatMap(({ proposals }) => proposals)),
    learned: distinct(all.flatMap(({ learned }) => learned)),
    watermark: Math.max(0, ...all.map(({ watermark }) => watermark)),
  };
}

function distinct<T>(facts: readonly T[]): T[] {
  return [...new Map(facts.map((fact) => [textOf(fact), fact])).values()];
}

/**
 * Puts together what is known of a state.
 *
 * @param acceptors facts of each acceptor, by its name
 * @param others facts of proposers, learners and what they sent
 */
export function evidenceOf(
  world: World,
  acceptors: ReadonlyMap<string, Facts>,
  others: Facts,
): Evidence {
  const { key, cluster } = world;
  const { proposals } = others;
  const wishes = [...world.wishes.keys()].map((wish) => ({ key, digest: wish }));
  if (key === null) wishes.push({ key, digest: digest(NOOP) });
  return {
    quorums: cluster.quorums,
    acceptors: [...acceptors.keys()],
    wishes,
    proposals: proposals.map((proposal) => ({ ...proposal, reports: null })),
    requests: [],
    votes: [...acceptors].flatMap(([acceptor, { votes }]) =>
      votes.map((vote) => ({ ...vote, acceptor })),
    ),
    looks: [],
    learned: others.learned,
  };
}
