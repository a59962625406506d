/** Letters: messages under way, each kept once and named by its number. */
import type { Address, Effect } from "../../kernel/effect.js";
import type { Message, RoleName } from "../../paxos/wire/messages.js";
import { hears as receives } from "../../paxos/wire/verbs.js";
import { liveMessage } from "./live.js";
import { textOf } from "./text.js";

/**
 * A message and whom it is for. One of an acceptor does not name its sender: in which acceptor's
 * outgoing set it stands says that.
 */
export interface Letter {
  /** null: an acceptor. */
  readonly from: Address | null;
  /** `id` null: every instance of the role. */
  readonly to: { readonly role: RoleName; readonly id: string | null };
  readonly message: Message;
  /** The start of the sender, where its answers are counted: a promise goes by it; else 1. */
  readonly incarnation: number;
}

/** Every letter met so far. */
export class Letters {
  readonly #all: Letter[] = [];
  readonly #known = new Map<string, number>();
  readonly #countsAnswers: boolean;

  /** @param countsAnswers a promise has parts, which go by the number of the answer */
  constructor(countsAnswers: boolean) {
    this.#countsAnswers = countsAnswers;
  }

  get(letter: number): Letter {
    return this.#all[letter] as Letter;
  }

  /**
   * Returns the letter that an effect sends; undefined if it sends none.
   *
   * @param start how often its sender was started
   */
  intern(effect: Effect, from: Address | null, start: number): number | undefined {
    if (effect.kind !== "send" && effect.kind !== "broadcast") return undefined;
    const to = effect.kind === "send" ? effect.to : { role: effect.role, id: null };
    const { message } = effect;
    const incarnation = this.#countsAnswers && message.type === "promise" ? start : 1;
    const live = liveMessage(message, this.#countsAnswers);
    const text = textOf([from, to.role, to.id, live, incarnation]);
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    this.#all.push({ from, to: { role: to.role, id: to.id }, message, incarnation });
    this.#known.set(text, this.#all.length - 1);
    return this.#all.length - 1;
  }

  /**
   * Says whether two letters of one acceptor are of different promises and have one name: their
   * parts would be put together.
   */
  shareName(one: number, other: number): boolean {
    const a = this.get(one);
    const b = this.get(other);
    if (a.message.type !== "promise" || b.message.type !== "promise") return false;
    if (a.incarnation !== b.incarnation || a.message.answer !== b.message.answer) return false;
    const { part, votes, ...promise } = a.message;
    const { part: otherPart, votes: otherVotes, ...otherPromise } = b.message;
    if (textOf(promise) !== textOf(otherPromise)) return true;
    return part === otherPart && textOf(votes) !== textOf(otherVotes);
  }
}

/** Says whether an instance of a role hears a letter, by the table of verbs. */
export function hears(role: RoleName, id: string | null, letter: Letter): boolean {
  const { to, message } = letter;
  if (!receives(role, message.type, to.role)) return false;
  return role !== to.role || to.id === null || id === null || to.id === id;
}
