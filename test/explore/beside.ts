/**
 * Real machines beside the model: each keeps all of its memory from its start on and its own id,
 * hears messages as they were really said, and is compared with the model's local state after each
 * step.
 */
import { expect } from "vitest";
import { roles } from "../../actors/index.js";
import { type Address, broadcast } from "../../src/kernel/effect.js";
import { acceptorIds } from "../../src/paxos/cluster.js";
import type { Message, RoleName } from "../../src/paxos/wire/messages.js";
import type { Actor, Identity, Moved } from "../../src/sim/explore/actor.js";
import { hears } from "../../src/sim/explore/letters.js";
import type { Choice, Move } from "../../src/sim/explore/locals.js";
import { Model } from "../../src/sim/explore/model.js";
import type { World } from "../../src/sim/explore/world.js";

/** What may happen next. */
export type Option =
  | { readonly mover: number; readonly letter: number; readonly sender: number }
  | { readonly mover: number; readonly choice: Choice };

/** One walk. */
export class Beside {
  readonly #model: Model;
  readonly #identities: readonly Identity[];
  readonly #actors: Actor[] = [];
  readonly #locals: number[] = [];
  /** By who sent them: letters, each as it was said last, and in which start of its sender. */
  readonly #sent: Map<number, { readonly message: Message; readonly incarnation: number }>[] = [];
  /** By kind of choice: how many are left. */
  readonly #left: Map<string, number>;
  /** Bits of what was seen. */
  sights = 0;

