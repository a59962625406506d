/**
 * Looks for an order of the calls of one key that explains every answer.
 *
 * Wing and Gong, Testing and verifying concurrent objects (1993): take the effect of any call that
 * began before the first call without effect ended; go back where no call can go on. With Lowe's
 * memory of where it has been (Testing for linearizability, 2017): which calls have had their
 * effect, and the state.
 *
 * Four things keep it short. A call that changes nothing takes effect at once, for that is never
 * worse. Of pending calls that are alike the first goes first. A pending call whose effect the next
 * pending one wipes out is left out. And whoever got nowhere gets nowhere with more pending calls
 * used up and the rest the same.
 */
import { type HistoryCall, isRead } from "./call.js";
import type { Model } from "./model.js";

/**
 * How far searches may go: states they may still visit, which they count down. Where many calls are
 * pending a state costs more than one, so that the budget bounds time and memory.
 */
export interface Budget {
  states: number;
}

/** What a search found. */
export interface Found {
  /** `budget`: nothing, when it had to stop. */
  readonly kind: "order" | "none" | "budget";
  /** The latest event up to which, without it, the answers have an order. */
  readonly reached: number;
}

interface Frame<S> {
  readonly state: S;
  /** The first answered call without effect, and the end of those that have had theirs. */
  readonly first: number;
  readonly high: number;
  /** Places in the list of all calls; pending ones come when the answered led nowhere. */
  readonly moves: number[];
  next: number;
  needsPending: boolean;
  /** What led here. */
  readonly by: number;
}

/** Pending calls that are looked at in about the time that a state takes. */
const LOOKS_PER_STATE = 200;

interface Visit {
  readonly used: readonly number[];
  readonly rank: number;
}

/** Searches. */
export function findOrder<S>(
  calls: readonly HistoryCall[],
  model: Model<S>,
  budget: Budget,
): Found {
  return new Search(calls, model, budget).run();
}

class Search<S> {
  readonly #model: Model<S>;
  readonly #budget: Budget;
  /** Calls by when they began: first the answered, then, from `#answered` on, the pending. */
  readonly #calls: readonly HistoryCall[];
  readonly #answered: number;
  readonly #likes: readonly (string | undefined)[];
  readonly #done: Uint8Array;
  /** Pending calls that have had their effect, in ascending order. */
  #used: readonly number[] = [];
  #left: number;
  #reached = 0;
  /** By answered calls and state: with which pending calls, and at which rank, it was there. */
  readonly #visited = new Map<string, Visit[]>();

  constructor(calls: readonly HistoryCall[], model: Model<S>, budget: Budget) {
    this.#model = model;
    this.#budget = budget;
    const sorted = [...calls].sort((one, other) => one.from - other.from);
    const answered = sorted.filter(({ isPending }) => !isPending);
    const pending = sorted.filter((call) => call.isPending && !isRead(call));
    this.#calls = [...answered, ...pending];
    this.#answered = answered.length;
    this.#left = answered.length;
    this.#likes = pending.map((call) => model.likeOf(call));
    this.#done = new Uint8Array(this.#calls.length);
  }

