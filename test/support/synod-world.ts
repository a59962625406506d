/**
 * A small single-decree world: a few proposers and acceptors, one key, a network that does what a
 * schedule says. Every fact goes into evidence for the invariants.
 *
 * Not the simulator: no clock, no machines, no host. It runs the bare rules, so that a test can
 * take one out and put a broken one in.
 */

import { ballotOwner } from "../../src/paxos/ballot.js";
import { acceptorIds, type Cluster } from "../../src/paxos/cluster.js";
import * as acceptor from "../../src/paxos/consensus/acceptor.js";
import { digest } from "../../src/paxos/digest.js";
import { DEFAULT_LIMITS, type Limits } from "../../src/paxos/limits.js";
import type { Evidence, PromiseReport } from "../../src/paxos/proof/evidence.js";
import type { QuorumSystem } from "../../src/paxos/quorum.js";
import * as synod from "../../src/paxos/single/synod.js";
import type {
  KeyAccept,
  KeyAccepted,
  KeyNack,
  KeyPrepare,
  KeyPromise,
} from "../../src/paxos/wire/messages.js";
import { NaiveDisk } from "./naive.js";

/** The one key that is decided. */
export const KEY = "k";

/** The rules that a world runs by; a negative control replaces one. */
export const RULES = {
  judgeKey: acceptor.judgeKey,
  promiseKey: acceptor.promiseKey,
  voteForKey: acceptor.voteForKey,
  recoverAcceptor: acceptor.recoverAcceptor,
  countVote: synod.countVote,
  pickValue: synod.pickValue,
  promisesFormQuorum: synod.promisesFormQuorum,
  votesFormQuorum: synod.votesFormQuorum,
  /** What a start of a proposer adds to its name. */
  nonce: (starts: number): string => starts.toString(16).padStart(16, "0"),
};

/** The rules of {@link RULES}. */
export type Rules = typeof RULES;

type Request = KeyPrepare | KeyAccept;
type Answer = KeyPromise | KeyAccepted | KeyNack;
type Letter =
  | { readonly to: string; readonly from: string; readonly request: Request }
  | { readonly to: string; readonly from: string; readonly answer: Answer };

/** What may happen next; `pick` chooses among what there is. */
export type Step =
  | { readonly kind: "deliver" | "lose" | "repeat"; readonly pick: number }
  | { readonly kind: "crashAcceptor" | "crashProposer" | "begin"; readonly pick: number };

/** A cluster of acceptors `a0`, `a1`, … with the default limits. */
export function makeCluster(
  acceptors: number,
  quorums: QuorumSystem = { kind: "majority" },
  limits: Partial<Limits> = {},
): Cluster {
  const member = (prefix: string, index: number) => ({
    id: `${prefix}${index}`,
    storeId: `${index}`.padStart(32, prefix === "a" ? "a" : "b"),
  });
  return {
    name: "test",
    clusterId: "0".repeat(32),
    epoch: 1,
    acceptors: Array.from({ length: acceptors }, (_, index) => member("a", index)),
    proposers: [],
    quorums,
    learn: { kind: "leader" },
    limits: { ...DEFAULT_LIMITS, ...limits },
  };
}

/** An acceptor: a disk, and a memory that a crash loses. */
class WorldAcceptor {
  readonly disk = new NaiveDisk();
  state = new acceptor.AcceptorState();
}

/** A proposer without a disk: a start gives it a new name for its ballots. */
class WorldProposer {
  attempt: synod.SynodAttempt | null = null;
  highestRound = 0;
  starts = 0;
  learned: string | null = null;
  wish: Uint8Array | null;
  readonly id: string;

  constructor(id: string, wish: Uint8Array | null) {
    this.id = id;
    this.wish = wish;
  }
}

/** The evidence of a run, growing. */
type Growing = {
  -readonly [K in keyof Evidence]: Evidence[K] extends readonly (infer F)[] ? F[] : Evidence[K];
};

/** A running world. */
export class SynodWorld {
  readonly cluster: Cluster;
  readonly evidence: Growing;
  readonly network: Letter[] = [];
  readonly acceptors = new Map<string, WorldAcceptor>();
  readonly proposers: readonly WorldProposer[];
  readonly #rules: Rules;

