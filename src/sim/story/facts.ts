/** Facts: what is chosen, as the ledger knows it, and what learners have learned of it. */

import type { FeedEntry } from "../../kernel/effect.js";
import type { ObservedRole } from "../../kernel/observer.js";
import type { Step } from "../../kernel/step.js";
import { type BallotValue, type Instance, instanceId } from "../../paxos/proof/evidence.js";
import type { ChosenEntry } from "../../paxos/wire/messages.js";
import type { StoreRecord } from "../../paxos/wire/record.js";
import type { Ledger } from "../monitor/ledger.js";
import type { About } from "./happening.js";
import type { Names } from "./names.js";

interface Fact {
  readonly text: string;
  readonly about: About;
}

interface KnownKey extends BallotValue {
  readonly value: Uint8Array;
}

/** Tells each fact once. */
export class Facts {
  readonly #ledger: Ledger;
  readonly #names: Names;
  /** Instances with votes, in which nothing is chosen yet. */
  readonly #open = new Map<string, Instance>();
  readonly #chosen = new Set<string>();
  readonly #taken = new WeakMap<ObservedRole, readonly ChosenEntry[]>();
  readonly #keys = new WeakMap<ObservedRole, Set<string>>();

  constructor(ledger: Ledger, names: Names) {
    this.#ledger = ledger;
    this.#names = names;
  }

  /** Notes in which instances there are votes. */
  noteVotes(records: readonly StoreRecord[]): void {
    for (const record of records) {
      if (record.kind === "vote") this.#note({ key: null, slot: record.slot });
      if (record.kind === "key" && record.vote !== null) this.#note({ key: record.key, slot: 0 });
    }
  }

  /** Returns what has become chosen since it was asked last. */
  chosen(): Fact[] {
    const facts: Fact[] = [];
    for (const [id, instance] of this.#open) {
      const chosen = this.#ledger.chosen(instance);
      if (chosen === null) continue;
      this.#open.delete(id);
      this.#chosen.add(id);
      const { key, slot } = instance;
      const value = this.#names.digest(chosen.digest);
      const ballot = this.#names.ballot(chosen.ballot, key);
      const voters = [...this.#ledger.votersFor(instance, chosen.digest)].sort().join(" ");
      const what = key === null ? `slot ${slot} ${value}` : `⟨${key} = ${value}⟩`;
      const about = { key, from: slot, to: slot + 1, ballots: [ballot], isPhase1: false };
      facts.push({ text: `${what} at ${ballot}, voted by ${voters}`, about });
    }
    return facts.sort((a, b) => a.about.from - b.about.from);
  }

  /** Returns what a learner learned in a step. */
  learned(runner: ObservedRole, step: Step): Fact[] {
    if (runner.definition.name !== "learner") return [];
    const { taken, data } = step.snapshot.context as {
      readonly taken: readonly ChosenEntry[];
      readonly data: { readonly keys: { readonly decided: ReadonlyMap<string, KnownKey> } };
    };
    const facts: Fact[] = [];
    if (this.#taken.get(runner) !== taken) {
      this.#taken.set(runner, taken);
      for (const { slot, value, ballot } of taken) {
        const ballots = [this.#names.ballot(ballot)];
        const about = { key: null, from: slot, to: slot + 1, ballots, isPhase1: false };
        facts.push({ text: `learns slot ${slot} ${this.#names.value(value)}`, about });
      }
    }
    const known = this.#keys.get(runner) ?? new Set<string>();
    this.#keys.set(runner, known);
    if (known.size === data.keys.decided.size) return facts;
    for (const [key, { value, ballot }] of data.keys.decided) {
      if (known.has(key)) continue;
      known.add(key);
      const ballots = [this.#names.ballot(ballot, key)];
      const about = { key, from: 0, to: 1, ballots, isPhase1: false };
      facts.push({ text: `learns ⟨${key} = ${this.#names.keyValue(value)}⟩`, about });
    }
    return facts;
  }

  /** Says what published entries are about. */
  fed(entries: readonly FeedEntry[]): About {
    const slots = entries.map(({ slot }) => slot);
    const ballots = entries.map(({ ballot }) => this.#names.ballot(ballot));
    const [from, to] = [Math.min(...slots), Math.max(...slots) + 1];
    return { key: null, from, to, ballots, isPhase1: false };
  }

  #note(instance: Instance): void {
    const id = instanceId(instance);
    if (!this.#chosen.has(id)) this.#open.set(id, { key: instance.key, slot: instance.slot });
  }
}
