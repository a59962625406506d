/**
 * The log as clients see it: commands that took effect, counted densely from 1.
 *
 * Paper: PMS §3 "the servers … execute the state machine commands in the order of the instances".
 * Slots hold batches, no-ops and repeats; a position counts only what took effect, so it is a
 * function of the log alone and the same at every learner.
 */

import { invariant } from "./assert.js";
import { MalformedBytes } from "./bytes.js";
import type { BodyType } from "./command.js";
import { type Command, decodeCommand } from "./command.js";
import type { Limits } from "./limits.js";
import type { ChosenEntry, Outcome } from "./messages.js";
import type { Receipt } from "./receipt.js";
import { SessionTable } from "./session.js";
import { openValue, placeOf } from "./value.js";

/** A command that took effect. */
export interface LogEntry extends Receipt {
  readonly type: BodyType;
  readonly body: Uint8Array;
}

/** What a slot brought. */
export interface Applied {
  readonly entries: readonly LogEntry[];
  /** Where in the value the command of each of `entries` begins. */
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
  const entries: LogEntry[] = [];
  const commandsAt: number[] = [];
  const outcomes: { gateway: string; outcome: Outcome }[] = [];
  const { commands, unreadable } = readCommands(entry.value);
  for (const { command, at } of commands) {
    if (command.kind === "open") {
      const { session, gateway } = command;
      const openedIn = state.sessions.open(session, entry.slot);
      outcomes.push({ gateway, outcome: { kind: "opened", session, openedIn } });
      continue;
    }
    if (command.kind === "end") {
      const { session, number, gateway } = command;
      const outcome = { ...state.sessions.end(command), session, number };
      outcomes.push({ gateway, outcome });
      continue;
    }
    const outcome = applyRequest(state, command, entry, entries);
    if (entries.length > commandsAt.length) commandsAt.push(at);
    outcomes.push({ gateway: command.gateway, outcome });
  }
  return { entries, commandsAt, outcomes, unreadable };
}

function readCommands(value: Uint8Array) {
  const commands: { readonly command: Command; readonly at: number }[] = [];
  let unreadable = 0;
  try {
    const opened = openValue(value);
    if (opened.kind === "noop") return { commands, unreadable };
    for (const blob of opened.commands) {
      try {
        commands.push({ command: decodeCommand(blob), at: placeOf(value, blob) });
      } catch (error) {
        if (!(error instanceof MalformedBytes)) throw error;
        unreadable++;
      }
    }
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error;
    unreadable++;
  }
  return { commands, unreadable };
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
    return { kind: "done", session, number, ...verdict.result };
  }
  const { slot, ballot, syncedBy } = entry;
  const result = { position: ++state.position, slot, ballot, syncedBy };
  state.sessions.record(request, result);
  const { type, body } = request;
  entries.push({ ...result, type, body });
  return { kind: "done", session, number, ...result };
}
