/**
 * Load from clients of the library, with a record of what each was told.
 *
 * Replaceable: whoever starts a load needs {@link Load} only.
 */
import { SynodError } from "../../../src/client/errors.js";
import { connect, type History, type Receipt, type Synod } from "../../../src/index.js";
import { digest } from "../../../src/paxos/digest.js";
import { judge, type LogEntry, type Told } from "./verdict.js";

/** A load under way. */
export interface Load {
  /** Proposals that were acknowledged so far. */
  readonly acknowledged: number;
  /** Milliseconds between two values of the feed, at most, so far. */
  readonly silenceMsMax: number;
  /** Milliseconds since the last value of the feed. */
  readonly silenceMs: number;
  /** Proposes one more value, which must be acknowledged. */
  probe(number: number): Promise<Receipt>;
  /** Proposes a large value, and does not wait for what becomes of it. */
  press(bytes: number): void;
  /** Ends the load: waits for the answers under way, and for the feed to bring all of it. */
  stop(): Promise<void>;
  /** Reads the whole log anew, from whoever answers for history now; call it after `stop`. */
  readLog(): Promise<void>;
  /** Says what was wrong, and what happened; call it after `stop`. */
  verdict(): LoadVerdict;
  close(): Promise<void>;
}

/** What became of a load. */
export interface LoadVerdict {
  /** Empty if all is well. */
  readonly failures: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

/** How to load a cluster. */
export interface LoadOptions {
  readonly cluster: string;
  /** Servers, with commas between. */
  readonly nats: string;
  readonly clients: number;
  /** Proposals of one client that wait at once. */
  readonly pipeline: number;
  /** Bytes of the values of each client, in turns. */
  readonly valueBytes: readonly number[];
  /** Milliseconds a client pauses after each answer. */
  readonly pauseMs: number;
  /** Hear what the clients do and are told: one of `propose`, one of `decide`. */
  readonly histories?: readonly History[] | undefined;
}

/** Milliseconds a call may wait: longer than most faults. */
const callMsMax = 15_000;
/** Milliseconds in which a healed cluster must take a value, and the feed bring it. */
const healedMsMax = 60_000;
const decideEvery = 25;
const keptChars = 64;
const followersCount = 2;

/** Starts clients that propose and decide until they are told to stop. */
export async function startLoad(options: LoadOptions): Promise<Load> {
  const load = new ClientLoad(options);
  await load.start();
  return load;
}

class ClientLoad implements Load {
  readonly #options: LoadOptions;
  readonly #open: Synod[] = [];
  readonly #told: Told[] = [];
  readonly #logs: LogEntry[][] = [];
  readonly #decided: { readonly key: string; readonly value: string }[] = [];
  readonly #work: Promise<void>[] = [];
  readonly #failures: string[] = [];
  readonly #errors: Record<string, number> = {};
  #lastMs = performance.now();
  #prober: Synod | undefined;
  #pressed = 0;
  #isOver = false;
  #end = 0;
  acknowledged = 0;
  silenceMsMax = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    for (let i = 0; i < followersCount; i += 1) {
      const log: LogEntry[] = [];
      this.#logs.push(log);
      this.#follow(await this.#connect(), log, i === 0);
    }
    this.#prober = await this.#connect();
    const { clients, pipeline, valueBytes } = this.#options;
    for (let i = 0; i < clients; i += 1) {
      const client = await this.#connect();
      let number = 0;
      // All lines of one client draw from one counter, so its calls have one order.
      const next = () => {
        number += 1;
        return number;
      };
      for (let line = 0; line < pipeline; line += 1) {
        const bytes = valueBytes[i % valueBytes.length] ?? 0;
        this.#work.push(this.#propose(client, `c${i}`, bytes, next));
      }
    }
    this.#lastMs = performance.now();
  }

  get silenceMs(): number {
    return performance.now() - this.#lastMs;
  }

