/**
 * Strides: every way from a state to the next one worth keeping.
 *
 * A stride is one step, or several of one actor of which all but the last are silent: they send
 * nothing, and show nothing that a property asks for. What others do does not depend on a silent
 * step, and what it hears never vanishes; so it may as well be taken right before the next step of
 * that actor that is not silent. States between silent steps need not be kept, and every state that
 * shows something new is still met, by a way of as many steps.
 */
import type { Choice, Locals, Move } from "./locals.js";
import type { Model } from "./model.js";

/** One step of an actor, without what comes of it. */
export interface Taken {
  /** The letter that is delivered; −1: a choice of the mover's own. */
  readonly letter: number;
  /** The acceptor that sent the letter, from 0; −1: another. */
  readonly from: number;
  readonly choice: Choice | null;
}

/** A stride, as it is visited. One object, filled anew for each. */
export interface Stride {
  /** Who moves: an acceptor from 0 to n − 1, then the singles. */
  mover: number;
  /** The last step. */
  move: Move;
  /** What comes of it; `acceptor` is the mover's new number if it is one. */
  rest: number;
  acceptor: number;
  /** The ballot that the move begins was begun before. */
  isBallotReused: boolean;
  /** The promise that the move sends has the name of another one. */
  isAnswerReused: boolean;
  /** How many steps it has. */
  steps: number;
}

/** Looks at strides. */
export interface Visitor {
  /** Called with each stride, those that change nothing too. */
  readonly visit: (stride: Stride) => void;
  /** Called with bits of `sights.ts` that silent steps show. */
  readonly see: (sights: number) => void;
}

/** Finds strides. */
export class Strides {
  readonly #model: Model;
  readonly #joinsSilent: boolean;
  readonly #worthy: Map<number, readonly number[]>[] = [];
  readonly #stride = {} as Stride;
  readonly #letters: number[] = [];
  readonly #froms: number[] = [];
  readonly #choices: (Choice | null)[] = [];
  /** Places of the mover that were passed in this search. */
  readonly #passed: number[] = [];
  #state: Int32Array = new Int32Array(0);
  #isAtOnce = false;

  /** @param joinsSilent false: every step is a stride */
  constructor(model: Model, joinsSilent: boolean) {
    this.#model = model;
    this.#joinsSilent = joinsSilent;
  }

  /** Visits every stride from a state. */
  from(state: Int32Array, visitor: Visitor): void {
    const model = this.#model;
    const rest = state[0] as number;
    this.#state = state;
    for (let mover = 0; mover < state.length - 1 + model.world.singles.length; mover++) {
      this.#stride.mover = mover;
      this.#isAtOnce = model.syncsAtOnce(rest, model.localsOf(mover));
      this.#passed.length = 0;
      this.#stride.steps = 1;
      if (mover < model.acceptors) this.#walkAcceptor(state[mover + 1] as number, visitor);
      else this.#walkSingle(model.singleIn(rest, mover - model.acceptors), visitor);
    }
  }

