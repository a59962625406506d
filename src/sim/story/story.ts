/**
 * The story of a run: listens to every process, the network, the faults and the clients, and tells
 * what happened in the words of the paper.
 *
 * It changes nothing: a run with a story is the same run. Cost: a line for every message, so it is
 * for replays, not for hunts.
 */

import type { Fate } from "../../adapters/memory/disk.js";
import type { ObservedRole, Observer } from "../../kernel/observer.js";
import type { DiskError } from "../../kernel/ports.js";
import type { StoreRefused } from "../../kernel/store/refusal.js";
import type { StoreBatch } from "../../kernel/store/store.js";
import type { Ledger } from "../monitor/ledger.js";
import type { Fault } from "../plan/plan.js";
import type { Call, CallRecorder, Outcome } from "../run/clients.js";
import type { Run } from "../run/run.js";
import type { Halt, SimProcess } from "../world/process.js";
import type { Watcher } from "../world/watcher.js";
import type { World } from "../world/world.js";
import { Cast } from "./cast.js";
import { Facts } from "./facts.js";
import { faultText } from "./faults.js";
import { type About, type Happening, happening } from "./happening.js";
import { Mail } from "./mail.js";
import { Names } from "./names.js";
import { Phrases } from "./phrases.js";
import { stateChange } from "./states.js";
import { fold, lineOf } from "./telling.js";

/** Happenings that are kept; earlier ones are forgotten. */
const KEPT_MAX = 200_000;

/** How a story is told while it happens. */
export interface StoryOptions {
  /** Hears each line as soon as its instant is over; the whole is kept in any case. */
  readonly onLine?: ((line: string) => void) | undefined;
  /** Tells heartbeats and repeats too. */
  readonly isAll?: boolean | undefined;
}

/** What a story is told of. */
interface Stage {
  readonly world: World;
  readonly ledger: Ledger;
}

/** Collects happenings. */
export class Story implements Watcher, CallRecorder {
  readonly happenings: Happening[] = [];
  readonly mail: Mail;
  readonly #world: World;
  readonly #options: StoryOptions;
  /** The short names that it uses. */
  readonly names = new Names();
  readonly #phrases: Phrases;
  readonly #cast: Cast;
  readonly #facts: Facts;
  readonly #states = new WeakMap<ObservedRole, Map<string, string>>();
  /** Records that a role wants kept and that are not synced yet, in words. */
  readonly #unsynced = new WeakMap<ObservedRole, string[]>();
  readonly #startedBefore = new Set<string>();
  #sinceMs = 0;
  /** Happenings of this instant, not told yet. */
  #instant: Happening[] = [];

