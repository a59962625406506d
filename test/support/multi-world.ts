/**
 * A small world of the log: proposers, acceptors, two learners, and a network that does what a
 * schedule says. Every fact goes to {@link Facts}.
 *
 * Not the simulator: no machines and no host, and a clock that only counts steps. It runs the bare
 * rules as the charts in `actors/` do, so that a test can put a broken one in.
 */
import { ballotOwner, formatBallot } from "../../src/paxos/ballot.js";
import { acceptorIds, type Cluster } from "../../src/paxos/cluster.js";
import * as proposer from "../../src/paxos/consensus/proposer.js";
import { enqueue } from "../../src/paxos/consensus/queue.js";
import { digest } from "../../src/paxos/digest.js";
import type { Accept, Accepted, Chosen, Prepare } from "../../src/paxos/wire/messages.js";
import { WorldAcceptor } from "./multi-acceptor.js";
import { Facts } from "./multi-facts.js";
import { WorldLearner } from "./multi-learner.js";
import {
  COUNTED,
  type Hearing,
  LOG_RULES,
  type LogMessage,
  type LogRules,
  type Surroundings,
} from "./multi-rules.js";

interface Letter {
  readonly to: string;
  readonly from: string;
  readonly incarnation: number;
  readonly writeNumber: number;
  readonly message: LogMessage;
}

/**
 * What may happen next; `pick` chooses among what there is. `write` delivers without a sync,
 * `burst` so many in order, `loseAll` loses every copy of a broadcast.
 */
export interface LogStep {
  readonly kind:
    | "deliver"
    | "write"
    | "burst"
    | "lose"
    | "loseAll"
    | "repeat"
    | "begin"
    | "propose"
    | "tick"
    | "repair"
    | "crashAcceptor"
    | "crashProposer"
    | "crashLearner";
  readonly pick: number;
}

class WorldProposer {
  state = new proposer.ProposerState();
  phase: "standby" | "preparing" | "leading" = "standby";
  starts = 0;
  /** The promises that the ballot rests on. */
  promises: proposer.ProposerState["promises"] = new Map();
}

/** A running world of the log. */
export class MultiWorld implements Surroundings {
  readonly cluster: Cluster;
  readonly facts: Facts;
  readonly network: Letter[] = [];
  readonly acceptors = new Map<string, WorldAcceptor>();
  readonly proposers = new Map<string, WorldProposer>();
  readonly learners = new Map<string, WorldLearner>();
  readonly counted = { ...COUNTED };
  readonly rules: LogRules;
  readonly hearing: Hearing;
  #nowMs = 0;
  #commands = 0;

  constructor(
    cluster: Cluster,
    proposers: number,
    hearing: Hearing,
    rules: Partial<LogRules> = {},
  ) {
    this.cluster = {
      ...cluster,
      learn: { kind: hearing === "tallies" ? "all" : "leader" },
    };
    this.facts = new Facts(this.cluster);
    this.rules = { ...LOG_RULES, ...rules };
    this.hearing = hearing;
    for (const id of acceptorIds(cluster)) this.acceptors.set(id, new WorldAcceptor(id, this));
    for (let n = 0; n < proposers; n++) this.proposers.set(`p${n}`, new WorldProposer());
    for (const id of ["l0", "l1"]) this.learners.set(id, new WorldLearner(id, this));
  }

