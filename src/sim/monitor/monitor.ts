/**
 * The monitor: looks on at every process, enters what it sees into the ledger, and counts what
 * happened. It knows messages and records, and nothing of how roles come to them.
 */
import type { Effect } from "../../kernel/effect.js";
import type { ObservedRole, Observer } from "../../kernel/observer.js";
import { type InboundOf, type RoleEvent, stateName } from "../../kernel/role.js";
import type { Step } from "../../kernel/step.js";
import type { StoreBatch } from "../../kernel/store/store.js";
import { acceptorIds, type Cluster } from "../../paxos/cluster.js";
import { digest } from "../../paxos/digest.js";
import { NOOP } from "../../paxos/value.js";
import type {
  Accept,
  ChosenEntry,
  ChosenRange,
  KeyPromise,
  Message,
  Prepare,
  Promise1b,
} from "../../paxos/wire/messages.js";
import {
  decodeRecord,
  META_KEY,
  type RawRecord,
  type StoreRecord,
} from "../../paxos/wire/record.js";
import type { Coverage } from "../world/coverage.js";
import type { SimProcess } from "../world/process.js";
import { FeedBook } from "./feed-book.js";
import { Ledger } from "./ledger.js";
import type { Memory, Origins } from "./origins.js";
import { PromiseBook } from "./promises.js";
import { AcceptorShadow } from "./shadow.js";

const NOOP_DIGEST = digest(NOOP);

/** What the monitor remembers of a living role. */
interface Watched {
  state: string;
  taken: readonly ChosenEntry[];
  /** Of a learner: the last position that it published, and the slot from which it must. */
  position: number | null;
  fromSlot: number | null;
}

/** Judges a whole run. */
export class Monitor {
  readonly ledger: Ledger;
  readonly feed: FeedBook;
  readonly #promises: PromiseBook;
  /** Acceptors that run on an older copy of their store: they must say nothing. */
  readonly #muted = new Set<string>();
  readonly #coverage: Coverage;
  readonly #shadows = new Map<string, AcceptorShadow>();
  readonly #origins: Origins;
  /** The memory of each acceptor that read its store last. */
  readonly #latest = new Map<string, Memory>();
  readonly #watched = new WeakMap<ObservedRole, Watched>();
  readonly #pairs: (acceptor: string) => readonly RawRecord[];

  /**
   * @param origins what the codec of the world looks through
   * @param pairs reads what an acceptor's file holds on stable storage
   */
  constructor(
    cluster: Cluster,
    coverage: Coverage,
    origins: Origins,
    pairs: (acceptor: string) => readonly RawRecord[],
  ) {
    this.ledger = new Ledger(cluster);
    this.feed = new FeedBook(this.ledger, coverage);
    this.#promises = new PromiseBook(this.ledger, origins, coverage);
    this.#coverage = coverage;
    this.#origins = origins;
    this.#pairs = pairs;
    for (const id of acceptorIds(cluster)) {
      this.#shadows.set(id, new AcceptorShadow(id, this.ledger));
    }
  }

  /** An acceptor is tried on an older copy of its store, or not any more. */
  mute(acceptor: string, isMuted: boolean): void {
    if (isMuted) this.#muted.add(acceptor);
    else this.#muted.delete(acceptor);
  }

  /** Says whether an acceptor is tried on an older copy of its store. */
  isMuted(acceptor: string): boolean {
    return this.#muted.has(acceptor);
  }

  /** Says what a learner should have published and has not; null if nothing. */
  unpublished(learner: ObservedRole): string | null {
    const watched = this.#watched.get(learner);
    const { tail } = this.feed;
    if (watched === undefined || watched.fromSlot === null) return null;
    if ((this.feed.slotOf(tail) ?? -1) < watched.fromSlot || watched.position === tail) return null;
    return `learner ${learner.id} published up to ${watched.position} of ${tail}`;
  }

  /** Looks on at one life of a process. */
  observe(process: SimProcess): Observer {
    const { gate, name, life } = process;
    const who = (runner: ObservedRole) =>
      `${runner.definition.name} ${runner.id} (${name}, ${life})`;
    return {
      stepped: (runner, instance, event, step) => {
        if (gate.isDead) return;
        const known = event === null ? undefined : this.#origins.memoryOf(runner, instance);
        const memory = known ?? this.#origins.started(runner, instance, who(runner));
        this.#origins.stepped(memory, step, fromSlotOf(event));
        if (event === null) this.#started(runner, instance, memory);
        if (event !== null) this.#hears(event, memory.by);
        this.#stepped(runner, event?.type ?? "", step, memory.by);
      },
      committed: (runner, batch) => {
        if (!gate.isDead) this.#committed(runner, batch);
      },
      refused: (_runner, error) => {
        if (gate.isDead) return;
        if (error.kind === "fenced") this.#coverage.count("store fenced: second process");
      },
      leaves: (runner, effect) => {
        if (gate.isDead) return;
        this.#leaves(runner, effect, this.#origins.makerOf(effect)?.by ?? who(runner));
      },
    };
  }