  /** @param wishes one a proposer; null only asks */
  constructor(cluster: Cluster, wishes: readonly (string | null)[], rules: Partial<Rules> = {}) {
    this.cluster = cluster;
    this.#rules = { ...RULES, ...rules };
    const bytes = wishes.map((wish) => (wish === null ? null : new TextEncoder().encode(wish)));
    this.proposers = bytes.map((wish, index) => new WorldProposer(`p${index}`, wish));
    for (const id of acceptorIds(cluster)) this.acceptors.set(id, new WorldAcceptor());
    this.evidence = {
      quorums: cluster.quorums,
      acceptors: [...acceptorIds(cluster)],
      wishes: bytes.flatMap((wish) => (wish === null ? [] : [{ key: KEY, digest: digest(wish) }])),
      proposals: [],
      requests: [],
      votes: [],
      looks: [],
      learned: [],
    };
  }

  /** Does one step; one that finds nothing to act on changes nothing. */
  step(step: Step): void {
    const { kind, pick } = step;
    if (kind === "begin") this.begin(pick % this.proposers.length);
    else if (kind === "crashProposer") this.crashProposer(pick % this.proposers.length);
    else if (kind === "crashAcceptor") {
      this.crashAcceptor(acceptorIds(this.cluster)[pick % this.acceptors.size] as string);
    } else if (this.network.length > 0) {
      const at = pick % this.network.length;
      const letter = this.network[at] as Letter;
      if (kind !== "repeat") this.network.splice(at, 1);
      if (kind !== "lose") this.#deliver(letter);
    }
  }

  /** A proposer begins its next ballot, whatever became of the last. */
  begin(index: number): void {
    const proposer = this.proposers[index] as WorldProposer;
    const owner = ballotOwner(proposer.id, this.#rules.nonce(proposer.starts));
    proposer.attempt = synod.beginAttempt(owner, proposer.highestRound, new Set());
    const { ballot } = proposer.attempt;
    proposer.highestRound = ballot.round;
    this.#toAll(proposer, { type: "key-prepare", key: KEY, ballot });
  }

  /** An acceptor loses its memory and reads its disk. */
  crashAcceptor(id: string): void {
    const one = this.acceptors.get(id) as WorldAcceptor;
    one.state = this.#rules.recoverAcceptor(one.disk.records(), 0, DEFAULT_LIMITS);
    this.#look(id);
  }

  /** A proposer loses everything, its client too; the next client wishes for something else. */
  crashProposer(index: number): void {
    const proposer = this.proposers[index] as WorldProposer;
    proposer.attempt = null;
    proposer.highestRound = 0;
    proposer.starts++;
    if (proposer.wish === null) return;
    proposer.wish = Uint8Array.of(...proposer.wish, proposer.starts);
    this.evidence.wishes.push({ key: KEY, digest: digest(proposer.wish) });
  }

  /** Delivers everything in order, with one distinguished proposer, until it has learned. */
  heal(index: number, ballotsMax: number): string | null {
    const proposer = this.proposers[index] as WorldProposer;
    for (let ballots = 0; ballots < ballotsMax && proposer.learned === null; ballots++) {
      this.begin(index);
      this.drain();
    }
    return proposer.learned;
  }

  /**
   * Delivers the requests under way to these acceptors, and their answers; the rest is lost. So one
   * call is one phase of one proposer, with whom it reaches.
   */
  phase(...among: readonly string[]): void {
    const requests = this.network.splice(0).filter(({ to }) => among.includes(to));
    for (const letter of requests) this.#deliver(letter);
    for (const letter of this.network.splice(0)) this.#deliver(letter);
  }

  /** Delivers everything that is under way, and what comes of it, in order. */
  drain(): void {
    for (let letter = this.network.shift(); letter; letter = this.network.shift()) {
      this.#deliver(letter);
    }
  }

  #toAll(proposer: WorldProposer, request: Request): void {
    for (const to of this.acceptors.keys()) this.network.push({ to, from: proposer.id, request });
  }

