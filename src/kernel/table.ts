/**
 * A table of a chart: for each state and event the transitions to try, with what each of them does
 * worked out beforehand. `compiler.ts` makes it of the machine object.
 *
 * Why: XState works that out at every event, and makes a new snapshot for every `assign`. A step by
 * table costs about a tenth.
 */
import type { AnyEventObject, AnyMachineSnapshot, AnyStateNode } from "xstate";
import type { Effect } from "./effect.js";

/** What guards and actions are called with. */
interface Args {
  readonly context: unknown;
  readonly event: AnyEventObject;
}

/** A function of the chart, or one made of what the chart says. */
export type Call<R> = (args: Args, params: unknown) => R;

/** One thing that a transition does. */
export type Deed =
  | { readonly kind: "assign"; readonly assignment: Call<object>; readonly params: Call<unknown> }
  | { readonly kind: "raise"; readonly raise: Raise; readonly params: Call<unknown> }
  | { readonly kind: "cancel"; readonly id: Call<string>; readonly params: Call<unknown> }
  | {
      readonly kind: "effects";
      readonly name: string;
      readonly make: Call<unknown>;
      readonly params: Call<unknown>;
    };

/** An event that a step raises for its own chart. */
export interface Raise {
  readonly event: Call<AnyEventObject>;
  readonly id: string | undefined;
  /** Undefined: at once. */
  readonly delay: Call<unknown> | undefined;
}

/** A transition from one leaf. */
export interface Row {
  readonly guard: ((args: Args) => boolean) | undefined;
  readonly deeds: readonly Deed[];
  readonly transition: Transition;
  /** The leaf that it leads to. */
  readonly to: Place;
}

/** A leaf of the chart, and the states around it. */
export interface Place {
  readonly node: AnyStateNode;
  /** The leaf, then the states around it from the inside out. */
  readonly path: readonly AnyStateNode[];
  /** What a snapshot in this leaf shows. */
  readonly shown: Pick<AnyMachineSnapshot, "value" | "tags" | "_nodes">;
  /** By event, in the order in which they are tried. */
  readonly rows: Map<string, readonly Row[]>;
  always: readonly Row[];
}

/** What XState says of a transition; part of the chart, and never changed. */
export interface Transition {
  readonly eventType: string;
  readonly source: { readonly path: readonly string[] };
  readonly target?: readonly { readonly path: readonly string[] }[] | undefined;
}

/** What a step by table made. */
export interface Move {
  readonly snapshot: AnyMachineSnapshot;
  readonly effects: readonly Effect[];
  /** Those that were taken, in order. */
  readonly transitions: readonly Transition[];
}

/** A chart as a table; made by {@link tableOf}. */
export class Table {
  readonly #places: ReadonlyMap<AnyStateNode, Place>;
  readonly #microstepsMax: number;

  constructor(places: ReadonlyMap<AnyStateNode, Place>, microstepsMax: number) {
    this.#places = places;
    this.#microstepsMax = microstepsMax;
  }

  /**
   * Takes one event. The snapshot stays as it is, but for bulk data that actions change.
   *
   * @throws what a guard or action threw, and if an `always` does not end
   */
  step(snapshot: AnyMachineSnapshot, event: AnyEventObject): Move {
    const walk = new Walk(this.#placeOf(snapshot), snapshot.context, event);
    walk.take(walk.place.rows.get(event.type) ?? []);
    let tries = true;
    for (let steps = 1; ; steps++) {
      if (steps > this.#microstepsMax) {
        throw new Error(`Infinite loop: an \`always\` goes on after ${steps} microsteps`);
      }
      const version = walk.version;
      if (tries && walk.take(walk.place.always)) {
        // One that changed nothing would be taken for ever.
        tries = walk.version !== version;
        continue;
      }
      const raised = walk.raised.shift();
      if (raised === undefined) break;
      walk.event = raised;
      walk.take(walk.place.rows.get(raised.type) ?? []);
      tries = true;
    }
    const { effects, context, transitions } = walk;
    if (walk.version === 0) return { snapshot, effects, transitions };
    // Written out: a second spread is slow.
    const { value, tags, _nodes } = walk.place.shown;
    const next = { ...snapshot, context, value, tags, _nodes };
    return { snapshot: next as AnyMachineSnapshot, effects, transitions };
  }

  #placeOf(snapshot: AnyMachineSnapshot): Place {
    for (const node of snapshot._nodes) {
      const place = this.#places.get(node);
      if (place !== undefined) return place;
    }
    throw new Error("a snapshot in no state of its chart");
  }
}

/** One step under way. */
class Walk {
  place: Place;
  context: object;
  event: AnyEventObject;
  readonly raised: AnyEventObject[] = [];
  readonly effects: Effect[] = [];
  readonly transitions: Transition[] = [];
  /** Grows with each change of the state or the context. */
  version = 0;
  /** Set once the context is this step's own. */
  #isOwn = false;

  constructor(place: Place, context: object, event: AnyEventObject) {
    this.place = place;
    this.context = context;
    this.event = event;
  }

  /** Takes the first transition whose guard lets it. */
  take(rows: readonly Row[]): boolean {
    for (const { guard, deeds, transition, to } of rows) {
      if (guard !== undefined && !guard({ context: this.context, event: this.event })) continue;
      this.transitions.push(transition);
      for (const deed of deeds) this.#do(deed);
      if (to !== this.place) {
        this.place = to;
        this.version++;
      }
      return true;
    }
    return false;
  }

  #do(deed: Deed): void {
    const args = { context: this.context, event: this.event };
    const params = deed.params(args, undefined);
    switch (deed.kind) {
      case "assign":
        this.#assign(deed.assignment(args, params));
        return;
      case "effects": {
        const made = deed.make(args, params);
        if (!Array.isArray(made)) throw new Error(`action ${deed.name} did not return effects`);
        for (const effect of made as readonly Effect[]) this.effects.push(effect);
        return;
      }
      case "cancel":
        this.effects.push({ kind: "cancelTimer", id: deed.id(args, params) });
        return;
      case "raise":
        this.#raise(deed.raise, args, params);
    }
  }

  #assign(update: object): void {
    if (!this.#isOwn) {
      this.context = { ...this.context };
      this.#isOwn = true;
    }
    Object.assign(this.context, update);
    this.version++;
  }

  #raise({ event, id, delay }: Raise, args: Args, params: unknown): void {
    const raised = event(args, params);
    if (delay === undefined) {
      this.raised.push(raised);
      return;
    }
    const delayMs = delay(args, params);
    if (typeof delayMs !== "number" || !Number.isFinite(delayMs)) {
      throw new Error(`${id}: its delay is ${delayMs}, not a number`);
    }
    if (id === undefined) throw new Error("a delayed raise needs an id");
    this.effects.push({ kind: "setTimer", id, delayMs, event: raised });
  }
}
