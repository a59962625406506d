/**
 * Traces a synod-proposer: `p1a`, `propose`, `p2a`, `chosen`, each key in a file of its own.
 */

import type { ObservedRole } from "../kernel/observer.js";
import type { RoleEvent } from "../kernel/role.js";
import type { Step } from "../kernel/step.js";
import { type Ballot, sameBallot } from "../paxos/ballot.js";
import type { Message } from "../paxos/wire/messages.js";
import { balOf, type TracedKeys, type TraceFile, type TraceOptions, valOf } from "./file.js";
import { keyFiles, type RoleTrace, received } from "./role.js";

/** What was said of a key. */
interface KeySaid {
  readonly file: TraceFile;
  prepared: Ballot | null;
  accepted: Ballot | null;
  chosen: Ballot | null;
  /** Digests of the votes that promises of the ballot reported. */
  readonly reported: Set<string>;
}

/** Traces one incarnation of a synod-proposer. */
export class SynodProposerTrace implements RoleTrace {
  readonly #keys: TracedKeys<KeySaid>;

  constructor(options: TraceOptions, runner: ObservedRole) {
    const nothing = { prepared: null, accepted: null, chosen: null };
    this.#keys = keyFiles(options, runner, (file) => {
      return { file, ...nothing, reported: new Set() };
    });
  }

  stepped(instance: string, event: RoleEvent | null, step: Step): void {
    for (const { message } of received(event, "key-promise")) {
      const said = this.#keys.at(instance);
      const isOurs = sameBallot(message.ballot, said.prepared);
      if (isOurs && message.vote !== null) said.reported.add(message.vote.digest);
    }
    // The tally is complete in this step; whoever is told is told after it.
    for (const effect of step.effects) {
      if (effect.kind !== "reply" || effect.answer.kind !== "decided") continue;
      const { ballot, syncedBy } = effect.answer;
      const said = this.#keys.at(instance);
      if (sameBallot(said.chosen, ballot)) continue;
      said.chosen = ballot;
      said.file.write("chosen", { bal: balOf(ballot), syncedBy });
    }
  }

  says(message: Message): void {
    if (message.type === "key-prepare") this.#sayPrepare(message);
    if (message.type === "key-accept") this.#sayAccept(message);
  }

  #sayPrepare({ key, ballot }: Extract<Message, { type: "key-prepare" }>): void {
    const said = this.#keys.at(key);
    if (sameBallot(said.prepared, ballot)) return;
    said.prepared = ballot;
    said.reported.clear();
    said.file.write("p1a", { bal: balOf(ballot) });
  }

  #sayAccept({ key, ballot, digest }: Extract<Message, { type: "key-accept" }>): void {
    const said = this.#keys.at(key);
    if (sameBallot(said.accepted, ballot)) return;
    said.accepted = ballot;
    const val = valOf(digest);
    if (!said.reported.has(digest)) said.file.write("propose", { val });
    said.file.write("p2a", { bal: balOf(ballot), val });
  }
}
