/**
 * The caller's side of the session chart: calls become submissions, settlements become receipts.
 *
 * Submissions of one turn go to the chart as one event, so that they share messages.
 */

import { sessionRole } from "../../actors/session/role.js";
import { sessionServices } from "../../actors/session/services.js";
import type { Settlement } from "../kernel/effect.js";
import type { Host } from "../kernel/host.js";
import type { Clock, Random, Transport } from "../kernel/ports.js";
import type { Runner } from "../kernel/runner.js";
import type { Submission } from "../paxos/clients/client.js";
import type { Receipt } from "../paxos/receipt.js";
import { aborted, type Call, closed, type Ended, timeoutOf, watchEnd } from "./ending.js";
import {
  OutcomeUnknownError,
  OverloadedError,
  SessionExpiredError,
  type SynodError,
  type SynodErrorDetails,
  TooLargeError,
  UnavailableError,
} from "./errors.js";
import type { TypedBody } from "./values.js";

/** What a session is built from. */
export interface SessionPorts {
  /** Runs the chart; its settlements and halts must come to {@link Session}. */
  readonly host: Host;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  /** Calls that may wait at once. */
  readonly pendingMax: number;
}

interface Waiting {
  readonly submission: Submission;
  readonly resolve: (receipt: Receipt) => void;
  readonly reject: (error: SynodError) => void;
  /** Stops its timer and signal. */
  unwatch: () => void;
  /** Why nobody waits any more, as soon as nobody does. */
  ended: Ended | null;
}

const RETRY_AFTER_MS = 100;

/** One client's way into the log. A session that expired is followed by a new one. */
export class Session {
  readonly #ports: SessionPorts;
  /** Calls without an outcome, by token, in order. */
  readonly #waiting = new Map<number, Waiting>();
  /** Submissions and withdrawals that the chart has not been told yet. */
  #untold: Submission[] = [];
  #withdrawn: number[] = [];
  #runner: Runner | null = null;
  #tokens = 0;
  #scheduled = false;
  #closed = false;
  /** Set once the connection is closed for good. */
  #lost: SynodError | null = null;
  /** What the server forbade last, until it is known to be over. */
  #forbidden: SynodError | null = null;

  constructor(ports: SessionPorts) {
    this.#ports = ports;
  }

  /** Calls that wait. */
  get pending(): number {
    return this.#waiting.size;
  }

  /** Gets bytes into the log. @throws SynodError, always by rejecting */
  submit(value: TypedBody, id: string, call: Call): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      timeoutOf(call);
      if (this.#closed) throw closed();
      if (this.#lost !== null) throw this.#lost;
      if (call.signal?.aborted === true) throw aborted(call.signal.reason);
      const { pendingMax, clock } = this.#ports;
      if (this.#waiting.size >= pendingMax) {
        const message = `${pendingMax} calls wait already (pendingMax): wait for some of them`;
        throw new OverloadedError(message, { retryAfterMs: RETRY_AFTER_MS });
      }
      const token = ++this.#tokens;
      const submission = { token, id, valueType: value.type, body: value.body };
      const waiting: Waiting = { submission, resolve, reject, unwatch: () => {}, ended: null };
      this.#waiting.set(token, waiting);
      waiting.unwatch = watchEnd(clock, call, (why) => this.#leave(waiting, why));
      this.#untold.push(submission);
      this.#schedule();
    });
  }

