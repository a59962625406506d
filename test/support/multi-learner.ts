/** A learner of the small world of the log: what it knows, and what it applied. */

import {
  hearTail,
  LearnerState,
  noteChosenRange,
  noteEntries,
  type Reporter,
} from "../../src/paxos/consensus/learner.js";
import { digest } from "../../src/paxos/digest.js";
import type { ChosenEntry, Repair } from "../../src/paxos/wire/messages.js";
import type { LogMessage, Surroundings } from "./multi-rules.js";

/** How far the store of a message's sender had come. */
type Store = Omit<Reporter, "id">;

/** Learns as the chart does; applying is no more than keeping. */
export class WorldLearner {
  state = new LearnerState();
  /** Chosen values by slot. */
  readonly applied: ChosenEntry[] = [];
  readonly #id: string;
  readonly #world: Surroundings;
  #attempts = 0;

  constructor(id: string, world: Surroundings) {
    this.#id = id;
    this.#world = world;
  }

  /** Says what it asks for, and whom: acceptors and learners in turn. */
  repair(): { readonly asked: "acceptors" | "learners"; readonly message: Repair } | null {
    const range = this.#world.rules.missingRange(this.state, this.#world.cluster);
    if (range === null) return null;
    const asked = this.#attempts++ % 2 === 0 ? "acceptors" : "learners";
    return { asked, message: { type: "repair", ...range, bytesMax: 1 } };
  }

  /** Takes a message. @returns how many slots it applied */
  hear(from: string, message: LogMessage, store: Store): number {
    const { cluster, rules } = this.#world;
    const { state } = this;
    const reporter = { id: from, ...store };
    if (message.type === "accept") rules.noteAccept(state, message, cluster);
    else if (message.type === "accepted") rules.noteVotes(state, reporter, message, cluster);
    else if (message.type === "votes") rules.noteRepairVotes(state, reporter, message, cluster);
    else if (message.type === "entries") noteEntries(state, message, cluster);
    else if (message.type === "beacon") hearTail(state, message.chosenWatermark);
    else if (message.type === "repair") this.#report(from, message);
    else if (message.type === "chosen") {
      for (const range of message.ranges) noteChosenRange(state, range, cluster);
    }
    this.#world.facts.claim(this.#id, state.tail);
    const taken = rules.takeChosen(state);
    for (const entry of taken) this.#apply(entry);
    return taken.length;
  }

  #report(to: string, { from, to: end }: Repair): void {
    const entries = this.applied.slice(from, Math.min(end, from + 2));
    if (entries.length === 0) return;
    const answer = { type: "entries", from, to: from + entries.length, trimmed: 0 } as const;
    this.#world.post(to, this.#id, { ...answer, entries });
  }

  #apply(entry: ChosenEntry): void {
    const { slot, ballot, value } = entry;
    const slots = this.applied.length;
    if (slot !== slots) {
      const what = `applied slot ${slot} after ${slots} slots`;
      this.#world.facts.broken.push(`order: ${this.#id} ${what}`);
    }
    this.#world.facts.learn(this.#id, slot, { ballot, digest: digest(value) });
    this.applied.push(entry);
  }
}
