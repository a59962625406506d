/**
 * The exploration: every state of a small world, breadth first, each once.
 *
 * Breadth first, so that the first violation is one of the shortest. No state is hidden by a
 * collision: whole states are compared, not hashes.
 */
import type { Broken, Roles } from "../broken/broken.js";
import { evidenceOf } from "./facts.js";
import { Model } from "./model.js";
import { judgeState, PROPERTIES } from "./properties.js";
import { sightsOfEvidence } from "./seen.js";
import { bit, namesOf, type SightName } from "./sights.js";
import { type Stride, Strides, type Taken } from "./strides.js";
import { textOf } from "./text.js";
import { Integers, Tuples } from "./tuples.js";
import type { World } from "./world.js";

/** How far to go, and what to look for. */
export interface ExplorationOptions {
  readonly world: World;
  readonly roles: Roles;
  readonly broken?: Broken | null;
  /** Stops when so many states were found; no limit if absent or null. */
  readonly statesMax?: number | null;
  /** Properties to ask; all if absent. */
  readonly properties?: readonly string[];
  /**
   * Keeps the states between silent steps too (`strides.ts`): many more states, and a violation is
   * found by the fewest steps of any kind.
   */
  readonly everyStep?: boolean;
}

/** A violation, and where it is. */
export interface Found {
  readonly property: string;
  /** The sentence; acceptors have their names of the last state. */
  readonly sentence: (nameOf: (acceptor: number) => string) => string;
  /** The state in which it shows, or from which the step leads that shows it. */
  readonly state: number;
  /** The steps that show it; null: the state itself does. */
  readonly stride: { readonly mover: number; readonly steps: readonly Taken[] } | null;
}

/** One run of the search. */
export class Exploration {
  readonly model: Model;
  readonly strides: Strides;
  readonly world: World;
  readonly #statesMax: number;
  readonly #asked: ReadonlySet<string>;
  readonly #states: Tuples;
  /** By state: the one from which it was reached first. */
  readonly #parents = new Integers();
  readonly #state: Int32Array;
  readonly #changed: Int32Array;
  readonly #views: Tuples;
  readonly #sightDepths = new Map<SightName, number>();
  #seen = 0;
  #expanded = 0;
  #transitions = 0;
  #depth = 0;
  #depthEnd = 1;
  #found: Found | null = null;