  constructor(world: World) {
    this.#model = new Model(world, roles, null, new Set());
    this.#left = new Map([
      ["crash", world.crashesMax],
      ["full", world.fullsMax],
    ]);
    const [acceptors, ...singles] = this.#model.locals.map(({ identity }) => identity);
    const named = acceptorIds(world.cluster).map((id) => ({ ...(acceptors as Identity), id }));
    this.#identities = [...named, ...singles];
    for (const [mover, identity] of this.#identities.entries()) {
      const moved = this.#model.common.host.start(identity, new Map(), 1);
      this.#actors.push(moved.actor);
      this.#locals.push(this.#kind(mover).first);
      this.#sent.push(new Map());
      this.#keep(mover, moved);
    }
    this.#receiveGone();
  }

  /** Everything that was sent before the world begins is under way, and received by some. */
  #receiveGone(): void {
    const { host, letters } = this.#model.common;
    const sender = this.#sent.length;
    this.#sent.push(new Map());
    for (const { from, to, message, receivers } of this.#model.world.gone) {
      const letter = letters.intern(broadcast(to, message), from, 1) as number;
      this.#sent[sender]?.set(letter, { message, incarnation: 1 });
      const life = { storeId: null, incarnation: 1, writeNumber: 0, process: "" };
      const event = { type: message.type, received: [{ from: { ...from, ...life }, message }] };
      for (let mover = 0; mover < receivers; mover++) {
        const moved = host.deliver("acceptor", this.#actors[mover] as Actor, event);
        this.#actors[mover] = moved.actor;
        this.#keep(mover, moved);
        this.#syncAll(mover);
        const kind = this.#kind(mover);
        const local = this.#locals[mover] as number;
        this.#locals[mover] = kind.settled(kind.hear(local, letter, -1)).next;
      }
    }
  }

  /** Everything that may happen now, deliveries that change nothing too. */
  options(): Option[] {
    const { letters } = this.#model.common;
    const found: Option[] = [];
    for (const [mover, { role, id }] of this.#identities.entries()) {
      for (const { choice } of this.#kind(mover).own(this.#locals[mover] as number)) {
        if ((this.#left.get(choice.kind) ?? 1) > 0) found.push({ mover, choice });
      }
      if (this.#kind(mover).isBusy(this.#locals[mover] as number)) continue;
      for (const [sender, sent] of this.#sent.entries()) {
        for (const letter of sent.keys()) {
          if (hears(role, id, letters.get(letter))) {
            found.push({ mover, letter, sender });
          }
        }
      }
    }
    return found;
  }

  /** Whether an option changes anything, as the model sees it. */
  isNews(option: Option): boolean {
    const { mover } = option;
    const { next, sent } = this.#modelMove(option, this.#locals[mover] as number);
    const isSaid = sent.every((letter) => this.#sent[mover]?.has(letter));
    return next !== this.#locals[mover] || !isSaid;
  }

  /** Takes a step on both sides. @returns false if the world's bounds forbid it */
  take(option: Option): boolean {
    const { mover } = option;
    const kind = this.#kind(mover);
    const local = this.#locals[mover] as number;
    const made = this.#modelMove(option, local);
    if (made.isBeyond) return false;
    this.sights |= made.sights;
    const isAtOnce = this.#syncsAtOnce(mover);
    const moved = this.#realMove(option);
    this.#actors[mover] = moved.actor;
    this.#keep(mover, moved);
    if (isAtOnce) this.#syncAll(mover);
    const move = isAtOnce ? kind.settled(made) : made;
    if ("choice" in option) {
      const { kind: word } = option.choice;
      const left = this.#left.get(word);
      if (left !== undefined) this.#left.set(word, left - 1);
    }
    for (const letter of move.sent) expect(this.#sent[mover]?.has(letter)).toBe(true);
    const sent = new Set(this.#sent[mover]?.keys());
    const expected = kind.withoutRepeats(move.next, sent);
    expect(kind.localOf(this.#actors[mover] as Actor, sent)).toBe(expected);
    this.#locals[mover] = expected;
    return true;
  }

  #kind(mover: number) {
    return this.#model.localsOf(mover);
  }

  #syncsAtOnce(mover: number): boolean {
    const { crashes } = this.#model.world;
    const role = this.#identities[mover]?.role as RoleName;
    if (role === "acceptor" && this.#isLeft("full")) return false;
    return !this.#isLeft("crash") || !crashes.includes(role);
  }

  #isLeft(kind: string): boolean {
    return (this.#left.get(kind) ?? 0) > 0;
  }

  #modelMove(option: Option, local: number): Move {
    const kind = this.#kind(option.mover);
    if ("letter" in option) {
      const from = option.sender < this.#model.acceptors ? option.sender : -1;
      return kind.hear(local, option.letter, from);
    }
    const { what, kind: word } = option.choice;
    const own = kind.own(local).find(({ choice }) => choice.kind === word && choice.what === what);
    return own?.move as Move;
  }

  #realMove(option: Option): Moved {
    const { host } = this.#model.common;
    const actor = this.#actors[option.mover] as Actor;
    const identity = this.#identities[option.mover] as Identity;
    if ("letter" in option) {
      const { letters } = this.#model.common;
      const { role, id } =
        this.#identities[option.sender] ?? (letters.get(option.letter).from as Address);
      const sent = this.#sent[option.sender]?.get(option.letter);
      const { message, incarnation } = sent as { message: Message; incarnation: number };
      const from = { role, id, storeId: null, incarnation, writeNumber: 0, process: "" };
      const event = { type: message.type, received: [{ from, message }] };
      return host.deliver(identity.role, actor, event);
    }
    const { kind, what } = option.choice;
    if (kind === "sync") return host.sync(actor);
    if (kind === "crash") return host.crash(identity, actor);
    if (kind === "full") return host.full(identity, actor);
    if (kind === "fire") return host.fire(identity.role, actor, what);
    const single = this.#model.world.singles[option.mover - this.#model.acceptors];
    const offers = single === undefined ? [] : this.#model.world.offers(single, actor.snapshot);
    return host.bring(identity.role, actor, offers[Number(what)]?.events ?? []);
  }

  #syncAll(mover: number): void {
    while ((this.#actors[mover] as Actor).writes.length > 0) {
      const moved = this.#model.common.host.sync(this.#actors[mover] as Actor);
      this.#actors[mover] = moved.actor;
      this.#keep(mover, moved);
    }
  }

  #keep(mover: number, { sent, actor }: Moved): void {
    const { role, id } = this.#identities[mover] as Identity;
    const address = mover < this.#model.acceptors ? null : { role, id };
    for (const effect of sent) {
      const letter = this.#model.common.letters.intern(effect, address, actor.start);
      if (letter === undefined || !("message" in effect)) continue;
      const message = effect.message as Message;
      this.#sent[mover]?.set(letter, { message, incarnation: actor.start });
    }
  }
}
