/**
 * An actor of the small world: a real machine on a model of its host.
 *
 * The host's part is small: a disk of records, writes under way, messages that wait for them
 * (`src/kernel/outbox.ts`), alarms. The records go through the real record codec on their way to
 * the disk and back.
 */

import type { Effect } from "../../kernel/effect.js";
import { mayOvertake } from "../../kernel/outbox.js";
import type { RoleInput, RoleSnapshot } from "../../kernel/role.js";
import { createStepper, type Stepper } from "../../kernel/step.js";
import type { RoleName } from "../../paxos/wire/messages.js";
import {
  decodeRecord,
  encodeRecord,
  type RawRecord,
  type StoreRecord,
} from "../../paxos/wire/record.js";
import type { Broken, Roles } from "../broken/broken.js";
import { assertedUnless } from "../broken/unasserted.js";
import { fork } from "./copy.js";
import { hexOf } from "./text.js";
import type { World } from "./world.js";

/** Events carry this time: no clock runs in a small world. */
const NOW_MS = 0;

/** Timer of a starting acceptor, whose time is skipped. */
const WITNESS_TIMER = "acceptor.recovering";

/** Why an acceptor reads its memory from disk again. */
const DISK_FULL = "the disk is full";

/** A transaction under way, and the messages that wait for it. */
export interface Write {
  readonly records: readonly StoreRecord[];
  readonly held: readonly Effect[];
}

/** What an actor is at one moment. Never changed. */
export interface Actor {
  readonly snapshot: RoleSnapshot;
  /** How often it was started. */
  readonly start: number;
  /** How often it has read its memory from disk again since. */
  readonly life: number;
  /** What is durable, by key in hexadecimal. */
  readonly disk: ReadonlyMap<string, RawRecord>;
  /** Oldest first. */
  readonly writes: readonly Write[];
  /** Alarms that are set, by id. */
  readonly alarms: ReadonlyMap<string, { readonly type: string }>;
}

/** What a move of an actor came to. */
export interface Moved {
  readonly actor: Actor;
  /** Messages that left, in order. */
  readonly sent: readonly Effect[];
  /** Records that the step wants kept. */
  readonly records: readonly StoreRecord[];
  readonly heard: boolean;
  /** Why the machine stopped for good; null: it goes on. */
  readonly stopped: string | null;
}

/** Whose actor it is. */
export interface Identity {
  readonly role: RoleName;
  readonly id: string;
  /** Digits of its start; 16 of them. */
  readonly nonce: (start: number) => string;
  /** What comes to it before anything else. */
  readonly begin: (start: number) => readonly { readonly type: string }[];
}

/** Moves actors. */
export class Host {
  readonly roles: Roles;
  readonly #world: World;
  readonly #stepper: Stepper = createStepper();
  readonly #isBroken: boolean;
  readonly #overtakes: NonNullable<Broken["overtakes"]>;

  constructor(world: World, roles: Roles, broken: Broken | null) {
    this.#world = world;
    this.roles = roles;
    this.#isBroken = broken !== null;
    this.#overtakes = broken?.overtakes ?? mayOvertake;
  }

