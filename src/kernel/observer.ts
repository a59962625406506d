/**
 * An observer sees what the roles of one process do: for traces, monitors and the simulator.
 *
 * What it sees must not be changed, and is valid during the call.
 */
import type { Sender } from "../paxos/wire/messages.js";
import type { Effect } from "./effect.js";
import type { DiskError } from "./ports.js";
import type { RoleDefinition, RoleEvent, RoleSnapshot } from "./role.js";
import type { Plain } from "./show.js";
import type { Step } from "./step.js";
import type { Store, StoreBatch } from "./store/store.js";

/** A role, as an observer may see it; the same object for as long as the role runs. */
export interface ObservedRole {
  readonly definition: RoleDefinition;
  readonly id: string;
  /** What its messages name as their sender. */
  readonly sender: Sender;
  /** Null if the role keeps nothing. */
  readonly store: Store | null;
  /** The snapshot of each of its machines, by instance; "" for a role without instances. */
  snapshots(): ReadonlyMap<string, RoleSnapshot>;
}

/** Hears of everything, in the order in which it happens. */
export interface Observer {
  /** A machine took an event; `event` is null for the start of an instance. */
  stepped(role: ObservedRole, instance: string, event: RoleEvent | null, step: Step): void;
  /** A batch is on stable storage; what waited for it leaves after this. */
  committed(role: ObservedRole, batch: StoreBatch): void;
  /** A batch was refused: nothing that waited for it leaves. */
  refused(role: ObservedRole, error: DiskError): void;
  /** An effect leaves the role and is carried out next: all it waited for is durable. */
  leaves(role: ObservedRole, effect: Effect): void;
  /**
   * A machine ran when the observer was attached: its state, and what its role shows of its
   * context. Called for each before anything else.
   */
  found?(role: ObservedRole, instance: string, shown: Shown): void;
}

/** A machine as an observer finds it. */
export interface Shown {
  /** The state as XState writes it: a name, or states by region. */
  readonly state: RoleSnapshot["value"];
  readonly context: Plain;
}

interface Attached {
  readonly observer: Observer;
  readonly onThrow: (error: unknown) => void;
}

/**
 * The observers of one process, in the order in which they were attached. One that throws is
 * counted and detached: what goes wrong in it must not harm a role.
 *
 * Cost: none while nobody looks on, because roles read {@link isWatched} first.
 */
export class Observers implements Observer {
  readonly #attached = new Set<Attached>();
  readonly #count: (reason: string) => void;
  /** Set while somebody looks on. */
  isWatched = false;

  constructor(count: (reason: string) => void) {
    this.#count = count;
  }

  /**
   * Attaches an observer, also while the roles run.
   *
   * @param roles those that run: the observer is first shown their machines
   * @param onThrow called with what the observer threw, after it was detached
   * @returns what detaches it: it sees nothing after that
   */
  attach(
    observer: Observer,
    roles: readonly ObservedRole[],
    onThrow: (error: unknown) => void,
  ): () => void {
    const attached = { observer, onThrow };
    this.#attached.add(attached);
    this.isWatched = true;
    this.#showTo(attached, () => {
      for (const role of roles) find(observer, role);
    });
    return () => this.#detach(attached);
  }

  stepped(role: ObservedRole, instance: string, event: RoleEvent | null, step: Step): void {
    this.#show((observer) => observer.stepped(role, instance, event, step));
  }

  committed(role: ObservedRole, batch: StoreBatch): void {
    this.#show((observer) => observer.committed(role, batch));
  }

  refused(role: ObservedRole, error: DiskError): void {
    this.#show((observer) => observer.refused(role, error));
  }

  leaves(role: ObservedRole, effect: Effect): void {
    this.#show((observer) => observer.leaves(role, effect));
  }

  #show(show: (observer: Observer) => void): void {
    for (const attached of [...this.#attached]) {
      // An earlier one may have detached it just now.
      if (this.#attached.has(attached)) this.#showTo(attached, show);
    }
  }

  #showTo(attached: Attached, show: (observer: Observer) => void): void {
    try {
      show(attached.observer);
    } catch (error) {
      this.#detach(attached);
      this.#count("observer_threw");
      attached.onThrow(error);
    }
  }

  #detach(attached: Attached): void {
    this.#attached.delete(attached);
    this.isWatched = this.#attached.size > 0;
  }
}

function find(observer: Observer, role: ObservedRole): void {
  if (observer.found === undefined) return;
  for (const [instance, snapshot] of role.snapshots()) {
    const shown = { state: snapshot.value, context: role.definition.show(snapshot) };
    observer.found(role, instance, shown);
  }
}
