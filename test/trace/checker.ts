/**
 * Judges a run by its trace alone. It reads ptrace/1 and imports nothing of Synod: what it says is
 * said by the rules of the paper, written a second time.
 *
 * The lines of all files are judged in the order of their clock, so whatever one of them rests on
 * (a vote on its proposal, a proposal on promises) must have been written at a lower clock.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** ⟨round, owner⟩. */
export type Bal = readonly [number, string];

/** A line after the header. */
export interface TraceEvent {
  readonly lc: number;
  readonly n: string;
  readonly inc: number;
  readonly seq: number;
  readonly ev: string;
  readonly bal?: Bal | null;
  readonly slot?: number;
  readonly val?: string | null;
  readonly from?: number;
  readonly votes?: readonly { readonly slot: number; readonly bal: Bal; readonly val: string }[];
  readonly mbal?: Bal | null;
  readonly mval?: string | null;
  readonly promised?: Bal | null;
  readonly syncedBy?: readonly string[];
  readonly first?: number;
  readonly count?: number;
  readonly dup?: boolean;
}

type Quorums = "majority" | number | string[][] | { q1: Sets; q2: Sets };
type Sets = number | string[][];

interface Header {
  readonly trace: string;
  readonly mode: "synod" | "multi";
  readonly acceptors: readonly string[];
  readonly quorums: Quorums;
  readonly noop: string;
}

/** The files of one instance of Paxos: the log, or one key. */
export interface Trace {
  readonly header: Header;
  readonly events: readonly TraceEvent[];
}

/** Reads the files of a folder: what one name begins with a key's hash belongs together. */
export function readTraces(folder: string): ReadonlyMap<string, Trace> {
  const files = readdirSync(folder).filter((name) => name.endsWith(".jsonl"));
  return gather(files.map((file) => [file, readFileSync(join(folder, file), "utf8")]));
}

/** Puts files together that are of the log (""), or of one key (its hash). */
export function gather(files: Iterable<readonly [string, string]>): ReadonlyMap<string, Trace> {
  const traces = new Map<string, { header: Header; events: TraceEvent[] }>();
  for (const [file, text] of files) {
    const instance = file.split(".").length === 3 ? (file.split(".")[1] ?? "") : "";
    const [head = "", ...lines] = text.split("\n").slice(0, -1);
    const header = JSON.parse(head) as Header;
    const trace = traces.get(instance) ?? { header, events: [] };
    traces.set(instance, trace);
    if (JSON.stringify(trace.header) !== JSON.stringify(header)) throw new Error(`${file}: header`);
    trace.events.push(...lines.map((line) => JSON.parse(line) as TraceEvent));
  }
  for (const { events } of traces.values()) {
    events.sort((a, b) => a.lc - b.lc || order(a.n, b.n) || a.inc - b.inc || a.seq - b.seq);
  }
  return traces;
}

const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** Compares ballots; no ballot is below every ballot. */
function compare(a: Bal | null | undefined, b: Bal | null | undefined): number {
  if (a == null || b == null) return Number(a != null) - Number(b != null);
  return a[0] - b[0] || order(a[1], b[1]);
}

const name = (bal: Bal | null | undefined) => (bal == null ? "none" : bal.join("."));

interface Vote {
  readonly bal: Bal;
  readonly val: string;
}

interface Acceptor {
  promised: Bal | null;
  readonly votes: Map<number, Vote>;
}

/** One report: a promise, or what a restart found. */
interface Report {
  readonly acceptor: string;
  readonly from: number;
  readonly votes: ReadonlyMap<number, Vote>;
}

/** Judges one instance. @returns what is wrong, in words; nothing if all is well */
export function judge(trace: Trace): readonly string[] {
  const judged = new Judge(trace);
  for (const event of trace.events) judged.take(event);
  return judged.faults;
}

class Judge {
  readonly faults: string[] = [];
  readonly #header: Header;
  readonly #acceptors = new Map<string, Acceptor>();
  readonly #counts = new Map<string, { inc: number; seq: number; lc: number }>();
  readonly #wishes = new Set<string>();
  readonly #begun = new Map<string, number>();
  readonly #reports = new Map<string, Report[]>();
  /** `bal slot` → value; `bal slot val` → voters. */
  readonly #proposals = new Map<string, string>();
  readonly #voters = new Map<string, Set<string>>();
  /** Slot → the value that a quorum has voted for at one ballot. */
  readonly #chosen = new Map<number, string>();
  /** `n inc` → the next position. */
  readonly #fed = new Map<string, number>();

  constructor({ header }: Trace) {
    this.#header = header;
    for (const id of header.acceptors)
      this.#acceptors.set(id, { promised: null, votes: new Map() });
    if (header.trace !== "ptrace/1") this.faults.push(`not a ptrace/1: ${header.trace}`);
  }

