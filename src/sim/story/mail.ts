/** The mail: who says what to whom, and which copies arrive. */

import { votesWantedBy } from "../../../actors/acceptor/services.js";
import type { Delivery } from "../../adapters/memory/bus.js";
import { createCodec } from "../../adapters/msgpackr/codec.js";
import { parseSubject, type Route } from "../../kernel/bus/subject.js";
import type { Effect } from "../../kernel/effect.js";
import type { ObservedRole } from "../../kernel/observer.js";
import type { Codec } from "../../kernel/ports.js";
import type { Inbound, RoleEvent } from "../../kernel/role.js";
import type { Message, RoleName, Verb } from "../../paxos/wire/messages.js";
import { hearingsOf } from "../../paxos/wire/verbs.js";
import type { SimProcess } from "../world/process.js";
import type { World } from "../world/world.js";
import type { Cast } from "./cast.js";
import { type Happening, happening } from "./happening.js";
import type { Phrase, Phrases } from "./phrases.js";
import { timeText } from "./telling.js";

/** A copy that takes longer is worth a word. */
const LATE_MS = 100;
/** How long a late copy is awaited beyond its time: its receiver may have stalled. */
const LATE_KEPT_MS = 5000;
/** Sayings that are remembered, to know repeats. */
const SAID_MAX = 10_000;
/** Verbs that are repeated until something changes: their repeats are noise at once. */
const NAGGING: readonly Verb[] = [
  "hint",
  "ask-leader",
  "last-heard",
  "open-session",
  "session-opened",
  "repair",
];

/** A late copy on its way. */
interface Late {
  readonly to: string;
  readonly fromId: string;
  readonly verb: string;
  readonly atMs: number;
}

/** The message that is leaving, while its copies are sent. */
interface Leaving {
  readonly happening: Happening;
  /** Name of the connection. */
  readonly from: string;
  readonly fromId: string;
  readonly role: RoleName;
  readonly verb: string;
  /** The message's own object, for those who are no role. */
  readonly payload: Uint8Array | null;
  isUnread: boolean;
}

/** Follows messages. */
export class Mail {
  readonly #world: World;
  readonly #phrases: Phrases;
  readonly #cast: Cast;
  readonly #codec: Codec;
  readonly #begin: (one: Omit<Happening, "atMs">) => Happening;
  readonly #said = new Map<string, number>();
  #leaving: Leaving | null = null;
  #late: Late[] = [];

  constructor(
    world: World,
    phrases: Phrases,
    cast: Cast,
    begin: (one: Omit<Happening, "atMs">) => Happening,
  ) {
    this.#world = world;
    this.#phrases = phrases;
    this.#cast = cast;
    this.#codec = createCodec(world.cluster);
    this.#begin = begin;
  }

  /** Nothing more belongs to the message that left last. */
  seal(): void {
    this.#leaving = null;
  }

  /** What is said again from now on is news: somebody came, went or changed. */
  forgetRepeats(): void {
    for (const saying of this.#said.keys()) {
      if (NAGGING.some((verb) => saying.startsWith(`${verb} `))) this.#said.delete(saying);
    }
  }

