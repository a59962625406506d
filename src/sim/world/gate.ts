/**
 * The gate of one simulated process: everything that calls into it passes here, so that a process
 * can be stalled, run on a clock of its own, and die in the middle of a sentence.
 */

import type { MemoryTransport } from "../../adapters/memory/transport.js";
import type {
  Answer,
  Clock,
  Disk,
  DiskBatch,
  DiskError,
  DiskRoom,
  EndSubscription,
  Headers,
  Incoming,
  PublishOptions,
  Transport,
  TransportStatus,
} from "../../kernel/ports.js";

/** Where calls into a process wait while it is stalled. Calls of a dead one are dropped. */
export class Gate {
  isDead = false;
  #isStalled = false;
  #held: (() => void)[] = [];

  /** Runs a call of the outside into the process: now, after the stall, or never. */
  enter(call: () => void): void {
    if (this.isDead) return;
    if (this.#isStalled) this.#held.push(call);
    else call();
  }

  /** Stops its event loop: what comes in waits, in order. */
  stall(): void {
    this.#isStalled = true;
  }

  /** Lets it go on, with everything that came meanwhile. */
  resume(): void {
    if (!this.#isStalled) return;
    this.#isStalled = false;
    const held = this.#held;
    this.#held = [];
    for (const call of held) this.enter(call);
  }
}

/** A process's own clock: it may run fast or slow, and jump ahead, but never goes back. */
export class DriftingClock implements Clock {
  readonly #clock: Clock;
  readonly #gate: Gate;
  readonly #rate: number;
  readonly #beganMs: number;
  #aheadMs = 0;

  /** @param rate its milliseconds in one of the world, 0.5 … 2 */
  constructor(clock: Clock, gate: Gate, rate: number) {
    this.#clock = clock;
    this.#gate = gate;
    this.#rate = rate;
    this.#beganMs = clock.nowMs();
  }

  nowMs(): number {
    return (this.#clock.nowMs() - this.#beganMs) * this.#rate + this.#beganMs + this.#aheadMs;
  }

  setTimer(delayMs: number, fire: () => void): () => void {
    return this.#clock.setTimer(delayMs / this.#rate, () => this.#gate.enter(fire));
  }

  soon(run: () => void): void {
    this.#clock.soon(() => this.#gate.enter(run));
  }

  endOfTurn(run: () => void): void {
    this.#clock.endOfTurn(() => this.#gate.enter(run));
  }

  /** Jumps ahead, as after a suspended machine wakes. */
  jump(ms: number): void {
    this.#aheadMs += ms;
  }
}

/** A process's connection. It may be told to die at its n-th message from now. */
export class GatedTransport implements Transport {
  readonly link: MemoryTransport;
  readonly #gate: Gate;
  #mortal: { left: number; readonly die: () => void } | null = null;

  constructor(link: MemoryTransport, gate: Gate) {
    this.link = link;
    this.#gate = gate;
    // A worker counts a message whose reading throws; here that is a bug, and ends the run.
    link.onStatus((status) => {
      if (status.kind === "unread") throw status.error;
    });
  }

  get payloadBytesMax(): number {
    return this.link.payloadBytesMax;
  }

  get place(): string {
    return this.link.place;
  }

  checkPayloadBytesMax(): void {
    if (!this.#gate.isDead) this.link.checkPayloadBytesMax();
  }

  get connected(): boolean {
    return this.link.connected;
  }

  get silentServers(): readonly string[] {
    return this.link.silentServers;
  }

  newInbox(): string {
    return this.link.newInbox();
  }

  /** The process dies when it has published so many more messages: others of a burst are lost. */
  dieAfter(messages: number, die: () => void): void {
    this.#mortal = { left: messages, die };
  }

  /** It goes on living after all. */
  spare(): void {
    this.#mortal = null;
  }

  publish(subject: string, payload: Uint8Array, options?: PublishOptions): void {
    if (this.#gate.isDead) return;
    if (this.#mortal !== null && this.#mortal.left-- <= 0) {
      this.#mortal.die();
      return;
    }
    this.link.publish(subject, payload, options);
  }

  subscribe(
    subject: string,
    heard: (message: Incoming) => void,
    options?: { readonly queue?: string | undefined },
  ): EndSubscription {
    const end = this.link.subscribe(
      subject,
      (message) => this.#gate.enter(() => heard(message)),
      options,
    );
    return (drained) => end(drained && (() => this.#gate.enter(drained)));
  }

  request(
    subject: string,
    payload: Uint8Array,
    options: { readonly timeoutMs: number; readonly headers?: Headers | undefined },
    done: (answer: Answer) => void,
  ): void {
    if (this.#gate.isDead) return;
    this.link.request(subject, payload, options, (answer) => this.#gate.enter(() => done(answer)));
  }

  onStatus(heard: (status: TransportStatus) => void): () => void {
    return this.link.onStatus((status) => this.#gate.enter(() => heard(status)));
  }

  flush(): Promise<void> {
    return this.link.flush();
  }

  drain(): Promise<void> {
    return this.link.drain();
  }
}

/** A process's hold on a store's file. */
export class GatedDisk implements Disk {
  readonly #disk: Disk;
  readonly #gate: Gate;

  constructor(disk: Disk, gate: Gate) {
    this.#disk = disk;
    this.#gate = gate;
  }

  get file(): string {
    return this.#disk.file;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#disk.get(key);
  }

  scan(
    from: Uint8Array,
    to: Uint8Array | null,
    visit: (key: Uint8Array, bytes: Uint8Array) => boolean | undefined,
  ): void {
    this.#disk.scan(from, to, visit);
  }

  commit(batch: DiskBatch, done: (error: DiskError | null) => void): void {
    if (this.#gate.isDead) return;
    this.#disk.commit(batch, (error) => this.#gate.enter(() => done(error)));
  }

  hasRoom(bytes: number): boolean {
    return this.#disk.hasRoom(bytes);
  }

  room(): DiskRoom {
    return this.#disk.room();
  }

  close(): void {
    this.#disk.close();
  }
}
