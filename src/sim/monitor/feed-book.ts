/**
 * The book of the feed: which value stands at which position, by the slots that are chosen, and
 * what learners publish and clients are told of it. Order, gaps, repeats and receipts are judged
 * here.
 */
import type { FeedEntry } from "../../kernel/effect.js";
import { applyEntry, type LogEntry, LogState } from "../../paxos/log/log.js";
import { showVote } from "../../paxos/proof/evidence.js";
import { isPhase2Quorum } from "../../paxos/quorum.js";
import type { Receipt } from "../../paxos/receipt.js";
import type { Coverage } from "../world/coverage.js";
import type { Ledger } from "./ledger.js";

/** A value that the workload proposed. */
export interface Wish {
  readonly value: string;
  /** Set: what one client asks takes effect in the order of the numbers, in one session or more. */
  readonly session?: { readonly id: string; readonly number: number } | undefined;
  /** False for a request without identity, which a repeated message may bring in twice. */
  readonly isOnce: boolean;
}

interface Line {
  readonly value: string;
  readonly slot: number;
}

/** Positions, from 1, with what stands there. */
export class FeedBook {
  readonly #ledger: Ledger;
  readonly #coverage: Coverage;
  readonly #log: LogState;
  /** Values that were proposed, by digest. */
  readonly #values = new Map<string, Uint8Array>();
  #applied = 0;
  readonly #wishes = new Map<string, Wish>();
  readonly #lines: Line[] = [];
  readonly #positions = new Map<string, number>();
  readonly #sessions = new Map<string, number>();
  readonly #text = new TextDecoder();

  constructor(ledger: Ledger, coverage: Coverage) {
    this.#ledger = ledger;
    this.#coverage = coverage;
    this.#log = new LogState(ledger.cluster.limits);
  }

