/**
 * The network of a run: what becomes of each message, by weather, partitions and chance.
 */

import type { Copy, Delivery } from "../../adapters/memory/bus.js";
import type { SeededRandom } from "../../adapters/memory/random.js";
import { parseSubject, type Space } from "../../kernel/bus/subject.js";
import type { Codec } from "../../kernel/ports.js";
import { CALM, type Fault, type Weather } from "../plan/plan.js";
import type { Coverage } from "../world/coverage.js";
import { NUMBERED, withWrongNumber } from "./wrong-numbers.js";

/** Longest that an overtaken message takes, and one that is late. */
const REORDER_MS = 40;
const LATE_MS = 4000;

interface Late {
  readonly from: string;
  readonly untilMs: number;
}

/** Loses, repeats, delays, blocks and damages messages. */
export class Network {
  weather: Weather;
  /** Set while nothing may go wrong with messages. */
  isHeld = false;
  /** Says which subjects nothing passes on. */
  isCut: (subject: string) => boolean = () => false;
  /** Told of each message that is neither lost nor damaged, and when it arrives. */
  onCarried: ((delivery: Delivery, delayMs: number) => void) | null = null;
  /** Told when the undamaged copies of each message arrive: of none, if it is lost. */
  onDecided: ((delivery: Delivery, copies: readonly number[]) => void) | null = null;
  /** Called with each payload that gets a wrong number, and with the payload that arrives. */
  onFalsified: ((payload: Uint8Array, falsified: Uint8Array) => void) | null = null;
  readonly #random: SeededRandom;
  readonly #flips: SeededRandom;
  readonly #space: Space;
  readonly #latencyMs: number;
  readonly #coverage: Coverage;
  readonly #codec: Codec;
  readonly #nowMs: () => number;
  /** Share of the messages with a watermark or round that arrive with a wrong one, 0 … 1. */
  #wrongNumbers = 0;
  readonly #muffled = new Set<string>();
  readonly #blocked = new Map<string, number>();
  /** When the last message of each pair arrives: a connection keeps their order. */
  readonly #arrivals = new Map<string, number>();
  #late: Late[] = [];

  constructor(options: {
    readonly weather: Weather;
    readonly latencyMs: number;
    readonly random: SeededRandom;
    readonly coverage: Coverage;
    readonly codec: Codec;
    readonly space: Space;
    readonly nowMs: () => number;
  }) {
    this.weather = options.weather;
    this.#latencyMs = options.latencyMs;
    this.#random = options.random;
    this.#flips = options.random.fork("flips");
    this.#space = options.space;
    this.#coverage = options.coverage;
    this.#codec = options.codec;
    this.#nowMs = options.nowMs;
  }

  /** Blocks messages of these pairs until the block is lifted. @returns lifts it */
  block(pairs: readonly (readonly [string, string])[]): () => void {
    const names = pairs.map(([from, to]) => `${from}>${to}`);
    for (const name of names) this.#blocked.set(name, (this.#blocked.get(name) ?? 0) + 1);
    return () => {
      for (const name of names) this.#blocked.set(name, (this.#blocked.get(name) ?? 1) - 1);
    };
  }

  /** Changes the weather, or puts wrong numbers into a share of the messages. @returns ends it */
  disturb(fault: Extract<Fault, { kind: "weather" | "wrongNumbers" }>): () => void {
    if (fault.kind === "wrongNumbers") {
      this.#wrongNumbers = fault.share;
      return () => {
        this.#wrongNumbers = 0;
      };
    }
    const before = this.weather;
    this.weather = fault.weather;
    return () => {
      if (this.weather === fault.weather) this.weather = before;
    };
  }

  /** Loses half of what a process says. @returns ends it */
  muffle(process: string): () => void {
    this.#muffled.add(process);
    return () => void this.#muffled.delete(process);
  }

  /** Lifts all blocks and calms the weather, for good. */
  heal(): void {
    this.#blocked.clear();
    this.#muffled.clear();
    this.weather = CALM;
    this.#wrongNumbers = 0;
  }

  /** Notes that a process died: what it said and has not arrived comes from the dead. */
  died(process: string): void {
    const nowMs = this.#nowMs();
    this.#late = this.#late.filter(({ untilMs }) => untilMs > nowMs);
    const dead = this.#late.filter(({ from }) => from === process).length;
    if (dead > 0) this.#coverage.count("messages of dead lives", dead);
  }

