/**
 * An older copy of an acceptor's store, put back in place: the same file with what it held before.
 *
 * Only where a living process has seen a later write of that store must it be refused, so the
 * copy keeps watch from the moment it is taken: who heard what.
 */

import type { MemoryFile } from "../../adapters/memory/disk.js";
import { parseSubject } from "../../kernel/bus/subject.js";
import type { Codec } from "../../kernel/ports.js";
import { decodeMeta, META_KEY, type RawRecord } from "../../paxos/wire/record.js";
import type { SimProcess } from "../world/process.js";
import type { World } from "../world/world.js";
import type { Network } from "./network.js";

/** A message that takes longer may find its hearer cut off and back again. */
const PROMPT_MS = 20;

/** A copy, and who would object to it. */
export class OlderCopy {
  readonly #world: World;
  readonly #network: Network;
  readonly #codec: Codec;
  readonly #file: MemoryFile;
  readonly #acceptor: string;
  readonly #older: readonly RawRecord[];
  #newest: readonly RawRecord[] = [];
  /** Processes that have heard of a later write. */
  readonly #witnesses = new Set<SimProcess>();
  readonly #watch: NonNullable<Network["onCarried"]>;

  constructor(world: World, network: Network, codec: Codec, file: MemoryFile, acceptor: string) {
    this.#world = world;
    this.#network = network;
    this.#codec = codec;
    this.#file = file;
    this.#acceptor = acceptor;
    this.#older = file.pairs();
    this.#watch = ({ to, message }, delayMs) => this.#note(to, message, delayMs);
    network.onCarried = this.#watch;
  }

  /** Ends the watch. @returns whether some living process would object */
  endWatch(): boolean {
    if (this.#network.onCarried !== this.#watch) return false;
    this.#network.onCarried = null;
    return [...this.#witnesses].some(
      (one) => !one.gate.isDead && !one.files.has(`acceptor ${this.#acceptor}`),
    );
  }

  /** Puts the older content in place. */
  putBack(): void {
    this.#newest = this.#file.pairs();
    refill(this.#file, this.#older);
  }

  /** Puts back what was there before. */
  restore(): void {
    refill(this.#file, this.#newest);
  }

  /** Says whether the acceptor that was started on it has halted. */
  wasRefused(): boolean {
    const runner = this.#world.find("acceptor", this.#acceptor);
    return runner === undefined || runner.halted !== null;
  }

  #note(to: string, message: { subject: string; payload: Uint8Array }, delayMs: number): void {
    const space = { prefix: "synod", cluster: this.#world.cluster.name };
    const route = parseSubject(space, message.subject);
    const hearer = this.#world.processes.get(to);
    if (route?.fromId !== this.#acceptor || hearer === undefined || delayMs > PROMPT_MS) return;
    // A greeting is no evidence: whoever hears one notes nothing.
    if (!hearer.transport.connected || route.verb === "hello") return;
    const read = this.#codec.decode(route.verb, message.payload);
    if (!("sender" in read) || read.sender.role !== "acceptor") return;
    const { incarnation, writeNumber } = read.sender;
    const then = this.#meta();
    const isLater =
      incarnation > then.incarnation ||
      (incarnation === then.incarnation && writeNumber > then.writeNumber);
    if (!isLater) return;
    this.#world.clock.setTimer(delayMs + 0.01, () => {
      if (!hearer.gate.isDead && hearer.transport.connected) this.#witnesses.add(hearer);
    });
  }

  #meta() {
    const meta = this.#older.find(({ key }) => key.length === 1 && key[0] === META_KEY[0]);
    return decodeMeta(meta?.bytes ?? new Uint8Array(0));
  }
}

function refill(file: MemoryFile, pairs: readonly RawRecord[]): void {
  for (const { key } of file.pairs()) file.remove(key);
  for (const { key, bytes } of pairs) file.write(key, bytes);
}
