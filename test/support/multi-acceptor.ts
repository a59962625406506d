/** An acceptor of the small world of the log: memory, a disk, and what waits for the disk. */
import { AcceptorState, nack } from "../../src/paxos/consensus/acceptor.js";
import type { Accept, Accepted, Prepare, Repair, SlotVote } from "../../src/paxos/wire/messages.js";
import type { StoreRecord } from "../../src/paxos/wire/record.js";
import type { LogMessage, Surroundings } from "./multi-rules.js";
import { NaiveDisk } from "./naive.js";

/** Judges as the chart does; answers leave, and become facts, when what they rest on is synced. */
export class WorldAcceptor {
  state = new AcceptorState();
  incarnation = 1;
  /** Syncs so far. */
  writeNumber = 0;
  readonly #id: string;
  readonly #world: Surroundings;
  readonly #disk = new NaiveDisk();
  readonly #durable = new Map<number, SlotVote>();
  #unsynced: StoreRecord[] = [];
  /** What waits for the sync: answers, and the facts they make. */
  #waiting: (() => void)[] = [];

  constructor(id: string, world: Surroundings) {
    this.#id = id;
    this.#world = world;
  }

  /** Takes a message; nothing is answered before {@link sync}. */
  ask(from: string, message: LogMessage): void {
    if (message.type === "repair") this.#waiting.push(() => this.#report(from, message));
    if (message.type === "prepare" || message.type === "accept") this.#judge(from, message);
  }

  #report(to: string, repair: Repair): void {
    const votes = [...this.#durable.values()].filter(
      ({ slot }) => slot >= repair.from && slot < repair.to,
    );
    const { from, to: end } = repair;
    this.#world.post(to, this.#id, { type: "votes", from, to: end, trimmed: 0, votes });
  }

  #judge(from: string, message: Prepare | Accept): void {
    const { rules, cluster, facts } = this.#world;
    const { ballot, type: request } = message;
    const refusal = rules.judgeBallot(this.state.promised, ballot, cluster.limits.roundJumpMax);
    const answer = refusal === null ? "yes" : refusal === "stale" ? "stale" : "ignored";
    const fact = { acceptor: this.#id, key: null, request, ballot, answer } as const;
    const answers: LogMessage[] = [];
    let voted: Accepted["votes"] = [];
    if (refusal !== null) {
      answers.push(nack(this.state, ballot, null, refusal));
    } else if (message.type === "prepare") {
      const promised = rules.promise(this.state, message, cluster.limits);
      this.#unsynced.push(...promised.records);
      answers.push(...promised.answers);
    } else {
      const cast = rules.castVotes(this.state, [message], cluster.limits);
      this.#unsynced.push(...cast.records);
      voted = cast.voted;
      answers.push({ type: "accepted", ballot, votes: voted });
    }
    const leave = () => {
      facts.requests.push(fact);
      for (const vote of voted) facts.vote({ acceptor: this.#id, key: null, ballot, ...vote });
      for (const said of answers) this.#say(from, said);
    };
    if (rules.answersWait()) this.#waiting.push(leave);
    else leave();
  }

  #say(to: string, message: LogMessage): void {
    this.#world.post(to, this.#id, message);
    if (message.type === "accepted" && this.#world.hearing === "tallies") {
      this.#world.toLearners(this.#id, message);
    }
  }

  /** Writes what is to be written; then the answers leave. */
  sync(): void {
    this.#disk.keep(this.#unsynced);
    this.writeNumber++;
    for (const record of this.#unsynced) {
      if (record.kind === "vote") this.#durable.set(record.slot, record);
    }
    this.#unsynced = [];
    for (const leave of this.#waiting.splice(0)) leave();
    this.#look();
  }

  /** Loses its memory and what it had not synced. */
  crash(): void {
    this.#unsynced = [];
    this.#waiting = [];
    this.incarnation++;
    this.state = this.#world.rules.recoverAcceptor(
      this.#disk.records(),
      0,
      this.#world.cluster.limits,
    );
    this.#look();
  }

  #look(): void {
    const { promised, votesFrom, votes, chosenWatermark } = this.state;
    const held = [...votes].map(([slot, { ballot, digest }]) => ({ slot, ballot, digest }));
    const { facts } = this.#world;
    facts.look({ acceptor: this.#id, key: null, promised, votesFrom, votes: held });
    facts.claim(this.#id, chosenWatermark);
  }
}