  #started(runner: ObservedRole, instance: string, memory: Memory): void {
    const { name } = runner.definition;
    if (instance === "")
      this.#watched.set(runner, { state: "", taken: [], position: null, fromSlot: null });
    if (name !== "acceptor" || this.#muted.has(runner.id)) return;
    this.#latest.set(runner.id, memory);
    this.#shadows.get(runner.id)?.reopened(readAll(this.#pairs(runner.id)));
    this.feed.advance();
  }

  #committed(runner: ObservedRole, batch: StoreBatch): void {
    this.#coverage.count("syncs");
    if (runner.definition.name !== "acceptor" || this.#muted.has(runner.id)) return;
    const shadow = this.#shadows.get(runner.id);
    const [first] = batch.records;
    const maker = first === undefined ? undefined : this.#origins.makerOf(first);
    if (this.#latest.get(runner.id) === maker) shadow?.committed(batch.records);
    else shadow?.committedLate(batch.records, readAll(this.#pairs(runner.id)));
    this.feed.advance();
  }

  #hears(event: RoleEvent, by: string): void {
    if (event.type === "promise") {
      for (const { message } of (event as InboundOf<Promise1b>).received) {
        this.#promises.heard(by, message);
      }
    } else if (event.type === "key-promise") {
      for (const { message } of (event as InboundOf<KeyPromise>).received) {
        this.#promises.heardKey(by, message);
      }
    }
  }

  #stepped(runner: ObservedRole, event: string, step: Step, by: string): void {
    const watched = this.#watched.get(runner);
    if (watched === undefined) return;
    const { name } = runner.definition;
    if (name === "proposer") {
      const state = stateName(step.snapshot);
      if (state !== watched.state) {
        if (state === "adopting" || state.startsWith("leading")) this.#noteLead(watched.state);
        if (state === "preempted") this.#coverage.count("preemptions");
        watched.state = state;
      }
    }
    if (name === "learner") this.#learned(runner, watched, event, step, by);
  }

  #noteLead(before: string): void {
    if (before === "preparing") this.#coverage.count("elections");
  }