  #deliver(letter: Letter): void {
    if ("request" in letter) {
      this.#judge(letter.to, letter.from, letter.request);
      return;
    }
    const proposer = this.proposers.find(({ id }) => id === letter.to);
    if (proposer?.attempt == null) return;
    this.#hear(proposer, proposer.attempt, letter.from, letter.answer);
  }

  #judge(id: string, from: string, request: Request): void {
    const { state } = this.acceptors.get(id) as WorldAcceptor;
    const refusal = this.#rules.judgeKey(state, request, this.cluster.limits);
    const asked = request.type === "key-prepare" ? ("prepare" as const) : ("accept" as const);
    const fact = { acceptor: id, key: KEY, request: asked, ballot: request.ballot };
    if (refusal !== null) {
      const answer = acceptor.nackKey(state, request, refusal);
      this.evidence.requests.push({ ...fact, answer: refusal === "stale" ? refusal : "ignored" });
      this.network.push({ to: from, from: id, answer });
      return;
    }
    this.evidence.requests.push({ ...fact, answer: "yes" });
    if (request.type === "key-prepare") {
      const { records, answers } = this.#rules.promiseKey(state, request);
      this.acceptors.get(id)?.disk.keep(records);
      for (const answer of answers) this.network.push({ to: from, from: id, answer });
    } else {
      this.acceptors.get(id)?.disk.keep(this.#rules.voteForKey(state, request));
      const { ballot, digest } = request;
      this.evidence.votes.push({ acceptor: id, key: KEY, slot: 0, ballot, digest });
      const answer = { type: "key-accepted", key: KEY, ballot, digest } as const;
      this.network.push({ to: from, from: id, answer });
    }
    this.#look(id);
  }

  #look(id: string): void {
    const held = this.acceptors.get(id)?.state.keys.get(KEY);
    const vote = held?.vote ?? null;
    const votes = vote === null ? [] : [{ slot: 0, ballot: vote.ballot, digest: vote.digest }];
    const promised = held?.promised ?? null;
    this.evidence.looks.push({ acceptor: id, key: KEY, promised, votesFrom: 0, votes });
  }

  #hear(proposer: WorldProposer, attempt: synod.SynodAttempt, from: string, answer: Answer): void {
    const rules = this.#rules;
    if (answer.type === "key-nack") {
      if (!synod.isPreempted(attempt, answer)) return;
      proposer.highestRound = Math.max(proposer.highestRound, answer.promised?.round ?? 0);
      proposer.attempt = null;
    } else if (answer.type === "key-accepted") {
      proposer.attempt = rules.countVote(attempt, from, answer);
      const { proposed } = proposer.attempt;
      if (proposed === null || !rules.votesFormQuorum(proposer.attempt, this.cluster)) return;
      this.#learn(proposer, proposed);
    } else if (attempt.proposed === null) {
      proposer.attempt = synod.countPromise(attempt, from, answer);
      if (rules.promisesFormQuorum(proposer.attempt, this.cluster)) {
        this.#propose(proposer, proposer.attempt);
      }
    }
  }

  #propose(proposer: WorldProposer, attempt: synod.SynodAttempt): void {
    const known = synod.alreadyChosen(attempt, this.cluster);
    if (known !== null) {
      this.#learn(proposer, known.vote);
      return;
    }
    const proposed = this.#rules.pickValue(attempt, proposer.wish, this.cluster);
    if (proposed === null) return;
    proposer.attempt = { ...attempt, proposed };
    const { ballot, digest } = proposed;
    const reports: PromiseReport[] = [...attempt.promises].map(([id, vote]) => ({
      acceptor: id,
      vote: vote === null ? null : { ballot: vote.ballot, digest: vote.digest },
    }));
    this.evidence.proposals.push({ key: KEY, slot: 0, ballot, digest, reports });
    this.#toAll(proposer, { type: "key-accept", key: KEY, ...proposed });
  }

  #learn(proposer: WorldProposer, vote: { ballot: KeyAccept["ballot"]; digest: string }): void {
    proposer.learned = vote.digest;
    const { ballot, digest } = vote;
    this.evidence.learned.push({ key: KEY, slot: 0, ballot, digest, by: proposer.id });
  }
}