  /** A value was proposed. */
  proposed(digest: string, value: Uint8Array): void {
    if (!this.#values.has(digest)) this.#values.set(digest, value.slice());
  }

  /** Writes down what the slots hold that were chosen since, up to the first that is not. */
  advance(): void {
    for (; this.#applied < this.#ledger.chosenPrefix; this.#applied++) {
      const slot = this.#applied;
      const chosen = this.#ledger.chosen({ key: null, slot });
      const value = chosen === null ? undefined : this.#values.get(chosen.digest);
      if (chosen === null || value === undefined) return;
      const requestsBefore = this.#log.requests;
      const applied = applyEntry(this.#log, { slot, ballot: chosen.ballot, value, syncedBy: [] });
      for (const entry of applied.entries) this.#enter(entry);
      const kinds = applied.outcomes.map(({ outcome }) => outcome.kind);
      const times = (kind: string) => kinds.filter((one) => one === kind).length;
      const repeats = times("done") + times("answered") - applied.entries.length;
      this.#coverage.count("requests in the log", this.#log.requests - requestsBefore);
      this.#coverage.count("requests that took effect", applied.entries.length);
      if (repeats > 0) this.#coverage.count("repeats dropped", repeats);
      if (times("early") > 0) this.#coverage.count("early requests", times("early"));
      if (times("ended") > 0) this.#coverage.count("sessions ended", times("ended"));
      if (times("expired") > 0) this.#coverage.count("requests of expired sessions");
    }
  }

  /** The slot of a position; undefined if nothing stands there. */
  slotOf(position: number): number | undefined {
    return this.#lines[position - 1]?.slot;
  }

  /** The highest position there is. */
  get tail(): number {
    return this.#lines.length;
  }

  /** Notes what the workload is about to propose. */
  wish(wish: Wish): void {
    this.#wishes.set(wish.value, wish);
  }

  /** The position of a value; 0 if it has none. */
  positionOf(value: string): number {
    return this.#positions.get(value) ?? 0;
  }

  /**
   * A learner publishes the next entries after `before`; for its first, `before` is null, and only
   * positions of slots below `fromSlot` may have been left out.
   *
   * @returns the last position
   */
  published(
    entries: readonly FeedEntry[],
    before: number | null,
    fromSlot: number,
    syncedBy: string,
  ): number {
    let last = before ?? (entries[0]?.position ?? 1) - 1;
    const skipped = before === null ? this.slotOf(last) : undefined;
    if (skipped !== undefined && skipped >= fromSlot) {
      const late = `began to publish after position ${last}, which is in slot ${skipped}`;
      this.#ledger.break(
        "feedOrder",
        `${syncedBy} ${late}; it knew of the log up to slot ${fromSlot}`,
      );
    }
    for (const entry of entries) {
      if (entry.position !== last + 1) {
        const gap = `position ${entry.position} after ${last}`;
        this.#ledger.break("feedOrder", `${syncedBy} published ${gap}`);
      }
      last = entry.position;
      const line = this.#lines[entry.position - 1];
      const value = this.#text.decode(entry.body);
      if (line?.value === value && line.slot === entry.slot) continue;
      const there = line === undefined ? "nothing" : `${line.value} (slot ${line.slot})`;
      const said = `${value} (slot ${entry.slot}) at position ${entry.position}`;
      this.#ledger.break("oneFeed", `${syncedBy} published ${said}, where there is ${there}`);
    }
    return last;
  }

  /** A client is told that its value stands in the log: it must, durable on a quorum. */
  acknowledged(value: string, receipt: Omit<Receipt, "ballot">, client: string): void {
    const { position, slot, syncedBy } = receipt;
    const { cluster } = this.#ledger;
    const line = this.#lines[position - 1];
    if (line?.value !== value || line.slot !== slot) {
      const there = line === undefined ? "nothing" : `${line.value} of slot ${line.slot}`;
      const told = `position ${position}, slot ${slot} for ${value}`;
      this.#ledger.break("acknowledgedIsChosen", `${client} was told ${told}; there is ${there}`);
      return;
    }
    const chosen = this.#ledger.chosen({ key: null, slot });
    if (chosen === null) {
      const told = `${client} was told that ${value} is in slot ${slot}`;
      this.#ledger.break("acknowledgedIsChosen", `${told}, where nothing is chosen`);
      return;
    }
    const voters = this.#ledger.votersFor({ key: null, slot }, chosen.digest);
    const ids = cluster.acceptors.map(({ id }) => id);
    const liar = syncedBy.find((id) => !voters.has(id));
    if (liar !== undefined || !isPhase2Quorum(cluster.quorums, ids, voters)) {
      const have = `voters of ${showVote(chosen)} are {${[...voters].join(", ")}}`;
      const told = `${client} was told that slot ${slot} is synced by {${syncedBy.join(", ")}}`;
      this.#ledger.break("receiptsNameVoters", `${told}; ${have}`);
    }
  }

  #enter(entry: LogEntry): void {
    const value = this.#text.decode(entry.body);
    this.#lines.push({ value, slot: entry.slot });
    const wish = this.#wishes.get(value);
    if (wish === undefined) {
      const where = `position ${entry.position}`;
      this.#ledger.break("validity", `${value} took effect at ${where}, which nobody proposed`);
      return;
    }
    const before = this.#positions.get(value);
    if (before !== undefined && wish.isOnce) {
      const two = `positions ${before} and ${entry.position}`;
      this.#ledger.break("exactlyOnce", `${value} took effect twice, at ${two}`);
    }
    this.#positions.set(value, before ?? entry.position);
    const { session } = wish;
    if (session === undefined) return;
    const last = this.#sessions.get(session.id) ?? 0;
    if (session.number <= last) {
      const order = `${session.number} took effect after ${last}`;
      this.#ledger.break("sessionOrder", `of session ${session.id} request ${order}`);
    }
    this.#sessions.set(session.id, Math.max(last, session.number));
  }
}