  /** Does one step; one that finds nothing to act on changes nothing. */
  step({ kind, pick }: LogStep): void {
    this.#nowMs += this.cluster.limits.retryDelayMs;
    const one = (ids: Iterable<string>) => [...ids].at(pick % [...ids].length) as string;
    if (kind === "begin") this.begin(one(this.proposers.keys()));
    else if (kind === "propose") this.propose(one(this.#leaders()));
    else if (kind === "tick") this.tick(one(this.proposers.keys()));
    else if (kind === "repair") this.repair(one(this.learners.keys()));
    else if (kind === "crashAcceptor") this.crashAcceptor(one(this.acceptors.keys()));
    else if (kind === "crashProposer") this.crashProposer(one(this.proposers.keys()));
    else if (kind === "crashLearner") this.crashLearner(one(this.learners.keys()));
    else if (this.network.length > 0) this.#move(kind, pick);
    this.#watch();
  }

  /** Who leads, as they see it; everybody if nobody does. */
  #leaders(): string[] {
    const all = [...this.proposers.keys()];
    const leading = all.filter((id) => this.#proposer(id).phase === "leading");
    return leading.length > 0 ? leading : all;
  }

  #move(kind: LogStep["kind"], pick: number): void {
    if (kind === "burst") {
      for (const letter of this.network.splice(0, pick)) this.deliver(letter);
      return;
    }
    const at = pick % this.network.length;
    const letter = this.network[at] as Letter;
    if (kind === "loseAll") this.#lose(({ message }) => message === letter.message);
    else if (kind === "lose") this.#lose((one) => one === letter);
    else {
      if (kind !== "repeat") this.network.splice(at, 1);
      this.deliver(letter, kind !== "write");
    }
  }

  #lose(which: (letter: Letter) => boolean): void {
    const lost = this.network.filter(which);
    for (const { message } of lost) {
      if (message.type === "promise" && message.parts > 1) this.counted.partsLost++;
    }
    this.network.splice(0, Number.POSITIVE_INFINITY, ...this.network.filter((one) => !which(one)));
  }

  // --- who begins --------------------------------------------------------------------------------

  /** A proposer begins its next ballot, whatever became of the last. */
  begin(id: string): void {
    const one = this.#proposer(id);
    proposer.beginBallot(one.state, ballotOwner(id, this.rules.nonce(one.starts)));
    one.phase = "preparing";
    this.#prepare(id);
  }

