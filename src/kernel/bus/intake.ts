/**
 * The intake of one process: reads what comes from the bus and checks that its sender is who it
 * says, by subject, descriptor and store. What fails is dropped, counted by reason, sampled to the
 * log.
 */
import {
  type Cluster,
  type ConfigurationName,
  configurationName,
  mayJudge,
  storeIdOf,
} from "../../paxos/cluster.js";
import type { Message, Sender } from "../../paxos/wire/messages.js";
import {
  isAnnouncement,
  LISTED_ROLES,
  OBJECTION_VERB,
  objectionOf,
  VERBS,
  witnessSender,
} from "../../paxos/wire/verbs.js";
import type { Codec, Envelope, Incoming, Logger, Transport } from "../ports.js";
import type { Runner } from "../runner.js";
import { LamportClock } from "./lamport.js";
import { parseSubject, type Space, subjectOf } from "./subject.js";
import { Witness } from "./witness.js";

/** A dropped message is logged at the first and then at every so many. */
const LOG_EVERY = 1000;

/** What an intake is built from. */
export interface IntakeOptions {
  readonly cluster: Cluster;
  readonly space: Space;
  readonly transport: Transport;
  readonly codec: Codec;
  readonly logger: Logger;
  /** This process, as it signs. */
  readonly nonce: string;
  readonly count: (reason: string) => number;
  /** The clock of the process, if others read it too. */
  readonly lamport?: LamportClock | undefined;
}

/** Reads and checks messages; keeps the process's Lamport clock and its witness. */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #witness = new Witness();
  readonly #lamport: LamportClock;
  readonly #serves: ConfigurationName;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#serves = configurationName(options.cluster);
    this.#lamport = options.lamport ?? new LamportClock();
  }

  /** The Lamport clock for a message that leaves now. */
  nextClock(): number {
    return this.#lamport.tick();
  }

  /** Reads a message; undefined if it is dropped, or a hello, which is dealt with here. */
  open(incoming: Incoming): Envelope | undefined {
    const { space, nonce, cluster } = this.#options;
    const route = parseSubject(space, incoming.subject);
    if (route === undefined) return this.#drop("wrong_subject", incoming);
    const decoded = this.#read(route.verb, incoming.payload);
    if ("fault" in decoded) return this.#drop(decoded.fault, incoming);
    const { sender, message } = decoded;
    if (sender.process === nonce) return undefined; // our own, heard already in this process
    if (sender.id !== route.fromId) return this.#drop("wrong_sender", incoming);
    if (!VERBS[message.type].from.includes(sender.role)) return this.#drop("wrong_role", incoming);
    if (LISTED_ROLES.has(sender.role)) {
      const storeId = storeIdOf(cluster, sender.role, sender.id);
      if (storeId === undefined) return this.#drop("unknown_member", incoming);
      if (storeId !== sender.storeId) return this.#drop("wrong_store", incoming);
    }
    this.#lamport.note(decoded.lc);
    this.#lamport.tick();
    if (isAnnouncement(message)) {
      const objection = this.#witness.object(sender, message);
      if (objection !== null) this.object(sender, objection);
      return undefined;
    }
    if (LISTED_ROLES.has(sender.role)) this.#witness.note(sender);
    return decoded;
  }

  /**
   * Reads a message signed with the name of a role that lives here: a living twin.
   *
   * A starting twin is objected to; a twin of this or a later incarnation that speaks halts the
   * role
   * here. One of an earlier incarnation is a late message of a process that is dead.
   */
  meetTwin(runner: Runner, incoming: Incoming): void {
    const { space, nonce } = this.#options;
    const route = parseSubject(space, incoming.subject);
    if (route === undefined || runner.halted !== null) return;
    const decoded = this.#read(route.verb, incoming.payload);
    if ("fault" in decoded) {
      this.#drop(decoded.fault, incoming);
      return;
    }
    const { sender, message } = decoded;
    const here = runner.sender;
    if (sender.role !== here.role || sender.process === nonce) return;
    if (sender.storeId !== here.storeId) return;
    if (isAnnouncement(message)) {
      this.object(sender, objectionOf("name_in_use", here));
    } else if (sender.incarnation >= here.incarnation) runner.tell({ type: "twin.heard" });
  }

  /** Reads a message of this cluster that was written under what this process serves. */
  #read(verb: string, payload: Uint8Array): Envelope | { readonly fault: string } {
    const decoded = this.#options.codec.decode(verb, payload);
    if ("fault" in decoded || mayJudge(this.#serves, decoded.configuration)) return decoded;
    return { fault: "wrong_epoch" };
  }

  /** Says an objection to a starting role. */
  object(to: Sender, objection: Message): void {
    const { space, codec, transport, nonce, count } = this.#options;
    count("objections");
    const from = witnessSender(nonce);
    const subject = subjectOf(space, to.role, OBJECTION_VERB, to.id, from.id);
    transport.publish(subject, codec.encode(from, this.nextClock(), objection));
  }

  #drop(reason: string, incoming: Incoming): undefined {
    const times = this.#options.count(reason);
    if (times === 1 || times % LOG_EVERY === 0) {
      const fields = { subject: incoming.subject, reason, times };
      this.#options.logger.warn(fields, `dropped a message: ${reason}`);
    }
    return undefined;
  }
}