  constructor(options: ExplorationOptions) {
    const { world, broken = null, properties = PROPERTIES } = options;
    this.world =
      broken?.cluster === undefined ? world : { ...world, cluster: broken.cluster(world.cluster) };
    this.#asked = new Set(properties);
    this.#statesMax = options.statesMax ?? Number.POSITIVE_INFINITY;
    const roles = broken?.roles?.(options.roles) ?? options.roles;
    this.model = new Model(this.world, roles, broken, this.#asked);
    this.strides = new Strides(this.model, options.everyStep !== true);
    const width = this.model.acceptors + 1;
    this.#states = new Tuples(width);
    this.#views = new Tuples(width);
    this.#state = new Int32Array(width);
    this.#changed = new Int32Array(width);
    this.model.first(this.#changed);
    this.#add(-1, 0);
  }

  /** States met so far. */
  get states(): number {
    return this.#states.size;
  }

  /** Steps from a state to another one. */
  get transitions(): number {
    return this.#transitions;
  }

  /** Steps from the first state to the farthest one met. */
  get depth(): number {
    return this.#depth;
  }

  get found(): Found | null {
    return this.#found;
  }

  /** Every state was met, and every step taken from it. */
  get isExhausted(): boolean {
    return this.#found === null && this.#expanded === this.#states.size;
  }

  get isDone(): boolean {
    return this.#found !== null || this.isExhausted || this.states >= this.#statesMax;
  }

  /** What was seen, and after how many steps for the first time. */
  get sights(): ReadonlyMap<SightName, number> {
    return this.#sightDepths;
  }

  /** What should have been seen and was not. */
  get missed(): readonly SightName[] {
    return this.world.mustSee.filter((name) => !this.#sightDepths.has(name));
  }

  /** Bytes of the tables that grow with the states. */
  get bytes(): number {
    return this.#states.bytes + this.#parents.size * 4 + this.#views.bytes + this.model.bytes;
  }

  /** Takes every step from so many more states. @returns whether it is done */
  advance(states: number): boolean {
    for (let count = 0; count < states && !this.isDone; count++) this.#expand();
    return this.isDone;
  }

  /** Reads a state. */
  read(state: number, into: Int32Array): void {
    this.#states.read(state, into);
  }

  /** The states from the first one to this one. */
  pathTo(state: number): number[] {
    const path: number[] = [];
    for (let at = state; at >= 0; at = this.#parents.get(at)) path.push(at);
    return path.reverse();
  }

  /** Everything that some state shows, whoever the acceptors are: to compare two searches. */
  shown(): ReadonlySet<string> {
    const { facts } = this.model.common;
    const view = new Int32Array(this.#views.width);
    const shown = new Set<string>();
    for (let index = 0; index < this.#views.size; index++) {
      this.#views.read(index, view);
      const [rest = "", ...acceptors] = [...view].map((one) => textOf(facts.get(one)));
      shown.add([rest, ...acceptors.sort()].join("|"));
    }
    return shown;
  }

  #expand(): void {
    if (this.#expanded === this.#depthEnd) {
      this.#depth++;
      this.#depthEnd = this.#states.size;
    }
    const from = this.#expanded++;
    this.#states.read(from, this.#state);
    this.strides.from(this.#state, {
      visit: (stride) => this.#take(from, stride),
      see: (sights) => this.#see(sights),
    });
  }

  #take(from: number, stride: Stride): void {
    if (this.#found !== null) return;
    const { mover, move, rest, acceptor } = stride;
    this.#see(move.sights);
    if (move.violation !== null || stride.isBallotReused || stride.isAnswerReused) {
      this.#found = this.#brokenBy(from, stride);
      if (this.#found !== null) return;
    }
    const isAcceptor = mover < this.model.acceptors;
    if (rest === this.#state[0] && (!isAcceptor || acceptor === this.#state[mover + 1])) return;
    this.#transitions++;
    this.#changed.set(this.#state);
    this.#changed[0] = rest;
    if (isAcceptor) this.#changed[mover + 1] = acceptor;
    this.#add(from, this.#depth + 1);
  }

  /** Adds the state in `changed`, if it is new. */
  #add(parent: number, depth: number): void {
    this.model.canonical(this.#changed, this.#states.scratch);
    const state = this.#states.intern();
    if (!this.#states.isNew) return;
    this.#parents.push(parent);
    this.#look(state, depth);
  }

  /** Judges what a new state shows; states that show the same are judged once. */
  #look(state: number, depth: number): void {
    const { scratch } = this.#states;
    const rest = scratch[0] as number;
    const glance = this.model.sightsOfRest(rest);
    if ((glance & ~this.#seen) !== 0) this.#note(glance, depth);
    const view = this.#views.scratch;
    view[0] = this.model.factsOfRest(rest);
    for (let place = 1; place < view.length; place++) {
      view[place] = this.model.factsOfAcceptor(scratch[place] as number);
    }
    this.#views.intern();
    if (!this.#views.isNew) return;
    const parts = [...view];
    const seen = sightsOfEvidence(this.world, this.#evidence(parts, idOf));
    if ((seen & ~this.#seen) !== 0) this.#note(seen, depth);
    const verdict = this.#judge(parts, idOf);
    if (verdict === null) return;
    this.#found = {
      property: verdict.property,
      sentence: (nameOf) => this.#judge(parts, nameOf)?.sentence ?? verdict.sentence,
      state,
      stride: null,
    };
  }

  #judge(parts: readonly number[], nameOf: (acceptor: number) => string) {
    const watermarks = new Map(
      parts.map((facts, place) => [
        place === 0 ? "a proposer" : nameOf(place - 1),
        this.model.common.facts.get(facts).watermark,
      ]),
    );
    return judgeState(this.#asked, this.#evidence(parts, nameOf), watermarks);
  }

  #evidence([rest = 0, ...acceptors]: readonly number[], nameOf: (acceptor: number) => string) {
    const { facts } = this.model.common;
    const named = acceptors.map((one, index) => [nameOf(index), facts.get(one)] as const);
    // Sentences name acceptors in their usual order.
    const sorted = new Map(named.sort(([a], [b]) => (a < b ? -1 : 1)));
    return evidenceOf(this.world, sorted, facts.get(rest));
  }

  #brokenBy(state: number, stride: Stride): Found | null {
    const { mover, move } = stride;
    const taken = { mover, steps: this.strides.steps() };
    const { violation } = move;
    if (violation !== null) {
      const { property, sentence } = violation;
      return { property, sentence: (nameOf) => sentence(nameOf(mover)), state, stride: taken };
    }
    if (stride.isAnswerReused) return this.#answerReused(state, stride, taken);
    if (!this.#asked.has("ballotsAreNew")) return null;
    const { message } = this.model.common.letters.get(move.begins);
    const ballot = "ballot" in message ? message.ballot : null;
    const name = ballot === null ? "" : `${ballot?.round}.${ballot?.owner}`;
    const sentence = () => `ballots are new: ballot ${name} is begun a second time`;
    return { property: "ballotsAreNew", sentence, state, stride: taken };
  }

  #answerReused(state: number, { mover, move }: Stride, taken: Found["stride"]): Found | null {
    const property = "answersAreNew";
    if (!this.#asked.has(property)) return null;
    const said = move.sent.map((letter) => this.model.common.letters.get(letter).message);
    const promise = said.find((message) => message.type === "promise");
    const sentence = (nameOf: (acceptor: number) => string) =>
      `answers are new: ${nameOf(mover)} names a second promise like one that it made before, ` +
      `answer ${promise?.answer}`;
    return { property, sentence, state, stride: taken };
  }

  #see(sights: number): void {
    if ((sights & ~this.#seen) !== 0) this.#note(sights, this.#depth + 1);
  }

  #note(bits: number, depth: number): void {
    for (const name of namesOf(bits & ~this.#seen)) {
      this.#sightDepths.set(name, depth);
      this.#seen |= bit(name);
    }
  }
}

function idOf(acceptor: number): string {
  return `a${acceptor + 1}`;
}
