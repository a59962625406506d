/**
 * Traces a proposer of the log: `p1a`, `propose`, `p2a`, `chosen`.
 *
 * A value that no promise of the ballot reported for its slot is the proposer's own: it gets a
 * `propose` before its first `p2a`. `chosen` is what the leader announces; where learners count
 * votes for themselves (`learn: all | some`) it announces nothing, and the same votes are counted
 * here.
 */

import type { ObservedRole } from "../kernel/observer.js";
import type { RoleEvent } from "../kernel/role.js";
import { type Ballot, sameBallot } from "../paxos/ballot.js";
import { type Cluster, configAt, formsPhase2Quorum } from "../paxos/cluster.js";
import type { Accept, ChosenRange, Message } from "../paxos/wire/messages.js";
import { balOf, type TraceFile, type TraceOptions, valOf } from "./file.js";
import { logFile, type RoleTrace, received } from "./role.js";
import { SlotSet } from "./slot-set.js";

/** Traces one incarnation of a proposer. */
export class ProposerTrace implements RoleTrace {
  readonly #file: TraceFile;
  readonly #cluster: Cluster;
  #ballot: Ballot | null = null;
  /** `slot digest` of every vote that promises of the ballot reported. */
  readonly #reported = new Set<string>();
  readonly #proposed = new SlotSet();
  readonly #chosen = new SlotSet();
  /** Slots whose votes are counted here. */
  readonly #open = new Map<number, { readonly digest: string; readonly voters: Set<string> }>();

  constructor(options: TraceOptions, runner: ObservedRole) {
    this.#file = logFile(options, runner);
    this.#cluster = options.cluster;
  }

  stepped(_instance: string, event: RoleEvent | null): void {
    for (const { message } of received(event, "promise")) {
      if (!sameBallot(message.ballot, this.#ballot)) continue;
      for (const { slot, digest } of message.votes) this.#reported.add(`${slot} ${digest}`);
    }
    if (this.#open.size === 0) return;
    for (const { from, message } of received(event, "accepted")) {
      if (!sameBallot(message.ballot, this.#ballot)) continue;
      for (const { slot, digest } of message.votes) this.#countVote(from, slot, digest);
    }
  }

  says(message: Message): void {
    if (message.type === "prepare") this.#sayPrepare(message.ballot, message.fromSlot);
    if (message.type === "chosen") this.#sayChosen(message.ranges);
    if (message.type === "accept") {
      this.#sayChosen(message.chosen);
      this.#sayAccept(message);
    }
  }

  #sayPrepare(ballot: Ballot, from: number): void {
    if (sameBallot(this.#ballot, ballot)) return;
    this.#ballot = ballot;
    this.#reported.clear();
    this.#proposed.clear();
    this.#chosen.clear();
    this.#open.clear();
    this.#file.write("p1a", { bal: balOf(ballot), from });
  }

  #sayAccept({ ballot, firstSlot, digests, chosenWatermark }: Accept): void {
    // Chosen by the votes of an earlier ballot: it counts no votes for them any more.
    for (const slot of this.#open.keys()) if (slot < chosenWatermark) this.#open.delete(slot);
    for (const [index, digest] of digests.entries()) {
      const slot = firstSlot + index;
      if (!this.#proposed.add(slot)) continue;
      const val = valOf(digest);
      const isOwn = val === digest && !this.#reported.has(`${slot} ${digest}`);
      if (isOwn) this.#file.write("propose", { val });
      this.#file.write("p2a", { bal: balOf(ballot), slot, val });
      if (this.#cluster.learn.kind !== "leader") {
        this.#open.set(slot, { digest, voters: new Set() });
      }
    }
  }

  #sayChosen(ranges: readonly ChosenRange[]): void {
    for (const { ballot, from, to, syncedBy } of ranges) {
      for (let slot = from; slot < to; slot++) {
        if (this.#chosen.add(slot))
          this.#file.write("chosen", { bal: balOf(ballot), slot, syncedBy });
      }
    }
  }

  #countVote(acceptor: string, slot: number, digest: string): void {
    const open = this.#open.get(slot);
    if (open?.digest !== digest || this.#ballot === null) return;
    open.voters.add(acceptor);
    if (!formsPhase2Quorum(configAt(this.#cluster, slot), open.voters)) return;
    this.#open.delete(slot);
    const syncedBy = [...open.voters].sort();
    this.#sayChosen([{ ballot: this.#ballot, from: slot, to: slot + 1, syncedBy }]);
  }
}