  /** The steps of the stride that is being visited. */
  steps(): Taken[] {
    return Array.from({ length: this.#stride.steps }, (_, at) => ({
      letter: this.#letters[at] as number,
      from: this.#froms[at] as number,
      choice: this.#choices[at] ?? null,
    }));
  }

  /** @param acceptor its number, after the silent steps taken so far */
  #walkAcceptor(acceptor: number, visitor: Visitor): void {
    const model = this.#model;
    const locals = model.localsOf(0);
    const local = model.localIn(acceptor);
    this.#passed.push(acceptor);
    for (const { choice, move } of locals.own(local)) {
      this.#stepAcceptor(acceptor, local, move, -1, choice, visitor);
    }
    if (locals.isBusy(local)) return;
    const letters = model.sentByRest(this.#state[0] as number);
    const sent = model.sentBy(acceptor);
    for (const letter of this.#worth(0, acceptor, local, -1, letters, sent)) {
      this.#stepAcceptor(acceptor, local, locals.hear(local, letter, -1), letter, null, visitor);
    }
  }

  #stepAcceptor(
    acceptor: number,
    local: number,
    made: Move,
    letter: number,
    choice: Choice | null,
    visitor: Visitor,
  ): void {
    if (made.isBeyond) return;
    const model = this.#model;
    const stride = this.#stride;
    const before = this.#state[0] as number;
    stride.rest = model.spend(before, choice?.kind);
    if (stride.rest < 0 || (stride.rest !== before && made.next === local)) return;
    const move = this.#isAtOnce ? model.localsOf(0).settled(made) : made;
    const sent = model.sentBy(acceptor);
    const isSame = move.next === local && move.sent.length === 0;
    const next = isSame
      ? acceptor
      : model.acceptorOf(move.next, model.sets.addAll(sent, move.sent));
    this.#note(letter, -1, choice);
    if (this.#joinsSilent && move.isSilent) {
      visitor.see(move.sights);
      if (this.#passed.includes(next)) return;
      stride.steps++;
      this.#walkAcceptor(next, visitor);
      stride.steps--;
      return;
    }
    stride.move = move;
    stride.acceptor = next;
    stride.isBallotReused = false;
    stride.isAnswerReused = model.sharesName(sent, move.sent);
    visitor.visit(stride);
  }

  /** @param local its local state, after the silent steps taken so far */
  #walkSingle(local: number, visitor: Visitor): void {
    const model = this.#model;
    const { mover } = this.#stride;
    const locals = model.localsOf(mover);
    const who = mover - model.acceptors + 1;
    const theirs = model.sentByRest(this.#state[0] as number);
    this.#passed.push(local);
    for (const { choice, move } of locals.own(local)) {
      this.#stepSingle(local, move, -1, -1, choice, visitor);
    }
    if (locals.isBusy(local)) return;
    for (const letter of this.#worth(who, local, local, -1, theirs, 0)) {
      this.#stepSingle(local, locals.hear(local, letter, -1), letter, -1, null, visitor);
    }
    for (let from = 0; from < model.acceptors; from++) {
      const sent = model.sentBy(this.#state[from + 1] as number);
      for (const letter of this.#worth(who, local, local, from, sent, 0)) {
        this.#stepSingle(local, locals.hear(local, letter, from), letter, from, null, visitor);
      }
    }
  }

  #stepSingle(
    local: number,
    made: Move,
    letter: number,
    from: number,
    choice: Choice | null,
    visitor: Visitor,
  ): void {
    if (made.isBeyond) return;
    const model = this.#model;
    const stride = this.#stride;
    const locals = model.localsOf(stride.mover);
    const move = this.#isAtOnce ? locals.settled(made) : made;
    this.#note(letter, from, choice);
    if (this.#joinsSilent && move.isSilent) {
      visitor.see(move.sights);
      if (this.#passed.includes(move.next)) return;
      stride.steps++;
      this.#walkSingle(move.next, visitor);
      stride.steps--;
      return;
    }
    const before = this.#state[0] as number;
    const rest = model.spend(before, choice?.kind);
    if (rest < 0) return;
    stride.move = move;
    stride.acceptor = -1;
    stride.rest = model.restWith(rest, stride.mover - model.acceptors, move.next, move.sent);
    stride.isAnswerReused = false;
    stride.isBallotReused = move.begins >= 0 && model.sets.has(model.sentByRest(rest), move.begins);
    // A silent step before it is not in the state that the rest was read from.
    const isIdle = move.next === local && move.sent.length === 0 && move.violation === null;
    if (isIdle && stride.steps > 1) return;
    visitor.visit(stride);
  }

  #note(letter: number, from: number, choice: Choice | null): void {
    const at = this.#stride.steps - 1;
    this.#letters[at] = letter;
    this.#froms[at] = from;
    this.#choices[at] = choice;
  }

  /**
   * The letters of a set that may change somebody. The first time it is all that they hear, so that
   * what is seen and changes nothing is seen too.
   *
   * @param place what, with the letter, decides whether it changes something
   * @param sent letters that may be sent again without a change
   */
  #worth(
    who: number,
    place: number,
    local: number,
    from: number,
    set: number,
    sent: number,
  ): readonly number[] {
    this.#worthy[who] ??= new Map();
    const worthy = this.#worthy[who];
    const name = (place * (this.#model.acceptors + 1) + from + 1) * 2 ** 22 + set;
    const known = worthy.get(name);
    if (known !== undefined) return known;
    const { sets } = this.#model;
    const all = this.#model.heardIn(set, who);
    const locals = this.#model.locals[who] as Locals;
    const rest = all.filter((letter) => {
      const { violation, next, sent: said } = locals.hear(local, letter, from);
      return violation !== null || next !== local || !said.every((one) => sets.has(sent, one));
    });
    worthy.set(name, rest);
    return all;
  }
}
