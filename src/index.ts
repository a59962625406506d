/**
 * Synod for applications: propose values, follow what is chosen, decide keys.
 *
 * The contract is in `src/client/README.md`.
 */

import { createCodec } from "./adapters/msgpackr/codec.js";
import { NatsConnectError } from "./adapters/nats/errors.js";
import type { NatsOptions, OpenConnection } from "./adapters/nats/given.js";
import { isConnection } from "./adapters/nats/options.js";
import { connectNats, type NatsTransport } from "./adapters/nats/transport.js";
import { createClock, createRandom } from "./adapters/node/clock.js";
import { checkOptions, type OpenOptions, openClient } from "./client/connect.js";
import { aborted, type Ended, watchEnd } from "./client/ending.js";
import { InvalidError, NotPermittedError, UnavailableError } from "./client/errors.js";
import type { Synod } from "./client/synod.js";
import type { Clock } from "./kernel/ports.js";

export type { NatsCredentials, NatsOptions, OpenConnection } from "./adapters/nats/given.js";
export type { CapturingStream } from "./client/captures.js";
export type { After } from "./client/chosen.js";
export type { SessionOptions } from "./client/connect.js";
export type {
  ProcessHealth,
  RoleReport,
  RoleWaits,
  ServedDescriptor,
  Status,
} from "./client/control.js";
export type { Call } from "./client/ending.js";
export {
  ConflictError,
  InvalidError,
  LockLostError,
  NoQuorumError,
  NotPermittedError,
  OutcomeUnknownError,
  OverloadedError,
  RejectedError,
  SessionExpiredError,
  StoppedError,
  SynodError,
  type SynodErrorCode,
  TooLargeError,
  TooManyError,
  TrimmedError,
  UnavailableError,
  WrongClusterError,
} from "./client/errors.js";
export type { Unheard } from "./client/hearing.js";
export { History, type HistoryOptions, type OpenCall } from "./client/history.js";
export type {
  ChosenEvent,
  ChosenOptions,
  ChosenProof,
  ProposeOptions,
  Synod,
} from "./client/synod.js";
export type { Value } from "./client/value.js";
export type { ValueCodec } from "./client/values.js";
export type { HistoryModel } from "./judge/format.js";
export type { Logger } from "./kernel/ports.js";
export type { Wait } from "./kernel/role.js";
export type { Ballot } from "./paxos/ballot.js";
export type { Receipt } from "./paxos/receipt.js";
export { HistoryFile } from "./worker/history-file.js";

/** How to find a cluster. */
export interface ConnectOptions extends OpenOptions {
  /**
   * Where the NATS server is: an address, options of the `nats` package, or an open connection of
   * `nats` or `@nats-io/transport-node`, which we never close; nats://127.0.0.1:4222 if left out.
   */
  readonly nats?: string | NatsOptions | OpenConnection | undefined;
}

/**
 * Connects to a cluster.
 *
 * @throws SynodError `invalid`, `unavailable`, `not_permitted`, `wrong_cluster` or `stopped`
 */
export async function connect(options: ConnectOptions): Promise<Synod> {
  checkOptions(options);
  const clock = createClock();
  const beganMs = clock.nowMs();
  const transport = await reachInTime(clock, options);
  const ports = { transport, clock, random: createRandom(), createCodec };
  try {
    return await openClient(ports, options, clock.nowMs() - beganMs);
  } catch (error) {
    await transport.close();
    throw error;
  }
}

/** Reaches a server, for as long as the call's patience and signal allow. */
async function reachInTime(clock: Clock, options: ConnectOptions): Promise<NatsTransport> {
  const giveUp = new AbortController();
  let ended: Ended | undefined;
  const unwatch = watchEnd(clock, options, (why) => {
    ended = why;
    giveUp.abort();
  });
  try {
    return await reach(options.nats, giveUp.signal);
  } catch (error) {
    const why = ended as Ended | undefined;
    throw why?.kind === "signal" ? aborted(why.reason) : error;
  } finally {
    unwatch();
  }
}

async function reach(nats: ConnectOptions["nats"], signal: AbortSignal): Promise<NatsTransport> {
  try {
    const given = typeof nats === "string" ? { servers: nats } : nats;
    if (given !== undefined && isConnection(given)) return await connectNats(given);
    const chosenBy = given === undefined ? "default" : "the option `nats`";
    return await connectNats({ chosenBy, ...given, signal });
  } catch (cause) {
    if (!(cause instanceof NatsConnectError)) throw cause;
    const { code, message } = cause;
    if (code === "bad_options" || code === "missing_file") {
      throw new InvalidError(message, { cause });
    }
    if (code === "not_authorized") throw new NotPermittedError(message, { cause });
    throw new UnavailableError(message, { cause });
  }
}
