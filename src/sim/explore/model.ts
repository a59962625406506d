/**
 * The model: states of a whole world.
 *
 * A state is a tuple ⟨rest, acceptor 1, …, acceptor n⟩ of numbers. An acceptor's number names its
 * local state and the set of letters it ever sent; `rest` names the crashes and full disks left,
 * the set of letters of the others, and the local state of each. Letters are never taken away: each
 * may be delivered now, later, never, or again. That is loss, delay, reordering and duplication in
 * one.
 */
import { type Address, broadcast } from "../../kernel/effect.js";
import { acceptorIds } from "../../paxos/cluster.js";
import type { Broken, Roles } from "../broken/broken.js";
import { Host, type Identity } from "./actor.js";
import { FactsTable } from "./facts.js";
import { hears, Letters } from "./letters.js";
import { type Choice, type Common, factsTogether, Locals } from "./locals.js";
import { ascends, namesIn, permutationsOf } from "./orders.js";
import { Sets } from "./sets.js";
import { bit } from "./sights.js";
import { Tuples } from "./tuples.js";
import type { GoneLetter, Single, World } from "./world.js";

/** Parts of the tuple of the rest that come before its singles. */
const REST = { crashes: 0, fulls: 1, sent: 2, singles: 3 } as const;
/** Parts of the tuple of an acceptor. */
const ACCEPTOR = { local: 0, sent: 1 } as const;

/** States and steps of one world. */
export class Model {
  readonly world: World;
  readonly common: Common;
  readonly acceptors: number;
  /** Local states of the acceptors, then of each single. */
  readonly locals: readonly Locals[];
  readonly sets = new Sets();
  readonly #acceptorTuples = new Tuples(2);
  readonly #rests: Tuples;
  readonly #orders: readonly (readonly number[])[];
  readonly #acceptorFacts: number[] = [];
  readonly #restFacts: number[] = [];
  readonly #renamed: number[][] = [];
  readonly #stripped: Map<number, number>[] = [];
  readonly #heard = new Map<number, readonly number[]>();
  /** The order that the last {@link canonical} put the acceptors in: old places, new first. */
  order: readonly number[] = [];

  constructor(world: World, roles: Roles, broken: Broken | null, asked: ReadonlySet<string>) {
    this.world = world;
    this.acceptors = world.cluster.acceptors.length;
    this.#orders = permutationsOf(this.acceptors);
    const ids = acceptorIds(world.cluster);
    const letters = new Letters(world.answersMax !== null);
    const host = new Host(world, roles, broken);
    const permutations = this.#orders.map((order) => namesIn(order, ids));
    const facts = new FactsTable();
    this.common = { world, host, letters, asked, facts, permutations };
    const acceptor = { role: "acceptor", id: ids[0] ?? "", wish: "" } as const;
    this.locals = [
      new Locals(this.common, identityOf(world, acceptor, broken), null),
      ...world.singles.map(
        (single) => new Locals(this.common, identityOf(world, single, broken), single),
      ),
    ];
    this.#rests = new Tuples(REST.singles + world.singles.length);
  }

  /** Writes the first state into a tuple. */
  first(into: Int32Array): void {
    const [, ...singles] = this.locals as [Locals, ...Locals[]];
    const letters = this.world.gone.map((one) => this.#gone(one));
    for (let index = 0; index < this.acceptors; index++) {
      const received = letters.filter((_, at) => index < (this.world.gone[at]?.receivers ?? 0));
      into[index + 1] = this.#acceptorAfter(received);
    }
    const { scratch } = this.#rests;
    scratch[REST.crashes] = this.world.crashesMax;
    scratch[REST.fulls] = this.world.fullsMax;
    let sent = this.sets.addAll(0, letters);
    for (const [index, single] of singles.entries()) {
      scratch[REST.singles + index] = single.first;
      sent = this.sets.addAll(sent, single.firstSent);
    }
    scratch[REST.sent] = sent;
    into[0] = this.#rests.intern();
  }

  #gone({ from, to, message }: GoneLetter): number {
    const letter = this.common.letters.intern(broadcast(to, message), from, 1);
    if (letter === undefined) throw new Error("a message that was sent is no letter");
    return letter;
  }