  take(event: TraceEvent): void {
    this.#count(event);
    if (event.dup === true) return;
    const take = this.#rules[event.ev];
    if (take === undefined) this.#fault(event, "an event that the format does not know");
    else take(event);
  }

  readonly #rules: Readonly<Record<string, (event: TraceEvent) => void>> = {
    propose: ({ val }) => void this.#wishes.add(String(val)),
    p1a: (event) => {
      if (this.#begun.has(name(event.bal))) this.#fault(event, "a ballot that was begun before");
      this.#begun.set(name(event.bal), event.from ?? 0);
    },
    p1b: (event) => this.#promise(event),
    p2a: (event) => this.#propose(event),
    p2b: (event) => this.#vote(event),
    nack: (event) => {
      if (compare(event.promised, event.bal) <= 0) this.#fault(event, "refused without a reason");
      if (compare(event.promised, this.#acceptor(event).promised) > 0) {
        this.#fault(event, "a promise that nobody saw");
      }
    },
    recover: (event) => this.#recover(event),
    learn: (event) => {
      if (this.#chosen.get(event.slot ?? 0) !== event.val) this.#fault(event, "it is not chosen");
    },
    chosen: (event) => this.#choose(event),
    feed: (event) => this.#feed(event),
    note: () => undefined,
  };

  #count(event: TraceEvent): void {
    const { n, inc, seq, lc } = event;
    const last = this.#counts.get(n) ?? { inc: 0, seq: 0, lc: 0 };
    const isNext = inc === last.inc ? seq === last.seq + 1 : inc === last.inc + 1 && seq === 0;
    if (!isNext) this.#fault(event, `after ⟨${last.inc}, ${last.seq}⟩`);
    if (inc !== last.inc && this.#acceptors.has(n) && event.ev !== "recover") {
      this.#fault(event, "a new life that begins without recover");
    }
    this.#counts.set(n, { inc, seq, lc });
  }

  #promise(event: TraceEvent): void {
    const { bal, n } = event;
    const acceptor = this.#acceptor(event);
    if (compare(bal, acceptor.promised) <= 0) this.#fault(event, "a promise that is not higher");
    if (!this.#begun.has(name(bal))) this.#fault(event, "a promise that nobody asked for");
    acceptor.promised = bal ?? null;
    const votes = reported(event);
    for (const [slot, held] of acceptor.votes) {
      const told = votes.get(slot);
      if (
        slot < (event.from ?? 0) ||
        (compare(told?.bal, held.bal) === 0 && told?.val === held.val)
      )
        continue;
      this.#fault(event, `it keeps a vote of slot ${slot} to itself`);
    }
    for (const [slot, told] of votes) {
      if (compare(acceptor.votes.get(slot)?.bal, told.bal) !== 0) {
        this.#fault(event, `it tells a vote of slot ${slot} that it did not cast`);
      }
    }
    this.#report(name(bal), { acceptor: n, from: event.from ?? 0, votes });
  }

  #report(bal: string, report: Report): void {
    this.#reports.set(bal, [...(this.#reports.get(bal) ?? []), report]);
  }

  /** P2c: some quorum promised, and the highest of its votes has this value, or there is none. */
  #propose(event: TraceEvent): void {
    const { bal, slot = 0, val } = event;
    const known = this.#proposals.get(`${name(bal)} ${slot}`);
    if (known !== undefined) this.#fault(event, `it was proposed before (${known})`);
    this.#proposals.set(`${name(bal)} ${slot}`, String(val));
    if (val !== this.#header.noop && !this.#wishes.has(String(val))) {
      this.#fault(event, "nobody wished for it");
    }
    if (slot < (this.#begun.get(name(bal)) ?? Number.POSITIVE_INFINITY)) {
      this.#fault(event, "a slot below those that its ballot was begun for");
    }
    const reports = (this.#reports.get(name(bal)) ?? []).filter(({ from }) => from <= slot);
    const votes = reports.map((report) => ({ report, vote: report.votes.get(slot) ?? null }));
    // Every quorum whose highest vote has this value lies among those who report none above it.
    const fits = [null, ...votes.flatMap(({ vote }) => (vote?.val === val ? [vote] : []))];
    const isSafe = fits.some((highest) => {
      const among = votes.filter(({ vote }) => compare(vote?.bal, highest?.bal) <= 0);
      return this.#isQuorum(1, new Set(among.map(({ report }) => report.acceptor)));
    });
    if (!isSafe) this.#fault(event, `no quorum of promises lets it be proposed in slot ${slot}`);
  }

  #vote(event: TraceEvent): void {
    const { bal, slot = 0, val } = event;
    const acceptor = this.#acceptor(event);
    if (compare(bal, acceptor.promised) < 0) this.#fault(event, "a vote below its promise");
    this.#castVote(event, { slot, bal: bal as Bal, val: String(val) });
    acceptor.promised = bal ?? null;
  }

