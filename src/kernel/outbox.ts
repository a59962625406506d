/**
 * The outbox of one role: what its steps asked to be said, held back until the disk has it.
 *
 * Rule: a message waits for every write that precedes its step, of its own drain or an earlier one.
 * Only verbs that state nothing the role remembers may overtake: those that the table of verbs
 * calls `stateless`.
 */
import { VERBS } from "../paxos/wire/verbs.js";
import type { Effect } from "./effect.js";

interface Held {
  readonly afterWrite: number;
  readonly effect: Effect;
}

/** Holds effects back until the writes before them are durable. */
export class Outbox {
  readonly #release: (effect: Effect) => void;
  #held: Held[] = [];
  #issued = 0;
  #durable = 0;
  /** Writes up to this one were given up, or were durable by then. */
  #givenUp = 0;

  /** @param release carries an effect out; called in the order of the steps */
  constructor(release: (effect: Effect) => void) {
    this.#release = release;
  }

  /** Messages that wait for the disk. */
  get size(): number {
    return this.#held.length;
  }

  /** Transactions under way. */
  get writesInFlight(): number {
    return this.#issued - this.#durable;
  }

  /** Announces a transaction; effects added from now on wait for it. @returns its number */
  beginWrite(): number {
    return ++this.#issued;
  }

  /** Adds effects of one drain, in order. */
  add(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (this.#issued === this.#durable || mayOvertake(effect)) this.#release(effect);
      else this.#held.push({ afterWrite: this.#issued, effect });
    }
  }

  /** Releases what waited for this transaction and those before it. */
  written(write: number): void {
    this.#durable = Math.max(this.#durable, write);
    let released = 0;
    for (const { afterWrite, effect } of this.#held) {
      if (afterWrite > this.#durable) break;
      released++;
      this.#release(effect);
    }
    if (released > 0) this.#held = this.#held.slice(released);
  }

  /** Forgets what is held, and gives up every write under way: its answer changes nothing. */
  discard(): void {
    this.#held = [];
    this.#durable = this.#issued;
    this.#givenUp = this.#issued;
  }

  /** Says whether a write under way was given up since it was announced. */
  hasGivenUp(write: number): boolean {
    return write <= this.#givenUp;
  }
}

/** Says whether an effect states nothing that its role remembers, so that it need not wait. */
export function mayOvertake(effect: Effect): boolean {
  if (effect.kind === "send" || effect.kind === "broadcast") {
    return VERBS[effect.message.type].stateless === true;
  }
  return false;
}