  /** Takes in what the chart settled. */
  #settled(settlements: readonly Settlement[]): void {
    for (const settlement of settlements) {
      const waiting = this.#waiting.get(settlement.token);
      if (waiting === undefined) continue;
      if (settlement.kind === "done") {
        const { position, slot, ballot, syncedBy } = settlement;
        this.#forbidden = null;
        this.#end(waiting);
        waiting.resolve({ position, slot, ballot, syncedBy });
      } else if (settlement.kind === "withdrawn") {
        this.#fail(waiting, this.#errorOfLeaving(waiting, settlement.mayHaveHappened));
      } else if (this.#mayGoOn(settlement)) {
        this.#goOn(waiting, settlement.mayHaveHappened);
      } else {
        const { payloadBytesMax } = this.#ports.transport;
        const { length } = waiting.submission.body;
        this.#fail(waiting, errorOf(settlement, length, payloadBytesMax));
      }
    }
  }

  /** Notes that the chart stopped; it has settled everything unless it threw. */
  halted(id: string, why: string): void {
    if (this.#runner?.id !== id) return;
    // The next call begins a new session: nothing asks about this one any more.
    this.#ports.host.remove(this.#runner);
    this.#runner = null;
    const untold = new Set(this.#untold.map(({ token }) => token));
    for (const waiting of [...this.#waiting.values()]) {
      if (untold.has(waiting.submission.token)) continue;
      this.#fail(waiting, new OutcomeUnknownError(`the session stopped: ${why}`));
    }
  }

  /** Takes nothing more, and ends what the chart has not been told. The host ends the rest. */
  close(): void {
    this.#closed = true;
    const untold = this.#untold;
    this.#untold = [];
    for (const { token } of untold) {
      const waiting = this.#waiting.get(token);
      if (waiting !== undefined) this.#fail(waiting, closed());
    }
  }

  /** Ends whatever the chart did not settle in time. */
  abandon(): void {
    for (const waiting of [...this.#waiting.values()]) {
      this.#fail(waiting, closed({ mayHaveHappened: true }));
    }
  }

  /** Ends the calls that wait: the server forbids what they need. Later ones may still succeed. */
  forbid(error: SynodError): void {
    this.#forbidden = error;
    for (const waiting of [...this.#waiting.values()]) {
      waiting.unwatch();
      this.#leave(waiting, { kind: "failed", error });
    }
  }

  /** Notes that the server forbids nothing now, as far as is known. */
  permit(): void {
    this.#forbidden = null;
  }

  /** Ends the calls that wait, and every later one: the connection is closed for good. */
  lose(error: SynodError): void {
    this.#lost = error;
    this.forbid(error);
  }

  /** What certainly did not happen in a session that expired may be asked in another one. */
  #mayGoOn({ code, mayHaveHappened }: Settlement & { readonly kind: "failed" }): boolean {
    return code === "session_expired" && !mayHaveHappened && !this.#closed;
  }

  /** Asks again, in the order of the calls; a call that somebody left meanwhile ends. */
  #goOn(waiting: Waiting, mayHaveHappened: boolean): void {
    if (waiting.ended !== null) {
      this.#fail(waiting, this.#errorOfLeaving(waiting, mayHaveHappened));
      return;
    }
    this.#untold.push(waiting.submission);
    this.#untold.sort((a, b) => a.token - b.token);
    this.#schedule();
  }

  #leave(waiting: Waiting, why: Ended): void {
    if (waiting.ended !== null) return;
    const { token } = waiting.submission;
    waiting.ended = why;
    const at = this.#untold.indexOf(waiting.submission);
    if (at >= 0) {
      this.#untold.splice(at, 1);
      this.#fail(waiting, this.#errorOfLeaving(waiting, false));
    } else {
      this.#withdrawn.push(token);
      this.#schedule();
    }
  }

  #errorOfLeaving({ ended }: Waiting, mayHaveHappened: boolean): SynodError {
    if (ended?.kind === "signal") return aborted(ended.reason, { mayHaveHappened });
    if (ended?.kind === "failed") {
      const { error } = ended;
      return mayHaveHappened ? new OutcomeUnknownError(error.message, { cause: error }) : error;
    }
    const waited = `within ${ended?.timeoutMs ?? 0} ms`;
    if (mayHaveHappened) {
      const message = `the value was sent, and nothing was heard of it ${waited}`;
      return new OutcomeUnknownError(
        `${message}: it may be chosen yet (synod why says what is awaited)`,
      );
    }
    if (this.#forbidden !== null) return this.#forbidden;
    const { transport, host } = this.#ports;
    const { place } = transport;
    const { cluster } = host.space;
    const nobody = `no gateway of cluster ${cluster} took the value ${waited} on ${place}`;
    return new UnavailableError(
      transport.connected
        ? `${nobody}: it was not sent (synod why says what is awaited)`
        : `there was no connection to ${place} ${waited}: the value was not sent`,
    );
  }

  #end(waiting: Waiting): void {
    waiting.unwatch();
    this.#waiting.delete(waiting.submission.token);
  }

  #fail(waiting: Waiting, error: SynodError): void {
    this.#end(waiting);
    waiting.reject(error);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#ports.clock.soon(() => {
      this.#scheduled = false;
      this.#tell();
    });
  }

  #tell(): void {
    const requests = this.#untold;
    const tokens = this.#withdrawn;
    this.#untold = [];
    this.#withdrawn = [];
    if (requests.length > 0) {
      const event = { type: "submit", requests };
      this.#running().tell(event);
    }
    if (tokens.length > 0) {
      const event = { type: "withdraw", tokens };
      this.#runner?.tell(event);
    }
  }

  /** The chart, started when it is first needed: who only reads opens no session. */
  #running(): Runner {
    if (this.#runner !== null) return this.#runner;
    const { host, random, transport } = this.#ports;
    const services = sessionServices((settlements) => this.#settled(settlements));
    this.#runner = host.add({ ...sessionRole, services }, random.hex(16), null);
    if (!transport.connected) this.#runner.tell({ type: "connection.down" });
    return this.#runner;
  }
}

/** Names the limit that a value was over; `bytesMax` is unknown of an old gateway. */
function tooLarge(
  bytes: number,
  bytesMax: number | undefined,
  payloadBytesMax: number,
  details: SynodErrorDetails,
): TooLargeError {
  const most = bytesMax === undefined ? "fewer" : bytesMax;
  const because = `(the server takes messages of ${payloadBytesMax} bytes)`;
  const sent =
    details.mayHaveHappened === true ? "; a copy that was sent before may be chosen" : "";
  return new TooLargeError(
    `the value has ${bytes} bytes, ${most} at most ${because}${sent}`,
    details,
  );
}

function errorOf(
  settlement: Settlement & { readonly kind: "failed" },
  bytes: number,
  payloadBytesMax: number,
): SynodError {
  const { code, mayHaveHappened } = settlement;
  const details = { mayHaveHappened };
  switch (code) {
    case "overloaded":
      return new OverloadedError("this client holds as many requests as it may: wait for some", {
        ...details,
        retryAfterMs: RETRY_AFTER_MS,
      });
    case "too_large":
      return tooLarge(bytes, settlement.bytesMax, payloadBytesMax, details);
    case "stopped":
      return closed(details);
    case "session_expired": {
      const message = "the cluster does not know this session any more";
      const outcome = mayHaveHappened
        ? "the value may or may not be in the log"
        : "the value is not in the log";
      return new SessionExpiredError(`${message}: ${outcome}`, details);
    }
  }
}
