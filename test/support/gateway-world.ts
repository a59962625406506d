/**
 * A gateway on a bench: clients, a leader that puts commands in a log, and the real rules of it.
 */

import {
  type Held,
  holdRequests,
  openOwnSession,
  openSession,
  type Settled,
  settle,
} from "../../src/paxos/clients/gateway.js";
import { holdProposal } from "../../src/paxos/clients/gateway-door.js";
import {
  isOverdue,
  sendAllAgain,
  sendOverdueAgain,
  takeProposals,
} from "../../src/paxos/clients/gateway-sending.js";
import { GatewayState } from "../../src/paxos/clients/gateway-state.js";
import { type Command, decodeCommand } from "../../src/paxos/command.js";
import { DEFAULT_LIMITS, type Limits } from "../../src/paxos/limits.js";
import { applyEntry, type LogEntry, LogState } from "../../src/paxos/log/log.js";
import { encodeBatch } from "../../src/paxos/value.js";
import type { ClientRequests, Outcome, Propose } from "../../src/paxos/wire/messages.js";

/** The session of a short name. */
export function sessionId(name: string): string {
  return [...name]
    .map((letter) => letter.charCodeAt(0).toString(16))
    .join("")
    .padEnd(32, "0");
}

/** A request of a client. */
function request(session: string, numbers: readonly number[], answeredBelow = 1): ClientRequests {
  return {
    type: "request",
    session,
    answeredBelow,
    requests: numbers.map((number) => ({
      number,
      id: "",
      valueType: "string",
      body: new TextEncoder().encode(`${session.slice(0, 4)}/${number}`),
    })),
    openedIn: null,
  };
}

/** A command as a test reads it: `open`, or its number. */
function shortly(blob: Uint8Array): string {
  const command: Command = decodeCommand(blob);
  return command.kind === "open" ? "open" : `${command.number}`;
}

/** One gateway, and a log that applies whatever the test lets through. */
export class GatewayBench {
  readonly state = new GatewayState();
  readonly limits: Limits;
  readonly log: LogState;
  readonly entries: LogEntry[] = [];
  nowMs = 1000;
  #slot = 0;

  constructor(limits: Partial<Limits> = {}) {
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    this.log = new LogState(this.limits);
    this.state.creditBytes = 1e6;
  }

  open(name: string): string {
    openSession(this.state, `client-${name}`, sessionId(name), "g1");
    return sessionId(name);
  }

  openOwn(): void {
    openOwnSession(this.state, "g1", "0123456789abcdef");
  }

  hold(session: string, ...numbers: number[]): number | null {
    return this.holdFrom(session, 1, ...numbers);
  }

  /** Holds requests of a client that has the results of those below a number. */
  holdFrom(session: string, answeredBelow: number, ...numbers: number[]): number | null {
    return this.ask(session, answeredBelow, ...numbers).overloaded;
  }

  /** As a client asks that has the results below a number. @returns what it is answered */
  ask(session: string, answeredBelow: number, ...numbers: number[]): Held {
    const message = request(session, numbers, answeredBelow);
    return holdRequests(this.state, "client", message, "g1", this.limits);
  }

  holdDoor(token: string, id = ""): boolean {
    const body = new TextEncoder().encode(token);
    return holdProposal(this.state, { token, id, valueType: "string", body }, "g1", this.limits);
  }

  take(): Propose[] {
    return [...takeProposals(this.state, this.limits, this.nowMs).messages];
  }

  /** What would be sent now, short. */
  sent(): string[] {
    return this.take().flatMap(({ commands }) => commands.map(shortly));
  }

  /** Puts proposals in the log; returns the outcomes, which nobody has heard yet. */
  choose(...proposals: readonly Propose[]): Outcome[] {
    return proposals.flatMap(({ commands }) => {
      const value = encodeBatch(commands);
      const ballot = { round: 1, owner: "p1.0123456789abcdef" };
      const entry = { slot: this.#slot++, ballot, value, syncedBy: ["a1", "a2"] };
      const applied = applyEntry(this.log, entry);
      this.entries.push(...applied.entries);
      return applied.outcomes.map(({ outcome }) => outcome);
    });
  }

  hear(...outcomes: readonly Outcome[]): Settled {
    return settle(this.state, outcomes, this.limits, this.nowMs);
  }

  isOverdue(): boolean {
    return isOverdue(this.state, this.nowMs, this.limits);
  }

  sendAllAgain(): void {
    sendAllAgain(this.state);
  }

  sendOverdueAgain(): void {
    sendOverdueAgain(this.state, this.nowMs, this.limits);
  }

  /** What took effect, as `session/number` or the door's token. */
  bodies(): string[] {
    return this.entries.map(({ body }) => new TextDecoder().decode(body));
  }
}

/** A bench with a session that is open. */
export function opened(bench = new GatewayBench()): { bench: GatewayBench; session: string } {
  const session = bench.open("s");
  bench.hear(...bench.choose(...bench.take()));
  return { bench, session };
}