  #castVote(event: TraceEvent, vote: Vote & { readonly slot: number }): void {
    const { slot, bal, val } = vote;
    if (this.#proposals.get(`${name(bal)} ${slot}`) !== val) {
      this.#fault(event, `a vote in slot ${slot} for what was not proposed`);
    }
    this.#acceptor(event).votes.set(slot, { bal, val });
    const key = `${name(bal)} ${slot} ${val}`;
    const voters = (this.#voters.get(key) ?? new Set()).add(event.n);
    this.#voters.set(key, voters);
    if (!this.#isQuorum(2, voters)) return;
    const known = this.#chosen.get(slot);
    if (known !== undefined && known !== val) {
      this.#fault(event, `with it another value than ${known} is chosen`);
    }
    this.#chosen.set(slot, val);
  }

  /** What was said must be there; what is there may not have been said yet. */
  #recover(event: TraceEvent): void {
    const acceptor = this.#acceptor(event);
    const votes = reported(event);
    if (compare(event.promised, acceptor.promised) < 0) this.#fault(event, "it forgot its promise");
    for (const [slot, held] of acceptor.votes) {
      if (slot < (event.from ?? 0)) continue;
      if (compare(votes.get(slot)?.bal, held.bal) < 0) {
        this.#fault(event, `it forgot its vote in slot ${slot}`);
      }
    }
    if (event.promised != null && compare(event.promised, acceptor.promised) > 0) {
      if (!this.#begun.has(name(event.promised)))
        this.#fault(event, "a promise of nobody's ballot");
      // The promise was durable and may have left: it reported what was voted for below it.
      const below = new Map([...votes].filter(([, { bal }]) => compare(bal, event.promised) < 0));
      const report = { acceptor: event.n, from: event.from ?? 0, votes: below };
      this.#report(name(event.promised), report);
    }
    acceptor.promised = event.promised ?? null;
    for (const [slot, vote] of votes) {
      if (compare(acceptor.votes.get(slot)?.bal, vote.bal) === 0) continue;
      this.#castVote(event, { slot, ...vote });
    }
  }

  #choose(event: TraceEvent): void {
    const { bal, slot = 0, syncedBy = [] } = event;
    const val = this.#proposals.get(`${name(bal)} ${slot}`);
    const voters = this.#voters.get(`${name(bal)} ${slot} ${val}`) ?? new Set();
    if (!syncedBy.every((id) => voters.has(id)))
      this.#fault(event, "one of these has not voted for it");
    if (!this.#isQuorum(2, new Set(syncedBy))) this.#fault(event, "chosen without a quorum");
  }

  #feed(event: TraceEvent): void {
    const { n, inc, first = 0, count = 0 } = event;
    // Who begins anew begins anywhere: what was published before is not published again.
    const next = this.#fed.get(`${n} ${inc}`) ?? first;
    if (first !== next || count < 1) this.#fault(event, `position ${next} would be next`);
    this.#fed.set(`${n} ${inc}`, first + count);
  }

  #acceptor(event: TraceEvent): Acceptor {
    const acceptor = this.#acceptors.get(event.n);
    if (acceptor !== undefined) return acceptor;
    this.#fault(event, "it is not an acceptor of the header");
    return { promised: null, votes: new Map() };
  }

  #isQuorum(phase: 1 | 2, present: ReadonlySet<string>): boolean {
    const { quorums, acceptors } = this.#header;
    const isNested = typeof quorums === "object" && "q1" in quorums;
    const sets = isNested ? quorums[phase === 1 ? "q1" : "q2"] : (quorums as "majority" | Sets);
    if (Array.isArray(sets)) return sets.some((set) => set.every((id) => present.has(id)));
    const size = sets === "majority" ? Math.floor(acceptors.length / 2) + 1 : sets;
    return acceptors.filter((id) => present.has(id)).length >= size;
  }

  #fault(event: TraceEvent, what: string): void {
    this.faults.push(`${what}: ${JSON.stringify(event)}`);
  }
}

function reported({ votes, mbal, mval }: TraceEvent): ReadonlyMap<number, Vote> {
  if (votes !== undefined) return new Map(votes.map(({ slot, bal, val }) => [slot, { bal, val }]));
  return new Map(mbal == null ? [] : [[0, { bal: mbal, val: String(mval) }]]);
}
