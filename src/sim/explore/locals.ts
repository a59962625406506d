/**
 * Local states: what one actor may be, each kept once and named by its number, with its moves.
 *
 * A machine is stepped once for each ⟨local state, event⟩, however many states of the world share
 * them: that makes exploring cheap, and is sound because a machine knows nothing but itself.
 */
import type { Address, Effect } from "../../kernel/effect.js";
import type { RoleSnapshot } from "../../kernel/role.js";
import { formatBallot } from "../../paxos/ballot.js";
import { acceptorIds } from "../../paxos/cluster.js";
import type { AcceptorState } from "../../paxos/consensus/acceptor.js";
import type { Actor, Host, Identity, Moved } from "./actor.js";
import { type Names, renamed } from "./copy.js";
import { type FactsTable, factsOfActor, factsOfMessage, join } from "./facts.js";
import { hears, type Letter, type Letters } from "./letters.js";
import { liveState } from "./live.js";
import { judgeDisk, judgeSpoken, type Violation } from "./properties.js";
import { ballotOf, sightsOfAcceptor, sightsOfCrash, sightsOfFull, sightsOfSingle } from "./seen.js";
import { textOf } from "./text.js";
import type { Single, World } from "./world.js";

/** What a local state may do of itself. */
export interface Choice {
  readonly kind: "fire" | "offer" | "sync" | "crash" | "full";
  /** The alarm, or the number of the offer. */
  readonly what: string;
}

/** A move, as far as the world is concerned. */
export interface Move {
  readonly next: number;
  /** Letters that left. */
  readonly sent: readonly number[];
  /** Bits of `sights.ts`. */
  readonly sights: number;
  readonly violation: Violation | null;
  /** The letter that asks for promises of a ballot just begun; −1: none was begun. */
  readonly begins: number;
  /** It sends nothing, and shows nothing that a property asks for. */
  readonly isSilent: boolean;
  /** Not taken: it leads out of the world's bounds. */
  readonly isBeyond: boolean;
}

interface Local {
  readonly actor: Actor;
  readonly moves: (Move | undefined)[];
  own: readonly { readonly choice: Choice; readonly move: Move }[] | null;
  readonly renamed: number[];
  facts: number;
}

/** Everything that local states of a world share. */
export interface Common {
  readonly world: World;
  readonly host: Host;
  readonly letters: Letters;
  /** Properties that are asked. */
  readonly asked: ReadonlySet<string>;
  /** Numbers of facts, by their text. */
  readonly facts: FactsTable;
  /** New names of acceptors, one a permutation. */
  readonly permutations: readonly Names[];
}

/** The local states of one single, or of all acceptors. */
export class Locals {
  /** The first local state, and the letters that its start sent. */
  readonly first: number;
  readonly firstSent: readonly number[];
  readonly identity: Identity;
  readonly #common: Common;
  /** null: acceptors, which are interchangeable. */
  readonly #single: Single | null;
  readonly #all: Local[] = [];
  readonly #known = new Map<string, number>();
  readonly #settled = new Map<Move, Move>();

  constructor(common: Common, identity: Identity, single: Single | null) {
    this.#common = common;
    this.identity = identity;
    this.#single = single;
    const moved = common.host.start(identity, new Map(), 1);
    this.firstSent = this.#letters(moved);
    this.first = this.#intern(moved.actor);
  }

  get size(): number {
    return this.#all.length;
  }

