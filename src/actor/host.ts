/**
 * The host of one process: gives the roles that run here ears, mouths and alarms.
 *
 * It knows no protocol. It checks who speaks (subject, descriptor, store), hands messages to
 * inboxes, carries effects out, and counts what it drops.
 */
import type { Cluster } from "../paxos/cluster.js";
import type { Message, RoleName } from "../paxos/messages.js";
import { encodeAnswer, OVERLOADED } from "./answer.js";
import { Doors } from "./doors.js";
import type { Address, Effect, Settlement } from "./effect.js";
import { Feed } from "./feed.js";
import { Intake } from "./intake.js";
import type { LamportClock } from "./lamport.js";
import { Mistakes } from "./mistakes.js";
import type { Observer } from "./observer.js";
import type { Outbox } from "./outbox.js";
import { OverLimit } from "./over-limit.js";
import type {
  Clock,
  Codec,
  EndSubscription,
  Incoming,
  Logger,
  Random,
  StructuredCodec,
  Transport,
  TransportStatus,
} from "./ports.js";
import type { Hearing, RoleDefinition } from "./role.js";
import { Runner } from "./runner.js";
import { type Denial, ServerErrors } from "./server-errors.js";
import { createStepper } from "./step.js";
import { stopInOrder } from "./stopping.js";
import type { Store } from "./store.js";
import { doorSubject, type Space, subjectOf } from "./subject.js";

/** A message that cannot be read is logged at the first and then at every so many. */
const LOG_EVERY = 1000;

/** What a host is built from. */
export interface HostOptions {
  readonly cluster: Cluster;
  readonly prefix: string;
  readonly transport: Transport;
  readonly codec: Codec;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** For doors that are asked in MessagePack; without it they understand JSON alone. */
  readonly structured?: StructuredCodec | undefined;
  /** Every role there is: their hearings tell which messages are overheard. */
  readonly registry: readonly RoleDefinition[];
  /** Called when a role stopped for good. */
  readonly onHalt: (role: RoleName, id: string, why: string, cause: "halt" | "threw") => void;
  /** Sees what the roles do; nobody if left out. */
  readonly observer?: Observer | undefined;
  /** The Lamport clock of the process, if an observer reads it; one of its own if left out. */
  readonly lamport?: LamportClock | undefined;
  /** For the negative controls; the real outbox if left out. */
  readonly createOutbox?: ((release: (effect: Effect) => void) => Outbox) | undefined;
  /** Called with what a session settled. */
  readonly onSettle?: (settlements: readonly Settlement[]) => void;
}

/** Runs roles in one process over one transport. */
export class Host {
  readonly space: Space;
  readonly nonce: string;
  readonly runners: Runner[] = [];
  /** Messages that could not pass under the server's limit, for `why` and `status`. */
  readonly overLimit: OverLimit;
  /** What was dropped or refused, by reason. */
  readonly dropped = new Map<string, number>();
  readonly mistakes = new Mistakes();
  readonly #options: HostOptions;
  readonly #stepper = createStepper();
  readonly #intake: Intake;
  readonly #doors: Doors;
  readonly #serverErrors: ServerErrors;
  readonly #feeds = new Map<Runner, Feed>();
  readonly #overheard: ReadonlySet<string>;
  readonly #ears = new Map<string, Runner[]>();
  readonly #endings: (() => void)[] = [];
  /** Ends of the subscriptions in queue groups: others take over what would come there. */
  readonly #queueEnds: EndSubscription[] = [];

