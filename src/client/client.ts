/** The client: what `connect` returns, over whatever transport it is given. */

import { LamportClock } from "../kernel/bus/lamport.js";
import { doorSubject, parseSubject, subjectOf } from "../kernel/bus/subject.js";
import { Host } from "../kernel/host.js";
import type { Clock, Codec, Logger, Random, Transport, TransportStatus } from "../kernel/ports.js";
import type { Cluster } from "../paxos/cluster.js";
import type { BodyType } from "../paxos/command.js";
import type { Receipt } from "../paxos/receipt.js";
import type { Sender } from "../paxos/wire/messages.js";
import { Asker } from "./asker.js";
import { capturingStreams } from "./captures.js";
import { type After, ChosenFeed } from "./chosen.js";
import { gatherAnswers, mergeStatus, mergeWaits, type RoleWaits, type Status } from "./control.js";
import { checkKey, decide } from "./decide.js";
import { type Call, closed, onAbort, timeoutOf, untilAborted } from "./ending.js";
import type { RawEntry } from "./entries.js";
import {
  connectionClosed,
  InvalidError,
  notPermitted,
  TooLargeError,
  UnavailableError,
} from "./errors.js";
import { noneIfForbidden, type Unheard, unheard, waitsToBeHeard } from "./hearing.js";
import type { History } from "./history.js";
import { provePosition, type RawProof } from "./prove.js";
import { Recorder, showBody } from "./recorder.js";
import { Session } from "./session.js";
import type { ChosenEvent, ChosenOptions, ChosenProof, ProposeOptions, Synod } from "./synod.js";
import type { Value } from "./value.js";
import {
  checkSize,
  decodeValue,
  encodeValue,
  type TypedBody,
  type ValueCodec,
  valueBound,
} from "./values.js";

/** What a client is built from. */
export interface ClientPorts {
  readonly cluster: Cluster;
  readonly prefix: string;
  readonly transport: Transport;
  readonly codec: Codec;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly values: ValueCodec;
  readonly pendingMax: number;
  /** Hear the calls of their models. */
  readonly histories: readonly History[];
}

/** Bytes of an idempotency id: what a command in the log can hold. */
const idBytesMax = 255;
/** How long `close` waits for what the session still has to say. */
const CLOSE_MS = 500;

/** A client of one cluster. */
export class Client implements Synod {
  readonly cluster: Cluster;
  readonly #ports: ClientPorts;
  readonly #host: Host;
  readonly #asker: Asker;
  readonly #session: Session;
  readonly #recorder: Recorder;
  /** Of everything that this client signs: what its session sends, and its decisions. */
  readonly #lamport = new LamportClock();
  /** The name under which it signs decisions. */
  readonly #id: string;
  readonly #feeds = new Set<ChosenFeed>();
  readonly #decisions = new Set<() => void>();
  #closing: Promise<void> | null = null;

