/**
 * The ledger of one run: what is durable, proposed and chosen, as one knows it who sees every disk
 * and every message. It judges each fact when it is entered, by the invariants of the paper.
 *
 * Cost: O(votes of the instance) a fact, so that it can be asked at every step. The predicates that
 * need more than one instance at a time are in `src/paxos/proof/invariants.ts`.
 */
import { type Ballot, formatBallot, isLower } from "../../paxos/ballot.js";
import { acceptorIds, type Cluster } from "../../paxos/cluster.js";
import {
  type BallotValue,
  type CastVote,
  type Evidence,
  type Instance,
  instanceId,
  nameInstance,
  showVote,
} from "../../paxos/proof/evidence.js";
import { p2c } from "../../paxos/proof/invariants.js";
import { isPhase2Quorum } from "../../paxos/quorum.js";

/** A broken invariant: its name, and a sentence with the facts that show it. */
export interface Violation {
  readonly invariant: string;
  readonly sentence: string;
}

interface Tally extends BallotValue {
  readonly voters: Set<string>;
}

/** What is known of one instance. */
interface Page {
  readonly instance: Instance;
  /** Durable votes, in order of time. */
  readonly votes: CastVote[];
  readonly tallies: Map<string, Tally>;
  /** Digest of what was proposed, by ballot. */
  readonly issued: Map<string, string>;
  /** At the lowest ballot that is known. */
  chosen: BallotValue | null;
}

/** Collects facts; keeps the first violation. */
export class Ledger {
  readonly cluster: Cluster;
  violation: Violation | null = null;
  /** Every slot below is chosen. */
  chosenPrefix = 0;
  /** Instances that have a chosen value. */
  chosenCount = 0;
  readonly #acceptors: readonly string[];
  readonly #pages = new Map<string, Page>();
  /** Who uses a ballot: one memory of a role in one life of a process. */
  readonly #owners = new Map<string, string>();

  constructor(cluster: Cluster) {
    this.cluster = cluster;
    this.#acceptors = acceptorIds(cluster);
  }

  /** Notes that an invariant is broken; only the first is kept, which says most. */
  break(invariant: string, sentence: string): void {
    this.violation ??= { invariant, sentence };
  }

  /** What is chosen in an instance; null if nothing is. */
  chosen(instance: Instance): BallotValue | null {
    return this.#pages.get(instanceId(instance))?.chosen ?? null;
  }

  /** Who has a durable vote for a value in an instance, at any ballot. */
  votersFor(instance: Instance, digest: string): ReadonlySet<string> {
    const voters = new Set<string>();
    for (const vote of this.#pages.get(instanceId(instance))?.votes ?? []) {
      if (vote.digest === digest) voters.add(vote.acceptor);
    }
    return voters;
  }

  /** A ballot is begun: "different proposals have different numbers" (PMS §2.2). */
  begun(instance: string, ballot: Ballot, by: string): void {
    const id = `${instance} ${formatBallot(ballot)}`;
    const owner = this.#owners.get(id);
    if (owner === undefined) this.#owners.set(id, by);
    else if (owner !== by) {
      this.break("noBallotTwice", `ballot ${id} was begun by ${owner}, and again by ${by}`);
    }
  }

