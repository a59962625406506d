import type { Clock } from "../../kernel/ports.js";

/** A clock that stands still until it is told to go. */
export interface VirtualClock extends Clock {
  /** Callbacks of `soon` that wait. */
  readonly soonCount: number;
  /** Timers that are set. */
  readonly timerCount: number;
  /** When the next timer is due, undefined if none is set. */
  readonly nextTimerMs: number | undefined;
  /** Runs one callback of `soon`. @returns whether there was one */
  runOneSoon(): boolean;
  /** Runs the callbacks of `soon`, and those they add, until none is left. */
  runSoon(): void;
  /** Lets time pass: fires what becomes due, in order of time, each followed by `runSoon`. */
  advance(ms: number): void;
  /** Goes to the next timer and fires all that are due then. @returns whether there was one */
  advanceToNext(): boolean;
  /**
   * Goes from timer to timer until `isDone`.
   *
   * @param msMax how much time may pass, in milliseconds
   * @returns whether it came true
   */
  runUntil(isDone: () => boolean, msMax: number): boolean;
}

interface Timer {
  readonly atMs: number;
  /** Order among timers due at the same time: as they were set. */
  readonly turn: number;
  /** Undefined when cancelled. */
  fire: (() => void) | undefined;
}

/** Callbacks of `soon` in one go after which the world is taken for a loop. */
const soonMax = 1_000_000;

/** Makes a clock for tests and the simulator. @param startMs the time it shows first */
export function createVirtualClock(startMs = 0): VirtualClock {
  return new ManualClock(startMs);
}

class ManualClock implements VirtualClock {
  #nowMs: number;
  #turn = 0;
  #timerCount = 0;
  /** A binary heap: the timer due first is at 0. */
  readonly #timers: Timer[] = [];
  #soon: (() => void)[] = [];
  /** Callbacks of `#soon` that ran already. */
  #soonDone = 0;

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  get soonCount(): number {
    return this.#soon.length - this.#soonDone;
  }

  get timerCount(): number {
    return this.#timerCount;
  }

  get nextTimerMs(): number | undefined {
    this.#dropCancelled();
    return this.#timers[0]?.atMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, fire: () => void): () => void {
    this.#turn += 1;
    const delay = Math.max(0, delayMs || 0);
    const timer: Timer = { atMs: this.#nowMs + delay, turn: this.#turn, fire };
    this.#timerCount += 1;
    this.#timers.push(timer);
    rise(this.#timers, this.#timers.length - 1);
    return () => {
      if (timer.fire !== undefined) {
        timer.fire = undefined;
        this.#timerCount -= 1;
      }
    };
  }

  soon(run: () => void): void {
    this.#soon.push(run);
  }

  /** The bus in memory takes a message at once. */
  endOfTurn(run: () => void): void {
    run();
  }

  runOneSoon(): boolean {
    const run = this.#soon[this.#soonDone];
    if (run === undefined) {
      return false;
    }
    this.#soonDone += 1;
    if (this.#soonDone === this.#soon.length) {
      this.#soon = [];
      this.#soonDone = 0;
    }
    run();
    return true;
  }

  runSoon(): void {
    for (let count = 0; this.runOneSoon(); count += 1) {
      if (count === soonMax) {
        throw new Error(`the callbacks of soon do not end: ${soonMax} ran at ${this.#nowMs} ms`);
      }
    }
  }

  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    this.runSoon();
    while ((this.nextTimerMs ?? Number.POSITIVE_INFINITY) <= untilMs) {
      this.#fireNext();
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  advanceToNext(): boolean {
    this.runSoon();
    const next = this.nextTimerMs;
    if (next === undefined) {
      return false;
    }
    this.advance(next - this.#nowMs);
    return true;
  }

  runUntil(isDone: () => boolean, msMax: number): boolean {
    const untilMs = this.#nowMs + msMax;
    this.runSoon();
    while (!isDone()) {
      if ((this.nextTimerMs ?? Number.POSITIVE_INFINITY) > untilMs) {
        this.#nowMs = untilMs;
        return false;
      }
      this.#fireNext();
    }
    return true;
  }

  #fireNext(): void {
    const timer = this.#timers[0];
    if (timer === undefined) {
      return;
    }
    takeFirst(this.#timers);
    this.#nowMs = Math.max(this.#nowMs, timer.atMs);
    const { fire } = timer;
    if (fire !== undefined) {
      timer.fire = undefined;
      this.#timerCount -= 1;
      fire();
      this.runSoon();
    }
  }

  #dropCancelled(): void {
    while (this.#timers[0] !== undefined && this.#timers[0].fire === undefined) {
      takeFirst(this.#timers);
    }
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.turn < b.turn);
}

function rise(heap: Timer[], from: number): void {
  let at = from;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!isBefore(heap[at]!, heap[parent]!)) {
      return;
    }
    swap(heap, at, parent);
    at = parent;
  }
}

function takeFirst(heap: Timer[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) {
    return;
  }
  heap[0] = last;
  let at = 0;
  for (;;) {
    const left = 2 * at + 1;
    const right = left + 1;
    let first = at;
    if (left < heap.length && isBefore(heap[left]!, heap[first]!)) first = left;
    if (right < heap.length && isBefore(heap[right]!, heap[first]!)) first = right;
    if (first === at) {
      return;
    }
    swap(heap, at, first);
    at = first;
  }
}

function swap(heap: Timer[], a: number, b: number): void {
  const timer = heap[a]!;
  heap[a] = heap[b]!;
  heap[b] = timer;
}