  run(): Found {
    const kind = this.#run();
    return { kind, reached: this.#reached };
  }

  #run(): Found["kind"] {
    const frames = [this.#frame(this.#model.initial, 0, 0, -1)];
    while (this.#left > 0) {
      const frame = frames.at(-1);
      if (frame === undefined) return "none";
      const move = frame.moves[frame.next];
      if (move === undefined) {
        if (frame.needsPending) this.#addPending(frame);
        else {
          frames.pop();
          if (frame.by >= 0) this.#undo(frame.by);
        }
        if (this.#budget.states < 0) return "budget";
        continue;
      }
      frame.next++;
      const state = this.#model.step(frame.state, this.#calls[move]!);
      if (state === null || this.#wipesOut(frames, move, state)) continue;
      this.#do(move);
      let { first, high } = frame;
      while (first < this.#answered && this.#done[first] === 1) first++;
      if (move < this.#answered) high = Math.max(high, move + 1);
      if (this.#wasHere(state, first, high)) {
        this.#undo(move);
        continue;
      }
      if (this.#budget.states < 0) return "budget";
      frames.push(this.#frame(state, first, high, move));
    }
    return "order";
  }

  #do(move: number): void {
    this.#done[move] = 1;
    if (move < this.#answered) this.#left--;
    else this.#used = [...this.#used, move].sort((one, other) => one - other);
  }

  #undo(move: number): void {
    this.#done[move] = 0;
    if (move < this.#answered) this.#left++;
    else this.#used = this.#used.filter((one) => one !== move);
  }

  /** Finds the answered calls that may be next, first those that ended first. */
  #frame(state: S, first: number, high: number, by: number): Frame<S> {
    const { open, endsFirst } = this.#open(first);
    this.#reached = Math.max(this.#reached, endsFirst);
    for (const i of open) {
      const call = this.#calls[i]!;
      const next = this.#model.step(state, call);
      if (next !== null && (next === state || this.#model.settles(call))) {
        return { state, first, high, moves: [i], next: 0, needsPending: false, by };
      }
    }
    open.sort((one, other) => this.#calls[one]!.to - this.#calls[other]!.to);
    return { state, first, high, moves: open, next: 0, needsPending: true, by };
  }

  /** The answered calls that began before any answered call without effect ended. */
  #open(first: number): { readonly open: number[]; readonly endsFirst: number } {
    const open: number[] = [];
    let endsFirst = Number.POSITIVE_INFINITY;
    for (let i = first; i < this.#answered; i++) {
      const call = this.#calls[i]!;
      if (call.from > endsFirst) break;
      if (this.#done[i] === 1) continue;
      open.push(i);
      endsFirst = Math.min(endsFirst, call.to);
    }
    return { open, endsFirst };
  }

  /** Adds the pending calls that may be next, first those after which an answered one may be. */
  #addPending(frame: Frame<S>): void {
    frame.needsPending = false;
    const { open, endsFirst } = this.#open(frame.first);
    const likes = new Set<string>();
    const others: number[] = [];
    let i = this.#answered;
    for (; i < this.#calls.length && this.#calls[i]!.from < endsFirst; i++) {
      const like = this.#likes[i - this.#answered];
      if (this.#done[i] === 1 || (like !== undefined && likes.has(like))) continue;
      if (like !== undefined) likes.add(like);
      const state = this.#model.step(frame.state, this.#calls[i]!);
      if (state === null) continue;
      const opens = open.some((one) => this.#model.step(state, this.#calls[one]!) !== null);
      (opens ? frame.moves : others).push(i);
    }
    frame.moves.push(...others);
    this.#budget.states -= (i - this.#answered) / LOOKS_PER_STATE;
  }

  #wasHere(state: S, first: number, high: number): boolean {
    let key = `${first}`;
    for (let i = first; i < high; i++) if (this.#done[i] === 1) key += `,${i}`;
    key += `|${this.#model.keyOf(state)}`;
    const rank = this.#model.rankOf(state);
    const used = this.#used;
    const before = this.#visited.get(key);
    const looks = used.length * (1 + (before?.length ?? 0));
    this.#budget.states -= 1 + looks / LOOKS_PER_STATE;
    if (before === undefined) this.#visited.set(key, [{ used, rank }]);
    else if (before.some((one) => one.rank <= rank && isSubset(one.used, used))) return true;
    else before.push({ used, rank });
    return false;
  }

  /** Whether a pending call does without the pending call before it what it does after it. */
  #wipesOut(frames: readonly Frame<S>[], move: number, state: S): boolean {
    const [before, now] = frames.slice(-2);
    if (now === undefined || before === undefined) return false;
    if (move < this.#answered || now.by < this.#answered) return false;
    const alone = this.#model.step(before.state, this.#calls[move]!);
    if (alone === null || this.#model.rankOf(alone) > this.#model.rankOf(state)) return false;
    return this.#model.keyOf(alone) === this.#model.keyOf(state);
  }
}

/** Says whether ascending numbers are all among others. */
function isSubset(some: readonly number[], all: readonly number[]): boolean {
  if (some.length > all.length) return false;
  let at = 0;
  for (const one of all) if (one === some[at]) at++;
  return at === some.length;
}