  /** Says when the copies of a message arrive, in milliseconds from now, and damages some. */
  decide(delivery: Delivery): readonly Copy[] {
    const copies = this.#copies(delivery).map((delayMs) => this.#damage(delivery, delayMs));
    const whole = copies.filter((copy) => typeof copy === "number");
    if (whole[0] !== undefined) this.onCarried?.(delivery, whole[0]);
    this.onDecided?.(delivery, whole);
    return copies;
  }

  /** Puts a wrong number into a copy as if nothing could see the change, or flips one bit of it. */
  #damage(delivery: Delivery, delayMs: number): Copy {
    const payload = this.isHeld ? null : this.#falsified(delivery.message);
    return payload === null ? this.#flipped(delivery, delayMs) : { delayMs, payload };
  }

  /**
   * Flips one bit of a copy, or of none. Only of messages between roles: public messages carry no
   * checksum, so a role must believe what a client seems to ask.
   */
  #flipped({ from, message }: Delivery, delayMs: number): Copy {
    const { flip = 0 } = this.weather;
    const { subject, payload } = message;
    if (flip === 0 || from === undefined || this.isHeld || payload.length === 0) return delayMs;
    if (parseSubject(this.#space, subject) === undefined) return delayMs;
    if (this.#flips.next() >= flip) return delayMs;
    this.#coverage.count("messages with a flipped bit");
    const damaged = payload.slice();
    const bit = this.#flips.integer(damaged.length * 8);
    damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
    return { delayMs, payload: damaged };
  }

  #copies({ from, to, message }: Delivery): readonly number[] {
    const random = this.#random;
    const usual = this.#inOrder(from, to, (0.05 + random.next() * 0.95) * this.#latencyMs);
    if (from === undefined || this.isHeld) return [usual];
    const isBlocked = from !== to && (this.#blocked.get(`${from}>${to}`) ?? 0) > 0;
    if (isBlocked || this.isCut(message.subject)) {
      return this.#lose("messages blocked", message);
    }
    const { loss, repeat, reorder, late } = this.weather;
    const lost = this.#muffled.has(from) ? Math.max(loss, 0.5) : loss;
    if (lost > 0 && random.next() < lost) {
      return this.#lose("messages lost", message);
    }
    const copies = [this.#delay(usual, reorder, late, from)];
    if (repeat > 0 && random.next() < repeat) {
      this.#coverage.count("messages repeated");
      copies.push(usual + random.next() * REORDER_MS);
    }
    return copies;
  }

  #lose(what: string, { subject, payload }: Delivery["message"]): readonly number[] {
    this.#coverage.count(what);
    if (this.#isPartOfPromise(subject, payload)) this.#coverage.count("promise parts lost");
    return [];
  }

  /** A message with a wrong number in it; null if it is left as it is. */
  #falsified({ subject, payload }: Delivery["message"]): Uint8Array | null {
    const verb = parseSubject(this.#space, subject)?.verb ?? "";
    if (this.#wrongNumbers === 0 || !NUMBERED.has(verb)) return null;
    if (this.#random.next() >= this.#wrongNumbers) return null;
    const read = this.#codec.decode(verb, payload);
    if (!("message" in read)) return null;
    const wrong = withWrongNumber(read.message, this.#random);
    if (wrong === null) return null;
    this.#coverage.count(`wrong ${wrong.what}: ${verb}`);
    const falsified = this.#codec.encode(read.sender, read.lc, wrong.message);
    this.onFalsified?.(payload, falsified);
    return falsified;
  }

  #inOrder(from: string | undefined, to: string, latencyMs: number): number {
    const pair = `${from}>${to}`;
    const nowMs = this.#nowMs();
    const atMs = Math.max(nowMs + latencyMs, this.#arrivals.get(pair) ?? 0);
    this.#arrivals.set(pair, atMs);
    return atMs - nowMs;
  }

  #delay(usual: number, reorder: number, late: number, from: string): number {
    if (late > 0 && this.#random.next() < late) {
      this.#coverage.count("messages late");
      const delayMs = usual + this.#random.next() * LATE_MS;
      this.#late.push({ from, untilMs: this.#nowMs() + delayMs });
      return delayMs;
    }
    if (reorder > 0 && this.#random.next() < reorder) {
      return usual + this.#random.next() * REORDER_MS;
    }
    return usual;
  }

  #isPartOfPromise(subject: string, payload: Uint8Array): boolean {
    if (!subject.includes(".promise.")) return false;
    const read = this.#codec.decode("promise", payload);
    return "message" in read && read.message.type === "promise" && read.message.parts > 1;
  }
}
