/** Traces a learner: `learn`, and `feed` for what it publishes. */

import type { Effect } from "../kernel/effect.js";
import type { ObservedRole } from "../kernel/observer.js";
import type { Learned, RoleEvent } from "../kernel/role.js";
import type { Step } from "../kernel/step.js";
import { digest } from "../paxos/digest.js";
import { type TracedKeys, type TraceFile, type TraceOptions, valOf } from "./file.js";
import { keyFiles, logFile, type RoleTrace } from "./role.js";

interface KeySaid {
  readonly file: TraceFile;
  isLearned: boolean;
}

/** Traces one incarnation of a learner. */
export class LearnerTrace implements RoleTrace {
  readonly #file: TraceFile;
  readonly #learned: Learned;
  readonly #keys: TracedKeys<KeySaid>;
  /** The next slot to learn: it learns in order. */
  #next = 0;

  constructor(options: TraceOptions, runner: ObservedRole, learned: Learned) {
    this.#file = logFile(options, runner);
    this.#learned = learned;
    const make = (file: TraceFile) => ({ file, isLearned: false });
    const max = Math.max(65_536, options.cluster.limits.decideKeysMax);
    this.#keys = keyFiles(options, runner, make, max);
  }

  stepped(_instance: string, event: RoleEvent | null, { snapshot }: Step): void {
    for (const { slot, value } of this.#learned.entries(snapshot)) {
      if (slot < this.#next) continue; // of an earlier step
      this.#next = slot + 1;
      this.#file.write("learn", { slot, val: valOf(digest(value)) });
    }
    if (event === null || !("received" in event)) return;
    for (const { message } of event.received) {
      if ("key" in message) this.#lookAt(message.key, this.#learned.key(snapshot, message.key));
    }
  }

  leaves(effect: Effect): void {
    const entries = this.#learned.published(effect) ?? [];
    const first = entries[0]?.position;
    if (first !== undefined) this.#file.write("feed", { first, count: entries.length });
  }

  #lookAt(key: string, keyDigest: string | null): void {
    if (keyDigest === null) return;
    const said = this.#keys.at(key);
    if (said.isLearned) return;
    said.isLearned = true;
    said.file.write("learn", { val: valOf(keyDigest) });
  }
}
