/** Opening a client: learns the cluster from whoever answers for it. */

import { doorSubject } from "../kernel/bus/subject.js";
import type { Clock, Codec, Logger, Random, Transport } from "../kernel/ports.js";
import type { Cluster } from "../paxos/cluster.js";
import { readLimits } from "../paxos/limits.js";
import { Asker, type Reply } from "./asker.js";
import { Client } from "./client.js";
import { aborted, type Call, type Ended, timeoutOf, watchEnd } from "./ending.js";
import { readJson } from "./entries.js";
import { InvalidError, type SynodError, UnavailableError, WrongClusterError } from "./errors.js";
import { historiesOf, type RecorderOption } from "./recorder.js";
import { EXACT, type ValueCodec } from "./values.js";

/** What does not depend on how the server is reached. */
export interface OpenOptions extends Call {
  /** The cluster's name. */
  readonly cluster: string;
  /** The first token of every subject; "synod" if left out. */
  readonly prefix?: string | undefined;
  /** Writes and reads values that are neither bytes nor a string; exact MessagePack if left out. */
  readonly codec?: ValueCodec | undefined;
  readonly session?: SessionOptions | undefined;
  /** Hears what the client has to say; nobody if left out. */
  readonly logger?: Logger | undefined;
  /**
   * Hears the calls of `propose` and of `decide`, for judges of histories; nobody if left out. A
   * history may serve several clients; the values of them all must be unique.
   */
  readonly recorder?: RecorderOption;
}

/** Bounds of the session. */
export interface SessionOptions {
  /** Calls of `propose` that may wait at once, 1 … 65,536; 32,768 if left out. */
  readonly pendingMax?: number | undefined;
}

/** What a client stands on. */
export interface OpenPorts {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly createCodec: (cluster: Cluster) => Codec;
}

const PENDING_MAX = 32_768;
const PENDING_LIMIT = 65_536;
const ATTEMPT_MS = 500;
const PAUSE_MS = 100;

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Checks options before anything is opened. @throws InvalidError */
export function checkOptions(options: OpenOptions): void {
  const { cluster, prefix, session } = options;
  for (const [name, token] of Object.entries({ cluster, prefix: prefix ?? "synod" })) {
    if (typeof token === "string" && /^[a-z0-9_-]{1,32}$/.test(token)) continue;
    const given = JSON.stringify(token);
    throw new InvalidError(`${name} ${given}: use 1 to 32 characters out of a-z, 0-9, _ and -`);
  }
  const { pendingMax = PENDING_MAX } = session ?? {};
  if (!Number.isInteger(pendingMax) || pendingMax < 1 || pendingMax > PENDING_LIMIT) {
    throw new InvalidError(`session.pendingMax must be a whole number of 1 to ${PENDING_LIMIT}`);
  }
  historiesOf(options.recorder);
  timeoutOf(options);
}

/**
 * Opens a client on a transport, which it closes when it is closed.
 *
 * @param spentMs what was spent of `timeoutMs` before, in milliseconds
 */
export async function openClient(
  ports: OpenPorts,
  options: OpenOptions,
  spentMs = 0,
): Promise<Client> {
  checkOptions(options);
  const { prefix = "synod", session, logger = SILENT, codec = EXACT } = options;
  const cluster = await learnCluster(ports, prefix, options, spentMs);
  const { transport, clock, random, createCodec } = ports;
  return new Client({
    cluster,
    prefix,
    transport,
    codec: createCodec(cluster),
    clock,
    random,
    logger,
    values: codec,
    pendingMax: session?.pendingMax ?? PENDING_MAX,
    histories: historiesOf(options.recorder),
  });
}

/** Asks any process of the cluster for the descriptor. */
async function learnCluster(
  ports: OpenPorts,
  prefix: string,
  options: OpenOptions,
  spentMs: number,
): Promise<Cluster> {
  const asker = new Asker({ ...ports, count: () => {} });
  const subject = doorSubject({ prefix, cluster: options.cluster }, "ctl.cluster");
  let ended: Ended | null = null;
  let wake = () => {};
  const timeoutMs = timeoutOf(options);
  const left = { ...options, timeoutMs: Math.max(0, timeoutMs - spentMs) };
  const unwatch = watchEnd(ports.clock, left, (why) => {
    ended = why;
    wake();
  });
  const end = new Promise<void>((resolve) => {
    wake = resolve;
    if (ended !== null) resolve();
  });
  const pause = () => new Promise<void>((resolve) => void ports.clock.setTimer(PAUSE_MS, resolve));
  try {
    while (ended === null) {
      const reply = await Promise.race([asker.ask(subject, new Uint8Array(0), ATTEMPT_MS), end]);
      if (reply?.kind === "failed") throw reply.error;
      const cluster = reply === undefined ? undefined : readCluster(reply, options.cluster);
      if (cluster !== undefined) return cluster;
      await Promise.race([pause(), end]);
    }
    const { place, connected } = ports.transport;
    if (!connected && (ended as Ended).kind === "timeout") {
      throw new UnavailableError(`there was no connection to ${place} within ${timeoutMs} ms`);
    }
    throw errorOf(ended, options.cluster, timeoutMs, place);
  } finally {
    unwatch();
    asker.close();
  }
}

function errorOf(why: Ended, cluster: string, timeoutMs: number, place: string): SynodError {
  if (why.kind === "signal") return aborted(why.reason);
  if (why.kind === "failed") return why.error;
  const what = `no process of cluster ${cluster} answered within ${timeoutMs} ms on ${place}`;
  return new UnavailableError(
    `${what}: start one with \`synod up\`, or name another cluster or server`,
  );
}

/** Reads a descriptor as a process tells it. @throws WrongClusterError */
function readCluster(reply: Reply, name: string): Cluster | undefined {
  if (reply.kind !== "answer") return undefined;
  const told = readJson(reply.payload);
  const { clusterId, epoch, acceptors, proposers, quorums, learn, limits } = told;
  const isShaped =
    typeof clusterId === "string" &&
    /^[0-9a-f]{32}$/.test(clusterId) &&
    Number.isSafeInteger(epoch) &&
    [acceptors, proposers].every(Array.isArray) &&
    [quorums, learn, limits].every((part) => typeof part === "object" && part !== null);
  if (!isShaped) return undefined;
  const read = readLimits(limits as Record<string, unknown>);
  if (read === undefined) return undefined;
  if (told["name"] === name) return { ...(told as unknown as Cluster), limits: read };
  throw new WrongClusterError(`cluster ${String(told["name"])} answers for cluster ${name}`);
}