  /** An acceptor that received these letters since its start, and synced what it wrote. */
  #acceptorAfter(letters: readonly number[]): number {
    const locals = this.locals[0] as Locals;
    let local = locals.first;
    let sent = this.sets.addAll(0, locals.firstSent);
    for (const letter of letters) {
      const move = locals.settled(locals.hear(local, letter, -1));
      local = move.next;
      sent = this.sets.addAll(sent, move.sent);
    }
    return this.acceptorOf(local, sent);
  }

  /** The local state of a mover, in a state. */
  localOf(state: Int32Array, mover: number): number {
    if (mover < this.acceptors) {
      return this.#acceptorTuples.get(state[mover + 1] as number, ACCEPTOR.local);
    }
    return this.#rests.get(state[0] as number, REST.singles + mover - this.acceptors);
  }

  /** The local states of a mover's kind. */
  localsOf(mover: number): Locals {
    return this.locals[Math.max(0, mover - this.acceptors + 1)] as Locals;
  }

  /**
   * Whether writes are synced at once: where no crash or full disk can come between, a write under
   * way only delays letters, and so does the network.
   */
  syncsAtOnce(rest: number, { identity }: Pick<Locals, "identity">): boolean {
    const { role } = identity;
    if (role === "acceptor" && this.#rests.get(rest, REST.fulls) > 0) return false;
    if (!this.world.crashes.includes(role)) return true;
    return this.#rests.get(rest, REST.crashes) === 0;
  }

  /** The number of an acceptor in a local state that has sent these letters. */
  acceptorOf(local: number, sent: number): number {
    const { scratch } = this.#acceptorTuples;
    scratch[ACCEPTOR.local] = this.#withoutRepeats(0, local, sent);
    scratch[ACCEPTOR.sent] = sent;
    return this.#acceptorTuples.intern();
  }

  /** The local state of an acceptor. */
  localIn(acceptor: number): number {
    return this.#acceptorTuples.get(acceptor, ACCEPTOR.local);
  }

  /** The letters that an acceptor ever sent. */
  sentBy(acceptor: number): number {
    return this.#acceptorTuples.get(acceptor, ACCEPTOR.sent);
  }

  /** The letters that all others ever sent. */
  sentByRest(rest: number): number {
    return this.#rests.get(rest, REST.sent);
  }

  /** The local state of a single. */
  singleIn(rest: number, index: number): number {
    return this.#rests.get(rest, REST.singles + index);
  }

  /** Returns the rest after a choice: a crash or full disk less; −1 if none is left. */
  spend(rest: number, kind: Choice["kind"] | undefined): number {
    if (kind !== "crash" && kind !== "full") return rest;
    const part = kind === "crash" ? REST.crashes : REST.fulls;
    const { scratch } = this.#rests;
    this.#rests.read(rest, scratch);
    if (scratch[part] === 0) return -1;
    scratch[part] = (scratch[part] as number) - 1;
    return this.#rests.intern();
  }

  /**
   * Says whether an acceptor that has sent a set of letters now gives the name of one promise to
   * another one.
   */
  sharesName(sent: number, said: readonly number[]): boolean {
    if (this.world.answersMax === null || said.length === 0) return false;
    const { letters } = this.common;
    const before = this.sets.items(sent);
    return said.some((one) => before.some((other) => letters.shareName(one, other)));
  }

  /** Returns the rest after a single went to a local state and sent letters. */
  restWith(rest: number, index: number, next: number, letters: readonly number[]): number {
    const part = REST.singles + index;
    if (letters.length === 0 && this.#rests.get(rest, part) === next) return rest;
    const { scratch } = this.#rests;
    this.#rests.read(rest, scratch);
    const sent = this.sets.addAll(scratch[REST.sent] as number, letters);
    scratch[part] = this.#withoutRepeats(index + 1, next, sent);
    scratch[REST.sent] = sent;
    return this.#rests.intern();
  }

  #withoutRepeats(kind: number, local: number, sent: number): number {
    const locals = this.locals[kind] as Locals;
    if (!locals.holds(local)) return local;
    this.#stripped[kind] ??= new Map();
    const stripped = this.#stripped[kind];
    const place = local * 2 ** 24 + sent;
    const known = stripped.get(place);
    if (known !== undefined) return known;
    const made = locals.withoutRepeats(local, new Set(this.sets.items(sent)));
    stripped.set(place, made);
    return made;
  }

  /** The letters of a set that are heard by acceptors (0) or a single (from 1). */
  heardIn(set: number, who: number): readonly number[] {
    const place = set * this.locals.length + who;
    const known = this.#heard.get(place);
    if (known !== undefined) return known;
    const { role, id }: Address = (this.locals[who] as Locals).identity;
    const { letters } = this.common;
    const heard = this.sets
      .items(set)
      .filter((letter) => hears(role, who === 0 ? null : id, letters.get(letter)));
    this.#heard.set(place, heard);
    return heard;
  }

  /**
   * Gives a state its one form among those that differ in the names of acceptors alone: acceptors
   * in ascending order, and of the orders that do that the one with the lowest rest.
   */
  canonical(state: Int32Array, into: Int32Array): void {
    let best = -1;
    for (let permutation = 0; permutation < this.#orders.length; permutation++) {
      const order = this.#orders[permutation] as readonly number[];
      if (!ascends(state, order)) continue;
      const rest = this.#rename(state[0] as number, permutation);
      if (best >= 0 && rest >= best) continue;
      best = rest;
      this.order = order;
    }
    into[0] = best;
    for (let place = 0; place < this.acceptors; place++) {
      into[place + 1] = state[(this.order[place] as number) + 1] as number;
    }
  }

  #rename(rest: number, permutation: number): number {
    if (permutation === 0) return rest;
    this.#renamed[rest] ??= [];
    const names = this.#renamed[rest];
    const known = names[permutation];
    if (known !== undefined) return known;
    const tuple = new Int32Array(this.#rests.width);
    this.#rests.read(rest, tuple);
    for (let index = 0; index < this.world.singles.length; index++) {
      const part = REST.singles + index;
      const locals = this.locals[index + 1] as Locals;
      tuple[part] = locals.rename(tuple[part] as number, permutation);
    }
    this.#rests.scratch.set(tuple);
    const made = this.#rests.intern();
    names[permutation] = made;
    return made;
  }

  /** The number of what an acceptor shows. */
  factsOfAcceptor(acceptor: number): number {
    const known = this.#acceptorFacts[acceptor];
    if (known !== undefined) return known;
    const local = this.#acceptorTuples.get(acceptor, ACCEPTOR.local);
    const sent = this.#acceptorTuples.get(acceptor, ACCEPTOR.sent);
    const own = (this.locals[0] as Locals).facts(local);
    const made = factsTogether(this.common, [own], this.sets.items(sent));
    this.#acceptorFacts[acceptor] = made;
    return made;
  }

  /** The number of what everything but the acceptors shows. */
  factsOfRest(rest: number): number {
    const known = this.#restFacts[rest];
    if (known !== undefined) return known;
    const own = this.world.singles.map((_, index) =>
      (this.locals[index + 1] as Locals).facts(this.#rests.get(rest, REST.singles + index)),
    );
    const sent = this.sets.items(this.#rests.get(rest, REST.sent));
    const made = factsTogether(this.common, own, sent);
    this.#restFacts[rest] = made;
    return made;
  }

  /** Bits of what the rest shows at a glance. */
  sightsOfRest(rest: number): number {
    let inPhase2 = 0;
    for (let index = 0; index < this.world.singles.length; index++) {
      const local = this.#rests.get(rest, REST.singles + index);
      if ((this.locals[index + 1] as Locals).isInPhase2(local)) inPhase2++;
    }
    return inPhase2 >= 2 ? bit("duel-in-phase-2") : 0;
  }

  /** Bytes of the tables of parts, without machines and letters. */
  get bytes(): number {
    return this.#rests.bytes + this.#acceptorTuples.bytes;
  }
}

function identityOf(world: World, single: Single, broken: Broken | null): Identity {
  const { role, id } = single;
  return {
    role,
    id,
    nonce: (start) => broken?.nonce?.(role, id, start) ?? start.toString(16).padStart(16, "0"),
    begin: (start) => world.begin(single, start),
  };
}