  constructor(options: HostOptions) {
    this.#options = options;
    this.space = { prefix: options.prefix, cluster: options.cluster.name };
    this.nonce = options.random.hex(8);
    const count = (reason: string, by?: number) => this.count(reason, by);
    const parts = { ...options, space: this.space, nonce: this.nonce, count };
    this.overLimit = new OverLimit(parts);
    this.#intake = new Intake(parts);
    this.#doors = new Doors(parts);
    this.#overheard = new Set(
      options.registry
        .flatMap(({ hears }) => hears)
        .flatMap(({ verb, toldTo }) => (toldTo === undefined ? [] : [`${toldTo}.${verb}`])),
    );
    this.#serverErrors = new ServerErrors(parts);
    this.#endings.push(options.transport.onStatus((status) => this.#noteStatus(status)));
  }

  /** Counts something dropped or refused. @returns how often it was by now */
  count(reason: string, by = 1): number {
    const times = (this.dropped.get(reason) ?? 0) + by;
    this.dropped.set(reason, times);
    this.mistakes.note(reason, by, () => this.#options.clock.nowMs());
    return times;
  }

  /** Adds a role and starts it. The transport must be connected. */
  add(definition: RoleDefinition, id: string, store: Store | null): Runner {
    const { cluster, clock, random, logger, observer, createOutbox } = this.#options;
    const runner = new Runner({
      observer,
      createOutbox,
      definition,
      id,
      cluster,
      store,
      stepper: this.#stepper,
      clock,
      random,
      logger,
      nonce: this.nonce,
      carryOut: (from, effect) => this.#carryOut(from, effect),
      count: (reason, by) => this.count(reason, by),
      payloadBytesMax: () => this.#options.transport.payloadBytesMax,
      onHalt: (halted, why, cause) => {
        this.#hush(halted);
        this.#options.onHalt(halted.definition.name, halted.id, why, cause);
      },
    });
    if (this.runners.length === 0 && definition.name !== "session") this.#listenForHellos();
    this.runners.push(runner);
    for (const hearing of definition.hears) this.#listen(runner, hearing);
    if (definition.hears.some(({ verb }) => verb === "objection")) this.#listenForTwin(runner);
    this.#doors.open(runner);
    if (definition.name === "proposer") this.#answerPings(runner);
    if (definition.name === "learner") this.#openFeed(runner);
    runner.start();
    return runner;
  }

  /** Ends in good order, within `waitMs`, then calls `done`. */
  stop(waitMs: number, done: () => void): void {
    stopInOrder({
      clock: this.#options.clock,
      waitMs,
      publicEnds: [...this.#doors.takeEnds(), ...this.#queueEnds.splice(0)],
      owesAnswers: () => this.#doors.waiting > 0,
      askRoles: () => this.#tellAll({ type: "stop" }),
      isBusy: () => this.runners.some(({ halted, pending }) => halted === null && pending > 0),
      end: () => {
        for (const end of this.#endings) end();
        for (const feed of this.#feeds.values()) feed.close();
        this.#doors.refuseWaiting();
        done();
      },
    });
  }

  /** What the server forbids this process now. */
  denials(): readonly Denial[] {
    return this.#serverErrors.denials(this.#options.clock.nowMs());
  }

  #noteStatus(status: TransportStatus): void {
    if (status.kind === "connected") this.#tellAll({ type: "connection.up" });
    if (status.kind === "disconnected") this.#tellAll({ type: "connection.down" });
    if (status.kind === "unread") this.#refuseUnread(status.message, status.error);
    this.#serverErrors.note(status, this.#options.clock.nowMs());
  }

  /** Counts a message whose reading threw, and answers it if an answer is awaited. */
  #refuseUnread({ subject, reply }: Incoming, error: unknown): void {
    const { logger, transport } = this.#options;
    const { message: reason, stack } = error instanceof Error ? error : new Error(String(error));
    const times = this.count("unread");
    if (times === 1 || times % LOG_EVERY === 0) {
      logger.error({ subject, times, stack }, `a message could not be read: ${reason}`);
    }
    if (reply === undefined) return;
    const message = `the message could not be read: ${reason}`;
    const refused = { kind: "refused", code: "invalid", message, mayHaveHappened: false } as const;
    const { headers, payload } = encodeAnswer(refused);
    transport.publish(reply, payload, { headers });
  }

  #tellAll(event: { type: string }): void {
    for (const runner of this.runners) runner.tell(event);
  }

  // --- ears -----------------------------------------------------------------------------------

  #listen(runner: Runner, hearing: Hearing): void {
    const { name } = runner.definition;
    const { verb, toldTo, queue } = hearing;
    if (toldTo !== undefined && toldTo !== name) {
      this.#subscribe(subjectOf(this.space, toldTo, verb, "*", "*"), runner);
      return;
    }
    this.#subscribe(subjectOf(this.space, name, verb, runner.id, "*"), runner);
    const all = subjectOf(this.space, name, verb, "all", "*");
    this.#subscribe(all, runner, queue === true ? name : undefined);
  }

  #subscribe(pattern: string, runner: Runner, queue?: string): void {
    const listeners = this.#ears.get(pattern);
    if (listeners !== undefined) {
      listeners.push(runner);
      return;
    }
    const added = [runner];
    this.#ears.set(pattern, added);
    const heard = (incoming: Incoming) => this.#hear(incoming, added);
    const end = this.#options.transport.subscribe(pattern, heard, { queue });
    if (queue === undefined) this.#endings.push(end);
    else this.#queueEnds.push(end);
  }

  #hear(incoming: Incoming, listeners: readonly Runner[]): void {
    const envelope = this.#intake.open(incoming);
    if (envelope === undefined) return;
    const { sender, message } = envelope;
    const carried = this.#doors.withToken(message, incoming);
    if (carried === undefined || this.#doors.refusesDecision(carried)) return;
    const bytes = incoming.payload.length;
    for (const runner of listeners) {
      const isIn = runner.deliver({ from: sender, message: carried, bytes });
      if (!isIn && carried.type === "decide") this.#doors.reply(carried.reply, OVERLOADED);
    }
  }

  /** Hears whoever else speaks under a listed name that lives here. */
  #listenForTwin(runner: Runner): void {
    const pattern = subjectOf(this.space, "*", "*", "*", runner.id);
    const heard = (incoming: Incoming) => this.#intake.meetTwin(runner, incoming);
    this.#endings.push(this.#options.transport.subscribe(pattern, heard));
  }

  /** Hears the stores that start anywhere, to object to those it has seen a later life of. */
  #listenForHellos(): void {
    const hellos = subjectOf(this.space, "*", "hello", "all", "*");
    const heard = (incoming: Incoming) => {
      this.#intake.open(incoming);
    };
    this.#endings.push(this.#options.transport.subscribe(hellos, heard));
  }

  #answerPings(runner: Runner): void {
    const pattern = subjectOf(this.space, "proposer", "ping", runner.id, "*");
    const end = this.#options.transport.subscribe(pattern, ({ reply }) => {
      if (reply === undefined) return;
      if (runner.halted === null) this.#options.transport.publish(reply, new Uint8Array(0));
    });
    this.#endings.push(end);
  }

  #openFeed(runner: Runner): void {
    const subject = doorSubject(this.space, `chosen.${runner.id}`);
    const count = (reason: string, by?: number) => this.count(reason, by);
    const tooLarge = (bytes: number) => this.overLimit.note(runner, "the feed", bytes);
    this.#feeds.set(runner, new Feed({ ...this.#options, subject, count, tooLarge }));
  }

  /** Ends what a halted role listens to, so that a ping or request for it finds nobody. */
  #hush(runner: Runner): void {
    for (const listeners of this.#ears.values()) {
      const at = listeners.indexOf(runner);
      if (at >= 0) listeners.splice(at, 1);
    }
    this.#feeds.get(runner)?.close();
    this.#doors.shut(runner);
  }

  // --- mouths ---------------------------------------------------------------------------------

  #carryOut(from: Runner, effect: Effect): void {
    switch (effect.kind) {
      case "send":
        this.#send(from, effect.to, effect.message);
        break;
      case "broadcast":
        this.#broadcast(from, effect.role, effect.message);
        break;
      case "publish":
        this.#feeds.get(from)?.publish(effect.entries);
        break;
      case "settle":
        this.#options.onSettle?.(effect.settlements);
        break;
      case "reply":
        this.#doors.reply(effect.token, effect.answer);
        break;
      case "ping":
        this.#ping(from, effect.proposer, effect.timeoutMs);
        break;
      case "readVotes":
        this.#readVotes(from, effect);
        break;
      case "checkPayload":
        this.#options.transport.checkPayloadBytesMax();
        break;
      case "checkDisk":
        if (from.store?.hasRoom() === true) from.answers()({ type: "disk.room" });
        break;
      default:
        this.count(`not_carried_out_${effect.kind}`);
    }
  }

  #send(from: Runner, to: Address, message: Message): void {
    const local = this.runners.filter(
      (runner) => runner.definition.name === to.role && runner.id === to.id,
    );
    for (const runner of local) this.#deliverHere(from, runner, message);
    const overheard = this.#overheard.has(`${to.role}.${message.type}`);
    if (overheard) this.#deliverOverheard(from, to.role, message);
    if (local.length === 0 || overheard) this.#publish(from, to.role, to.id, message);
  }

  #broadcast(from: Runner, role: RoleName, message: Message): void {
    for (const runner of this.runners) {
      const hears = runner.definition.name === role && hearsAsItself(runner, message);
      if (hears) this.#deliverHere(from, runner, message);
    }
    if (this.#overheard.has(`${role}.${message.type}`)) {
      this.#deliverOverheard(from, role, message);
    }
    this.#publish(from, role, "all", message);
  }

  #deliverOverheard(from: Runner, role: RoleName, message: Message): void {
    for (const runner of this.runners) {
      const overhears = runner.definition.hears.some(
        ({ verb, toldTo }) =>
          verb === message.type && toldTo === role && toldTo !== runner.definition.name,
      );
      if (overhears) this.#deliverHere(from, runner, message);
    }
  }

  #deliverHere(from: Runner, to: Runner, message: Message): void {
    to.deliver({ from: from.sender, message, bytes: 0 });
  }

  #publish(from: Runner, role: RoleName, toId: string, message: Message): void {
    const { transport, codec } = this.#options;
    const subject = subjectOf(this.space, role, message.type, toId, from.id);
    const encode = (one: Message) => codec.encode(from.sender, this.#intake.nextClock(), one);
    for (const payload of this.overLimit.payloadsOf(from, message, encode)) {
      transport.publish(subject, payload);
    }
  }

  #ping(from: Runner, proposer: string, timeoutMs: number): void {
    const tell = from.answers();
    const here = this.runners.find(
      ({ definition, id }) => definition.name === "proposer" && id === proposer,
    );
    if (here !== undefined) {
      if (here.halted === null) tell({ type: "pong", ...{ proposer } });
      else tell({ type: "no-pong", ...{ proposer, reason: "no_responders" } });
      return;
    }
    const subject = subjectOf(this.space, "proposer", "ping", proposer, from.id);
    this.#options.transport.request(subject, new Uint8Array(0), { timeoutMs }, ({ kind }) => {
      if (kind === "answer") tell({ type: "pong", ...{ proposer } });
      else tell({ type: "no-pong", ...{ proposer, reason: kind } });
    });
  }

  #readVotes(from: Runner, effect: Extract<Effect, { kind: "readVotes" }>): void {
    if (from.store === null) return;
    try {
      const { votes, to } = from.store.readVotes(effect.from, effect.below, effect.bytesMax);
      const { trimmed } = effect;
      this.#send(from, effect.to, { type: "votes", from: effect.from, to, trimmed, votes });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const event = { type: "disk.failed", reason };
      from.answers()(event);
    }
  }
}

function hearsAsItself(runner: Runner, message: Message): boolean {
  return runner.definition.hears.some(
    ({ verb, toldTo }) =>
      verb === message.type && (toldTo === undefined || toldTo === runner.definition.name),
  );
}