  constructor(ports: ClientPorts) {
    const { cluster, transport, clock, random } = ports;
    this.cluster = cluster;
    this.#ports = ports;
    this.#id = random.hex(16);
    this.#recorder = new Recorder(ports.histories);
    this.#host = new Host({
      ...ports,
      lamport: this.#lamport,
      onHalt: (_role, id, why) => this.#session.halted(id, why),
    });
    const count = (reason: string) => this.#host.count(reason);
    this.#asker = new Asker({ transport, clock, count });
    this.#session = new Session({ ...ports, host: this.#host });
    transport.onStatus((status) => this.#notice(status));
  }

  /** What this client dropped or passed over, by reason. */
  get dropped(): ReadonlyMap<string, number> {
    return this.#host.dropped;
  }

  propose(value: unknown, options: ProposeOptions = {}): Promise<Receipt> {
    const { values } = this.#ports;
    try {
      const body = this.#fitting((most, because) => encodeValue(value, most, values, because));
      return this.#propose(body, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Proposes bytes of a type as they are; they must not change until it is settled. */
  async proposeRaw(
    body: Uint8Array,
    type: BodyType,
    options: ProposeOptions = {},
  ): Promise<Receipt> {
    this.#fitting((most, because) => checkSize(body.length, most, because));
    return this.#propose({ type, body }, options);
  }

  #propose(value: TypedBody, options: ProposeOptions): Promise<Receipt> {
    const { id = "" } = options;
    if (typeof id !== "string" || Buffer.byteLength(id) > idBytesMax) {
      throw new InvalidError(`an id is a string of at most ${idBytesMax} bytes of UTF-8`);
    }
    return this.#recorder.record(
      "propose",
      () => ({ op: "propose", value: showBody(value) }),
      () => this.#session.submit(value, id, options),
      ({ position, slot }) => ({ position, slot }),
    );
  }

  chosen(options: ChosenOptions = {}): AsyncIterableIterator<ChosenEvent, undefined> {
    const feed = this.chosenRaw(options);
    const { values } = this.#ports;
    const decode = (entry: RawEntry): ChosenEvent => {
      const { position, slot, ballot, syncedBy } = entry;
      return { position, slot, value: decodeValue(entry, values), ballot, syncedBy };
    };
    return mapEntries(feed, decode);
  }

  /** The feed undecoded. */
  chosenRaw({ after = "now", signal }: ChosenOptions = {}): ChosenFeed {
    if (this.#closing !== null) throw closed();
    checkAfter(after);
    const { transport, clock } = this.#ports;
    const abort = () => feed.end(null);
    let unlisten = () => {};
    const feed: ChosenFeed = new ChosenFeed({
      transport,
      clock,
      asker: this.#asker,
      space: this.#host.space,
      after,
      count: (reason) => this.#host.count(reason),
      onEnd: () => {
        this.#feeds.delete(feed);
        unlisten();
      },
    });
    this.#feeds.add(feed);
    if (signal !== undefined) unlisten = onAbort(signal, abort);
    if (signal?.aborted === true) abort();
    return feed;
  }

  decide(key: string, value: unknown, call?: Call): Promise<Value>;
  decide(key: string, value?: undefined, call?: Call): Promise<Value | null>;
  async decide(key: string, value?: unknown, call: Call = {}): Promise<Value | null> {
    const { cluster, values } = this.#ports;
    if (this.#closing !== null) throw closed();
    checkKey(key, cluster.limits.keyBytesMax);
    const encode = (most: number, because: string) => encodeValue(value, most, values, because);
    const wish = value === undefined ? null : this.#fitting(encode);
    const held = await this.#recorder.record(
      "decide",
      () => (wish === null ? { op: "get", key } : { op: "decide", key, value: showBody(wish) }),
      () => this.#decide(key, wish, call),
      (held) => (held === null ? null : showBody(held)),
    );
    return held === null ? null : decodeValue(held, values);
  }

  #decide(key: string, wish: TypedBody | null, call: Call): Promise<TypedBody | null> {
    const { cluster, clock, codec } = this.#ports;
    const message = {
      type: "decide" as const,
      key,
      value: wish?.body ?? null,
      valueType: wish?.type ?? ("bytes" as const),
      reply: "",
    };
    return decide(
      {
        asker: this.#asker,
        clock,
        cluster: cluster.name,
        place: () => this.#ports.transport.place,
        subject: subjectOf(this.#host.space, "synod-proposer", "decide", "all", this.#id),
        onClose: (end) => {
          this.#decisions.add(end);
          return () => void this.#decisions.delete(end);
        },
      },
      {
        isQuestion: wish === null,
        encode: () => codec.encode(this.#sender, this.#lamport.tick(), message),
        checkSize: () => {
          if (wish === null) return;
          this.#fitting((most, because) => checkSize(wish.body.length, most, because));
        },
      },
      call,
    );
  }

  async status(call: Call = {}): Promise<Status> {
    const { transport } = this.#ports;
    const [answers, captures] = await Promise.all([
      this.#gather("status", call),
      capturingStreams(transport, this.#host.space),
    ]);
    return { ...mergeStatus(this.cluster.name, answers, transport.silentServers), captures };
  }

  async why(call: Call = {}): Promise<readonly RoleWaits[]> {
    const hearing = this.hearing(call).catch(noneIfForbidden);
    const [answers, cutOff] = await Promise.all([this.#gather("why", call), hearing]);
    const waits = mergeWaits(answers, waitsToBeHeard(cutOff));
    const own = this.#host.mistakes.waits(this.#ports.clock.nowMs());
    return own.length === 0 ? waits : [...waits, { role: "client", id: this.#id, waits: own }];
  }

  async hearing(call: Call = {}): Promise<readonly Unheard[]> {
    return unheard(await this.#gather("hearing", call));
  }

  async prove(position: number, call: Call = {}): Promise<ChosenProof | null> {
    const raw = await this.proveRaw(position, call);
    if (raw === null) return null;
    const { type, body, ...proof } = raw;
    return { ...proof, value: decodeValue({ type, body }, this.#ports.values) };
  }

  /** The chain of a position, its value undecoded. */
  async proveRaw(position: number, call: Call = {}): Promise<RawProof | null> {
    if (!Number.isSafeInteger(position) || position < 1) {
      throw new InvalidError("a position is a whole number, 1 or more");
    }
    return provePosition(position, this.cluster, (what) => this.#gather("prove", call, what));
  }

  async #gather(
    what: "status" | "why" | "prove" | "hearing",
    call: Call,
    question?: object,
  ): Promise<readonly Record<string, unknown>[]> {
    if (this.#closing !== null) throw closed();
    const { acceptors, proposers, name } = this.cluster;
    const listed = new Set([
      ...acceptors.map(({ id }) => `acceptor/${id}`),
      ...proposers.map(({ id }) => `proposer/${id}`),
    ]);
    const subject = doorSubject(this.#host.space, `ctl.${what}`);
    const patienceMs = timeoutOf(call);
    const { clock } = this.#ports;
    const nowMs = () => clock.nowMs();
    const asked = { subject, question, listed, patienceMs, nowMs };
    const answers = await untilAborted(gatherAnswers(this.#asker, asked), call);
    // Processes of an earlier version do not know this question.
    if (answers.length > 0 || what === "hearing") return answers;
    const { place } = this.#ports.transport;
    throw new UnavailableError(
      `no process of cluster ${name} answers on ${place}: is one running?`,
    );
  }

  /** Ends everything under way and this client's connection; one that was given stays open. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    for (const feed of [...this.#feeds]) feed.end(null);
    for (const end of [...this.#decisions]) end();
    this.#session.close();
    await new Promise<void>((resolve) => this.#host.stop(CLOSE_MS, resolve));
    this.#session.abandon();
    this.#asker.close();
    await this.#ports.transport.drain();
  }

  /** Does what takes a value under the limit of the moment; a refusal has the server asked. */
  #fitting<T>(encode: (bytesMax: number, because: string) => T): T {
    const { cluster, transport } = this.#ports;
    try {
      const { bytesMax, because } = valueBound(cluster.limits, transport.payloadBytesMax);
      return encode(bytesMax, because);
    } catch (error) {
      if (error instanceof TooLargeError) transport.checkPayloadBytesMax();
      throw error;
    }
  }

  get #sender(): Sender {
    const nobody = { storeId: null, incarnation: 0, writeNumber: 0 };
    return { role: "session", id: this.#id, ...nobody, process: this.#host.nonce };
  }

  /** Ends calls of the session that cannot go on; the asker and the feeds see to theirs. */
  #notice(status: TransportStatus): void {
    if (status.kind === "closed") this.#session.lose(connectionClosed(status.reason));
    if (status.kind === "connected") this.#session.permit();
    if (status.kind !== "denied" && status.kind !== "granted") return;
    const role = parseSubject(this.#host.space, status.subject)?.toRole;
    if (role !== "gateway" && role !== "session") return;
    if (status.kind === "granted") this.#session.permit();
    else this.#session.forbid(notPermitted(status));
  }
}

function checkAfter(after: unknown): asserts after is After {
  if (after === "start" || after === "now") return;
  if (Number.isSafeInteger(after) && (after as number) >= 0) return;
  throw new InvalidError('`after` is a position (0 or more), "start" or "now"');
}

/** A feed, decoded. */
function mapEntries(
  feed: ChosenFeed,
  decode: (entry: RawEntry) => ChosenEvent,
): AsyncIterableIterator<ChosenEvent, undefined> {
  return {
    async next() {
      const result = await feed.next();
      return result.done === true ? result : { done: false, value: decode(result.value) };
    },
    return: () => feed.return() as Promise<IteratorReturnResult<undefined>>,
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
