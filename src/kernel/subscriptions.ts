/**
 * The subscriptions of one process: which of its roles receive what the bus brings.
 *
 * Roles that receive the same subject share a subscription, so that a message is read once.
 */
import { hearingsOf } from "../paxos/wire/verbs.js";
import { type Space, subjectOf } from "./bus/subject.js";
import type { EndSubscription, Incoming, Transport } from "./ports.js";
import type { Runner } from "./runner.js";

/** What {@link Subscriptions} are built from. */
export interface SubscriptionsOptions {
  readonly transport: Transport;
  readonly space: Space;
  /** Takes a message for these roles. */
  readonly deliver: (incoming: Incoming, receivers: readonly Runner[]) => void;
  /** Takes a message that bears the id of a role that watches for a duplicate of itself. */
  readonly watch: (runner: Runner, incoming: Incoming) => void;
}

interface Shared {
  readonly receivers: Runner[];
  readonly isQueue: boolean;
  /** Messages that came: those of a queue go round the receivers. */
  messages: number;
  readonly end: EndSubscription;
}

/** Subscribes for roles, and ends what no role needs any more. */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  readonly #shared = new Map<string, Shared>();
  /** Subscriptions of one role alone. */
  readonly #own = new Map<Runner, EndSubscription[]>();

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
  }

  /** Subscribes to all that a role receives. */
  add(runner: Runner): void {
    const { transport, space, watch } = this.#options;
    const { name, answersPings, watchesForDuplicate } = runner.definition;
    for (const { verb, to, isOverheard, queue } of hearingsOf(name)) {
      if (isOverheard) this.#share(subjectOf(space, to, verb, "*", "*"), runner);
      else {
        this.#share(subjectOf(space, name, verb, runner.id, "*"), runner);
        const all = subjectOf(space, name, verb, "all", "*");
        this.#share(all, runner, queue ? name : undefined);
      }
    }
    const own: EndSubscription[] = [];
    this.#own.set(runner, own);
    if (watchesForDuplicate === true) {
      const itsOwn = subjectOf(space, "*", "*", "*", runner.id);
      own.push(transport.subscribe(itsOwn, (incoming) => watch(runner, incoming)));
    }
    if (answersPings === true) {
      const pings = subjectOf(space, name, "ping", runner.id, "*");
      const answer = ({ reply }: Incoming) => {
        if (reply !== undefined) transport.publish(reply, new Uint8Array(0));
      };
      own.push(transport.subscribe(pings, answer));
    }
  }

  /** Ends what only this role receives: a ping or request for it finds nobody. */
  remove(runner: Runner): void {
    for (const end of this.#own.get(runner) ?? []) end();
    this.#own.delete(runner);
    for (const [pattern, { receivers, end }] of this.#shared) {
      const at = receivers.indexOf(runner);
      if (at < 0) continue;
      receivers.splice(at, 1);
      if (receivers.length > 0) continue;
      this.#shared.delete(pattern);
      end();
    }
  }

  /** Hands over the ends of the subscriptions in queue groups, to be called once each. */
  takeQueueEnds(): readonly EndSubscription[] {
    const queues = [...this.#shared].filter(([, { isQueue }]) => isQueue);
    for (const [pattern] of queues) this.#shared.delete(pattern);
    return queues.map(([, { end }]) => end);
  }

  /** Ends all of them. */
  close(): void {
    for (const ends of this.#own.values()) for (const end of ends) end();
    for (const { end } of this.#shared.values()) end();
    this.#own.clear();
    this.#shared.clear();
  }

  #share(pattern: string, runner: Runner, queue?: string): void {
    const known = this.#shared.get(pattern);
    if (known !== undefined) {
      known.receivers.push(runner);
      return;
    }
    const { transport, deliver } = this.#options;
    const receivers = [runner];
    const isQueue = queue !== undefined;
    const heard = (incoming: Incoming) => {
      if (!isQueue) deliver(incoming, receivers);
      else if (receivers.length > 0) deliver(incoming, [nextOf(shared)]);
    };
    const end = transport.subscribe(pattern, heard, { queue });
    const shared: Shared = { receivers, isQueue, messages: 0, end };
    this.#shared.set(pattern, shared);
  }
}

/** The receivers of a queue take turns. */
function nextOf(shared: Shared): Runner {
  const { receivers, messages } = shared;
  shared.messages++;
  return receivers[messages % receivers.length] as Runner;
}
