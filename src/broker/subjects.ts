/** What the routing table must know of a subscription; the rest is its owner's. */
export interface Routable {
  /** A valid pattern; see `isPattern`. */
  readonly subject: string;
  /** The queue group, '' if none. */
  readonly queue: string;
}

/** The members of one queue group that hear a subject, and whose turn it is. */
export interface QueueGroup<S extends Routable> {
  readonly queue: string;
  readonly members: readonly S[];
  /** Grows by one per message; the member at `turn % members.length` is asked first. */
  turn: number;
}

/** Who hears one subject. A snapshot: later subscriptions make a new one. */
export interface Route<S extends Routable> {
  /** Each gets every message. */
  readonly everyone: readonly S[];
  /** One member of each gets every message. */
  readonly groups: readonly QueueGroup<S>[];
}

interface Branch<S> {
  readonly literals: Map<string, Branch<S>>;
  /** Below a `*`. */
  any: Branch<S> | undefined;
  /** Subscriptions that end here. */
  readonly here: Set<S>;
  /** Subscriptions that end with a `>` here: they take one token or more. */
  readonly tail: Set<S>;
}

/**
 * Says whether a subject may be published to: tokens without blanks, control bytes or wildcards,
 * none empty.
 *
 * Cost: O(length). Differs: nats-server lets a careless client publish to `a.*` literally; here it
 * is an error, because nobody ever means it.
 */
export function isSubject(subject: string, tokensMax: number): boolean {
  return isWellFormed(subject, tokensMax) && !/(^|\.)[*>](\.|$)/.test(subject);
}

/**
 * Says whether a subject may be subscribed to: as `isSubject`, but a token may be `*` and the last
 * one `>`.
 */
export function isPattern(subject: string, tokensMax: number): boolean {
  return isWellFormed(subject, tokensMax) && !/(^|\.)>\./.test(subject);
}

function isWellFormed(subject: string, tokensMax: number): boolean {
  let tokens = 1;
  let tokenLength = 0;
  for (let at = 0; at < subject.length; at += 1) {
    const code = subject.charCodeAt(at);
    if (code === 46) {
      if (tokenLength === 0) {
        return false;
      }
      tokens += 1;
      tokenLength = 0;
    } else if (code <= 32 || code === 127) {
      return false;
    } else {
      tokenLength += 1;
    }
  }
  return tokenLength > 0 && tokens <= tokensMax;
}

/**
 * Finds the subscriptions that hear a subject.
 *
 * A tree of tokens answers the first question about a subject, a memory of answers the following
 * ones. A change of a plain subscription forgets that one subject, a change of a wildcard forgets
 * everything.
 *
 * Cost: one map look-up for a remembered subject; else O(branches that match), each visited at most
 * once.
 * Limits: depth ≤ `tokensMax`, memory of ≤ `cachedMax` subjects.
 */
export class RoutingTable<S extends Routable> {
  readonly #root: Branch<S> = newBranch();
  readonly #cache = new Map<string, Route<S> | undefined>();
  readonly #tokensMax: number;
  readonly #cachedMax: number;
  /**
   * Where the next queue group starts its turns, so that forgetting a route does not favour the
   * first member.
   */
  #turn = 0;

  constructor(tokensMax: number, cachedMax: number) {
    this.#tokensMax = tokensMax;
    this.#cachedMax = cachedMax;
  }

  /** How many subjects are remembered. */
  get cached(): number {
    return this.#cache.size;
  }

  /** Adds a subscription with a valid pattern; adding it again changes nothing. */
  add(subscription: S): void {
    let branch = this.#root;
    const tokens = subscription.subject.split(".");
    const last = tokens.length - 1;
    for (let i = 0; i <= last; i += 1) {
      const token = tokens[i] ?? "";
      if (token === ">" && i === last) {
        branch.tail.add(subscription);
        this.#forget(subscription.subject);
        return;
      }
      branch = child(branch, token) ?? grow(branch, token);
    }
    branch.here.add(subscription);
    this.#forget(subscription.subject);
  }

