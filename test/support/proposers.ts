/** Proposers of the log in one state or another, for their tests. */

import { addPromisePart } from "../../src/paxos/consensus/promises.js";
import { adopt, beginBallot, ProposerState } from "../../src/paxos/consensus/proposer.js";
import { NOOP } from "../../src/paxos/value.js";
import type { Promise1b } from "../../src/paxos/wire/messages.js";
import { at, promised } from "./log-messages.js";
import { makeCluster } from "./synod-world.js";

const limits = { windowMax: 4, pipelineSlotsMax: 4, batchCommandsMax: 1, retryDelayMs: 100 };

/** Three acceptors, α of 4, a command a slot. */
export const cluster = makeCluster(3, { kind: "majority" }, limits);

/** The ballot of the proposers below. */
export const FIRST = at(1);

/** A proposer in phase 1 of round 1. */
export function preparing(fromSlot = 0): ProposerState {
  const state = new ProposerState();
  state.chosenWatermark = fromSlot;
  beginBallot(state, "p");
  return state;
}

/** A proposer that adopted what these promises say. */
export function leading(...promises: readonly Partial<Promise1b>[]): ProposerState {
  const state = preparing();
  for (const [index, rest] of (promises.length > 0 ? promises : [{}, {}]).entries()) {
    addPromisePart(state, `a${index}`, 1, promised(FIRST, rest));
  }
  adopt(state, 0);
  return state;
}

/** What is open, as text; a no-op is "". */
export function openValues(state: ProposerState): Record<number, string> {
  return Object.fromEntries(
    [...state.open].map(([slot, { value }]) => [
      slot,
      value === NOOP ? "" : new TextDecoder().decode(value),
    ]),
  );
}
