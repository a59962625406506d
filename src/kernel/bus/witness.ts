/**
 * Witnesses: what every process remembers of the stores it heard, so that an older copy of a store
 * cannot speak under the name of the later one.
 */
import type { Hello, Objection, Sender } from "../../paxos/wire/messages.js";
import { objectionOf } from "../../paxos/wire/verbs.js";

interface Seen {
  readonly incarnation: number;
  readonly writeNumber: number;
  /** The process that spoke. */
  readonly process: string;
}

/**
 * The latest life and write seen of each store. Bounded by the stores that the descriptor lists.
 */
export class Witness {
  readonly #seen = new Map<string, Seen>();

  /** Notes a message of a store. */
  note(sender: Sender): void {
    if (sender.storeId === null) return;
    const seen = this.#seen.get(sender.storeId);
    if (seen !== undefined && !isLater(sender, seen)) return;
    const { incarnation, writeNumber, process } = sender;
    this.#seen.set(sender.storeId, { incarnation, writeNumber, process });
  }

  /**
   * Holds a starting store's history against what was seen.
   *
   * A store that was seen at write w of incarnation i must have begun its next incarnation at a
   * write ≥ w: it kept what it had said. One that began lower is a copy made before. No two
   * processes
   * share an incarnation: one that does began from a copy too.
   *
   * @returns the objection, or null
   */
  object(sender: Sender, hello: Hello): Objection | null {
    const seen = sender.storeId === null ? undefined : this.#seen.get(sender.storeId);
    if (seen === undefined) return null;
    const next = hello.openings.find(({ incarnation }) => incarnation > seen.incarnation);
    const isTwin = sender.incarnation === seen.incarnation && sender.process !== seen.process;
    const tooOld =
      isTwin ||
      sender.incarnation < seen.incarnation ||
      (next !== undefined && next.writeNumber < seen.writeNumber);
    if (!tooOld) return null;
    return objectionOf("older_copy", seen);
  }
}

function isLater(a: Sender, b: Seen): boolean {
  if (a.incarnation !== b.incarnation) return a.incarnation > b.incarnation;
  return a.writeNumber > b.writeNumber;
}