  #learned(runner: ObservedRole, watched: Watched, event: string, step: Step, by: string): void {
    const { chosenWatermark: tail = 0 } = runner.definition.status(step.snapshot);
    if (watched.fromSlot === null && tail > 0) {
      watched.fromSlot = Math.max(0, tail - this.ledger.cluster.limits.pipelineSlotsMax);
    }
    const { taken } = step.snapshot.context as { readonly taken: readonly ChosenEntry[] };
    if (taken === watched.taken) return;
    watched.taken = taken;
    if (event === "votes") this.#coverage.count("slots learned by votes", taken.length);
    if (event === "entries") this.#coverage.count("slots learned from learners", taken.length);
    for (const { slot, value } of taken) {
      this.ledger.learned({ key: null, slot }, digest(value), by);
    }
  }

  #leaves(runner: ObservedRole, effect: Effect, by: string): void {
    if (effect.kind === "send" || effect.kind === "broadcast") {
      const { name, instances } = runner.definition;
      if (name === "acceptor") this.#acceptorSays(runner.id, effect.message);
      else if (name === "proposer") this.#proposerSays(effect.message, by);
      else if (name === "synod-proposer") this.#synodProposerSays(effect.message, by);
      else if (name === "learner") this.#learnerSays(effect.message, by);
      if (instances === undefined && effect.message.type === "nack") this.#coverage.count("nacks");
      return;
    }
    const entries = runner.definition.learned?.published(effect) ?? null;
    const watched = this.#watched.get(runner);
    if (entries === null || watched === undefined) return;
    this.#coverage.count("entries fed", entries.length);
    const { position, fromSlot } = watched;
    watched.position = this.feed.published(entries, position, fromSlot ?? 0, by);
  }

  #acceptorSays(id: string, message: Message): void {
    const shadow = this.#shadows.get(id);
    if (shadow === undefined) return;
    if (this.#muted.has(id)) {
      if (message.type === "hello") return;
      this.ledger.break("olderCopyIsSilent", `${id} says ${message.type} on an older copy`);
    }
    if (message.type === "promise") {
      shadow.hasPromised(message.ballot, shadow.promised);
      if (message.parts > 1) this.#coverage.count("promises in parts");
      for (const vote of message.votes) {
        const { slot } = vote;
        shadow.saysVote(`slot ${slot}`, vote, shadow.votes.get(slot) ?? null);
      }
      this.#promises.says(shadow, message);
      this.ledger.claimed(message.chosenWatermark, `acceptor ${id}`);
    } else if (message.type === "accepted") {
      const { ballot } = message;
      for (const { slot, digest: voted } of message.votes) {
        const said = { ballot, digest: voted };
        shadow.saysVote(`slot ${slot}`, said, shadow.votes.get(slot) ?? null);
      }
    } else if (message.type === "key-promise") {
      const kept = shadow.keys.get(message.key);
      shadow.hasPromised(message.ballot, kept?.promised ?? null);
      if (message.vote !== null) {
        shadow.saysVote(`key ${message.key}`, message.vote, kept?.vote ?? null);
      }
      this.#promises.saysKey(shadow, message);
    } else if (message.type === "key-accepted") {
      shadow.saysVote(`key ${message.key}`, message, shadow.keys.get(message.key)?.vote ?? null);
    } else if (message.type === "last-heard") {
      this.ledger.claimed(message.chosenWatermark, `acceptor ${id}`);
      shadow.hasPromised(message.promised, shadow.promised);
    } else if (message.type === "nack") {
      const { ballot, promised, reason } = message;
      shadow.hasPromised(promised, shadow.promised);
      if (reason === "stale") shadow.refuses("of the log", ballot, promised);
    } else if (message.type === "key-nack") {
      const { key, ballot, promised, reason } = message;
      shadow.hasPromised(promised, shadow.keys.get(key)?.promised ?? null);
      if (reason === "stale") shadow.refuses(`of key ${key}`, ballot, promised);
    }
  }

  #proposerSays(message: Message, by: string): void {
    if (message.type === "prepare") {
      this.#coverage.count("ballots begun");
      this.ledger.begun("log", message.ballot, by);
    } else if (message.type === "accept") {
      this.#proposes(message, by);
      this.#announces(message.chosen, by);
      this.ledger.claimed(message.chosenWatermark, by);
    } else if (message.type === "chosen") this.#announces(message.ranges, by);
    else if (message.type === "beacon") this.ledger.claimed(message.chosenWatermark, by);
  }

  #proposes(accept: Accept, by: string): void {
    const { ballot, firstSlot, digests, values } = accept;
    for (const [index, proposed] of digests.entries()) {
      const slot = firstSlot + index;
      this.feed.proposed(proposed, values[index] as Uint8Array);
      const proposal = { ballot, digest: proposed };
      const news = this.ledger.issued({ key: null, slot }, proposal, by);
      if (news === "repeat") continue;
      this.#promises.proposes(by, { key: null, slot }, proposal);
      this.ledger.opened(slot, by);
      if (proposed === NOOP_DIGEST) this.#coverage.count("no-ops into holes");
      else if (news === "again") this.#coverage.count("values proposed again");
    }
  }

  #announces(ranges: readonly ChosenRange[], by: string): void {
    for (const { from, to } of ranges) {
      for (let slot = from; slot < to; slot++) {
        if (this.ledger.chosen({ key: null, slot }) !== null) continue;
        const what = `${by} announced slot ${slot}, in which nothing is chosen`;
        this.ledger.break("learnedIsChosen", what);
      }
    }
  }

  #synodProposerSays(message: Message, by: string): void {
    if (message.type === "key-prepare") {
      this.#coverage.count("ballots begun");
      this.ledger.begun(`key ${message.key}`, message.ballot, by);
    } else if (message.type === "key-accept") {
      const instance = { key: message.key, slot: 0 };
      const news = this.ledger.issued(instance, message, by);
      if (news !== "repeat") this.#promises.proposes(by, instance, message);
    } else if (message.type === "key-chosen") {
      this.ledger.learned({ key: message.key, slot: 0 }, message.digest, by);
    }
  }

  #learnerSays(message: Message, by: string): void {
    if (message.type === "chosen") this.#announces(message.ranges, by);
    if (message.type === "key-chosen") {
      this.ledger.learned({ key: message.key, slot: 0 }, message.digest, by);
    }
    if (message.type === "entries" && message.entries.length > 0) {
      this.#coverage.count("slots told by learners", message.entries.length);
    }
  }
}

/** The first slot that a prepare asks for; 0 for every other event. */
function fromSlotOf(event: RoleEvent | null): number {
  if (event?.type !== "prepare") return 0;
  return (event as InboundOf<Prepare>).received[0]?.message.fromSlot ?? 0;
}

/** Reads the records of a file, except those that are rotten. */
function readAll(pairs: readonly RawRecord[]): StoreRecord[] {
  const records: StoreRecord[] = [];
  for (const raw of pairs) {
    if (raw.key.length === META_KEY.length && raw.key[0] === META_KEY[0]) continue;
    try {
      records.push(decodeRecord(raw));
    } catch {
      // Rot: whoever opens the store must find out; here it counts as gone.
    }
  }
  return records;
}