  async probe(number: number): Promise<Receipt> {
    if (this.#prober === undefined) throw new Error("the load was not started");
    const value = `probe-${number}`;
    const receipt = await this.#prober.propose(value, { timeoutMs: healedMsMax });
    this.#told.push({ client: "probe", number, value, position: receipt.position });
    return receipt;
  }

  press(bytes: number): void {
    this.#pressed += 1;
    const value = `press-${this.#pressed} `.padEnd(bytes, "x");
    if (this.#prober === undefined) return;
    this.#work.push(this.#call(this.#prober, "press", this.#pressed, value));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#work);
    const last = await this.#connect();
    // A value behind all others: whoever has it has everything.
    const { position } = await last.propose("end", { timeoutMs: healedMsMax });
    this.#told.push({ client: "end", number: 1, value: "end", position });
    this.#end = position;
    for (const log of this.#logs) await this.#arrived(log);
    for (const key of new Set(this.#decided.map((one) => one.key))) {
      const value = await last.decide(key, undefined, { timeoutMs: healedMsMax });
      this.#decided.push({ key, value: String(value) });
    }
  }

  async readLog(): Promise<void> {
    const log: LogEntry[] = [];
    this.#logs.push(log);
    this.#follow(await this.#connect(), log, false);
    await this.#arrived(log);
  }

  verdict(): LoadVerdict {
    // A call that was given up may be chosen at any time; readers are compared up to one place.
    const logs = this.#logs.map((log) => log.filter(({ position }) => position <= this.#end));
    const found = judge({ told: this.#told, logs, decided: this.#decided });
    const counts = { ...found.counts, ...this.#errors };
    return { failures: [...this.#failures, ...found.failures], counts };
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.map((client) => client.close()));
  }

  async #connect(): Promise<Synod> {
    const { cluster, nats, histories: recorder } = this.#options;
    const servers = nats.split(",");
    const client = await connect({ cluster, nats: { servers }, recorder, timeoutMs: healedMsMax });
    this.#open.push(client);
    return client;
  }

  async #propose(client: Synod, name: string, bytes: number, next: () => number): Promise<void> {
    const { pauseMs } = this.#options;
    while (!this.#isOver) {
      const number = next();
      const value = `${name}-${number} `.padEnd(bytes, "x");
      await this.#call(client, name, number, value);
      if (number % decideEvery === 0) await this.#decide(client, name, number);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  async #call(client: Synod, name: string, number: number, value: string): Promise<void> {
    // Noted before it leaves: `told` lists the calls of a client in their order.
    const told: Told = { client: name, number, value: shorten(value) };
    this.#told.push(told);
    try {
      const { position } = await client.propose(value, { timeoutMs: callMsMax });
      told.position = position;
      this.acknowledged += 1;
    } catch (error) {
      told.refused = this.#noteError(error);
    }
  }

  async #decide(client: Synod, name: string, number: number): Promise<void> {
    // Every client comes to the same key at about the same time.
    const key = `key ${number / decideEvery}`;
    try {
      const value = await client.decide(key, `${key} by ${name}`, { timeoutMs: callMsMax });
      this.#decided.push({ key, value: String(value) });
    } catch (error) {
      this.#noteError(error);
    }
  }

  /** @returns whether the call certainly had no effect */
  #noteError(error: unknown): boolean {
    if (!(error instanceof SynodError)) {
      this.#failures.push(`a client threw ${String(error)}`);
      return false;
    }
    const name = `error_${error.code}`;
    this.#errors[name] = (this.#errors[name] ?? 0) + 1;
    return !error.mayHaveHappened;
  }

  #follow(client: Synod, log: LogEntry[], isTimed: boolean): void {
    const run = async () => {
      for await (const { position, slot, value } of client.chosen({ after: "start" })) {
        log.push({ position, slot, value: shorten(String(value)) });
        if (!isTimed || this.#isOver) continue;
        const nowMs = performance.now();
        this.silenceMsMax = Math.max(this.silenceMsMax, nowMs - this.#lastMs);
        this.#lastMs = nowMs;
      }
    };
    run().catch((error: unknown) => this.#failures.push(`a feed ended: ${String(error)}`));
  }

  async #arrived(log: readonly LogEntry[]): Promise<void> {
    const endMs = performance.now() + healedMsMax;
    while ((log.at(-1)?.position ?? 0) < this.#end) {
      if (performance.now() > endMs) {
        this.#failures.push(`a feed has ${log.length} of ${this.#end} values`);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** A value as it is kept: one that is long by its beginning, length and hash. */
function shorten(value: string): string {
  if (value.length <= keptChars) return value;
  const hash = digest(new TextEncoder().encode(value));
  return `${value.slice(0, keptChars / 2)} ${value.length} ${hash}`;
}
