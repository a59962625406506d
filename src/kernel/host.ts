/**
 * The host of one process: connects the roles that run here to the bus, their stores and timers.
 *
 * It knows no role and no verb. What it must know of them stands in the table of verbs and in the
 * roles' definitions. It checks who sends (subject, descriptor, store), hands messages to inboxes,
 * carries effects out, and counts what it drops.
 */
import type { Cluster } from "../paxos/cluster.js";
import type { Message, RoleName } from "../paxos/wire/messages.js";
import { ANNOUNCEMENT_VERB, hears, VERBS } from "../paxos/wire/verbs.js";
import { encodeAnswer, OVERLOADED } from "./answer.js";
import { Intake } from "./bus/intake.js";
import type { LamportClock } from "./bus/lamport.js";
import { OverLimit } from "./bus/over-limit.js";
import { type Denial, ServerErrors } from "./bus/server-errors.js";
import { type Space, subjectOf } from "./bus/subject.js";
import { Doors } from "./doors.js";
import type { Address, Effect } from "./effect.js";
import { RunLoop } from "./loop.js";
import { Mistakes } from "./mistakes.js";
import { type Observer, Observers } from "./observer.js";
import type { Outbox } from "./outbox.js";
import type {
  Clock,
  Codec,
  Incoming,
  Logger,
  Random,
  StructuredCodec,
  Transport,
  TransportStatus,
} from "./ports.js";
import type { Neighbour, RoleDefinition, Services, ServiceTools } from "./role.js";
import { Runner } from "./runner.js";
import { createStepper, type Stepper } from "./step.js";
import { stopInOrder } from "./stopping.js";
import type { Store } from "./store/store.js";
import { Subscriptions } from "./subscriptions.js";

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
  /** Called when a role stopped for good. */
  readonly onHalt: (role: RoleName, id: string, why: string, cause: "halt" | "threw") => void;
  /** The Lamport clock of the process, if an observer reads it; one of its own if left out. */
  readonly lamport?: LamportClock | undefined;
  /** For tests that hold steps to another way of stepping; the real one if left out. */
  readonly createStepper?: (() => Stepper) | undefined;
  /** For the negative controls; the real outbox if left out. */
  readonly createOutbox?: ((release: (effect: Effect) => void) => Outbox) | undefined;
}

/** Runs roles in one process over one transport. */
export class Host {
  readonly space: Space;
  readonly nonce: string;
  /** Every role that was added and not removed; one that halted stays, for `status`. */
  readonly runners: Runner[] = [];
  /** Messages that could not pass under the server's limit, for `why` and `status`. */
  readonly overLimit: OverLimit;
  /** What was dropped or refused, by reason. */
  readonly dropped = new Map<string, number>();
  readonly mistakes = new Mistakes();
  readonly #options: HostOptions;
  readonly #stepper: Stepper;
  readonly #loop: RunLoop;
  readonly #intake: Intake;
  readonly #doors: Doors;
  readonly #subscriptions: Subscriptions;
  readonly #serverErrors: ServerErrors;
  readonly #observers = new Observers((reason) => this.count(reason));
  readonly #services = new Map<Runner, Services>();
  readonly #endStatus: () => void;
  #endAnnouncements: (() => void) | null = null;