  constructor({ world, ledger }: Stage, options: StoryOptions = {}) {
    this.#world = world;
    this.#options = options;
    this.#phrases = new Phrases(this.names, world.cluster);
    this.#cast = new Cast(world, this.names);
    this.#facts = new Facts(ledger, this.names);
    const begin = (one: Omit<Happening, "atMs">) => this.#add(one);
    this.mail = new Mail(world, this.#phrases, this.#cast, begin);
  }

  /** Tells what was not told yet: the last instant. */
  end(): void {
    const { onLine, isAll = false } = this.#options;
    const told = isAll ? this.#instant : this.#instant.filter(({ isNoise }) => !isNoise);
    this.#instant = [];
    if (onLine !== undefined) for (const one of fold(told)) onLine(lineOf(one, this.#sinceMs));
  }

  /** From now on lines tell the milliseconds since now. */
  beginClock(): void {
    this.end();
    this.#sinceMs = this.#world.clock.nowMs();
  }

  /** Says something of its own: a script's command. */
  note(who: string, text: string): void {
    this.#add(happening("fault", who, text));
  }

  // --- processes -------------------------------------------------------------------------------

  started(node: SimProcess): void {
    const who = this.#cast.all(node);
    const isClient = node.members.every(([role]) => role === "session");
    const text = this.#startedBefore.has(node.name) ? "starts again" : "starts";
    this.#startedBefore.add(node.name);
    this.mail.forgetRepeats();
    this.#life(who, text, isClient);
  }

  killed(node: SimProcess, fates: readonly Fate[]): void {
    const unsynced = (node.host?.runners ?? []).flatMap((one) => this.#unsynced.get(one) ?? []);
    const isClient = node.members.every(([role]) => role === "session");
    const left = unsynced.length === 0 ? "" : `; ${fateText(fates)}: `;
    this.mail.forgetRepeats();
    this.#life(this.#cast.all(node), `is killed${left}${unsynced.join(", ")}`, isClient);
  }

  refused(_node: SimProcess, id: string, { code, message }: StoreRefused): void {
    this.#life(id, `its store is refused (${code}): ${firstOf(message)}`);
  }

  halted(node: SimProcess, { role, id, why }: Halt): void {
    this.#life(this.#cast.name(node, role, id), `halts for good: ${firstOf(why)}`);
  }

  observe(node: SimProcess): Observer {
    return {
      stepped: (runner, instance, event, step) => {
        if (node.gate.isDead) return;
        const who = this.#cast.name(node, runner.definition.name, runner.id);
        if (event === null) this.#began(node, runner, instance, step.snapshot.context);
        else {
          for (const { text, about } of this.mail.late(node, event)) {
            this.#add(happening("fact", who, text, about));
          }
        }
        for (const effect of step.effects) {
          if (effect.kind === "persist") this.#wants(runner, effect.records);
        }
        const text = stateChange(this.#statesOf(runner), runner, instance, step, this.names);
        if (text !== null) {
          if (event !== null) this.mail.forgetRepeats();
          this.#life(who, text);
        }
        for (const fact of this.#facts.learned(runner, step)) {
          this.#fact(who, fact.text, fact.about);
        }
      },
      committed: (runner, batch) => {
        if (!node.gate.isDead) this.#committed(node, runner, batch);
      },
      refused: (runner, error) => {
        if (!node.gate.isDead) this.#notWritten(node, runner, error);
      },
      leaves: (runner, effect) => {
        if (node.gate.isDead) return;
        const who = this.#cast.name(node, runner.definition.name, runner.id);
        const entries = runner.definition.learned?.published(effect) ?? null;
        if (entries !== null) {
          const fed = entries.map(({ position, body }) => {
            return `position ${position} ⟨${new TextDecoder().decode(body)}⟩`;
          });
          this.#fact(who, `publishes ${fed.join(", ")}`, this.#facts.fed(entries));
        } else this.mail.leaves(node, runner, who, effect);
      },
    };
  }

  #began(node: SimProcess, runner: ObservedRole, instance: string, context: unknown): void {
    const { name } = runner.definition;
    const { owner } = context as { readonly owner?: string };
    if (owner !== undefined) this.names.owner(owner, instance === "" ? null : instance);
    if (name === "session") this.names.session(runner.id, node.name);
    if (name === "acceptor") this.#tellChosen();
  }

  #wants(runner: ObservedRole, records: StoreBatch["records"]): void {
    const unsynced = this.#unsynced.get(runner) ?? [];
    this.#unsynced.set(runner, unsynced);
    for (const record of records) {
      const phrase = this.#phrases.record(record);
      if (phrase !== null) unsynced.push(phrase.text);
    }
  }

  #committed(node: SimProcess, runner: ObservedRole, batch: StoreBatch): void {
    const unsynced = this.#unsynced.get(runner) ?? [];
    const who = this.#cast.name(node, runner.definition.name, runner.id);
    for (const record of batch.records) {
      const phrase = this.#phrases.record(record);
      if (phrase === null) continue;
      const place = unsynced.indexOf(phrase.text);
      if (place >= 0) unsynced.splice(place, 1);
      this.#add(happening("disk", who, `has synced: ${phrase.text}`, phrase.about));
    }
    this.#facts.noteVotes(batch.records);
    this.#tellChosen();
  }

  #tellChosen(): void {
    for (const { text, about } of this.#facts.chosen()) this.#fact("CHOSEN", text, about);
  }

  #notWritten(node: SimProcess, runner: ObservedRole, error: DiskError): void {
    const who = this.#cast.name(node, runner.definition.name, runner.id);
    const lost = this.#unsynced.get(runner)?.splice(0) ?? [];
    const what = lost.length === 0 ? "" : `; gone: ${lost.join(", ")}`;
    const why = {
      full: "the disk is full, nothing of this is written or said",
      failed: "the sync failed, nothing of this is said",
      fenced: "another process has opened this store, nothing of this is written or said",
    }[error.kind];
    this.#add(happening("disk", who, `${why}${what}`));
  }

  #statesOf(runner: ObservedRole): Map<string, string> {
    const states = this.#states.get(runner) ?? new Map<string, string>();
    this.#states.set(runner, states);
    return states;
  }