  #prepare(id: string): void {
    const { ballot, fromSlot } = this.#proposer(id).state;
    if (ballot !== null) this.#toAcceptors(id, { type: "prepare", ballot, fromSlot });
  }

  /** A gateway brings two commands; one who does not lead turns them away. */
  propose(id: string): void {
    const one = this.#proposer(id);
    if (one.phase !== "leading" || !proposer.adoptionIsDone(one.state)) return;
    const commands = [0, 1].map(() => new TextEncoder().encode(`c${this.#commands++}`));
    enqueue(one.state, commands, this.cluster.limits);
    this.#fill(id);
  }

  /** The leader's clock: late accepts go again, and a beacon tells the tail. */
  tick(id: string): void {
    const one = this.#proposer(id);
    if (one.phase === "preparing") this.#prepare(id);
    if (one.phase !== "leading") return;
    if (proposer.adoptionIsDone(one.state)) this.#fill(id);
    this.#send(id, proposer.takeLateAccepts(one.state, this.cluster, this.#nowMs));
    const { ballot, nextSlot, chosenWatermark } = one.state;
    if (ballot === null) return;
    const rest = { creditBytes: 0, payloadBytesMax: null, gateway: null };
    const said = { type: "beacon" as const, ballot, nextSlot, chosenWatermark, ...rest };
    const others = [...this.learners.keys(), ...this.proposers.keys()].filter((to) => to !== id);
    for (const to of others) this.post(to, id, said);
  }

  /** A learner asks for what it misses: acceptors and learners in turn. */
  repair(id: string): void {
    const wanted = this.learners.get(id)?.repair() ?? null;
    if (wanted === null) return;
    for (const to of this[wanted.asked].keys()) if (to !== id) this.post(to, id, wanted.message);
  }

  // --- who dies ----------------------------------------------------------------------------------

  /** An acceptor loses its memory and what it had not synced. */
  crashAcceptor(id: string): void {
    this.acceptors.get(id)?.crash();
    this.counted.crashes++;
  }

  /** A proposer loses everything; its next life has another name for its ballots. */
  crashProposer(id: string): void {
    const one = new WorldProposer();
    one.starts = this.#proposer(id).starts + 1;
    this.proposers.set(id, one);
    this.counted.crashes++;
  }

  /** A learner begins again from slot 0. */
  crashLearner(id: string): void {
    this.learners.set(id, new WorldLearner(id, this));
    this.counted.crashes++;
  }

  // --- the network -------------------------------------------------------------------------------

  #proposer(id: string): WorldProposer {
    return this.proposers.get(id) as WorldProposer;
  }

  post(to: string, from: string, message: LogMessage): void {
    const { incarnation = 0, writeNumber = 0 } = this.acceptors.get(from) ?? {};
    this.network.push({ to, from, incarnation, writeNumber, message });
  }

  #toAcceptors(from: string, message: Prepare | Accept): void {
    for (const to of this.acceptors.keys()) this.post(to, from, message);
    if (message.type === "accept") this.toLearners(from, message);
  }

  toLearners(from: string, message: Accept | Accepted | Chosen): void {
    if (this.hearing === "repair") return;
    for (const to of this.learners.keys()) this.post(to, from, message);
  }

  /** Delivers everything that is under way, and what comes of it, in order. */
  drain(): void {
    for (let letter = this.network.shift(); letter; letter = this.network.shift()) {
      this.deliver(letter);
    }
    this.#watch();
  }

  /** Delivers what is under way to these, and their answers; the rest is lost. */
  phase(...among: readonly string[]): void {
    const requests = this.network.splice(0).filter(({ to }) => among.includes(to));
    for (const letter of requests) this.deliver(letter);
    for (const letter of this.network.splice(0)) this.deliver(letter);
    this.#watch();
  }

  /** Delivers a letter; an acceptor syncs, unless told not to. */
  deliver({ to, from, incarnation, writeNumber, message }: Letter, sync = true): void {
    const acceptor = this.acceptors.get(to);
    acceptor?.ask(from, message);
    if (sync) acceptor?.sync();
    const applied = this.learners.get(to)?.hear(from, message, { incarnation, writeNumber }) ?? 0;
    this.counted.applied += applied;
    if (message.type === "votes" || message.type === "entries") this.counted.repaired += applied;
    if (this.proposers.has(to)) this.#answer(to, from, incarnation, message);
  }

  // --- proposers ---------------------------------------------------------------------------------

  #answer(id: string, from: string, incarnation: number, message: LogMessage): void {
    const one = this.#proposer(id);
    const { state } = one;
    if (message.type === "promise" && one.phase === "preparing") {
      this.rules.addPromisePart(state, from, incarnation, message);
      if (this.rules.promisesSuffice(state, this.cluster)) this.#adopt(id);
    } else if (message.type === "accepted" && one.phase === "leading") {
      this.rules.countVotes(state, from, message, this.cluster, 0);
      this.#fill(id);
      this.#announce(id);
    } else if (message.type === "nack" && one.phase !== "standby") {
      if (proposer.endsBallot(state, message)) this.#standBy(one, message.promised?.round ?? 0);
    } else if (message.type === "beacon") {
      const { round } = message.ballot;
      const isHigher = round > (state.ballot?.round ?? 0);
      if (isHigher && one.phase !== "standby") this.#standBy(one, round);
      state.highestRound = Math.max(state.highestRound, round);
    }
  }

  #standBy(one: WorldProposer, round: number): void {
    one.phase = "standby";
    one.state.highestRound = Math.max(one.state.highestRound, round);
    proposer.dropOpen(one.state);
    this.counted.nacks++;
  }

  #adopt(id: string): void {
    const one = this.#proposer(id);
    const { state } = one;
    one.promises = new Map(state.promises);
    this.rules.adopt(state, this.#nowMs);
    one.phase = "leading";
    this.counted.elections++;
    const voted = new Set(
      [...one.promises.values()].flatMap(({ votes }) => votes.map((v) => v.slot)),
    );
    for (let slot = state.firstUnsent; slot < state.adoptedBelow; slot++) {
      if (voted.has(slot)) this.counted.reproposed++;
      else this.counted.noops++;
    }
    this.#send(id, proposer.takeAccepts(state, this.cluster, this.#nowMs));
  }

  #fill(id: string): void {
    const { state } = this.#proposer(id);
    if (proposer.adoptionIsDone(state)) {
      this.rules.fillWindow(state, this.cluster.limits, this.#nowMs);
    }
    this.#send(id, proposer.takeAccepts(state, this.cluster, this.#nowMs));
  }

  #announce(id: string): void {
    const ranges = proposer.takeAnnouncements(this.#proposer(id).state, this.cluster);
    this.#noteRanges(ranges);
    if (ranges.length > 0) this.toLearners(id, { type: "chosen", ranges });
  }

  #noteRanges(ranges: Chosen["ranges"]): void {
    for (const { ballot, from, to } of ranges) {
      for (let slot = from; slot < to; slot++) this.facts.announce(slot, ballot);
    }
  }

  #send(id: string, accepts: readonly Accept[]): void {
    const one = this.#proposer(id);
    for (const accept of accepts) {
      for (const [index, value] of accept.values.entries()) {
        const slot = accept.firstSlot + index;
        if (slot >= one.state.adoptedBelow) {
          this.facts.wishes.push({ key: null, digest: digest(value) });
        }
        const reports = [...one.promises].map(([from, { votes }]) => {
          const vote = votes.find((cast) => cast.slot === slot);
          return { acceptor: from, vote: vote ?? null };
        });
        this.facts.propose({
          key: null,
          slot,
          ballot: accept.ballot,
          digest: digest(value),
          reports,
        });
      }
      this.#noteRanges(accept.chosen);
      this.#toAcceptors(id, accept);
    }
  }

  /** The value that is chosen in a slot, by its digest. */
  chosenIn(slot: number): string | null {
    return this.facts.chosen(slot)[0]?.digest ?? null;
  }

  // --- what must hold ----------------------------------------------------------------------------

  /** Looks at what no message shows: the window and the watermarks. */
  #watch(): void {
    for (const [id, { state, phase }] of this.proposers) {
      this.facts.claim(id, state.chosenWatermark);
      const bound = state.chosenWatermark + this.cluster.limits.windowMax;
      if (phase !== "leading" || state.nextSlot <= Math.max(state.adoptedBelow, bound)) continue;
      this.facts.broken.push(`window: ${id} is at slot ${state.nextSlot}, beyond ${bound}`);
    }
  }

  /**
   * Leaves the world in peace with one proposer, and has it propose more.
   *
   * @returns null once all of it is chosen and applied by every learner, else what is missing
   */
  heal(id: string): string | null {
    this.drain();
    let proposed = 0;
    let missing = "";
    for (let round = 0; round < 40; round++) {
      this.#nowMs += this.cluster.limits.retryDelayMs;
      const { phase, state } = this.#proposer(id);
      if (phase !== "leading") this.begin(id);
      else if (proposed < 3 && proposer.adoptionIsDone(state)) {
        this.propose(id);
        proposed++;
      }
      this.tick(id);
      this.drain();
      for (const one of this.learners.keys()) this.repair(one);
      this.drain();
      missing = this.#missing(id);
      if (proposed === 3 && missing === "") return null;
    }
    return `after healing, ${proposed} times proposed, ${missing}`;
  }

  #missing(id: string): string {
    const { state } = this.#proposer(id);
    const ballot = state.ballot === null ? "none" : formatBallot(state.ballot);
    const at = `${id} (ballot ${ballot}) is at ${state.chosenWatermark} of ${state.nextSlot}`;
    if (state.queue.length > 0 || state.chosenWatermark < state.nextSlot) return at;
    const late = [...this.learners].find(([, one]) => one.applied.length < state.nextSlot);
    return late === undefined ? "" : `${at}, ${late[0]} at ${late[1].applied.length}`;
  }
}
