/**
 * The files of a trace, ptrace/1: their headers, and what every line says beside its event.
 *
 * One object a line: `lc` (a clock that respects causality), `n` (who), `inc` (its incarnation:
 * one more at each start), `seq` (0, 1, 2 … within it), `ev`, and what the event brings.
 */
import type { Ballot } from "../paxos/ballot.js";
import { acceptorIds, type Cluster } from "../paxos/cluster.js";
import { digest } from "../paxos/digest.js";
import { NOOP } from "../paxos/value.js";
import type { RoleName } from "../paxos/wire/messages.js";

/** Where a trace goes, and what its clock is. */
export interface TraceOptions {
  readonly cluster: Cluster;
  /** The clock, asked once for each line when it is written: never goes back. */
  readonly lc: () => number;
  /** Takes a line, without its line break. */
  readonly sink: (file: string, line: string) => void;
  /** The last line that a file has from before; undefined if there is no such file. */
  readonly last: (file: string) => string | undefined;
}

/** A ballot as a trace writes it. */
export type TracedBallot = readonly [number, string] | null;

/** Writes a ballot. */
export function balOf(ballot: Ballot | null): TracedBallot {
  return ballot === null ? null : [ballot.round, ballot.owner];
}

/** What names the value that fills holes. */
const NOOP_NAME = "noop";
const NOOP_DIGEST = digest(NOOP);

/** Names the value of a slot: its digest. */
export function valOf(valueDigest: string): string {
  return valueDigest === NOOP_DIGEST ? NOOP_NAME : valueDigest;
}

/** How a role is called in `n`: an acceptor as the header lists it, any other with its role. */
export function traceName(role: RoleName, id: string): string {
  return role === "acceptor" ? id : `${role}-${id}`;
}

/** Names a role's file; with a key, that of its single-decree instance. */
export function traceFileName(role: RoleName, id: string, key?: string): string {
  const name = `${role}-${id}`;
  if (key === undefined) return `${name}.jsonl`;
  return `${name}.${digest(new TextEncoder().encode(key))}.jsonl`;
}

/** Most phase-2 quorums of a grid that a header lists; a larger grid is described by its rows. */
const QUORUMS_MAX = 4096;

/** Says which sets are quorums, in the words of the format. */
function quorumsOf({ quorums }: Cluster): unknown {
  if (quorums.kind === "majority") return "majority";
  if (quorums.kind === "flexible") return { q1: quorums.phase1, q2: quorums.phase2 };
  const { rows } = quorums;
  const count = rows.reduce((product, row) => product * row.length, 1);
  if (count > QUORUMS_MAX) return { q1: rows, q2: { oneOfEach: rows } };
  const start: readonly string[][] = [[]];
  const q2 = rows.reduce((some, row) => some.flatMap((s) => row.map((a) => [...s, a])), start);
  return { q1: rows, q2 };
}

/** One file: counts its lines. */
export class TraceFile {
  readonly #options: TraceOptions;
  readonly #file: string;
  readonly #name: string;
  readonly #inc: number;
  readonly #lcMin: number;
  #seq = 0;

  /**
   * Goes on with a file, as the next incarnation of its role, or begins it with the header.
   *
   * @param mode `multi` for the log, `synod` for one key
   */
  constructor(options: TraceOptions, mode: "multi" | "synod", file: string, name: string) {
    this.#options = options;
    this.#file = file;
    this.#name = name;
    const last = options.last(file);
    if (last === undefined) {
      const acceptors = acceptorIds(options.cluster);
      const quorums = quorumsOf(options.cluster);
      const header = { trace: "ptrace/1", mode, acceptors, quorums, noop: NOOP_NAME };
      options.sink(file, JSON.stringify(header));
    }
    const { inc, lc } = countsOf(last);
    this.#inc = inc + 1;
    this.#lcMin = lc + 1;
  }

  /** Writes an event. */
  write(ev: string, payload: Readonly<Record<string, unknown>>): void {
    const lc = Math.max(this.#options.lc(), this.#lcMin);
    const head = { lc, n: this.#name, inc: this.#inc, seq: this.#seq++, ev };
    this.#options.sink(this.#file, JSON.stringify({ ...head, ...payload }));
  }
}

/** Reads the counters of a line; zeros for a header, or for what is no line of ours. */
export function countsOf(line: string | undefined): { readonly inc: number; readonly lc: number } {
  try {
    const { inc, lc } = JSON.parse(line ?? "{}") as { inc?: unknown; lc?: unknown };
    return { inc: count(inc), lc: count(lc) };
  } catch {
    return { inc: 0, lc: 0 };
  }
}

function count(field: unknown): number {
  return Number.isSafeInteger(field) ? Math.max(0, field as number) : 0;
}

/** Files of single-decree keys that one role has open; beyond it the oldest is let go. */
const KEYS_MAX = 65_536;

/** What a role's tracer keeps of each single-decree key, made when the key is first met. */
export class TracedKeys<K> {
  readonly #known = new Map<string, K>();
  readonly #make: (file: TraceFile, key: string) => K;
  readonly #open: (key: string) => TraceFile;
  readonly #max: number;

  /** @param max most keys kept; a key that was let go is met as by a new incarnation */
  constructor(
    open: (key: string) => TraceFile,
    make: (file: TraceFile, key: string) => K,
    max = KEYS_MAX,
  ) {
    this.#open = open;
    this.#make = make;
    this.#max = max;
  }

  /** Returns what is kept of a key. */
  at(key: string): K {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#known.size >= this.#max) {
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest);
        break;
      }
    }
    const file = this.#open(key);
    const made = this.#make(file, key);
    file.write("note", { key });
    this.#known.set(key, made);
    return made;
  }
}