  // --- clients and faults ----------------------------------------------------------------------

  called({ client, request }: Call): void {
    if (request.kind !== "decide") {
      const id = request.kind === "propose" && request.hasId ? ", with an id" : "";
      this.#client(client, `wants ⟨${request.value}⟩ in the log${id}`, null);
      return;
    }
    const { key, value } = request;
    const text = value === null ? `asks for key ${key}` : `wants ⟨${key} = ${value}⟩`;
    this.#client(client, text, aboutKey(key));
  }

  ended({ client, request }: Call, outcome: Outcome): void {
    const about = request.kind === "decide" ? aboutKey(request.key) : null;
    if (outcome.kind === "ok") {
      const { position, slot } = outcome;
      const value = "value" in request ? request.value : "";
      const text = `is told: ⟨${value}⟩ is at position ${position}, slot ${slot}`;
      const where = { key: null, from: slot, to: slot + 1, ballots: [], isPhase1: false };
      this.#client(client, text, where);
    } else if (outcome.kind === "decided") {
      const key = request.kind === "decide" ? request.key : "";
      const text = outcome.value === null ? "undecided" : `⟨${key} = ${outcome.value}⟩`;
      this.#client(client, `is told: ${text}`, about);
    } else {
      const what = outcome.kind === "fail" ? "certainly not" : "nobody knows";
      const value = "value" in request ? `⟨${request.value}⟩ ` : "";
      this.#client(client, `is told: ${value}${what} (${outcome.code})`, about);
    }
  }

  struck(fault: Fault): void {
    this.#add(happening("fault", "FAULT", faultText(fault)));
  }

  #client(who: string, text: string, about: About | null): void {
    this.#add(happening("client", who, text, about));
  }

  #life(who: string, text: string, isNoise = false): void {
    this.#add(happening("life", who, text, null, isNoise));
  }

  #fact(who: string, text: string, about: About): void {
    this.#add(happening("fact", who, text, about));
  }

  #add(one: Omit<Happening, "atMs">): Happening {
    const atMs = this.#world.clock.nowMs();
    if (this.#instant[0] !== undefined && this.#instant[0].atMs !== atMs) this.end();
    if (one.kind !== "message") this.mail.seal();
    const added = { ...one, atMs };
    this.#instant.push(added);
    this.happenings.push(added);
    if (this.happenings.length > KEPT_MAX) this.happenings.splice(0, KEPT_MAX / 2);
    return added;
  }
}

/** Lets a story be told of a run that has not begun. */
export function tellStory(run: Run, options: StoryOptions = {}): Story {
  const story = new Story({ world: run.world, ledger: run.monitor.ledger }, options);
  run.world.watchers.push(story);
  run.network.onDecided = (delivery, copies) => story.mail.carried(delivery, copies);
  run.faults.onStrike = (fault) => story.struck(fault);
  run.clients.onlooker = story;
  return story;
}

function aboutKey(key: string): About {
  return { key, from: 0, to: 1, ballots: [], isPhase1: false };
}

function fateText(fates: readonly Fate[]): string {
  if (fates.some((fate) => typeof fate === "object")) return "torn, for it was not synced";
  return fates.includes("kept") ? "synced, though it does not know" : "lost, for it was not synced";
}

/** The first sentence; the others say what to do. */
function firstOf(text: string): string {
  return text.replaceAll("\n", " ").split(". ", 1)[0] ?? text;
}
