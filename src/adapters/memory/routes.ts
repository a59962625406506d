/** A subscription as the bus sees it. */
export interface Route {
  /** Tokens of its subject; `*` is one token, a last `>` one or more. */
  readonly tokens: readonly string[];
  readonly queue: string | undefined;
}

/** Subjects whose receivers are remembered. */
const cachedMax = 1_024;

/** Who hears which subject, in the order of subscribing. */
export class Routes<R extends Route> {
  readonly #all = new Set<R>();
  #cache = new Map<string, readonly R[]>();
  /** Whose turn it is in a queue group. */
  readonly #turns = new Map<string, number>();

  add(route: R): void {
    this.#all.add(route);
    this.#cache.clear();
  }

  remove(route: R): void {
    if (this.#all.delete(route)) {
      this.#cache.clear();
    }
  }

  /** All who match a subject; of queue groups every member. */
  matching(subject: string): readonly R[] {
    const known = this.#cache.get(subject);
    if (known !== undefined) {
      return known;
    }
    const tokens = subject.split(".");
    const found = [...this.#all].filter((route) => matches(route.tokens, tokens));
    if (this.#cache.size >= cachedMax) {
      this.#cache.clear();
    }
    this.#cache.set(subject, found);
    return found;
  }

  /**
   * Who gets one message: all without a queue, and of each queue group the next in turn.
   *
   * @param isPassedOver says who gets none, so that another one of its group does
   */
  receivers(subject: string, isPassedOver: (route: R) => boolean): R[] {
    const chosen: R[] = [];
    const groups = new Map<string, R[]>();
    for (const route of this.matching(subject)) {
      if (isPassedOver(route)) continue;
      if (route.queue === undefined) {
        chosen.push(route);
      } else {
        groups.set(route.queue, [...(groups.get(route.queue) ?? []), route]);
      }
    }
    for (const [queue, members] of groups) {
      const turn = this.#turns.get(queue) ?? 0;
      this.#turns.set(queue, turn + 1);
      chosen.push(members[turn % members.length]!);
    }
    return chosen;
  }
}

function matches(pattern: readonly string[], tokens: readonly string[]): boolean {
  for (let i = 0; i < pattern.length; i += 1) {
    if (pattern[i] === ">" && i === pattern.length - 1) {
      return tokens.length > i;
    }
    if (i >= tokens.length || (pattern[i] !== "*" && pattern[i] !== tokens[i])) {
      return false;
    }
  }
  return tokens.length === pattern.length;
}