  constructor(options: HostOptions) {
    this.#stepper = options.createStepper?.() ?? createStepper();
    this.#options = options;
    this.#loop = new RunLoop(options.clock);
    this.space = { prefix: options.prefix, cluster: options.cluster.name };
    this.nonce = options.random.hex(8);
    const count = (reason: string, by?: number) => this.count(reason, by);
    const parts = { ...options, space: this.space, nonce: this.nonce, count };
    this.overLimit = new OverLimit(parts);
    this.#intake = new Intake(parts);
    this.#doors = new Doors(parts);
    this.#subscriptions = new Subscriptions({
      ...parts,
      deliver: (incoming, receivers) => this.#receive(incoming, receivers),
      watch: (runner, incoming) => this.#intake.meetTwin(runner, incoming),
    });
    this.#serverErrors = new ServerErrors(parts);
    this.#endStatus = options.transport.onStatus((status) => this.#noteStatus(status));
  }

  /** Counts something dropped or refused. @returns how often it was by now */
  count(reason: string, by = 1): number {
    const times = (this.dropped.get(reason) ?? 0) + by;
    this.dropped.set(reason, times);
    this.mistakes.note(reason, by, () => this.#options.clock.nowMs());
    return times;
  }

  /**
   * Shows an observer the machines that run now, and what the roles do from now on.
   *
   * @param onThrow called if the observer threw and was detached; that is logged if left out
   * @returns what detaches it
   */
  observe(observer: Observer, onThrow?: (error: unknown) => void): () => void {
    const log = (error: unknown) => {
      this.#options.logger.error({ error }, "an observer threw: going on without it");
    };
    return this.#observers.attach(observer, this.#running(), onThrow ?? log);
  }

  /** Adds a role and starts it. The transport must be connected. */
  add(definition: RoleDefinition, id: string, store: Store | null): Runner {
    const runner = new Runner({
      ...this.#options,
      definition,
      id,
      store,
      stepper: this.#stepper,
      observers: this.#observers,
      nonce: this.nonce,
      carryOut: (from, effect) => this.#carryOut(from, effect),
      wake: (one) => this.#loop.wake(one),
      count: (reason, by) => this.count(reason, by),
      payloadBytesMax: () => this.#options.transport.payloadBytesMax,
      neighbours: (one) => this.#neighboursOf(one),
      onHalt: (halted, why, cause) => {
        this.#detach(halted);
        this.#options.onHalt(halted.definition.name, halted.id, why, cause);
      },
    });
    if (definition.remembersStores === true) this.#listenForAnnouncements();
    this.runners.push(runner);
    this.#subscriptions.add(runner);
    this.#doors.open(runner);
    const services = definition.services?.(this.#toolsOf(runner));
    if (services !== undefined) this.#services.set(runner, services);
    runner.start();
    this.#tellNeighbours(runner);
    return runner;
  }

  #neighboursOf(runner: Runner): readonly Neighbour[] {
    return this.#running()
      .filter((other) => other !== runner)
      .map(({ definition, id }) => ({ role: definition.name, id }));
  }

  /** Says that a role has come or gone, to the others that heed it. */
  #tellNeighbours(changed: Runner): void {
    for (const runner of this.runners) {
      if (runner === changed || runner.definition.heedsNeighbours !== true) continue;
      const event = { type: "neighbours", neighbours: this.#neighboursOf(runner) };
      runner.tell(event);
    }
  }

  /** Ends a role and forgets it: what comes for its name finds nobody here. */
  remove(runner: Runner): void {
    runner.halt("removed");
    const at = this.runners.indexOf(runner);
    if (at >= 0) this.runners.splice(at, 1);
  }

  /** Ends in good order, within `waitMs`, then calls `done`. */
  stop(waitMs: number, done: () => void): void {
    stopInOrder({
      clock: this.#options.clock,
      waitMs,
      publicEnds: [...this.#doors.takeEnds(), ...this.#subscriptions.takeQueueEnds()],
      askRoles: () => this.#tellAll({ type: "stop" }),
      isBusy: () => this.#doors.waiting > 0 || this.#running().some(({ isBusy }) => isBusy),
      endIntake: () => this.#subscriptions.close(),
      isPending: () => this.#running().some(({ pending }) => pending > 0),
      end: () => {
        this.#endStatus();
        this.#endAnnouncements?.();
        for (const { close } of this.#services.values()) close?.();
        this.#doors.refuseWaiting();
        done();
      },
    });
  }

  /** What the server forbids this process now. */
  denials(): readonly Denial[] {
    return this.#serverErrors.denials(this.#options.clock.nowMs());
  }

  #running(): readonly Runner[] {
    return this.runners.filter(({ halted }) => halted === null);
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

  /** Ends what a role receives, when it stops: pings find nobody, messages for it go to the bus. */
  #detach(runner: Runner): void {
    this.#subscriptions.remove(runner);
    this.#doors.shut(runner);
    this.#services.get(runner)?.close?.();
    this.#services.delete(runner);
    this.#tellNeighbours(runner);
  }

  // --- inbound --------------------------------------------------------------------------------

  #receive(incoming: Incoming, receivers: readonly Runner[]): void {
    const envelope = this.#intake.open(incoming);
    if (envelope === undefined) return;
    const { sender, message } = envelope;
    const carried = this.#doors.withToken(message, incoming);
    if (carried === undefined) return;
    const bytes = incoming.payload.length;
    for (const runner of receivers) {
      if (this.#doors.refuses(runner, carried)) continue;
      const isIn = runner.deliver({ from: sender, message: carried, bytes });
      if (!isIn) this.#doors.answer(carried, OVERLOADED);
    }
  }

  /** Receives the stores that start anywhere, to object to those it has seen a later life of. */
  #listenForAnnouncements(): void {
    if (this.#endAnnouncements !== null) return;
    const pattern = subjectOf(this.space, "*", ANNOUNCEMENT_VERB, "all", "*");
    const heard = (incoming: Incoming) => {
      this.#intake.open(incoming);
    };
    this.#endAnnouncements = this.#options.transport.subscribe(pattern, heard);
  }

  // --- outbound -------------------------------------------------------------------------------

  #carryOut(from: Runner, effect: Effect): void {
    switch (effect.kind) {
      case "send":
        this.#send(from, effect.to, effect.message);
        break;
      case "broadcast":
        this.#broadcast(from, effect.role, effect.message);
        break;
      case "service":
        this.#serve(from, effect.name, effect.request);
        break;
      case "reply":
        this.#doors.reply(effect.token, effect.answer);
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

  #serve(from: Runner, name: string, request: unknown): void {
    const serve = this.#services.get(from)?.byName[name];
    if (serve === undefined) this.count(`no_service_${name}`);
    else (serve as (request: unknown) => void)(request);
  }

  #toolsOf(runner: Runner): ServiceTools {
    const { cluster, transport, clock } = this.#options;
    const { id, store } = runner;
    return {
      ...{ id, store, cluster, transport, clock, space: this.space },
      send: (to, message) => this.#send(runner, to, message),
      answers: () => runner.answers(),
      isHere: (role, its) =>
        this.#running().some(({ definition, id }) => definition.name === role && id === its),
      count: (reason, by) => this.count(reason, by),
      noteOverLimit: (what, bytes) => this.overLimit.note(runner, what, bytes),
    };
  }

  #send(from: Runner, to: Address, message: Message): void {
    const { type } = message;
    const running = this.#running();
    const local = running.filter(
      ({ definition, id }) => definition.name === to.role && id === to.id,
    );
    for (const runner of local) this.#deliverHere(from, runner, message);
    const overhearing = VERBS[type].overheardBy !== undefined;
    if (overhearing) this.#deliverToOverhearing(from, to.role, message);
    if (local.length === 0 || overhearing) this.#publish(from, to.role, to.id, message);
  }

  #broadcast(from: Runner, role: RoleName, message: Message): void {
    const { queue, overheardBy } = VERBS[message.type];
    const local = this.#running().filter(
      ({ definition: { name } }) => name === role && hears(name, message.type, role),
    );
    // One instance takes a message of a queue: one of this process, as the server would choose one.
    const taking = queue === true ? local.slice(0, 1) : local;
    for (const runner of taking) this.#deliverHere(from, runner, message);
    if (overheardBy !== undefined) this.#deliverToOverhearing(from, role, message);
    if (queue !== true || taking.length === 0) this.#publish(from, role, "all", message);
  }

  #deliverToOverhearing(from: Runner, role: RoleName, message: Message): void {
    for (const runner of this.#running()) {
      const { name } = runner.definition;
      if (name !== role && hears(name, message.type, role))
        this.#deliverHere(from, runner, message);
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
}