  /** Removes a subscription and the branches only it used; removing it again changes nothing. */
  remove(subscription: S): void {
    const tokens = subscription.subject.split(".");
    const path = [this.#root];
    const isTail = tokens.at(-1) === ">";
    for (const token of isTail ? tokens.slice(0, -1) : tokens) {
      const next = child(path[path.length - 1]!, token);
      if (next === undefined) {
        return;
      }
      path.push(next);
    }
    const leaf = path[path.length - 1]!;
    (isTail ? leaf.tail : leaf.here).delete(subscription);
    for (let i = path.length - 1; i > 0 && isBare(path[i]!); i -= 1) {
      cut(path[i - 1]!, tokens[i - 1] ?? "");
    }
    this.#forget(subscription.subject);
  }

  /** Answers who hears a subject, or undefined if it is not one that may be published to. */
  route(subject: string): Route<S> | undefined {
    const known = this.#cache.get(subject);
    if (known !== undefined || this.#cache.has(subject)) {
      return known;
    }
    const route = isSubject(subject, this.#tokensMax) ? this.#find(subject) : undefined;
    // Requests use a fresh reply subject each, so a full memory is mostly stale: drop all, keep
    // what returns.
    if (this.#cache.size >= this.#cachedMax) {
      this.#cache.clear();
    }
    this.#cache.set(subject, route);
    return route;
  }

  #find(subject: string): Route<S> {
    const found: S[] = [];
    collect(this.#root, subject.split("."), 0, found);
    const everyone: S[] = [];
    const groups = new Map<string, S[]>();
    for (const subscription of found) {
      const members = groups.get(subscription.queue);
      if (subscription.queue === "") {
        everyone.push(subscription);
      } else if (members === undefined) {
        groups.set(subscription.queue, [subscription]);
      } else {
        members.push(subscription);
      }
    }
    this.#turn += 1;
    return {
      everyone,
      groups: Array.from(groups, ([queue, members]) => ({ queue, members, turn: this.#turn })),
    };
  }

  #forget(pattern: string): void {
    if (pattern.includes("*") || pattern.includes(">")) {
      this.#cache.clear();
    } else {
      this.#cache.delete(pattern);
    }
  }
}

function newBranch<S>(): Branch<S> {
  return { literals: new Map(), any: undefined, here: new Set(), tail: new Set() };
}

function child<S>(branch: Branch<S>, token: string): Branch<S> | undefined {
  return token === "*" ? branch.any : branch.literals.get(token);
}

function grow<S>(branch: Branch<S>, token: string): Branch<S> {
  const grown = newBranch<S>();
  if (token === "*") {
    branch.any = grown;
  } else {
    branch.literals.set(token, grown);
  }
  return grown;
}

function cut<S>(branch: Branch<S>, token: string): void {
  if (token === "*") {
    branch.any = undefined;
  } else {
    branch.literals.delete(token);
  }
}

function isBare<S>(branch: Branch<S>): boolean {
  return (
    branch.literals.size === 0 &&
    branch.any === undefined &&
    branch.here.size === 0 &&
    branch.tail.size === 0
  );
}

function collect<S>(branch: Branch<S>, tokens: string[], depth: number, found: S[]): void {
  if (depth === tokens.length) {
    // One by one: a spread of very many subscriptions would overflow the stack.
    for (const subscription of branch.here) {
      found.push(subscription);
    }
    return;
  }
  for (const subscription of branch.tail) {
    found.push(subscription);
  }
  const literal = branch.literals.get(tokens[depth] ?? "");
  if (literal !== undefined) {
    collect(literal, tokens, depth + 1, found);
  }
  if (branch.any !== undefined) {
    collect(branch.any, tokens, depth + 1, found);
  }
}
