/** Sets of integers, each kept once and named by its number; adding is remembered. */

/** Every set met so far. Number 0 is the empty set. */
export class Sets {
  readonly #items: (readonly number[])[] = [[]];
  readonly #known = new Map<string, number>([["", 0]]);
  readonly #added: Map<number, number>[] = [new Map()];

  /** The items of a set in ascending order. */
  items(set: number): readonly number[] {
    return this.#items[set] as readonly number[];
  }

  has(set: number, item: number): boolean {
    return this.add(set, item) === set;
  }

  /** Returns the set with one item more. */
  add(set: number, item: number): number {
    const added = this.#added[set] as Map<number, number>;
    const known = added.get(item);
    if (known !== undefined) return known;
    const items = this.items(set);
    const made = items.includes(item) ? set : this.#intern([...items, item].sort((a, b) => a - b));
    added.set(item, made);
    return made;
  }

  /** Returns the set with these items too. */
  addAll(set: number, items: readonly number[]): number {
    let made = set;
    for (const item of items) made = this.add(made, item);
    return made;
  }

  #intern(items: readonly number[]): number {
    const text = items.join(" ");
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const set = this.#items.length;
    this.#items.push(items);
    this.#added.push(new Map());
    this.#known.set(text, set);
    return set;
  }
}
