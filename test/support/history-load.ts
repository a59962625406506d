/**
 * Clients that keep a running cluster busy and record what they do and are told, until they are
 * stopped: values of their own into the log, and keys decided by several at once.
 *
 * It does not mind what happens to the cluster: whatever a call ends with is in the history, and
 * the next call comes after a pause.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { createSeededRandom, type SeededRandom } from "../../src/adapters/memory/random.js";
import { SynodError } from "../../src/client/errors.js";
import type { History } from "../../src/client/history.js";
import type { Synod } from "../../src/client/synod.js";

/** A load. */
export interface LoadOptions {
  /** Opens one more client, with these as its `recorder`; asked again until it succeeds. */
  readonly open: (recorder: readonly History[]) => Promise<Synod>;
  readonly propose: History<"propose">;
  readonly decide: History<"decide">;
  /** Clients at once, each with a session of its own; 4 if left out. */
  readonly clients?: number | undefined;
  /** Keys that are decided at the same time; 3 if left out. */
  readonly keysAtOnce?: number | undefined;
  /** Keys in all; then the last ones are asked for again. The acceptors keep them for ever. */
  readonly keysMax?: number | undefined;
  /** How long a call waits before its outcome counts as unknown, in milliseconds. */
  readonly timeoutMs?: number | undefined;
  /** Pause of a client after a call, in milliseconds, at most. */
  readonly pauseMs?: number | undefined;
  readonly seed?: number | undefined;
}

/** How calls ended. */
export interface LoadCounts {
  proposed: number;
  decided: number;
  asked: number;
  /** Ended with an error, certainly without effect or not. */
  failed: number;
  /** Clients that could not be opened at once, and were tried again. */
  unopened: number;
}

/** A load that runs. */
export interface HistoryLoad {
  /** What happened so far. */
  readonly counts: Readonly<LoadCounts>;
  /** Ends it: waits for the calls under way, and closes the clients. */
  stop(): Promise<Readonly<LoadCounts>>;
}

/** Calls for one key, by all clients, before it is left alone. */
const CALLS_PER_KEY = 8;
/** Proposals of one client at once, at most. */
const BURST_MAX = 3;
const REOPEN_MS = 100;

/** Starts a load. */
export function historyLoad(options: LoadOptions): HistoryLoad {
  const load = new Load(options);
  const random = createSeededRandom(options.seed ?? 1);
  const names = Array.from({ length: options.clients ?? 4 }, (_, i) => `w${i + 1}`);
  const running = Promise.all(names.map((name) => load.run(name, random.fork(name))));
  return {
    counts: load.counts,
    stop: async () => {
      load.isStopping = true;
      await running;
      return load.counts;
    },
  };
}

class Load {
  isStopping = false;
  readonly counts: LoadCounts = { proposed: 0, decided: 0, asked: 0, failed: 0, unopened: 0 };
  readonly #options: LoadOptions;
  #keyCalls = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  async run(name: string, random: SeededRandom): Promise<void> {
    const synod = await this.#open();
    const { pauseMs = 5 } = this.#options;
    for (let turn = 1; !this.isStopping && synod !== null; turn++) {
      await this.#turn(synod, `${name}.${turn}`, random);
      await sleep(random.next() * pauseMs);
    }
    await synod?.close();
  }

  async #open(): Promise<Synod | null> {
    const { open, propose, decide } = this.#options;
    while (!this.isStopping) {
      try {
        return await open([propose, decide]);
      } catch (error) {
        if (!(error instanceof SynodError)) throw error;
        this.counts.unopened++;
        await sleep(REOPEN_MS);
      }
    }
    return null;
  }

  async #turn(synod: Synod, value: string, random: SeededRandom): Promise<void> {
    const call = { timeoutMs: this.#options.timeoutMs ?? 1000 };
    const dice = random.integer(10);
    if (dice < 5) {
      const burst = Array.from(
        { length: 1 + random.integer(BURST_MAX) },
        (_, i) => `${value}.${i}`,
      );
      const calls = burst.map((one) => this.#count("proposed", synod.propose(one, call)));
      await Promise.all(calls);
    } else if (dice < 8) await this.#count("decided", synod.decide(this.#key(random), value, call));
    else await this.#count("asked", synod.decide(this.#key(random), undefined, call));
  }

  /** One of a few keys, which give way to new ones. */
  #key(random: SeededRandom): string {
    const { keysAtOnce = 3, keysMax = 300 } = this.#options;
    const round = Math.floor(this.#keyCalls++ / (CALLS_PER_KEY * keysAtOnce));
    const first = Math.min(round * keysAtOnce, Math.max(0, keysMax - keysAtOnce));
    return `k${first + random.integer(keysAtOnce)}`;
  }

  async #count(kind: "proposed" | "decided" | "asked", call: Promise<unknown>): Promise<void> {
    try {
      await call;
      this.counts[kind]++;
    } catch (error) {
      if (!(error instanceof SynodError)) throw error;
      this.counts.failed++;
    }
  }
}
