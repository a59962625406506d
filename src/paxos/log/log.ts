/**
 * The log as clients see it: commands that took effect, counted densely from 1.
 *
 * Paper: PMS §3 "the servers … execute the state machine commands in the order of the instances".
 * Slots hold batches, no-ops and repeats; a position counts only what took effect, so it is a
 * function of the log alone and the same at every learner.
 */

import { invariant } from "../assert.js";
import { MalformedBytes } from "../bytes.js";
import type { BodyType } from "../command.js";
import { type Command, CommandReader } from "../command.js";
import type { Limits } from "../limits.js";
import type { Receipt } from "../receipt.js";
import { type CommandPlace, placesOf } from "../value.js";
import type { ChosenEntry, Outcome } from "../wire/messages.js";
import { SessionTable } from "./session.js";

/** A command that took effect. */
export interface LogEntry extends Receipt {
  readonly type: BodyType;
  readonly body: Uint8Array;
}

/** What a slot brought. */
export interface Applied {
  readonly entries: readonly LogEntry[];
  /** Where in the value the command of each of `entries` begins, as `commandFrom` wants it. */
  readonly commandsAt: readonly number[];
  /** What became of each command, with the gateway that awaits it, in log order. */
  readonly outcomes: readonly { readonly gateway: string; readonly outcome: Outcome }[];
  /** Commands or values that no version of this program wrote: they have no effect anywhere. */
  readonly unreadable: number;
}

/** The state that every applier of the log shares. */
export class LogState {
  position = 0;
  /** The slot that was applied last; -1: none was. */
  lastSlot = -1;
  /** Requests that stood in the log so far, with the copies that had no effect. */
  requests = 0;
  sessions: SessionTable;

  constructor(limits: Limits) {
    this.sessions = new SessionTable(limits);
  }

  /** Makes a copy that shares no changeable part. */
  clone(limits: Limits): LogState {
    const copy = new LogState(limits);
    copy.position = this.position;
    copy.lastSlot = this.lastSlot;
    copy.requests = this.requests;
    copy.sessions = this.sessions.clone();
    return copy;
  }
}

/**
 * Applies the value of the next slot.
 *
 * Requires: called once for each slot, in order. Cost: O(commands of the value).
 */
export function applyEntry(state: LogState, entry: ChosenEntry): Applied {
  invariant(entry.slot > state.lastSlot, "slots are applied in order, each once");
  state.lastSlot = entry.slot;
  const applied = { entries: [], commandsAt: [], outcomes: [], unreadable: 0 };
  try {
    applyCommands(state, entry, placesOf(entry.value), applied);
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error;
    applied.unreadable++;
  }
  return applied;
}

/** {@link Applied}, as it grows. */
interface Growing {
  readonly entries: LogEntry[];
  readonly commandsAt: number[];
  readonly outcomes: { gateway: string; outcome: Outcome }[];
  unreadable: number;
}

function applyCommands(
  state: LogState,
  entry: ChosenEntry,
  places: readonly CommandPlace[],
  applied: Growing,
): void {
  const reader = new CommandReader(entry.value);
  for (const { from, to } of places) {
    let command: Command;
    try {
      command = reader.read(from, to);
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error;
      applied.unreadable++;
      continue;
    }
    const { gateway } = command;
    applied.outcomes.push({ gateway, outcome: apply(state, command, entry, applied) });
    if (applied.entries.length > applied.commandsAt.length) applied.commandsAt.push(from);
  }
}

function apply(state: LogState, command: Command, entry: ChosenEntry, applied: Growing): Outcome {
  const { kind, session } = command;
  if (kind === "request") return applyRequest(state, command, entry, applied.entries);
  if (kind === "open") {
    return { kind: "opened", session, openedIn: state.sessions.open(session, entry.slot) };
  }
  return { ...state.sessions.end(command), session, number: command.number };
}

function applyRequest(
  state: LogState,
  request: Extract<Command, { kind: "request" }>,
  entry: ChosenEntry,
  entries: LogEntry[],
): Outcome {
  const { session, number } = request;
  state.requests++;
  const verdict = state.sessions.judge(request);
  if (verdict.kind === "expired") return { ...verdict, session, number };
  if (verdict.kind === "early") {
    return { kind: "early", session, number, expected: verdict.expected };
  }
  if (verdict.kind === "repeat") {
    if (verdict.result === null) return { kind: "answered", session, number };
    return done(session, number, verdict.result);
  }
  const { slot, ballot, syncedBy } = entry;
  const position = ++state.position;
  const result = { position, slot, ballot, syncedBy };
  state.sessions.record(request, result);
  const { type, body } = request;
  entries.push({ position, slot, ballot, syncedBy, type, body });
  return done(session, number, result);
}

/** Written out: this runs for each value, and a spread behind other fields takes a microsecond. */
function done(
  session: string,
  number: number,
  { position, slot, ballot, syncedBy }: Receipt,
): Outcome {
  return { kind: "done", session, number, position, slot, ballot, syncedBy };
}