  /** Starts an actor from what its disk holds, through the real recovery. */
  start(identity: Identity, disk: Actor["disk"], start: number): Moved {
    let moved = this.#begin(identity, disk, { start, life: 0 }, null);
    const sent = [...moved.sent];
    for (const [id, event] of moved.actor.alarms) {
      // The witness time of an acceptor: nothing that it hears meanwhile changes it.
      if (!id.endsWith(WITNESS_TIMER)) continue;
      moved = this.deliver(identity.role, this.#unset(moved.actor, id), event);
      sent.push(...moved.sent);
    }
    moved = this.bring(identity.role, moved.actor, identity.begin(start));
    return { ...moved, sent: [...sent, ...moved.sent] };
  }

  /** Brings an event to a machine. */
  deliver(role: RoleName, actor: Actor, event: { readonly type: string }): Moved {
    const payloadBytesMax = this.#world.payloadBytesMax?.(actor.life);
    const limit = payloadBytesMax === undefined ? {} : { payloadBytesMax };
    const stamped = { ...event, nowMs: NOW_MS, ...limit };
    const { machine } = this.roles[role];
    try {
      const step = assertedUnless(this.#isBroken, () =>
        this.#stepper.step(machine, fork(actor.snapshot), stamped),
      );
      return this.#after(actor, step, step.snapshot);
    } catch (error) {
      const stopped = error instanceof Error ? error.message : String(error);
      return { actor, sent: [], records: [], heard: true, stopped };
    }
  }

  /** Brings events to a machine, one after the other. */
  bring(role: RoleName, actor: Actor, events: readonly { readonly type: string }[]): Moved {
    let moved: Moved = { actor, sent: [], records: [], heard: false, stopped: null };
    for (const event of events) {
      const next = this.deliver(role, moved.actor, event);
      const sent = [...moved.sent, ...next.sent];
      const records = [...moved.records, ...next.records];
      moved = { ...next, sent, records, heard: moved.heard || next.heard };
      if (moved.stopped !== null) break;
    }
    return moved;
  }

  /** Fires an alarm. */
  fire(role: RoleName, actor: Actor, alarm: string): Moved {
    const event = actor.alarms.get(alarm) ?? { type: alarm };
    return this.deliver(role, this.#unset(actor, alarm), event);
  }

  /** The oldest write becomes durable; what waited for it leaves. */
  sync(actor: Actor): Moved {
    const [write, ...writes] = actor.writes;
    if (write === undefined) throw new Error("nothing is being written");
    const disk = new Map(actor.disk);
    for (const record of write.records) {
      const raw = encodeRecord(record);
      disk.set(hexOf(raw.key), raw);
    }
    const moved = { ...actor, disk, writes };
    return { actor: moved, sent: write.held, records: [], heard: true, stopped: null };
  }

  /** It ends at once: its memory, its writes under way and what waited for them are lost. */
  crash(identity: Identity, actor: Actor): Moved {
    return this.start(identity, actor.disk, actor.start + 1);
  }

  /**
   * A write finds no room: the writes under way and what waited for them are lost, the memory is
   * read from disk again, and there is room again before anything else happens.
   */
  full(identity: Identity, { disk, start, life }: Actor): Moved {
    const begun = this.#begin(identity, disk, { start, life: life + 1 }, DISK_FULL);
    const served = this.deliver(identity.role, begun.actor, { type: "disk.room" });
    return { ...served, sent: [...begun.sent, ...served.sent] };
  }

  #begin(
    identity: Identity,
    disk: Actor["disk"],
    lived: Pick<Actor, "start" | "life">,
    diskFull: string | null,
  ): Moved {
    const { machine } = this.roles[identity.role];
    const made = this.#stepper.start(machine, this.#input(identity, disk, lived, diskFull));
    const { snapshot } = made;
    const begun: Actor = { snapshot, ...lived, disk, writes: [], alarms: new Map() };
    return this.#after(begun, made, snapshot);
  }

  #input(
    identity: Identity,
    disk: Actor["disk"],
    { start, life }: Pick<Actor, "start" | "life">,
    diskFull: string | null,
  ): RoleInput {
    const { cluster, key } = this.#world;
    return {
      id: identity.id,
      cluster,
      nonce: identity.nonce(start),
      seed: 0,
      nowMs: NOW_MS,
      records: recover(disk),
      incarnation: start,
      life,
      storeId: null,
      openings: [],
      diskFull,
      neighbours: [],
      instance: this.roles[identity.role].instances === undefined ? "" : (key ?? ""),
    };
  }

  #unset(actor: Actor, alarm: string): Actor {
    const alarms = new Map(actor.alarms);
    alarms.delete(alarm);
    return { ...actor, alarms };
  }

  /** Sorts what a step asked for, as the runner and its outbox do. */
  #after(
    before: Actor,
    step: { readonly effects: readonly Effect[]; readonly heard: boolean },
    snapshot: RoleSnapshot,
  ): Moved {
    const alarms = new Map(before.alarms);
    const records: StoreRecord[] = [];
    const messages: Effect[] = [];
    let stopped: string | null = null;
    for (const effect of step.effects) {
      if (effect.kind === "persist") records.push(...effect.records);
      else if (effect.kind === "send" || effect.kind === "broadcast") {
        messages.push(effect);
        const wrong = this.#world.falsify?.(effect.message) ?? null;
        if (wrong !== null) messages.push({ ...effect, message: wrong });
      } else if (effect.kind === "setTimer") alarms.set(effect.id, effect.event);
      else if (effect.kind === "cancelTimer") alarms.delete(effect.id);
      else if (effect.kind === "finish") alarms.clear();
      else if (effect.kind === "halt") stopped = effect.why;
    }
    const writes = [...before.writes];
    if (records.length > 0) writes.push({ records, held: [] });
    const sent: Effect[] = [];
    for (const message of messages) {
      const last = writes.pop();
      if (last === undefined) sent.push(message);
      else if (this.#overtakes(message, records.length > 0)) {
        sent.push(message);
        writes.push(last);
      } else writes.push({ ...last, held: [...last.held, message] });
    }
    const actor = { ...before, snapshot, writes, alarms };
    return { actor, sent, records, heard: step.heard, stopped };
  }
}

/** Reads all that a disk holds. */
export function recordsOf(disk: Actor["disk"]): readonly StoreRecord[] {
  return [...disk.values()].map(decodeRecord);
}

/** Reads a disk as a starting store does: votes below the watermark stay there. */
function recover(disk: Actor["disk"]): readonly StoreRecord[] {
  const records = recordsOf(disk);
  let watermark = 0;
  for (const record of records) {
    if (record.kind === "marks") watermark = record.chosenWatermark;
  }
  return records.filter((record) => record.kind !== "vote" || record.slot >= watermark);
}