  /** Says which messages of an event come late. */
  late(node: SimProcess, event: RoleEvent): readonly Phrase[] {
    if (this.#late.length === 0 || !("received" in event)) return [];
    const nowMs = this.#world.clock.nowMs();
    const phrases: Phrase[] = [];
    for (const { from, message } of event.received as Inbound["received"]) {
      const at = this.#late.findIndex((one) => {
        const isIt = one.to === node.name && one.fromId === from.id && one.verb === message.type;
        return isIt && one.atMs <= nowMs;
      });
      if (at < 0) continue;
      this.#late.splice(at, 1);
      const { text, about } = this.#phrases.message(message);
      phrases.push({ text: `hears late of ${from.id}: ${text}`, about });
    }
    return phrases;
  }

  /** A message leaves a role. */
  leaves(node: SimProcess, runner: ObservedRole, who: string, effect: Effect): void {
    const local = (role: RoleName, id: string | null) => {
      const here = (node.host?.runners ?? []).filter(({ halted }) => halted === null);
      const isHere = here.some(({ definition, id: its }) => {
        return definition.name === role && (id === null || its === id);
      });
      return isHere ? this.#cast.players(node, role, id) : [];
    };
    if (effect.kind === "send" || effect.kind === "broadcast") {
      const role = effect.kind === "send" ? effect.to.role : effect.role;
      const id = effect.kind === "send" ? effect.to.id : null;
      const phrase = this.#phrases.message(effect.message);
      const { type } = effect.message;
      this.#open(node.name, runner.id, who, role, type, phrase, local(role, id));
      return;
    }
    const wanted = votesWantedBy(effect);
    if (wanted !== null) {
      const { role, id } = wanted.to;
      const phrase: Phrase = { text: "votes: read from its disk", about: null };
      this.#open(node.name, runner.id, who, role, "votes", phrase, local(role, id));
      if (this.#leaving !== null) this.#leaving.isUnread = true;
    }
  }

  /** The network decided when the copies of a message arrive at one subscriber. */
  carried(delivery: Delivery, copies: readonly number[]): void {
    const space = { prefix: "synod", cluster: this.#world.cluster.name };
    const route = parseSubject(space, delivery.message.subject);
    if (route === undefined || delivery.from === undefined) return;
    const leaving = this.#leavingOf(delivery, route);
    if (leaving === null) return;
    if (leaving.isUnread) this.#read(leaving, delivery);
    const { happening, role } = leaving;
    const node = this.#world.processes.get(delivery.to);
    if (node === undefined) return;
    const id = route.toId === "all" ? null : route.toId;
    const players = this.#cast.players(node, role, id);
    const isLost = copies.length === 0;
    if (isLost && players.length === 0) players.push(...this.#overhearers(node, route));
    if (isLost) happening.lost.push(...players.filter((one) => !happening.lost.includes(one)));
    else happening.to.push(...players.filter((one) => !happening.to.includes(one)));
    if (copies.length > 1) happening.twice.push(...players);
    const lateMs = Math.min(...copies);
    if (!isLost && lateMs > LATE_MS) {
      happening.late.push(...players.map((name) => `${name} in ${timeText(lateMs)} ms`));
      const { fromId, verb } = route;
      const atMs = happening.atMs + lateMs;
      this.#late = this.#late.filter((one) => one.atMs > happening.atMs - LATE_KEPT_MS);
      this.#late.push({ to: delivery.to, fromId, verb, atMs });
    }
  }

  /** Finds the message of a delivery; whoever is no role is met here first. */
  #leavingOf({ from = "", message }: Delivery, route: Route): Leaving | null {
    const leaving = this.#leaving;
    if (leaving?.payload === message.payload) return leaving;
    const { toRole, verb, fromId } = route;
    const node = this.#world.processes.get(from);
    // A process objects, and none of its roles: whoever has witnessed a store.
    if (node !== undefined && verb !== "objection") {
      const isIt = leaving?.from === from && leaving.verb === verb && leaving.role === toRole;
      return isIt && leaving.fromId === fromId ? leaving : null;
    }
    const read = this.#codec.decode(verb, message.payload);
    if (!("message" in read) || read.message.type === "decide") return null;
    const phrase = this.#phrases.message(read.message as Message);
    const who = node === undefined ? from : this.#cast.all(node);
    return this.#open(from, fromId, who, toRole as RoleName, verb, phrase, [], message.payload);
  }

  #open(
    from: string,
    fromId: string,
    who: string,
    role: RoleName,
    verb: string,
    phrase: Phrase,
    to: string[],
    payload: Uint8Array | null = null,
  ): Leaving {
    const { text, about, isNoise = false } = phrase;
    const times = this.#repeats(`${verb} ${who} ${role} ${text}`);
    const isOld = times > 1 || (times > 0 && NAGGING.includes(verb as Verb));
    const said = times > 0 && !isNoise ? `${text} (again)` : text;
    const begun = happening("message", who, said, about, isNoise || isOld);
    this.#leaving = {
      happening: this.#begin({ ...begun, to }),
      from,
      fromId,
      role,
      verb,
      payload,
      isUnread: false,
    };
    return this.#leaving;
  }

  #repeats(saying: string): number {
    const times = this.#said.get(saying) ?? 0;
    this.#said.set(saying, times + 1);
    const [oldest] = this.#said.keys();
    if (this.#said.size > SAID_MAX && oldest !== undefined) this.#said.delete(oldest);
    return times;
  }

  /** What was read from a disk is known when it is on the wire. */
  #read(leaving: Leaving, { message }: Delivery): void {
    leaving.isUnread = false;
    const read = this.#codec.decode(leaving.verb, message.payload);
    if (!("message" in read)) return;
    const { text, about } = this.#phrases.message(read.message as Message);
    Object.assign(leaving.happening, { text, about });
  }

  #overhearers(node: SimProcess, { toRole, verb }: Route): string[] {
    return node.members
      .filter(([role]) =>
        hearingsOf(role).some((one) => one.isOverheard && one.verb === verb && one.to === toRole),
      )
      .map(([role, id]) => this.#cast.name(node, role, id));
  }
}
