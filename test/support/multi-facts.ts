/**
 * What is known of a run of the log, slot by slot, and the invariants asked of it after each step.
 *
 * Why slot by slot: an invariant of an instance looks at the facts of that instance alone, so after
 * a step only the slots it touched are judged again.
 */
import { type Ballot, formatBallot } from "../../src/paxos/ballot.js";
import { acceptorIds, type Cluster } from "../../src/paxos/cluster.js";
import { digest } from "../../src/paxos/digest.js";
import {
  type AcceptorLook,
  type BallotValue,
  type CastVote,
  chosenProposals,
  type Evidence,
  type IssuedProposal,
  type JudgedRequest,
  type LearnedValue,
  proposalId,
  type Wish,
} from "../../src/paxos/proof/evidence.js";
import { firstViolation } from "../../src/paxos/proof/invariants.js";
import { NOOP } from "../../src/paxos/value.js";

interface SlotFacts {
  readonly proposals: IssuedProposal[];
  readonly votes: CastVote[];
  readonly learned: LearnedValue[];
  /** Ballots at which somebody says that it was chosen. */
  readonly announced: Map<string, Ballot>;
}

/** Somebody's word that every slot below is chosen. */
interface Claim {
  readonly who: string;
  readonly below: number;
}

/** The facts of a run. */
export class Facts {
  readonly requests: JudgedRequest[] = [];
  readonly wishes: Wish[] = [{ key: null, digest: digest(NOOP) }];
  readonly slots = new Map<number, SlotFacts>();
  readonly #cluster: Cluster;
  readonly #dirty = new Set<number>();
  readonly #seen = new Set<string>();
  #looks: AcceptorLook[] = [];
  #claims: Claim[] = [];
  /** What the claims say is chosen, looked up once. */
  #chosenBelow = 0;
  /** Violations of a rule that is no invariant of the paper. */
  readonly broken: string[] = [];

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  #at(slot: number): SlotFacts {
    this.#dirty.add(slot);
    let facts = this.slots.get(slot);
    if (facts === undefined) {
      facts = { proposals: [], votes: [], learned: [], announced: new Map() };
      this.slots.set(slot, facts);
    }
    return facts;
  }

  /** Notes a fact once, however often it is repeated. */
  #isNews(...words: readonly string[]): boolean {
    const id = words.join(" ");
    if (this.#seen.has(id)) return false;
    this.#seen.add(id);
    return true;
  }

  propose(fact: IssuedProposal): void {
    if (this.#isNews("proposal", proposalId(fact))) this.#at(fact.slot).proposals.push(fact);
  }

  vote(fact: CastVote): void {
    if (this.#isNews(fact.acceptor, proposalId(fact))) this.#at(fact.slot).votes.push(fact);
  }

  look(fact: AcceptorLook): void {
    this.#looks.push(fact);
  }

  announce(slot: number, ballot: Ballot): void {
    this.#at(slot).announced.set(formatBallot(ballot), ballot);
  }

  claim(who: string, below: number): void {
    if (below > this.#chosenBelow) this.#claims.push({ who, below });
  }

  /**
   * Notes what a learner takes. A value learned from reports is chosen, perhaps at a lower
   * ballot.
   */
  learn(by: string, slot: number, value: BallotValue): void {
    const chosen = this.chosen(slot).find((one) => one.digest === value.digest);
    const { ballot } = chosen ?? value;
    if (!this.#isNews(by, `${slot}`, value.digest)) return;
    this.#at(slot).learned.push({ by, key: null, slot, ballot, digest: value.digest });
  }

  /** The proposals that are chosen in a slot. */
  chosen(slot: number) {
    const facts = this.slots.get(slot);
    return facts === undefined ? [] : chosenProposals(this.#evidence([facts]));
  }

  #evidence(slots: Iterable<SlotFacts>): Evidence {
    const all = [...slots];
    return {
      quorums: this.#cluster.quorums,
      acceptors: acceptorIds(this.#cluster),
      wishes: this.wishes,
      proposals: all.flatMap(({ proposals }) => proposals),
      requests: this.requests,
      votes: all.flatMap(({ votes }) => votes),
      looks: this.#looks,
      learned: all.flatMap(({ learned }) => learned),
    };
  }

  /** Judges what came since it was asked last. */
  violation(): string | null {
    const touched = [...this.#dirty].flatMap((slot) => this.slots.get(slot) ?? []);
    const broken =
      firstViolation(this.#evidence(touched)) ?? this.#unfounded() ?? this.broken[0] ?? null;
    this.#dirty.clear();
    const last = new Map(this.#looks.map((look) => [look.acceptor, look]));
    this.#looks = [...last.values()];
    return broken;
  }

  /** Judges the whole run. */
  finalViolation(): string | null {
    return firstViolation(this.#evidence(this.slots.values()));
  }

  /** Looks for an announcement or a watermark of something that is not chosen. */
  #unfounded(): string | null {
    for (const slot of this.#dirty) {
      const at = new Set(this.chosen(slot).map(({ ballot }) => formatBallot(ballot)));
      for (const ballot of this.slots.get(slot)?.announced.keys() ?? []) {
        if (!at.has(ballot)) return `announced: slot ${slot} is not chosen at ballot ${ballot}`;
      }
    }
    for (const { who, below } of this.#claims) {
      for (; this.#chosenBelow < below; this.#chosenBelow++) {
        if (this.chosen(this.#chosenBelow).length > 0) continue;
        return `watermark: ${who} says ${below}, but slot ${this.#chosenBelow} is not chosen`;
      }
    }
    this.#claims = [];
    return null;
  }
}