  actor(local: number): Actor {
    return (this.#all[local] as Local).actor;
  }

  isInPhase2(local: number): boolean {
    const { snapshot } = this.actor(local);
    return snapshot.hasTag("inPhase2" as never) || snapshot.hasTag("canPropose" as never);
  }

  /** Whether an unsynced write stands in the way of more work. */
  isBusy(local: number): boolean {
    return this.actor(local).writes.length >= this.#common.world.writesMax;
  }

  /** The same move, and its writes are synced at once. */
  settled(move: Move): Move {
    if (this.actor(move.next).writes.length === 0) return move;
    const known = this.#settled.get(move);
    if (known !== undefined) return known;
    let { next, violation, isSilent } = move;
    const sent = [...move.sent];
    while (this.actor(next).writes.length > 0) {
      const synced = this.#judge(next, this.#common.host.sync(this.actor(next)), null, "sync");
      next = synced.next;
      sent.push(...synced.sent);
      violation ??= synced.violation;
      isSilent &&= synced.isSilent;
    }
    const settled = { ...move, next, sent, violation, isSilent };
    this.#settled.set(move, settled);
    return settled;
  }

  /** Whether letters wait for its disk. */
  holds(local: number): boolean {
    return this.actor(local).writes.some(({ held }) => held.length > 0);
  }

  /** The number of the local state that an actor is in. @param sent letters that it sent before */
  localOf(actor: Actor, sent: ReadonlySet<number>): number {
    return this.#intern(actor, sent);
  }

  /** The number of what this local state shows. */
  facts(local: number): number {
    const one = this.#all[local] as Local;
    const { role, id } = this.identity;
    if (one.facts < 0) one.facts = this.#common.facts.intern(factsOfActor(role, id, one.actor));
    return one.facts;
  }

  /**
   * What comes of a letter. @param from the acceptor that sent it, from 0; −1 for another role
   */
  hear(local: number, letter: number, from: number): Move {
    const one = this.#all[local] as Local;
    const place = letter * (this.#common.world.cluster.acceptors.length + 1) + from + 1;
    const known = one.moves[place];
    if (known !== undefined) return known;
    const move = this.#judge(local, this.moved(local, letter, from), letter);
    one.moves[place] = move;
    return move;
  }

  /** Does it again, with all that is to be told of it. */
  moved(local: number, letter: number, from: number): Moved {
    const { host, letters, world } = this.#common;
    const { message, from: sender, incarnation } = letters.get(letter);
    const id = acceptorIds(world.cluster)[from];
    const who: Address = sender ?? { role: "acceptor", id: id ?? "" };
    const received = [{ from: senderOf(who, incarnation), message }];
    const event = { type: message.type, received } as { type: string };
    return host.deliver(this.identity.role, this.actor(local), event);
  }

  /** What this local state may do of itself. */
  own(local: number): NonNullable<Local["own"]> {
    const one = this.#all[local] as Local;
    if (one.own !== null) return one.own;
    const own = this.#choices(one.actor).map((choice) => {
      const moved = this.does(local, choice);
      return { choice, move: this.#judge(local, moved, null, choice.kind) };
    });
    one.own = own;
    return own;
  }

  /** Does it again, with all that is to be told of it. */
  does(local: number, { kind, what }: Choice): Moved {
    const { host, world } = this.#common;
    const actor = this.actor(local);
    if (kind === "sync") return host.sync(actor);
    if (kind === "crash") return host.crash(this.identity, actor);
    if (kind === "full") return host.full(this.identity, actor);
    if (kind === "fire") return host.fire(this.identity.role, actor, what);
    const offer = world.offers(this.#single as Single, actor.snapshot)[Number(what)];
    if (offer === undefined) throw new Error("an offer that does not stand");
    return host.bring(this.identity.role, actor, offer.events);
  }

  #choices({ writes, alarms, snapshot }: Actor): Choice[] {
    const { world } = this.#common;
    const choices: Choice[] = [];
    if (writes.length > 0) choices.push({ kind: "sync", what: "" });
    if (world.crashes.includes(this.identity.role)) choices.push({ kind: "crash", what: "" });
    if (world.fullsMax > 0 && this.#single === null) choices.push({ kind: "full", what: "" });
    if (writes.length >= world.writesMax) return choices;
    for (const id of alarms.keys()) {
      if (world.fires.some((end) => id.endsWith(end))) choices.push({ kind: "fire", what: id });
    }
    if (this.#single === null) return choices;
    for (const index of world.offers(this.#single, snapshot).keys()) {
      choices.push({ kind: "offer", what: String(index) });
    }
    return choices;
  }

  /** The local state it would be if acceptors had been named otherwise. */
  rename(local: number, permutation: number): number {
    const one = this.#all[local] as Local;
    const known = one.renamed[permutation];
    if (known !== undefined) return known;
    const names = this.#common.permutations[permutation] as Names;
    const snapshot = renamed(one.actor.snapshot, names);
    const made = this.#intern({ ...one.actor, snapshot });
    one.renamed[permutation] = made;
    return made;
  }

  /** Turns what a step came to into what the world is to know of it. */
  #judge(local: number, moved: Moved, letter: number | null, kind?: Choice["kind"]): Move {
    const { world, letters } = this.#common;
    const before = this.actor(local);
    const message = letter === null ? null : letters.get(letter).message;
    const single = this.#single;
    let sights = 0;
    if (kind === "crash") sights |= sightsOfCrash(before, single === null);
    if (kind === "full") sights |= sightsOfFull(before);
    if (single !== null) sights |= sightsOfSingle(world, single, before, moved, message);
    else if (message !== null) sights |= sightsOfAcceptor(message, moved);
    const isNewBallot = kind === "crash" || !sameName(before, moved.actor);
    const next = this.#intern(moved.actor);
    const sent = this.#letters(moved);
    const violation = this.#violation(before, moved);
    const begins = single !== null && isNewBallot ? this.#begins(moved) : -1;
    const shows = violation !== null || begins >= 0 || this.facts(local) !== this.facts(next);
    const isSilent = kind !== "crash" && kind !== "full" && sent.length === 0 && !shows;
    const { snapshot } = moved.actor;
    const isBeyond =
      single === null ? answersTooOften(world, snapshot) : world.isBeyond(single, snapshot);
    return { next, sent, sights, violation, begins, isSilent, isBeyond };
  }

  #violation(before: Actor, moved: Moved): Violation | null {
    const { asked, world } = this.#common;
    const { stopped, actor, sent } = moved;
    if (stopped !== null && asked.has("machinesGoOn")) {
      const { role, id } = this.identity;
      const sentence = (name: string) =>
        `${role} ${this.#single === null ? name : id} stopped: ${stopped}`;
      return { property: "machinesGoOn", sentence };
    }
    if (this.#single !== null) return null;
    const fallen = judgeDisk(asked, world.key, before.disk, actor.disk);
    if (fallen !== null) return fallen;
    for (const effect of sent) {
      if (effect.kind !== "send") continue;
      const unbacked = judgeSpoken(asked, actor.disk, effect.message);
      if (unbacked !== null) return unbacked;
    }
    return null;
  }

  /** The letter of the prepare that left or waits for the disk. */
  #begins({ sent, actor }: Moved): number {
    const waiting = actor.writes.flatMap(({ held }) => held);
    for (const effect of [...sent, ...waiting]) {
      if (effect.kind !== "broadcast") continue;
      const { type } = effect.message;
      if (type !== "prepare" && type !== "key-prepare") continue;
      return this.#letter(effect, actor);
    }
    return -1;
  }

  #address(): Address | null {
    const { role, id } = this.identity;
    return this.#single === null ? null : { role, id };
  }

  #letters({ sent: effects, actor }: Pick<Moved, "sent" | "actor">): number[] {
    const { letters, world } = this.#common;
    const sent: number[] = [];
    for (const effect of effects) {
      const letter = letters.intern(effect, this.#address(), actor.start);
      if (letter === undefined) continue;
      const { message } = letters.get(letter);
      if (world.lost.includes(message.type)) continue;
      if (isHeard(world, letters.get(letter))) sent.push(letter);
    }
    return sent;
  }

  /**
   * The local state without those held letters that were sent before: sent again they add nothing.
   *
   * @param sent letters that were sent before
   */
  withoutRepeats(local: number, sent: ReadonlySet<number>): number {
    const actor = this.actor(local);
    const isRepeat = (effect: Effect) => sent.has(this.#letter(effect, actor));
    if (!actor.writes.some(({ held }) => held.some(isRepeat))) return local;
    return this.#intern(actor, sent);
  }

  #letter(effect: Effect, { start }: Actor): number {
    return this.#common.letters.intern(effect, this.#address(), start) ?? -1;
  }

  #intern(made: Actor, sent: ReadonlySet<number> = new Set()): number {
    const { world } = this.#common;
    const known = new Set(sent);
    const writes = made.writes.map(({ records, held }) => ({
      records,
      held: held.filter((effect) => {
        const letter = this.#letter(effect, made);
        const isFirst = !known.has(letter);
        known.add(letter);
        return isFirst;
      }),
    }));
    const actor = { ...made, writes };
    const { snapshot, start, disk, alarms } = actor;
    const countsAnswers = world.answersMax !== null;
    const text = textOf([
      liveState(this.identity.role, snapshot, countsAnswers),
      this.#single === null && !countsAnswers ? 0 : start,
      new Map([...disk].map(([key, raw]) => [key, raw.bytes])),
      writes.map(({ records, held }) => [
        records,
        new Set(held.map((effect) => this.#letter(effect, actor))),
      ]),
      [...alarms.keys()].filter((id) => world.fires.some((end) => id.endsWith(end))).sort(),
    ]);
    const local = this.#known.get(text);
    if (local !== undefined) return local;
    this.#all.push({ actor, moves: [], own: null, renamed: [], facts: -1 });
    this.#known.set(text, this.#all.length - 1);
    return this.#all.length - 1;
  }
}

function sameName(before: Actor, after: Actor): boolean {
  const name = (actor: Actor) => {
    const ballot = ballotOf(actor);
    return ballot === null ? "" : formatBallot(ballot);
  };
  return name(before) === name(after);
}

/**
 * Whether anybody in this world hears a letter; one to nobody need not be kept. One to a proposer
 * that is gone is kept: it shows a vote that may be replaced on the disk later.
 */
function isHeard({ singles, gone }: World, letter: Letter): boolean {
  if (hears("acceptor", null, letter)) return true;
  if (gone.some(({ from }) => from.id === letter.to.id)) return true;
  return singles.some(({ role, id }) => hears(role, id, letter));
}

/** Whether an acceptor has answered more prepares in one life than the world wants to know of. */
function answersTooOften({ answersMax }: World, { context }: RoleSnapshot): boolean {
  return answersMax !== null && (context as { data: AcceptorState }).data.answers > answersMax;
}

function senderOf({ role, id }: Address, incarnation: number) {
  const life = { storeId: null, incarnation, writeNumber: 0, process: "0".repeat(16) };
  return { role, id, ...life };
}

/** Facts of a local state and the letters it sent. */
export function factsTogether(
  common: Pick<Common, "facts" | "letters">,
  locals: readonly number[],
  letters: readonly number[],
): number {
  return common.facts.intern(
    join([
      ...locals.map((facts) => common.facts.get(facts)),
      ...letters.map((letter) => factsOfMessage(common.letters.get(letter).message)),
    ]),
  );
}