  /**
   * A proposal leaves its proposer.
   *
   * @returns whether it is the first of this ballot, and then, whether its value is an old one's
   */
  issued(instance: Instance, proposal: BallotValue, by: string): "repeat" | "new" | "again" {
    const page = this.#page(instance);
    const ballot = formatBallot(proposal.ballot);
    const before = page.issued.get(ballot);
    if (before === proposal.digest) return "repeat";
    const isOld = [...page.issued.values()].includes(proposal.digest);
    const where = nameInstance(instance);
    if (before !== undefined) {
      const two = `${before} and ${proposal.digest}`;
      this.break("oneValuePerBallot", `${by} proposed ${two} in ${where} at ballot ${ballot}`);
    }
    page.issued.set(ballot, proposal.digest);
    const { chosen } = page;
    if (chosen !== null && chosen.digest !== proposal.digest) {
      if (isLower(chosen.ballot, proposal.ballot)) {
        const what = `${showVote(chosen)} is chosen in ${where}`;
        this.break("P2b", `${what}, but ${by} proposed ${showVote(proposal)}`);
      }
    }
    const sentence = p2c(this.#evidence(page, instance, proposal));
    if (sentence !== null) this.break("P2c", `${by}: ${sentence}`);
    return isOld ? "again" : "new";
  }

  /** A vote is durable. */
  voted(vote: CastVote): void {
    const page = this.#page(vote);
    const ballot = formatBallot(vote.ballot);
    const id = `${ballot} ${vote.digest}`;
    let tally = page.tallies.get(id);
    if (tally?.voters.has(vote.acceptor) === true) return;
    page.votes.push(vote);
    const where = nameInstance(vote);
    const issued = page.issued.get(ballot);
    if (issued !== vote.digest) {
      const what = `${vote.acceptor} voted ${showVote(vote)} in ${where}`;
      this.break("votesWereProposed", `${what}, but proposed was ${issued ?? "nothing"}`);
    }
    const { chosen } = page;
    if (chosen !== null && chosen.digest !== vote.digest && isLower(chosen.ballot, vote.ballot)) {
      const what = `${showVote(chosen)} is chosen in ${where}`;
      this.break("P2a", `${what}, but ${vote.acceptor} accepted ${showVote(vote)}`);
    }
    if (tally === undefined) {
      tally = { ballot: vote.ballot, digest: vote.digest, voters: new Set() };
      page.tallies.set(id, tally);
    }
    tally.voters.add(vote.acceptor);
    if (isPhase2Quorum(this.cluster.quorums, this.#acceptors, tally.voters)) {
      this.#choose(page, tally);
    }
  }

  /** Somebody takes a value for chosen. "Never learns … unless it actually has been." (PMS §2.1) */
  learned(instance: Instance, digest: string, by: string): void {
    const chosen = this.chosen(instance);
    if (chosen?.digest === digest) return;
    const what = chosen === null ? "nothing is chosen" : `${showVote(chosen)} is`;
    this.break(
      "learnedIsChosen",
      `${by} takes ${digest} for chosen in ${nameInstance(instance)}; ${what}`,
    );
  }

  /** Somebody says that every slot below is chosen. */
  claimed(watermark: number, by: string): void {
    if (watermark <= this.chosenPrefix) return;
    const what = `${by} says that every slot below ${watermark} is chosen`;
    this.break("learnedIsChosen", `${what}; slot ${this.chosenPrefix} is not`);
  }

  /** Slots are proposed up to `slot`: at most `windowMax` above what is chosen (Lamport's α). */
  opened(slot: number, by: string): void {
    const bound = this.chosenPrefix + this.cluster.limits.windowMax;
    if (slot < bound) return;
    this.break("window", `${by} proposes slot ${slot}, at or above ${bound}`);
  }

  #choose(page: Page, tally: Tally): void {
    const { chosen, instance } = page;
    if (chosen === null) {
      this.chosenCount++;
      page.chosen = { ballot: tally.ballot, digest: tally.digest };
    } else {
      if (chosen.digest !== tally.digest) {
        const two = `${showVote(chosen)} and ${showVote(tally)} are both chosen`;
        this.break("agreement", `in ${nameInstance(instance)} ${two}`);
      }
      if (isLower(tally.ballot, chosen.ballot)) page.chosen = tally;
    }
    while (this.#pages.get(instanceId({ key: null, slot: this.chosenPrefix }))?.chosen != null) {
      this.chosenPrefix++;
    }
  }

  #page(instance: Instance): Page {
    const id = instanceId(instance);
    let page = this.#pages.get(id);
    if (page === undefined) {
      const { key, slot } = instance;
      page = {
        instance: { key, slot },
        votes: [],
        tallies: new Map(),
        issued: new Map(),
        chosen: null,
      };
      this.#pages.set(id, page);
    }
    return page;
  }

  #evidence(page: Page, instance: Instance, proposal: BallotValue): Evidence {
    return {
      quorums: this.cluster.quorums,
      acceptors: this.#acceptors,
      wishes: [],
      proposals: [{ ...instance, ...proposal, reports: null }],
      requests: [],
      votes: page.votes,
      looks: [],
      learned: [],
    };
  }
}
