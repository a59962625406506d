/** Writes histories: what clients did and were told, in the format that `src/judge` reads. */
import type {
  HistoryHeader,
  HistoryModel,
  HistoryOperations,
  HistoryOut,
} from "../judge/format.js";

/** A history to write. */
export interface HistoryOptions<M extends HistoryModel = HistoryModel> {
  readonly model: M;
  readonly init?: Readonly<Record<string, string>> | undefined;
  readonly base?: number | undefined;
  readonly lease?: boolean | undefined;
  /** One clock for all clients of the file, in nanoseconds: `process.hrtime.bigint`, or virtual. */
  readonly nowNs: () => bigint;
  /**
   * Keeps a line, which ends with its line break: one unbuffered append, so that a killed process
   * leaves what it did.
   */
  readonly write: (line: string) => void;
}

/** A call that has no end yet. It ends once; one that never does is `info`. */
export interface OpenCall {
  /** It happened, and this was the answer. */
  ok(out?: HistoryOut): void;
  /** It certainly did not happen and will not. */
  fail(err: string): void;
  /** Unknown: it may have happened, and may yet. */
  info(err: string): void;
}

/**
 * Writes a history. Clients share it, so that the file has one header and one sequence of ids.
 *
 * A name has one open call. A client that begins another one meanwhile, or goes on after `info`,
 * does so under a further name: `c1`, `c1#2`, `c1#3` …
 */
export class History<M extends HistoryModel = HistoryModel> {
  readonly model: M;
  readonly #options: HistoryOptions<M>;
  /** By client: its names without an open call, and how many it ever had. */
  readonly #clients = new Map<string, { readonly idle: string[]; names: number }>();
  #ids = 0;
  #joined = 0;

  constructor(options: HistoryOptions<M>) {
    const { model, init = {}, base = 1, lease = false } = options;
    this.model = model;
    this.#options = options;
    this.#write({ hist: "hist/1", model, init, base, lease } satisfies HistoryHeader);
  }

  /** @returns a name that no client has: c1, c2 … */
  join(): string {
    let name: string;
    do name = `c${++this.#joined}`;
    while (this.#clients.has(name));
    this.#clients.set(name, { idle: [], names: 0 });
    return name;
  }

  /** Notes a call, before its request leaves. */
  begin(client: string, operation: HistoryOperations[M]): OpenCall {
    const id = ++this.#ids;
    const name = this.#nameFor(client);
    this.#write({ e: "call", id, client: name, t: this.#options.nowNs(), ...operation });
    let isOpen = true;
    const end = (e: "ok" | "fail" | "info", told: object) => {
      if (!isOpen) throw new Error(`call ${id} of ${name} has ended already`);
      isOpen = false;
      this.#write({ e, id, t: this.#options.nowNs(), ...told });
      if (e !== "info") this.#clients.get(client)?.idle.push(name);
    };
    return {
      ok: (out) => end("ok", out === undefined ? {} : { out }),
      fail: (err) => end("fail", { err }),
      info: (err) => end("info", { err }),
    };
  }

  #nameFor(client: string): string {
    let known = this.#clients.get(client);
    if (known === undefined) {
      known = { idle: [], names: 0 };
      this.#clients.set(client, known);
    }
    const idle = known.idle.pop();
    if (idle !== undefined) return idle;
    known.names++;
    return known.names === 1 ? client : `${client}#${known.names}`;
  }

  /** Nanoseconds may be more than a double holds: their digits are written as they are. */
  #write(line: object): void {
    const parts = Object.entries(line).flatMap(([name, value]) => {
      if (value === undefined) return [];
      const text = typeof value === "bigint" ? String(value) : JSON.stringify(value);
      return [`${JSON.stringify(name)}:${text}`];
    });
    this.#options.write(`{${parts.join(",")}}\n`);
  }
}
