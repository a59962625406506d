/**
 * Origins: which memory of which role made a message, an effect or a record, and which messages one
 * step made together.
 *
 * Why: a monitor that knew things by the names and numbers that stand in them would be blind to a
 * product that uses a name twice. So the monitor goes by the objects that a step made. A message
 * that travels is encoded and decoded by the one codec of the world, which remembers for each
 * payload what it was made of. A message without an origin was made by nobody: a stranger's.
 */

import type { Effect } from "../../kernel/effect.js";
import type { ObservedRole } from "../../kernel/observer.js";
import type { Codec } from "../../kernel/ports.js";
import type { Step } from "../../kernel/step.js";
import type { Message, Promise1b } from "../../paxos/wire/messages.js";
import type { StoreRecord } from "../../paxos/wire/record.js";

/** A role's memory: from a start, or from reading its store again, to the next one. */
export interface Memory {
  readonly runner: ObservedRole;
  /** The role, its process, that one's life, and which memory of it this is. */
  readonly by: string;
}

/** A whole promise as the acceptor's step made it: all of its parts. */
export interface MadePromise {
  readonly memory: Memory;
  readonly parts: readonly Promise1b[];
  /** The first slot that was asked for. */
  readonly fromSlot: number;
}

/** Knows what was made by whom. */
export class Origins {
  readonly #memories = new WeakMap<ObservedRole, Map<string, Memory>>();
  readonly #starts = new WeakMap<ObservedRole, number>();
  readonly #makers = new WeakMap<Message | Effect | StoreRecord, Memory>();
  readonly #promises = new WeakMap<Message, MadePromise>();
  /** What a payload was encoded from. */
  readonly #payloads = new WeakMap<Uint8Array, Message>();
  /** What a decoded message was before it was encoded. */
  readonly #originals = new WeakMap<Message, Message>();

  /** Puts a look at every message in front of a codec. */
  watch(codec: Codec): Codec {
    return {
      encode: (sender, lc, message) => {
        const payload = codec.encode(sender, lc, message);
        this.#payloads.set(payload, message);
        return payload;
      },
      decode: (verb, payload) => {
        const read = codec.decode(verb, payload);
        const original = this.#payloads.get(payload);
        if ("message" in read && original !== undefined) {
          this.#originals.set(read.message, original);
        }
        return read;
      },
    };
  }

  /** A payload was changed on its way: what arrives is still the message that was sent. */
  falsified(payload: Uint8Array, arrives: Uint8Array): void {
    const message = this.#payloads.get(payload);
    if (message !== undefined) this.#payloads.set(arrives, message);
  }

  /** A machine begins: with what its store holds, or for a key. @returns its memory */
  started(runner: ObservedRole, instance: string, by: string): Memory {
    const start = (this.#starts.get(runner) ?? 0) + 1;
    this.#starts.set(runner, start);
    const memory = { runner, by: start === 1 ? by : `${by}, memory ${start}` };
    const memories = this.#memories.get(runner) ?? new Map<string, Memory>();
    this.#memories.set(runner, memories.set(instance, memory));
    return memory;
  }

  /** The memory that a machine has now. */
  memoryOf(runner: ObservedRole, instance = ""): Memory | undefined {
    return this.#memories.get(runner)?.get(instance);
  }

  /** A machine made this step. @param fromSlot where a prepare that it heard begins */
  stepped(memory: Memory, { effects }: Step, fromSlot: number): void {
    const parts: Promise1b[] = [];
    for (const effect of effects) {
      this.#makers.set(effect, memory);
      if (effect.kind === "persist") {
        for (const record of effect.records) this.#makers.set(record, memory);
      }
      if (effect.kind !== "send" && effect.kind !== "broadcast") continue;
      const { message } = effect;
      // What is said again later is what it was when it was made.
      if (!this.#makers.has(message)) this.#makers.set(message, memory);
      if (message.type === "promise" && !this.#promises.has(message)) parts.push(message);
    }
    const whole = { memory, parts, fromSlot };
    for (const part of parts) this.#promises.set(part, whole);
  }

  /** Who made something; of a message that was heard, who said it. */
  makerOf(made: Message | Effect | StoreRecord): Memory | undefined {
    return this.#makers.get(made) ?? this.#makers.get(this.#original(made as Message));
  }

  /** The promise that a part belongs to, and that part as it was made. */
  promiseOf(
    part: Promise1b,
  ): { readonly whole: MadePromise; readonly part: Promise1b } | undefined {
    const original = this.#original(part) as Promise1b;
    const whole = this.#promises.get(original);
    return whole === undefined ? undefined : { whole, part: original };
  }

  #original(message: Message): Message {
    return this.#originals.get(message) ?? message;
  }
}
